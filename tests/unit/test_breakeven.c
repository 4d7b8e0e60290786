/* Crossing, payback, threshold and dates on paths that are known. */
#include "testing.h"

#include "collector/projection/breakeven.h"
#include "collector/projection/stats.h"

#include <math.h>

enum { DAY = 86400 };

/* 2026-11-23 12:00 UTC */
#define NOW (INT64_C(20780) * DAY + DAY / 2)

static void calendars(void **state)
{
    (void)state;
    static const int days[] = { 30, 31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30 };
    int64_t start[26];

    breakeven_months(NOW, 25, start);
    assert_int_equal(start[0], INT64_C(20758) * DAY); /* 2026-11-01 */
    for (size_t m = 0; m < COUNT_OF(days); m++)
        assert_int_equal((start[m + 1] - start[m]) / DAY, days[m]);
    assert_int_equal((start[16] - start[15]) / DAY, 29); /* February 2028 */
    breakeven_months(0, 1, start);
    assert_true(start[0] == 0 && start[1] == 31 * DAY);
}

static struct scenario fixed_cost(double monthly)
{
    return (struct scenario){ .monthly_fixed = { monthly, INPUT_DECLARED },
                              .coverage = { 1, INPUT_DECLARED } };
}

static void thresholds_by_hand(void **state)
{
    (void)state;
    struct hosted_load l;
    struct scenario s = fixed_cost(1000);

    hosted_load_flat(&l);
    l.output_per_call = 50;
    /* 1,000 / (0.005 x 30.4375) */
    assert_true(fabs(breakeven_threshold(&s, &l, 0.005) - 6570.84) < 0.01);
    /* Covering 80 %, of which 10 % come back: 72 % of the bill is saved. */
    s.coverage.v = 0.8;
    s.escalation.v = 0.1;
    assert_true(fabs(breakeven_threshold(&s, &l, 0.005) - 6570.84 / 0.72) < 0.01);
    s.coverage.v = 0;
    assert_true(breakeven_threshold(&s, &l, 0.005) == -1);
    s = fixed_cost(0);
    assert_true(breakeven_threshold(&s, &l, 0.005) == 0);
    assert_true(breakeven_threshold(&s, &l, 0) == -1);
    /*
     * Two replicas at least, $1 an hour: 2 x 730.5 = $1,461 a month; at $0.001 a call
     * that is 48,000 calls a day = 0.556/s, which at 0.5 s a call two replicas bear.
     */
    s = fixed_cost(0);
    s.gpu = "g";
    s.gpu_hour.v = s.gpus_per_replica.v = 1;
    s.output_tokens_per_s.v = 100;
    s.min_replicas.v = 2;
    assert_true(fabs(breakeven_threshold(&s, &l, 0.001) - 48000) < 0.1);
    /* A replica-second dearer than the calls it serves never pays: 0.5 s x $1/3600. */
    s.min_replicas.v = 0;
    assert_true(breakeven_threshold(&s, &l, 0.0001) == -1);
}

/* One known future: a constant volume of `usd` a day from today's midnight on. */
struct future {
    struct arena a;
    struct outlook o;
    struct paths p;
    struct breakeven_month month[PROJECTION_MONTHS_MAX];
    struct hosted_load load;
    struct projection_result r;
    double point[60], zero[60], one[60];
};

static void make_future(struct future *f, const double *week, int months)
{
    int64_t start[PROJECTION_MONTHS_MAX + 1], ahead = NOW - NOW % DAY;

    arena_init(&f->a, 64 << 20);
    memset(&f->r, 0, sizeof f->r);
    for (int i = 0; i < 60; i++) {
        f->point[i] = week[i];
        f->zero[i] = 0;
        f->one[i] = 1;
    }
    f->o = (struct outlook){ .block = 7 };
    for (int i = 0; i <= 7; i++)
        f->o.shape[i] = i / 7.0;
    f->o.f = (struct forecast){ .h = 60, .n = 100, .error_logs = true };
    f->o.f.point = f->point;
    f->o.f.sigma = f->zero;
    f->o.f.factor = f->o.f.psi = f->one;
    assert_int_equal(paths_draw(&f->o.f, 100, 1, &f->a, &f->p), ST_OK);
    hosted_load_flat(&f->load);
    breakeven_months(NOW, months, start);
    for (int m = 0; m < months; m++) {
        int64_t from = start[m] > ahead ? start[m] : ahead;
        f->month[m] = (struct breakeven_month){
            .start = start[m],
            .days = (int)((start[m + 1] - start[m]) / DAY),
            .from = (int)((from - ahead) / DAY),
            .to = (int)((start[m + 1] - ahead) / DAY),
            .api_price = 1,
            .gpu = 1,
        };
    }
    f->month[0].known_usd = 22 * week[0] / 7;
    f->month[0].known_calls = 22 * week[0] / 7 * 100;
}

