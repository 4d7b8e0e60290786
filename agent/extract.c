/*
 * The exchange door. The request's body is walked for model and sizes, the reply's body
 * goes through its framing (exchange.c) to the same walk; the verdict comes at the end.
 */
#include "agent/extract.h"

#include "agent/exchange.h"
#include "agent/normalise.h"
#include "agent/park.h"

#include <stdlib.h>

struct extract *extract_new(void)
{
    struct extract *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    raw_table_init(&x->table);
    arena_init(&x->arena, ENGINE_ARENA);
    x->own = x->exchange = calloc(1, sizeof *x->own);
    x->park = park_new();
    if (!x->own || !x->park) {
        extract_free(x);
        return NULL;
    }
    return x;
}

void extract_free(struct extract *x)
{
    if (!x)
        return;
    arena_release(&x->arena);
    free(x->frame);
    free(x->own);
    park_free(x->park);
    free(x);
}

struct parked *extract_state_new(struct extract *x)
{
    return park_add(x->park);
}

void extract_state_free(struct extract *x, struct parked *e)
{
    park_remove(x->park, e);
}

struct parked *extract_hold(struct extract *x, struct parked *e)
{
    struct parked *before = x->held;
    x->held = e;
    x->exchange = e ? park_open(x->park, e) : x->own;
    return before;
}

bool extract_state_lost(const struct parked *e)
{
    return park_lost(e);
}

static size_t keep(char *to, size_t cap, struct slice s)
{
    size_t n = s.n < cap ? s.n : cap;
    if (n)
        memcpy(to, s.p, n);
    return n;
}

static bool surface_is(const struct exchange *e, const char *surface)
{
    return !strcmp(e->hit.surface, surface);
}

/* --- request --------------------------------------------------------------------------
 */

void extract_begin(struct extract *x, struct slice scheme, struct slice host,
                   uint16_t port, struct slice method, struct slice target)
{
    struct exchange *e = x->exchange;
    (void)scheme;
    memset(e, 0, offsetof(struct exchange, path_model));
    e->path_model_n = e->region_n = e->id_n = e->request_id_n = e->scope_n = 0;
    e->repeat.parts = 0;
    e->hit = provider_match(method, host, port, target);
    e->path_model_n = provider_decode(e->hit.model, e->path_model, sizeof e->path_model);
    e->region_n = keep(e->region, sizeof e->region, e->hit.region);
    e->hit.model = e->hit.region = (struct slice){ NULL, 0 };
    usage_init(&e->sums.usage);
    walk_init(&e->ask, &x->table, C_REQ, &e->request, &e->ask_names);
    walk_init(&e->answer, &x->table, C_ROOT, &e->reply, &e->names);
    e->answer.begin = exchange_document_begin;
    e->answer.end = exchange_document_end;
    e->answer.arg = e;
    sse_init(&e->sse);
    eventstream_init(&e->es);
}

void extract_request_headers(struct extract *x, const struct extract_header *h, size_t n)
{
    struct exchange *e = x->exchange;
    for (size_t i = 0; i < n; i++) {
        if (slice_ieq(h[i].name, SLICE("x-amzn-bedrock-service-tier"))) {
            size_t len = keep(e->ask_names.name[S_TIER], RAW_TEXT, h[i].value);
            raw_str_set(&e->request, S_TIER, slice_of(e->ask_names.name[S_TIER], len));
        } else if (slice_ieq(h[i].name, SLICE("ai-language-model-id")) ||
                   slice_ieq(h[i].name, SLICE("ai-model-id"))) { /* Vercel's gateway */
            size_t len = keep(e->ask_names.name[S_MODEL_REQUEST], RAW_TEXT, h[i].value);
            raw_str_set(&e->request, S_MODEL_REQUEST,
                        slice_of(e->ask_names.name[S_MODEL_REQUEST], len));
        } else if (slice_ieq(h[i].name, SLICE("openai-organization")) ||
                   slice_ieq(h[i].name, SLICE("openai-project")) ||
                   slice_ieq(h[i].name, SLICE("anthropic-workspace-id")) ||
                   slice_ieq(h[i].name, SLICE("x-goog-user-project"))) {
            e->scope_n = keep(e->scope, sizeof e->scope, h[i].value);
        }
    }
}

