/*
 * What a reply means to the bill beside its numbers: shape, accounting, outcome. Pure
 * functions over struct raw, shared by both doors of extract.
 */
#include "agent/engine.h"
#include "agent/normalise.h"

struct kind {
    struct slice name;
    const char *surface;
    enum accounting accounting;
    const char *id; /* what its id begins with; NULL: the name is telling enough */
};

#define NAME(lit)                                                                        \
    {                                                                                    \
        lit, sizeof(lit) - 1                                                             \
    }

/* Values of "object" (OpenAI and kin). */
static const struct kind objects[] = {
    { NAME("chat.completion"), "openai.chat", ACCOUNTING_CALL, NULL },
    { NAME("chat.completion.chunk"), "openai.chat", ACCOUNTING_CALL, NULL },
    { NAME("chat.completions"), "openai.chat", ACCOUNTING_CALL, NULL },
    { NAME("text_completion"), "openai.completions", ACCOUNTING_CALL, NULL },
    { NAME("text.completion"), "openai.completions", ACCOUNTING_CALL, NULL },
    { NAME("response"), "openai.responses", ACCOUNTING_CALL, NULL },
    { NAME("response.compaction"), "openai.responses_compact", ACCOUNTING_CALL, NULL },
    { NAME("response.input_tokens"), "openai.count_tokens", ACCOUNTING_FREE, NULL },
    { NAME("response.deleted"), "openai.responses_admin", ACCOUNTING_FREE, NULL },
    { NAME("batch"), "openai.batches", ACCOUNTING_DEFERRED, NULL },
    { NAME("thread.run"), "openai.assistants_run", ACCOUNTING_DEFERRED, NULL },
    { NAME("interaction"), "gemini.interactions", ACCOUNTING_CALL, NULL },
    { NAME("model"), "admin", ACCOUNTING_FREE, NULL },
    { NAME("file"), "admin", ACCOUNTING_FREE, NULL },
    { NAME("vector_store"), "admin", ACCOUNTING_FREE, NULL },
    { NAME("assistant"), "admin", ACCOUNTING_FREE, NULL },
    { NAME("thread"), "admin", ACCOUNTING_FREE, NULL },
};

/* Values of "type" (Anthropic). */
static const struct kind types[] = {
    { NAME("message"), "anthropic.messages", ACCOUNTING_CALL, "msg_" },
    { NAME("completion"), "anthropic.complete", ACCOUNTING_CALL, "compl_" },
    { NAME("message_batch"), "anthropic.batches", ACCOUNTING_DEFERRED, "msgbatch_" },
};

static const struct kind *kind_of(const struct kind *k, size_t n, struct slice name)
{
    if (!name.n)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (slice_eq(k[i].name, name))
            return &k[i];
    return NULL;
}

static bool state_is(const struct raw *r, const char *state)
{
    return raw_str(r, S_STATE).n && slice_eq(raw_str(r, S_STATE), slice_str(state));
}

static bool pending(const struct raw *r)
{
    return state_is(r, "queued") || state_is(r, "in_progress");
}

/* A list: embeddings if it has usage, else housekeeping. */
static struct shape list_shape(const struct raw *r)
{
    bool usage = r->flags & F_USAGE;
    return (struct shape){ .surface = usage ? "openai.embeddings" : "admin",
                           .accounting = usage ? ACCOUNTING_CALL : ACCOUNTING_FREE,
                           .judged = usage };
}

