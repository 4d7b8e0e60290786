/*
 * The verdict on one frame of a log record: who provides, which API, what happened. The
 * request that stands around a body decides as it does for an exchange; without one the
 * body's shape has to do.
 */
#include "agent/engine.h"
#include "agent/normalise.h"
#include "common/instant.h"

#include <stdio.h>

/* provider_canonical with a memory: a log names few providers. */
static struct slice canonical(struct extract *x, struct slice spelled)
{
    if (!spelled.n || spelled.n >= sizeof x->spelling->text)
        return spelled;
    struct spelling *m =
        &x->spelling[((unsigned char)spelled.p[0] ^ spelled.n) % ENGINE_SPELLINGS];
    if (!m->name || !slice_eq(spelled, slice_of(m->text, m->n))) {
        const char *name = provider_canonical(spelled);
        if (!name)
            return spelled;
        memcpy(m->text, spelled.p, spelled.n);
        m->n = spelled.n;
        m->name = name;
    }
    return slice_str(m->name);
}

/* "host" of a log is often the machine that writes it: only known API hosts count. */
static struct provider_hit route(struct extract *x, const struct raw *r,
                                 struct slice provider)
{
    struct slice method = raw_str(r, S_METHOD), path = raw_str(r, S_PATH);
    struct slice host = raw_str(r, S_HOST);
    if (!path.n || (path.p[0] != '/' && slice_find(path, SLICE("://")) == SIZE_MAX))
        return (struct provider_hit){ .surface = "" };
    if (!method.n)
        method = SLICE("POST");
    struct provider_hit hit = host.n && provider_of_host(host, 0)
                                  ? provider_match(method, host, 0, path)
                                  : provider_match_named(method, provider, path);
    if (hit.accounting == ACCOUNTING_NONE && !raw_str(r, S_METHOD).n)
        hit.surface = "";
    if (hit.model.n)
        hit.model = slice_of(x->model, provider_decode(hit.model, x->model, RAW_TEXT));
    return hit;
}

static void times(struct extract *x, const struct raw *r, const struct extract_hint *hint,
                  struct usage *u)
{
    struct slice time = raw_str(r, S_TIME), created = raw_str(r, S_CREATED);
    if (!(time.n && instant_parse_next(&x->minute, time, &u->ts_ns)) &&
        !(created.n && instant_parse_next(&x->minute, created, &u->ts_ns)))
        u->ts_ns = hint->fallback_ts_ns;
    if (raw_has(r, N_LATENCY_US) && r->num[N_LATENCY_US] < INT64_MAX)
        u->total_us = (int64_t)r->num[N_LATENCY_US];
}

/* An id that only a provider makes, beside counters that somebody copied. */
static bool names_reply(struct slice id)
{
    static const char *const makes[] = { "chatcmpl-", "resp_", "msg_", "cmpl-", "gen-" };
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++)
        if (slice_starts(id, slice_str(makes[i])))
            return true;
    return false;
}

/*
 * Trace and span name the call of a record that has counters and no id (usage-formats
 * 8.2), within a second: loops make many alike under one span.
 */
static struct slice span(struct extract *x, const struct raw *r, const struct usage *u)
{
    struct slice trace = raw_str(r, S_TRACE), id = raw_str(r, S_SPAN);
    if (!trace.n || !id.n || u->ts_ns == USAGE_NO_TIME)
        return (struct slice){ NULL, 0 };
    int n = snprintf(x->span, sizeof x->span, "%.*s:%.*s:%lld", SLICE_FMT(trace),
                     SLICE_FMT(id), (long long)(u->ts_ns / 1000000000));
    return n > 0 && (size_t)n < sizeof x->span ? slice_of(x->span, (size_t)n)
                                               : (struct slice){ NULL, 0 };
}

