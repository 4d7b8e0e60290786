/*
 * OTLP JSON lines (usage-formats 8.4): see logparse.h. Spans of model calls count one by
 * one, and so do the request events of Claude Code; spans of agents and chains only
 * repeat their children. Metrics say the same again in sums: they count in files that
 * have neither.
 */
#include "agent/logparse.h"

#include <stddef.h>
#include <stdio.h>

#include "agent/logwalk.h"
#include "common/instant.h"

enum {
    KEY_MAX = 96,
    POINTS = 64, /* of a metric in one export; more are dropped and counted */
    GROUPS = 32, /* attribute sets of an export */
    NAME_MAX_ = 96,
};

/* A cumulative series that is older than this when a file first shows it was counted in
   an earlier file: only its growth counts from here. Exports come once a minute. */
#define SERIES_NEW_NS (INT64_C(300) * 1000000000)

static const struct attr {
    const char *name;
    uint8_t n, text, to;
} attrs[] = {
#define ATTR_NUM(name, n)  { name, sizeof(name) - 1, false, CALL_##n },
#define ATTR_TEXT(name, t) { name, sizeof(name) - 1, true, CALL_##t },
#include "agent/logattr.def"
};
enum { ATTRS = sizeof attrs / sizeof *attrs };

/* What an instrument counts; of `usage`, the token type says it. */
static const struct metric {
    const char *name;
    int to;     /* enum logcall_num; -1: by the token type */
    bool calls; /* the points of its input know how many calls there were */
} metrics[] = {
    { "gen_ai.client.token.usage", -1, true },
    { "gen_ai.client.inference.usage.input_tokens", CALL_IN, false },
    { "gen_ai.client.inference.usage.output_tokens", CALL_OUT, false },
    { "gen_ai.client.inference.usage.cache_read.input_tokens", CALL_READ, false },
    { "gen_ai.client.inference.usage.cache_write.input_tokens", CALL_WRITE, false },
    { "gen_ai.client.inference.usage.reasoning.output_tokens", CALL_REASONING, false },
    { "gen_ai.client.inference.operation.input_tokens", CALL_IN, true },
    { "gen_ai.client.inference.operation.output_tokens", CALL_OUT, true },
    { "claude_code.token.usage", -1, false },
};

static const struct {
    const char *name;
    enum logcall_num to;
} token_types[] = {
    { "input", CALL_IN },
    { "prompt", CALL_IN },
    { "output", CALL_OUT },
    { "completion", CALL_OUT },
    { "cached_input", CALL_READ },
    { "cacheRead", CALL_READ },
    { "cache_creation_input", CALL_WRITE },
    { "cacheCreation", CALL_WRITE },
    { "reasoning", CALL_REASONING },
};

struct name {
    char p[NAME_MAX_];
    size_t n;
};

struct point {
    uint64_t hash; /* of the attributes but the token type */
    int type;      /* enum logcall_num; -1: none of ours */
    uint64_t sum, count;
    int64_t start_ns, time_ns;
    struct name provider, model;
};

/* What the points of one attribute set say together. */
struct group {
    uint64_t hash, calls;
    uint64_t n[CALL_NUMS];
    uint32_t have;
    bool exclusive;
    int64_t time_ns;
    struct name provider, model;
};

struct otlp {
    struct logparse *p;
    struct log_otlp *state;
    struct name key, service, metric;
    uint64_t resource;
    unsigned temporality; /* 1 delta, 2 cumulative */
    size_t point_n, group_n;
    int given;
    bool event; /* the log record is a request of Claude Code */
    uint64_t ttft_ns;
    struct name trace, span;
    uint8_t rank[2][CALL_TEXTS + CALL_NUMS]; /* row of attrs + 1 that was taken */
    struct point point[POINTS];
    struct group group[GROUPS];
};

static void copy(struct name *to, struct slice s)
{
    to->n = s.n < NAME_MAX_ ? s.n : 0; /* a name that long is no name */
    if (to->n)
        memcpy(to->p, s.p, to->n);
}

static struct slice text_of(const struct name *n)
{
    return slice_of(n->p, n->n);
}

/* --- paths ----------------------------------------------------------------------------
 */

static const struct slice spans = { "/resourceSpans/-/scopeSpans/-/spans/-", 37 };
static const struct slice logs = { "/resourceLogs/-/scopeLogs/-/logRecords/-", 40 };
static const struct slice meters = { "/resourceMetrics/-/scopeMetrics/-/metrics/-", 43 };

