/*
 * What `claude -p` prints (--output-format json, stream-json): see logparse.h. Its result
 * says once more what the session's messages said, and a little more: the messages are
 * printed before their last words are counted.
 */
#include "agent/logparse.h"

#include "agent/logwalk.h"

enum { MODELS = 8, NAME = 96 };
enum { IN, READ, WRITE, OUT, COUNTS = LOG_CLAUDE_COUNTS };

struct model {
    char name[NAME];
    size_t name_n;
    uint64_t v[COUNTS], cost;
    bool has_cost;
};

struct result {
    uint64_t session;
    char uuid[NAME];
    size_t uuid_n;
    bool is, said;
    uint64_t v[COUNTS], m5, h1;
    struct model model[MODELS];
    size_t models;
};

/* Behind `{"type":`, with or without a blank; empty in any other line. */
static struct slice type_of(struct slice text)
{
    return slice_trim(slice_from(text, log_claude_may_be(text) ? 8 : text.n));
}

bool log_claude_printed(struct slice text, struct slice *session)
{
    struct slice type = type_of(text), key;
    struct json j;
    if (!slice_starts(type, SLICE("\"assistant\"")) &&
        !slice_starts(type, SLICE("\"stream_event\"")))
        return false;
    json_init(&j, JSON_ONE);
    json_feed(&j, text);
    if (json_next(&j, &key) != JSON_OBJECT)
        return false;
    while (json_next(&j, &key) == JSON_KEY) { /* a tool may have its like further in */
        if (slice_eq(key, SLICE("session_id")))
            return json_raw_string(&j, session) && session->n;
        json_skip(&j);
    }
    return false;
}

/* Its place in the state; NULL: no message of it was counted. */
static struct log_claude_session *find(struct log_claude *s, uint64_t session)
{
    for (size_t i = 0; i < LOG_CLAUDE_SESSIONS; i++)
        if (s->at[i].session == session)
            return &s->at[i];
    return NULL;
}

/* Those in use come first; beyond them or at the end stands the next to be forgotten. */
static struct log_claude_session *move(struct log_claude *s, struct log_claude_session *e,
                                       size_t to)
{
    struct log_claude_session moved = *e;
    size_t from = (size_t)(e - s->at);
    if (to < from)
        memmove(s->at + to + 1, s->at + to, (from - to) * sizeof *e);
    else
        memmove(e, e + 1, (to - from) * sizeof *e);
    s->at[to] = moved;
    return s->at + to;
}

void log_claude_message(struct log_claude *s, struct slice session, const struct usage *u)
{
    uint64_t key = slice_hash(session, 0) | 1, message = slice_hash(u->response_id, 0);
    const uint64_t v[COUNTS] = { u->v[USAGE_input], u->v[USAGE_cache_read],
                                 u->v[USAGE_cache_write] + u->v[USAGE_cache_write_5m] +
                                     u->v[USAGE_cache_write_1h],
                                 u->v[USAGE_output] };
    struct log_claude_session *e = find(s, key);
    if (!u->response_id.n)
        return;
    if (!e) {
        e = s->at + LOG_CLAUDE_SESSIONS - 1;
        *e = (struct log_claude_session){ .session = key, .message = message };
    }
    e = move(s, e, 0);
    for (unsigned i = 0; i < COUNTS; i++) {
        if (e->message != message) {
            e->sum[i] += e->last[i];
            e->last[i] = 0;
        }
        if (e->last[i] < v[i])
            e->last[i] = v[i];
    }
    e->message = message;
}

/* --- the result ----------------------------------------------------------------------
 */

static size_t keep(char to[NAME], struct slice s)
{
    if (s.n > NAME)
        return 0;
    memcpy(to, s.n ? s.p : "", s.n);
    return s.n;
}

