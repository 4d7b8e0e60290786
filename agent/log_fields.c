/* Formats with fields at fixed places: see logparse.h, logfield.def and logattr.def. */
#include "agent/logparse.h"

#include "agent/logwalk.h"
#include "agent/provider.h"
#include "common/instant.h"

/* What a field is, besides NUM + n and TEXT + t. */
enum role {
    START,
    END,
    FIRST,
    MS,
    STATE,
    CACHE_HIT,
    FAILED,
    NEST,
    NUM = 32,
    NUM_ELSE = 64,
    TEXT = 96,
    TEXT_ELSE = 128,
};

static const struct field {
    const char *path;
    uint8_t n, format, role;
} fields[] = {
#define ROW(format, path, role)   { path, sizeof(path) - 1, LOGFORMAT_##format, role },
#define FIELD(format, path, role) ROW(format, path, role)
#include "agent/logfield.def"
#define ATTR_NUM(name, n)  ROW(gen_ai, "/" name, NUM_ELSE + CALL_##n)
#define ATTR_TEXT(name, t) ROW(gen_ai, "/" name, TEXT_ELSE + CALL_##t)
#include "agent/logattr.def"
};

struct walk {
    struct logparse *p;
    enum logformat format;
    unsigned hits; /* fields of the format that the line has */
    bool records;  /* an object in a list of them: each is judged at its end */
    size_t given;
};

/* Of an array of records the path in one; loggers put the payload under a key, too. */
static struct slice bare(const struct walk *w, struct slice path)
{
#define WRAP(format, s)                                                                  \
    {                                                                                    \
        LOGFORMAT_##format,                                                              \
        {                                                                                \
            s, sizeof(s) - 1                                                             \
        }                                                                                \
    }
    static const struct {
        enum logformat format;
        struct slice path;
    } wraps[] = {
        WRAP(litellm, "/kwargs/standard_logging_object"),
        WRAP(litellm, "/standard_logging_object"),
        WRAP(azure, "/records/-"),
        WRAP(azure, "/properties"),
        WRAP(azure, "/properties_s"),
        WRAP(gen_ai, "/attributes"),
        WRAP(gen_ai, "/Attributes"),
        WRAP(gen_ai, "/span_attributes"),
        WRAP(gen_ai, "/SpanAttributes"),
        WRAP(gen_ai, "/Properties"),
        WRAP(gen_ai, "/customDimensions"),
    };
#undef WRAP
    if (slice_starts(path, SLICE("/-")))
        path = slice_from(path, 2);
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
        if (wraps[i].format == w->format && slice_starts(path, wraps[i].path) &&
            (path.n == wraps[i].path.n || path.p[wraps[i].path.n] == '/'))
            path = slice_from(path, wraps[i].path.n);
    return path;
}

static struct slice path_of(const struct field *f)
{
    return slice_of(f->path, f->n);
}

static const struct field *find(const struct walk *w, struct slice path)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].format == w->format && slice_eq(path_of(&fields[i]), path))
            return &fields[i];
    return NULL;
}

static bool leads(struct slice path, struct slice field)
{
    return field.n > path.n && field.p[path.n] == '/' && slice_starts(field, path);
}

static enum logwalk_want want(void *arg, struct slice path)
{
    const struct walk *w = arg;
    struct slice rest = bare(w, path);
    if (rest.n == 0)
        return LOGWALK_NEST;
    if (slice_eq(path, SLICE("/kwargs")) || slice_eq(path, SLICE("/records")))
        return LOGWALK_TAKE; /* what a wrap begins with */
    const struct field *f = find(w, rest);
    if (f)
        return f->role == NEST ? LOGWALK_NEST : LOGWALK_TAKE;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].format == w->format && leads(rest, path_of(&fields[i])))
            return LOGWALK_TAKE;
    return LOGWALK_SKIP;
}

static bool truth(enum json_type type, struct slice text)
{
    return type == JSON_TRUE || slice_ieq(text, SLICE("true"));
}

