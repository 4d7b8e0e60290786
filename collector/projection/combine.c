/* The choices were made on development halves of public series: bench/README.md. */
#include "collector/projection/combine.h"

#include <math.h>

#include "collector/projection/stats.h"

static double *doubles(struct arena *a, int n)
{
    return arena_alloc(a, (size_t)n * sizeof(double));
}

/* Models on the deseasonalised series get their season back; HW and SNAIVE have it. */
static bool has_season(const struct model *md)
{
    return md->season || md->kind == MODEL_SNAIVE;
}

/* The middle of k values (mean of the middle two): a handful, so insertion sort. */
static double median_of(double *v, int k)
{
    for (int i = 1; i < k; i++) {
        double x = v[i];
        int j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
    return k % 2 ? v[k / 2] : (v[k / 2 - 1] + v[k / 2]) / 2;
}

void combination_forecast(const struct combination *c, int t, int h, double *work,
                          double *f)
{
    for (int k = 0; k < c->models; k++)
        model_forecast(&c->model[k], t, h, work + k * h);
    for (int i = 0; i < h; i++) {
        double v[COMBINATION_VOTES_MAX];
        double s = c->season.m > 1 ? c->season.index[(t + i) % c->season.m] : !c->logs;
        int n = 0;
        for (int k = 0; k < c->models; k++) {
            double x = work[k * h + i];
            if (!has_season(&c->model[k]))
                x = c->logs ? x + s : x * s;
            for (int vote = 0; vote < c->votes[k]; vote++)
                v[n++] = x;
        }
        f[i] = median_of(v, n);
    }
}

/* What the members of a combination are fitted to. */
struct material {
    const double *x; /* deseasonalised */
    struct theta_line line;
    const double *season; /* in the additive units of HW; NULL: none */
};

/* The season in the additive units of HW: logs as they are, ratios x mean. */
static double *additive_season(const struct combination *c, struct arena *a)
{
    int m = c->season.m;
    double mean = c->logs ? 1 : stats_mean(c->z, c->n);
    double *s = doubles(a, m);

    for (int p = 0; p < m && s; p++)
        s[p] = c->logs ? c->season.index[p] : (c->season.index[p] - 1) * mean;
    return s;
}

static enum status add_member(struct combination *c, const struct material *from,
                              enum model_kind kind, int votes, struct arena *a)
{
    bool seasonal = kind == MODEL_HW || kind == MODEL_HW_LEVEL;

    c->votes[c->models] = votes;
    return model_fit(&c->model[c->models++], kind, seasonal ? c->z : from->x, c->n,
                     &from->line, from->season, seasonal ? c->season.m : 1, a);
}

struct member {
    enum model_kind kind;
    int votes; /* 0: the end */
};

static enum status fit_members(struct combination *c, const struct member *member,
                               struct arena *a)
{
    struct material from = { 0 };
    double *x = doubles(a, c->n);

    if (!x)
        return ST_NOMEM;
    season_remove(&c->season, c->z, c->n, x);
    from.x = x;
    enum status st = theta_line_make(x, c->n, a, &from.line);
    if (!st && c->season.m > 1 && !(from.season = additive_season(c, a)))
        st = ST_NOMEM;
    for (; member->votes && !st; member++)
        st = add_member(c, &from, member->kind, member->votes, a);
    return st;
}

static const struct member short_members[] = { { MODEL_DST, 1 },
                                               { MODEL_DST_ROBUST, 1 },
                                               { 0 } },
                           seasonal_members[] = { { MODEL_DOT, 1 },
                                                  { MODEL_HW, 2 },
                                                  { MODEL_HW_LEVEL, 1 },
                                                  { 0 } },
                           plain_members[] = { { MODEL_DST, 1 },
                                               { MODEL_DOT, 1 },
                                               { MODEL_DAMPED, 2 },
                                               { MODEL_CES, 2 },
                                               { 0 } };

/* Mean absolute error of the last week's two-day forecasts, a day apart. */
static double recent_error(const struct combination *c, const struct model *md, double *f)
{
    enum { DAYS = 6, H = 2 * COMBINATION_HOURLY };
    double sum = 0;
    int k = 0, from = c->n - H - DAYS * COMBINATION_HOURLY;

    for (int t = from > c->n / 2 ? from : c->n / 2; t + H <= c->n;
         t += COMBINATION_HOURLY) {
        model_forecast(md, t, H, f);
        for (int i = 0; i < H; i++, k++)
            sum += fabs((c->logs ? exp(fmin(700, f[i])) : f[i]) - c->y[t + i]);
    }
    return k ? sum / k : HUGE_VAL;
}

static enum status fit_hourly(struct combination *c, struct arena *a)
{
    double *f = doubles(a, 2 * COMBINATION_HOURLY);
    enum status st = f ? ST_OK : ST_NOMEM;
    int best = 0;

    if (!st)
        st = model_fit(&c->model[c->models++], MODEL_SNAIVE, c->z, c->n, NULL, NULL,
                       COMBINATION_HOURLY, a);
    if (!st && c->n >= 3 * COMBINATION_WEEK)
        st = model_fit(&c->model[c->models++], MODEL_SNAIVE, c->z, c->n, NULL, NULL,
                       COMBINATION_WEEK, a);
    if (!st && c->season.m > 1) {
        struct material from = { .season = additive_season(c, a) };
        st = from.season ? add_member(c, &from, MODEL_HW, 1, a) : ST_NOMEM;
    }
    if (st)
        return st;
    double least = HUGE_VAL;
    for (int k = 0; k < c->models; k++) {
        double e = recent_error(c, &c->model[k], f);
        if (e < least) {
            least = e;
            best = k;
        }
    }
    c->model[0] = c->model[best];
    c->votes[0] = 1;
    c->models = 1;
    c->chosen = true;
    return ST_OK;
}

/* Mean absolute error of the whole combination a quarter of the history ahead. */
static double far_error(const struct combination *c, double *work, double *f)
{
    double sum = 0;
    int h = c->n / 4, k = 0;

    for (int t = c->n / 3; t + h <= c->n; t++, k++) {
        combination_forecast(c, t, h, work, f);
        sum += fabs(c->z[t + h - 1] - f[h - 1]);
    }
    return k ? sum / k : HUGE_VAL;
}

/*
 * A year ahead of weekly sums, "last month, again" is hard to beat, so it counts twice
 * and the models of a trend pull at it; once where that has been clearly better so far,
 * and of monthly sums.
 */
static enum status fit_long(struct combination *c, int month, struct arena *a)
{
    static const enum model_kind kinds[] = { MODEL_LEVEL, MODEL_DST, MODEL_DAMPED };
    struct theta_line line;
    int h = c->n / 4 + 1;
    double *work = doubles(a, (COMBINATION_MODELS_MAX + 1) * h);
    enum status st = work ? theta_line_make(c->z, c->n, a, &line) : ST_NOMEM;

    for (int i = 0; i < 3 && !st; i++) {
        c->votes[i] = 1;
        st = model_fit(&c->model[c->models++], kinds[i], c->z, c->n, &line, NULL, month,
                       a);
    }
    if (st || month == 1)
        return st;
    double once = far_error(c, work, work + COMBINATION_MODELS_MAX * h);
    c->votes[0] = 2;
    double twice = far_error(c, work, work + COMBINATION_MODELS_MAX * h);
    c->votes[0] = once < 0.8 * twice ? 1 : 2;
    return ST_OK;
}

enum status combination_fit(struct combination *c, const struct combination_hint *hint,
                            struct arena *a)
{
    c->models = 0;
    if (hint->month > 0)
        return fit_long(c, hint->month, a);
    if (hint->season == COMBINATION_HOURLY && c->n > 4 * COMBINATION_HOURLY)
        return fit_hourly(c, a);
    return fit_members(c,
                       c->n <= COMBINATION_SHORT ? short_members
                       : c->season.m > 1         ? seasonal_members
                                                 : plain_members,
                       a);
}