/* name="model" of a multipart form, then its value on the line after the blank one. */
static void form_bytes(struct form *f, struct slice piece)
{
    static const char mark[] = "name=\"model\"\r\n\r\n";
    for (size_t i = 0; i < piece.n && !f->done; i++) {
        char c = piece.p[i];
        if (f->inside) {
            f->done = c == '\r' || c == '\n' || f->n == sizeof f->value;
            if (!f->done)
                f->value[f->n++] = c;
            continue;
        }
        f->matched = c == mark[f->matched] ? (unsigned char)(f->matched + 1) : c == 'n';
        f->inside = f->matched == sizeof mark - 1;
    }
}

void extract_request_body(struct extract *x, struct slice piece)
{
    struct exchange *e = x->exchange;
    e->bytes_up += piece.n;
    if (e->hit.accounting == ACCOUNTING_NONE)
        return;
    if (!e->request_seen) {
        struct slice s = slice_trim(piece);
        if (!s.n)
            return;
        e->request_seen = true;
        e->request_json = s.p[0] == '{' || s.p[0] == '[';
    }
    if (e->request_json)
        walk_feed(&e->ask, piece);
    else
        form_bytes(&e->form, piece);
}

/* --- reply ----------------------------------------------------------------------------
 */

/* Counts in headers, and names for what they count. */
static const struct {
    const char *name;
    unsigned char slot;
    bool usd;
} counts[] = {
    { "x-amzn-bedrock-input-token-count", N_M_INPUT, false },
    { "x-amzn-bedrock-output-token-count", N_M_OUTPUT, false },
    { "x-amzn-bedrock-cache-read-input-token-count", N_M_READ, false },
    { "x-amzn-bedrock-cache-write-input-token-count", N_M_WRITE, false },
    { "x-prompt-tokens", N_T_IN, false },
    { "x-generated-tokens", N_T_OUT, false },
    { "fireworks-prompt-tokens", N_T_IN, false },
    { "x-litellm-response-cost", N_COST, true },
};

/* The first that stands there; Azure's own, which its logs name, before all. */
static const char *const request_ids[] = {
    "apim-request-id",        "x-request-id",      "request-id",      "x-amzn-requestid",
    "mistral-correlation-id", "x-litellm-call-id", "x-correlation-id"
};

/* A gateway answered from a cache of its own: no provider was asked. */
static const struct {
    const char *name, *value; /* "": any */
} caches[] = {
    { "x-litellm-cache-key", "" },
    { "cf-aig-cache-status", "HIT" },
    { "helicone-cache", "HIT" },
    { "x-portkey-cache-status", "HIT" },
};

static void reply_header(struct exchange *e, struct slice name, struct slice value)
{
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint64_t v;
        if (!slice_ieq(name, slice_str(counts[i].name)))
            continue;
        if (counts[i].usd ? json_decimal(value, 12, &v) && v : json_count(value, &v))
            raw_set(&e->reply, counts[i].slot, v);
        return;
    }
    for (size_t i = 0; i < sizeof request_ids / sizeof *request_ids; i++)
        if (slice_ieq(name, slice_str(request_ids[i])) && (!e->request_id_n || i == 0))
            e->request_id_n = keep(e->request_id, sizeof e->request_id, value);
    if (slice_ieq(name, SLICE("openai-organization")) ||
        slice_ieq(name, SLICE("anthropic-organization-id")))
        e->scope_n = keep(e->scope, sizeof e->scope, value);
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++)
        e->from_cache |=
            slice_ieq(name, slice_str(caches[i].name)) &&
            (!*caches[i].value || slice_ieq(value, slice_str(caches[i].value)));
    if (!slice_ieq(name, SLICE("content-type")))
        return;
    e->event_stream_type = slice_istarts(value, SLICE("text/event-stream"));
    e->ndjson_type = slice_find(value, SLICE("ndjson")) != SIZE_MAX ||
                     slice_find(value, SLICE("jsonl")) != SIZE_MAX ||
                     slice_find(value, SLICE("stream+json")) != SIZE_MAX;
    if (slice_istarts(value, SLICE("application/vnd.amazon.eventstream")))
        e->framing = FRAMING_EVENTSTREAM;
}

