/* Recursions as in Fiorucci et al. 2016 and Hyndman et al. 2008; fits by Nelder-Mead. */
#include "collector/projection/models.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "collector/projection/nelder_mead.h"

static double *doubles(struct arena *a, int n)
{
    return arena_alloc(a, (size_t)n * sizeof(double));
}

static void range_of(const double *x, int n, double *lo, double *hi)
{
    *lo = *hi = x[0];
    for (int i = 1; i < n; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
}

/* --- theta --- */

/* The line after value t (1-based) from the line after t - 1. */
static void line_step(int t, double x, double *slope, double *icept, double *mean)
{
    if (t == 1) {
        *slope = 0;
        *icept = x;
        *mean = x;
        return;
    }
    *slope = ((t - 2) * *slope + 6 * (x - *mean) / t) / (t + 1);
    *mean = ((t - 1) * *mean + x) / t;
    *icept = *mean - *slope * (t + 1) / 2;
}

enum status theta_line_make(const double *x, int n, struct arena *a,
                            struct theta_line *out)
{
    out->slope = doubles(a, n + 1);
    out->icept = doubles(a, n + 1);
    out->mean = doubles(a, n + 1);
    if (!out->slope || !out->icept || !out->mean)
        return ST_NOMEM;
    double slope = 0, icept = 0, mean = 0;
    for (int t = 1; t <= n; t++) {
        line_step(t, x[t - 1], &slope, &icept, &mean);
        out->slope[t] = slope;
        out->icept[t] = icept;
        out->mean[t] = mean;
    }
    return ST_OK;
}

/* x: a, l0, theta. The loss starts at t = 3, where the line is one; the robust one waits
 * for a third point. */
static double theta_loss(const double *x, const void *arg)
{
    const struct model *md = arg;
    double a = x[0], l = x[1], theta = md->kind == MODEL_DOT ? x[2] : md->theta;
    double k = 1 - 1 / theta, q = 1, sum = 0;
    bool robust = md->kind == MODEL_DST_ROBUST;
    int from = robust ? 4 : 3;

    for (int t = 1; t <= md->n; t++) {
        double was = q;
        q *= 1 - a;
        double e = md->x[t - 1] - l;
        if (t >= from) {
            e -= k * (was * md->icept[t - 1] + (1 - q) / a * md->slope[t - 1]);
            sum += robust ? fabs(e) : e * e;
        }
        l += a * (md->x[t - 1] - l);
    }
    return sum;
}

static void theta_states(struct model *md, double l0)
{
    md->level[0] = l0;
    for (int t = 1; t <= md->n; t++)
        md->level[t] = md->level[t - 1] + md->a * (md->x[t - 1] - md->level[t - 1]);
}

static enum status theta_fit(struct model *md, const struct theta_line *line)
{
    double lo, hi, best = HUGE_VAL, l0 = md->x[0];

    md->slope = line->slope;
    md->icept = line->icept;
    md->mean = line->mean;
    range_of(md->x, md->n, &lo, &hi);
    double r = hi - lo;
    const struct nelder_mead nm = {
        .f = theta_loss,
        .arg = md,
        .n = md->kind == MODEL_DOT ? 3 : 2,
        .lo = { 0.01, lo - r, 1 },
        .hi = { 0.999, hi + r, 40 },
        .step = { 0.2, r > 0 ? 0.1 * r : 1, 1 },
        .evals = 250,
        .spread = 1e-8,
    };
    for (int start = 0; start < 2; start++) {
        double x[3] = { start ? 0.8 : 0.3, md->x[0], 2 };
        double f = nelder_mead_run(&nm, x);
        if (f < best) {
            best = f;
            md->a = x[0];
            l0 = x[1];
            md->theta = md->kind == MODEL_DOT ? x[2] : md->theta;
        }
    }
    theta_states(md, l0);
    return ST_OK;
}

static void theta_forecast(const struct model *md, int t, int h, double *f)
{
    double l = md->level[t], slope = md->slope[t], icept = md->icept[t];
    double mean = md->mean[t], k = 1 - 1 / md->theta, q = pow(1 - md->a, t);

    for (int i = 0; i < h; i++) {
        double was = q;
        q *= 1 - md->a;
        f[i] = l + k * (was * icept + (1 - q) / md->a * slope);
        l += md->a * (f[i] - l);
        line_step(t + 1 + i, f[i], &slope, &icept, &mean);
    }
}

/* --- damped trend --- */

/* x: a, B, p, l0, b0 */
static double damped_loss(const double *x, const void *arg)
{
    const struct model *md = arg;
    double a = x[0], ab = x[0] * x[1], p = x[2], l = x[3], b = x[4], sse = 0;

    for (int t = 0; t < md->n; t++) {
        double pb = p * b, f = l + pb, e = md->x[t] - f;
        sse += e * e;
        l = f + a * e;
        b = pb + ab * e;
    }
    return sse;
}

static void damped_states(struct model *md, double l, double b)
{
    for (int t = 0;; t++) {
        md->level[t] = l;
        md->slope[t] = b;
        if (t == md->n)
            return;
        double pb = md->p * b, e = md->x[t] - l - pb;
        l = l + pb + md->a * e;
        b = pb + md->a * md->b * e;
    }
}

/* Least squares line through the first min(10, n) values; its value at t = 0. */
static void first_line(const double *x, int n, double *l0, double *b0)
{
    int k = n < 10 ? n : 10;
    double slope = 0, icept = 0, mean = 0;

    for (int t = 1; t <= k; t++)
        line_step(t, x[t - 1], &slope, &icept, &mean);
    *l0 = icept;
    *b0 = slope;
}

static enum status damped_fit(struct model *md, struct arena *arena)
{
    double lo, hi, l0, b0, best = HUGE_VAL, bl = 0, bb = 0;

    md->slope = doubles(arena, md->n + 1);
    if (!md->slope)
        return ST_NOMEM;
    range_of(md->x, md->n, &lo, &hi);
    double r = hi - lo;
    first_line(md->x, md->n, &l0, &b0);
    const struct nelder_mead nm = {
        .f = damped_loss,
        .arg = md,
        .n = 5,
        .lo = { 0.001, 0.0001, 0.80, lo - r, -r },
        .hi = { 0.999, 0.999, 0.98, hi + r, r },
        .step = { 0.2, 0.1, 0.02, r > 0 ? 0.1 * r : 1, r > 0 ? 0.02 * r : 0.1 },
        .evals = 350,
        .spread = 1e-8,
    };
    for (int start = 0; start < 2; start++) {
        double x[5] = { start ? 0.8 : 0.3, 0.1, 0.95, l0, b0 };
        double f = nelder_mead_run(&nm, x);
        if (f < best) {
            best = f;
            md->a = x[0];
            md->b = x[1];
            md->p = x[2];
            bl = x[3];
            bb = x[4];
        }
    }
    damped_states(md, bl, bb);
    return ST_OK;
}

static void damped_forecast(const struct model *md, int t, int h, double *f)
{
    double sum = 0, p = 1;

    for (int i = 0; i < h; i++) {
        p *= md->p;
        sum += p;
        f[i] = md->level[t] + sum * md->slope[t];
        if (md->season)
            f[i] += md->season[t + i % md->m];
    }
}

/* --- complex exponential smoothing --- */

/* The real and the imaginary part of the smoothing parameter keep to where it is stable.
 */
static bool ces_stable(double a0, double a1)
{
    double b0 = a0 - 2.5, c0 = a0 - 0.5, c1 = a1 - 1, d0 = a0 - 1.5, d1 = a1 - 0.5;

    return b0 * b0 + a1 * a1 > 1.25 && c0 * c0 + c1 * c1 > 0.25 &&
           d0 * d0 + d1 * d1 < 1.5;
}

static inline void ces_step(double a0, double a1, double e, double *l, double *c)
{
    double was = *l;

    *l = was - (1 - a1) * *c + (a0 - a1) * e;
    *c = was + (1 - a0) * *c + (a0 + a1) * e;
}

/* x: a0, a1, l0, c0 */
static double ces_loss(const double *x, const void *arg)
{
    const struct model *md = arg;
    double l = x[2], c = x[3], sse = 0;

    if (!ces_stable(x[0], x[1]))
        return HUGE_VAL;
    for (int t = 0; t < md->n; t++) {
        double e = md->x[t] - l;
        sse += e * e;
        ces_step(x[0], x[1], e, &l, &c);
    }
    return sse;
}

static enum status ces_fit(struct model *md, struct arena *arena)
{
    double lo, hi, l0 = 0;
    int k = md->n < 10 ? md->n : 10;

    md->slope = doubles(arena, md->n + 1);
    if (!md->slope)
        return ST_NOMEM;
    range_of(md->x, md->n, &lo, &hi);
    double r = hi - lo, step = r > 0 ? 0.1 * r : 1;
    for (int t = 0; t < k; t++)
        l0 += md->x[t] / k;
    const struct nelder_mead nm = {
        .f = ces_loss,
        .arg = md,
        .n = 4,
        .lo = { 0.01, 0.01, lo - 2 * r - fabs(lo), lo - 3 * r - fabs(lo) },
        .hi = { 2.49, 1.99, hi + 2 * r + fabs(hi), hi + 3 * r + fabs(hi) },
        .step = { 0.1, 0.02, step, step },
        .evals = 400,
        .spread = 1e-8,
    };
    double x[4] = { 1.3, 1, l0, l0 / 1.1 };
    nelder_mead_run(&nm, x);
    md->a = x[0];
    md->b = x[1];
    double l = x[2], c = x[3];
    for (int t = 0;; t++) {
        md->level[t] = l;
        md->slope[t] = c;
        if (t == md->n)
            return ST_OK;
        ces_step(md->a, md->b, md->x[t] - l, &l, &c);
    }
}

static void ces_forecast(const struct model *md, int t, int h, double *f)
{
    double l = md->level[t], c = md->slope[t];

    for (int i = 0; i < h; i++) {
        f[i] = l;
        ces_step(md->a, md->b, 0, &l, &c);
    }
}

/* What an error of one leaves in the forecast k steps later. */
static double ces_psi(const struct model *md, int k)
{
    double l = 0, c = 0;

    ces_step(md->a, md->b, 1, &l, &c);
    for (int i = 1; i < k; i++)
        ces_step(md->a, md->b, 0, &l, &c);
    return l;
}

/* --- Holt-Winters --- */

/* x: a, B, p, g; level starts at the mean of the first deseasonalised season. */
static double hw_loss(const double *x, const void *arg)
{
    const struct model *md = arg;
    double a = x[0], ab = x[0] * x[1], p = x[2], ga = x[3] * (1 - x[0]);
    double l = md->level[0], b = 0, sse = 0, *s = md->season;

    for (int t = 0; t < md->n; t++) {
        double pb = p * b, f = l + pb, e = md->x[t] - f - s[t];
        sse += e * e;
        l = f + a * e;
        b = pb + ab * e;
        s[t + md->m] = s[t] + ga * e;
    }
    return sse;
}

/* x: a, g; no trend */
static double hw_level_loss(const double *x, const void *arg)
{
    return hw_loss((double[]){ x[0], 0, 1, x[1] }, arg);
}

static void hw_states(struct model *md)
{
    double l = md->level[0], b = 0;

    for (int t = 0;; t++) {
        md->level[t] = l;
        md->slope[t] = b;
        if (t == md->n)
            return;
        double pb = md->p * b, e = md->x[t] - l - pb - md->season[t];
        l = l + pb + md->a * e;
        b = pb + md->a * md->b * e;
        md->season[t + md->m] = md->season[t] + md->g * (1 - md->a) * e;
    }
}

static void hw_optimise(struct model *md)
{
    const struct nelder_mead nm = {
        .f = hw_loss,
        .arg = md,
        .n = 4,
        .lo = { 0.001, 0.0001, 0.80, 0.0001 },
        .hi = { 0.999, 0.5, 0.98, 0.5 },
        .step = { 0.2, 0.1, 0.02, 0.1 },
        .evals = 350,
        .spread = 1e-8,
    };
    double x[4] = { 0.3, 0.1, 0.95, 0.05 };

    nelder_mead_run(&nm, x);
    md->a = x[0];
    md->b = x[1];
    md->p = x[2];
    md->g = x[3];
}

static void hw_level_optimise(struct model *md)
{
    const struct nelder_mead nm = {
        .f = hw_level_loss,
        .arg = md,
        .n = 2,
        .lo = { 0.001, 0.0001 },
        .hi = { 0.999, 0.5 },
        .step = { 0.2, 0.1 },
        .evals = 200,
        .spread = 1e-8,
    };
    double x[2] = { 0.3, 0.05 };

    nelder_mead_run(&nm, x);
    md->a = x[0];
    md->b = 0;
    md->p = 1;
    md->g = x[1];
}

static enum status hw_fit(struct model *md, const double *season, struct arena *arena)
{
    int m = md->m;

    md->slope = doubles(arena, md->n + 1);
    md->season = doubles(arena, md->n + m);
    if (!md->slope || !md->season)
        return ST_NOMEM;
    memcpy(md->season, season, (size_t)m * sizeof *season);
    double sum = 0;
    for (int t = 0; t < m; t++)
        sum += md->x[t] - season[t];
    md->level[0] = sum / m;
    if (md->kind == MODEL_HW_LEVEL)
        hw_level_optimise(md);
    else
        hw_optimise(md);
    hw_states(md);
    return ST_OK;
}

/* --- all of them --- */

enum status model_fit(struct model *out, enum model_kind kind, const double *x, int n,
                      const struct theta_line *line, const double *season, int m,
                      struct arena *a)
{
    *out = (struct model){ .kind = kind, .n = n, .m = m, .x = x };
    if (kind == MODEL_SNAIVE || kind == MODEL_LEVEL)
        return ST_OK;
    assert(n >= 3);
    out->level = doubles(a, n + 1);
    if (!out->level)
        return ST_NOMEM;
    switch (kind) {
    case MODEL_DAMPED:
        return damped_fit(out, a);
    case MODEL_CES:
        return ces_fit(out, a);
    case MODEL_HW:
    case MODEL_HW_LEVEL:
        assert(n >= m);
        return hw_fit(out, season, a);
    case MODEL_DST_ROBUST:
        out->theta = 2.5;
        return theta_fit(out, line);
    default:
        out->theta = 2;
        return theta_fit(out, line);
    }
}

static double level_of(const struct model *md, int t)
{
    int k = md->m < t ? md->m : t;
    double sum = 0;

    for (int i = t - k; i < t; i++)
        sum += md->x[i];
    return sum / k;
}

void model_forecast(const struct model *md, int t, int h, double *f)
{
    switch (md->kind) {
    case MODEL_DOT:
    case MODEL_DST:
    case MODEL_DST_ROBUST:
        theta_forecast(md, t, h, f);
        return;
    case MODEL_DAMPED:
    case MODEL_HW:
    case MODEL_HW_LEVEL:
        damped_forecast(md, t, h, f);
        return;
    case MODEL_CES:
        ces_forecast(md, t, h, f);
        return;
    case MODEL_SNAIVE:
        /* Before a whole season is known, the last value is the best that there is. */
        for (int i = 0; i < h; i++)
            f[i] = t >= md->m ? md->x[t - md->m + i % md->m] : md->x[t - 1];
        return;
    case MODEL_LEVEL:
        f[0] = level_of(md, t);
        for (int i = 1; i < h; i++)
            f[i] = f[0];
        return;
    }
}

double model_psi(const struct model *md, int k)
{
    if (md->kind == MODEL_SNAIVE)
        return k % md->m == 0 ? 1 : 0;
    if (md->kind == MODEL_LEVEL)
        return 2.0 / (md->m + 1); /* the smoothing constant of the same memory */
    if (md->kind == MODEL_CES)
        return ces_psi(md, k);
    if (md->theta > 0 || md->b == 0)
        return md->a; /* the theta models, and a level alone */
    double sum = md->p * (1 - pow(md->p, k)) / (1 - md->p);
    return md->a + md->a * md->b * sum;
}
