/*
 * Usage as rows, and what an answer of the API may cost. Handlers of api.c's table.
 *
 * Refuses, in words that say how to go on: a whole answer of more than API_ROWS rows, one
 * that reads more than API_HOURLY_ROWS hourly rows of more than API_HOURLY_DAYS days.
 * Nothing is ever left out of an answer that did not ask for pages; with `limit` the rest
 * is behind the Link header (RFC 8288, rel="next").
 */
#ifndef BREAKEVEN_API_USAGE_H
#define BREAKEVEN_API_USAGE_H

#include "collector/api.h"

enum {
    API_ROWS = 10000,
    API_HOURLY_ROWS = 75000,
    API_HOURLY_DAYS = 14,
    API_PROFILE_DAYS = 28
};

/* GET /api/v1/usage/daily, /usage/hourly: rows of a query; format=csv, limit=N. */
void api_usage(const struct collector *c, const struct api_request *q,
               struct api_reply *r);

/* GET /api/v1/unpriced: models without a price in that time, with what they hide. */
void api_unpriced(const struct collector *c, const struct api_request *q,
                  struct api_reply *r);

/*
 * May q be answered in one piece? Hourly rows are many: false, and *r is the refusal,
 * where they are too many and of more than so many days.
 */
bool api_affordable(const struct collector *c, const struct store_query *q, int64_t days,
                    struct api_reply *r);

#endif
