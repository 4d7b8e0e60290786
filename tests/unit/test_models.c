/* The models against series whose forecast is known, and against themselves. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/models.h"
#include "collector/projection/nelder_mead.h"

#include <math.h>

static double rosenbrock(const double *x, const void *arg)
{
    (void)arg;
    return 100 * pow(x[1] - x[0] * x[0], 2) + pow(1 - x[0], 2);
}

static void simplex_finds_the_valley(void **state)
{
    (void)state;
    struct nelder_mead p = {
        .f = rosenbrock,
        .n = 2,
        .lo = { -5, -5 },
        .hi = { 5, 5 },
        .step = { 0.5, 0.5 },
        .evals = 500,
        .spread = 1e-14,
    };
    double x[2] = { -1.2, 1 };

    assert_true(nelder_mead_run(&p, x) < 1e-8);
    assert_true(fabs(x[0] - 1) < 1e-3 && fabs(x[1] - 1) < 1e-3);
    /* With the minimum outside, the box holds. */
    p.hi[0] = p.hi[1] = 0.5;
    x[0] = x[1] = 0;
    nelder_mead_run(&p, x);
    assert_true(x[0] <= 0.5 && x[1] <= 0.5);
}

static void fit(struct model *md, enum model_kind kind, const double *x, int n,
                const double *season, int m, struct arena *a)
{
    struct theta_line line;

    assert_int_equal(theta_line_make(x, n, a, &line), ST_OK);
    assert_int_equal(model_fit(md, kind, x, n, &line, season, m, a), ST_OK);
}

static void constants_stay(void **state)
{
    (void)state;
    static const enum model_kind kinds[] = { MODEL_DOT,    MODEL_DST, MODEL_DST_ROBUST,
                                             MODEL_DAMPED, MODEL_CES, MODEL_SNAIVE };
    struct arena a;
    double x[30], f[8];

    arena_init(&a, 1 << 20);
    for (int t = 0; t < 30; t++)
        x[t] = 42;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct model md;
        fit(&md, kinds[k], x, 30, NULL, 1, &a);
        model_forecast(&md, 30, 8, f);
        for (int i = 0; i < 8; i++)
            CHECK(fabs(f[i] - 42) < 1e-3, "model %zu step %d: %g", k, i, f[i]);
    }
    arena_release(&a);
}

/*
 * On x_t = 10 + 2t: theta = 2 keeps half of the slope at most of the steps, a damped
 * trend goes on but slower, DOT may take all of it.
 */
static void lines_go_on(void **state)
{
    (void)state;
    struct arena a;
    struct model md;
    double x[60], f[6];

    arena_init(&a, 1 << 20);
    for (int t = 1; t <= 60; t++)
        x[t - 1] = 10 + 2 * t;
    fit(&md, MODEL_DOT, x, 60, NULL, 1, &a);
    model_forecast(&md, 60, 6, f);
    assert_true(fabs(f[5] - (10 + 2 * 66)) < 2);
    fit(&md, MODEL_DST, x, 60, NULL, 1, &a);
    model_forecast(&md, 60, 6, f);
    assert_true(f[5] > x[59] + 4 && f[5] < x[59] + 12);
    fit(&md, MODEL_DAMPED, x, 60, NULL, 1, &a);
    model_forecast(&md, 60, 6, f);
    assert_true(f[5] > x[59] + 6 && f[5] < x[59] + 12.5);
    arena_release(&a);
}

static void holt_winters_keeps_the_season(void **state)
{
    (void)state;
    static const double s[4] = { 3, -1, 0, -2 };
    struct arena a;
    struct model md;
    double x[60], f[9];

    arena_init(&a, 1 << 20);
    for (int t = 0; t < 60; t++)
        x[t] = 20 + s[t % 4];
    for (int k = 0; k < 2; k++) {
        fit(&md, k ? MODEL_HW_LEVEL : MODEL_HW, x, 60, s, 4, &a);
        model_forecast(&md, 60, 9, f);
        for (int i = 0; i < 9; i++)
            assert_true(fabs(f[i] - 20 - s[i % 4]) < 1e-6);
        /* From an origin inside a season the phase is right as well. */
        model_forecast(&md, 41, 5, f);
        for (int i = 0; i < 5; i++)
            assert_true(fabs(f[i] - x[41 + i]) < 1e-6);
    }
    /* Without a trend, what grew does not go on: each phase repeats in the forecast. */
    for (int t = 0; t < 60; t++)
        x[t] = 20 + t + s[t % 4];
    fit(&md, MODEL_HW_LEVEL, x, 60, s, 4, &a);
    model_forecast(&md, 60, 9, f);
    assert_true(fabs(f[8] - f[4]) < 1e-9 && fabs(f[4] - f[0]) < 1e-9);
    assert_true(model_psi(&md, 1) == md.a && model_psi(&md, 9) == md.a);
    arena_release(&a);
}

