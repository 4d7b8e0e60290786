/* The tables of `alerts:` in collector.yaml: see alert_rules.h. */
#include "collector/alert_rules.h"

#include <stdio.h>

#define RULE(member) offsetof(struct alert_rule_config, member)
/* What every rule has. */
#define RULE_FIELDS(on, text, level, hold, over)                                         \
    { .key = "enabled",                                                                  \
      .type = YAML_BOOL,                                                                 \
      .offset = RULE(enabled),                                                           \
      .fallback = on,                                                                    \
      .help = text },                                                                    \
        { .key = "severity",                                                             \
          .type = YAML_ENUM,                                                             \
          .offset = RULE(severity),                                                      \
          .fallback = level,                                                             \
          .names = notify_severities,                                                    \
          .help = "how urgent; PagerDuty's words" },                                     \
        { .key = "for",                                                                  \
          .type = YAML_DURATION,                                                         \
          .offset = RULE(for_ms),                                                        \
          .fallback = hold,                                                              \
          .help = "how long it must hold before the alert fires" },                      \
    {                                                                                    \
        .key = "resolve_after", .type = YAML_DURATION, .offset = RULE(resolve_ms),       \
        .fallback = over, .help = "how long it must be over before the alert resolves"   \
    }

static const struct yaml_field crossed_fields[] = {
    RULE_FIELDS("true", "alert when hosting is cheaper at today's volume", "info", "0s",
                "2d"),
    { 0 },
};

static const struct yaml_field forecast_fields[] = {
    RULE_FIELDS("true", "alert when a breakeven is likely soon", "info", "0s", "2d"),
    { .key = "within_months",
      .type = YAML_INT,
      .offset = RULE(within_months),
      .fallback = "6",
      .min = 1,
      .max = 24,
      .help = "how many months ahead to look" },
    { .key = "probability",
      .type = YAML_DECIMAL,
      .offset = RULE(probability),
      .fallback = "0.8",
      .min = 0.01,
      .max = 1,
      .help = "least probability of a crossing within these months" },
    { 0 },
};

static const struct yaml_field budget_fields[] = {
    RULE_FIELDS("true", "alert when a forecast reaches a threshold of alerts.budgets",
                "warning", "0s", "6h"),
    { 0 },
};

static const struct yaml_field anomaly_fields[] = {
    RULE_FIELDS("true", "alert when an app's calls of a day are far from what is usual",
                "warning", "0s", "1h"),
    { .key = "min_calls",
      .type = YAML_INT,
      .offset = RULE(min_calls),
      .fallback = "1000",
      .min = 0,
      .max = 1e15,
      .help = "calls a day, expected and seen together, below which nothing is odd" },
    { .key = "deviations",
      .type = YAML_DECIMAL,
      .offset = RULE(deviations),
      .fallback = "5",
      .min = 1,
      .max = 100,
      .help = "robust standard deviations that make a day odd" },
    { .key = "change",
      .type = YAML_DECIMAL,
      .offset = RULE(change),
      .fallback = "1",
      .min = 0.05,
      .max = 1000,
      .help = "and at least this change: 1 is twice, or half" },
    { 0 },
};

static const struct yaml_field silent_fields[] = {
    RULE_FIELDS("true", "alert when an agent sends nothing any more", "warning", "0s",
                "0s"),
    { .key = "after",
      .type = YAML_DURATION,
      .offset = RULE(after_ms),
      .fallback = "15m",
      .min = 1000,
      .max = 3456e7,
      .help = "silence that counts; agents send at least once a minute" },
    { .key = "forget",
      .type = YAML_DURATION,
      .offset = RULE(forget_ms),
      .fallback = "14d",
      .min = 2000,
      .max = 3456e7,
      .help = "silence after which the agent is taken for removed" },
    { 0 },
};

static const struct yaml_field unpriced_fields[] = {
    RULE_FIELDS("true", "alert when a model in use has no price", "warning", "10m", "0s"),
    { 0 },
};

static const struct yaml_field quality_fields[] = {
    RULE_FIELDS("true", "alert when too much of an app's usage is not exact", "warning",
                "1h", "1h"),
    { .key = "share",
      .type = YAML_DECIMAL,
      .offset = RULE(share),
      .fallback = "0.2",
      .min = 0.001,
      .max = 1,
      .help = "most calls with estimated or missing usage, of 1" },
    { .key = "min_calls",
      .type = YAML_INT,
      .offset = RULE(min_calls),
      .fallback = "100",
      .min = 1,
      .max = 1e15,
      .help = "calls since yesterday below which nothing is said" },
    { 0 },
};

