/*
 * The parts of /metrics that are read from the store when scraped: usage and agents. Rows
 * beyond limits.metrics_series fold into "other" and are counted.
 */
#ifndef BREAKEVEN_METRICS_PARTS_H
#define BREAKEVEN_METRICS_PARTS_H

#include "collector/api.h"

/* metrics_usage.c: calls, tokens and cost since the first day, as counters. */
enum status metrics_usage(const struct collector *c, int64_t now_s, struct arena *a,
                          struct buf *out);

/* metrics_agents.c: when each was last heard of, and what its health report says. */
enum status metrics_agents(const struct collector *c, struct buf *out);

#endif
