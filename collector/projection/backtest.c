/* Rolling origin, refitted each time. */
#include "collector/projection/backtest.h"

#include <math.h>

#include "collector/projection/stats.h"

enum { LEAST_BEFORE = 56, PATHS = 400, PRIOR = 8 };

static const double Z_MOST = 6, WIDEN_MOST = 3;

/* Total of 28 days from `at`; missing days as the mean of the known; NAN if most are. */
static double actual_total(const double *day, int at)
{
    double sum = 0;
    int known = 0;

    for (int d = at; d < at + BACKTEST_DAYS; d++) {
        if (isnan(day[d]))
            continue;
        sum += day[d];
        known++;
    }
    return 2 * known >= BACKTEST_DAYS ? sum * BACKTEST_DAYS / known : NAN;
}

struct origin {
    double point, lo80, hi80;
};

static enum status forecast_from(const double *day, int n, uint64_t seed,
                                 struct arena *scratch, struct origin *out)
{
    struct outlook o;
    struct paths p;
    enum status st = outlook_make(day, n, BACKTEST_DAYS, scratch, &o);

    if (st || (st = paths_draw(&o.f, PATHS, seed, scratch, &p)))
        return st;
    double *total = arena_alloc(scratch, PATHS * sizeof *total);
    if (!total)
        return ST_NOMEM;
    for (int i = 0; i < PATHS; i++)
        total[i] = outlook_volume(&o, paths_row(&p, i), 0, BACKTEST_DAYS);
    stats_sort(total, PATHS);
    *out = (struct origin){
        .point = outlook_volume(&o, o.f.point, 0, BACKTEST_DAYS),
        .lo80 = stats_quantile_sorted(total, PATHS, 0.1),
        .hi80 = stats_quantile_sorted(total, PATHS, 0.9),
    };
    return ST_OK;
}

/* Square of the error in deviations of its own interval, on logs; capped. */
static double standardised(const struct origin *f, double actual)
{
    if (f->point <= 0 || f->lo80 <= 0 || f->hi80 <= f->lo80)
        return 1;
    double sigma = log(f->hi80 / f->lo80) / (2 * FORECAST_Z80);
    double z = fmin(Z_MOST, fabs(log(actual / f->point)) / sigma);
    return z * z;
}

enum status backtest_run(const double *day, int n, uint64_t seed, struct arena *scratch,
                         struct backtest *out)
{
    double error = 0, covered = 0, squares = 0;

    *out = (struct backtest){ .mape = -1, .cover80 = -1, .widen = 1 };
    for (int k = 1; k <= BACKTEST_ORIGINS_MAX; k++) {
        int at = n - k * BACKTEST_DAYS;
        if (at < LEAST_BEFORE)
            break;
        struct origin f;
        double actual = actual_total(day, at);
        arena_reset(scratch);
        enum status st = forecast_from(day, at, seed + (uint64_t)k, scratch, &f);
        if (st == ST_NOMEM)
            return st;
        if (st || isnan(actual) || actual <= 0)
            continue;
        out->window[out->origins++] =
            (struct backtest_window){ at, actual, f.point, f.lo80, f.hi80 };
        squares += standardised(&f, actual);
        error += fabs(f.point - actual) / actual;
        covered += actual >= f.lo80 && actual <= f.hi80;
    }
    if (out->origins) {
        out->mape = error / out->origins;
        out->cover80 = covered / out->origins;
    }
    /* As if eight more had come out as they should. */
    out->widen =
        fmin(WIDEN_MOST, fmax(1, sqrt((PRIOR + squares) / (PRIOR + out->origins))));
    return ST_OK;
}
