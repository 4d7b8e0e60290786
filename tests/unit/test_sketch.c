/* Quantiles against exact ones, merging, and the text form. */
#include "common/sketch.h"

#include "testing.h"

#include <math.h>

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Durations as they are: spread over many orders of magnitude. */
static uint64_t duration(struct rng *r)
{
    return (uint64_t)exp(rng_unit(r) * log(1.08e10));
}

static void quantiles_are_within_two_percent(void **state)
{
    (void)state;
    static const double qs[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1 };
    struct rng r = rng_open("sketch");
    for (int round = 0; round < 60; round++) {
        struct sketch s = { 0 };
        size_t n = 1 + rng_below(&r, 3000);
        uint64_t *all = calloc(n, sizeof *all), sum = 0;
        assert_non_null(all);
        for (size_t i = 0; i < n; i++) {
            all[i] = duration(&r);
            sum += all[i];
            assert_int_equal(sketch_add(&s, all[i], 1), ST_OK);
        }
        qsort(all, n, sizeof *all, by_value);
        for (size_t i = 0; i < COUNT_OF(qs); i++) {
            double exact = (double)all[(size_t)(qs[i] * (double)(n - 1))];
            double got = (double)sketch_quantile(&s, qs[i]);
            CHECK(fabs(got - exact) <= fmax(0.02 * exact + 0.5, 1) + 1e-6,
                  "q %g of %zu: %g, not %g", qs[i], n, got, exact);
        }
        assert_int_equal(s.count, n);
        assert_int_equal(s.sum_us, sum);
        free(all);
        sketch_release(&s);
    }
}

static void every_bucket_is_within_two_percent(void **state)
{
    (void)state;
    for (double at = 1; at < 1.14e10; at *= 1.003) {
        struct sketch s = { 0 };
        assert_int_equal(sketch_add(&s, (uint64_t)at, 1), ST_OK);
        double exact = floor(at), got = (double)sketch_quantile(&s, 0.5);
        CHECK(fabs(got - exact) <= fmax(0.02 * exact + 0.5, 1), "%g for %g", got, exact);
        sketch_release(&s);
    }
}

static void assert_same(const struct sketch *a, const struct sketch *b)
{
    assert_int_equal(a->bins, b->bins);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->sum_us, b->sum_us);
    for (size_t i = 0; i < a->bins; i++) {
        assert_int_equal(a->bin[i].bucket, b->bin[i].bucket);
        assert_int_equal(a->bin[i].n, b->bin[i].n);
    }
}

static void merge_is_adding_everything_to_one(void **state)
{
    (void)state;
    struct rng r = rng_open("merge");
    for (int round = 0; round < 300; round++) {
        struct sketch part[2] = { { 0 }, { 0 } }, whole = { 0 };
        size_t n = rng_below(&r, 200);
        for (size_t i = 0; i < n; i++) {
            uint64_t us = duration(&r), times = 1 + rng_below(&r, 5);
            sketch_add(&part[rng_below(&r, 2)], us, times);
            sketch_add(&whole, us, times);
        }
        assert_int_equal(sketch_merge(&part[0], &part[1]), ST_OK);
        assert_same(&part[0], &whole);
        sketch_release(&part[0]);
        sketch_release(&part[1]);
        sketch_release(&whole);
    }
}

static void text_comes_back(void **state)
{
    (void)state;
    struct rng r = rng_open("text");
    struct sketch s = { 0 }, back = { 0 };
    struct buf text = { 0 };
    for (int round = 0; round < 300; round++) {
        sketch_clear(&s);
        buf_reset(&text);
        for (size_t i = rng_below(&r, 100); i-- > 0;)
            sketch_add(&s, duration(&r), 1 + rng_below(&r, 1000000));
        sketch_encode(&s, &text);
        struct guarded g = guard_copy(buf_slice(&text));
        assert_int_equal(sketch_decode(&back, g.s), ST_OK);
        assert_same(&s, &back);
        guard_release(&g);
    }
    buf_release(&text);
    sketch_release(&s);
    sketch_release(&back);
}