/* "0.812" seconds or "812" milliseconds are told apart by the key alone: these are ms. */
static void set_ms(struct logcall *c, struct slice text)
{
    uint64_t us;
    if (json_decimal(text, 3, &us) && us < INT64_MAX)
        c->total_us = (int64_t)us;
}

static void set(struct logcall *c, const struct field *f, enum json_type type,
                struct slice text)
{
    unsigned role = f->role;
    enum logcall_num n = role % 32;
    enum logcall_text t = role % 32;
    switch (role - role % 32) {
    case NUM_ELSE:
        if (logcall_has(c, n))
            return;
        /* fall through */
    case NUM:
        logcall_num(c, n, text);
        return;
    case TEXT_ELSE:
        if (c->text_n[t])
            return;
        /* fall through */
    case TEXT:
        logcall_text(c, t, text);
        return;
    default:
        break;
    }
    if (role == START)
        instant_parse(text, &c->start_ns);
    else if (role == END)
        instant_parse(text, &c->end_ns);
    else if (role == FIRST)
        instant_parse(text, &c->first_ns);
    else if (role == MS)
        set_ms(c, text);
    else if (role == STATE)
        c->failed = slice_eq(text, SLICE("failure"));
    else if (role == CACHE_HIT)
        c->free = truth(type, text);
    else if (role == FAILED)
        c->failed = text.n > 0;
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    struct walk *w = arg;
    const struct field *f = find(w, bare(w, path));
    if (!f)
        return;
    w->hits++;
    if (type == JSON_STRING || type == JSON_NUMBER || f->role == CACHE_HIT)
        set(w->p->call, f, type, text);
}

/* --- what the formats are particular about --------------------------------------------
 */

static bool holds(struct slice text, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_find(text, slice_str(parts[i])) != SIZE_MAX)
            return true;
    return false;
}

/* Rows about keys, deployments and audits are no calls; two rows of a call are one. */
static bool azure(struct logcall *c)
{
    static const char *const kinds[] = { "RequestResponse", "AzureOpenAIRequestUsage",
                                         "GatewayLlmLog" };
    static const char *const verbs[] = { "Completion", "Embedding", "Response",
                                         "Message",    "Image",     "Audio" };
    struct slice id = logcall_get(c, CALL_REQUEST_ID);
    if (!holds(logcall_get(c, CALL_KIND), kinds, sizeof kinds / sizeof *kinds))
        return false;
    bool call =
        logcall_has(c, CALL_IN) || logcall_has(c, CALL_TOTAL) ||
        holds(logcall_get(c, CALL_OPERATION), verbs, sizeof verbs / sizeof *verbs);
    logcall_text(c, CALL_RESPONSE_ID, id);
    if (!c->text_n[CALL_PROVIDER])
        logcall_text(c, CALL_PROVIDER, SLICE("azure_openai"));
    return call;
}

/* LiteLLM logs what it is asked for beside calls, some of it with their tokens again. */
static void litellm_type(struct logcall *c)
{
    static const char *const others[] = { "count_tokens", "token_count", "moderation",
                                          "retrieve_",    "get_",        "list_",
                                          "delete_",      "cancel_",     "file",
                                          "create_batch", "fine_tuning", "mcp_tool" };
    c->free |=
        holds(logcall_get(c, CALL_OPERATION), others, sizeof others / sizeof *others);
}

/* "ns/openai/route/0": the part that names a provider. */
static void gateway_provider(struct logcall *c)
{
    struct slice rest = logcall_get(c, CALL_PROVIDER), part;
    if (slice_chr(rest, '/') == SIZE_MAX)
        return;
    char name[LOGCALL_TEXT];
    while (rest.n) {
        slice_cut(rest, '/', &part, &rest);
        if (!provider_canonical(part))
            continue;
        memcpy(name, part.p, part.n);
        logcall_text(c, CALL_PROVIDER, slice_of(name, part.n));
        return;
    }
}

