/*
 * Forecast of one series: prepare, choose scale and season, fit the models, combine them
 * by the median, and say how sure that is. Pure: a series in, a forecast out; the same on
 * every machine. Used by the `forecast` command and by the projection job.
 *
 * Refuses: nothing that is a number. A series too short for models gets its median and a
 * wide interval; one that stopped gets zero and says so. docs/projection.md has the
 * method.
 */
#ifndef BREAKEVEN_PROJECTION_FORECAST_H
#define BREAKEVEN_PROJECTION_FORECAST_H

#include "common/arena.h"
#include "common/status.h"

struct forecast_request {
    const double *y; /* oldest first; NAN = missing */
    int n;
    int season;  /* that may be used; <= 1: none known */
    int horizon; /* >= 1 */
    int month;   /* > 0: values are sums, so many a month, and the horizon is long */
};

/* What was done to the series and chosen for it, for reports. */
struct forecast_notes {
    int missing, outliers;
    int cut;        /* values left out before the last level shift; 0: none */
    bool shifted;   /* a level shift was found (older part cut or moved) */
    bool stopped;   /* zeros only for two seasons: the forecast is zero */
    bool too_short; /* the median with a pooled spread */
    bool seasonal;
};

/*
 * Intervals are f exp(+-z sigma) when error_logs, else f +- z sigma factor, clipped at 0.
 * Arrays have `h` values and live in the arena.
 */
struct forecast {
    int h, n; /* n: values that the models saw */
    bool error_logs;
    double *point;
    double *sigma;  /* non-decreasing; the sqrt(1 + 20/n) is in it */
    double *factor; /* season on the raw scale */
    double *psi;    /* [h]: weight of the error k steps back, psi[0] = 1 */
    struct forecast_notes notes;
};

/* ST_BAD: no value is known, or h < 1. ST_NOMEM: the arena's ceiling. */
enum status forecast_make(const struct forecast_request *rq, struct arena *a,
                          struct forecast *out);

/* The interval of step i (0-based): z = FORECAST_Z80 or FORECAST_Z95. */
void forecast_interval(const struct forecast *f, int i, double z, double *lo, double *hi);

/* Measured: the middle of the errors is a little narrower than a normal's and the tails a
 * little fatter, so 1.2816 becomes 1.24 and 1.96 is stretched by 1.03. */
#define FORECAST_Z80 1.24
#define FORECAST_Z95 (1.03 * 1.96)

#endif
