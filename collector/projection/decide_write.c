/* A decision as JSON and as Markdown: see decide.h. Names are foreign text. */
#include "collector/projection/decide.h"

#include <math.h>

#include "common/instant.h"
#include "common/json.h"

#define NS_PER_S INT64_C(1000000000)

static void text(struct json_out *o, const char *key, const char *s)
{
    json_key(o, key);
    json_str(o, slice_str(s));
}

/* -1 is "unknown": null. */
static void num(struct json_out *o, const char *key, double v)
{
    json_key(o, key);
    if (v < 0)
        json_null(o);
    else
        json_num(o, v);
}

static void list(struct json_out *o, const char *key, const char *const *item)
{
    json_key(o, key);
    if (!item) {
        json_null(o);
        return;
    }
    json_open(o, '[');
    for (; *item; item++)
        json_str(o, slice_str(*item));
    json_close(o, ']');
}

static void day(struct json_out *o, const char *key, int64_t at)
{
    struct buf b = { 0 };

    json_key(o, key);
    if (at == 0) {
        json_null(o);
        return;
    }
    instant_format_day(at * NS_PER_S, &b);
    json_str(o, buf_slice(&b));
    buf_release(&b);
}

/* --- inputs, one list for both forms --------------------------------------------------
 */

#define SCENARIO_INPUTS(X)                                                               \
    X(monthly_fixed)                                                                     \
    X(setup)                                                                             \
    X(gpu_hour)                                                                          \
    X(gpus_per_replica)                                                                  \
    X(output_tokens_per_s)                                                               \
    X(input_tokens_per_s)                                                                \
    X(requests_per_s)                                                                    \
    X(headroom)                                                                          \
    X(min_replicas)                                                                      \
    X(coverage)                                                                          \
    X(escalation)                                                                        \
    X(retrain)                                                                           \
    X(retrain_months)                                                                    \
    X(api_price_change)                                                                  \
    X(gpu_price_change)

