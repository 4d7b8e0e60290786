/*
 * Exchanges in flight, thousands of them: an exchange's state is large and mostly zero,
 * so only PARK_PLACES of them stand as they are; the others are packed, zeros left out,
 * until their next bytes come. Each has one place for life and shares it with others, so
 * pointers into an exchange stay good. Up to PARK_PLACES at a time nothing is ever
 * packed. Used by extract.
 */
#ifndef BREAKEVEN_PARK_H
#define BREAKEVEN_PARK_H

#include "agent/exchange.h"

enum { PARK_PLACES = 256 };

struct park;
struct parked; /* one exchange */

struct park *park_new(void);    /* NULL: out of memory */
void park_free(struct park *p); /* after the last park_remove */

/* Another exchange, zeroed. NULL: out of memory. */
struct parked *park_add(struct park *p);
void park_remove(struct park *p, struct parked *e); /* zeroes it; NULL is fine */

/*
 * The exchange, at the address where it always is, good until another is opened. Where
 * there was no memory to pack one that had to make place, that one is lost: it is zeroed,
 * is no call any more, and park_lost says so.
 */
struct exchange *park_open(struct park *p, struct parked *e);
bool park_lost(const struct parked *e);

#endif