/* The whole record, or one of a list, has been read: is it a call? */
static bool ready(struct walk *w)
{
    struct logcall *c = w->p->call;
    switch (w->format) {
    case LOGFORMAT_azure:
        return azure(c);
    case LOGFORMAT_bedrock:
        c->sense = CALL_EXCLUSIVE;
        logcall_text(c, CALL_PROVIDER, SLICE("bedrock"));
        logcall_text(c, CALL_RESPONSE_ID, logcall_get(c, CALL_REQUEST_ID));
        return true;
    case LOGFORMAT_litellm:
        litellm_type(c);
        return true;
    case LOGFORMAT_gen_ai:
        gateway_provider(c);
        return logcall_is_one(c) || (!c->text_n[CALL_OPERATION] && c->text_n[CALL_PATH]);
    default:
        return true;
    }
}

static void give(struct walk *w)
{
    struct logparse *p = w->p;
    if (ready(w))
        w->given += logcall_emit(p->call, p->provider, p->line_ns, p->emit, p->arg);
    logcall_init(p->call);
}

static void leave(void *arg, struct slice path)
{
    struct walk *w = arg;
    if (!slice_eq(path, SLICE("/records/-")) && !slice_eq(path, SLICE("/-")))
        return;
    w->records = true;
    give(w);
}

int log_fields(struct logparse *p, enum logformat format)
{
    struct walk w = { .p = p, .format = format };
    struct logwalk walk = { want, scalar, leave, &w, p->scratch, false };
    logcall_init(p->call);
    p->why = logwalk(&walk, p->text);
    if (p->why)
        return 0;
    if (w.hits < 2)
        return LOGPARSE_OTHER;
    if (!w.records)
        give(&w);
    return (int)w.given;
}

/* --- signatures -----------------------------------------------------------------------
 */

#define HAS(key) (slice_find(line, SLICE("\"" key "\"")) != SIZE_MAX)

static bool codex(struct slice line)
{
    return HAS("payload") && HAS("timestamp") &&
           (HAS("session_meta") || HAS("turn_context") || HAS("event_msg") ||
            HAS("response_item"));
}

static bool azure_row(struct slice line)
{
    return (HAS("category") || HAS("Category") || HAS("Type")) &&
           (HAS("RequestResponse") || HAS("AzureOpenAIRequestUsage") ||
            HAS("GatewayLlmLogs") || HAS("ApiManagementGatewayLlmLog"));
}

static bool litellm(struct slice line)
{
    return HAS("litellm_call_id") ||
           (HAS("call_type") &&
            (HAS("response_cost") || (HAS("spend") && HAS("request_id"))));
}

enum logformat logparse_detect(struct slice line)
{
    bool array = line.n && line.p[0] == '[';
    if (line.n < 2 || (line.p[0] != '{' && !array))
        return LOGFORMAT_auto;
    struct slice whole = line;
    line = slice_head(whole, 64);
    if (HAS("resourceSpans") || HAS("resourceMetrics") || HAS("resourceLogs") ||
        HAS("resource_spans") || HAS("resource_metrics") || HAS("resource_logs"))
        return LOGFORMAT_otlp;
    line = whole;
    if (HAS("ModelInvocationLog"))
        return LOGFORMAT_bedrock;
    if (!array && codex(line))
        return LOGFORMAT_codex;
    if (azure_row(line))
        return LOGFORMAT_azure;
    if (litellm(line))
        return LOGFORMAT_litellm;
    if (!array && slice_find(line, SLICE("\"gen_ai.")) != SIZE_MAX)
        return LOGFORMAT_gen_ai;
    return LOGFORMAT_auto;
}

bool logparse_knows(enum logformat format)
{
    switch (format) {
    case LOGFORMAT_codex:
    case LOGFORMAT_litellm:
    case LOGFORMAT_bedrock:
    case LOGFORMAT_otlp:
    case LOGFORMAT_azure:
    case LOGFORMAT_gen_ai:
    case LOGFORMAT_console:
        return true;
    default:
        return false;
    }
}