/* A line of a batch's results, which applications download and log. */
static bool of_batch(const struct raw *r, const struct provider_hit *hit)
{
    if (!(r->flags & (F_BATCH | F_CUSTOM_ID | F_KEY)) || raw_str(r, S_PATH).n)
        return false;
    if (r->flags & F_CUSTOM_ID)
        return raw_has(r, N_STATUS) || judge_same(hit->surface, "anthropic.messages");
    return r->flags & F_BATCH ||
           (judge_same(hit->surface, "gemini.generate") && !raw_str(r, S_TIME).n);
}

static void names(struct extract *x, const struct raw *r, const struct provider_hit *hit,
                  struct usage *u)
{
    u->app = raw_str(r, S_APP);
    u->environment = raw_str(r, S_ENVIRONMENT);
    u->request_id = raw_str(r, S_REQUEST_ID);
    u->tier = judge_tier(r, raw_str(r, S_TIER));
    if (of_batch(r, hit))
        u->tier = SLICE("batch");
    if (judge_names_model(hit->surface)) {
        u->model_request =
            raw_str(r, S_MODEL_REQUEST).n ? raw_str(r, S_MODEL_REQUEST) : hit->model;
        u->model = raw_str(r, S_MODEL).n ? raw_str(r, S_MODEL) : u->model_request;
    }
    u->region = judge_region(r, hit);
    if (r->flags & (F_USAGE | F_CANDIDATES) || r->have_str >> S_OBJECT & 1 ||
        r->have_str >> S_TYPE & 1)
        u->response_id = *hit->surface
                             ? judge_id(hit->surface, u->status, false, raw_str(r, S_ID))
                             : raw_str(r, S_ID);
    else if (names_reply(raw_str(r, S_ID)))
        u->response_id = raw_str(r, S_ID);
    else if (!u->request_id.n)
        u->request_id = raw_str(r, S_ID).n ? raw_str(r, S_ID) : span(x, r, u);
}

static void start(struct extract *x, const struct raw *r, const struct extract_hint *hint,
                  struct usage *u)
{
    usage_init(u);
    u->seen = SEEN_LOG;
    u->status = (uint16_t)raw_get(r, N_STATUS);
    times(x, r, hint, u);
}

/* A chunk of a stream in a debug log says nothing before its usage comes. */
static bool is_chunk(const struct raw *r)
{
    return !normalise_has_usage(r) &&
           (slice_eq(raw_str(r, S_OBJECT), SLICE("chat.completion.chunk")) ||
            slice_starts(raw_str(r, S_TYPE), SLICE("response.")));
}

/*
 * An event of a stream that has more to come and says running totals (watsonx,
 * llama.cpp): the last one counts. Only watsonx's first one knows the input.
 */
static bool goes_on(const struct raw *r)
{
    return slice_eq(raw_str(r, S_FINISH), SLICE("not_finished")) ||
           (r->flags & F_GOES_ON && raw_has(r, N_L_PREDICTED));
}

/* What such an event adds to the call that the last one ends; false: nothing. */
static bool begins(const struct raw *r, struct usage *u)
{
    uint64_t input = raw_has(r, N_L_PREDICTED) ? 0 : u->v[USAGE_input];
    memset(u->v, 0, sizeof u->v);
    u->have = 0;
    usage_set(u, USAGE_input, input);
    u->agg_n = 0;
    return input;
}

/* The provider as the record spells it, else as the id of its reply tells. */
static struct slice spelling_of(const struct raw *r)
{
    struct slice id = raw_str(r, S_ID), spelled = raw_str(r, S_PROVIDER);
    if (id.n < 4 || (id.p[0] != 'g' && id.p[0] != 'm')) /* most */
        return spelled;
    if (slice_starts(id, SLICE("gen-"))) /* its body names who served it */
        return SLICE("openrouter");
    if (spelled.n)
        return spelled;
    return slice_starts(id, SLICE("gen_"))        ? SLICE("vercel_gateway")
           : slice_starts(id, SLICE("msg_bdrk_")) ? SLICE("bedrock")
           : slice_starts(id, SLICE("msg_vrtx_")) ? SLICE("vertex")
                                                  : spelled;
}

