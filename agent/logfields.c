/* Records with fields at fixed places: see logfields.h. */
#include "agent/logfields.h"

#include <stdio.h>

#include "agent/jsonwalk.h"
#include "common/instant.h"

/* What a field is for. NAME_ELSE is NAME, for values that do not replace an earlier one.
 */
enum target {
    /* counts */
    IN,
    OUT,
    TOTAL,
    CACHE_READ,
    WRITE,
    WRITE_5M,
    WRITE_1H,
    REASONING,
    STATUS,
    NUMBERS,
    /* texts */
    MODEL = NUMBERS,
    MODEL_REQUEST,
    PROVIDER,
    RESPONSE_ID,
    REQUEST_ID,
    OPERATION,
    KIND,
    STATE,
    ERROR,
    CACHE_HIT,
    REGION,
    TIER,
    SCOPE,
    PATH,
    COST,
    TIME,
    START,
    FIRST,
    TARGETS,
    ELSE = 64,
    IN_ELSE = IN | ELSE,
    OUT_ELSE = OUT | ELSE,
    CACHE_READ_ELSE = CACHE_READ | ELSE,
    WRITE_ELSE = WRITE | ELSE,
    PROVIDER_ELSE = PROVIDER | ELSE,
    RESPONSE_ID_ELSE = RESPONSE_ID | ELSE,
    SCOPE_ELSE = SCOPE | ELSE,
};

enum { TEXT_MAX = 160 };

