/* The table of rules, and those that read projections: see alert_rules.h. */
#include "collector/alert_rules.h"

#include "common/json_pointer.h"

#include <stdio.h>

static enum alert_condition truth(bool v)
{
    return v ? ALERT_TRUE : ALERT_FALSE;
}

/* --- breakeven ------------------------------------------------------------------------
 */

/* The numbers both rules show; false when the document holds no projection, or none that
 * says who is cheaper. */
static bool read_common(const struct alert_projection *p, struct alert_entry *e,
                        char verdict[static 16])
{
    char hold[16];
    struct slice text;
    if (json_pointer(p->json, "/verdict", hold, sizeof hold - 1, &text) != JSON_STRING ||
        slice_eq(text, SLICE("refused")) || slice_eq(text, SLICE("open")))
        return false; /* open: too much has no price to say either */
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
        double v = json_pointer_double(p->json, shown[i].pointer, -1);
        if (v >= 0)
            alert_entry_value(e, shown[i].name, v);
    }
    return true;
}

/* The alert of a workload; its condition is unknown until somebody says better. */
static struct alert_entry *of_workload(struct alert_set *s, struct slice workload)
{
    struct alert_label l = { "workload", workload };
    struct alert_entry *e = alert_set_get(s, &l, 1);
    if (e) {
        e->condition = ALERT_UNKNOWN;
        e->values = 0;
    }
    return e;
}

static void judge_crossed(const struct alert_rule_config *c, const struct alert_facts *f,
                          struct alert_set *s)
{
    (void)c;
    for (size_t i = 0; i < f->projections; i++) {
        const struct alert_projection *p = &f->projection[i];
        struct alert_entry *e = of_workload(s, p->workload);
        char verdict[16];
        if (!e || !read_common(p, e, verdict))
            continue;
        bool crossed = slice_eq(slice_str(verdict), SLICE("crossed"));
        alert_entry_say(s, e,
                        "%.*s: hosting your own model is %s, $%.0f against $%.0f next "
                        "month (volume is %.0f %% of the threshold)",
                        SLICE_FMT(e->label[0].value),
                        crossed ? "cheaper now" : "not cheaper any more",
                        alert_entry_number(e, "hosted_usd_next_month", 0),
                        alert_entry_number(e, "api_usd_next_month", 0),
                        alert_entry_number(e, "threshold_ratio", 0) * 100);
        e->condition = truth(crossed);
    }
}

/* "; half of the futures by 2027-03; setup earned back within 12 months: 15 %". */
static void say_when(struct slice json, struct alert_entry *e, struct buf *out)
{
    char hold[16];
    struct slice day;
    double paid = json_pointer_double(json, "/payback/p12", -1);
    double setup = json_pointer_double(json, "/scenario/setup/value", 0);
    if (json_pointer(json, "/crossing/q50", hold, sizeof hold - 1, &day) == JSON_STRING)
        buf_addf(out, "; half of the futures by %.*s", SLICE_FMT(slice_head(day, 7)));
    if (paid < 0 || setup <= 0)
        return;
    alert_entry_value(e, "payback_probability_12_months", paid);
    buf_addf(out, "; setup of $%.0f earned back within 12 months: %.0f %%", setup,
             paid * 100);
}

static void judge_forecast(const struct alert_rule_config *c, const struct alert_facts *f,
                           struct alert_set *s)
{
    for (size_t i = 0; i < f->projections; i++) {
        const struct alert_projection *p = &f->projection[i];
        struct alert_entry *e = of_workload(s, p->workload);
        char verdict[16], pointer[40];
        if (!e || !read_common(p, e, verdict))
            continue;
        snprintf(pointer, sizeof pointer, "/month/%lld/p_crossed",
                 (long long)c->within_months);
        double chance = json_pointer_double(p->json, pointer, -1);
        if (chance < 0)
            continue; /* the horizon is shorter than that */
        alert_entry_value(e, "probability", chance);
        alert_entry_value(e, "within_months", (double)c->within_months);
        struct buf dates = { 0 };
        say_when(p->json, e, &dates);
        alert_entry_say(s, e,
                        "%.*s: P(hosting your own model becomes cheaper within %lld "
                        "months) is %.0f %%%s",
                        SLICE_FMT(e->label[0].value), (long long)c->within_months,
                        chance * 100, buf_cstr(&dates));
        buf_release(&dates);
        bool crossed = slice_eq(slice_str(verdict), SLICE("crossed"));
        e->condition = truth(!crossed && chance >= c->probability);
    }
}

