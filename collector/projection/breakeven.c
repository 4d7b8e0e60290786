/* Everything per path first, then quantiles by month. */
#include "collector/projection/breakeven.h"

#include <assert.h>
#include <math.h>

#include "collector/projection/stats.h"

enum { DAY_S = 86400 };

/* --- calendar --- */

/* Days since 1970-01-01 of a civil date (Hinnant, chrono-compatible algorithms). */
static int64_t days_of(int64_t y, int64_t m)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void month_of(int64_t days, int64_t *y, int64_t *m)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = yoe + era * 400 + (*m <= 2);
}

void breakeven_months(int64_t at, int n, int64_t *start)
{
    int64_t y, m, day = at >= 0 ? at / DAY_S : (at - DAY_S + 1) / DAY_S;

    month_of(day, &y, &m);
    for (int i = 0; i <= n; i++) {
        start[i] = days_of(y, m) * DAY_S;
        y += m == 12;
        m = m % 12 + 1;
    }
}

/* --- threshold --- */

struct compare {
    const struct scenario *s;
    const struct hosted_load *l;
    double usd_per_call;
};

/* API minus hosted cost of an average month at `calls` a day. */
static double advantage(const struct compare *c, double calls)
{
    struct hosted_cost cost;
    struct hosted_month m = {
        .calls_per_day = calls,
        .api_usd = calls * c->usd_per_call * BREAKEVEN_MONTH_DAYS,
        .days = BREAKEVEN_MONTH_DAYS,
        .fraction = 1,
        .gpu = 1,
    };

    hosted_month_cost(c->s, c->l, &m, &cost);
    return m.api_usd - cost.total;
}

double breakeven_threshold(const struct scenario *s, const struct hosted_load *l,
                           double usd_per_call)
{
    const struct compare c = { s, l, usd_per_call };
    double least = -advantage(&c, 0), lo = 1;

    if (usd_per_call <= 0)
        return -1;
    if (least <= 0 && advantage(&c, lo) >= 0)
        return 0;
    /* Below this volume even the API's whole bill is under the fixed cost. */
    if (least > 0)
        lo = least / (usd_per_call * BREAKEVEN_MONTH_DAYS);
    double hi = lo, end = 1e6 * lo;
    /* The staircase may cross more than once: walk up in steps of 1 % to the first. */
    while (advantage(&c, hi) < 0) {
        lo = hi;
        hi *= 1.01;
        if (hi > end)
            return -1;
    }
    for (int i = 0; i < 60 && hi > lo; i++) {
        double mid = (lo + hi) / 2;
        *(advantage(&c, mid) < 0 ? &lo : &hi) = mid;
    }
    return hi;
}

/* --- paths --- */

/* Tables of [months][paths], and one value a path. */
struct tables {
    double *api, *hosted, *saving, *replicas, *volume;
    double *crossing, *payback; /* months from now; -1 never */
    int paths;
};

static enum status tables_alloc(struct tables *t, int months, int paths, struct arena *a)
{
    size_t cells = (size_t)months * (size_t)paths;

    t->paths = paths;
    t->api = arena_alloc(a, cells * sizeof(double));
    t->hosted = arena_alloc(a, cells * sizeof(double));
    t->saving = arena_alloc(a, cells * sizeof(double));
    t->replicas = arena_alloc(a, cells * sizeof(double));
    t->volume = arena_alloc(a, cells * sizeof(double));
    t->crossing = arena_alloc(a, (size_t)paths * sizeof(double));
    t->payback = arena_alloc(a, (size_t)paths * sizeof(double));
    return t->api && t->hosted && t->saving && t->replicas && t->volume && t->crossing &&
                   t->payback
               ? ST_OK
               : ST_NOMEM;
}

static double months_from_now(const struct breakeven_case *c, double at)
{
    return fmax(0, (at - (double)c->now) / (DAY_S * BREAKEVEN_MONTH_DAYS));
}

