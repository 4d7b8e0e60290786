/* Measured on public series: the blend covers what it claims (bench/README.md). */
#include "collector/projection/interval.h"

#include <math.h>

#include "collector/projection/stats.h"

enum {
    PRIOR = 8,         /* weight of the models' growth, in independent errors */
    ORIGINS_MAX = 300, /* of the errors: the latest ones */
    MANY = 20,         /* errors at a step that say something by themselves */
};

/* A model may claim this many times the variance that many errors at a step showed. */
#define MODEL_MOST 2.0

/* A model picked for its recent errors flatters them. */
#define CHOSEN_WIDER 1.03

#define SIGMA_LOG_MAX 1.5

/* Multi-step errors: row i holds those of step i + 1, count[i] of them. */
struct errors {
    double *log, *raw; /* [h][origins] */
    int *count;        /* [h] */
    int origins;
    bool logs_known; /* every value and forecast is positive */
};

static enum status errors_alloc(struct errors *e, int h, struct arena *a)
{
    size_t cells = (size_t)h * (size_t)e->origins;

    e->log = arena_alloc(a, cells * sizeof *e->log);
    e->raw = arena_alloc(a, cells * sizeof *e->raw);
    e->count = arena_alloc(a, (size_t)h * sizeof *e->count);
    return e->log && e->raw && e->count ? ST_OK : ST_NOMEM;
}

static enum status errors_collect(const struct combination *c, int h, struct arena *a,
                                  struct errors *e)
{
    int from = c->n / 3 > 5 ? c->n / 3 : 5;

    from = c->n - ORIGINS_MAX > from ? c->n - ORIGINS_MAX : from;
    *e = (struct errors){ .origins = c->n - from, .logs_known = true };
    double *work = arena_alloc(a, (size_t)(COMBINATION_MODELS_MAX * h) * sizeof *work);
    double *f = arena_alloc(a, (size_t)h * sizeof *f);
    if (!work || !f || errors_alloc(e, h, a))
        return ST_NOMEM;
    for (int t = from; t < c->n; t++) {
        int steps = c->n - t < h ? c->n - t : h;
        combination_forecast(c, t, steps, work, f);
        for (int i = 0; i < steps; i++) {
            double y = c->y[t + i], raw = c->logs ? exp(fmin(700, f[i])) : fmax(0, f[i]);
            int at = i * e->origins + e->count[i]++;
            e->raw[at] = (y - raw) / season_factor(&c->season, t + i);
            if (c->logs)
                e->log[at] = c->z[t + i] - f[i];
            else if (y > 0 && f[i] > 0)
                e->log[at] = log(y / f[i]);
            else
                e->logs_known = false;
        }
    }
    return ST_OK;
}

static double mean_square(const double *x, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return n ? sum / n : 0;
}

/* Which scale makes the one-step errors likelier? Gaussian, with the Jacobian. */
static bool logs_likelier(const struct combination *c, const struct errors *e)
{
    int n = e->count[0], from = c->n - n;
    double el = mean_square(e->log, n), ew = mean_square(e->raw, n), jacobian = 0;

    if (!e->logs_known || n == 0)
        return false;
    if (el <= 0 || ew <= 0)
        return true;
    for (int t = from; t < c->n; t++)
        jacobian += log(c->y[t] / season_factor(&c->season, t));
    return -0.5 * n * log(el) - jacobian > -0.5 * n * log(ew);
}

/* Mean square of row i with errors capped at 5 robust deviations. */
static double capped_square(const double *err, int n, double *scratch)
{
    double cap = 5 * stats_mad0(err, n, scratch), sum = 0;

    for (int i = 0; i < n; i++) {
        double v = fabs(err[i]);
        v = cap > 0 && v > cap ? cap : v;
        sum += v * v;
    }
    return n ? sum / n : 0;
}

static void growth(const struct combination *c, int h, double *psi, double *alpha)
{
    int votes = 0;

    for (int i = 0; i < c->models; i++)
        votes += c->votes[i];
    for (int k = 0; k < h; k++) {
        psi[k] = k == 0;
        for (int i = 0; i < c->models && k > 0; i++)
            psi[k] += model_psi(&c->model[i], k) * c->votes[i] / votes;
    }
    *alpha = 0;
    for (int i = 0; i < c->models; i++)
        *alpha += c->model[i].a * c->votes[i] / votes;
}

enum status interval_fit(const struct combination *c, struct arena *a, struct forecast *f)
{
    struct errors e;
    int h = f->h;
    enum status st = errors_collect(c, h, a, &e);
    double *scratch =
        arena_alloc(a, (size_t)(e.origins > 0 ? e.origins : 1) * sizeof *scratch);

    if (st || !scratch)
        return ST_NOMEM;
    double alpha, sum = 0, floor = 0, widen = sqrt(1 + 20.0 / c->n);
    if (c->chosen)
        widen *= CHOSEN_WIDER;
    growth(c, h, f->psi, &alpha);
    f->error_logs = logs_likelier(c, &e);
    const double *err = f->error_logs ? e.log : e.raw;
    int n1 = e.count[0];
    double s2 = capped_square(err, n1, scratch) * (n1 > 2 ? n1 / (n1 - 2.0) : 3);
    for (int i = 0; i < h; i++) {
        int n = e.count[i];
        double v = capped_square(err + (size_t)i * (size_t)e.origins, n, scratch);
        double steps = i + 1, w = n / steps;
        double model = s2 * (1 + sum + alpha * alpha * steps * steps / c->n);
        if (n >= MANY && v > 0)
            model = fmin(model, MODEL_MOST * v);
        double sigma = sqrt((w * v + PRIOR * model) / (w + PRIOR));
        sum += i + 1 < h ? f->psi[i + 1] * f->psi[i + 1] : 0;
        floor = sigma > floor ? sigma : floor;
        f->sigma[i] = floor * widen;
        if (f->error_logs && f->sigma[i] > SIGMA_LOG_MAX)
            f->sigma[i] = SIGMA_LOG_MAX;
    }
    return ST_OK;
}