static struct shape counted_shape(const struct raw *r)
{
    struct shape s = { .surface = "", .accounting = ACCOUNTING_CALL };
    if (normalise_is_gemini(r))
        s.surface = r->flags & F_EMBEDDING ? "gemini.embed" : "gemini.generate";
    else if (raw_has(r, N_B_INPUT) && !(r->flags & F_AI_SDK))
        s.surface = "bedrock.converse";
    else if (raw_has(r, N_O_EVAL))
        s.surface = "ollama.generate";
    else if (raw_has(r, N_C_INPUT) || raw_has(r, N_C_SEARCHES))
        s.surface = "cohere.chat_v2";
    else if (r->flags & F_CHOICES)
        s.surface = "openai.chat";
    else if (r->flags & F_NATIVE_CACHE && raw_has(r, N_INPUT) && !raw_has(r, N_TOTAL))
        s.surface = "anthropic.messages";
    else if (raw_has(r, N_PROMPT) && raw_has(r, N_COMPLETION) && r->flags & F_USAGE)
        s.surface = "openai.chat";
    else if (raw_has(r, N_INPUT) && raw_has(r, N_TOTAL) && r->flags & F_USAGE &&
             slice_starts(raw_str(r, S_ID), SLICE("resp_")))
        s.surface = "openai.responses";
    return s;
}

/* Without usage a kind's word has to be backed by a name that fits. */
static bool named(const struct raw *r, const struct kind *k)
{
    if (k->id)
        return slice_starts(raw_str(r, S_ID), slice_str(k->id)) &&
               (raw_str(r, S_MODEL).n || k->accounting != ACCOUNTING_CALL);
    return raw_str(r, S_ID).n || raw_str(r, S_MODEL).n ||
           slice_chr(k->name, '.') != SIZE_MAX;
}

struct shape shape_of(const struct raw *r)
{
    struct slice object = raw_str(r, S_OBJECT), type = raw_str(r, S_TYPE);
    const struct kind *k = kind_of(objects, sizeof objects / sizeof *objects, object);
    struct shape s;
    if (!k)
        k = kind_of(types, sizeof types / sizeof *types, type);
    if (k && !(r->flags & F_USAGE) && !named(r, k))
        k = NULL; /* "message" or "file" alone is anybody's word */
    if (k)
        s = (struct shape){ .surface = k->surface,
                            .accounting = k->accounting,
                            .judged = true };
    else if (slice_eq(object, SLICE("list")))
        s = list_shape(r);
    else
        s = counted_shape(r);
    if (r->flags & (F_CANDIDATES | F_FEEDBACK)) {
        s.surface = "gemini.generate";
        s.judged = true;
    }
    if (r->flags & F_ERROR && slice_eq(type, SLICE("error"))) {
        s.surface = "anthropic.messages";
        s.judged = true;
    }
    return s;
}

static bool is_poll(enum accounting a)
{
    return a == ACCOUNTING_REPORT;
}

static bool surface_is(const struct provider_hit *hit, const char *surface)
{
    return judge_same(hit->surface, surface);
}

/* Work that was only accepted: its numbers come with a later request. */
static bool accepted(const struct raw *r, const struct provider_hit *hit)
{
    if (surface_is(hit, "openai.responses") || surface_is(hit, "gemini.interactions"))
        return pending(r);
    return false;
}

