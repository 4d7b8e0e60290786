/*
 * Classical seasonal indices of a gapless series: ratio (raw scale) or difference (logs)
 * to the centred moving average, shrunk towards none by their own noise, and used only
 * when strong enough. Refuses: seasons over 400, fewer than 2m + 2 values.
 */
#ifndef BREAKEVEN_PROJECTION_SEASON_H
#define BREAKEVEN_PROJECTION_SEASON_H

#include "common/arena.h"
#include "common/status.h"

enum { SEASON_MAX = 400 };

struct season {
    int m;         /* 1: no season */
    bool logs;     /* index is added to logs, else multiplied */
    double *index; /* [m]; value t (0-based) has index[t % m]; NULL when m == 1 */
    double strength;
};

/* z: logs or raw values (raw: indices are ratios). *out has m = 1 when none is used. */
enum status season_fit(const double *z, int n, int m, bool logs, struct arena *a,
                       struct season *out);

/* z without its season: z - index or z / index. */
void season_remove(const struct season *s, const double *z, int n, double *out);

/* The factor of value t on the raw scale: exp(index), index, or 1 without a season. */
double season_factor(const struct season *s, int t);

/* Does the series pass the 90 % autocorrelation test at lag m (M4's rule)? */
bool season_acf_test(const double *z, int n, int m);

#endif