static const struct row {
    enum logfields_format format;
    struct slice path;
    int target;
} rows[] = {
#define FIELD(format, path, target)                                                      \
    { LOGFIELDS_##format, { path, sizeof(path) - 1 }, target },
#include "agent/logfields.def"
};

static const struct row attributes[] = {
#define ATTR(name, target) { LOGFIELDS_N, { name, sizeof(name) - 1 }, target },
#include "agent/logfields.def"
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The fields of one record. */
struct record {
    enum logfields_format format;
    uint32_t has; /* bit per target */
    uint64_t n[NUMBERS];
    struct text {
        char p[TEXT_MAX];
        size_t n;
    } text[TARGETS - NUMBERS];
    struct text key, app; /* OTLP: attribute in hand; service.name */
    usage_fn *emit;
    void *arg;
    int emitted;
};

_Static_assert(TARGETS <= 32, "record.has is 32 bits");

static bool has(const struct record *r, enum target t)
{
    return r->has >> t & 1;
}

static struct slice text_of(const struct record *r, enum target t)
{
    const struct text *x = &r->text[t - NUMBERS];
    return has(r, t) ? slice_of(x->p, x->n) : slice_of("", 0);
}

static void copy(struct text *to, struct slice s)
{
    s = slice_head(s, TEXT_MAX);
    memcpy(to->p, s.p, s.n);
    to->n = s.n;
}

static void set(struct record *r, int row_target, enum json_type type, struct slice s)
{
    enum target t = (enum target)(row_target & ~ELSE);
    if ((row_target & ELSE && has(r, t)) || type == JSON_FALSE)
        return;
    if (type == JSON_TRUE)
        s = SLICE("true");
    if (t < NUMBERS) {
        if (!json_count(s, &r->n[t]))
            return;
    } else {
        if (s.n == 0 || slice_eq(s, SLICE("-")))
            return;
        copy(&r->text[t - NUMBERS], s);
    }
    r->has |= (uint32_t)1 << t;
}

static void set_attribute(struct record *r, struct slice name, enum json_type type,
                          struct slice s)
{
    for (size_t i = 0; i < COUNT(attributes); i++)
        if (slice_eq(attributes[i].path, name)) {
            set(r, attributes[i].target, type, s);
            return;
        }
}

/* --- fields to usage ------------------------------------------------------------------
 */

/* The house's name for a provider as OpenTelemetry, LiteLLM and gateways call it. */
static struct slice provider_name(struct slice s)
{
    static const char *const names[][2] = {
        { "aws.bedrock", "bedrock" },
        { "aws_bedrock", "bedrock" },
        { "az.ai.openai", "azure_openai" },
        { "azure.ai.openai", "azure_openai" },
        { "azure.ai.inference", "azure_ai" },
        { "azure", "azure_openai" },
        { "gcp.vertex_ai", "vertex" },
        { "gcp.gemini", "gemini" },
        { "gcp.gen_ai", "gemini" },
        { "vertex_ai", "vertex" },
        { "mistral_ai", "mistral" },
        { "mistralai", "mistral" },
        { "x_ai", "xai" },
        { "together_ai", "together" },
        { "fireworks_ai", "fireworks" },
        { "google", "gemini" },
        { "amazon-bedrock", "bedrock" },
    };
    struct slice first, rest;
    if (slice_cut(s, '/', &first, &rest)) /* a gateway's namespace/backend/… */
        slice_cut(rest, '/', &s, &rest);
    for (size_t i = 0; i < COUNT(names); i++)
        if (slice_eq(s, slice_str(names[i][0])))
            return slice_str(names[i][1]);
    slice_cut(s, '.', &s, &rest); /* openai.chat */
    return s;
}

/* Exclusive input: the cache classes come on top of it. */
static bool exclusive(const struct record *r, uint64_t written)
{
    if (r->format == LOGFIELDS_bedrock)
        return true;
    uint64_t cached = r->n[CACHE_READ] + written;
    return has(r, IN) && cached > r->n[IN];
}

static bool writes_last_5m(const struct record *r, struct slice provider)
{
    return r->format == LOGFIELDS_bedrock ||
           (r->format == LOGFIELDS_litellm && (slice_eq(provider, SLICE("anthropic")) ||
                                               slice_eq(provider, SLICE("bedrock"))));
}

static void set_counts(const struct record *r, struct usage *u)
{
    uint64_t split = r->n[WRITE_5M] + r->n[WRITE_1H];
    uint64_t written = has(r, WRITE) && r->n[WRITE] > split ? r->n[WRITE] : split;
    uint64_t input = r->n[IN], cached = r->n[CACHE_READ] + written;
    bool outside = exclusive(r, written);
    if (has(r, IN))
        usage_set(u, USAGE_input, outside ? input : input - cached);
    if (has(r, CACHE_READ))
        usage_set(u, USAGE_cache_read, r->n[CACHE_READ]);
    if (has(r, WRITE_5M))
        usage_set(u, USAGE_cache_write_5m, r->n[WRITE_5M]);
    if (has(r, WRITE_1H))
        usage_set(u, USAGE_cache_write_1h, r->n[WRITE_1H]);
    if (has(r, WRITE) && written > split)
        usage_set(u,
                  writes_last_5m(r, u->provider) && !split ? USAGE_cache_write_5m
                                                           : USAGE_cache_write,
                  written - split);
    if (has(r, OUT))
        usage_set(u, USAGE_output, r->n[OUT]);
    if (has(r, REASONING) && r->n[REASONING] <= r->n[OUT])
        usage_set(u, USAGE_reasoning, r->n[REASONING]);
    if (!has(r, TOTAL) || r->n[TOTAL] == 0)
        return;
    u->total_reported = r->n[TOTAL];
    u->check = r->n[TOTAL] == usage_total(u) || r->n[TOTAL] == r->n[IN] + r->n[OUT]
                   ? CHECK_OK
                   : CHECK_MISMATCH;
}

static void set_times(const struct record *r, struct usage *u)
{
    int64_t start, first;
    if (!instant_parse(text_of(r, TIME), &u->ts_ns))
        u->ts_ns = USAGE_NO_TIME;
    if (!instant_parse(text_of(r, START), &start) || u->ts_ns == USAGE_NO_TIME)
        return;
    if (u->ts_ns >= start)
        u->total_us = (u->ts_ns - start) / 1000;
    if (instant_parse(text_of(r, FIRST), &first) && first >= start)
        u->ttft_us = (first - start) / 1000;
}

static bool contains(struct slice s, const char *part)
{
    return slice_find(s, slice_str(part)) != SIZE_MAX;
}

static enum accounting accounting_of(const struct record *r)
{
    struct slice path = text_of(r, PATH);
    if (has(r, ERROR) || slice_eq(text_of(r, STATE), SLICE("failure")) ||
        r->n[STATUS] >= 400)
        return ACCOUNTING_ERROR;
    if (slice_ieq(text_of(r, CACHE_HIT), SLICE("true")) ||
        contains(path, "count_tokens") || contains(path, "/input_tokens") ||
        contains(path, "tokenize"))
        return ACCOUNTING_FREE;
    return ACCOUNTING_CALL;
}

static struct slice surface_of(const struct record *r)
{
    static const char *const names[][2] = {
        { "Converse", "bedrock.converse" },
        { "ConverseStream", "bedrock.converse_stream" },
        { "InvokeModel", "bedrock.invoke" },
        { "InvokeModelWithResponseStream", "bedrock.invoke_stream" },
    };
    struct slice op = text_of(r, OPERATION);
    for (size_t i = 0; r->format == LOGFIELDS_bedrock && i < COUNT(names); i++)
        if (slice_eq(op, slice_str(names[i][0])))
            return slice_str(names[i][1]);
    return slice_of("", 0);
}

/* A model's name without the ARN around it. */
static struct slice bare_model(struct slice s)
{
    const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
    if (slice_starts(s, SLICE("arn:")) && slash)
        return slice_from(s, (size_t)(slash + 1 - s.p));
    return s;
}

static void emit(struct record *r)
{
    struct usage u;
    uint64_t pico;
    usage_init(&u);
    u.app = slice_of(r->app.p, r->app.n);
    u.provider = r->format == LOGFIELDS_bedrock ? SLICE("bedrock")
                                                : provider_name(text_of(r, PROVIDER));
    u.model_request = bare_model(text_of(r, MODEL_REQUEST));
    u.model = has(r, MODEL) ? bare_model(text_of(r, MODEL)) : u.model_request;
    u.response_id = text_of(r, RESPONSE_ID);
    u.request_id = text_of(r, REQUEST_ID);
    u.surface = surface_of(r);
    u.region = text_of(r, REGION);
    u.tier = text_of(r, TIER);
    u.scope = text_of(r, SCOPE);
    u.status = r->n[STATUS] < 1000 ? (uint16_t)r->n[STATUS] : 0;
    u.accounting = accounting_of(r);
    u.outcome = u.accounting != ACCOUNTING_ERROR ? OUTCOME_OK
                : u.status == 429                ? OUTCOME_RATE_LIMITED
                                                 : OUTCOME_ERROR;
    set_times(r, &u);
    bool counted = has(r, IN) || has(r, OUT) || has(r, TOTAL);
    if (u.accounting == ACCOUNTING_CALL && counted)
        set_counts(r, &u);
    if (u.accounting == ACCOUNTING_CALL && json_decimal(text_of(r, COST), 12, &pico)) {
        usage_set(&u, USAGE_cost_pico, pico);
        usage_set(&u, USAGE_cost_calls, 1);
    }
    u.usage_source = counted ? SOURCE_LOG : SOURCE_NONE;
    u.quality =
        counted || u.accounting != ACCOUNTING_CALL ? QUALITY_EXACT : QUALITY_MISSING;
    r->emit(r->arg, &u);
    r->emitted++;
}

/* --- flat records ---------------------------------------------------------------------
 */

static void on_field(void *arg, struct slice path, enum json_type type, struct slice s)
{
    struct record *r = arg;
    struct slice prefix = SLICE("/kwargs/standard_logging_object");
    if (type == JSON_OBJECT_END)
        return;
    if (slice_starts(path, prefix)) /* older LiteLLM */
        path = slice_from(path, prefix.n);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].format == r->format && slice_eq(rows[i].path, path)) {
            set(r, rows[i].target, type, s);
            return;
        }
    if (r->format == LOGFIELDS_gen_ai)
        set_attribute(r, slice_from(path, 1), type, s);
}

