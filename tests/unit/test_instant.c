/* common/instant: the spellings of log times, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "common/instant.h"

static const struct {
    const char *text;
    size_t takes; /* 0: not a time */
    const char *shown;
} cases[] = {
    { "2026-11-02T10:00:01Z", 20, "2026-11-02T10:00:01.000Z" },
    { "2026-11-02T10:00:01.123456789Z rest", 30, "2026-11-02T10:00:01.123Z" },
    { "2026-11-02 10:00:01,5 INFO", 21, "2026-11-02T10:00:01.500Z" },
    { "2026-11-02T10:00:01+01:00", 25, "2026-11-02T09:00:01.000Z" },
    { "2026-11-02T10:00:01-0530", 24, "2026-11-02T15:30:01.000Z" },
    { "2026-11-02T10:00:01+02", 22, "2026-11-02T08:00:01.000Z" },
    { "2026-11-02T10:00", 16, "2026-11-02T10:00:00.000Z" },
    { "2026/11/02 10:00:01.", 19, "2026-11-02T10:00:01.000Z" },
    { "2024-02-29T23:59:60Z", 20, "2024-03-01T00:00:00.000Z" },
    { "1969-12-31T23:59:59.999Z", 24, "1969-12-31T23:59:59.999Z" },
    { "2026-13-02T10:00:01Z", 0, "" },
    { "2026-11-31", 0, "" },
    { "2026-11-02", 0, "" },
    { "2026-11-02T25:00:01Z", 0, "" },
    { "10:00:01", 0, "" },
    { "", 0, "" },
};

static void test_prefix(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t ns;
        struct buf b = { 0 };
        size_t takes = instant_prefix(slice_str(cases[c].text), &ns);
        if (takes != cases[c].takes)
            fail_msg("%s: takes %zu", cases[c].text, takes);
        if (takes) {
            instant_format(ns, &b);
            assert_string_equal(buf_cstr(&b), cases[c].shown);
        }
        buf_release(&b);
    }
}

static const struct {
    const char *text;
    int64_t ns; /* -1: not a time */
} numbers[] = {
    { "1793613600", 1793613600000000000 },
    { "1793613600.125", 1793613600125000000 },
    { "1793613600123", 1793613600123000000 },
    { "1793613600123456", 1793613600123456000 },
    { "1793613600123456789", 1793613600123456789 },
    { "1.7936136e9", 1793613600000000000 },
    { "5", -1 },
    { "99999999", -1 },
    { "-1793613600", -1 },
    { "1793613600x", -1 },
    { "99999999999999999999999", -1 },
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof numbers / sizeof *numbers; c++) {
        int64_t ns = -1;
        bool ok = instant_parse(slice_str(numbers[c].text), &ns);
        if (ok != (numbers[c].ns != -1) || ns != numbers[c].ns)
            fail_msg("%s: %lld", numbers[c].text, (long long)ns);
    }
}

/* Each text after each other one, and after itself: the memory changes no answer. */
static void test_next(void **state)
{
    (void)state;
    enum { N = sizeof cases / sizeof *cases };
    struct instant_memo memo = { .seconds = 0 };
    for (size_t c = 0; c < (size_t)N * N * 2; c++) {
        struct slice s = slice_str(cases[c % 2 ? c / 2 / N : c / 2 % N].text);
        int64_t fresh = -1, next = -1;
        bool ok = instant_parse(s, &fresh);
        assert_int_equal(instant_parse_next(&memo, s, &next), ok);
        assert_true(fresh == next);
    }
    memo = (struct instant_memo){ .seconds = 0 };
    int64_t ns;
    char zeros[20] = { 0 };
    assert_false(instant_parse_next(&memo, slice_of(zeros, sizeof zeros), &ns));
    assert_false(instant_parse_next(&memo, slice_of(zeros, INSTANT_MINUTE), &ns));
}

/* Every day for 130 years against the C library. */
static void test_days(void **state)
{
    (void)state;
    for (int64_t day = -3650; day < 365 * 120; day++) {
        time_t t = (time_t)(day * 86400);
        struct tm tm;
        char want[40];
        struct buf b = { 0 };
        int64_t ns;
        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "%Y-%m-%d", &tm);
        instant_format_day(day * 86400 * 1000000000, &b);
        assert_string_equal(buf_cstr(&b), want);
        assert_true(instant_day(buf_slice(&b), &ns));
        assert_int_equal(ns / 1000000000, day * 86400);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