void judge_outcome(const struct raw *r, const struct provider_hit *hit, bool has_usage,
                   bool streamed, struct usage *u)
{
    bool refused = u->status >= 300 || (u->status && u->status < 200 && u->status != 101);
    bool error = r->flags & F_ERROR;
    u->accounting = hit->accounting;
    u->outcome = hit->accounting == ACCOUNTING_NONE ? OUTCOME_NA
                 : refused                          ? OUTCOME_ERROR
                                                    : OUTCOME_OK;
    if (hit->accounting == ACCOUNTING_NONE || hit->accounting == ACCOUNTING_FREE)
        return;
    if (refused) {
        u->accounting = is_poll(hit->accounting) ? ACCOUNTING_FREE : ACCOUNTING_ERROR;
        return;
    }
    if (is_poll(hit->accounting)) {
        u->accounting = has_usage ? ACCOUNTING_REPORT : ACCOUNTING_FREE;
        if (surface_is(hit, "openai.responses_retrieve") && pending(r))
            u->outcome = OUTCOME_PENDING;
        return;
    }
    if (hit->accounting == ACCOUNTING_DEFERRED) {
        if (has_usage && surface_is(hit, "openai.assistants_run"))
            u->accounting = ACCOUNTING_CALL;
        else if (error && !streamed && !has_usage)
            u->accounting = ACCOUNTING_ERROR, u->outcome = OUTCOME_ERROR;
        return;
    }
    if (!has_usage && (!streamed || r->flags & F_BACKGROUND) && accepted(r, hit)) {
        u->accounting = ACCOUNTING_DEFERRED;
        u->outcome = OUTCOME_PENDING;
    } else if (state_is(r, "failed")) {
        u->outcome = OUTCOME_FAILED;
    } else if (r->flags & F_BLOCKED && !(r->flags & F_CANDIDATES)) {
        u->accounting = has_usage ? ACCOUNTING_CALL : ACCOUNTING_ERROR;
        u->outcome = OUTCOME_BLOCKED;
    } else if (!has_usage && surface_is(hit, "ollama.generate") &&
               (slice_eq(raw_str(r, S_FINISH), SLICE("load")) ||
                slice_eq(raw_str(r, S_FINISH), SLICE("unload")))) {
        u->accounting = ACCOUNTING_FREE; /* a model is moved, nothing is generated */
    } else if (error && streamed) {
        u->outcome = OUTCOME_ERROR_IN_STREAM;
    } else if (error && !has_usage && !(r->flags & (F_CHOICES | F_CANDIDATES))) {
        u->accounting = ACCOUNTING_ERROR;
        u->outcome = OUTCOME_ERROR;
    }
}

struct slice judge_id(const char *surface, uint16_t status, bool streamed,
                      struct slice id)
{
    static const char *const with[] = {
        "openai.chat",         "openai.completions", "openai.responses",
        "openai.embeddings",   "openai.assistants",  "openai.batches",
        "anthropic.messages",  "anthropic.complete", "gemini.generate",
        "gemini.interactions", "cohere.chat",        "cohere.embed",
        "cohere.rerank",       "cohere.generate",    "mistral.conversations",
    };
    struct slice name = slice_str(surface), none = { NULL, 0 };
    if (!id.n)
        return none;
    if (status >= 400 || slice_eq(name, SLICE("openai.responses_admin")) ||
        (streamed && slice_eq(name, SLICE("cohere.generate"))))
        return none;
    if (slice_starts(name, SLICE("bedrock.invoke")))
        return slice_starts(id, SLICE("msg_")) ? id : none;
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (slice_starts(name, slice_str(with[i])))
            return id;
    return none;
}

bool judge_is_batch(const char *surface)
{
    return slice_ends(slice_str(surface), SLICE(".batch_results"));
}

bool judge_by_tokens(const char *surface)
{
    static const char *const otherwise[] = {
        "openai.images",         "openai.speech", "openai.transcription",
        "mistral.ocr",           "bedrock.rag",   "bedrock.agent",
        "bedrock.invoke_rerank", "cohere.rerank", "cohere.parse",
    };
    for (size_t i = 0; i < sizeof otherwise / sizeof *otherwise; i++)
        if (!strcmp(surface, otherwise[i]))
            return false;
    return true;
}

bool judge_shaped(const char *surface, const struct raw *r)
{
    struct slice s = slice_str(surface);
    if (slice_starts(s, SLICE("ollama.")))
        return raw_has(r, N_O_EVAL) || raw_has(r, N_O_PROMPT);
    if (slice_starts(s, SLICE("llamacpp.")))
        return raw_has(r, N_L_PREDICTED) || raw_has(r, N_L_EVALUATED);
    if (slice_starts(s, SLICE("selfhosted.")))
        return r->flags & F_META_INFO || (raw_has(r, N_T_IN) && raw_has(r, N_T_OUT));
    if (slice_starts(s, SLICE("cohere.")) && !slice_ends(s, SLICE(".rerank")))
        return raw_has(r, N_C_INPUT) || raw_has(r, N_C_OUTPUT);
    return raw_has(r, N_TOTAL) || raw_has(r, N_C_SEARCHES);
}

