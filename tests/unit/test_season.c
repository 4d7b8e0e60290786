/* Seasonal indices: planted ones come back, noise does not become a season. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/season.h"

#include <math.h>

static const double week[7] = { 1.2, 1.1, 1.05, 1.0, 0.95, 0.9, 0.8 };

static void finds_a_planted_week(void **state)
{
    (void)state;
    double raw[140], logs[140], out[140];
    struct season s;
    struct arena a;

    arena_init(&a, 1 << 20);
    for (int t = 0; t < 140; t++) {
        raw[t] = 100 * week[t % 7];
        logs[t] = log(raw[t]);
    }
    assert_int_equal(season_fit(raw, 140, 7, false, &a, &s), ST_OK);
    assert_int_equal(s.m, 7);
    assert_true(s.strength > 0.99);
    for (int p = 0; p < 7; p++)
        assert_true(fabs(s.index[p] - week[p]) < 1e-9);
    season_remove(&s, raw, 140, out);
    for (int t = 0; t < 140; t++)
        assert_true(fabs(out[t] - 100) < 1e-6);

    assert_int_equal(season_fit(logs, 140, 7, true, &a, &s), ST_OK);
    /* In logs the indices are the logs less their mean. */
    assert_true(fabs(s.index[0] - s.index[6] - log(1.2 / 0.8)) < 1e-9);
    assert_true(fabs(season_factor(&s, 7) / season_factor(&s, 6) - 1.5) < 1e-9);
    arena_release(&a);
}

static void noise_has_no_season(void **state)
{
    (void)state;
    struct dice d;
    struct season s;
    struct arena a;
    int used = 0;

    dice_init(&d, 7);
    arena_init(&a, 8 << 20);
    for (int k = 0; k < 100; k++) {
        double z[96];
        for (int t = 0; t < 96; t++)
            z[t] = 10 + dice_normal(&d);
        assert_int_equal(season_fit(z, 96, 12, true, &a, &s), ST_OK);
        used += s.m > 1;
    }
    assert_true(used <= 10);
    arena_release(&a);
}

static void refuses_what_is_too_short(void **state)
{
    (void)state;
    double z[15] = { 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1 };
    struct season s;
    struct arena a;

    arena_init(&a, 1 << 20);
    assert_int_equal(season_fit(z, 15, 7, false, &a, &s), ST_OK);
    assert_int_equal(s.m, 1);
    assert_true(season_factor(&s, 3) == 1);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_planted_week),
        cmocka_unit_test(noise_has_no_season),
        cmocka_unit_test(refuses_what_is_too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