static void known_text(void **state)
{
    (void)state;
    struct sketch s = { 0 };
    struct buf text = { 0 };
    sketch_add(&s, 1000000, 2);
    sketch_add(&s, 1, 1);
    sketch_add(&s, 0, 1);
    sketch_add(&s, 2000000, 3);
    sketch_encode(&s, &text);
    assert_string_equal(buf_cstr(&text), "8000001;0:2,346:2,17:3");
    buf_release(&text);
    sketch_release(&s);
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        ";",
        "1",
        "1;",
        "1;0",
        "1;0:",
        "1;:1",
        "1;0:0", /* an empty bin */
        "1;0:1,",
        "1;0:1,0:1", /* the same bucket again */
        "1;580:1",   /* past the last bucket */
        "1;579:1,1:1",
        "1;0:1,18446744073709551615:1",
        "-1;0:1",
        "1;0:-1",
        "1;0:1.5",
        "1;0:18446744073709551616",
        "1;0:18446744073709551615,1:1", /* the counts overflow together */
        " 1;0:1",
        "1;0:1;1:1",
        "x",
    };
    struct sketch s = { 0 };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CHECK(sketch_decode(&s, slice_str(bad[i])) == ST_BAD, "%s", bad[i]);
        CHECK(s.count == 0 && s.bins == 0 && s.sum_us == 0, "%s left something", bad[i]);
    }
    assert_int_equal(sketch_decode(&s, slice_str("18446744073709551615;579:"
                                                 "18446744073709551615")),
                     ST_OK);
    assert_int_equal(sketch_decode(&s, slice_str("")), ST_OK);
    assert_int_equal(s.count, 0);
    sketch_release(&s);
}

static void counters_stop_at_the_top(void **state)
{
    (void)state;
    struct sketch s = { 0 }, other = { 0 }, back = { 0 };
    struct buf text = { 0 };
    assert_int_equal(sketch_add(&s, 5000, UINT64_MAX - 1), ST_OK);
    assert_int_equal(sketch_add(&s, 7, 5), ST_OK);
    assert_int_equal(sketch_add(&s, 9, 5), ST_OK);
    assert_int_equal(s.count, UINT64_MAX);
    assert_int_equal(s.sum_us, UINT64_MAX);
    sketch_add(&other, 7, 3);
    sketch_add(&other, 90000, 3);
    assert_int_equal(sketch_merge(&s, &other), ST_OK);
    assert_int_equal(s.count, UINT64_MAX);
    sketch_encode(&s, &text);
    assert_int_equal(sketch_decode(&back, buf_slice(&text)), ST_OK);
    buf_release(&text);
    sketch_release(&s);
    sketch_release(&other);
    sketch_release(&back);
}

static void edges(void **state)
{
    (void)state;
    struct sketch s = { 0 };
    assert_int_equal(sketch_quantile(&s, 0.5), 0);
    sketch_add(&s, UINT64_MAX, 1);
    assert_int_equal(s.bin[0].bucket, SKETCH_BUCKETS - 1);
    assert_true(sketch_quantile(&s, 0.5) > UINT64_C(3) * 3600 * 1000000);
    sketch_clear(&s);
    sketch_add(&s, 0, 1);
    assert_int_equal(sketch_quantile(&s, 0.5), 1);
    assert_int_equal(sketch_quantile(&s, -1), 1);
    assert_int_equal(sketch_quantile(&s, 2), 1);
    assert_int_equal(sketch_quantile(&s, NAN), 1);
    sketch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_two_percent),
        cmocka_unit_test(every_bucket_is_within_two_percent),
        cmocka_unit_test(merge_is_adding_everything_to_one),
        cmocka_unit_test(text_comes_back),
        cmocka_unit_test(known_text),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(counters_stop_at_the_top),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
