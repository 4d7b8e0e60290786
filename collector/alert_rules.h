/*
 * What is worth an alert: rules as rows of a table, each a pure function from what is
 * known about a workload to "true, false or unknown" with a sentence and its numbers. Fed
 * by alert_job with stored projections. Refuses: to fire, or to resolve, on what it does
 * not know.
 */
#ifndef BREAKEVEN_ALERT_RULES_H
#define BREAKEVEN_ALERT_RULES_H

#include "collector/alert.h"
#include "collector/notify.h"

/* `alerts:` of collector.yaml, per rule. */
struct alert_rule_config {
    bool enabled;
    int64_t for_ms, resolve_ms;
    int64_t within_months; /* breakeven_forecast */
    double probability;    /* breakeven_forecast */
};

struct alert_config {
    struct yaml_list channels; /* struct notify_channel */
    int64_t evaluate_ms;
    struct alert_rule_config crossed, forecast;
};

extern const struct yaml_field alert_fields[];

/* A stored projection document (collector/projection/job.h, projection_json). */
struct alert_facts {
    struct slice workload, projection;
    const char *external_url; /* of the collector; NULL unknown */
};

enum alert_condition { ALERT_FALSE, ALERT_TRUE, ALERT_UNKNOWN };

enum { ALERT_RULES = 2 };

struct alert_rule_row {
    const char *name, *severity;
    const struct alert_rule_config *(*config)(const struct alert_config *c);
    /* Fills summary and values of *m (cleared before) whatever the result. */
    enum alert_condition (*judge)(const struct alert_rule_config *c,
                                  const struct alert_facts *f, struct notify_message *m,
                                  struct buf *summary);
};

extern const struct alert_rule_row alert_rules[ALERT_RULES];

#endif
