/*
 * How good were we? The outlook made again from earlier days, a month apart, against what
 * came. Shown beside every projection. Pure.
 */
#ifndef BREAKEVEN_PROJECTION_BACKTEST_H
#define BREAKEVEN_PROJECTION_BACKTEST_H

#include "collector/projection/outlook.h"

enum { BACKTEST_DAYS = 28, BACKTEST_ORIGINS_MAX = 12 };

/* One origin: 28 days from day index `from` on. */
struct backtest_window {
    int from;
    double actual, point, lo80, hi80;
};

struct backtest {
    int origins;    /* 0: too little history to look back */
    double mape;    /* mean |forecast - actual| / actual of 28-day totals; -1 unknown */
    double cover80; /* share of actual totals inside the 80 % interval; -1 unknown */
    double widen;   /* by how much the intervals turned out too narrow, 1..3 */
    struct backtest_window window[BACKTEST_ORIGINS_MAX]; /* newest first */
};

/*
 * Every origin has at least 56 days before it. `scratch` is reset for each origin. ST_OK
 * also when there is nothing to test; ST_NOMEM: the arena.
 */
enum status backtest_run(const double *day, int n, uint64_t seed, struct arena *scratch,
                         struct backtest *out);

#endif
