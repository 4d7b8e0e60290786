/* Preparing series: gaps, outliers, planted level shifts, stopped series. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/series.h"

#include <math.h>

static void fills_gaps(void **state)
{
    (void)state;
    const double na = NAN;
    static const struct {
        const char *what;
        int m, at;
        double want;
    } rows[] = {
        { "mean of the seasons around", 2, 2, 4 }, /* y[0] = 1, y[4] = 7 */
        { "one season before", 2, 7, 8 },          /* y[5] = 8, nothing after */
        { "the next one", 7, 0, 2 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double y[8] = { 1, 2, na, 6, 7, 8, 9, na };
        if (rows[i].at == 0)
            y[0] = na;
        assert_true(series_fill(y, 8, rows[i].m));
        CHECK(y[rows[i].at] == rows[i].want, "%s: %g", rows[i].what, y[rows[i].at]);
        assert_int_equal(series_missing(y, 8), 0);
    }
    double none[3] = { na, na, na };
    assert_false(series_fill(none, 3, 1));
    assert_int_equal(series_missing(none, 3), 3);
}

static void knows_a_stopped_series(void **state)
{
    (void)state;
    double y[30];

    for (int t = 0; t < 30; t++)
        y[t] = t < 16 ? 5 : 0;
    assert_true(series_stopped(y, 30, 7));
    assert_false(series_stopped(y, 29, 7)); /* 13 zeros are not two weeks */
    memset(y, 0, sizeof y);
    assert_false(series_stopped(y, 30, 7)); /* never started */
}

static void finds_planted_shifts(void **state)
{
    (void)state;
    struct dice d;
    struct arena a;

    dice_init(&d, 11);
    arena_init(&a, 8 << 20);
    for (int k = 0; k < 50; k++) {
        double x[300];
        int at = 100 + 2 * k;
        for (int t = 0; t < 300; t++)
            x[t] = 5 + 0.05 * dice_normal(&d) + (t >= at ? 0.7 : 0);
        struct series_shift s;
        assert_int_equal(series_find_shift(x, 300, 7, true, &a, &s), ST_OK);
        CHECK(abs(s.at - at) <= 3 && fabs(s.size - 0.7) < 0.1,
              "planted %d, found %d (%g)", at, s.at, s.size);
        /* A steady growth of the same size is no shift. */
        for (int t = 0; t < 300; t++)
            x[t] = 5 + 0.05 * dice_normal(&d) + 0.01 * t;
        assert_int_equal(series_find_shift(x, 300, 7, true, &a, &s), ST_OK);
        CHECK(s.at == 0, "a trend was cut at %d", s.at);
        arena_reset(&a);
    }
    arena_release(&a);
}

static void replaces_outliers_only(void **state)
{
    (void)state;
    struct dice d;
    struct arena a;
    struct season none = { .m = 1, .logs = true };
    enum status st;
    double z[120], was[120];

    dice_init(&d, 3);
    arena_init(&a, 1 << 20);
    for (int t = 0; t < 120; t++)
        z[t] = 4 + 0.1 * dice_normal(&d);
    z[60] += 3;
    memcpy(was, z, sizeof z);
    int k = series_replace_outliers(z, 120, &none, 7, &a, &st);
    assert_int_equal(st, ST_OK);
    assert_int_equal(k, 1);
    /* A step is no spike. */
    for (int t = 90; t < 120; t++)
        z[t] += 3;
    assert_int_equal(series_replace_outliers(z, 120, &none, 7, &a, &st), 0);
    for (int t = 90; t < 120; t++)
        z[t] -= 3;
    assert_true(fabs(z[60] - 4) < 0.2);
    int same = 0;
    for (int t = 0; t < 120; t++)
        same += fabs(z[t] - was[t]) < 1e-12;
    assert_int_equal(same, 120 - k);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_gaps),
        cmocka_unit_test(knows_a_stopped_series),
        cmocka_unit_test(finds_planted_shifts),
        cmocka_unit_test(replaces_outliers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
