/*
 * Totals of a scan in memory: day x provider x model, priced. Rows are kept finer than
 * they are shown (service tier, region, context bucket), as prices depend on those. Fed
 * by scan with calls that passed dedup; read by scan_out.
 *
 * Refuses: more than TALLY_ROWS rows: names from a log are foreign input. What exceeds
 * them is kept under the model "(other)".
 */
#ifndef BREAKEVEN_TALLY_H
#define BREAKEVEN_TALLY_H

#include "common/price.h"
#include "common/usage.h"

enum { TALLY_ROWS = 20000, TALLY_NAME = 200 /* longest name kept, in bytes */ };

struct tally_key {
    int64_t day; /* Unix ns of its start; USAGE_NO_TIME: unknown */
    struct slice provider, model, tier, region;
    unsigned context;
    bool guessed; /* its tokens are estimates: never in one row with exact ones */
};

struct tally_row {
    struct tally_key key;
    bool found;                         /* in the price book */
    struct price price;                 /* if found */
    uint64_t calls, estimated, missing; /* the last two are among the calls */
    uint64_t v[USAGE_N];
};

/* Several rows as one: of a day and model, or of everything. */
struct tally_sum {
    int64_t day;
    struct slice provider, model;
    uint64_t calls, estimated, missing;
    uint64_t v[USAGE_N];
    price_pico pico; /* of what has a price */
    struct price_stated stated;
    uint64_t guessed[USAGE_CLASSES]; /* that part of v that is estimated */
    price_pico guessed_pico;         /* and its part of pico */
    uint64_t unpriced_calls;         /* with usage, of models without a price */
    uint32_t unpriced;               /* bit f: some of v[f] has no price */
    uint64_t without[USAGE_N];       /* that part of v */
};

struct tally;

/* `book` outlives the tally; NULL: nothing has a price. NULL: out of memory. */
struct tally *tally_new(const struct price_book *book);
void tally_free(struct tally *t);

/* Add a call (agg_n 0: tokens of a call counted before). ST_NOMEM: not added. */
enum status tally_add(struct tally *t, const struct usage *u);

/* What one call costs: as tally_add would price it. */
struct price_cost tally_cost(struct tally *t, const struct usage *u);

/* Each day x provider x model in order; with by_day false each provider x model. */
typedef void tally_fn(void *arg, const struct tally_sum *sum);
void tally_each(struct tally *t, bool by_day, tally_fn *fn, void *arg);
void tally_total(struct tally *t, struct tally_sum *total);

#endif
