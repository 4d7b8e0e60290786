/* The byte loops of the walk: the fast ones against the plain ones, before a guard page.
 */
#include "testing.h"

#include "agent/bytes.h"

static void test_stops_agree(void **state)
{
    (void)state;
    struct rng r = rng_open("stops");
    static const char odd[] = "\"\\{}[]\x7b\x5b\xdb\xfb\x02\xa2";
    for (unsigned round = 0; round < 20000; round++) {
        char text[200];
        size_t n = rng_below(&r, sizeof text + 1);
        for (size_t i = 0; i < n; i++)
            text[i] = rng_below(&r, 40) ? (char)('a' + rng_below(&r, 26))
                                        : odd[rng_below(&r, sizeof odd - 1)];
        struct guarded g = guard_copy(slice_of(text, n));
        const char *end = g.s.p + n;
        for (const char *p = g.s.p; p <= end; p += 1 + rng_below(&r, 5)) {
            assert_ptr_equal(bytes_bracket(p, end), bytes_bracket_plain(p, end));
        }
        if (n >= 16) {
            const char *last = end - 16;
            char c = last[rng_below(&r, 16)];
            assert_int_equal(bytes_equal(last, (unsigned char)c),
                             bytes_equal_plain(last, (unsigned char)c));
            assert_int_equal(bytes_quotes(last), bytes_quotes_plain(last));
        }
        guard_release(&g);
    }
}

/* Every length and room; equal, and with any one byte changed. */
static void test_same(void **state)
{
    (void)state;
    char text[BYTES_SAME], here[BYTES_SAME + 8];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(200 + i);
    for (unsigned n = 1; n <= BYTES_SAME; n++) {
        for (size_t room = 0; room <= sizeof here; room++) {
            memset(here, 0, sizeof here);
            memcpy(here, text, n);
            struct guarded g = guard_copy(slice_of(here, room));
            assert_int_equal(bytes_same(g.s.p, room, text, n), room >= n);
            for (size_t at = 0; at < room; at++) {
                char *c = (char *)g.map + ((const char *)g.s.p - (char *)g.map) + at;
                *c ^= 1;
                assert_int_equal(bytes_same(g.s.p, room, text, n), room >= n && at >= n);
                *c ^= 1;
            }
            guard_release(&g);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stops_agree),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
