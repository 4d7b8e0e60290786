/* The metrics of an OTLP line: see logparse.h and log_otlp_private.h. */
#include "agent/log_otlp_private.h"

#include "common/instant.h"

/* A cumulative series that is older than this when a file first shows it was counted in
   an earlier file: only its growth counts from here. Exports come once a minute. */
#define SERIES_NEW_NS (INT64_C(300) * 1000000000)

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
    struct otlp_point *p = &o->point[o->point_n];
    struct slice key = otlp_text(&o->key);
    if (slice_eq(key, SLICE("gen_ai.token.type")) || slice_eq(key, SLICE("type"))) {
        for (size_t i = 0; i < sizeof token_types / sizeof *token_types; i++)
            if (slice_eq(text, slice_str(token_types[i].name)))
                p->type = (int)token_types[i].to;
        return;
    }
    p->hash ^= slice_hash(text, slice_hash(key, 1));
    if (slice_eq(key, SLICE("gen_ai.provider.name")) ||
        slice_eq(key, SLICE("gen_ai.system")))
        otlp_copy(&p->provider, text);
    else if (slice_eq(key, SLICE("gen_ai.response.model")) ||
             slice_eq(key, SLICE("model")) ||
             (slice_eq(key, SLICE("gen_ai.request.model")) && !p->model.n))
        otlp_copy(&p->model, text);
}

void otlp_metric_scalar(struct otlp *o, struct slice path, struct slice text)
{
    struct slice kind, rest;
    if (slice_eq(path, SLICE("/name"))) {
        otlp_copy(&o->metric, text);
        return;
    }
    slice_cut(slice_from(path, 1), '/', &kind, &rest);
    if (slice_eq(rest, SLICE("aggregationTemporality"))) {
        o->temporality =
            slice_eq(text, SLICE("1")) || slice_ends(text, SLICE("DELTA")) ? 1 : 2;
        return;
    }
    if (o->point_n == OTLP_POINTS || !otlp_below(rest, SLICE("dataPoints/-/"), &rest))
        return;
    struct otlp_point *p = &o->point[o->point_n];
    if (slice_eq(rest, SLICE("attributes/-/key")))
        otlp_copy(&o->key, text);
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

void otlp_point_begin(struct otlp *o)
{
    if (o->point_n == OTLP_POINTS)
        return;
    o->point[o->point_n] = (struct otlp_point){ .hash = o->resource,
                                                .type = -1,
                                                .start_ns = USAGE_NO_TIME,
                                                .time_ns = USAGE_NO_TIME };
}

void otlp_point_end(struct otlp *o)
{
    o->state->dropped += o->point_n == OTLP_POINTS;
    o->point_n += o->point_n < OTLP_POINTS;
    otlp_point_begin(o);
}

static struct otlp_group *group_of(struct otlp *o, const struct otlp_point *p)
{
    for (size_t i = 0; i < o->group_n; i++)
        if (o->group[i].hash == p->hash)
            return &o->group[i];
    if (o->group_n == OTLP_GROUPS)
        return NULL;
    struct otlp_group *g = &o->group[o->group_n++];
    *g = (struct otlp_group){
        .hash = p->hash, .time_ns = p->time_ns, .provider = p->provider, .model = p->model
    };
    return g;
}

/* A cumulative point to its growth; false: nothing to count. */
static bool grow(struct otlp *o, struct otlp_point *p)
{
    struct log_otlp *s = o->state;
    uint64_t key = slice_hash(otlp_text(&o->metric),
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
void otlp_metric_end(struct otlp *o)
{
    const struct metric *m = metric_of(otlp_text(&o->metric));
    for (size_t i = 0; m && i < o->point_n; i++) {
        struct otlp_point *p = &o->point[i];
        int to = m->to < 0 ? p->type : m->to;
        struct otlp_group *g;
        if (to < 0 || (o->temporality != 1 && !grow(o, p)))
            continue;
        if (!(g = group_of(o, p))) {
            o->state->dropped++;
            continue;
        }
        if (p->sum > g->n[to]) /* counters and histograms say the same twice */
            g->n[to] = p->sum;
        g->have |= (uint32_t)1 << to;
        g->exclusive |= slice_starts(otlp_text(&o->metric), SLICE("claude_code."));
        if (m->calls && to == CALL_IN && p->count > g->calls)
            g->calls = p->count;
    }
    o->point_n = 0;
    o->temporality = 0;
    o->metric.n = 0;
    otlp_point_begin(o);
}

void otlp_groups_end(struct otlp *o)
{
    struct logcall *c = o->p->call;
    for (size_t i = 0; i < o->group_n && !o->state->calls; i++) {
        const struct otlp_group *g = &o->group[i];
        logcall_init(c);
        for (unsigned n = 0; n < CALL_NUMS; n++)
            if (g->have >> n & 1)
                logcall_set(c, n, g->n[n]);
        c->sense = g->exclusive ? CALL_EXCLUSIVE : CALL_BY_SUMS;
        c->agg_n = g->calls < UINT32_MAX ? (uint32_t)g->calls : UINT32_MAX;
        c->end_ns = g->time_ns;
        logcall_text(c, CALL_PROVIDER,
                     g->exclusive ? SLICE("anthropic") : otlp_text(&g->provider));
        logcall_text(c, CALL_MODEL, otlp_text(&g->model));
        logcall_text(c, CALL_APP, otlp_text(&o->service));
        o->given +=
            (int)logcall_emit(c, o->p->provider, o->p->line_ns, o->p->emit, o->p->arg);
    }
    o->group_n = 0;
}
