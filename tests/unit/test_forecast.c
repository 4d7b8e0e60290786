/* Forecasts of whole series: the plain cases, the odd ones, and what always holds. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/forecast.h"

#include <math.h>

static void make(const double *y, int n, int season, int h, struct arena *a,
                 struct forecast *f)
{
    struct forecast_request rq = { .y = y, .n = n, .season = season, .horizon = h };

    assert_int_equal(forecast_make(&rq, a, f), ST_OK);
}

static void constants_are_certain(void **state)
{
    (void)state;
    struct arena a;
    struct forecast f;
    double y[60];

    arena_init(&a, 8 << 20);
    for (int t = 0; t < 60; t++)
        y[t] = 1000;
    make(y, 60, 7, 30, &a, &f);
    for (int i = 0; i < 30; i++) {
        double lo, hi;
        forecast_interval(&f, i, FORECAST_Z95, &lo, &hi);
        assert_true(fabs(f.point[i] - 1000) < 1e-6 && hi - lo < 1);
    }
    arena_release(&a);
}

static void a_week_goes_on(void **state)
{
    (void)state;
    static const double week[7] = { 100, 110, 120, 115, 105, 40, 30 };
    struct arena a;
    struct forecast f;
    double y[120];

    arena_init(&a, 8 << 20);
    for (int t = 0; t < 120; t++)
        y[t] = week[t % 7];
    make(y, 120, 7, 14, &a, &f);
    assert_true(f.notes.seasonal);
    for (int i = 0; i < 14; i++)
        assert_true(fabs(f.point[i] / week[(120 + i) % 7] - 1) < 0.01);
    arena_release(&a);
}

static void odd_series_have_an_answer(void **state)
{
    (void)state;
    const double na = NAN;
    struct arena a;
    struct forecast f;
    double y[40];

    arena_init(&a, 8 << 20);
    double one[1] = { 5 };
    make(one, 1, 7, 3, &a, &f);
    assert_true(f.notes.too_short && f.point[2] == 5 && f.sigma[2] > 0);

    for (int t = 0; t < 40; t++)
        y[t] = t < 20 ? 7 : 0;
    make(y, 40, 7, 3, &a, &f);
    assert_true(f.notes.stopped && f.point[0] == 0 && f.sigma[0] == 0);

    for (int t = 0; t < 40; t++)
        y[t] = 0;
    make(y, 40, 7, 3, &a, &f);
    assert_true(f.point[0] == 0);

    for (int t = 0; t < 40; t++)
        y[t] = t % 5 == 2 ? na : 10;
    make(y, 40, 7, 3, &a, &f);
    assert_int_equal(f.notes.missing, 8);
    assert_true(fabs(f.point[0] - 10) < 1e-6);

    struct forecast_request none = { .y = (double[]){ na, na }, .n = 2, .horizon = 1 };
    assert_int_equal(forecast_make(&none, &a, &f), ST_BAD);
    none.horizon = 0;
    assert_int_equal(forecast_make(&none, &a, &f), ST_BAD);
    arena_release(&a);
}

/* Random walks of every kind: finite, not negative, nested intervals, non-decreasing. */
static void always_numbers_in_order(void **state)
{
    (void)state;
    struct rng seed = rng_open("always_numbers_in_order");
    struct dice d;
    struct arena a;

    dice_init(&d, rng_next(&seed));
    arena_init(&a, 64 << 20);
    for (int k = 0; k < 300; k++) {
        static const int seasons[] = { 1, 7, 12, 24, 52 };
        double y[400], level = 100;
        int n = 1 + (int)(dice_uniform(&d) * 399);
        int season = seasons[(int)(dice_uniform(&d) * 5)];
        for (int t = 0; t < n; t++) {
            level *= exp(0.2 * dice_normal(&d));
            y[t] = k % 3 == 0 && dice_uniform(&d) < 0.3 ? 0 : level;
            if (k % 5 == 0 && t > 0 && dice_uniform(&d) < 0.1)
                y[t] = NAN;
        }
        struct forecast f;
        make(y, n, season, 40, &a, &f);
        for (int i = 0; i < f.h; i++) {
            double lo80, hi80, lo95, hi95;
            forecast_interval(&f, i, FORECAST_Z80, &lo80, &hi80);
            forecast_interval(&f, i, FORECAST_Z95, &lo95, &hi95);
            CHECK(isfinite(f.point[i]) && isfinite(hi95) && 0 <= lo95 && lo95 <= lo80 &&
                      lo80 <= f.point[i] && f.point[i] <= hi80 && hi80 <= hi95,
                  "series %d, n %d, season %d, step %d", k, n, season, i);
            CHECK(i == 0 || f.sigma[i] >= f.sigma[i - 1], "sigma of series %d", k);
        }
        arena_reset(&a);
    }
    arena_release(&a);
}

static void the_same_again(void **state)
{
    (void)state;
    struct arena a;
    struct forecast f, g;
    struct dice d;
    double y[100];

    dice_init(&d, 1);
    arena_init(&a, 8 << 20);
    for (int t = 0; t < 100; t++)
        y[t] = 50 + 5 * dice_normal(&d);
    make(y, 100, 7, 20, &a, &f);
    make(y, 100, 7, 20, &a, &g);
    assert_memory_equal(f.point, g.point, 20 * sizeof *f.point);
    assert_memory_equal(f.sigma, g.sigma, 20 * sizeof *f.sigma);
    arena_release(&a);
}

/* Any ceiling of the arena gives ST_NOMEM or the whole answer. */
static void memory_ends_cleanly(void **state)
{
    (void)state;
    double y[60];

    for (int t = 0; t < 60; t++)
        y[t] = 10 + t % 7;
    bool whole = false;
    for (size_t ceiling = 64; !whole; ceiling *= 2) {
        struct arena a;
        struct forecast f;
        struct forecast_request rq = { .y = y, .n = 60, .season = 7, .horizon = 10 };
        arena_init(&a, ceiling);
        enum status st = forecast_make(&rq, &a, &f);
        assert_true(st == ST_OK || st == ST_NOMEM);
        whole = st == ST_OK;
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_certain),
        cmocka_unit_test(a_week_goes_on),
        cmocka_unit_test(odd_series_have_an_answer),
        cmocka_unit_test(always_numbers_in_order),
        cmocka_unit_test(the_same_again),
        cmocka_unit_test(memory_ends_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