/* --- OTLP spans -----------------------------------------------------------------------
 */

/* Is this span one call to a model? Spans of agents and chains repeat their children. */
static bool span_is_call(const struct record *r)
{
    static const char *const calls[] = {
        "chat",       "generate_content", "text_completion",
        "embeddings", "completion",       "embedding"
    };
    struct slice op = text_of(r, OPERATION), kind = text_of(r, KIND);
    if (kind.n)
        return slice_ieq(kind, SLICE("LLM")) || slice_ieq(kind, SLICE("EMBEDDING"));
    for (size_t i = 0; i < COUNT(calls); i++)
        if (slice_eq(op, slice_str(calls[i])))
            return true;
    if (slice_starts(op, SLICE("ai.")))
        return contains(op, ".doGenerate") || contains(op, ".doStream") ||
               contains(op, ".doEmbed");
    return op.n == 0 && (has(r, IN) || has(r, OUT));
}

static void on_span_field(void *arg, struct slice path, enum json_type type,
                          struct slice s)
{
    struct record *r = arg;
    if (slice_starts(path, SLICE("/resourceSpans/-/resource/attributes/-/"))) {
        if (slice_ends(path, SLICE("/key")))
            copy(&r->key, s);
        else if (type == JSON_STRING &&
                 slice_eq(slice_of(r->key.p, r->key.n), SLICE("service.name")))
            copy(&r->app, s);
        return;
    }
    struct slice span = SLICE("/resourceSpans/-/scopeSpans/-/spans/-");
    if (!slice_starts(path, span)) {
        if (type == JSON_OBJECT_END && slice_eq(path, SLICE("/resourceSpans/-")))
            r->app.n = 0;
        return;
    }
    path = slice_from(path, span.n);
    if (slice_eq(path, SLICE("/attributes/-/key"))) {
        copy(&r->key, s);
    } else if (slice_starts(path, SLICE("/attributes/-/value/"))) {
        set_attribute(r, slice_of(r->key.p, r->key.n), type, s);
    } else if (slice_eq(path, SLICE("/startTimeUnixNano"))) {
        set(r, START, type, s);
    } else if (slice_eq(path, SLICE("/endTimeUnixNano"))) {
        set(r, TIME, type, s);
    } else if (slice_eq(path, SLICE("/spanId"))) {
        set(r, REQUEST_ID, type, s);
    } else if (path.n == 0 && type == JSON_OBJECT_END) {
        if (span_is_call(r))
            emit(r);
        r->has = 0;
        memset(r->n, 0, sizeof r->n);
    }
}