void extract_response_head(struct extract *x, uint16_t status,
                           const struct extract_header *h, size_t n)
{
    struct exchange *e = x->exchange;
    e->status = status;
    for (size_t i = 0; i < n; i++)
        reply_header(e, h[i].name, h[i].value);
}

/* By its first byte: what a body is shows there more surely than in its type. */
static enum framing sniff(const struct exchange *e, struct slice body)
{
    switch (body.p[0]) {
    case '{':
    case '[':
        return FRAMING_JSON;
    case 'd': /* data: */
    case 'e': /* event: */
    case 'i': /* id: */
    case 'r': /* retry: */
    case ':':
    case '\xef': /* a byte order mark */
        return FRAMING_SSE;
    case 0:
        return FRAMING_EVENTSTREAM;
    default:
        return e->event_stream_type ? FRAMING_SSE : FRAMING_OTHER;
    }
}

/* Without the byte order mark that some servers put before their JSON. */
static struct slice unmarked(struct exchange *e, struct slice piece)
{
    static const char mark[3] = "\xef\xbb\xbf";
    while (e->marked < 3 && piece.n && piece.p[0] == mark[e->marked]) {
        e->marked++;
        piece = slice_from(piece, 1);
    }
    if (piece.n)
        e->marked = 3;
    return piece;
}

void extract_response_body(struct extract *x, struct slice piece)
{
    struct exchange *e = x->exchange;
    e->bytes_down += piece.n;
    piece = unmarked(e, piece);
    if (e->hit.accounting == ACCOUNTING_NONE)
        return;
    if (!e->body_seen) {
        struct slice s = slice_trim(piece);
        if (!s.n)
            return;
        e->body_seen = true;
        if (e->framing == FRAMING_UNKNOWN || s.p[0] == '{')
            e->framing = sniff(e, s);
    }
    switch (e->framing) {
    case FRAMING_JSON:
        walk_feed(&e->answer, piece);
        break;
    case FRAMING_SSE:
        exchange_events(e, piece);
        break;
    case FRAMING_EVENTSTREAM:
        eventstream_feed(&e->es, piece, &exchange_messages, e);
        break;
    default:
        break;
    }
}

void extract_parts(struct extract *x, int64_t ts_ns, usage_fn *emit, void *arg)
{
    x->exchange->part = emit;
    x->exchange->part_arg = arg;
    x->exchange->part_ns = ts_ns;
}

bool extract_saw_token(const struct extract *x)
{
    return x->exchange->token || x->exchange->reply.text_out;
}

/* --- verdict --------------------------------------------------------------------------
 */

static enum usage_source source_of(const struct exchange *e)
{
    const struct raw *r = &e->reply;
    bool headers = raw_has(r, N_M_INPUT) || raw_has(r, N_M_OUTPUT);
    switch (e->framing) {
    case FRAMING_SSE:
        return SOURCE_SSE;
    case FRAMING_EVENTSTREAM:
        return SOURCE_EVENTSTREAM;
    case FRAMING_JSON:
        if (headers && !(r->flags & F_USAGE))
            return SOURCE_HEADERS;
        if (e->answer.array && surface_is(e, "gemini.generate_stream"))
            return SOURCE_JSON_ARRAY;
        return !e->answer.array && (e->answer.documents > 1 || e->ndjson_type)
                   ? SOURCE_NDJSON
                   : SOURCE_JSON;
    default:
        return SOURCE_HEADERS;
    }
}

static bool streamed(const struct exchange *e)
{
    return e->framing == FRAMING_SSE || e->framing == FRAMING_EVENTSTREAM ||
           e->answer.documents > 1;
}

/*
 * The model as the reply names it; Bedrock's own ids stand in the path, and only Claude's
 * bodies name the model that really answered.
 */
static struct slice reply_model(const struct exchange *e)
{
    struct slice none = { NULL, 0 };
    struct slice surface = slice_str(e->hit.surface);
    if (slice_starts(surface, SLICE("replicate.")) ||
        e->hit.accounting == ACCOUNTING_FREE) /* it is named by what was asked */
        return none;
    if (slice_starts(surface, SLICE("bedrock.invoke")) &&
        !slice_starts(slice_of(e->id, e->id_n), SLICE("msg_")))
        return none;
    return raw_str(&e->reply, S_MODEL);
}

