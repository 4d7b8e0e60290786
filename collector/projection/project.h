/*
 * One projection: demand -> outlook -> paths -> API cost by month -> hosted cost ->
 * breakeven. Pure; fed by the job with what the store knows, by what-if questions, and by
 * tests. docs/projection.md explains every number.
 *
 * Refuses (PROJECTION_REFUSED with the run rate, ST_OK): less than 14 days of history, or
 * nothing priced in them.
 */
#ifndef BREAKEVEN_PROJECTION_PROJECT_H
#define BREAKEVEN_PROJECTION_PROJECT_H

#include "collector/projection/demand.h"
#include "collector/projection/result.h"
#include "collector/projection/whatif.h"

struct project_input {
    const struct workload *workload;
    const struct scenario *scenario; /* resolved, changes included */
    const struct demand *demand;
    const struct throughput *seen; /* metered of the specialist; NULL: nothing */
    const struct price_book *prices;
    const struct projection_config *config;
    int64_t now;                 /* Unix seconds */
    const struct whatif *change; /* NULL: none */
};

/* Strings of *out live in `a` or in the workload. ST_NOMEM: the arena. */
enum status project_make(const struct project_input *in, struct arena *a,
                         struct projection_result *out);

#endif
