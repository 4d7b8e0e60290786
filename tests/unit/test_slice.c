/* Borrowed bytes at their edges: empty, NULL, NUL bytes, overflow. */
#include "common/slice.h"

#include "testing.h"

static const struct slice nothing = { NULL, 0 };

static void comparing(void **state)
{
    (void)state;
    assert_true(slice_eq(nothing, SLICE("")));
    assert_true(slice_eq(slice_of("a\0b", 3), slice_of("a\0b", 3)));
    assert_false(slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
    assert_false(slice_eq(SLICE("a"), SLICE("ab")));
    assert_true(slice_ieq(SLICE("Content-TYPE"), SLICE("content-type")));
    assert_false(slice_ieq(SLICE("a["), SLICE("a{"))); /* 0x20 apart, not letters */
    assert_true(slice_cmp(SLICE("a"), SLICE("b")) < 0);
    assert_true(slice_cmp(SLICE("ab"), SLICE("a")) > 0);
    assert_true(slice_cmp(SLICE("\x7f"), SLICE("\x80")) < 0);
    assert_int_equal(slice_cmp(nothing, SLICE("")), 0);
    assert_true(slice_cmp(nothing, SLICE("a")) < 0);
    assert_int_equal(slice_str(NULL).n, 0);
}

static void beginnings_and_ends(void **state)
{
    (void)state;
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_true(slice_starts(SLICE("abc"), nothing));
    assert_false(slice_starts(SLICE("ab"), SLICE("abc")));
    assert_true(slice_istarts(SLICE("Bearer x"), SLICE("bearer ")));
    assert_false(slice_istarts(nothing, SLICE("b")));
    assert_true(slice_ends(SLICE("a.gz"), SLICE(".gz")));
    assert_false(slice_ends(SLICE("gz"), SLICE(".gz")));
    assert_true(slice_ends(nothing, nothing));
    assert_true(slice_eq(slice_from(SLICE("abc"), 1), SLICE("bc")));
    assert_int_equal(slice_from(SLICE("abc"), 9).n, 0);
    assert_true(slice_eq(slice_head(SLICE("abc"), 9), SLICE("abc")));
}

static void finding(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("hello"), SLICE("lo")), 3);
    assert_int_equal(slice_find(SLICE("hello"), SLICE("lo!")), SIZE_MAX);
    assert_int_equal(slice_find(nothing, SLICE("a")), SIZE_MAX);
    assert_int_equal(slice_find(nothing, nothing), 0);
    assert_int_equal(slice_chr(slice_of("a\0b", 3), 'b'), 2);
    assert_int_equal(slice_chr(nothing, 'b'), SIZE_MAX);
}