/* --- Codex ----------------------------------------------------------------------------
 */

enum { CODEX_COUNTERS = LOGFIELDS_CODEX_COUNTERS };

struct codex_line {
    struct text type, payload_type, timestamp, id, model;
    uint64_t total[CODEX_COUNTERS], last[CODEX_COUNTERS], sum;
    bool has_total, has_last;
};

static void on_codex_field(void *arg, struct slice path, enum json_type type,
                           struct slice s)
{
    static const char *const names[CODEX_COUNTERS] = {
        "input_tokens", "cached_input_tokens", "cache_write_input_tokens",
        "output_tokens", "reasoning_output_tokens"
    };
    struct codex_line *c = arg;
    const struct {
        const char *path;
        struct text *to;
    } texts[] = { { "/type", &c->type },
                  { "/payload/type", &c->payload_type },
                  { "/timestamp", &c->timestamp },
                  { "/payload/id", &c->id },
                  { "/payload/model", &c->model } };
    for (size_t i = 0; type == JSON_STRING && i < COUNT(texts); i++)
        if (slice_eq(path, slice_str(texts[i].path)))
            copy(texts[i].to, s);
    struct slice info = SLICE("/payload/info/");
    if (type != JSON_NUMBER || !slice_starts(path, info))
        return;
    struct slice object, name;
    slice_cut(slice_from(path, info.n), '/', &object, &name);
    bool total = slice_eq(object, SLICE("total_token_usage"));
    if (!total && !slice_eq(object, SLICE("last_token_usage")))
        return;
    *(total ? &c->has_total : &c->has_last) = true;
    for (size_t i = 0; i < CODEX_COUNTERS; i++)
        if (slice_eq(name, slice_str(names[i])))
            json_count(s, total ? &c->total[i] : &c->last[i]);
}

static bool text_is(const struct text *t, const char *s)
{
    return slice_eq(slice_of(t->p, t->n), slice_str(s));
}

static void keep_name(char to[64], const struct text *from)
{
    size_t n = from->n < 63 ? from->n : 63;
    for (size_t i = 0; i < n; i++) /* one word: it is saved between blanks */
        to[i] = from->p[i] > ' ' && from->p[i] < 127 ? from->p[i] : '_';
    to[n] = '\0';
}

/* What these counters add to what the file has shown; false: nothing. */
static bool codex_step(struct logfields_codex *f, const struct codex_line *c,
                       int64_t second, uint64_t step[CODEX_COUNTERS])
{
    bool less = false, more = false, replay = f->first_second == second;
    for (size_t i = 0; i < CODEX_COUNTERS; i++) {
        less |= c->total[i] < f->total[i];
        more |= c->total[i] > f->total[i];
    }
    bool fresh = !f->any || less; /* the file's first, or counted anew after compaction */
    for (size_t i = 0; i < CODEX_COUNTERS; i++) {
        uint64_t from = fresh ? 0 : f->total[i];
        step[i] = fresh && c->has_last ? c->last[i] : c->total[i] - from;
        f->total[i] = c->total[i];
    }
    f->any = true;
    return (more || less) && !replay;
}

