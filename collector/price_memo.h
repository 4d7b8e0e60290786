/*
 * Prices of series, looked up once each instead of once a row: within the days between
 * two changes of the book the price of a series is one and the same. Fed by query.c, for
 * the length of one scan. Pure; costs are those of price_usage, to the pico-dollar.
 */
#ifndef BREAKEVEN_PRICE_MEMO_H
#define BREAKEVEN_PRICE_MEMO_H

#include "common/price.h"

struct price_memo;

/* `book` may be NULL: nothing is priced. NULL: no memory. Free with price_memo_free. */
struct price_memo *price_memo_new(const struct price_book *book);
void price_memo_free(struct price_memo *m);

/*
 * price_usage of q. `series` stands for all of q but its day: equal numbers above 0 mean
 * equal names, tier, region and context.
 */
struct price_cost price_memo_usage(struct price_memo *m, uint32_t series,
                                   const struct price_query *q, uint64_t calls,
                                   const uint64_t v[USAGE_N]);

#endif
