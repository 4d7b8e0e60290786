/*
 * OTLP JSON lines (usage-formats 8.4): see logparse.h. Spans of model calls count one by
 * one, and so do the request events of Claude Code; spans of agents and chains only
 * repeat their children. Metrics say the same again in sums: they count in files that
 * have neither.
 */
#include "agent/log_otlp_private.h"

#include <stddef.h>
#include <stdio.h>

#include "agent/logwalk.h"
#include "common/instant.h"

static const struct attr {
    const char *name;
    uint8_t n, text, to;
} attrs[] = {
#define ATTR_NUM(name, n)  { name, sizeof(name) - 1, false, CALL_##n },
#define ATTR_TEXT(name, t) { name, sizeof(name) - 1, true, CALL_##t },
#include "agent/logattr.def"
};
enum { ATTRS = sizeof attrs / sizeof *attrs };

/* --- paths ----------------------------------------------------------------------------
 */

static const struct slice spans = { "/resourceSpans/-/scopeSpans/-/spans/-", 37 };
static const struct slice logs = { "/resourceLogs/-/scopeLogs/-/logRecords/-", 40 };
static const struct slice meters = { "/resourceMetrics/-/scopeMetrics/-/metrics/-", 43 };

/* Links, events, exemplars and bodies are not ours; nor is what is deeper. */
static enum logwalk_want want(void *arg, struct slice path)
{
    (void)arg;
    static const char *const no[] = { "/events",     "/links",         "/exemplars",
                                      "/arrayValue", "/kvlistValue",   "/bucketCounts",
                                      "/scope",      "/explicitBounds" };
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (slice_ends(path, slice_str(no[i])))
            return LOGWALK_SKIP;
    return LOGWALK_TAKE;
}

/* --- spans and events -----------------------------------------------------------------
 */

static void attribute(struct otlp *o, struct slice text)
{
    struct logcall *c = o->p->call;
    struct slice key = otlp_text(&o->key);
    if (slice_eq(key, SLICE("error.type")))
        c->failed = true;
    if (slice_eq(key, SLICE("gen_ai.response.time_to_first_chunk")))
        json_decimal(text, 9, &o->ttft_ns);
    for (size_t i = 0; i < ATTRS; i++) {
        uint8_t *rank = &o->rank[attrs[i].text][attrs[i].to];
        if (!slice_eq(slice_of(attrs[i].name, attrs[i].n), key))
            continue;
        if (*rank && *rank <= i)
            return; /* said before in a better spelling */
        *rank = (uint8_t)(i + 1);
        if (attrs[i].text)
            logcall_text(c, attrs[i].to, text);
        else
            logcall_num(c, attrs[i].to, text);
        return;
    }
}

static void emit(struct otlp *o)
{
    struct logparse *p = o->p;
    struct logcall *c = p->call;
    char id[2 * OTLP_NAME + 2];
    if (o->trace.n && o->span.n) {
        int n = snprintf(id, sizeof id, "%.*s:%.*s", SLICE_FMT(otlp_text(&o->trace)),
                         SLICE_FMT(otlp_text(&o->span)));
        logcall_text(c, CALL_REQUEST_ID, slice_of(id, (size_t)n));
    }
    if (o->ttft_ns && c->start_ns != USAGE_NO_TIME && o->ttft_ns < INT64_MAX / 4)
        c->first_ns = c->start_ns + (int64_t)o->ttft_ns;
    if (logcall_has(c, CALL_OUT))
        c->failed = false; /* it broke off, but was answered and is billed */
    logcall_text(c, CALL_APP, otlp_text(&o->service));
    o->given += (int)logcall_emit(c, p->provider, p->line_ns, p->emit, p->arg);
    o->state->calls = true;
}

static void record_end(struct otlp *o)
{
    o->event = false;
    o->trace.n = o->span.n = 0;
    o->ttft_ns = 0;
    memset(o->rank, 0, sizeof o->rank);
    logcall_init(o->p->call);
}

static void span_scalar(struct otlp *o, struct slice path, struct slice text)
{
    struct logcall *c = o->p->call;
    if (slice_eq(path, SLICE("/attributes/-/key")))
        otlp_copy(&o->key, text);
    else if (slice_starts(path, SLICE("/attributes/-/value/")))
        attribute(o, text);
    else if (slice_eq(path, SLICE("/startTimeUnixNano")))
        instant_parse(text, &c->start_ns);
    else if (slice_eq(path, SLICE("/endTimeUnixNano")))
        instant_parse(text, &c->end_ns);
    else if (slice_eq(path, SLICE("/traceId")))
        otlp_copy(&o->trace, text);
    else if (slice_eq(path, SLICE("/spanId")))
        otlp_copy(&o->span, text);
    else if (slice_eq(path, SLICE("/status/code")))
        c->failed |= slice_eq(text, SLICE("2")) || slice_ends(text, SLICE("ERROR"));
}

static void event_attribute(struct otlp *o, struct slice text)
{
    static const struct {
        const char *name;
        enum logcall_num to;
    } nums[] = { { "input_tokens", CALL_IN },
                 { "output_tokens", CALL_OUT },
                 { "cache_read_tokens", CALL_READ },
                 { "cache_creation_tokens", CALL_WRITE },
                 { "cost_usd", CALL_COST } };
    struct logcall *c = o->p->call;
    struct slice key = otlp_text(&o->key);
    uint64_t us;
    for (size_t i = 0; i < sizeof nums / sizeof *nums; i++)
        if (slice_eq(key, slice_str(nums[i].name)))
            logcall_num(c, nums[i].to, text);
    if (slice_eq(key, SLICE("model")))
        logcall_text(c, CALL_MODEL, text);
    else if (slice_eq(key, SLICE("request_id")))
        logcall_text(c, CALL_REQUEST_ID, text);
    else if (slice_eq(key, SLICE("event.name")))
        o->event |= slice_eq(text, SLICE("api_request")) ||
                    slice_eq(text, SLICE("claude_code.api_request"));
    else if (slice_eq(key, SLICE("duration_ms")) && json_decimal(text, 3, &us) &&
             us < INT64_MAX)
        c->total_us = (int64_t)us;
}