/* One month of one path: the whole month's costs, and the saving of the days ahead. */
static double one_month(const struct breakeven_case *c, int m, double ahead,
                        struct hosted_cost *hosted, double *api)
{
    const struct breakeven_month *k = &c->month[m];
    double fraction = (double)(k->to - k->from) / k->days;
    double rest = ahead * k->api_price;
    struct hosted_month month = {
        .calls_per_day = (k->known_calls + ahead * c->calls_per_unit) / k->days,
        .api_usd = k->known_usd + rest,
        .days = k->days,
        .fraction = 1,
        .number = m,
        .gpu = k->gpu,
    };

    *api = month.api_usd;
    hosted_month_cost(c->scenario, c->load, &month, hosted);
    return rest - (hosted->total - hosted->api) * fraction -
           (*api > 0 ? hosted->api * rest / *api : 0);
}

static void one_path(const struct breakeven_case *c, int p, struct tables *t,
                     int *reversals)
{
    const double *row = paths_row(c->paths, p);
    double sum = -c->scenario->setup.v;
    bool was = false, left = false;

    t->crossing[p] = t->payback[p] = -1;
    for (int m = 0; m < c->months; m++) {
        const struct breakeven_month *k = &c->month[m];
        struct hosted_cost hosted;
        size_t at = (size_t)m * (size_t)t->paths + (size_t)p;
        double ahead = outlook_volume(c->outlook, row, k->from, k->to), before = sum;
        sum += one_month(c, m, ahead, &hosted, &t->api[at]);
        t->volume[at] = ahead;
        t->hosted[at] = hosted.total;
        t->replicas[at] = hosted.replicas;
        t->saving[at] = sum;
        bool cheaper = hosted.total < t->api[at];
        if (cheaper && t->crossing[p] < 0)
            t->crossing[p] = months_from_now(c, (double)k->start);
        left |= was && !cheaper;
        was = cheaper;
        if (sum >= 0 && t->payback[p] < 0) {
            double into = before >= 0 ? 0 : -before / (sum - before);
            double from =
                (double)k->start + (double)(k->days - (k->to - k->from)) * DAY_S;
            t->payback[p] =
                months_from_now(c, from + into * (double)(k->to - k->from) * DAY_S);
        }
    }
    *reversals += left;
}

/* --- summaries --- */

static struct projection_band band(double *x, int n)
{
    stats_sort(x, n);
    return (struct projection_band){
        .median = stats_quantile_sorted(x, n, 0.5),
        .lo80 = stats_quantile_sorted(x, n, 0.1),
        .hi80 = stats_quantile_sorted(x, n, 0.9),
        .lo95 = stats_quantile_sorted(x, n, 0.025),
        .hi95 = stats_quantile_sorted(x, n, 0.975),
    };
}

static double share_within(const double *months, int n, double limit)
{
    int k = 0;

    for (int i = 0; i < n; i++)
        k += months[i] >= 0 && months[i] <= limit;
    return (double)k / n;
}

static int64_t date_of(const struct breakeven_case *c, double months)
{
    if (months < 0)
        return 0;
    int64_t at = c->now + (int64_t)(months * BREAKEVEN_MONTH_DAYS * DAY_S + 0.5);
    return at - at % DAY_S;
}

static struct projection_dates dates(const struct breakeven_case *c, double *months,
                                     int n)
{
    double horizon = months_from_now(c, (double)c->month[c->months - 1].start +
                                            (double)c->month[c->months - 1].days * DAY_S);
    struct projection_dates d = {
        .never = 1 - share_within(months, n, HUGE_VAL),
        .p6 = horizon >= 6 ? share_within(months, n, 6) : -1,
        .p9 = horizon >= 9 ? share_within(months, n, 9) : -1,
        .p12 = horizon >= 12 ? share_within(months, n, 12) : -1,
    };

    d.months10 = paths_quantile(months, n, 0.1);
    d.months50 = paths_quantile(months, n, 0.5);
    d.months90 = paths_quantile(months, n, 0.9);
    d.q10 = date_of(c, d.months10);
    d.q50 = date_of(c, d.months50);
    d.q90 = date_of(c, d.months90);
    return d;
}

