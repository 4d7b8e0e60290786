/* One lifetime: alignment, zeroes, the ceiling, reuse after a reset. */
#include "common/arena.h"

#include "testing.h"

#include <stdalign.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena a;
    struct rng r = rng_open("arena");
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            size_t n = rng_below(&r, 300);
            unsigned char *p = arena_alloc(&a, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(p[k], 0);
            memset(p, 0xff, n);
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    arena_release(&a);
}

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    enum { N = 400 };
    struct arena a;
    unsigned char *p[N];
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < N; i++) {
        p[i] = arena_alloc(&a, 1 + i * 7 % 200);
        assert_non_null(p[i]);
        memset(p[i], (int)(i % 251), 1 + i * 7 % 200);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < 1 + i * 7 % 200; k++)
            assert_int_equal(p[i][k], i % 251);
    arena_release(&a);
}

static void the_ceiling_holds(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    assert_non_null(arena_alloc(&a, 16));
    assert_true(a.used <= a.ceiling);
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 900));
    arena_release(&a);
    /* A reserve changes where bytes come from, not how many there are. */
    arena_init(&a, 1000);
    assert_true(arena_reserve(&a, 4096) && arena_reserve(&a, SIZE_MAX));
    char *first = arena_alloc(&a, 900);
    memset(first, 1, 900);
    assert_null(arena_alloc(&a, 200));
    arena_reset(&a);
    char *again = arena_alloc(&a, 900);
    assert_ptr_equal(first, again);
    assert_true(again[0] == 0 && again[899] == 0);
    arena_release(&a);
    arena_init(&a, 0);
    assert_null(arena_alloc(&a, 0));
    arena_release(&a);
}

static void copies_end_in_nul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    struct guarded g = guard_copy(slice_of("a\0b", 3));
    struct slice copy = arena_dup(&a, g.s), empty = arena_dup(&a, slice_of(NULL, 0));
    assert_true(slice_eq(copy, g.s));
    assert_int_equal(copy.p[3], '\0');
    assert_string_equal(empty.p, "");
    assert_null(arena_dup(&a, SLICE("0123456789012345678901234567890123456789")).p);
    guard_release(&g);
    arena_release(&a);
}

static void a_large_block_stands_beside_small_ones(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *small = arena_alloc(&a, 10);
    char *large = arena_alloc(&a, 100000);
    assert_non_null(small);
    assert_non_null(large);
    memset(large, 1, 100000);
    arena_reset(&a);
    large = arena_alloc(&a, 100000);
    assert_non_null(large);
    assert_int_equal(large[99999], 0);
    arena_release(&a);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(a_large_block_stands_beside_small_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
