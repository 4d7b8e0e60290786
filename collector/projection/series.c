/* Rules of thumb with robust scales; the constants are argued in docs/projection.md. */
#include "collector/projection/series.h"

#include <math.h>

#include "collector/projection/stats.h"

int series_missing(const double *y, int n)
{
    int k = 0;

    for (int t = 0; t < n; t++)
        k += isnan(y[t]);
    return k;
}

bool series_fill(double *y, int n, int m)
{
    int next = n; /* the first known value at or after t */

    for (next = 0; next < n && isnan(y[next]); next++)
        ;
    if (next == n)
        return false;
    for (int t = 0; t < n; t++) {
        if (!isnan(y[t]))
            continue;
        bool before = t >= m && !isnan(y[t - m]);
        bool after = t + m < n && !isnan(y[t + m]);
        if (before && after) {
            y[t] = (y[t - m] + y[t + m]) / 2;
        } else if (before) {
            y[t] = y[t - m];
        } else {
            for (next = t; next < n && isnan(y[next]); next++)
                ;
            y[t] = next < n ? y[next] : y[t - 1];
        }
    }
    return true;
}

bool series_stopped(const double *y, int n, int m)
{
    int zeros = 0, need = m > 1 ? 2 * m : 14;

    while (zeros < n && y[n - 1 - zeros] == 0)
        zeros++;
    return zeros >= need && zeros < n;
}

/*
 * A spike comes back at once: both neighbours lie at least half of the way back. A level
 * that wanders or shifts does not, and the newest value cannot tell yet.
 */
static bool isolated(const double *x, int n, int t, double r)
{
    if (t < 1 || t > n - 2)
        return false;
    return (x[t] - x[t - 1]) / r > 0.5 && (x[t] - x[t + 1]) / r > 0.5;
}

int series_replace_outliers(double *z, int n, const struct season *s, int m,
                            struct arena *a, enum status *st)
{
    double *x = arena_alloc(a, (size_t)n * sizeof *x);
    double *mid = arena_alloc(a, (size_t)n * sizeof *mid);
    double *r = arena_alloc(a, (size_t)n * sizeof *r);
    double *scratch = arena_alloc(a, (size_t)n * sizeof *scratch);
    int replaced = 0;

    *st = x && mid && r && scratch ? ST_OK : ST_NOMEM;
    if (*st)
        return 0;
    season_remove(s, z, n, x);
    for (int t = 0; t < n; t++) {
        int from = t - m < 0 ? 0 : t - m, to = t + m >= n ? n : t + m + 1;
        mid[t] = stats_median(x + from, to - from, scratch);
        r[t] = x[t] - mid[t];
    }
    double bar = 8 * stats_mad0(r, n, scratch);
    for (int t = 0; t < n && bar > 0; t++) {
        if (fabs(r[t]) <= bar || !isolated(x, n, t, r[t]))
            continue;
        double i = s->m > 1 ? s->index[t % s->m] : s->logs ? 0 : 1;
        z[t] = s->logs ? mid[t] + i : mid[t] * i;
        replaced++;
    }
    return replaced;
}

/*
 * Values on either side that must agree on the new level: two seasons, but not so few
 * that a quiet week or a holiday looks like a change: two weeks of hours, 8 of days.
 */
static int shift_window(int m)
{
    return m == 24 ? 14 * 24 : m == 7 ? 8 * 7 : 2 * m > 14 ? 2 * m : 14;
}

/* At least half of the change happens within a few values: a trend does not. */
static bool sharp(const double *x, int t, double diff, double *scratch)
{
    double jump = stats_median(x + t, 3, scratch) - stats_median(x + t - 3, 3, scratch);

    return fabs(jump) >= 0.5 * fabs(diff) && (jump > 0) == (diff > 0);
}

enum status series_find_shift(const double *x, int n, int m, bool logs, struct arena *a,
                              struct series_shift *out)
{
    int side = shift_window(m);

    *out = (struct series_shift){ 0, 0 };
    if (n < 2 * side)
        return ST_OK;
    double *scratch = arena_alloc(a, (size_t)n * sizeof *scratch);
    double *step = arena_alloc(a, (size_t)n * sizeof *step);
    if (!scratch || !step)
        return ST_NOMEM;
    for (int t = 1; t < n; t++)
        step[t - 1] = x[t] - x[t - 1];
    double noise = 5 * stats_mad0(step, n - 1, scratch) * sqrt(2.0 / m);
    double least = logs ? 0.25 : 0.25 * fabs(stats_mean(x, n));
    double best = 0;
    for (int t = n - side; t >= side; t--) {
        double before = stats_median(x + t - side, side, scratch);
        double diff = stats_median(x + t, side, scratch) - before;
        /* Walking back from the end: the first hill of certain differences is the last
         * shift, and its top is where it happened. */
        if (fabs(diff) > noise && fabs(diff) > least) {
            if (fabs(diff) > best && sharp(x, t, diff, scratch)) {
                best = fabs(diff);
                *out = (struct series_shift){ t, diff };
            }
        } else if (best > 0) {
            break;
        }
    }
    return ST_OK;
}
