/* Everything per path first, then quantiles by month. */
#include "collector/projection/breakeven.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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

/* All paths at once, one month after the other. */
struct walk {
    double *volume;             /* [months][paths], of the days ahead */
    double *sum;                /* [paths] saved so far, setup included */
    double *crossing, *payback; /* [paths] months from now; -1 never */
    double *saving[2];          /* [paths] sum at the ends around 12 months */
    double *scratch;            /* [paths] */
    bool *cheaper, *left;       /* [paths] in the last month; gone dearer again */
    int paths, n_cheaper;
};

static enum status walk_alloc(struct walk *w, const struct breakeven_case *c,
                              struct arena *a)
{
    size_t n = (size_t)c->paths->n;
    double **each[] = { &w->sum,       &w->crossing,  &w->payback,
                        &w->saving[0], &w->saving[1], &w->scratch };
    struct outlook_span span[PROJECTION_MONTHS_MAX];
    double *work = arena_alloc(a, (size_t)(c->outlook->f.h + 1) * sizeof *work);

    w->paths = c->paths->n;
    w->volume = arena_alloc(a, (size_t)c->months * n * sizeof *w->volume);
    w->cheaper = arena_alloc(a, n);
    w->left = arena_alloc(a, n);
    if (!work || !w->volume || !w->cheaper || !w->left)
        return ST_NOMEM;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (!(*each[i] = arena_alloc(a, n * sizeof(double))))
            return ST_NOMEM;
    for (int m = 0; m < c->months; m++)
        span[m] = (struct outlook_span){ c->month[m].from, c->month[m].to };
    for (int p = 0; p < w->paths; p++) {
        w->sum[p] = -c->scenario->setup.v;
        w->crossing[p] = w->payback[p] = -1;
        outlook_volumes(c->outlook, paths_row(c->paths, p), span, c->months, work,
                        w->volume + p, n);
    }
    return ST_OK;
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

/* One month of one path: what it does to the path. */
static void step(const struct breakeven_case *c, int m, int p, double ahead,
                 struct walk *w)
{
    const struct breakeven_month *k = &c->month[m];
    struct hosted_cost hosted;
    double api, before = w->sum[p];
    double sum = w->sum[p] += one_month(c, m, ahead, &hosted, &api);
    bool cheaper = hosted.total < api;

    if (cheaper && w->crossing[p] < 0)
        w->crossing[p] = months_from_now(c, (double)k->start);
    w->left[p] |= w->cheaper[p] && !cheaper;
    w->cheaper[p] = cheaper;
    w->n_cheaper += cheaper;
    if (sum >= 0 && w->payback[p] < 0) {
        double into = before >= 0 ? 0 : -before / (sum - before);
        double from = (double)k->start + (double)(k->days - (k->to - k->from)) * DAY_S;
        w->payback[p] =
            months_from_now(c, from + into * (double)(k->to - k->from) * DAY_S);
    }
}

/* --- summaries --- */

enum { QUANTILES = 5 };

static const double quantile[QUANTILES] = { 0.025, 0.1, 0.5, 0.9, 0.975 };

static struct projection_band band_of(const double v[QUANTILES])
{
    return (struct projection_band){
        .lo95 = v[0], .lo80 = v[1], .median = v[2], .hi80 = v[3], .hi95 = v[4]
    };
}

/* Put the values in place that the quantiles lie between. */
static void place(double *x, int n)
{
    int rank[2 * QUANTILES], ranks = 0;

    for (int q = 0; q < QUANTILES; q++) {
        int i = (int)(quantile[q] * (n - 1));
        for (int k = i; k <= i + 1 && k < n; k++)
            if (ranks == 0 || rank[ranks - 1] < k)
                rank[ranks++] = k;
    }
    stats_place(x, n, rank, ranks);
}

static struct projection_band band(double *x, int n)
{
    double v[QUANTILES];

