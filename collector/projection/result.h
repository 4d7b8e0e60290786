/*
 * The result of one projection: what the job computes, the store keeps as JSON, and
 * report, API, metrics and alerts read. Money is USD in doubles: a forecast, not a bill.
 */
#ifndef BREAKEVEN_PROJECTION_RESULT_H
#define BREAKEVEN_PROJECTION_RESULT_H

#include "collector/projection/whatif.h"

enum { PROJECTION_MONTHS_MAX = 25 /* the current month and up to 24 after it */ };

enum projection_verdict {
    PROJECTION_REFUSED, /* `reason` says why; only run-rate fields are set */
    PROJECTION_CROSSED, /* at today's volume hosting is already cheaper a month */
    PROJECTION_LIKELY,  /* P(crossing within the horizon) >= 0.5 */
    PROJECTION_POSSIBLE,
    PROJECTION_UNLIKELY, /* < 0.1 */
    PROJECTION_OPEN,     /* none of these can be said: too many calls have no price */
};

/* "refused", "crossed", "likely", "possible", "unlikely", "open". */
const char *projection_verdict_name(enum projection_verdict v);

/* A quantity with its forecast intervals. */
struct projection_band {
    double median, lo80, hi80, lo95, hi95;
};

struct projection_month {
    int64_t start; /* Unix seconds of its first day; month 0 is the current one */
    int days;      /* 28..31 */
    double calls;  /* median */
    double tokens; /* median, all billable classes */
    struct projection_band api;    /* USD; month 0 holds the known part and the rest */
    struct projection_band hosted; /* USD */
    struct projection_band saving; /* cumulative API - hosted - setup, USD */
    double p_cheaper;              /* P(hosted < API in this month) */
    double p_crossed;              /* P(some month up to this one was cheaper hosted) */
    double p_paid;                 /* P(cumulative saving >= 0 by its end) */
    double replicas;               /* median, averaged over the month's hours */
};

/* Quantiles of a first-passage date over the paths. 0 = not within the horizon. */
struct projection_dates {
    int64_t q10, q50, q90;               /* Unix seconds of a day */
    double months10, months50, months90; /* from now; -1 = not within the horizon */
    double never;                        /* share of paths that do not get there */
    double p6, p9, p12; /* P within 6, 9, 12 months; -1 beyond the horizon */
};

/* One input moved alone, on the central path; sorted by how far the saving moves. */
struct projection_sensitivity {
    const char *input;
    double low, high;                     /* the values tried */
    double saving_low, saving_high;       /* USD after 12 months */
    double payback_low, payback_high;     /* months from now; -1 not within the horizon */
    double threshold_low, threshold_high; /* calls a day; -1 none */
};

enum { PROJECTION_SENSITIVITIES = 10, PROJECTION_ALTERNATIVES = 12 };

/* The recent calls at other prices, without a model of one's own. */
struct projection_alternative {
    const char *name;         /* "batch tier", "caching, …", or "provider/model" */
    const char *kind;         /* "batch", "caching", "model", "open model" */
    enum input_origin origin; /* of a model: declared, or a default to think of */
    double usd_per_day;       /* -1: the price book does not know it */
    double saving12;          /* against the API as it is, 12 months, USD; NAN unknown */
};

enum { PROJECTION_WINDOWS = 12 };

/* One look back: what 28 days from `from` on were forecast, and what they became; USD at
 * today's prices. */
struct projection_window {
    int64_t from;
    double actual, point, lo80, hi80;
};

struct projection_result {
    const char *workload;
    int64_t at; /* when it ran, Unix seconds */
    uint64_t seed;
    enum projection_verdict verdict;
    const char *reason;     /* one sentence */
    const char *warning[8]; /* NULL-terminated: short history, unpriced models, … */

    /* history */
    int64_t first_day, last_day; /* Unix seconds of the UTC days used */
    int days;                    /* between them, inclusive */
    double calls_per_day, tokens_per_day, usd_per_day;     /* mean of the last 28 days */
    double estimated_share, missing_share, unpriced_share; /* of calls, last 28 days */
    double usd_per_call;   /* API, today's prices and mix */
    double failed_share;   /* of the attempts of the last 28 days; NAN unknown */
    double cached_share;   /* of the input tokens, last 28 days; NAN unknown */
    double per_call_drift; /* USD a call at today's prices against 12 weeks before, -1;
                              NAN unknown: prompts, answers or models changed */

    /* the scenario as computed with */
    struct scenario scenario;
    struct throughput throughput; /* metered of the specialist; target_s 0: not asked */
    const struct whatif *what_if; /* what was moved for a question; NULL: nothing */

    /* forecast */
    int months; /* entries of month[], current month included; 0 when refused */
    struct projection_month month[PROJECTION_MONTHS_MAX];
    struct projection_window
        window[PROJECTION_WINDOWS]; /* of the backtest, newest first */
    double
        interval_factor;  /* by which the backtest's misses widened the intervals, >= 1 */
    double backtest_mape; /* mean |error| of 28-day totals, rolling origin; -1 unknown */
    double backtest_cover80; /* share of those inside the 80 % interval; -1 unknown */
    int backtest_origins;

    /* breakeven */
    struct projection_dates crossing; /* first month hosted < API */
    struct projection_dates payback;  /* first day the setup is earned back */
    double p_multiple; /* share of paths that cross back and again: staircase */
    double threshold_calls_per_day; /* at today's mix; -1 = never cheaper at any volume */
    double threshold_ratio;         /* today's calls / threshold; -1 = none */
    struct projection_band saving12; /* total after 12 months, setup included, USD */
    struct projection_sensitivity sensitivity[PROJECTION_SENSITIVITIES];
    int sensitivities;
    struct projection_alternative alternative[PROJECTION_ALTERNATIVES];
    int alternatives;
};

/* The whole result as one JSON object (docs/projection.md lists the keys). */
void projection_json(const struct projection_result *r, struct buf *out);

/* A readable report with a terminal chart of API and hosted cost, at most `width` wide.
 */
void projection_text(const struct projection_result *r, unsigned width, struct buf *out);

#endif