static void compute(struct future *f, const struct scenario *s, int months)
{
    struct breakeven_case c = { .scenario = s,
                                .load = &f->load,
                                .outlook = &f->o,
                                .paths = &f->p,
                                .month = f->month,
                                .months = months,
                                .now = NOW,
                                .calls_per_unit = 100,
                                .unit_price = 1,
                                .tokens_per_unit = 1e5,
                                .calls_per_day = f->point[0] / 7 * 100 };

    assert_int_equal(breakeven_compute(&c, &f->a, &f->r), ST_OK);
}

static void costs_by_month(void **state)
{
    (void)state;
    struct future f;
    struct scenario s = fixed_cost(310);
    double week[60];

    for (int i = 0; i < 60; i++)
        week[i] = 70; /* $10 a day */
    make_future(&f, week, 13);
    compute(&f, &s, 13);
    assert_int_equal(f.r.months, 13);
    assert_true(fabs(f.r.month[0].api.median - 300) < 1e-6); /* November: 22 + 8 days */
    assert_true(fabs(f.r.month[1].api.median - 310) < 1e-6); /* December */
    assert_true(fabs(f.r.month[3].api.median - 280) < 1e-6); /* February */
    assert_true(fabs(f.r.month[1].calls - 31000) < 1e-6);
    assert_true(f.r.month[1].hosted.median == 310);
    /* $310 is not below $310: never cheaper. */
    assert_true(f.r.crossing.never == 1 && f.r.crossing.q50 == 0);
    assert_true(f.r.crossing.months50 == -1 && f.r.crossing.p12 == 0);
    /* 310 / (0.01 x 30.4375) = 1,018.5 calls a day; today 1,000 */
    assert_true(fabs(f.r.threshold_calls_per_day - 1018.48) < 0.01);
    assert_true(fabs(f.r.threshold_ratio - 0.98186) < 1e-4);
    arena_release(&f.a);
}

static void crossing_and_payback(void **state)
{
    (void)state;
    struct future f;
    struct scenario s = fixed_cost(305);
    double week[60];

    for (int i = 0; i < 60; i++)
        week[i] = 70;
    s.setup.v = 10;
    make_future(&f, week, 13);
    compute(&f, &s, 13);
    /* December costs $310, the first month above $305; November $300 is not. */
    assert_true(f.r.month[0].p_crossed == 0 && f.r.month[1].p_crossed == 1);
    assert_int_equal(f.r.crossing.q50, f.month[1].start);
    assert_int_equal(f.r.crossing.q10, f.r.crossing.q90);
    assert_true(fabs(f.r.crossing.months50 - 7.5 / BREAKEVEN_MONTH_DAYS) < 1e-6);
    /* February's $280 is below again: the lines cross more than once. */
    assert_true(f.r.p_multiple == 1);
    assert_true(f.r.month[3].p_cheaper == 0 && f.r.month[3].p_crossed == 1);
    /*
     * Savings: November's last 8 days 80 - 305 x 8/30 = -1.33, December +5, January +5,
     * February -25, ... twelve months never make up for that: 7 x 5 - 4 x 5 - 25 - 11.33.
     */
    assert_true(f.r.payback.never == 1);
    assert_true(fabs(f.r.month[1].saving.median - (-10 - 4.0 / 3 + 5)) < 1e-6);
    assert_int_equal(f.r.verdict, PROJECTION_LIKELY); /* of an average month: not yet */
    arena_release(&f.a);

    /* $100 a month against $300: pays 66.67 by the end of November, then 6.77 a day. */
    s = fixed_cost(100);
    s.setup.v = 160;
    make_future(&f, week, 13);
    compute(&f, &s, 13);
    assert_int_equal(f.r.verdict, PROJECTION_CROSSED);
    double november = 80 - 100 * 8.0 / 30, december = 310 - 100;
    double into = (160 - november) / december * 31;
    double at = (double)f.month[1].start + into * DAY;
    assert_true(fabs(f.r.payback.months50 - (at - NOW) / DAY / BREAKEVEN_MONTH_DAYS) <
                1e-6);
    assert_true(f.r.payback.p6 == 1 && f.r.payback.never == 0);
    assert_true(f.r.crossing.months50 == 0); /* this month already */
    arena_release(&f.a);
}