static void log_scalar(struct otlp *o, struct slice path, struct slice text)
{
    if (slice_eq(path, SLICE("/attributes/-/key")))
        otlp_copy(&o->key, text);
    else if (slice_starts(path, SLICE("/attributes/-/value/")))
        event_attribute(o, text);
    else if (slice_eq(path, SLICE("/timeUnixNano")))
        instant_parse(text, &o->p->call->end_ns);
    else if (slice_eq(path, SLICE("/body/stringValue")) ||
             slice_eq(path, SLICE("/eventName")))
        o->event |= slice_eq(text, SLICE("claude_code.api_request"));
}

static void log_end(struct otlp *o)
{
    struct logcall *c = o->p->call;
    c->sense = CALL_EXCLUSIVE;
    logcall_text(c, CALL_PROVIDER, SLICE("anthropic"));
    if (o->event && logcall_has(c, CALL_OUT))
        emit(o);
    record_end(o);
}

/* --- the line -------------------------------------------------------------------------
 */

static void resource_scalar(struct otlp *o, struct slice path, struct slice text)
{
    if (slice_ends(path, SLICE("/-/key"))) {
        otlp_copy(&o->key, text);
        return;
    }
    o->resource ^= slice_hash(text, slice_hash(otlp_text(&o->key), 2));
    if (slice_eq(otlp_text(&o->key), SLICE("service.name")))
        otlp_copy(&o->service, text);
    otlp_point_begin(o);
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    struct otlp *o = arg;
    struct slice rest;
    if (type != JSON_STRING && type != JSON_NUMBER)
        return;
    if (otlp_below(path, spans, &rest))
        span_scalar(o, rest, text);
    else if (otlp_below(path, logs, &rest))
        log_scalar(o, rest, text);
    else if (otlp_below(path, meters, &rest))
        otlp_metric_scalar(o, rest, text);
    else if (slice_find(path, SLICE("/-/resource/attributes/-/")) != SIZE_MAX)
        resource_scalar(o, path, text);
}

static void leave(void *arg, struct slice path)
{
    struct otlp *o = arg;
    struct slice rest;
    if (slice_eq(path, spans)) {
        if (logcall_is_one(o->p->call))
            emit(o);
        record_end(o);
    } else if (slice_eq(path, logs)) {
        log_end(o);
    } else if (slice_eq(path, meters)) {
        otlp_metric_end(o);
    } else if (otlp_below(path, meters, &rest) &&
               slice_ends(rest, SLICE("/dataPoints/-"))) {
        otlp_point_end(o);
    } else if (slice_eq(path, SLICE("/resourceMetrics/-")) ||
               slice_eq(path, SLICE("/resourceSpans/-")) ||
               slice_eq(path, SLICE("/resourceLogs/-"))) {
        otlp_groups_end(o);
        o->service.n = 0;
        o->resource = 0;
    }
}

int log_otlp(struct logparse *p, struct log_otlp *state)
{
    struct otlp o;
    struct logwalk walk = { want, scalar, leave, &o, p->scratch, true };
    memset(&o, 0, offsetof(struct otlp, point));
    o.p = p;
    o.state = state;
    logcall_init(p->call);
    otlp_point_begin(&o);
    p->why = logwalk(&walk, p->text);
    return o.given;
}

void log_otlp_peek(struct log_otlp *state, struct slice block)
{
    /* no quotes: they may be escaped in a container's log */
    static const struct slice marks[] = { { "ai.usage.", 9 },
                                          { "llm.usage.", 10 },
                                          { "llm.token_count.", 16 },
                                          { "api_request", 11 } };
    static const struct slice kinds[] = { { "resourceSpans", 13 },
                                          { "resourceLogs", 12 },
                                          { "resource_spans", 14 },
                                          { "resource_logs", 13 } };
    bool metered = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        metered |= slice_find(block, kinds[i]) != SIZE_MAX;
    for (size_t i = 0; metered && i < sizeof marks / sizeof *marks; i++)
        state->calls |= slice_find(block, marks[i]) != SIZE_MAX;
}

void log_otlp_save(const struct log_otlp *s, struct buf *out)
{
    buf_addf(out, " %d", s->calls);
    for (size_t i = 0; i < s->series_n; i++)
        buf_addf(out, " %llu:%llu:%llu", (unsigned long long)s->series[i].key,
                 (unsigned long long)s->series[i].sum,
                 (unsigned long long)s->series[i].count);
}

bool log_otlp_load(struct log_otlp *s, struct slice text)
{
    struct slice word, key, sum;
    size_t n = 0;
    slice_cut(text, ' ', &word, &text);
    if (!slice_eq(word, SLICE("0")) && !slice_eq(word, SLICE("1")))
        return false;
    s->calls = word.p[0] == '1';
    for (; text.n; n++) {
        slice_cut(text, ' ', &word, &text);
        slice_cut(word, ':', &key, &word);
        slice_cut(word, ':', &sum, &word);
        if (n == LOG_OTLP_SERIES || !slice_u64(key, &s->series[n].key) ||
            !slice_u64(sum, &s->series[n].sum) || !slice_u64(word, &s->series[n].count))
            return false;
    }
    s->series_n = n;
    return true;
}