static enum logwalk_want want(void *arg, struct slice path)
{
    static const struct slice paths[] = { { "/type", 5 },
                                          { "/session_id", 11 },
                                          { "/uuid", 5 },
                                          { "/usage", 6 },
                                          { "/modelUsage", 11 } };
    (void)arg;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (slice_eq(paths[i], path))
            return LOGWALK_TAKE;
    return slice_starts(path, SLICE("/usage/")) ||
                   slice_starts(path, SLICE("/modelUsage/"))
               ? LOGWALK_TAKE
               : LOGWALK_SKIP;
}

/* "NAME/field" of modelUsage. */
static void of_model(struct result *r, struct slice path, struct slice text)
{
    static const char *const fields[COUNTS] = { "inputTokens", "cacheReadInputTokens",
                                                "cacheCreationInputTokens",
                                                "outputTokens" };
    const char *slash = memrchr(path.p, '/', path.n);
    struct slice name = slice_head(path, slash ? (size_t)(slash - path.p) : 0);
    struct slice field = slice_from(path, name.n + 1);
    struct model *m = r->models ? &r->model[r->models - 1] : NULL;
    if (!name.n || name.n > NAME)
        return;
    if (!m || !slice_eq(name, slice_of(m->name, m->name_n))) {
        if (r->models == MODELS)
            return;
        m = &r->model[r->models++];
        m->name_n = keep(m->name, name);
    }
    for (unsigned i = 0; i < COUNTS; i++)
        if (slice_eq(field, slice_str(fields[i])))
            json_count(text, &m->v[i]);
    if (slice_eq(field, SLICE("costUSD")))
        m->has_cost = json_decimal(text, 12, &m->cost);
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    static const struct {
        struct slice path;
        size_t at;
    } counts[] = {
#define COUNT(path, member)                                                              \
    { { path, sizeof(path) - 1 }, offsetof(struct result, member) }
        COUNT("/usage/input_tokens", v[IN]),
        COUNT("/usage/cache_read_input_tokens", v[READ]),
        COUNT("/usage/cache_creation_input_tokens", v[WRITE]),
        COUNT("/usage/output_tokens", v[OUT]),
        COUNT("/usage/cache_creation/ephemeral_5m_input_tokens", m5),
        COUNT("/usage/cache_creation/ephemeral_1h_input_tokens", h1),
#undef COUNT
    };
    struct result *r = arg;
    if (slice_eq(path, SLICE("/type")))
        r->is = slice_eq(text, SLICE("result"));
    else if (slice_eq(path, SLICE("/session_id")) && text.n)
        r->session = slice_hash(text, 0) | 1;
    else if (slice_eq(path, SLICE("/uuid")))
        r->uuid_n = keep(r->uuid, text);
    else if (slice_starts(path, SLICE("/modelUsage/")) && type == JSON_NUMBER)
        of_model(r, slice_from(path, 12), text);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (slice_eq(path, counts[i].path))
            r->said |= json_count(text, (uint64_t *)(void *)((char *)r + counts[i].at));
}

static int give(struct logparse *p, const struct result *r, const struct model *m,
                const uint64_t v[COUNTS], uint32_t calls)
{
    static const enum logcall_num to[COUNTS] = { CALL_IN, CALL_READ, CALL_WRITE,
                                                 CALL_OUT };
    struct logcall *c = p->call;
    logcall_init(c);
    c->sense = CALL_EXCLUSIVE;
    c->agg_n = calls;
    for (unsigned i = 0; i < COUNTS; i++)
        logcall_set(c, to[i], v[i]);
    if (v[WRITE] == r->m5 + r->h1) {
        logcall_set(c, CALL_WRITE_5M, r->m5);
        logcall_set(c, CALL_WRITE_1H, r->h1);
    }
    if (m) /* "claude-x[1m]" has a longer context */
        logcall_text(c, CALL_MODEL,
                     slice_head(slice_of(m->name, m->name_n),
                                slice_chr(slice_of(m->name, m->name_n), '[')));
    if (m && m->has_cost && calls)
        logcall_set(c, CALL_COST, m->cost);
    if (!p->provider.n &&
        !(m && slice_chr(slice_of(m->name, m->name_n), '.') != SIZE_MAX))
        logcall_text(c, CALL_PROVIDER, SLICE("anthropic")); /* else Bedrock's name */
    logcall_text(c, CALL_REQUEST_ID, slice_of(r->uuid, r->uuid_n));
    return (int)logcall_emit(c, p->provider, p->line_ns, p->emit, p->arg);
}