/* --- budgets --------------------------------------------------------------------------
 */

bool alert_threshold(const char *text, double *out)
{
    char tail[8] = "";
    double percent;
    int n = sscanf(text, "%lf %7s", &percent, tail);
    if (n < 1 || (n == 2 && strcmp(tail, "%") != 0) || !(percent > 0 && percent <= 1000))
        return false;
    *out = percent / 100;
    return true;
}

/* The dearer of this calendar month and the next, as the projection expects them. */
static double forecast_usd(struct slice json, bool *next, double *high)
{
    double usd = -1;
    for (int m = 0; m < 2; m++) {
        char pointer[40];
        snprintf(pointer, sizeof pointer, "/month/%d/api/median", m);
        double v = json_pointer_double(json, pointer, -1);
        if (v <= usd)
            continue;
        snprintf(pointer, sizeof pointer, "/month/%d/api/hi80", m);
        usd = v;
        *high = json_pointer_double(json, pointer, v);
        *next = m == 1;
    }
    return usd;
}

static void judge_threshold(const struct alert_budget *b, const char *at,
                            struct slice json, struct alert_set *s)
{
    struct alert_label l[] = { { "workload", slice_str(b->workload) },
                               { "threshold", slice_str(at) } };
    struct alert_entry *e = alert_set_get(s, l, 2);
    double share, high = 0;
    bool next = false;
    if (!e || !alert_threshold(at, &share))
        return;
    e->condition = ALERT_UNKNOWN;
    e->values = 0;
    double usd = forecast_usd(json, &next, &high);
    if (usd < 0 || json_pointer_double(json, "/unpriced_share", 0) >= 1)
        return;
    /* What fires stays until the forecast is clearly below. */
    double least = share * b->monthly_usd * (e->a.phase == ALERT_FIRING ? 0.97 : 1);
    alert_entry_value(e, "budget_usd", b->monthly_usd);
    alert_entry_value(e, "forecast_usd", usd);
    alert_entry_value(e, "forecast_usd_high", high);
    alert_entry_value(e, "budget_ratio", usd / b->monthly_usd);
    e->condition = truth(usd >= least);
    alert_entry_say(s, e,
                    "%.*s: %s is forecast at $%.0f, %.0f %% of the budget of $%.0f (%s "
                    "%.0f %%; 9 in 10 that it stays below $%.0f)",
                    SLICE_FMT(e->label[0].value), next ? "next month" : "this month", usd,
                    100 * usd / b->monthly_usd, b->monthly_usd,
                    e->condition == ALERT_TRUE ? "at or over" : "below", 100 * share,
                    high);
}

static void judge_budget(const struct alert_rule_config *c, const struct alert_facts *f,
                         struct alert_set *s)
{
    const struct alert_budget *b = f->config->budgets.at;
    (void)c;
    for (size_t i = 0; i < f->config->budgets.n; i++)
        for (size_t p = 0; p < f->projections; p++)
            if (slice_eq(f->projection[p].workload, slice_str(b[i].workload)))
                for (size_t t = 0; t < b[i].at.n; t++)
                    judge_threshold(&b[i], b[i].at.at[t], f->projection[p].json, s);
}

/* --- table ----------------------------------------------------------------------------
 */

#define OF(member) offsetof(struct alert_config, member)
const struct alert_rule_row alert_rules[ALERT_RULES] = {
    { "breakeven_crossed", OF(crossed), 0, false, "breakeven", judge_crossed },
    { "breakeven_forecast", OF(forecast), 0, false, "breakeven", judge_forecast },
    { "budget_forecast", OF(budget), 0, false, "breakeven", judge_budget },
    { "volume_anomaly", OF(anomaly), ALERT_NEEDS_HISTORY, false, "usage",
      alert_judge_anomaly },
    { "agent_silent", OF(silent), ALERT_NEEDS_AGENTS, true, "agents",
      alert_judge_silent },
    { "unpriced_model", OF(unpriced), ALERT_NEEDS_RECENT, true, "usage",
      alert_judge_unpriced },
    { "usage_quality", OF(quality), ALERT_NEEDS_RECENT, true, "usage",
      alert_judge_quality },
    { "capture_drops", OF(drops), ALERT_NEEDS_AGENTS, true, "agents", alert_judge_drops },
};
