/* The readable report: number shapes, sparklines, hostile names, gaps that must be shown.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/report.h"

enum { DAY_S = 86400, FIRST = 20000 };

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {
        { 0, "0" },           { 999, "999" },
        { 1000, "1.00k" },    { 9994, "9.99k" },
        { 9996, "10.0k" },    { 12345, "12.3k" },
        { 999499, "999k" },   { 999500, "1.00M" },
        { 4560000, "4.56M" }, { UINT64_MAX, "18.4E" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = { 0 };
        report_count(cases[i].v, &b);
        assert_string_equal(buf_cstr(&b), cases[i].text);
        buf_release(&b);
    }
}

static void test_money(void **state)
{
    (void)state;
    static const struct {
        uint64_t pico;
        const char *text;
    } cases[] = {
        { 0, "$0.00" },
        { 1, "<$0.01" },
        { 5000000000, "$0.01" },
        { 999990000000000, "$999.99" },
        { 1234500000000000, "$1,234.50" },
        { 1234567890000000000, "$1,234,567.89" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = { 0 };
        report_money(cases[i].pico, &b);
        assert_string_equal(buf_cstr(&b), cases[i].text);
        buf_release(&b);
    }
}

static void test_sparkline(void **state)
{
    (void)state;
    const double v[] = { 0, 1, 4, 8, NAN, -3, INFINITY };
    struct buf b = { 0 };
    report_sparkline(v, 7, &b);
    assert_string_equal(buf_cstr(&b), " ▂▅█   ");
    buf_release(&b);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "gpt", "gpt   " },     { "gpt-4o", "gpt-4o" },      { "gpt-4.1", "gpt-4…" },
        { "\x1b[2J", "?[2J  " }, { "caf\xc3\xa9", "café  " }, { "\xff\xc3", "??    " },
        { "a\nb", "a?b   " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = { 0 };
        report_name(slice_str(cases[i].in), 6, &b);
        assert_string_equal(buf_cstr(&b), cases[i].out);
        buf_release(&b);
    }
}

static struct query_row row(const struct slice *dim, int64_t day, uint64_t calls,
                            uint64_t pico)
{
    struct query_row r = { .time = day * DAY_S, .dim = dim, .calls = calls };
    r.v[USAGE_input] = 1000 * calls;
    r.v[USAGE_output] = 10 * calls;
    r.cost = pico;
    return r;
}

/* Two models over three days; the second has no price and must never show as $0. */
static void test_usage(void **state)
{
    (void)state;
    static const struct slice priced[] = { { "openai", 6 }, { "gpt-x", 5 } };
    static const struct slice unpriced[] = { { "compat", 6 }, { "own-7b", 6 } };
    struct query_row rows[] = { row(priced, FIRST, 10, 2000000000000),
                                row(unpriced, FIRST + 1, 5, 0),
                                row(priced, FIRST + 2, 20, 4000000000000),
                                row(priced, FIRST + 9, 1000, 1) /* outside */ };
    rows[1].calls_unpriced = 5;
    rows[2].calls_missing = 3;
    struct query_result q = { .row = rows,
                              .rows = 4,
                              .group = (uint32_t)1 << ROLLUP_provider |
                                       (uint32_t)1 << ROLLUP_model };
    struct arena a;
    struct buf b = { 0 };
    arena_init(&a, 1 << 20);
    assert_int_equal(report_usage(&q, FIRST, 3, &a, &b), ST_OK);
    struct slice text = buf_slice(&b);
    static const char *const wanted[] = {
        "2024-10-04 to 2024-10-06",
        "gpt-x                               30   30.0k       0     300          $6.00  "
        "▅ █\n",
        "own-7b                               5   5.00k       0      50       unpriced   "
        "█ \n",
        ">= $6.00",
        "5 of 35 calls have a model without a price",
        "3 of 35 calls reported no usage",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (slice_find(text, slice_str(wanted[i])) == SIZE_MAX)
            fail_msg("missing: %s\nin:\n%s", wanted[i], buf_cstr(&b));
    assert_true(slice_find(text, SLICE("$0.00")) == SIZE_MAX);
    arena_release(&a);
    buf_release(&b);
}

static void test_empty(void **state)
{
    (void)state;
    struct query_result q = { 0 };
    struct arena a;
    struct buf b = { 0 };
    arena_init(&a, 1 << 20);
    assert_int_equal(report_usage(&q, FIRST, 30, &a, &b), ST_OK);
    assert_true(slice_find(buf_slice(&b), SLICE("nothing was metered")) != SIZE_MAX);
    arena_release(&a);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),    cmocka_unit_test(test_money),
        cmocka_unit_test(test_sparkline), cmocka_unit_test(test_names),
        cmocka_unit_test(test_usage),     cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
