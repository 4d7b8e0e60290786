/* Fields to a judged call: see logcall.h. */
#include "agent/logcall.h"

#include "agent/engine.h"

void logcall_init(struct logcall *c)
{
    c->have = 0;
    c->sense = CALL_BY_SUMS;
    c->failed = c->free = false;
    c->agg_n = 1;
    c->start_ns = c->end_ns = c->first_ns = USAGE_NO_TIME;
    c->total_us = -1;
    memset(c->text_n, 0, sizeof c->text_n);
}

void logcall_text(struct logcall *c, enum logcall_text t, struct slice s)
{
    if (t == CALL_PATH)
        slice_cut(s, '?', &s, &(struct slice){ 0 });
    bool model = t == CALL_MODEL || t == CALL_MODEL_REQUEST;
    const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
    if (model && slash && slice_starts(s, SLICE("arn:"))) /* the name in an ARN */
        s = slice_from(s, (size_t)(slash + 1 - s.p));
    if (t == CALL_SCOPE && slice_starts(s, SLICE("sk-")))
        return; /* a key that was not hashed */
    if (s.n == 0 || s.n > LOGCALL_TEXT || slice_eq(s, SLICE("-")))
        return;
    memcpy(c->text[t], s.p, s.n);
    c->text_n[t] = s.n;
}

struct slice logcall_get(const struct logcall *c, enum logcall_text t)
{
    return slice_of(c->text[t], c->text_n[t]);
}

void logcall_set(struct logcall *c, enum logcall_num n, uint64_t v)
{
    c->num[n] = v;
    c->have |= (uint32_t)1 << n;
}

void logcall_num(struct logcall *c, enum logcall_num n, struct slice s)
{
    uint64_t v;
    if (n == CALL_COST ? json_decimal(s, 12, &v) : json_count(s, &v))
        logcall_set(c, n, v);
}

static bool one_of(struct slice s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(s, slice_str(names[i])))
            return true;
    return false;
}

bool logcall_is_one(const struct logcall *c)
{
    static const char *const calls[] = {
        "chat",       "generate_content", "text_completion",
        "embeddings", "completion",       "embedding"
    };
    static const char *const kinds[] = { "LLM", "EMBEDDING" };
    struct slice kind = logcall_get(c, CALL_KIND), op = logcall_get(c, CALL_OPERATION);
    if (slice_starts(op, SLICE("ai.")))
        return slice_find(op, SLICE(".doGenerate")) != SIZE_MAX ||
               slice_find(op, SLICE(".doStream")) != SIZE_MAX ||
               slice_find(op, SLICE(".doEmbed")) != SIZE_MAX;
    if (kind.n)
        return one_of(kind, kinds, 2);
    if (op.n)
        return one_of(op, calls, sizeof calls / sizeof *calls);
    return logcall_has(c, CALL_IN) || logcall_has(c, CALL_OUT);
}

static uint64_t get(const struct logcall *c, enum logcall_num n)
{
    return logcall_has(c, n) ? c->num[n] : 0;
}

/* --- classes --------------------------------------------------------------------------
 */

/* All counts are below 2^48: sums of a few do not wrap. */
static bool exclusive(const struct logcall *c, uint64_t in, uint64_t caches)
{
    if (c->sense != CALL_BY_SUMS)
        return c->sense == CALL_EXCLUSIVE;
    if (logcall_has(c, CALL_TOTAL) && c->num[CALL_TOTAL] == in + get(c, CALL_OUT))
        return false;
    if (caches && get(c, CALL_TOTAL) == in + caches + get(c, CALL_OUT))
        return true;
    return caches > in;
}

static void writes(const struct logcall *c, struct usage *u, uint64_t written)
{
    uint64_t m5 = get(c, CALL_WRITE_5M), h1 = get(c, CALL_WRITE_1H);
    bool short_lived = slice_eq(u->provider, SLICE("anthropic")) ||
                       slice_eq(u->provider, SLICE("bedrock"));
    if (m5 + h1 <= written) {
        if (logcall_has(c, CALL_WRITE_5M))
            usage_set(u, USAGE_cache_write_5m, m5);
        if (logcall_has(c, CALL_WRITE_1H))
            usage_set(u, USAGE_cache_write_1h, h1);
        written -= m5 + h1;
        if (!written && m5 + h1)
            return;
    }
    enum usage_field f = short_lived ? USAGE_cache_write_5m : USAGE_cache_write;
    usage_set(u, f, u->v[f] + written);
}

static void total(const struct logcall *c, struct usage *u, uint64_t in, uint64_t out)
{
    if (!logcall_has(c, CALL_TOTAL))
        return;
    u->total_reported = c->num[CALL_TOTAL];
    if (u->check != CHECK_MISMATCH)
        u->check = u->total_reported == in + out || u->total_reported == usage_total(u)
                       ? CHECK_OK
                       : CHECK_MISMATCH;
}

