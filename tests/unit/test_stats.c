/* Order statistics against a plain sort. */
#include "testing.h"

#include "collector/projection/stats.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Few distinct values, many, sorted, reversed: what partitions dislike. */
static double value(struct rng *r, int kind, int i)
{
    switch (kind) {
    case 0:
        return (double)(rng_next(r) % 3);
    case 1:
        return i;
    case 2:
        return -i;
    default:
        return (double)(rng_next(r) % 1000000) / 7;
    }
}

static void places_and_sorts(void **state)
{
    (void)state;
    struct rng r = rng_open("stats");
    static double x[600], sorted[600], all[600];

    for (int k = 0; k < 2000; k++) {
        int n = 1 + (int)(rng_next(&r) % 600), rank[4], ranks = 0;
        for (int i = 0; i < n; i++)
            x[i] = all[i] = sorted[i] = value(&r, k % 4, i);
        qsort(sorted, (size_t)n, sizeof *sorted, ascending);
        stats_sort(all, n);
        assert_memory_equal(all, sorted, (size_t)n * sizeof *all);
        for (int i = 0; i < 4; i++) {
            int next = (int)(rng_next(&r) % (unsigned)n);
            if (ranks == 0 || next > rank[ranks - 1])
                rank[ranks++] = next;
        }
        stats_place(x, n, rank, ranks);
        for (int i = 0; i < ranks; i++)
            CHECK(x[rank[i]] == sorted[rank[i]], "case %d, n %d, rank %d", k, n, rank[i]);
        stats_sort(x, n); /* nothing was lost */
        assert_memory_equal(x, sorted, (size_t)n * sizeof *x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_and_sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