static void trimming_and_cutting(void **state)
{
    (void)state;
    struct slice head, rest = SLICE("a=b=c");
    assert_true(slice_eq(slice_trim(SLICE(" \t\r\nx y\n ")), SLICE("x y")));
    assert_int_equal(slice_trim(SLICE(" \t ")).n, 0);
    assert_int_equal(slice_trim(nothing).n, 0);
    assert_true(slice_cut(rest, '=', &head, &rest));
    assert_true(slice_eq(head, SLICE("a")));
    assert_true(slice_cut(rest, '=', &head, &rest));
    assert_true(slice_eq(head, SLICE("b")));
    assert_false(slice_cut(rest, '=', &head, &rest));
    assert_true(slice_eq(head, SLICE("c")));
    assert_int_equal(rest.n, 0);
    assert_true(slice_cut(SLICE("="), '=', &head, &rest));
    assert_int_equal(head.n, 0);
    assert_int_equal(rest.n, 0);
    assert_false(slice_cut(nothing, '=', &head, &rest));
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool u_ok, i_ok;
        uint64_t u;
        int64_t i;
    } cases[] = {
        { "0", true, true, 0, 0 },
        { "007", true, true, 7, 7 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0 },
        { "18446744073709551615", true, false, UINT64_MAX, 0 },
        { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999", false, false, 0, 0 },
        { "-9223372036854775808", false, true, 0, INT64_MIN },
        { "-9223372036854775809", false, false, 0, 0 },
        { "-1", false, true, 0, -1 },
        { "-0", false, true, 0, 0 },
        { "--1", false, false, 0, 0 },
        { "-", false, false, 0, 0 },
        { "", false, false, 0, 0 },
        { "+1", false, false, 0, 0 },
        { " 1", false, false, 0, 0 },
        { "1 ", false, false, 0, 0 },
        { "1e3", false, false, 0, 0 },
        { "0x1", false, false, 0, 0 },
        { "\xff", false, false, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct guarded g = guard_copy(slice_str(cases[i].text));
        uint64_t u;
        int64_t v;
        CHECK(slice_u64(g.s, &u) == cases[i].u_ok, "%s", cases[i].text);
        CHECK(!cases[i].u_ok || u == cases[i].u, "%s", cases[i].text);
        CHECK(slice_i64(g.s, &v) == cases[i].i_ok, "%s", cases[i].text);
        CHECK(!cases[i].i_ok || v == cases[i].i, "%s", cases[i].text);
        guard_release(&g);
    }
}

static void utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        { "", 0 },
        { "a", 1 },
        { "\x7f", 1 },
        { "\xc2\x80", 2 },
        { "\xdf\xbf", 2 },
        { "\xe0\xa0\x80", 3 },
        { "\xef\xbf\xbf", 3 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\x80", 0 },
        { "\xc0\x80", 0 }, /* overlong */
        { "\xc1\xbf", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xed\xa0\x80", 0 },     /* surrogate */
        { "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
        { "\xf5\x80\x80\x80", 0 },
        { "\xc2", 0 }, /* cut */
        { "\xe2\x82", 0 },
        { "\xf0\x9f\x8d", 0 },
        { "\xc2"
          "a",
          0 },
        { "\xff", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct guarded g = guard_copy(slice_str(cases[i].text));
        CHECK(slice_utf8(g.s) == cases[i].n, "case %zu", i);
        guard_release(&g);
    }
}

static void printable(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        { "", 0 },
        { "a", 1 },
        { " ", 1 },
        { "\x1b", 0 },
        { "\x7f", 0 },
        { "\xff", 0 },
        { "\xc2\x9b", 0 }, /* CSI */
        { "\xc2\xa3", 2 },
        { "\xe2\x80\x8d", 3 }, /* a joiner, as in emoji */
        { "\xe2\x80\x8e", 0 },
        { "\xe2\x80\xa6", 3 },
        { "\xe2\x80\xa8", 0 },
        { "\xe2\x80\xae", 0 },
        { "\xe2\x81\xa5", 3 },
        { "\xe2\x81\xa6", 0 },
        { "\xe2\x81\xa9", 0 },
        { "\xf0\x9f\x8d\x8e", 4 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct guarded g = guard_copy(slice_str(cases[i].text));
        CHECK(slice_printable(g.s) == cases[i].n, "case %zu", i);
        guard_release(&g);
    }
}

static void hashing(void **state)
{
    (void)state;
    assert_int_equal(slice_hash(nothing, 1), slice_hash(SLICE(""), 1));
    assert_true(slice_hash(SLICE("a"), 1) != slice_hash(SLICE("a"), 2));
    assert_true(slice_hash(SLICE("a"), 1) != slice_hash(SLICE("b"), 1));
    assert_true(slice_hash(SLICE(""), 1) != slice_hash(SLICE(""), 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(beginnings_and_ends),
        cmocka_unit_test(finding),   cmocka_unit_test(trimming_and_cutting),
        cmocka_unit_test(numbers),   cmocka_unit_test(utf8),
        cmocka_unit_test(printable), cmocka_unit_test(hashing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