static bool counts(const struct logcall *c, struct usage *u)
{
    uint64_t in = get(c, CALL_IN), out = get(c, CALL_OUT), T = get(c, CALL_TOTAL);
    uint64_t read = get(c, CALL_READ), write = get(c, CALL_WRITE);
    uint64_t split = get(c, CALL_WRITE_5M) + get(c, CALL_WRITE_1H);
    bool said =
        logcall_has(c, CALL_IN) || logcall_has(c, CALL_OUT) || logcall_has(c, CALL_TOTAL);
    if (logcall_has(c, CALL_COST)) {
        usage_set(u, USAGE_cost_pico, c->num[CALL_COST]);
        usage_set(u, USAGE_cost_calls, c->agg_n);
    }
    if (!said)
        return false;
    if (write < split)
        write = split;
    if (!logcall_has(c, CALL_IN) && T > out)
        in = T - out;
    uint64_t rest = in;
    if (!exclusive(c, in, read + write)) {
        rest = in >= read + write ? in - read - write : 0;
        if (in < read + write)
            u->check = CHECK_MISMATCH;
    }
    usage_set(u, USAGE_input, rest);
    if (logcall_has(c, CALL_READ))
        usage_set(u, USAGE_cache_read, read);
    if (logcall_has(c, CALL_WRITE) || split)
        writes(c, u, write);
    usage_set(u, USAGE_output, out);
    if (logcall_has(c, CALL_REASONING))
        usage_set(u, USAGE_reasoning, c->num[CALL_REASONING]);
    total(c, u, in, out);
    return true;
}

/* --- verdict --------------------------------------------------------------------------
 */

static void times(const struct logcall *c, int64_t fallback_ns, struct usage *u)
{
    u->ts_ns = c->end_ns != USAGE_NO_TIME     ? c->end_ns
               : c->start_ns != USAGE_NO_TIME ? c->start_ns
                                              : fallback_ns;
    u->total_us = c->total_us;
    if (c->start_ns == USAGE_NO_TIME)
        return;
    if (u->total_us < 0 && c->end_ns != USAGE_NO_TIME && c->end_ns >= c->start_ns)
        u->total_us = (c->end_ns - c->start_ns) / 1000;
    if (c->first_ns != USAGE_NO_TIME && c->first_ns >= c->start_ns)
        u->ttft_us = (c->first_ns - c->start_ns) / 1000;
}

static void names(const struct logcall *c, struct slice provider, struct usage *u)
{
    struct slice own = logcall_get(c, CALL_PROVIDER);
    const char *known;
    u->model_request = logcall_get(c, CALL_MODEL_REQUEST);
    u->model = logcall_get(c, CALL_MODEL);
    if (!u->model.n)
        u->model = u->model_request;
    u->provider = own.n ? own : provider;
    if ((known = provider_canonical(u->provider)))
        u->provider = slice_str(known);
    else if (!u->provider.n && logcall_get(c, CALL_HOST).n)
        u->provider = slice_str(provider_of_host(logcall_get(c, CALL_HOST), 0));
    if (!u->provider.n)
        u->provider = slice_str(provider_of_model(u->model));
    u->response_id = logcall_get(c, CALL_RESPONSE_ID);
    u->request_id = logcall_get(c, CALL_REQUEST_ID);
    u->tier = logcall_get(c, CALL_TIER);
    u->region = logcall_get(c, CALL_REGION);
    u->scope = logcall_get(c, CALL_SCOPE);
    u->app = logcall_get(c, CALL_APP);
    u->environment = logcall_get(c, CALL_ENVIRONMENT);
}

/*
 * What method and path make of it, and the model that they name, decoded into `model`; a
 * record without a path is a call.
 */
static enum accounting route(const struct logcall *c, char model[LOGCALL_TEXT],
                             struct usage *u)
{
    struct slice method = logcall_get(c, CALL_METHOD), path = logcall_get(c, CALL_PATH);
    if (!path.n)
        return ACCOUNTING_CALL;
    struct slice host = logcall_get(c, CALL_HOST);
    if (!method.n)
        method = SLICE("POST");
    struct provider_hit hit = host.n && provider_of_host(host, 0)
                                  ? provider_match(method, host, 0, path)
                                  : provider_match_named(method, u->provider, path);
    u->surface = slice_str(hit.surface);
    if (hit.model.n)
        u->model_request =
            slice_of(model, provider_decode(hit.model, model, LOGCALL_TEXT));
    if (!u->model.n)
        u->model = u->model_request;
    if (!u->region.n)
        u->region = hit.region;
    return hit.accounting;
}

size_t logcall_emit(const struct logcall *c, struct slice provider, int64_t fallback_ns,
                    usage_fn *emit, void *arg)
{
    struct usage u;
    char model[LOGCALL_TEXT];
    usage_init(&u);
    times(c, fallback_ns, &u);
    names(c, provider, &u);
    u.seen = SEEN_LOG;
    u.agg_n = c->agg_n;
    u.status = (uint16_t)(get(c, CALL_STATUS) < 1000 ? get(c, CALL_STATUS) : 0);
    u.accounting = route(c, model, &u);
    bool refused = c->failed || u.status >= 300;
    bool spoken = logcall_has(c, CALL_OUT);
    if (u.accounting == ACCOUNTING_NONE && !spoken)
        return 0; /* a page of some web server */
    if (u.accounting == ACCOUNTING_NONE)
        u.accounting = ACCOUNTING_CALL;
    if (c->free)
        u.accounting = ACCOUNTING_FREE;
    bool call = u.accounting == ACCOUNTING_CALL;
    if (refused) {
        u.outcome = u.status == 429 ? OUTCOME_RATE_LIMITED : OUTCOME_ERROR;
        if (call)
            u.accounting = ACCOUNTING_ERROR;
    } else if (u.accounting != ACCOUNTING_FREE && counts(c, &u)) {
        u.usage_source = SOURCE_LOG;
    } else if (call) {
        u.quality = QUALITY_MISSING;
    }
    emit(arg, &u);
    return 1;
}