    place(x, n);
    for (int q = 0; q < QUANTILES; q++)
        v[q] = stats_quantile_sorted(x, n, quantile[q]);
    return band_of(v);
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

/* The last month that ends within 12 months, or the horizon's last. */
static int year_end(const struct breakeven_case *c)
{
    return c->months > 12 ? 11 : c->months - 1;
}

/*
 * Costs rise with the volume, so their quantiles are the costs of the volume's: no need
 * to sort them too.
 */
static void cost_bands(const struct breakeven_case *c, int m, const double *volume, int n,
                       struct projection_month *out)
{
    double api[QUANTILES], hosted[QUANTILES];

    for (int q = 0; q < QUANTILES; q++) {
        struct hosted_cost at[2];
        double usd[2], x = quantile[q] * (n - 1), part = x - (int)x;
        int i = (int)x, next = i + 1 < n ? i + 1 : i;
        one_month(c, m, volume[i], &at[0], &usd[0]);
        one_month(c, m, volume[next], &at[1], &usd[1]);
        api[q] = usd[0] + part * (usd[1] - usd[0]);
        hosted[q] = at[0].total + part * (at[1].total - at[0].total);
        if (quantile[q] == 0.5)
            out->replicas = at[0].replicas + part * (at[1].replicas - at[0].replicas);
    }
    out->api = band_of(api);
    out->hosted = band_of(hosted);
}

static void walk_month(const struct breakeven_case *c, int m, struct walk *w,
                       struct projection_month *out)
{
    const struct breakeven_month *k = &c->month[m];
    double *volume = w->volume + (size_t)m * (size_t)w->paths;

    *out = (struct projection_month){ .start = k->start, .days = k->days };
    w->n_cheaper = 0;
    for (int p = 0; p < w->paths; p++)
        step(c, m, p, volume[p], w);
    out->p_cheaper = (double)w->n_cheaper / w->paths;
    out->p_crossed =
        share_within(w->crossing, w->paths, months_from_now(c, (double)k->start));
    out->p_paid =
        share_within(w->payback, w->paths,
                     months_from_now(c, (double)k->start + (double)k->days * DAY_S));
    memcpy(w->scratch, w->sum, (size_t)w->paths * sizeof *w->sum);
    out->saving = band(w->scratch, w->paths);
    double middle = band(volume, w->paths).median;
    cost_bands(c, m, volume, w->paths, out);
    out->calls = k->known_calls + middle * c->calls_per_unit;
    out->tokens =
        c->calls_per_unit > 0 ? out->calls * c->tokens_per_unit / c->calls_per_unit : 0;
    for (int i = 0; i < 2; i++)
        if (m == year_end(c) + i)
            memcpy(w->saving[i], w->sum, (size_t)w->paths * sizeof *w->sum);
}

/* Savings at 12 months lie between the ends of two calendar months: interpolate. */
static struct projection_band saving_at_12(const struct breakeven_case *c, struct walk *w)
{
    double ahead = (double)(c->month[0].to - c->month[0].from) / c->month[0].days;

    for (int p = 0; p < w->paths; p++) {
        double s = w->saving[0][p];
        w->scratch[p] = c->months > 12 ? s + (1 - ahead) * (w->saving[1][p] - s) : s;
    }
    return band(w->scratch, w->paths);
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
    struct walk w = { 0 };
    int n = c->paths->n, reversals = 0;

    assert(c->months >= 1 && c->months <= PROJECTION_MONTHS_MAX && n > 0);
    if (walk_alloc(&w, c, a))
        return ST_NOMEM;
    out->usd_per_call = c->calls_per_unit > 0 ? c->unit_price / c->calls_per_unit : 0;
    out->months = c->months;
    for (int m = 0; m < c->months; m++)
        walk_month(c, m, &w, &out->month[m]);
    out->saving12 = saving_at_12(c, &w);
    for (int p = 0; p < n; p++)
        reversals += w.left[p];
    out->p_multiple = (double)reversals / n;
    out->crossing = dates(c, w.crossing, n);
    out->payback = dates(c, w.payback, n);
    out->threshold_calls_per_day =
        breakeven_threshold(c->scenario, c->load, out->usd_per_call);
    out->threshold_ratio = out->threshold_calls_per_day > 0
                               ? c->calls_per_day / out->threshold_calls_per_day
                               : -1;
    judge(c, out);
    return ST_OK;
}
