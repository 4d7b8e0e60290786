/*
 * What the dashboard asks beyond the API of tables: its own files, usage folded to what a
 * chart can show, the week's profile, the declared workloads, and what-if questions.
 * Handlers of api.c's table.
 *
 * Refuses: unbounded answers (at most PAGE_SERIES lines and PAGE_ROWS rows, the rest is
 * summed as "others" and counted).
 */
#ifndef BREAKEVEN_API_PAGE_H
#define BREAKEVEN_API_PAGE_H

#include "collector/api.h"

enum { PAGE_SERIES = 12, PAGE_ROWS = 500 };

/* GET / and /web/NAME: an embedded file, packed where the client takes it. */
void api_page(const struct collector *c, const struct api_request *q,
              struct api_reply *r);

/*
 * GET /api/v1/usage/breakdown?by=DIMENSION|class&…: times, sums by time of the largest
 * values by cost, tokens or calls (`order`), rows of all, totals. Other parameters as in
 * /usage/daily but group_by.
 */
void api_breakdown(const struct collector *c, const struct api_request *q,
                   struct api_reply *r);

/* GET /api/v1/usage/profile: calls and tokens by hour of the week, UTC. */
void api_profile(const struct collector *c, const struct api_request *q,
                 struct api_reply *r);

/* GET /api/v1/workloads: what is declared, with the verdict of its newest projection. */
void api_workloads(const struct collector *c, const struct api_request *q,
                   struct api_reply *r);

/*
 * GET /api/v1/whatif/WORKLOAD?volume_growth=0.5&…: its projection with inputs moved
 * (projection/whatif.h). Stores nothing. 503 with Retry-After while others ask.
 */
void api_whatif(const struct collector *c, const struct api_request *q,
                struct api_reply *r);

#endif
