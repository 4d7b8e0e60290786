/* The rules: see alert_rules.h. */
#include "collector/alert_rules.h"

#include "common/json_pointer.h"

#include <stdio.h>

#define RULE(member) offsetof(struct alert_rule_config, member)
/* What every rule has. */
#define RULE_FIELDS(text)                                                                \
    { .key = "enabled",                                                                  \
      .type = YAML_BOOL,                                                                 \
      .offset = RULE(enabled),                                                           \
      .fallback = "true",                                                                \
      .help = text },                                                                    \
        { .key = "for",                                                                  \
          .type = YAML_DURATION,                                                         \
          .offset = RULE(for_ms),                                                        \
          .fallback = "0s",                                                              \
          .help = "how long it must hold before the alert fires" },                      \
    {                                                                                    \
        .key = "resolve_after", .type = YAML_DURATION, .offset = RULE(resolve_ms),       \
        .fallback = "2d", .help = "how long it must be over before the alert resolves"   \
    }

static const struct yaml_field crossed_fields[] = {
    RULE_FIELDS("alert when hosting is cheaper at today's volume"),
    { 0 },
};

static const struct yaml_field forecast_fields[] = {
    RULE_FIELDS("alert when a breakeven is likely soon"),
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

#define CONFIG(member) offsetof(struct alert_config, member)
const struct yaml_field alert_fields[] = {
    { .key = "channels",
      .type = YAML_LIST,
      .offset = CONFIG(channels),
      .max = 64,
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
    { .key = "breakeven_crossed",
      .type = YAML_STRUCT,
      .offset = CONFIG(crossed),
      .table = crossed_fields,
      .help = "hosting is cheaper now" },
    { .key = "breakeven_forecast",
      .type = YAML_STRUCT,
      .offset = CONFIG(forecast),
      .table = forecast_fields,
      .help = "hosting will be cheaper soon" },
    { 0 },
};

static const struct alert_rule_config *crossed_config(const struct alert_config *c)
{
    return &c->crossed;
}

static const struct alert_rule_config *forecast_config(const struct alert_config *c)
{
    return &c->forecast;
}

static void add_value(struct notify_message *m, const char *name, double v)
{
    if (m->nvalues < sizeof m->values / sizeof *m->values)
        m->values[m->nvalues++] = (struct notify_value){ name, v };
}

/* The numbers both rules show; false when the document holds no projection. */
static bool read_common(const struct alert_facts *f, struct notify_message *m,
                        char verdict[static 16])
{
    char hold[16];
    struct slice text;
    m->nvalues = 0;
    if (json_pointer(f->projection, "/verdict", hold, sizeof hold - 1, &text) !=
            JSON_STRING ||
        slice_eq(text, SLICE("refused")))
        return false;
    memcpy(verdict, text.p, text.n);
    verdict[text.n] = '\0';
    static const struct {
        const char *name, *pointer;
    } shown[] = {
        { "api_usd_next_month", "/month/1/api/median" },
        { "hosted_usd_next_month", "/month/1/hosted/median" },
        { "threshold_ratio", "/threshold_ratio" },
        { "calls_per_day", "/calls_per_day" },
    };
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        double v = json_pointer_double(f->projection, shown[i].pointer, -1);
        if (v >= 0)
            add_value(m, shown[i].name, v);
    }
    return true;
}

static double value_of(const struct notify_message *m, const char *name)
{
    for (size_t i = 0; i < m->nvalues; i++)
        if (slice_eq(slice_str(m->values[i].name), slice_str(name)))
            return m->values[i].value;
    return 0;
}

static enum alert_condition judge_crossed(const struct alert_rule_config *c,
                                          const struct alert_facts *f,
                                          struct notify_message *m, struct buf *summary)
{
    char verdict[16];
    (void)c;
    if (!read_common(f, m, verdict))
        return ALERT_UNKNOWN;
    bool crossed = slice_eq(slice_str(verdict), SLICE("crossed"));
    buf_addf(
        summary,
        crossed ? "%.*s: hosting your own model is cheaper now, $%.0f against $%.0f next "
                  "month (volume is %.0f %% of the threshold)"
                : "%.*s: hosting your own model is not cheaper any more, $%.0f against "
                  "$%.0f next month (volume is %.0f %% of the threshold)",
        SLICE_FMT(f->workload), value_of(m, "hosted_usd_next_month"),
        value_of(m, "api_usd_next_month"), value_of(m, "threshold_ratio") * 100);
    return crossed ? ALERT_TRUE : ALERT_FALSE;
}

static enum alert_condition judge_forecast(const struct alert_rule_config *c,
                                           const struct alert_facts *f,
                                           struct notify_message *m, struct buf *summary)
{
    char verdict[16], pointer[40];
    if (!read_common(f, m, verdict))
        return ALERT_UNKNOWN;
    snprintf(pointer, sizeof pointer, "/month/%lld/p_crossed",
             (long long)c->within_months);
    double p = json_pointer_double(f->projection, pointer, -1);
    if (p < 0)
        return ALERT_UNKNOWN; /* the horizon is shorter than that */
    add_value(m, "probability", p);
    add_value(m, "within_months", (double)c->within_months);
    buf_addf(
        summary,
        "%.*s: P(hosting your own model becomes cheaper within %lld months) is %.0f %%",
        SLICE_FMT(f->workload), (long long)c->within_months, p * 100);
    bool crossed = slice_eq(slice_str(verdict), SLICE("crossed"));
    return !crossed && p >= c->probability ? ALERT_TRUE : ALERT_FALSE;
}

const struct alert_rule_row alert_rules[ALERT_RULES] = {
    { "breakeven_crossed", "info", crossed_config, judge_crossed },
    { "breakeven_forecast", "info", forecast_config, judge_forecast },
};