static void scenario_object(struct json_out *o, const struct scenario *s)
{
    json_key(o, "scenario");
    json_open(o, '{');
    text(o, "gpu", s->gpu ? s->gpu : "");
    text(o, "capacity", hosted_capacity_name(s->capacity));
#define X(field)                                                                         \
    json_key(o, #field);                                                                 \
    json_num(o, s->field.v);
    SCENARIO_INPUTS(X)
#undef X
    json_close(o, '}');
}

static void declared_object(struct json_out *o, const struct decision_declared *d)
{
    json_key(o, "declared");
    json_open(o, '{');
    text(o, "privacy", need_names[d->privacy]);
    text(o, "latency", need_names[d->latency]);
    text(o, "output_control", need_names[d->output_control]);
    text(o, "task", task_names[d->task]);
    text(o, "mlops", mlops_names[d->mlops]);
    text(o, "stability", stability_names[d->stability]);
    text(o, "test", test_names[d->test]);
    num(o, "examples", (double)d->examples);
    json_close(o, '}');
}

static void projection_object(struct json_out *o, const struct projection_result *r)
{
    json_key(o, "projection");
    json_open(o, '{');
    text(o, "verdict", projection_verdict_name(r->verdict));
    text(o, "reason", r->reason ? r->reason : "");
    num(o, "days", r->days);
    num(o, "calls_per_day", r->calls_per_day);
    num(o, "usd_per_day", r->usd_per_day);
    if (r->verdict != PROJECTION_REFUSED) {
        num(o, "threshold_calls_per_day", r->threshold_calls_per_day);
        num(o, "threshold_ratio", r->threshold_ratio);
        num(o, "crossing_months50", r->crossing.months50);
        num(o, "payback_months50", r->payback.months50);
        num(o, "crossing_p12", r->crossing.p12);
        json_key(o, "saving12");
        json_num(o, r->saving12.median);
    }
    json_close(o, '}');
}

static void criteria_array(struct json_out *o, const struct decision *d)
{
    json_key(o, "criteria");
    json_open(o, '[');
    for (int i = 0; i < CRITERIA; i++) {
        const struct criterion *c = &d->criterion[i];
        json_open(o, '{');
        text(o, "name", c->name);
        text(o, "mark", mark_name(c->mark));
        num(o, "weight", c->weight);
        text(o, "origin", c->origin);
        text(o, "evidence", c->evidence);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void test_object(struct json_out *o, const struct decision *d)
{
    const struct compare_result *t = d->measured;

    json_key(o, "test");
    json_open(o, '{');
    text(o, "state", test_names[d->test]);
    text(o, "origin", d->test_origin);
    text(o, "reason", d->test_reason);
    num(o, "examples", t ? (double)t->examples : -1);
    num(o, "examples_wanted", DECIDE_EXAMPLES);
    text(o, "quality", t ? compare_verdict_name(t->quality) : "unknown");
    num(o, "api_calls", t ? (double)t->calls[COMPARE_API] : -1);
    num(o, "specialist_calls", t ? (double)t->calls[COMPARE_SPECIALIST] : -1);
    json_close(o, '}');
}

static void point_object(struct json_out *o, const char *key, const struct radar_point *p)
{
    json_key(o, key);
    json_open(o, '{');
    num(o, "value", p->v);
    text(o, "origin", p->v < 0 ? "unknown" : input_origin_name(p->origin));
    text(o, "source", p->source);
    json_close(o, '}');
}

static void radar_array(struct json_out *o, const struct decision *d)
{
    json_key(o, "radar");
    json_open(o, '[');
    for (int i = 0; i < RADAR_AXES; i++) {
        json_open(o, '{');
        text(o, "axis", d->radar[i].name);
        point_object(o, "api", &d->radar[i].api);
        point_object(o, "specialist", &d->radar[i].specialist);
        json_close(o, '}');
    }
    json_close(o, ']');
}

void decision_json(const struct decision *d, const struct decision_versions *v,
                   const char *const *changes, struct buf *out)
{
    struct json_out o = { .b = out };
    struct buf at = { 0 };

    json_open(&o, '{');
    text(&o, "workload", d->projection->workload);
    instant_format(d->projection->at * NS_PER_S, &at);
    text(&o, "at", buf_cstr(&at));
    buf_release(&at);
    text(&o, "program", v->program);
    day(&o, "price_book", v->price_book);
    text(&o, "recommendation", recommendation_name(d->recommendation));
    text(&o, "reason", d->reason);
    text(&o, "stage", stage_name(d->stage));
    list(&o, "missing", d->missing);
    num(&o, "score", d->score);
    text(&o, "arithmetic", d->arithmetic);
    test_object(&o, d);
    criteria_array(&o, d);
    radar_array(&o, d);
    projection_object(&o, d->projection);
    scenario_object(&o, &d->projection->scenario);
    declared_object(&o, d->declared);
    list(&o, "changes", changes);
    json_close(&o, '}');
}

/* --- Markdown -------------------------------------------------------------------------
 */

/* Text as text: nothing in it is markup, HTML or a new line. */
static void md(struct buf *out, const char *s)
{
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '<')
            buf_adds(out, "&lt;");
        else if (c == '>')
            buf_adds(out, "&gt;");
        else if (c == '&')
            buf_adds(out, "&amp;");
        else if (c < 0x20 || c == 0x7f)
            buf_addc(out, ' ');
        else {
            if (strchr("\\`*_{}[]()#!|~", c))
                buf_addc(out, '\\');
            buf_addc(out, (char)c);
        }
    }
}

static void md_items(struct buf *out, const char *const *item, const char *none)
{
    if (!item || !*item)
        buf_addf(out, "%s\n", none);
    for (; item && *item; item++) {
        buf_adds(out, "- ");
        md(out, *item);
        buf_addc(out, '\n');
    }
}

static void md_criteria(struct buf *out, const struct decision *d)
{
    buf_adds(out, "\n## Criteria\n\n| criterion | weight | speaks | origin | evidence |\n"
                  "|---|---|---|---|---|\n");
    for (int i = 0; i < CRITERIA; i++) {
        const struct criterion *c = &d->criterion[i];
        buf_addf(out, "| %s | %d | %s | %s | ", c->name, c->weight, mark_name(c->mark),
                 c->origin);
        md(out, c->evidence);
        buf_adds(out, " |\n");
    }
    if (d->score >= 0)
        buf_addf(out, "\nScore %.2f of 1: %s.\n", d->score, d->arithmetic);
    else
        buf_adds(out, "\nNo score: nothing is known.\n");
}

static void md_point(struct buf *out, const struct radar_point *p)
{
    if (p->v < 0)
        buf_adds(out, "unknown (");
    else
        buf_addf(out, "%.2f (%s: ", p->v, input_origin_name(p->origin));
    md(out, p->source);
    buf_adds(out, ") | ");
}

static void md_radar(struct buf *out, const struct decision *d)
{
    buf_adds(out, "\n## Both paths, 0 poor to 1 good\n\n| axis | API | specialist |\n"
                  "|---|---|---|\n");
    for (int i = 0; i < RADAR_AXES; i++) {
        buf_addf(out, "| %s | ", d->radar[i].name);
        md_point(out, &d->radar[i].api);
        md_point(out, &d->radar[i].specialist);
        out->n -= out->st ? 0 : 1; /* the blank behind the last bar */
        buf_addc(out, '\n');
    }
}

static void md_input(struct buf *out, const char *name, struct input in)
{
    buf_addf(out, "| %s | %.6g | %s |\n", name, in.v, input_origin_name(in.origin));
}

static void md_inputs(struct buf *out, const struct decision *d)
{
    const struct projection_result *r = d->projection;
    const struct scenario *s = &r->scenario;

    buf_adds(out, "\n## Inputs\n\n| input | value | origin |\n|---|---|---|\n");
    buf_addf(out,
             "| calls a day | %.6g | measured |\n| API USD a day | %.6g | measured |\n",
             r->calls_per_day, r->usd_per_day);
    buf_adds(out, "| verdict of the projection | ");
    buf_addf(out, "%s | measured |\n| GPU | ", projection_verdict_name(r->verdict));
    md(out, s->gpu ? s->gpu : "none");
    buf_addf(out, " | %s |\n| capacity | %s | scenario |\n",
             s->gpu ? "declared" : "default", hosted_capacity_name(s->capacity));
#define X(field) md_input(out, #field, s->field);
    SCENARIO_INPUTS(X)
#undef X
}

void decision_markdown(const struct decision *d, const struct decision_versions *v,
                       const char *const *changes, struct buf *out)
{
    const struct projection_result *r = d->projection;

    buf_adds(out, "# Decision: ");
    md(out, r->workload);
    buf_adds(out, "\n\n**");
    md(out, recommendation_name(d->recommendation));
    buf_adds(out, "**. ");
    md(out, d->reason);
    buf_addf(out, "\n\nStep: %s (of prototype, measure, test, migrate).\n\n",
             stage_name(d->stage));
    buf_adds(out, "Made ");
    instant_format(r->at * NS_PER_S, out);
    buf_addf(out, " by breakeven-collector %s, prices of ", v->program);
    if (v->price_book)
        instant_format_day(v->price_book * NS_PER_S, out);
    else
        buf_adds(out, "an unknown day");
    buf_addf(out, ".\n\nTest: %s (%s): ", test_names[d->test], d->test_origin);
    md(out, d->test_reason);
    if (d->measured)
        buf_addf(out, "; %llu of %d examples (%s)",
                 (unsigned long long)d->measured->examples, DECIDE_EXAMPLES,
                 d->measured->example_of);
    buf_adds(out, ".\n\n## Missing for the next step\n\n");
    md_items(out, d->missing, "Nothing.");
    md_criteria(out, d);
    md_radar(out, d);
    md_inputs(out, d);
    buf_adds(out, "\n## Changes since the last record\n\n");
    md_items(out, changes, changes ? "None." : "This is the first record.");
}