/* The year's savings at a date between two month ends, by hand. */
static void saving_of_twelve_months(void **state)
{
    (void)state;
    struct future f;
    struct scenario s = fixed_cost(0);
    double week[60];

    for (int i = 0; i < 60; i++)
        week[i] = 70;
    s.setup.v = 1000;
    make_future(&f, week, 13);
    compute(&f, &s, 13);
    /* To the end of October 342 + 8 - ... = days ahead; then 22/30 of next November. */
    int days = f.month[11].to;
    assert_true(fabs(f.r.saving12.median - (days * 10.0 + 30 * 10.0 * 22 / 30 - 1000)) <
                1e-6);
    arena_release(&f.a);
}

/* The bands of a month are those of every path's own costs, sorted. */
static void bands_are_of_the_paths(void **state)
{
    (void)state;
    struct future f;
    double week[60], api[100], hosted[100];
    struct scenario s = { .gpu = "g",
                          .gpu_hour = { 0.2, INPUT_DECLARED },
                          .gpus_per_replica = { 1, INPUT_DECLARED },
                          .output_tokens_per_s = { 1, INPUT_DECLARED },
                          .monthly_fixed = { 20, INPUT_DECLARED },
                          .coverage = { 0.7, INPUT_DECLARED },
                          .escalation = { 0.1, INPUT_DECLARED } };

    for (int i = 0; i < 60; i++)
        week[i] = 70 + i;
    make_future(&f, week, 13);
    for (int i = 0; i < 60; i++)
        f.zero[i] = 0.1 * sqrt(i + 1); /* sigma */
    assert_int_equal(paths_draw(&f.o.f, 100, 3, &f.a, &f.p), ST_OK);
    f.load.output_per_call = 50; /* 1,000 calls a day x .7 x 50 s: half a replica */
    compute(&f, &s, 13);
    for (int m = 1; m < 13; m++) {
        const struct breakeven_month *k = &f.month[m];
        for (int p = 0; p < 100; p++) {
            double usd = outlook_volume(&f.o, paths_row(&f.p, p), k->from, k->to);
            double replicas = hosted_replicas(&s, &f.load, usd * 100 / k->days);
            api[p] = usd;
            hosted[p] = replicas * 0.2 * 24 * k->days + 20 + usd * (0.3 + 0.07);
        }
        stats_sort(api, 100);
        stats_sort(hosted, 100);
        const struct projection_month *r = &f.r.month[m];
        assert_true(fabs(r->api.lo95 - stats_quantile_sorted(api, 100, 0.025)) < 1e-6);
        assert_true(fabs(r->api.hi80 - stats_quantile_sorted(api, 100, 0.9)) < 1e-6);
        assert_true(fabs(r->hosted.lo80 - stats_quantile_sorted(hosted, 100, 0.1)) <
                    1e-6);
        assert_true(fabs(r->hosted.median - stats_quantile_sorted(hosted, 100, 0.5)) <
                    1e-6);
        assert_true(fabs(r->hosted.hi95 - stats_quantile_sorted(hosted, 100, 0.975)) <
                    1e-6);
    }
    assert_true(f.r.month[12].hosted.hi95 > f.r.month[12].hosted.lo95 + 20);
    arena_release(&f.a);
}

static void no_volume_no_saving(void **state)
{
    (void)state;
    struct future f;
    struct scenario s = fixed_cost(100);
    double week[60] = { 0 };

    make_future(&f, week, 3);
    compute(&f, &s, 3);
    assert_true(f.r.month[1].api.median == 0 && f.r.crossing.never == 1);
    assert_int_equal(f.r.verdict, PROJECTION_UNLIKELY);
    assert_true(f.r.crossing.p6 == -1); /* the horizon ends before */
    arena_release(&f.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendars),
        cmocka_unit_test(thresholds_by_hand),
        cmocka_unit_test(costs_by_month),
        cmocka_unit_test(crossing_and_payback),
        cmocka_unit_test(saving_of_twelve_months),
        cmocka_unit_test(bands_are_of_the_paths),
        cmocka_unit_test(no_volume_no_saving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