bool record_judge(struct extract *x, const struct raw *r, const struct extract_hint *hint,
                  struct usage *u)
{
    if (is_chunk(r) || slice_starts(raw_str(r, S_ID), SLICE("step_")))
        return false; /* of a run, which sums its steps up */
    struct slice spelled = spelling_of(r);
    struct slice provider = canonical(x, spelled.n ? spelled : hint->provider);
    struct shape shape = shape_of(r);
    if (r->flags & F_SYNTHETIC || slice_eq(raw_str(r, S_MODEL), SLICE("<synthetic>")))
        return false;
    start(x, r, hint, u);
    struct provider_hit hit = route(x, r, provider);
    if (hit.if_shaped && !judge_shaped(hit.surface, r))
        hit = (struct provider_hit){ .surface = "none" };
    if (judge_same(hit.surface, "gemini.batch_results") && !normalise_has_usage(r))
        hit.surface = "admin", hit.accounting = ACCOUNTING_FREE; /* any other file */
    if (*hit.surface && hit.accounting == ACCOUNTING_NONE && !normalise_has_usage(r))
        return false;
    if (!*hit.surface || hit.accounting == ACCOUNTING_NONE) {
        hit.surface = shape.surface;
        hit.accounting = shape.accounting;
        hit.provider = NULL;
    }
    names(x, r, &hit, u);
    if (!hit.provider || judge_same(hit.provider, "compat"))
        u->provider = provider.n     ? provider
                      : hit.provider ? slice_str(hit.provider)
                                     : slice_str(provider_of_model(u->model));
    else
        u->provider = slice_str(hit.provider);
    u->surface = slice_str(hit.surface);
    bool usage = hit.accounting != ACCOUNTING_FREE && normalise(r, u->provider, u);
    if (r->items && judge_same(hit.surface, "openai.images"))
        usage_set(u, USAGE_images, r->items);
    if (usage)
        judge_batch_line(hit.surface, u);
    judge_outcome(r, &hit, usage, false, u);
    if (usage)
        u->usage_source = r->flags & F_USAGE ? SOURCE_JSON : SOURCE_LOG;
    /* A counter that is no count makes the others no exact usage either. */
    bool bad = r->flags & F_BAD_COUNT;
    bool units = usage_has(u, USAGE_pages) || usage_has(u, USAGE_images);
    bool counted = usage || (!judge_by_tokens(hit.surface) && units);
    u->quality = u->accounting == ACCOUNTING_CALL && (!counted || bad) ? QUALITY_MISSING
                                                                       : QUALITY_EXACT;
    if (usage && bad)
        u->check = CHECK_MISMATCH;
    return !goes_on(r) || begins(r, u);
}

/* A name of one word. */
static size_t keep(char *to, size_t cap, struct slice s)
{
    size_t n = s.n <= cap ? s.n : 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s.p[i] <= ' ')
            return 0;
    if (n)
        memcpy(to, s.p, n);
    return n;
}

void record_stream(struct extract_begun *b, const struct raw *outer, const struct raw *r,
                   struct usage *u)
{
    if (outer && slice_eq(raw_str(outer, S_TYPE), SLICE("message_start"))) {
        b->id_n = keep(b->id, sizeof b->id, u->response_id);
        b->model_n = keep(b->model, sizeof b->model, u->model);
    } else if (b->id_n && !u->response_id.n &&
               slice_eq(raw_str(r, S_TYPE), SLICE("message_delta"))) {
        u->response_id = slice_of(b->id, b->id_n);
        u->model = slice_of(b->model, b->model_n);
        u->surface = SLICE("anthropic.messages");
        if (!u->provider.n)
            u->provider = SLICE("anthropic");
    }
}
