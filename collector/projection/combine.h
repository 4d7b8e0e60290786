/*
 * Which models forecast a series, and their combination, a per-step median in which some
 * count twice. With a season: DOT, Holt-Winters twice, Holt-Winters without a trend.
 * Without: DST, DOT, damped trend twice, CES twice. Short series: the two DSTs. Long
 * horizons on sums of weeks or months: DST, damped trend and the last month again. Hourly
 * series: the candidate (value of yesterday's hour, of last week's hour, Holt-Winters)
 * that forecast the last days best.
 *
 * Fed by forecast.c with a prepared series; interval.c and backtests forecast again from
 * earlier origins with the same fit.
 */
#ifndef BREAKEVEN_PROJECTION_COMBINE_H
#define BREAKEVEN_PROJECTION_COMBINE_H

#include "collector/projection/models.h"
#include "collector/projection/season.h"

enum {
    COMBINATION_MODELS_MAX = 4,
    COMBINATION_VOTES_MAX = 8,
    COMBINATION_SHORT = 40, /* up to so many values: DSTs alone, no season */
    COMBINATION_HOURLY = 24,
    COMBINATION_WEEK = 168, /* hours */
};

struct combination {
    const double *y; /* prepared series, raw scale */
    const double *z; /* the same on the fitting scale: logs or raw */
    int n;
    bool logs;
    struct season season;
    struct model model[COMBINATION_MODELS_MAX];
    int votes[COMBINATION_MODELS_MAX]; /* how often each one counts */
    int models;
    bool chosen; /* one of several, by its errors */
};

/* What is known of the series beside its values. */
struct combination_hint {
    int season; /* that it may have, used or not */
    int month;  /* values in a month, for a long horizon of sums; 0: no such thing */
};

/* Choose and fit. y, z, n, logs and season are set; n >= 4. ST_NOMEM: the arena. */
enum status combination_fit(struct combination *c, const struct combination_hint *hint,
                            struct arena *a);

/*
 * h steps after the first t values (1 <= t <= n), on the fitting scale, season included.
 * `work` is room for COMBINATION_MODELS_MAX x h values.
 */
void combination_forecast(const struct combination *c, int t, int h, double *work,
                          double *f);

#endif
