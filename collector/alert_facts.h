/*
 * What the rules need to know, read from the store: projections of the workloads that are
 * configured, agents, usage of the last days. Between store and alert_rules. A shell
 * file.
 */
#ifndef BREAKEVEN_ALERT_FACTS_H
#define BREAKEVEN_ALERT_FACTS_H

#include "collector/alert_rules.h"
#include "collector/projection/scenario.h"
#include "collector/store.h"

struct alert_source {
    struct store *store;
    const struct price_book *prices; /* NULL: everything is unpriced */
    const struct alert_config *config;
    const struct workload *workload; /* projections of others are left alone */
    size_t workloads;
};

/* `needs` is a set of enum alert_needs; memory of `a`. The store's errors, ST_NOMEM. */
enum status alert_facts_read(const struct alert_source *from, unsigned needs,
                             int64_t now_ms, struct arena *a, struct alert_facts *out);

#endif
