/* A comparison as JSON and as a table. */
#include "collector/projection/compare_job.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/instant.h"
#include "common/json.h"

static void put_str(struct json_out *o, const char *key, const char *text)
{
    json_key(o, key);
    text ? json_str(o, slice_str(text)) : json_null(o);
}

static void put_num(struct json_out *o, const char *key, double v)
{
    json_key(o, key);
    json_num(o, v);
}

static void put_u64(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

static void put_time(struct json_out *o, const char *key, int64_t at)
{
    struct buf b = { 0 };

    instant_format(at * 1000000000, &b);
    put_str(o, key, buf_cstr(&b));
    buf_release(&b);
}

static void put_value(struct json_out *o, const char *key, const struct compare_value *v,
                      bool counted)
{
    json_key(o, key);
    json_open(o, '{');
    put_num(o, "value", v->v);
    put_num(o, "lo95", v->lo);
    put_num(o, "hi95", v->hi);
    if (counted)
        put_u64(o, "n", v->n);
    json_close(o, '}');
}

static void put_line(struct json_out *o, const struct compare_line *l)
{
    json_open(o, '{');
    put_str(o, "name", l->name);
    put_str(o, "unit", l->unit);
    put_str(o, "source", l->score ? "score" : "metered");
    put_str(o, "sample", l->sample);
    for (int s = 0; s < COMPARE_SIDES; s++)
        put_value(o, compare_side_name((enum compare_side)s), &l->arm[s], true);
    put_value(o, "difference", &l->difference, false);
    put_num(o, "margin", l->margin);
    put_str(o, "verdict", compare_verdict_name(l->verdict));
    put_num(o, "needed", l->needed < 0 ? NAN : l->needed);
    json_close(o, '}');
}

void compare_json(const struct compare_report *r, struct buf *out)
{
    struct json_out o = { .b = out };

    json_open(&o, '{');
    put_str(&o, "workload", r->workload);
    put_time(&o, "at", r->at);
    put_time(&o, "from", r->from);
    put_time(&o, "to", r->to);
    put_num(&o, "api_calls_per_day", r->calls_day[COMPARE_API]);
    put_num(&o, "specialist_calls_per_day", r->calls_day[COMPARE_SPECIALIST]);
    put_num(&o, "full_calls_per_day", r->full_day);
    put_num(&o, "unpriced_share", r->unpriced);
    put_num(&o, "margin", r->margin);
    put_num(&o, "rate_margin", r->rate_margin);
    put_str(&o, "quality_metric", r->quality_metric);
    put_str(&o, "quality", compare_verdict_name(r->result.quality));
    put_str(&o, "test", test_names[r->result.test]);
    put_str(&o, "test_reason", r->result.reason);
    json_key(&o, "load");
    json_str(&o, slice_str(r->load_measured ? "measured" : "even"));
    put_u64(&o, "api_calls", r->result.calls[COMPARE_API]);
    put_u64(&o, "specialist_calls", r->result.calls[COMPARE_SPECIALIST]);
    put_num(&o, "quality_target", r->quality_target > 0 ? r->quality_target : NAN);
    put_str(&o, "quality_target_state", compare_target_name(r->result.target));
    put_u64(&o, "examples", r->result.examples);
    put_u64(&o, "examples_wanted", COMPARE_EXAMPLES);
    put_str(&o, "examples_of", r->result.example_of);
    json_key(&o, "line");
    json_open(&o, '[');
    for (size_t i = 0; i < r->result.lines; i++)
        put_line(&o, &r->result.line[i]);
    json_close(&o, ']');
    json_close(&o, '}');
}

/* "0.812 [0.79, 0.83]"; shares in percent. */
static void format_value(const struct compare_value *v, const char *unit, char *out,
                         size_t n)
{
    double by = strcmp(unit, "share") == 0 ? 100 : 1;
    const char *sign = by > 1 ? " %" : "";

    if (isnan(v->v))
        snprintf(out, n, "-");
    else if (isnan(v->lo) && isnan(v->hi))
        snprintf(out, n, "%.4g%s", v->v * by, sign);
    else if (v->lo == v->hi)
        snprintf(out, n, "%.4g%s", v->v * by, sign);
    else {
        char lo[24] = "?", hi[24] = "?"; /* beyond the sample */
        if (!isnan(v->lo))
            snprintf(lo, sizeof lo, "%.3g", v->lo * by);
        if (!isnan(v->hi))
            snprintf(hi, sizeof hi, "%.3g", v->hi * by);
        snprintf(out, n, "%.4g%s [%s, %s]", v->v * by, sign, lo, hi);
    }
}

static void text_line(const struct compare_line *l, struct buf *out)
{
    char a[80], b[80], d[80], name[64];

    snprintf(name, sizeof name, "%s (%s)", l->name, l->unit);
    format_value(&l->arm[COMPARE_API], l->unit, a, sizeof a);
    format_value(&l->arm[COMPARE_SPECIALIST], l->unit, b, sizeof b);
    format_value(&l->difference, l->unit, d, sizeof d);
    buf_addf(out, "%-28s %-26s %-26s %-26s %s", name, a, b, d,
             compare_verdict_name(l->verdict));
    if (l->verdict == COMPARE_NOT_YET && l->needed >= 0)
        buf_addf(out, ", about %.0f %s needed", l->needed, l->sample);
    buf_addc(out, '\n');
}

void compare_text(const struct compare_report *r, struct buf *out)
{
    buf_addf(out, "%s: API against specialist, ", r->workload);
    instant_format_day(r->from * 1000000000, out);
    buf_adds(out, " to ");
    instant_format_day((r->to - 1) * 1000000000, out);
    buf_addf(out, "\n%.1f and %.1f calls a day; 95 %% intervals; equal: within %g %%\n",
             r->calls_day[COMPARE_API], r->calls_day[COMPARE_SPECIALIST],
             100 * r->margin);
    buf_addf(out, "%-28s %-26s %-26s %-26s %s\n", "", "API", "specialist", "difference",
             "specialist is");
    for (size_t i = 0; i < r->result.lines; i++)
        text_line(&r->result.line[i], out);
    if (r->unpriced > 0)
        buf_addf(out,
                 "%.1f %% of the API's calls have no full price: no verdict on cost\n",
                 100 * r->unpriced);
    if (!r->load_measured)
        buf_adds(out, "no two weeks of hourly data: the specialist's cost takes an even "
                      "load\n");
    buf_addf(out, "test: %s, %s\n", test_names[r->result.test], r->result.reason);
    buf_addf(out, "%" PRIu64 " of %d examples (%s)", r->result.examples, COMPARE_EXAMPLES,
             r->result.example_of);
    if (r->quality_metric)
        buf_addf(out, "; %s: %s", r->quality_metric,
                 compare_verdict_name(r->result.quality));
    if (r->quality_target > 0)
        buf_addf(out, ", target of %.4g %%: %s", 100 * r->quality_target,
                 compare_target_name(r->result.target));
    buf_addc(out, '\n');
}