/* The rest of `path` below `top`; false: it stands elsewhere. */
static bool below(struct slice path, struct slice top, struct slice *rest)
{
    *rest = slice_from(path, top.n);
    return slice_starts(path, top);
}

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
    struct slice key = text_of(&o->key);
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
    char id[2 * NAME_MAX_ + 2];
    if (o->trace.n && o->span.n) {
        int n = snprintf(id, sizeof id, "%.*s:%.*s", SLICE_FMT(text_of(&o->trace)),
                         SLICE_FMT(text_of(&o->span)));
        logcall_text(c, CALL_REQUEST_ID, slice_of(id, (size_t)n));
    }
    if (o->ttft_ns && c->start_ns != USAGE_NO_TIME && o->ttft_ns < INT64_MAX / 4)
        c->first_ns = c->start_ns + (int64_t)o->ttft_ns;
    if (logcall_has(c, CALL_OUT))
        c->failed = false; /* it broke off, but was answered and is billed */
    logcall_text(c, CALL_APP, text_of(&o->service));
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
        copy(&o->key, text);
    else if (slice_starts(path, SLICE("/attributes/-/value/")))
        attribute(o, text);
    else if (slice_eq(path, SLICE("/startTimeUnixNano")))
        instant_parse(text, &c->start_ns);
    else if (slice_eq(path, SLICE("/endTimeUnixNano")))
        instant_parse(text, &c->end_ns);
    else if (slice_eq(path, SLICE("/traceId")))
        copy(&o->trace, text);
    else if (slice_eq(path, SLICE("/spanId")))
        copy(&o->span, text);
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
    struct slice key = text_of(&o->key);
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
        copy(&o->key, text);
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

/* --- metrics --------------------------------------------------------------------------
 */

static const struct metric *metric_of(struct slice name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (slice_eq(name, slice_str(metrics[i].name)))
            return &metrics[i];
    return NULL;
}

/* The point being read is the one behind the last whole one. */
static void point_attribute(struct otlp *o, struct slice text)
{
    struct point *p = &o->point[o->point_n];
    struct slice key = text_of(&o->key);
    if (slice_eq(key, SLICE("gen_ai.token.type")) || slice_eq(key, SLICE("type"))) {
        for (size_t i = 0; i < sizeof token_types / sizeof *token_types; i++)
            if (slice_eq(text, slice_str(token_types[i].name)))
                p->type = (int)token_types[i].to;
        return;
    }
    p->hash ^= slice_hash(text, slice_hash(key, 1));
    if (slice_eq(key, SLICE("gen_ai.provider.name")) ||
        slice_eq(key, SLICE("gen_ai.system")))
        copy(&p->provider, text);
    else if (slice_eq(key, SLICE("gen_ai.response.model")) ||
             slice_eq(key, SLICE("model")) ||
             (slice_eq(key, SLICE("gen_ai.request.model")) && !p->model.n))
        copy(&p->model, text);
}

static void metric_scalar(struct otlp *o, struct slice path, struct slice text)
{
    struct slice kind, rest;
    if (slice_eq(path, SLICE("/name"))) {
        copy(&o->metric, text);
        return;
    }
    slice_cut(slice_from(path, 1), '/', &kind, &rest);
    if (slice_eq(rest, SLICE("aggregationTemporality"))) {
        o->temporality =
            slice_eq(text, SLICE("1")) || slice_ends(text, SLICE("DELTA")) ? 1 : 2;
        return;
    }
    if (o->point_n == POINTS || !below(rest, SLICE("dataPoints/-/"), &rest))
        return;
    struct point *p = &o->point[o->point_n];
    if (slice_eq(rest, SLICE("attributes/-/key")))
        copy(&o->key, text);
    else if (slice_starts(rest, SLICE("attributes/-/value/")))
        point_attribute(o, text);
    else if (slice_eq(rest, SLICE("startTimeUnixNano")))
        instant_parse(text, &p->start_ns);
    else if (slice_eq(rest, SLICE("timeUnixNano")))
        instant_parse(text, &p->time_ns);
    else if (slice_eq(rest, SLICE("count")))
        json_count(text, &p->count);
    else if (slice_eq(rest, SLICE("sum")) || slice_eq(rest, SLICE("asInt")) ||
             slice_eq(rest, SLICE("asDouble")))
        json_count(text, &p->sum);
}

static void point_begin(struct otlp *o)
{
    if (o->point_n == POINTS)
        return;
    o->point[o->point_n] = (struct point){ .hash = o->resource,
                                           .type = -1,
                                           .start_ns = USAGE_NO_TIME,
                                           .time_ns = USAGE_NO_TIME };
}

static struct group *group_of(struct otlp *o, const struct point *p)
{
    for (size_t i = 0; i < o->group_n; i++)
        if (o->group[i].hash == p->hash)
            return &o->group[i];
    if (o->group_n == GROUPS)
        return NULL;
    struct group *g = &o->group[o->group_n++];
    *g = (struct group){
        .hash = p->hash, .time_ns = p->time_ns, .provider = p->provider, .model = p->model
    };
    return g;
}

