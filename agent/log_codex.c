/*
 * Codex session files (usage-formats 8.8): see logparse.h. token_count events carry the
 * session's totals; a call is what they grew by. Forked and resumed files begin with a
 * replay of the parent's events, all written within the file's first second.
 */
#include "agent/logparse.h"

#include "agent/logwalk.h"
#include "common/instant.h"

#define SECOND INT64_C(1000000000)

enum { INPUT, CACHED, WRITTEN, OUTPUT, REASONING };

struct codex_line {
    int64_t ns;
    bool meta, counters, other;
    uint32_t have[2];                /* bit i: v[][i] was said */
    uint64_t v[2][LOG_CODEX_COUNTS]; /* total, last */
    char model[LOG_CODEX_NAME], session[LOG_CODEX_NAME];
};

static const char *const names[LOG_CODEX_COUNTS] = {
    "input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens",
    "reasoning_output_tokens"
};

static const struct slice tables[2] = { { "/payload/info/total_token_usage/", 32 },
                                        { "/payload/info/last_token_usage/", 31 } };

static enum logwalk_want want(void *arg, struct slice path)
{
    (void)arg;
    static const struct slice paths[] = {
        { "/timestamp", 10 },     { "/type", 5 },
        { "/payload", 8 },        { "/payload/type", 13 },
        { "/payload/id", 11 },    { "/payload/info", 13 },
        { "/payload/model", 14 }, { "/payload/session_id", 19 }
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (slice_eq(paths[i], path))
            return LOGWALK_TAKE;
    return slice_starts(path, SLICE("/payload/info/")) ? LOGWALK_TAKE : LOGWALK_SKIP;
}

/* A name that the state can hold; others are not kept. */
static void keep(char *to, struct slice s)
{
    if (s.n == 0 || s.n >= LOG_CODEX_NAME)
        return;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ')
            return;
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
}

static void count(struct codex_line *l, unsigned table, struct slice name,
                  struct slice text)
{
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++)
        if (slice_eq(name, slice_str(names[i])) && json_count(text, &l->v[table][i]))
            l->have[table] |= 1u << i;
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    struct codex_line *l = arg;
    if (slice_eq(path, SLICE("/timestamp"))) {
        instant_parse(text, &l->ns);
    } else if (slice_eq(path, SLICE("/type"))) {
        l->meta = slice_eq(text, SLICE("session_meta"));
        l->other = !l->meta && !slice_eq(text, SLICE("event_msg")) &&
                   !slice_eq(text, SLICE("turn_context")) &&
                   !slice_eq(text, SLICE("response_item")) &&
                   !slice_eq(text, SLICE("compacted"));
    } else if (slice_eq(path, SLICE("/payload/type"))) {
        l->counters = slice_eq(text, SLICE("token_count"));
    } else if (slice_eq(path, SLICE("/payload/model"))) {
        keep(l->model, text);
    } else if (slice_eq(path, SLICE("/payload/id"))) {
        keep(l->session, text);
    }
    for (unsigned t = 0; t < 2 && type == JSON_NUMBER; t++)
        if (slice_starts(path, tables[t]))
            count(l, t, slice_from(path, tables[t].n), text);
}

/* The numbers of this line's own call; false: there was none. */
static bool growth(const struct codex_line *l, const struct log_codex *s,
                   uint64_t v[LOG_CODEX_COUNTS])
{
    uint64_t before = 0;
    bool smaller = false, moved = false;
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++) {
        smaller |= l->v[0][i] < s->total[i];
        moved |= l->v[0][i] != s->total[i];
        before |= s->total[i];
    }
    /* compaction counts anew; without its beginning a session's total is not all ours */
    bool last = smaller || (!before && !s->begin_ns && l->have[1]);
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++)
        v[i] = last ? l->v[1][i] : l->v[0][i] - s->total[i];
    return moved;
}

static int give(struct logparse *p, const struct log_codex *s, const struct codex_line *l,
                const uint64_t v[LOG_CODEX_COUNTS])
{
    static const enum logcall_num to[LOG_CODEX_COUNTS] = { CALL_IN, CALL_READ, CALL_WRITE,
                                                           CALL_OUT, CALL_REASONING };
    struct logcall *c = p->call;
    uint64_t all = 0;
    logcall_init(c);
    c->sense = CALL_INCLUSIVE;
    c->end_ns = l->ns;
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++) {
        all += s->total[i];
        if (l->have[0] >> i & 1)
            logcall_set(c, to[i], v[i]);
    }
    logcall_text(c, CALL_PROVIDER, p->provider.n ? p->provider : SLICE("openai"));
    logcall_text(c, CALL_MODEL, slice_str(s->model));
    if (s->session[0]) { /* names the call: an archived copy says the same */
        buf_reset(p->scratch);
        buf_addf(p->scratch, "%s:%llu", s->session, (unsigned long long)all);
        logcall_text(c, CALL_REQUEST_ID, buf_slice(p->scratch));
    }
    return (int)logcall_emit(c, p->provider, p->line_ns, p->emit, p->arg);
}

int log_codex(struct logparse *p, struct log_codex *s)
{
    struct codex_line l = { .ns = USAGE_NO_TIME };
    struct logwalk walk = { want, scalar, NULL, &l, p->scratch, false };
    uint64_t v[LOG_CODEX_COUNTS];
    p->why = logwalk(&walk, p->text);
    if (p->why)
        return 0;
    if (l.other)
        return LOGPARSE_OTHER;
    if (l.meta && !s->begin_ns) { /* a second one is the parent's, replayed */
        s->begin_ns = l.ns != USAGE_NO_TIME ? l.ns : 0;
        memcpy(s->session, l.session, sizeof s->session);
    }
    if (l.model[0])
        memcpy(s->model, l.model, sizeof s->model);
    if (!l.counters || !l.have[0])
        return 0;
    bool replayed =
        s->begin_ns && l.ns != USAGE_NO_TIME &&
        (l.ns - s->begin_ns < SECOND || l.ns / SECOND == s->begin_ns / SECOND);
    bool moved = growth(&l, s, v);
    memcpy(s->total, l.v[0], sizeof s->total);
    return moved && !replayed ? give(p, s, &l, v) : 0;
}

void log_codex_save(const struct log_codex *s, struct buf *out)
{
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++)
        buf_addf(out, " %llu", (unsigned long long)s->total[i]);
    buf_addf(out, " %lld %s %s", (long long)s->begin_ns, s->model[0] ? s->model : "-",
             s->session[0] ? s->session : "-");
}

static bool name_back(char *to, struct slice s)
{
    if (slice_eq(s, SLICE("-")))
        return true;
    keep(to, s);
    return to[0] != '\0';
}

bool log_codex_load(struct log_codex *s, struct slice text)
{
    struct log_codex got = { .begin_ns = 0 };
    struct slice word;
    for (unsigned i = 0; i < LOG_CODEX_COUNTS; i++) {
        slice_cut(text, ' ', &word, &text);
        if (!slice_u64(word, &got.total[i]))
            return false;
    }
    slice_cut(text, ' ', &word, &text);
    if (!slice_i64(word, &got.begin_ns))
        return false;
    slice_cut(text, ' ', &word, &text);
    if (!name_back(got.model, word) || !name_back(got.session, text))
        return false;
    *s = got;
    return true;
}
