/*
 * What a raw series needs before a model may see it: gaps filled, outliers replaced,
 * level shifts found, stopped series recognised. Every change is counted, so a report can
 * say what was done. A missing value is NAN; it is never taken for zero.
 */
#ifndef BREAKEVEN_PROJECTION_SERIES_H
#define BREAKEVEN_PROJECTION_SERIES_H

#include "collector/projection/season.h"

/* How many NANs stand in y. */
int series_missing(const double *y, int n);

/*
 * Fill gaps in place: the mean of the values one season before and after, else the value
 * one season before, else the next known one. False when nothing is known at all.
 */
bool series_fill(double *y, int n, int m);

/* Zero for at least two seasons (14 values without one) at the end, but not always. */
bool series_stopped(const double *y, int n, int m);

/*
 * Replace spikes of z (logs or raw) in place: farther than 8 robust deviations from
 * season x running median of m values on either side, and back at once. Returns how many.
 * *st is ST_NOMEM at the arena's ceiling.
 */
int series_replace_outliers(double *z, int n, const struct season *s, int m,
                            struct arena *a, enum status *st);

/* The last certain change of level in the deseasonalised series x: the first index of
 * the new level and its size, or 0 when there is none. */
struct series_shift {
    int at;
    double size;
};
enum status series_find_shift(const double *x, int n, int m, bool logs, struct arena *a,
                              struct series_shift *out);

#endif