static void summarise_month(const struct breakeven_case *c, int m, const struct tables *t,
                            struct projection_month *out)
{
    const struct breakeven_month *k = &c->month[m];
    size_t row = (size_t)m * (size_t)t->paths;
    double from = months_from_now(c, (double)k->start);
    double end = months_from_now(c, (double)k->start + (double)k->days * DAY_S);
    int cheaper = 0;

    for (int p = 0; p < t->paths; p++)
        cheaper += t->hosted[row + (size_t)p] < t->api[row + (size_t)p];
    *out = (struct projection_month){ .start = k->start, .days = k->days };
    out->p_cheaper = (double)cheaper / t->paths;
    out->p_crossed = share_within(t->crossing, t->paths, from);
    out->p_paid = share_within(t->payback, t->paths, end);
    out->api = band(t->api + row, t->paths);
    out->hosted = band(t->hosted + row, t->paths);
    out->saving = band(t->saving + row, t->paths);
    out->replicas = band(t->replicas + row, t->paths).median;
    double volume = band(t->volume + row, t->paths).median;
    out->calls = k->known_calls + volume * c->calls_per_unit;
    out->tokens =
        c->calls_per_unit > 0 ? out->calls * c->tokens_per_unit / c->calls_per_unit : 0;
}

/* Savings at 12 months lie between the ends of two calendar months: interpolate. */
static struct projection_band saving_at_12(const struct breakeven_case *c,
                                           const struct tables *t, struct arena *a)
{
    double *x = arena_alloc(a, (size_t)t->paths * sizeof *x);
    int m = c->months > 12 ? 11 : c->months - 1;
    double ahead = (double)(c->month[0].to - c->month[0].from) / c->month[0].days;

    if (!x)
        return (struct projection_band){ 0 };
    for (int p = 0; p < t->paths; p++) {
        const double *s = t->saving + (size_t)m * (size_t)t->paths + p;
        x[p] = c->months > 12 ? s[0] + (1 - ahead) * (s[t->paths] - s[0]) : s[0];
    }
    return band(x, t->paths);
}

static void judge(const struct breakeven_case *c, struct projection_result *out)
{
    double p = 1 - out->crossing.never;
    const struct compare today = { c->scenario, c->load, out->usd_per_call };

    if (advantage(&today, c->calls_per_day) > 0) {
        out->verdict = PROJECTION_CROSSED;
        out->reason = "at today's volume hosting costs less a month than the API";
    } else if (p >= 0.5) {
        out->verdict = PROJECTION_LIKELY;
        out->reason =
            "hosting becomes cheaper within the horizon in most sampled futures";
    } else if (p >= 0.1) {
        out->verdict = PROJECTION_POSSIBLE;
        out->reason = "hosting becomes cheaper in a minority of the sampled futures";
    } else {
        out->verdict = PROJECTION_UNLIKELY;
        out->reason = "the API stays cheaper in nearly all sampled futures";
    }
}

enum status breakeven_compute(const struct breakeven_case *c, struct arena *a,
                              struct projection_result *out)
{
    struct tables t;
    int n = c->paths->n, reversals = 0;

    assert(c->months >= 1 && c->months <= PROJECTION_MONTHS_MAX && n > 0);
    if (tables_alloc(&t, c->months, n, a))
        return ST_NOMEM;
    for (int p = 0; p < n; p++)
        one_path(c, p, &t, &reversals);
    out->usd_per_call = c->calls_per_unit > 0 ? c->unit_price / c->calls_per_unit : 0;
    out->saving12 = saving_at_12(c, &t, a);
    out->months = c->months;
    for (int m = 0; m < c->months; m++)
        summarise_month(c, m, &t, &out->month[m]);
    out->p_multiple = (double)reversals / n;
    out->crossing = dates(c, t.crossing, n);
    out->payback = dates(c, t.payback, n);
    out->threshold_calls_per_day =
        breakeven_threshold(c->scenario, c->load, out->usd_per_call);
    out->threshold_ratio = out->threshold_calls_per_day > 0
                               ? c->calls_per_day / out->threshold_calls_per_day
                               : -1;
    judge(c, out);
    return ST_OK;
}
