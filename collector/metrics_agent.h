/*
 * What agents say about themselves, as Prometheus text: the objects of counts in the
 * health of their last heartbeat. Pure. Used by metrics for each agent of the store.
 *
 *   drops       breakeven_agent_drops_total{agent,reason}              counter
 *   capture     breakeven_agent_capture{agent,what}                    gauge
 *   dark        breakeven_agent_dark_total{agent,what}                 counter
 *   rate_limit  breakeven_agent_rate_limit_remaining{agent,limit}      gauge
 */
#ifndef BREAKEVEN_METRICS_AGENT_H
#define BREAKEVEN_METRICS_AGENT_H

#include "common/buf.h"

enum { METRICS_AGENT_KINDS = 4 };

/* Zeroed to begin: the lines of each kind, as a family must stand together. */
struct metrics_agent {
    struct buf lines[METRICS_AGENT_KINDS];
};

/* Add one agent's health: a JSON object as ingest has checked it, "" or
 * NULL for none. */
void metrics_agent_add(struct metrics_agent *m, const char *agent, const char *health);

/* Append the families that have a line, with their heads; frees the lines. */
void metrics_agent_put(struct metrics_agent *m, struct buf *out);

#endif
