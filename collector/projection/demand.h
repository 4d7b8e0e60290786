/*
 * What a workload really sent: daily calls and volume, the mix that the volume is made
 * of, how calls lie in the week, and how much of it is estimated, missing or unpriced.
 * Read from the store, so this is a shell file; everything after it is arrays.
 *
 * Volume is counted in USD at today's prices: a weighted sum of tokens whose weights do
 * not move, so a price change is no jump in demand and a shift to longer prompts is one.
 * Refuses: taking a day that nobody reported for a day without traffic.
 */
#ifndef BREAKEVEN_PROJECTION_DEMAND_H
#define BREAKEVEN_PROJECTION_DEMAND_H

#include "collector/projection/hosted.h"
#include "collector/profile.h"
#include "collector/query.h"

enum { DEMAND_RECENT_DAYS = 28, DEMAND_PROFILE_DAYS = 56 };

/* One kind of call, priced alike; its totals over the recent days. */
struct demand_mix {
    struct slice provider, model, tier, region;
    unsigned context;
    double cached; /* of demand_mix_other only: least share of the input from cache */
    bool priced;   /* by today's book */
    uint64_t calls, v[USAGE_N];
};

struct demand {
    int64_t first_day, last_day; /* Unix seconds of UTC days; days == 0: no history */
    int days;
    double *volume; /* [days] USD at today's prices; NAN: nobody reported */
    double *calls;  /* [days] */
    double *usd;    /* [days] at the prices of the day */
    struct demand_mix *mix;
    size_t mixes;
    /* over the recent days */
    double recent_days; /* of them with a report */
    double recent_calls, recent_tokens, recent_volume;
    double estimated, missing, unpriced; /* shares of calls */
    double failed; /* share of attempts, the refused ones included; NAN: none */
    struct hosted_load load;
    bool load_measured;
};

/*
 * Days before the one of `now`, at most `history_days` of them. Memory of `a`. ST_OK with
 * days == 0 when there is none; else the store's errors.
 */
enum status demand_read(struct store *s, const struct price_book *book,
                        const struct workload *w, int64_t now, int64_t history_days,
                        struct arena *a, struct demand *out);

/* A copy that owns all it points to in `a`. ST_OK or ST_NOMEM. */
enum status demand_copy(const struct demand *d, struct arena *a, struct demand *out);

/*
 * How calls lie in the week (share, burst) from a profile over so many weeks. False, and
 * *out as it was: fewer than two weeks, or no calls.
 */
bool demand_load(const struct query_profile *p, double weeks, struct hosted_load *out);

/* The filters of w into q->filter; memory of `a`. ST_OK or ST_NOMEM. */
enum status demand_filter(const struct workload *w, struct arena *a,
                          struct store_query *q);

/*
 * USD of the recent mix had it been another kind of call: another provider and model, or
 * another tier, or more of its input read from the cache (empty slices, 0: as it was).
 * -1 when some priced kind has no such price.
 */
double demand_mix_other(const struct demand *d, const struct price_book *book,
                        int64_t day, const struct demand_mix *other);

/* Share of the recent input tokens that came from the provider's cache; NAN: no input. */
double demand_cached(const struct demand *d);

/* USD of the recent mix at the prices of `day`; kinds without a price are left out. */
double demand_mix_usd(const struct demand *d, const struct price_book *book, int64_t day);

#endif
