/* A line of the application to its calls: see logline.h and logline_private.h. */
#include "agent/logline_private.h"

#include "agent/logtext.h"
#include "common/instant.h"
#include "common/json.h"

/* A part would be a wrong number. */
static const char *const of_many = "a line of a record of several";

enum { LOOKS = 16 /* records after which the inner format is taken as known */ };

static void on_usage(void *arg, struct usage *u)
{
    struct logline_judging *j = arg;
    struct logline *l = j->l;
    if (u->app.n == 0)
        u->app = l->app_s;
    if (u->environment.n == 0)
        u->environment = l->environment_s;
    if (u->ts_ns != USAGE_NO_TIME) {
        l->last_ns = u->ts_ns;
    } else {
        u->ts_ns = l->last_ns != USAGE_NO_TIME ? l->last_ns : l->mtime_ns;
        l->stats.time_guessed++;
    }
    u->seen = SEEN_LOG;
    l->stats.records += u->accounting != ACCOUNTING_NONE;
    if (j->session.n)
        log_claude_message(&l->claude, j->session, u);
    j->emit(j->arg, u);
}

static size_t record_of(struct logline_judging *j, struct slice json,
                        struct slice provider, const char **why)
{
    struct extract_hint hint = { provider, j->line_ns, &j->l->begun };
    if (log_claude_may_be(json) && !log_claude_printed(json, &j->session))
        j->session.n = 0;
    size_t n = extract_record(j->l->x, json, &hint, on_usage, j, why);
    j->session.n = 0;
    return n;
}

static size_t record(struct logline_judging *j, struct slice json, const char **why)
{
    return record_of(j, json, j->l->provider_s, why);
}

static int otlp(struct logline *l, struct logparse *p)
{
    uint64_t before = l->otlp.dropped;
    int n = log_otlp(p, &l->otlp);
    l->stats.points_dropped += l->otlp.dropped - before;
    return n;
}

/* By the parser of a format of logparse.h; LOGPARSE_OTHER: it is none of those. */
static int parse(struct logline_judging *j, enum logformat format, struct slice text,
                 const char **why)
{
    struct logline *l = j->l;
    struct logparse p = { .text = text,
                          .provider = l->provider_s,
                          .line_ns = j->line_ns,
                          .emit = on_usage,
                          .arg = j,
                          .scratch = &l->scratch,
                          .call = &l->call };
    int n = LOGPARSE_OTHER;
    if (l->rule)
        n = logrule_line(l->rule, &p, &l->counters);
    else if (format == LOGFORMAT_codex)
        n = log_codex(&p, &l->codex);
    else if (format == LOGFORMAT_otlp)
        n = otlp(l, &p);
    else if (format == LOGFORMAT_console)
        n = log_console(&p, &l->console);
    else if (format == LOGFORMAT_json && log_claude_may_be(text))
        n = log_claude_result(&p, &l->claude);
    else if (logparse_knows(format))
        n = log_fields(&p, format);
    *why = p.why;
    return n;
}

/* A rare long line does not keep its memory. */
static void shrink(struct buf *b)
{
    if (b->cap > LOGLINE_JOIN / 8)
        buf_release(b);
}

/*
 * Records of these formats as text of a message: CloudWatch, Fluent Bit and loggers that
 * write JSON wrap what they are given. Under any other key it may be a prompt.
 */
static int nested_records(struct logline_judging *j, struct slice text)
{
    static const char *const keys[] = { "\"message\"", "\"msg\"",  "\"log\"",
                                        "\"MESSAGE\"", "\"body\"", "\"textPayload\"" };
    struct logline *l = j->l;
    struct slice rest = text, key, inside;
    int n = LOGPARSE_OTHER;
    for (size_t at; (at = slice_find(rest, SLICE("\"{\\\""))) != SIZE_MAX;) {
        key = slice_trim(slice_head(rest, at));
        rest = slice_from(rest, at);
        bool ours = false;
        for (size_t i = 0; slice_ends(key, SLICE(":")) && i < sizeof keys / sizeof *keys;
             i++)
            ours |=
                slice_ends(slice_trim(slice_head(key, key.n - 1)), slice_str(keys[i]));
        if (!ours || !logtext_quoted(rest, &inside)) {
            rest = slice_from(rest, 1);
            continue;
        }
        rest = slice_from(rest, inside.n + 2);
        buf_reset(&l->inner);
        enum logformat format = LOGFORMAT_auto;
        const char *why;
        if (json_unescape(inside, &l->inner) && l->inner.st == ST_OK)
            format = logparse_detect(buf_slice(&l->inner));
        int given = format == LOGFORMAT_auto
                        ? LOGPARSE_OTHER
                        : parse(j, format, buf_slice(&l->inner), &why);
        if (given >= 0)
            n = (n < 0 ? 0 : n) + given;
    }
    shrink(&l->inner);
    l->nests |= n > 0;
    return n;
}

/* In one piece with the common case: a line that is a JSON text. */
__attribute__((always_inline)) static inline int
json_record(struct logline_judging *j, struct slice text, const char **why)
{
    struct logline *l = j->l;
    bool special = logparse_knows(l->format);
    bool known = l->configured != LOGFORMAT_auto && l->configured != l->wrap;
    /* formats may be mixed; plain JSON is soon taken as such */
    bool looks = !known && l->format != LOGFORMAT_codex && (special || l->looks < LOOKS);
    enum logformat format = looks ? logline_look(text) : l->format;
    int n = format == LOGFORMAT_console ? LOGPARSE_OTHER : parse(j, format, text, why);
    if (n < 0 && format != LOGFORMAT_claude_code && (looks || l->nests || special))
        n = nested_records(j, text);
    /* in files that are read whole most lines show no counter */
    if (n < 0 && (!logline_reads_all(l) || needle_find(&l->needle, text, 0) != SIZE_MAX))
        n = (int)record(j, text, why);
    if (n > 0 && !known && l->format != LOGFORMAT_console) {
        l->format = format;
        l->looks += l->looks < LOOKS;
    }
    return n;
}