/* A cumulative point to its growth; false: nothing to count. */
static bool grow(struct otlp *o, struct point *p)
{
    struct log_otlp *s = o->state;
    uint64_t key = slice_hash(text_of(&o->metric),
                              p->hash ^ (uint64_t)p->start_ns * 31 ^ (uint64_t)p->type);
    size_t i = 0;
    while (i < s->series_n && s->series[i].key != key)
        i++;
    if (i == LOG_OTLP_SERIES) {
        s->dropped++;
        return false;
    }
    bool fresh = i == s->series_n;
    struct log_otlp_series was =
        fresh ? (struct log_otlp_series){ key, 0, 0 } : s->series[i];
    s->series[i] = (struct log_otlp_series){ key, p->sum, p->count };
    s->series_n += fresh;
    if (p->sum < was.sum || p->count < was.count)
        return true; /* started again without saying so: all of it is new */
    p->sum -= was.sum;
    p->count -= was.count;
    bool old = p->start_ns != USAGE_NO_TIME && p->time_ns != USAGE_NO_TIME &&
               p->time_ns - SERIES_NEW_NS > p->start_ns;
    return (p->sum || p->count) && !(fresh && old);
}

/* The temporality stands behind the points: only now are they judged. */
static void metric_end(struct otlp *o)
{
    const struct metric *m = metric_of(text_of(&o->metric));
    for (size_t i = 0; m && i < o->point_n; i++) {
        struct point *p = &o->point[i];
        int to = m->to < 0 ? p->type : m->to;
        struct group *g;
        if (to < 0 || (o->temporality != 1 && !grow(o, p)))
            continue;
        if (!(g = group_of(o, p))) {
            o->state->dropped++;
            continue;
        }
        if (p->sum > g->n[to]) /* counters and histograms say the same twice */
            g->n[to] = p->sum;
        g->have |= (uint32_t)1 << to;
        g->exclusive |= slice_starts(text_of(&o->metric), SLICE("claude_code."));
        if (m->calls && to == CALL_IN && p->count > g->calls)
            g->calls = p->count;
    }
    o->point_n = 0;
    o->temporality = 0;
    o->metric.n = 0;
    point_begin(o);
}

static void groups_end(struct otlp *o)
{
    struct logcall *c = o->p->call;
    for (size_t i = 0; i < o->group_n && !o->state->calls; i++) {
        const struct group *g = &o->group[i];
        logcall_init(c);
        for (unsigned n = 0; n < CALL_NUMS; n++)
            if (g->have >> n & 1)
                logcall_set(c, n, g->n[n]);
        c->sense = g->exclusive ? CALL_EXCLUSIVE : CALL_BY_SUMS;
        c->agg_n = g->calls < UINT32_MAX ? (uint32_t)g->calls : UINT32_MAX;
        c->end_ns = g->time_ns;
        logcall_text(c, CALL_PROVIDER,
                     g->exclusive ? SLICE("anthropic") : text_of(&g->provider));
        logcall_text(c, CALL_MODEL, text_of(&g->model));
        logcall_text(c, CALL_APP, text_of(&o->service));
        o->given +=
            (int)logcall_emit(c, o->p->provider, o->p->line_ns, o->p->emit, o->p->arg);
    }
    o->group_n = 0;
}

/* --- the line -------------------------------------------------------------------------
 */

static void resource_scalar(struct otlp *o, struct slice path, struct slice text)
{
    if (slice_ends(path, SLICE("/-/key"))) {
        copy(&o->key, text);
        return;
    }
    o->resource ^= slice_hash(text, slice_hash(text_of(&o->key), 2));
    if (slice_eq(text_of(&o->key), SLICE("service.name")))
        copy(&o->service, text);
    point_begin(o);
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    struct otlp *o = arg;
    struct slice rest;
    if (type != JSON_STRING && type != JSON_NUMBER)
        return;
    if (below(path, spans, &rest))
        span_scalar(o, rest, text);
    else if (below(path, logs, &rest))
        log_scalar(o, rest, text);
    else if (below(path, meters, &rest))
        metric_scalar(o, rest, text);
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
        metric_end(o);
    } else if (below(path, meters, &rest) && slice_ends(rest, SLICE("/dataPoints/-"))) {
        o->state->dropped += o->point_n == POINTS;
        o->point_n += o->point_n < POINTS;
        point_begin(o);
    } else if (slice_eq(path, SLICE("/resourceMetrics/-")) ||
               slice_eq(path, SLICE("/resourceSpans/-")) ||
               slice_eq(path, SLICE("/resourceLogs/-"))) {
        groups_end(o);
        o->service.n = 0;
        o->resource = 0;
    }
}

int log_otlp(struct logparse *p, struct log_otlp *state)
{
    struct otlp o;
    struct logwalk walk = { want, scalar, leave, &o, p->scratch };
    memset(&o, 0, offsetof(struct otlp, point));
    o.p = p;
    o.state = state;
    logcall_init(p->call);
    point_begin(&o);
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
    bool metered = slice_find(block, SLICE("resourceSpans")) != SIZE_MAX ||
                   slice_find(block, SLICE("resourceLogs")) != SIZE_MAX;
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