static int codex_judge(struct slice line, struct logfields_codex *f, usage_fn *fn,
                       void *arg, const char **why)
{
    struct codex_line c = { .sum = 0 };
    if (!contains(line, "\"token_count\"") && !contains(line, "\"turn_context\"") &&
        !contains(line, "\"session_meta\""))
        return 0;
    if (!jsonwalk(line, on_codex_field, &c)) {
        *why = "not JSON";
        return 0;
    }
    int64_t ns = 0;
    bool timed = instant_parse(slice_of(c.timestamp.p, c.timestamp.n), &ns);
    if (text_is(&c.type, "session_meta")) {
        keep_name(f->session, &c.id);
        if (timed && !f->first_second)
            f->first_second = ns / 1000000000;
    } else if (text_is(&c.type, "turn_context") && c.model.n) {
        keep_name(f->model, &c.model);
    }
    uint64_t step[CODEX_COUNTERS];
    if (!text_is(&c.payload_type, "token_count") || !c.has_total ||
        !codex_step(f, &c, ns / 1000000000, step))
        return 0;
    struct usage u;
    char id[128];
    usage_init(&u);
    uint64_t cached = step[1] + step[2];
    usage_set(&u, USAGE_input, step[0] > cached ? step[0] - cached : 0);
    usage_set(&u, USAGE_cache_read, step[1]);
    if (step[2])
        usage_set(&u, USAGE_cache_write, step[2]);
    usage_set(&u, USAGE_output, step[3]);
    usage_set(&u, USAGE_reasoning, step[4]);
    u.check = step[0] < cached ? CHECK_MISMATCH : CHECK_NO_TOTAL;
    u.ts_ns = timed ? ns : USAGE_NO_TIME;
    u.provider = SLICE("openai");
    u.surface = SLICE("openai.responses");
    u.model = slice_str(f->model);
    u.accounting = ACCOUNTING_CALL;
    u.usage_source = SOURCE_LOG;
    if (*f->session) { /* the session and how far it has come: in any copy of the file */
        snprintf(id, sizeof id, "codex %s %llu", f->session,
                 (unsigned long long)(c.total[0] + c.total[3]));
        u.request_id = slice_str(id);
    }
    fn(arg, &u);
    return 1;
}

/* --- detection ------------------------------------------------------------------------
 */

enum logfields_format logfields_detect(struct slice line)
{
    if (contains(line, "\"ModelInvocationLog\"") && contains(line, "\"schemaType\""))
        return LOGFIELDS_bedrock;
    if (contains(line, "\"resourceSpans\""))
        return LOGFIELDS_otlp;
    if (contains(line, "\"payload\"") &&
        (contains(line, "\"session_meta\"") || contains(line, "\"turn_context\"") ||
         contains(line, "\"token_count\"")))
        return LOGFIELDS_codex;
    if (contains(line, "\"litellm_call_id\"") ||
        (contains(line, "\"call_type\"") &&
         (contains(line, "\"response_cost\"") || contains(line, "\"spend\""))))
        return LOGFIELDS_litellm;
    if (contains(line, "\"gen_ai."))
        return LOGFIELDS_gen_ai;
    return LOGFIELDS_N;
}

int logfields_judge(enum logfields_format format, struct slice line,
                    struct logfields_codex *codex, usage_fn *fn, void *arg,
                    const char **why)
{
    *why = NULL;
    if (format == LOGFIELDS_codex)
        return codex_judge(line, codex, fn, arg, why);
    if (logfields_detect(line) != format)
        return -1;
    struct record r = { .format = format, .emit = fn, .arg = arg };
    bool ok = jsonwalk(line, format == LOGFIELDS_otlp ? on_span_field : on_field, &r);
    if (!ok) {
        *why = "not JSON";
        return r.emitted;
    }
    bool something = has(&r, IN) || has(&r, OUT) || has(&r, TOTAL) || has(&r, ERROR) ||
                     has(&r, STATE) || has(&r, OPERATION);
    if (format != LOGFIELDS_otlp && something)
        emit(&r);
    return r.emitted;
}
