/*
 * What is worth an alert: rules as rows of a table, each a pure function from what is
 * known (alert_facts.c) to alerts with a condition, a sentence and its numbers. Run by
 * alert_job. Refuses: to fire, or to resolve, on what it does not know.
 */
#ifndef BREAKEVEN_ALERT_RULES_H
#define BREAKEVEN_ALERT_RULES_H

#include "collector/alert_set.h"
#include "collector/notify.h"
#include "collector/query.h"

/* `alerts:` of collector.yaml, per rule; a rule reads what its table offers. */
struct alert_rule_config {
    bool enabled;
    int severity; /* enum notify_severity */
    int64_t for_ms, resolve_ms;
    int64_t within_months;       /* breakeven_forecast */
    double probability;          /* breakeven_forecast */
    int64_t after_ms, forget_ms; /* agent_silent */
    double share;                /* usage_quality */
    int64_t min_calls;           /* usage_quality, volume_anomaly: a day */
    double deviations, change;   /* volume_anomaly */
};

/* `alerts.budgets`, by workload. */
struct alert_budget {
    const char *workload;
    double monthly_usd;
    struct yaml_strings at; /* "80%": thresholds, in percent of it */
    int line;
};

struct alert_config {
    struct yaml_list channels; /* struct notify_channel */
    struct yaml_list budgets;  /* struct alert_budget */
    int64_t evaluate_ms, group_wait_ms, give_up_ms;
    struct alert_rule_config crossed, forecast, budget, anomaly, silent, unpriced,
        quality, drops;
};

extern const struct yaml_field alert_fields[];

/* ST_CONFIG and a sentence in `why`: what the tables alone cannot see. */
enum status alert_config_check(const struct alert_config *c, const char *file,
                               struct buf *why);

/* "80%", "120 %" or "95" as a share of 1; false: not one above 0 and up to 1000 %. */
bool alert_threshold(const char *text, double *out);

/* --- what is known --------------------------------------------------------------------
 */

struct alert_projection {
    struct slice workload, json; /* collector/projection/job.h, projection_json */
};

struct alert_agent {
    struct slice name, version, health;
    int64_t last_seen; /* Unix seconds */
};

enum { ALERT_HISTORY_DAYS = 57 };

struct alert_facts {
    int64_t now_ms;
    const struct alert_config *config;
    const struct alert_projection *projection;
    size_t projections;
    const struct alert_agent *agent;
    size_t agents;
    struct query_result recent;  /* yesterday and today by app, provider, model */
    struct query_result history; /* ALERT_HISTORY_DAYS by day and app, today included */
};

/* Which facts a rule reads, so that nobody asks the store for others. */
enum alert_needs {
    ALERT_NEEDS_AGENTS = 1,
    ALERT_NEEDS_RECENT = 2,
    ALERT_NEEDS_HISTORY = 4
};

struct alert_rule_row {
    const char *name;
    size_t config;    /* offsetof its alert_rule_config in struct alert_config */
    unsigned needs;   /* besides projections */
    bool grouped;     /* one incident for all of its alerts, not one each */
    const char *page; /* view of the web page that shows it */
    /* Sets condition, summary and values of each alert that it knows of. */
    void (*judge)(const struct alert_rule_config *c, const struct alert_facts *f,
                  struct alert_set *s);
};

enum { ALERT_RULES = 8 };
extern const struct alert_rule_row alert_rules[ALERT_RULES];

/* Of alert_rules_usage.c. */
void alert_judge_anomaly(const struct alert_rule_config *c, const struct alert_facts *f,
                         struct alert_set *s);
void alert_judge_silent(const struct alert_rule_config *c, const struct alert_facts *f,
                        struct alert_set *s);
void alert_judge_unpriced(const struct alert_rule_config *c, const struct alert_facts *f,
                          struct alert_set *s);
void alert_judge_quality(const struct alert_rule_config *c, const struct alert_facts *f,
                         struct alert_set *s);
void alert_judge_drops(const struct alert_rule_config *c, const struct alert_facts *f,
                       struct alert_set *s);

static inline const struct alert_rule_config *
alert_rule_config(const struct alert_config *c, const struct alert_rule_row *row)
{
    return (const struct alert_rule_config *)(const void *)((const char *)c +
                                                            row->config);
}

#endif