static void names(struct exchange *e, struct usage *u)
{
    struct slice model = reply_model(e), id = slice_of(e->id, e->id_n);
    /* Perplexity's answer has an id of its own; the path names what was accepted */
    bool poll = surface_is(e, "openai.chat_retrieve") && e->path_model_n &&
                !strcmp(e->hit.provider, "perplexity");
    u->provider = slice_str(e->hit.provider);
    u->surface = slice_str(e->hit.surface);
    if (judge_names_model(e->hit.surface)) {
        u->model_request = raw_str(&e->request, S_MODEL_REQUEST);
        if (!u->model_request.n && e->form.n)
            u->model_request = slice_of(e->form.value, e->form.n);
        if (!u->model_request.n && !judge_is_batch(e->hit.surface) && !poll)
            u->model_request = slice_of(e->path_model, e->path_model_n);
        u->model = model.n ? model : u->model_request;
    }
    if (poll)
        id = slice_of(e->path_model, e->path_model_n);
    u->response_id = judge_id(e->hit.surface, e->status, streamed(e), id);
    u->request_id = slice_of(e->request_id, e->request_id_n);
    u->scope = slice_of(e->scope, e->scope_n);
    struct provider_hit hit = e->hit;
    hit.region = slice_of(e->region, e->region_n);
    u->region = judge_region(&e->reply, &hit);
    u->tier = judge_tier(&e->reply, raw_str(&e->reply, S_TIER).n
                                        ? raw_str(&e->reply, S_TIER)
                                        : raw_str(&e->request, S_TIER));
}

/* Numbers of the reply, or the sums of its parts. */
static bool numbers(struct exchange *e, struct usage *u)
{
    struct raw *r = &e->reply;
    r->searches = e->searches;
    r->browsed = 0;
    if (e->sums.parts) {
        memcpy(u->v, e->sums.usage.v, sizeof u->v);
        u->have = e->sums.usage.have;
        u->agg_n = e->hit.accounting == ACCOUNTING_REPORT ? e->sums.parts : 1;
        return true;
    }
    if (e->hit.accounting == ACCOUNTING_FREE || e->hit.accounting == ACCOUNTING_NONE)
        return false;
    if (surface_is(e, "huggingface.inference")) /* billed by time: its counts are hints */
        return false;
    bool usage = normalise(r, u->provider, u);
    if (r->items && (surface_is(e, "openai.images") || surface_is(e, "gemini.predict")))
        usage_set(u, USAGE_images, r->items);
    if (surface_is(e, "openai.speech") && e->request.text_in)
        usage_set(u, USAGE_characters, e->request.text_in);
    if (surface_is(e, "openai.transcription") && raw_has(r, N_DURATION_MS) &&
        !usage_has(u, USAGE_audio_ms))
        usage_set(u, USAGE_audio_ms, r->num[N_DURATION_MS]);
    return usage;
}

/* The client or the network left: the numbers so far are running totals. */
static void cut_short(struct usage *u, bool usage)
{
    if (u->accounting != ACCOUNTING_CALL)
        return;
    u->outcome = OUTCOME_ABORTED;
    if (usage)
        u->usage_source = SOURCE_PARTIAL;
    /* a cost so far is none */
    u->v[USAGE_cost_pico] = u->v[USAGE_cost_calls] = 0;
    u->have &= ~((uint32_t)1 << USAGE_cost_pico | (uint32_t)1 << USAGE_cost_calls);
}

/* Calls that are billed by tokens, so that tokens can be estimated. */
static bool by_tokens(const struct exchange *e)
{
    return judge_by_tokens(e->hit.surface) &&
           (!e->reply.items || !surface_is(e, "gemini.predict"));
}

/* The reply ended at the request's limit. */
static bool cut_off(const struct exchange *e)
{
    static const char *const words[] = { "length", "max_tokens", "max_output_tokens",
                                         "maximum_tokens" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_ieq(raw_str(&e->reply, S_FINISH), slice_str(words[i])))
            return true;
    return slice_eq(raw_str(&e->reply, S_STATE), SLICE("incomplete"));
}

static bool unthinking(const struct raw *request)
{
    struct slice effort = raw_str(request, S_FINISH);
    return slice_eq(effort, SLICE("none")) || slice_eq(effort, SLICE("minimal")) ||
           (raw_has(request, N_REASONING) && !request->num[N_REASONING]);
}

