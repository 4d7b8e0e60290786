/*
 * API cost against hosted cost, month by month, over sample paths of the volume: when
 * does hosting become cheaper, when is its setup earned back, with what probability, and
 * at which volume would it be so today. Pure; fed by the job with an outlook and a
 * scenario.
 *
 * Dates are first passages of the paths. What a path does not reach within the horizon is
 * counted as "never within the horizon", never extrapolated.
 */
#ifndef BREAKEVEN_PROJECTION_BREAKEVEN_H
#define BREAKEVEN_PROJECTION_BREAKEVEN_H

#include "collector/projection/hosted.h"
#include "collector/projection/outlook.h"
#include "collector/projection/result.h"

#define BREAKEVEN_MONTH_DAYS (365.25 / 12)

/*
 * One calendar month. Month 0 is the current one: `known_*` of it is history, days
 * [from, to) after the last day of history are ahead.
 */
struct breakeven_month {
    int64_t start; /* Unix seconds of its first day */
    int days;      /* 28..31 */
    int from, to;
    double known_calls, known_usd;
    double api_price; /* USD of one unit of volume, mean over the days ahead */
    double gpu;       /* mean price of a GPU over the days ahead, of today's */
};

/* Volume comes in units of one US dollar at today's prices. */
struct breakeven_case {
    const struct scenario *scenario;
    const struct hosted_load *load;
    const struct outlook *outlook;
    const struct paths *paths; /* of outlook->f */
    const struct breakeven_month *month;
    int months; /* 1..PROJECTION_MONTHS_MAX */
    int64_t now;
    double calls_per_unit, tokens_per_unit;
    double calls_per_day; /* today: mean of the last 28 days */
    double unit_price;    /* USD of a unit today: 1, but for a what-if */
};

/*
 * Fills months, month[], crossing, payback, p_multiple, saving12, threshold_*, verdict
 * and reason of *out. ST_NOMEM: the arena.
 */
enum status breakeven_compute(const struct breakeven_case *c, struct arena *a,
                              struct projection_result *out);

/* Fills sensitivity[] of *out: each input moved by a fifth, alone; dearest
 * first. ST_NOMEM: the arena.
 */
enum status breakeven_sensitivity(const struct breakeven_case *c, struct arena *a,
                                  struct projection_result *out);

/*
 * Calls a day at which a month of API costs as much as a month of hosting, today's prices
 * and mix: the smallest such volume. -1: none up to a million times the volume at which
 * the bill reaches the fixed cost.
 */
double breakeven_threshold(const struct scenario *s, const struct hosted_load *l,
                           double usd_per_call);

/* Starts of `n` + 1 calendar months (UTC), the one of `at` first; Unix seconds. */
void breakeven_months(int64_t at, int n, int64_t *start);

#endif