/* What the result has beyond the messages that were counted, which it then all holds. */
static int rest(struct logparse *p, const struct result *r, struct log_claude_session *e)
{
    uint64_t v[COUNTS];
    bool smaller = false, more = false;
    const struct model *m = NULL;
    for (unsigned i = 0; i < COUNTS; i++) {
        uint64_t had = e->sum[i] + e->last[i];
        smaller |= r->v[i] < had;
        v[i] = r->v[i] > had ? r->v[i] - had : 0;
    }
    for (unsigned i = 0; i < COUNTS; i++) {
        if (smaller && i != OUT) /* not the same calls: only what was said of output */
            v[i] = 0;
        more |= v[i];
        e->sum[i] += v[i];
    }
    for (size_t i = 0; i < r->models; i++)
        if (!m || r->model[i].v[OUT] > m->v[OUT])
            m = &r->model[i];
    return more ? give(p, r, m, v, 0) : 0;
}

int log_claude_result(struct logparse *p, struct log_claude *s)
{
    struct result r = { .is = false };
    struct logwalk walk = { want, scalar, NULL, &r, p->scratch, false };
    int n = 0;
    if (!slice_starts(type_of(p->text), SLICE("\"result\"")))
        return LOGPARSE_OTHER;
    p->why = logwalk(&walk, p->text);
    if (p->why)
        return 0;
    if (!r.is || !r.session || !r.said)
        return LOGPARSE_OTHER;
    struct log_claude_session *e = find(s, r.session);
    if (e) {
        size_t last = LOG_CLAUDE_SESSIONS - 1;
        while (!s->at[last].session)
            last--;
        return rest(p, &r, move(s, e, last)); /* it may be the last of its session */
    }
    for (size_t i = 0; i < r.models; i++)
        n += give(p, &r, &r.model[i], r.model[i].v, 1);
    return r.models ? n : give(p, &r, NULL, r.v, 1);
}

/* --- over a restart ------------------------------------------------------------------
 */

void log_claude_save(const struct log_claude *s, struct buf *out)
{
    const char *between = " ";
    for (size_t i = 0; i < LOG_CLAUDE_SESSIONS && s->at[i].session; i++) {
        const struct log_claude_session *e = &s->at[i];
        buf_addf(out, "%s%llu,%llu", between, (unsigned long long)e->session,
                 (unsigned long long)e->message);
        for (unsigned k = 0; k < COUNTS; k++)
            buf_addf(out, ",%llu,%llu", (unsigned long long)e->sum[k],
                     (unsigned long long)e->last[k]);
        between = ";";
    }
    if (!s->at[0].session)
        buf_adds(out, " -");
}

bool log_claude_load(struct log_claude *s, struct slice text)
{
    struct log_claude got = { .at = { { .session = 0 } } };
    struct slice entry, word;
    size_t n = 0;
    bool more = !slice_eq(text, SLICE("-"));
    while (more) {
        more = slice_cut(text, ';', &entry, &text);
        if (n == LOG_CLAUDE_SESSIONS)
            return false;
        struct log_claude_session *e = &got.at[n++];
        uint64_t *to[2 + 2 * COUNTS] = { &e->session, &e->message };
        for (size_t k = 0; k < COUNTS; k++) {
            to[2 + 2 * k] = &e->sum[k];
            to[3 + 2 * k] = &e->last[k];
        }
        for (size_t k = 0; k < 2 + 2 * COUNTS; k++) {
            slice_cut(entry, ',', &word, &entry);
            if (!slice_u64(word, to[k]))
                return false;
        }
        if (entry.n || !e->session)
            return false;
    }
    *s = got;
    return true;
}