static const struct yaml_field drop_fields[] = {
    RULE_FIELDS("true", "alert when an agent loses what it should count", "error", "0s",
                "0s"),
    { .key = "after",
      .type = YAML_DURATION,
      .offset = RULE(after_ms),
      .fallback = "1h",
      .min = 1000,
      .max = 3456e7,
      .help = "time without further drops after which it is over" },
    { 0 },
};

static const struct yaml_field budget_entry_fields[] = {
    { .type = YAML_NAME, .key = "", .offset = offsetof(struct alert_budget, workload) },
    { .type = YAML_LINE, .key = "", .offset = offsetof(struct alert_budget, line) },
    { .key = "monthly_usd",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct alert_budget, monthly_usd),
      .min = 0.01,
      .max = 1e12,
      .required = true,
      .help = "US dollars a calendar month" },
    { .key = "at",
      .type = YAML_STRINGS,
      .offset = offsetof(struct alert_budget, at),
      .fallback = "[80%, 100%]",
      .help = "thresholds, each an alert of its own" },
    { 0 },
};

#define CONFIG(member) offsetof(struct alert_config, member)
#define SECTION(name, member, fields, text)                                              \
    {                                                                                    \
        .key = name, .type = YAML_STRUCT, .offset = CONFIG(member), .table = fields,     \
        .help = text                                                                     \
    }
const struct yaml_field alert_fields[] = {
    { .key = "channels",
      .type = YAML_LIST,
      .offset = CONFIG(channels),
      .max = ALERT_CHANNELS_MAX,
      .table = notify_channel_fields,
      .size = sizeof(struct notify_channel),
      .help = "where messages go; none: alerts are only shown" },
    { .key = "evaluate",
      .type = YAML_DURATION,
      .offset = CONFIG(evaluate_ms),
      .fallback = "30s",
      .min = 100,
      .max = 3600000,
      .help = "time between two looks at the rules" },
    { .key = "group_wait",
      .type = YAML_DURATION,
      .offset = CONFIG(group_wait_ms),
      .fallback = "90s",
      .max = 3600000,
      .help = "how long a message about agents or models waits for others like it" },
    { .key = "give_up",
      .type = YAML_DURATION,
      .offset = CONFIG(give_up_ms),
      .fallback = "1d",
      .min = 1000,
      .max = 3456e7,
      .help = "how long a message is tried on a channel that fails" },
    { .key = "budgets",
      .type = YAML_MAP,
      .offset = CONFIG(budgets),
      .table = budget_entry_fields,
      .size = sizeof(struct alert_budget),
      .help = "by workload: what its API calls may cost" },
    SECTION("breakeven_crossed", crossed, crossed_fields, "hosting is cheaper now"),
    SECTION("breakeven_forecast", forecast, forecast_fields,
            "hosting will be cheaper soon"),
    SECTION("budget_forecast", budget, budget_fields,
            "this month or the next is forecast "
            "over a budget"),
    SECTION("volume_anomaly", anomaly, anomaly_fields, "an unusual day"),
    SECTION("agent_silent", silent, silent_fields, "an agent is gone"),
    SECTION("unpriced_model", unpriced, unpriced_fields, "cost is incomplete"),
    SECTION("usage_quality", quality, quality_fields, "usage is estimated or missing"),
    SECTION("capture_drops", drops, drop_fields, "calls are not counted"),
    { 0 },
};

static enum status check_channels(const struct alert_config *c, const char *file,
                                  struct buf *why)
{
    const struct notify_channel *ch = c->channels.at;
    for (size_t i = 0; i < c->channels.n; i++) {
        enum status st = notify_channel_check(&ch[i], file, why);
        if (st != ST_OK)
            return st;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(ch[k].name, ch[i].name) != 0)
                continue;
            buf_addf(why, "%s:%d: alerts.channels: a second channel named '%s'", file,
                     ch[i].line, ch[i].name);
            return ST_CONFIG;
        }
    }
    return ST_OK;
}

enum status alert_config_check(const struct alert_config *c, const char *file,
                               struct buf *why)
{
    const struct alert_budget *b = c->budgets.at;
    double share;
    for (size_t i = 0; i < c->budgets.n; i++) {
        for (size_t t = 0; t < b[i].at.n; t++) {
            if (alert_threshold(b[i].at.at[t], &share))
                continue;
            buf_addf(
                why,
                "%s:%d: alerts.budgets.%s: at: found '%s', allowed a percentage like "
                "80%%, up to 1000%%",
                file, b[i].line, b[i].workload, b[i].at.at[t]);
            return ST_CONFIG;
        }
    }
    if (c->silent.forget_ms <= c->silent.after_ms) {
        buf_addf(why, "%s: alerts.agent_silent: forget must be longer than after", file);
        return ST_CONFIG;
    }
    return check_channels(c, file, why);
}