struct slice judge_region(const struct raw *r, const struct provider_hit *hit)
{
    struct slice geo = raw_str(r, S_GEO);
    if (geo.n)
        return slice_eq(geo, SLICE("global")) || slice_eq(geo, SLICE("not_available"))
                   ? (struct slice){ NULL, 0 }
                   : geo;
    /* Claude on AWS' marketplace: the host's region is no price */
    bool anthropic = hit->provider && judge_same(hit->provider, "anthropic");
    return anthropic ? (struct slice){ NULL, 0 } : hit->region;
}

struct slice judge_tier(const struct raw *r, struct slice said)
{
    if (slice_eq(raw_str(r, S_SPEED), SLICE("fast")))
        return SLICE("fast");
    if (!slice_starts(said, SLICE("ON_DEMAND")) && !slice_starts(said, SLICE("PROV")))
        return said;
    if (slice_starts(said, SLICE("PROV")))
        return SLICE("provisioned");
    if (slice_ends(said, SLICE("_PRIORITY")))
        return SLICE("priority");
    return slice_ends(said, SLICE("_FLEX")) ? SLICE("flex") : (struct slice){ NULL, 0 };
}

bool judge_names_model(const char *surface)
{
    return !judge_same(surface, "admin") && !judge_same(surface, "bedrock.agent_admin");
}

void judge_batch_line(const char *surface, struct usage *u)
{
    if (!judge_is_batch(surface) || judge_same(surface, "gemini.batch_results"))
        return;
    u->have |= 1u << USAGE_cache_read | 1u << USAGE_reasoning;
    if (!(u->have & (1u << USAGE_cache_write_5m | 1u << USAGE_cache_write_1h)))
        u->have |= 1u << USAGE_cache_write;
}

/* A pass of the call `main` as a call of its own. */
static struct usage pass_of(const struct usage *main, const struct raw_pass *p)
{
    struct usage u = *main;
    memset(u.v, 0, sizeof u.v);
    u.have = 0;
    u.check = CHECK_NO_TOTAL;
    u.ttfb_us = u.ttft_us = u.total_us = -1;
    u.agg_n = !slice_eq(p->type, SLICE("compaction")); /* that is the call's */
    if (p->model.n)
        u.model = p->model;
    normalise_pass(p, &u);
    return u;
}

size_t judge_emit(const struct raw *r, struct usage *u, usage_fn *emit, void *arg)
{
    size_t n = 1;
    if (!r->passes) {
        emit(arg, u);
        return n;
    }
    const struct usage main = *u;
    emit(arg, u);
    for (unsigned i = 0; i < r->passes; i++) {
        if (!normalise_pass_is_extra(&r->pass[i]))
            continue;
        struct usage pass = pass_of(&main, &r->pass[i]);
        pass.pass = (uint16_t)(i + 1);
        emit(arg, &pass);
        n++;
    }
    return n;
}

const char *provider_of_model(struct slice model)
{
    static const struct {
        const char *prefix, *provider;
    } families[] = {
        { "claude-", "anthropic" },
        { "gpt-", "openai" },
        { "o1", "openai" },
        { "o3", "openai" },
        { "o4-", "openai" },
        { "chatgpt-", "openai" },
        { "text-embedding-3", "openai" },
        { "text-embedding-ada", "openai" },
        { "dall-e-", "openai" },
        { "gemini-", "gemini" },
        { "models/gemini-", "gemini" },
        { "mistral-", "mistral" },
        { "codestral-", "mistral" },
        { "deepseek-", "deepseek" },
        { "grok-", "xai" },
        { "command-", "cohere" },
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (slice_starts(model, slice_str(families[i].prefix)))
            return families[i].provider;
    return "";
}