/*
 * With an imaginary part of 1, CES is simple exponential smoothing with alpha = a0 - 1:
 * an error of one stays in every later forecast with that weight.
 */
static void ces_is_ses_at_its_edge(void **state)
{
    (void)state;
    double level[2] = { 5, 5 + 0.3 * 2 }, rest[2] = { 5, 0 }, f[3];
    struct model md = {
        .kind = MODEL_CES, .n = 1, .a = 1.3, .b = 1, .level = level, .slope = rest
    };

    for (int k = 1; k < 6; k++)
        assert_true(fabs(model_psi(&md, k) - 0.3) < 1e-12);
    model_forecast(&md, 1, 3, f);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(f[i] - 5.6) < 1e-12);
}

/* A trend is followed without being told of one. */
static void ces_follows_a_trend(void **state)
{
    (void)state;
    struct arena a;
    struct model md;
    double x[80], f[4];

    arena_init(&a, 1 << 20);
    for (int t = 0; t < 80; t++)
        x[t] = 100 + t;
    fit(&md, MODEL_CES, x, 80, NULL, 1, &a);
    model_forecast(&md, 80, 4, f);
    assert_true(f[0] > 178.5 && f[0] < 181.5 && f[3] > f[0]);
    arena_release(&a);
}

/* Errors of one wild month weigh less where they are not squared. */
static void a_robust_theta_is_moved_less(void **state)
{
    (void)state;
    struct arena a;
    struct dice d;
    double x[36], f[12], g[12];

    arena_init(&a, 1 << 20);
    dice_init(&d, 7);
    for (int t = 0; t < 36; t++)
        x[t] = 10 + 0.05 * dice_normal(&d);
    struct model md, wild;
    fit(&md, MODEL_DST_ROBUST, x, 36, NULL, 1, &a);
    double was = md.a;
    x[15] += 3;
    fit(&wild, MODEL_DST_ROBUST, x, 36, NULL, 1, &a);
    assert_true(fabs(wild.a - was) < 0.2);
    model_forecast(&wild, 36, 12, f);
    fit(&md, MODEL_DST, x, 36, NULL, 1, &a);
    model_forecast(&md, 36, 12, g);
    assert_true(fabs(f[11] - 10) < 0.5 && fabs(g[11] - 10) < 1);
    arena_release(&a);
}

/* The states kept after t values forecast as a recursion over those values would. */
static void earlier_origins_use_no_later_value(void **state)
{
    (void)state;
    static const enum model_kind kinds[] = { MODEL_DOT, MODEL_DST, MODEL_DST_ROBUST,
                                             MODEL_DAMPED, MODEL_CES };
    struct arena a;
    struct dice d;
    double x[50], y[50], f[5], g[5];

    arena_init(&a, 1 << 20);
    dice_init(&d, 5);
    for (int t = 0; t < 50; t++)
        x[t] = 10 + 0.3 * t + dice_normal(&d);
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct model md, cut;
        fit(&md, kinds[k], x, 50, NULL, 1, &a);
        model_forecast(&md, 30, 5, f);
        /* Change the future in place: the states up to 30 do not know it. */
        cut = md;
        memcpy(y, x, sizeof x);
        for (int t = 30; t < 50; t++)
            y[t] = -1000;
        cut.x = y;
        model_forecast(&cut, 30, 5, g);
        assert_memory_equal(f, g, sizeof f);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simplex_finds_the_valley),
        cmocka_unit_test(constants_stay),
        cmocka_unit_test(lines_go_on),
        cmocka_unit_test(holt_winters_keeps_the_season),
        cmocka_unit_test(ces_is_ses_at_its_edge),
        cmocka_unit_test(ces_follows_a_trend),
        cmocka_unit_test(a_robust_theta_is_moved_less),
        cmocka_unit_test(earlier_origins_use_no_later_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
