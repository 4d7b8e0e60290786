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
    return md->kind == MODEL_HW || md->kind == MODEL_SNAIVE;
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
        double v[COMBINATION_MODELS_MAX];
        double s = c->season.m > 1 ? c->season.index[(t + i) % c->season.m] : !c->logs;
        for (int k = 0; k < c->models; k++) {
            v[k] = work[k * h + i];
            if (!has_season(&c->model[k]))
                v[k] = c->logs ? v[k] + s : v[k] * s;
        }
        f[i] = median_of(v, c->models);
    }
}

/* The season in the additive units of HW: logs as they are, ratios x mean. */
static enum status fit_hw(struct combination *c, struct arena *a)
{
    int m = c->season.m;
    double mean = c->logs ? 1 : stats_mean(c->z, c->n);
    double *s = doubles(a, m);

    if (!s)
        return ST_NOMEM;
    for (int p = 0; p < m; p++)
        s[p] = c->logs ? c->season.index[p] : (c->season.index[p] - 1) * mean;
    return model_fit(&c->model[c->models++], MODEL_HW, c->z, c->n, NULL, s, m, a);
}

static enum status fit_trends(struct combination *c, struct arena *a)
{
    struct theta_line line;
    double *x = doubles(a, c->n);
    enum status st;

    if (!x)
        return ST_NOMEM;
    season_remove(&c->season, c->z, c->n, x);
    if ((st = theta_line_make(x, c->n, a, &line)) ||
        (st = model_fit(&c->model[c->models++], MODEL_DST, x, c->n, &line, NULL, 1, a)))
        return st;
    if (c->n <= COMBINATION_SHORT)
        return ST_OK;
    if ((st = model_fit(&c->model[c->models++], MODEL_DOT, x, c->n, &line, NULL, 1, a)))
        return st;
    if (c->season.m > 1)
        st = fit_hw(c, a);
    else
        st = model_fit(&c->model[c->models++], MODEL_DAMPED, x, c->n, NULL, NULL, 1, a);
    if (!st)
        c->model[c->models++] = c->model[2];
    return st;
}

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
    if (!st && c->season.m > 1)
        st = fit_hw(c, a);
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
    c->models = 1;
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

    for (int i = 0; i < 3 && !st; i++)
        st = model_fit(&c->model[c->models++], kinds[i], c->z, c->n, &line, NULL, month,
                       a);
    if (st || month == 1)
        return st;
    double once = far_error(c, work, work + COMBINATION_MODELS_MAX * h);
    c->model[c->models++] = c->model[0];
    double twice = far_error(c, work, work + COMBINATION_MODELS_MAX * h);
    if (once < 0.8 * twice)
        c->models--;
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
    return fit_trends(c, a);
}
