/* Long horizons: blocks of days, their shape, short histories, the look back. */
#include "testing.h"

#include "collector/projection/backtest.h"
#include "collector/projection/dice.h"

#include <math.h>

static void sums_add_up(void **state)
{
    (void)state;
    double day[120];
    struct arena a;
    struct outlook o;

    arena_init(&a, 8 << 20);
    /* Weekdays 100, weekends 20; the series ends on a Friday. */
    for (int d = 0; d < 120; d++)
        day[d] = (119 - d) % 7 == 5 || (119 - d) % 7 == 6 ? 20 : 100;
    assert_int_equal(outlook_make(day, 120, 70, &a, &o), ST_OK);
    assert_int_equal(o.block, 7);
    assert_false(o.short_history);
    const double *row = o.f.point;
    assert_true(fabs(outlook_volume(&o, row, 0, 7) - 540) < 1);
    /* The first two days after a Friday are the weekend. */
    assert_true(fabs(outlook_volume(&o, row, 0, 2) - 40) < 0.5);
    assert_true(fabs(outlook_volume(&o, row, 2, 3) - 100) < 0.5);
    double sum = 0;
    for (int d = 0; d < 70; d++)
        sum += outlook_volume(&o, row, d, d + 1);
    assert_true(fabs(sum - outlook_volume(&o, row, 0, 70)) < 1e-6);
    arena_release(&a);
}

static void history_decides_the_method(void **state)
{
    (void)state;
    static const struct {
        int days, block;
        bool short_history;
        enum status st;
    } rows[] = {
        { 1, 7, false, ST_BAD },   { 13, 7, false, ST_BAD }, { 14, 7, true, ST_OK },
        { 89, 7, true, ST_OK },    { 90, 7, false, ST_OK },  { 729, 7, false, ST_OK },
        { 730, 28, false, ST_OK },
    };
    double day[730];
    struct dice dice;

    dice_init(&dice, 9);
    for (int d = 0; d < 730; d++)
        day[d] = 1000 * exp(0.1 * dice_normal(&dice));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena a;
        struct outlook o;
        arena_init(&a, 8 << 20);
        enum status st = outlook_make(day, rows[i].days, 365, &a, &o);
        CHECK(st == rows[i].st && o.block == rows[i].block &&
                  o.short_history == rows[i].short_history,
              "%d days", rows[i].days);
        if (st == ST_OK) {
            double year = outlook_volume(&o, o.f.point, 0, 365);
            CHECK(fabs(year / 365000 - 1) < 0.15, "%d days: %g", rows[i].days, year);
            CHECK(o.f.sigma[o.f.h - 1] > o.f.sigma[0], "%d days: no widening",
                  rows[i].days);
        }
        arena_release(&a);
    }
}

static void gaps_are_not_zeros(void **state)
{
    (void)state;
    double day[112];
    struct arena a;
    struct outlook o;

    arena_init(&a, 8 << 20);
    for (int d = 0; d < 112; d++)
        day[d] = d % 7 == 3 ? NAN : d / 7 == 9 ? NAN : 50;
    assert_int_equal(outlook_make(day, 112, 28, &a, &o), ST_OK);
    assert_true(fabs(outlook_volume(&o, o.f.point, 0, 28) - 1400) < 1);
    for (int d = 0; d < 112; d++)
        day[d] = NAN;
    assert_int_equal(outlook_make(day, 112, 28, &a, &o), ST_BAD);
    arena_release(&a);
}

/* Series that grow by chance: 28-day totals fall into the 80 % interval about that often.
 */
static void looking_back_is_calibrated(void **state)
{
    (void)state;
    struct dice d;
    struct arena scratch;
    double covered = 0, error = 0;
    int origins = 0;

    dice_init(&d, 17);
    arena_init(&scratch, 16 << 20);
    for (int k = 0; k < 40; k++) {
        double day[400], level = log(1000);
        for (int t = 0; t < 400; t++) {
            level += 0.02 * dice_normal(&d);
            day[t] = exp(level + 0.1 * dice_normal(&d)) * (t % 7 < 5 ? 1 : 0.4);
        }
        struct backtest b;
        assert_int_equal(backtest_run(day, 400, 1, &scratch, &b), ST_OK);
        assert_int_equal(b.origins, 12);
        covered += b.cover80 * b.origins;
        error += b.mape * b.origins;
        origins += b.origins;
    }
    printf("28-day totals: MAPE %.3f, 80 %% interval covers %.3f (%d origins)\n",
           error / origins, covered / origins, origins);
    assert_true(error / origins < 0.12);
    assert_true(covered / origins > 0.72 && covered / origins < 0.95);
    arena_release(&scratch);
}

