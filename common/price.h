/*
 * The price book: dated prices per (provider, model), tiers, aliases -> exact money. Used
 * by the collector (whenever a cost is read) and by the agent's scan. Prices apply by the
 * date of the usage, never frozen into a row, so a corrected price corrects history.
 *
 * Money is integer: pico-dollars per token (1 $/M tokens = 1,000,000 p$), sums in 128
 * bits, rounded once, at the edge. Refuses: a price of zero for a model it does not know.
 * Unknown is "unpriced", and shown as such.
 */
#ifndef BREAKEVEN_PRICE_H
#define BREAKEVEN_PRICE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/usage.h"

struct price_book;

__extension__ typedef unsigned __int128 price_pico; /* a sum of money in pico-dollars */

/* What was asked: names as metered, the day of the usage, the context bucket. */
struct price_query {
    struct slice provider, model, tier, region;
    int64_t day;      /* Unix seconds of the UTC day (any second of it) */
    unsigned context; /* usage_context bucket of the calls */
};

struct price {
    const char *provider, *model; /* the book's own names: how the query was understood */
    uint64_t pico[USAGE_N];       /* per token or unit; `has` says which are known */
    uint32_t has;       /* bit f: pico[f] is a price of the book or its fallback */
    uint64_t pico_call; /* fee per request */
    int64_t effective;  /* since when (Unix seconds) */
    bool tier_known;    /* false: the book has no price for that tier, the standard one is
                           given */
    const char *tier;   /* the tier that was priced; "" standard */
    uint32_t above;     /* the context tier: inputs of more than this; 0 none */
    uint32_t ppm;       /* factors in it (tier, region, discount), times 1,000,000 */
    bool own;           /* from the overrides */
    uint32_t line;      /* of the book's file */
};

/* A cost and what is missing from it. */
struct price_cost {
    price_pico pico;
    bool priced; /* false: model unknown at that date; pico is 0 and means nothing */
    uint32_t unpriced; /* bit f: v[f] > 0 has no price: the cost is a lower bound */
};

/*
 * The built-in book (config/prices.yaml, embedded), or a file's. `why` gets file:line and
 * reason. `overrides`, when not NULL, is a second file whose rows win.
 */
enum status price_book_open(const char *path, const char *overrides,
                            struct price_book **out, struct buf *why);
void price_book_free(struct price_book *b);

/* The newest day up to `at` on which a price of the book began, or the whole book was
 * looked over; Unix seconds, 0: none. */
int64_t price_book_day(const struct price_book *b, int64_t at);

/*
 * The days around `at` on which no price of the book changes: [*from, *until), Unix
 * seconds; INT64_MIN and INT64_MAX where there is no change.
 */
void price_book_span(const struct price_book *b, int64_t at, int64_t *from,
                     int64_t *until);

/*
 * The price in force. Looks up the name as given, then its aliases, then without date
 * suffix, region prefix and provider prefix (usage-formats 3.4). False: unpriced.
 */
bool price_find(const struct price_book *b, const struct price_query *q,
                struct price *out);

/*
 * Price totals of `calls` calls. Subsets with a price of their own (audio, image) are
 * taken out of their class first; a missing cache price falls back to the input price.
 */
struct price_cost price_apply(const struct price *p, uint64_t calls,
                              const uint64_t v[USAGE_N]);

/* Both in one: price_find, then price_apply; not priced when not found. */
struct price_cost price_usage(const struct price_book *b, const struct price_query *q,
                              uint64_t calls, const uint64_t v[USAGE_N]);

/* What providers themselves stated, beside our cost of the same calls. */
struct price_stated {
    uint64_t calls;
    price_pico theirs, ours;
};

/*
 * Add totals of `calls` calls that cost `c` here, if every one of them states its own
 * cost and none of it is unpriced here: else the two are not of the same calls.
 */
void price_stated_add(struct price_stated *s, uint64_t calls, const uint64_t v[USAGE_N],
                      const struct price_cost *c);
/* "$0.3100 as stated for 2 calls, $0.3000 by our prices (-3.2 %)"; nothing for no calls.
 */
void price_stated_text(const struct price_stated *s, struct buf *out);

/* "12.345678" dollars with `digits` decimals, rounded half up, once. */
void price_format(price_pico pico, unsigned digits, struct buf *out);
double price_dollars(price_pico pico); /* for charts and forecasts only */

#endif