/* A usage object of Anthropic's SDK as Python or JavaScript prints it, not logfmt. */
static bool anthropic_prints(struct slice text)
{
    static const struct slice name = { "cache_creation_input_tokens", 27 };
    size_t at = slice_find(text, name);
    return at != SIZE_MAX && (slice_find(text, SLICE("Usage(")) != SIZE_MAX ||
                              slice_starts(slice_from(text, at + name.n), SLICE(":")));
}

/*
 * A line that does not begin as JSON: the objects inside of it; else its key=value pairs,
 * those in JSON left aside, as that may hold a prompt.
 */
static size_t text_record(struct logline_judging *j, struct slice text, const char **why)
{
    struct logline *l = j->l;
    struct slice json;
    size_t n = 0, at = 0, first, done = 0;
    int64_t ns;
    if (instant_prefix(slice_from(text, text.p[0] == '['), &ns))
        j->line_ns = ns;
    bool free = l->configured == LOGFORMAT_auto || l->configured == l->wrap;
    if (free && l->format != LOGFORMAT_console && log_console_line(text))
        l->format = LOGFORMAT_console;
    if (l->format == LOGFORMAT_console) {
        int given = parse(j, l->format, text, why);
        if (given >= 0 || needle_find(&l->needle, text, 0) == SIZE_MAX)
            return given > 0 ? (size_t)given : 0;
    }
    *why = "no JSON and no key=value pairs";
    if (logtext_fragment(slice_from(text, slice_chr(text, '"'))) &&
        slice_chr(text, '{') == SIZE_MAX && slice_chr(text, '=') == SIZE_MAX) {
        *why = of_many; /* behind a tool's prefix */
        return 0;
    }
    buf_reset(&l->row);
    while (logtext_json(text, &at, &l->scratch, &json, &first)) {
        const char *broken = "empty";
        int given = 0;
        if (json.n) /* unescaped it stands where the parsers unescape */
            given = json.p == text.p + first ? json_record(j, json, &broken)
                                             : (int)record(j, json, &broken);
        n += given > 0 ? (size_t)given : 0;
        if (broken)
            continue; /* {'a': 1}, {A:1}: text */
        buf_add(&l->row, slice_head(slice_from(text, done), first - done));
        done = at;
    }
    if (slice_starts(slice_from(text, first), SLICE("{\""))) /* JSON that is cut off */
        text = slice_head(text, first);
    buf_add(&l->row, slice_from(text, done));
    if (n == 0 && logtext_lone(text)) {
        *why = of_many;
        return 0;
    }
    struct slice provider =
        !l->provider_s.n && anthropic_prints(text) ? SLICE("anthropic") : l->provider_s;
    if (n == 0 && logtext_pairs(buf_slice(&l->row), &l->scratch))
        n = record_of(j, buf_slice(&l->scratch), provider, why);
    shrink(&l->row);
    return n;
}

/* The text that Fluent Bit and Google's agent put under a key of their own. */
static size_t shipped_text(struct logline_judging *j, struct slice record,
                           const char **why)
{
    static const struct slice keys[] = { { "\"log\":", 6 }, { "\"textPayload\":", 14 } };
    struct logline *l = j->l;
    struct slice inside, text;
    for (size_t i = 0; i < 2; i++) {
        size_t at = slice_find(record, keys[i]);
        struct slice value =
            slice_trim(slice_from(record, at == SIZE_MAX ? record.n : at + keys[i].n));
        buf_reset(&l->plain);
        if (!slice_starts(value, SLICE("\"")) || !logtext_quoted(value, &inside) ||
            !json_unescape(inside, &l->plain) || l->plain.st != ST_OK)
            continue;
        text = slice_trim(logtext_plain(buf_slice(&l->plain), &l->plain)); /* in place */
        if (text.n && !logtext_begins_json(text))
            return text_record(j, text, why);
    }
    return 0;
}

void logline_judge(struct logline_judging *j, struct slice text, bool squeezed)
{
    struct logline *l = j->l;
    const char *why = NULL;
    while (text.n && text.p[0] == '\0')
        text = slice_from(text, 1);
    text = slice_trim(text);
    if (text.n == 0)
        return;
    if (text.p[0] != '{')
        text = logtext_plain(text, &l->plain);
    if (text.n && text.p[text.n - 1] != '}')
        text = logtext_element(text);
    if (text.n == 0)
        return;
    if (j->line_ns != USAGE_NO_TIME)
        l->last_ns = j->line_ns;
    if (logtext_fragment(text)) {
        l->stats.not_json++;
        return;
    }
    bool json = logtext_begins_json(text);
    int n = l->rule ? parse(j, l->format, text, &why)
            : json  ? json_record(j, text, &why)
                    : (int)text_record(j, text, &why);
    if (json && n <= 0 && why && logtext_goes_on(text)) /* one behind another */
        n = (int)text_record(j, text, &why);
    if (json && n <= 0 && !why && !l->rule && text.p[0] == '{')
        n = (int)shipped_text(j, text, &why);
    shrink(&l->plain);
    if (n)
        return;
    if (squeezed)
        l->stats.too_long++;
    else if (why && (json || why == of_many))
        l->stats.not_json++;
    else
        l->stats.no_record++;
}
