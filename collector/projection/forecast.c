/*
 * The order of the work: fill, recognise a stopped series, scale, season, level shift,
 * outliers, season again, models, median. Choices were made on public series
 * (bench/README.md, Forecast) and are few on purpose.
 */
#include "collector/projection/forecast.h"

#include <math.h>
#include <string.h>

#include "collector/projection/interval.h"
#include "collector/projection/series.h"
#include "collector/projection/stats.h"

enum {
    SHORTEST = 8,    /* values that the models need */
    LEAST_REACH = 3, /* values on either side that say what an outlier should have been */
};

static double *doubles(struct arena *a, int n)
{
    return arena_alloc(a, (size_t)n * sizeof(double));
}

/* --- preparation --- */

struct prepared {
    double *y, *z; /* gapless: raw, fitting scale */
    int n;
    bool logs;
    struct season season;
};

static bool all_positive(const double *y, int n)
{
    for (int t = 0; t < n; t++)
        if (y[t] <= 0)
            return false;
    return true;
}

static void to_scale(struct prepared *p)
{
    p->logs = all_positive(p->y, p->n);
    for (int t = 0; t < p->n; t++)
        p->z[t] = p->logs ? log(p->y[t]) : p->y[t];
}

/* Drop what came before a certain change of level, or move it to the new level. */
static enum status settle_level(struct prepared *p, int m, struct arena *a,
                                struct forecast_notes *notes)
{
    struct series_shift shift;
    double *x = doubles(a, p->n);

    if (!x)
        return ST_NOMEM;
    season_remove(&p->season, p->z, p->n, x);
    enum status st = series_find_shift(x, p->n, m, p->logs, a, &shift);
    if (st || shift.at == 0)
        return st;
    notes->shifted = true;
    int keep = p->n - shift.at, least = 5 * m > 30 ? 5 * m : 30;
    if (keep >= least) {
        notes->cut = shift.at;
        p->y += shift.at;
        p->z += shift.at;
        p->n = keep;
    } else {
        for (int t = 0; t < shift.at; t++) {
            p->z[t] += shift.size;
            p->y[t] = p->logs ? exp(p->z[t]) : p->z[t];
        }
    }
    return season_fit(p->z, p->n, p->season.m > 1 ? p->season.m : m, p->logs, a,
                      &p->season);
}

static enum status prepare(const struct forecast_request *rq, struct arena *a,
                           struct prepared *p, struct forecast_notes *notes)
{
    int m = rq->season > 1 ? rq->season : 1, skip = 0;

    while (skip < rq->n && isnan(rq->y[skip]))
        skip++; /* a new series begins with its first value */
    *p = (struct prepared){ .n = rq->n - skip };
    if (p->n == 0)
        return ST_BAD;
    p->y = doubles(a, p->n);
    p->z = doubles(a, p->n);
    if (!p->y || !p->z)
        return ST_NOMEM;
    memcpy(p->y, rq->y + skip, (size_t)p->n * sizeof *p->y);
    notes->missing = series_missing(p->y, p->n);
    if (notes->missing)
        series_fill(p->y, p->n, m);
    if (series_stopped(p->y, p->n, m)) {
        notes->stopped = true;
        return ST_OK;
    }
    to_scale(p);
    if (p->n <= COMBINATION_SHORT)
        return season_fit(p->z, p->n, 1, p->logs, a, &p->season);
    enum status st = season_fit(p->z, p->n, m, p->logs, a, &p->season);
    if (st)
        return st;
    st = settle_level(p, m, a, notes);
    /* Days and hours have closings that come again: their extremes say something. Sums of
     * weeks and months do not. */
    if (!st && p->n > COMBINATION_SHORT && m != 7 && m != COMBINATION_HOURLY)
        notes->outliers = series_replace_outliers(
            p->z, p->n, &p->season, m < LEAST_REACH ? LEAST_REACH : m, a, &st);
    notes->seasonal = p->season.m > 1;
    return st;
}

/* --- the forecast --- */

static enum status flat(struct forecast *f, const struct prepared *p, struct arena *a)
{
    double *scratch = doubles(a, p->n);

    if (!scratch)
        return ST_NOMEM;
    double level = f->notes.stopped ? 0 : fmax(0, stats_median(p->y, p->n, scratch));
    f->error_logs = false;
    for (int i = 0; i < f->h; i++) {
        f->point[i] = level;
        f->factor[i] = 1;
        f->psi[i] = 1;
        f->sigma[i] = level * 0.5 * sqrt(1 + i / 7.0);
    }
    return ST_OK;
}

static enum status modelled(struct forecast *f, const struct prepared *p,
                            const struct combination_hint *hint, struct arena *a)
{
    struct combination c = {
        .y = p->y, .z = p->z, .n = p->n, .logs = p->logs, .season = p->season
    };
    double *work = doubles(a, COMBINATION_MODELS_MAX * f->h);
    enum status st = work ? combination_fit(&c, hint, a) : ST_NOMEM;

    if (st)
        return st;
    combination_forecast(&c, c.n, f->h, work, f->point);
    for (int i = 0; i < f->h; i++) {
        double z = f->point[i];
        f->point[i] = c.logs ? exp(fmax(-700, fmin(700, z))) : fmax(0, z);
        f->factor[i] = season_factor(&c.season, c.n + i);
    }
    return interval_fit(&c, a, f);
}

enum status forecast_make(const struct forecast_request *rq, struct arena *a,
                          struct forecast *out)
{
    struct prepared p;
    int h = rq->horizon;

    if (h < 1 || rq->n < 1)
        return ST_BAD;
    *out = (struct forecast){ .h = h };
    out->point = doubles(a, h);
    out->sigma = doubles(a, h);
    out->factor = doubles(a, h);
    out->psi = doubles(a, h);
    if (!out->point || !out->sigma || !out->factor || !out->psi)
        return ST_NOMEM;
    enum status st = prepare(rq, a, &p, &out->notes);
    if (st)
        return st;
    out->n = p.n;
    out->notes.too_short = p.n < SHORTEST;
    if (out->notes.stopped || out->notes.too_short)
        return flat(out, &p, a);
    return modelled(
        out, &p, &(struct combination_hint){ .season = rq->season, .month = rq->month },
        a);
}

void forecast_interval(const struct forecast *f, int i, double z, double *lo, double *hi)
{
    double d = z * f->sigma[i];

    if (f->error_logs) {
        *lo = f->point[i] * exp(-d);
        *hi = f->point[i] * exp(d);
    } else {
        *lo = fmax(0, f->point[i] - d * f->factor[i]);
        *hi = f->point[i] + d * f->factor[i];
    }
}
