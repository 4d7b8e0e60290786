/* Ends of strings by blocks against the plain search, before a guard page. */
#include "testing.h"

#include "agent/quotes.h"

/* The same answer from every way, wherever the string begins. */
static void check_all(struct slice text)
{
    struct guarded g = guard_copy(text);
    const char *end = g.s.p + g.s.n;
    for (const char *p = g.s.p; p <= end; p++) {
        bool plain, far, close;
        const char *want = quotes_close_plain(p, end, &plain);
        CHECK(quotes_close_far(p, end, &far) == want, "far, at %zu of %.*s",
              (size_t)(p - g.s.p), SLICE_FMT(text));
        CHECK(quotes_close(p, end, &close) == want, "at %zu of %.*s", (size_t)(p - g.s.p),
              SLICE_FMT(text));
        if (want)
            CHECK(far == plain && close == plain, "escapes, at %zu of %.*s",
                  (size_t)(p - g.s.p), SLICE_FMT(text));
    }
    guard_release(&g);
}

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int close; /* -1: it does not end */
        bool escaped;
    } rows[] = {
        { "", -1, false },
        { "\"", 0, false },
        { "a", -1, false },
        { "\\", -1, true },
        { "\\\"", -1, true },
        { "\\\"\"", 2, true },
        { "\\\\\"", 2, true },
        { "\\u00e9\"", 6, true },
        { "abc\",\"\\", 3, false },
        { "0123456789012345678901234567890123456789\"", 40, false },
        { "012345678901234567890123456789012345678901234567890123456789012\\\"\"", 65,
          true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice s = slice_str(rows[i].text);
        bool escaped;
        const char *got = quotes_close(s.p, s.p + s.n, &escaped);
        CHECK((got ? (int)(got - s.p) : -1) == rows[i].close, "%s", rows[i].text);
        if (got)
            assert_int_equal(escaped, rows[i].escaped);
        check_all(s);
    }
}

/* Runs of backslashes of every length across the edges of blocks. */
static void test_runs(void **state)
{
    (void)state;
    char text[200];
    for (size_t at = 0; at < 70; at++) {
        for (size_t run = 0; run < 68; run++) {
            memset(text, 'a', sizeof text);
            memset(text + at, '\\', run);
            text[at + run] = '"';
            text[at + run + 7] = '"';
            bool plain, far;
            const char *end = text + sizeof text;
            const char *want = quotes_close_plain(text, end, &plain);
            assert_ptr_equal(want, text + at + run + (run % 2 ? 7 : 0));
            assert_ptr_equal(quotes_close_far(text, end, &far), want);
            assert_int_equal(far, plain);
            assert_int_equal(plain, run > 0);
        }
    }
}

static void test_any_text(void **state)
{
    (void)state;
    struct rng r = rng_open("quotes");
    for (unsigned round = 0; round < 3000; round++) {
        char text[300];
        size_t n = rng_below(&r, sizeof text + 1);
        uint64_t rare = 1 + rng_below(&r, 60);
        for (size_t i = 0; i < n; i++)
            text[i] = rng_below(&r, rare) ? (char)rng_next(&r) : "\"\\"[rng_below(&r, 2)];
        check_all(slice_of(text, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
