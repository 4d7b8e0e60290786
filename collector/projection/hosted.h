/*
 * What hosting costs in a month: a staircase of replicas sized for the peak, times the
 * GPU's price, plus what is fixed, plus what the API still gets. Pure; fed by breakeven
 * with one month of one path.
 *
 * Refuses: utilisation as an input. It is an outcome of the metered load.
 */
#ifndef BREAKEVEN_PROJECTION_HOSTED_H
#define BREAKEVEN_PROJECTION_HOSTED_H

#include "collector/projection/scenario.h"

enum { HOSTED_WEEK = 168 };

/* How a workload's calls lie in the week, and what one call is. */
struct hosted_load {
    double
        share[HOSTED_WEEK]; /* of a week's calls, by hour from Monday 0:00 UTC; sum 1 */
    double peak;            /* the largest share: hosted_load_settle */
    double burst;           /* busiest minute : its hour, >= 1 */
    double input_per_call;  /* tokens to prefill: cache reads excluded */
    double output_per_call;
};

/* An even week without bursts, until something is measured. */
void hosted_load_flat(struct hosted_load *l);

/* After share[] was written: sets peak. */
void hosted_load_settle(struct hosted_load *l);

/* Share of replica-seconds that one call/s keeps busy: 1 / (calls/s of a replica). */
double hosted_seconds_per_call(const struct scenario *s, const struct hosted_load *l);

/* Replicas at `calls_per_s`: max(min, ceil(calls/s x (1 + headroom) x seconds/call)). */
double hosted_replicas_at(const struct scenario *s, double seconds_per_call,
                          double calls_per_s);

/* Replicas over the month's hours at this many calls a day, by the capacity policy. */
double hosted_replicas(const struct scenario *s, const struct hosted_load *l,
                       double calls_per_day);

struct hosted_month {
    double calls_per_day; /* of the workload, covered or not */
    double api_usd;       /* what the API would cost for all of them */
    double days;          /* 28..31, or what is left of the month */
    double fraction;      /* of the month that these days are; 1 for a whole one */
    int number;           /* 1 = the first month of hosting; retraining is due at k x n */
    double gpu;           /* its mean price over today's: 1 but for a path of prices */
};

struct hosted_cost {
    double replicas, gpu, fixed, api, retrain; /* USD but replicas */
    double total;
};

/* Cost of a month, or of the rest of one: GPUs by the hour, fixed cost by the fraction.
 */
void hosted_month_cost(const struct scenario *s, const struct hosted_load *l,
                       const struct hosted_month *m, struct hosted_cost *out);

#endif
