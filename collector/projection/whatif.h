/*
 * What if? A projection with some inputs moved: volume, growth, prices, coverage and the
 * like. Nothing stored is read differently or written: the same demand, the same seed and
 * so the same sampled futures, so what changes is the change asked for. Fed by the API
 * (/api/v1/projection/NAME?coverage=0.8) and tests; a few milliseconds a call.
 *
 * Refuses: a name it does not know, a value outside its range, and whatever the scenario
 * refuses of a declared value (a throughput above what memory bandwidth allows).
 */
#ifndef BREAKEVEN_PROJECTION_WHATIF_H
#define BREAKEVEN_PROJECTION_WHATIF_H

#include "collector/projection/scenario.h"

/* NAN leaves an input as it is; whatif_none() has nothing but NANs. */
struct whatif {
    double volume;        /* factor on the calls from today on */
    double volume_growth; /* a year, beyond the forecast: 0.5 = half as many again */
    double api_price;     /* factor on every API price */
    double gpu_price;     /* factor on the GPU's hourly price */
    double api_price_change, gpu_price_change; /* a year, in place of the scenario's */
    double coverage, escalation;               /* shares */
    double output_tokens_per_s, min_replicas, headroom;
    double monthly_fixed, setup; /* USD */
};

struct whatif_field {
    const char *name; /* as the member and the query parameter */
    size_t offset;    /* of a double in struct whatif */
    double least, most;
    const char *help;
};

/* Ends with a NULL name. */
extern const struct whatif_field whatif_fields[];

struct whatif whatif_none(void);

/*
 * Set one input by its name from decimal text. ST_NOT_FOUND: no such input; ST_BAD: no
 * number, or out of range. `why` says so in a sentence.
 */
enum status whatif_set(struct whatif *w, struct slice name, struct slice value,
                       struct buf *why);

/* True when every input stays as it is. */
bool whatif_is_none(const struct whatif *w);

/*
 * scenario_resolve of w with the changes in place, marked INPUT_WHATIF. `change` may be
 * NULL. ST_CONFIG with the reason.
 */
enum status whatif_resolve(const struct workload *w, const struct whatif *change,
                           const struct scenario_sources *from, struct scenario *out,
                           struct buf *why);

/* Factor on the volume `years` from now. */
double whatif_volume(const struct whatif *change, double years);

#endif