/* Volume that doubles at once, again and again, is not what the intervals expect. */
static void misses_widen_the_intervals(void **state)
{
    (void)state;
    struct arena scratch;
    struct backtest b;
    double day[300];

    arena_init(&scratch, 16 << 20);
    for (int t = 0; t < 300; t++)
        day[t] = 1000 * exp2(t / 56) * (t % 7 < 5 ? 1 : 0.4);
    assert_int_equal(backtest_run(day, 300, 1, &scratch, &b), ST_OK);
    assert_true(b.origins > 6 && b.widen > 1.1 && b.widen <= 3);
    /* The newest window: the last 28 days, as they were. */
    assert_int_equal(b.window[0].from, 272);
    double sum = 0;
    for (int t = 272; t < 300; t++)
        sum += day[t];
    assert_true(fabs(b.window[0].actual - sum) < 1e-6);
    assert_true(b.window[0].lo80 <= b.window[0].point &&
                b.window[0].point <= b.window[0].hi80);
    for (int t = 0; t < 300; t++)
        day[t] = t % 7 < 5 ? 1000 : 400;
    assert_int_equal(backtest_run(day, 300, 1, &scratch, &b), ST_OK);
    assert_true(b.widen == 1 && b.cover80 == 1);
    arena_release(&scratch);
}

/* Sums over spans are the same one by one and all at once, in weeks and in four weeks. */
static void spans_add_up(void **state)
{
    (void)state;
    static const struct outlook_span span[] = { { 0, 0 },   { 0, 9 },   { 9, 40 },
                                                { 40, 68 }, { 68, 69 }, { 69, 365 } };
    double day[800], work[64], sum[COUNT_OF(span)];
    struct dice dice;

    dice_init(&dice, 4);
    for (int t = 0; t < 800; t++)
        day[t] = (t % 7 < 5 ? 1000 : 300) * exp(0.1 * dice_normal(&dice));
    for (int n = 400; n <= 800; n += 400) {
        struct arena a;
        struct outlook o;
        arena_init(&a, 8 << 20);
        assert_int_equal(outlook_make(day, n, 365, &a, &o), ST_OK);
        assert_int_equal(o.block, n == 400 ? 7 : 28);
        outlook_volumes(&o, o.f.point, span, COUNT_OF(span), work, sum, 1);
        for (size_t i = 0; i < COUNT_OF(span); i++)
            CHECK(fabs(sum[i] - outlook_volume(&o, o.f.point, span[i].from, span[i].to)) <
                      1e-6,
                  "n %d, span %zu", n, i);
        /* A week within a block of four has its weekend too. */
        double week = outlook_volume(&o, o.f.point, 7, 14), most = 0;
        for (int d = 7; d < 14; d++)
            most = fmax(most, outlook_volume(&o, o.f.point, d, d + 1));
        assert_true(most / week > 0.16 && most / week < 0.2);
        arena_release(&a);
    }
}

static void nothing_to_look_back_on(void **state)
{
    (void)state;
    double day[83];
    struct arena scratch;
    struct backtest b;

    arena_init(&scratch, 1 << 20);
    for (int d = 0; d < 83; d++)
        day[d] = 5;
    assert_int_equal(backtest_run(day, 83, 1, &scratch, &b), ST_OK);
    assert_true(b.origins == 0 && b.mape == -1 && b.cover80 == -1);
    arena_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_add_up),
        cmocka_unit_test(history_decides_the_method),
        cmocka_unit_test(gaps_are_not_zeros),
        cmocka_unit_test(looking_back_is_calibrated),
        cmocka_unit_test(misses_widen_the_intervals),
        cmocka_unit_test(spans_add_up),
        cmocka_unit_test(nothing_to_look_back_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