struct estimate_sample exchange_sample(const struct exchange *e)
{
    return (struct estimate_sample){
        .sent_bytes = e->request.text_in,
        .generated_bytes = e->text_out,
        .pieces = e->pieces,
        .request_seen = e->request_json,
        .streamed = e->framing == FRAMING_SSE,
        .tools = e->reply.flags & F_TOOLS,
        .unthinking = unthinking(&e->request),
        .cut_at = cut_off(e) ? raw_get(&e->request, N_OUTPUT) : 0,
        .no_generation = slice_ends(slice_str(e->hit.surface), SLICE("embeddings")) ||
                         slice_ends(slice_str(e->hit.surface), SLICE(".embed")) ||
                         surface_is(e, "gemini.predict"),
    };
}

/* A whole reply teaches the estimator; one without its numbers is estimated by it. */
static void set_quality(struct extract *x, const struct exchange *e, bool usage,
                        enum extract_end end, struct usage *u)
{
    struct estimate_sample s = exchange_sample(e);
    bool units = usage_has(u, USAGE_images) || usage_has(u, USAGE_characters) ||
                 usage_has(u, USAGE_pages) || usage_has(u, USAGE_audio_ms);
    u->quality = QUALITY_EXACT;
    if (u->accounting != ACCOUNTING_CALL)
        return;
    if (!by_tokens(e)) {
        u->quality = usage || units ? QUALITY_EXACT : QUALITY_MISSING;
        return;
    }
    if (usage && e->reply.flags & F_BAD_COUNT) {
        u->quality = QUALITY_MISSING;
        u->check = CHECK_MISMATCH;
        return;
    }
    if (usage && end == EXTRACT_COMPLETE) {
        estimate_learn(&x->estimate, u, &s);
        return;
    }
    if (u->outcome == OUTCOME_FAILED || (!s.request_seen && !e->body_seen)) {
        u->quality = QUALITY_MISSING;
        return;
    }
    if (!usage && raw_has(&e->reply, N_T_OUT)) { /* counts of a server billed by time */
        usage_set(u, USAGE_output, e->reply.num[N_T_OUT]);
        if (raw_has(&e->reply, N_T_IN))
            usage_set(u, USAGE_input, e->reply.num[N_T_IN]);
    }
    estimate_fill(&x->estimate, u, &s);
}

void extract_finish(struct extract *x, enum extract_end end, int64_t ts_ns,
                    usage_fn *emit, void *arg)
{
    struct exchange *e = x->exchange;
    struct usage u;
    if (e->settled) /* before what is cut ends here */
        end = EXTRACT_COMPLETE;
    walk_finish(&e->ask);
    if (e->framing == FRAMING_SSE)
        exchange_events_end(e);
    else if (e->framing == FRAMING_JSON)
        walk_finish(&e->answer);
    if (e->answer.depth) /* cut inside a document: it says what it has said */
        exchange_document_end(e);
    if (e->hit.if_shaped && !judge_shaped(e->hit.surface, &e->reply))
        e->hit = (struct provider_hit){ .provider = "other", .surface = "none" };
    if (surface_is(e, "gemini.batch_results") && !e->sums.parts) /* any other file */
        e->hit.surface = "admin", e->hit.accounting = ACCOUNTING_FREE;
    usage_init(&u);
    u.ts_ns = ts_ns;
    u.seen = SEEN_CAPTURE;
    u.status = e->status;
    names(e, &u);
    bool usage = numbers(e, &u);
    judge_outcome(&e->reply, &e->hit, usage, streamed(e), &u);
    if (usage)
        u.usage_source = source_of(e);
    if (end == EXTRACT_ABORTED)
        cut_short(&u, usage);
    if (e->from_cache && u.accounting == ACCOUNTING_CALL)
        u.accounting = ACCOUNTING_REPORT;
    set_quality(x, e, usage, end, &u);
    if (e->hit.accounting != ACCOUNTING_NONE) {
        usage_set(&u, USAGE_bytes_up, e->bytes_up);
        usage_set(&u, USAGE_bytes_down, e->bytes_down);
    }
    judge_emit(&e->reply, &u, emit, arg);
}
