/* Lines of one file to judged calls: see logline.h. */
#include "agent/logline.h"

#include <stdlib.h>

#include "agent/journal.h"
#include "agent/logcsv.h"
#include "agent/logparse.h"
#include "agent/logrule.h"
#include "agent/logtext.h"
#include "agent/needle.h"
#include "agent/unwrap.h"
#include "common/instant.h"
#include "common/json.h"

enum {
    JOIN_MAX = 1 << 20, /* longest line put together from pieces */
    NAME_MAX_ = 200,
    LOOKS = 16, /* records after which the inner format is taken as known */
};

static const struct {
    const char *name, *help;
} formats[LOGFORMAT_N] = {
#define LOGFORMAT(id, name, help) [LOGFORMAT_##id] = { name, help },
#include "agent/logformat.def"
};

/* A stream of a wrapped file: the pieces of a line that has not ended. */
struct stream {
    struct buf text;
    bool waiting, overflow;
    uint64_t offset, number; /* of the first piece */
    uint64_t done;           /* lines of this stream before here have been judged */
    int64_t ts_ns;           /* of the latest piece */
};

struct logline {
    struct extract *x;
    struct needle needle;
    enum logformat configured;
    enum logformat format; /* of the records; auto: not known yet */
    enum logformat wrap;   /* docker, cri, journal, csv, or auto: not wrapped */
    struct log_codex codex;
    struct log_otlp otlp;
    struct journal journal;
    const struct logrule *rule;
    struct logrule_state counters;
    struct logcall call;
    char provider[NAME_MAX_], app[NAME_MAX_], environment[NAME_MAX_];
    struct slice provider_s, app_s, environment_s;
    int64_t mtime_ns, last_ns;
    struct stream stream[UNWRAP_STREAMS];
    struct buf scratch;     /* a line unescaped, or pairs as JSON */
    struct buf row;         /* of a table, as JSON */
    char head[LOGCSV_HEAD]; /* its names */
    size_t head_n;
    uint64_t offset, number; /* of the record in hand */
    unsigned looks;
    struct logline_stats stats;
};

/* What the emit wrapper needs while one line is judged. */
struct judging {
    struct logline *l;
    int64_t line_ns; /* time that the line says around its record */
    usage_fn *emit;
    void *arg;
};

const char *logformat_name(enum logformat f)
{
    return (unsigned)f < LOGFORMAT_N ? formats[f].name : "";
}

const char *logformat_help(enum logformat f)
{
    return (unsigned)f < LOGFORMAT_N ? formats[f].help : "";
}

bool logformat_parse(struct slice name, enum logformat *out)
{
    for (unsigned f = 0; f < LOGFORMAT_N; f++) {
        if (slice_eq(name, slice_str(formats[f].name))) {
            *out = (enum logformat)f;
            return true;
        }
    }
    return false;
}

static struct slice keep(char *to, struct slice s)
{
    s = slice_head(s, NAME_MAX_);
    if (s.n)
        memcpy(to, s.p, s.n);
    return slice_of(to, s.n);
}

static size_t keep_head(struct logline *l, struct slice names)
{
    if (names.n)
        memcpy(l->head, names.p, names.n);
    return names.n;
}

static bool is_wrap(enum logformat f)
{
    return f == LOGFORMAT_docker || f == LOGFORMAT_cri || f == LOGFORMAT_journal ||
           f == LOGFORMAT_csv;
}

static void set_format(struct logline *l, enum logformat f)
{
    if (is_wrap(f))
        l->wrap = f;
    else
        l->format = f;
}

struct logline *logline_new(struct extract *x, const struct logline_options *opt)
{
    struct logline *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->x = x;
    needle_init(&l->needle);
    l->configured = opt->format;
    set_format(l, opt->format);
    l->rule = opt->rule;
    if (l->rule)
        l->format = logrule_format(l->rule);
    l->provider_s = keep(l->provider, opt->provider);
    l->app_s = keep(l->app, opt->app);
    l->environment_s = keep(l->environment, opt->environment);
    l->mtime_ns = opt->mtime_ns;
    l->last_ns = USAGE_NO_TIME;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        l->stream[i].text.limit = JOIN_MAX;
    return l;
}

void logline_free(struct logline *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        buf_release(&l->stream[i].text);
    buf_release(&l->scratch);
    buf_release(&l->row);
    free(l);
}

/* Do lines matter that show no counter: refused calls, names for the calls to come? */
static bool reads_all(const struct logline *l)
{
    return l->rule || logparse_knows(l->format);
}

/* A line for extract; in files that are read whole most are not. */
static bool wanted(const struct logline *l, struct slice text)
{
    return !reads_all(l) || needle_find(&l->needle, text, 0) != SIZE_MAX;
}

/* --- the first block ------------------------------------------------------------------
 */

static const struct {
    struct slice magic;
    const char *what;
} magics[] = {
#define M(magic, what)                                                                   \
    {                                                                                    \
        { magic, sizeof(magic) - 1 }, what                                               \
    }
    M("\x1f\x8b", "gzip data"),
    M("\x28\xb5\x2f\xfd", "zstd data"),
    M("BZh", "bzip2 data"),
    M("\xfd"
      "7zXZ",
      "xz data"),
    M("PK\x03\x04", "zip data"),
    M("SQLite format 3", "an SQLite database"),
    M("\x7f"
      "ELF",
      "a program"),
    M("\xff\xfe", "UTF-16 text"),
    M("\xfe\xff", "UTF-16 text"),
    M("\xd4\xc3\xb2\xa1", "a packet capture"),
    M("\x4d\x3c\xb2\xa1", "a packet capture"),
    M("\x0a\x0d\x0d\x0a", "a packet capture"),
#undef M
};

static const char *not_text(struct slice block)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (slice_starts(block, magics[i].magic))
            return magics[i].what;
    while (block.n && block.p[0] == '\0') /* the hole that copytruncate leaves */
        block = slice_from(block, 1);
    struct slice look = slice_head(block, 8192);
    size_t odd = 0;
    for (size_t i = 0; i < look.n; i++) {
        unsigned char c = (unsigned char)look.p[i];
        odd += c < 32 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 27;
    }
    return odd > look.n / 16 ? "binary data" : NULL;
}

/* The format of one line of the first block: what wraps it, and what is inside. */
static void look_at(struct logline *l, struct slice line)
{
    struct unwrapped u = { .text = line };
    if (unwrap_cri(line, &u))
        set_format(l, LOGFORMAT_cri);
    else if (unwrap_docker(line, &u))
        set_format(l, LOGFORMAT_docker);
    else if (journal_begins(line) || logcsv_detect(line)) {
        set_format(l, journal_begins(line) ? LOGFORMAT_journal : LOGFORMAT_csv);
        return;
    } else
        u = (struct unwrapped){ .text = line };
    if (u.escaped) {
        buf_reset(&l->scratch);
        json_unescape(u.text, &l->scratch);
        u.text = buf_slice(&l->scratch);
    }
    enum logformat found = logparse_detect(u.text);
    if (found != LOGFORMAT_auto && !l->rule)
        set_format(l, found);
}

enum lines_need logline_sniff(struct logline *l, struct slice block, const char **reason)
{
    struct slice line, rest = block;
    *reason = not_text(block);
    if (l->configured != LOGFORMAT_auto || *reason)
        return logline_need(l);
    for (unsigned looks = 0; looks < 4 && rest.n; looks++) {
        bool whole = slice_cut(rest, '\n', &line, &rest);
        look_at(l, slice_trim(line));
        if (!whole)
            break;
    }
    if (l->format == LOGFORMAT_otlp)
        log_otlp_peek(&l->otlp, block);
    return logline_need(l);
}

enum lines_need logline_need(const struct logline *l)
{
    return l->wrap != LOGFORMAT_auto || reads_all(l) ? LINES_ALL : LINES_USAGE;
}

/* --- judging --------------------------------------------------------------------------
 */

static void on_usage(void *arg, const struct usage *judged)
{
    struct judging *j = arg;
    struct logline *l = j->l;
    struct usage u = *judged;
    if (u.app.n == 0)
        u.app = l->app_s;
    if (u.environment.n == 0)
        u.environment = l->environment_s;
    if (u.ts_ns != USAGE_NO_TIME) {
        l->last_ns = u.ts_ns;
    } else {
        u.ts_ns = l->last_ns != USAGE_NO_TIME ? l->last_ns : l->mtime_ns;
        l->stats.time_guessed++;
    }
    u.seen = SEEN_LOG;
    l->stats.records += u.accounting != ACCOUNTING_NONE;
    j->emit(j->arg, &u);
}

static size_t record(struct judging *j, struct slice json, const char **why)
{
    struct extract_hint hint = { j->l->provider_s, j->line_ns };
    return extract_record(j->l->x, json, &hint, on_usage, j, why);
}

/*
 * A line that does not begin as JSON: the objects inside of it; else its key=value pairs,
 * those in JSON left aside, as that may hold a prompt.
 */
static size_t text_record(struct judging *j, struct slice text, const char **why)
{
    struct logline *l = j->l;
    struct slice json;
    size_t n = 0, at = 0, first, done = 0;
    int64_t ns;
    if (instant_prefix(slice_from(text, text.p[0] == '['), &ns))
        j->line_ns = ns;
    *why = "no JSON and no key=value pairs";
    buf_reset(&l->row);
    while (logtext_json(text, &at, &l->scratch, &json, &first)) {
        const char *broken = "empty";
        if (json.n)
            n += record(j, json, &broken);
        if (broken)
            continue; /* {'a': 1}, {A:1}: text */
        buf_add(&l->row, slice_head(slice_from(text, done), first - done));
        done = at;
    }
    if (slice_starts(slice_from(text, first), SLICE("{\""))) /* JSON that is cut off */
        text = slice_head(text, first);
    buf_add(&l->row, slice_from(text, done));
    if (n == 0 && logtext_pairs(buf_slice(&l->row), &l->scratch))
        n = record(j, buf_slice(&l->scratch), why);
    if (l->row.cap > JOIN_MAX / 8)
        buf_release(&l->row);
    return n;
}

static int otlp(struct logline *l, struct logparse *p)
{
    uint64_t before = l->otlp.dropped;
    int n = log_otlp(p, &l->otlp);
    l->stats.points_dropped += l->otlp.dropped - before;
    return n;
}

/* By the parser of a format of logparse.h; LOGPARSE_OTHER: it is none of those. */
static int parse(struct judging *j, enum logformat format, struct slice text,
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
    else if (logparse_knows(format))
        n = log_fields(&p, format);
    *why = p.why;
    return n;
}

/* What the signatures of a line say: a format, or json for none of the others. */
static enum logformat look(struct slice text)
{
    enum logformat found = logparse_detect(text);
    if (found != LOGFORMAT_auto)
        return found;
    bool session = slice_find(text, SLICE("\"sessionId\":\"")) != SIZE_MAX &&
                   slice_find(text, SLICE("\"parentUuid\":")) != SIZE_MAX;
    return session ? LOGFORMAT_claude_code : LOGFORMAT_json;
}

static int json_record(struct judging *j, struct slice text, const char **why)
{
    struct logline *l = j->l;
    bool special = logparse_knows(l->format);
    bool known = l->configured != LOGFORMAT_auto && l->configured != l->wrap;
    enum logformat format = l->format;
    if (!known && format != LOGFORMAT_codex && (special || l->looks < LOOKS))
        format = look(text); /* formats may be mixed; plain JSON is soon taken as such */
    int n = parse(j, format, text, why);
    if (n < 0 && wanted(l, text))
        n = (int)record(j, text, why);
    if (n > 0 && !known) {
        l->format = format;
        l->looks += l->looks < LOOKS;
    }
    return n;
}

/* Judge one line of the application. */
static void judge(struct judging *j, struct slice text, bool squeezed)
{
    struct logline *l = j->l;
    const char *why = NULL;
    while (text.n && text.p[0] == '\0')
        text = slice_from(text, 1);
    text = slice_trim(text);
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
    if (n)
        return;
    if (squeezed)
        l->stats.too_long++;
    else if (why && json)
        l->stats.not_json++;
    else
        l->stats.no_record++;
}

/* --- wrapped files --------------------------------------------------------------------
 */

static void add_piece(struct stream *s, const struct unwrapped *u)
{
    if (s->overflow)
        return;
    if (u->escaped)
        json_unescape(u->text, &s->text);
    else
        buf_add(&s->text, u->text);
    if (s->text.st != ST_OK) {
        s->overflow = true;
        buf_release(&s->text);
        s->text.limit = JOIN_MAX;
    }
}

/* The pieces of a line are together (or never will be). */
static void end_line(struct judging *j, struct stream *s)
{
    struct logline *l = j->l;
    j->line_ns = s->ts_ns;
    l->offset = s->offset;
    l->number = s->number;
    if (s->overflow)
        l->stats.too_long++;
    else if (reads_all(l) || needle_find(&l->needle, buf_slice(&s->text), 0) != SIZE_MAX)
        judge(j, buf_slice(&s->text), false);
    s->waiting = s->overflow = false;
    if (s->text.cap > JOIN_MAX / 8)
        buf_release(&s->text); /* a rare long line does not keep its memory */
    buf_reset(&s->text);
    s->text.limit = JOIN_MAX;
}

static void feed_wrapped(struct judging *j, const struct unwrapped *u, uint64_t offset,
                         uint64_t number)
{
    struct logline *l = j->l;
    struct stream *s = &l->stream[u->stream];
    if (offset < s->done)
        return; /* read again for the other stream's sake */
    s->ts_ns = u->ts_ns;
    if (!s->waiting) {
        s->offset = offset;
        s->number = number;
    }
    if (u->partial) {
        s->waiting = true;
        add_piece(s, u);
        return;
    }
    s->done = offset + 1;
    if (s->waiting || reads_all(l) || needle_find(&l->needle, u->text, 0) != SIZE_MAX) {
        add_piece(s, u);
        end_line(j, s);
    } else if (u->ts_ns != USAGE_NO_TIME) {
        l->last_ns = u->ts_ns;
    }
}

/* A line of `journalctl -o export`: an entry is judged when the next one begins. */
static void feed_journal(struct judging *j, struct slice line, uint64_t offset,
                         uint64_t number)
{
    struct logline *l = j->l;
    struct stream *s = &l->stream[0];
    if (journal_begins(line)) {
        if (s->waiting && !l->journal.partial)
            end_line(j, s);
        if (!s->waiting) {
            s->offset = offset;
            s->number = number;
        }
        s->waiting = true;
    }
    if (!s->waiting)
        return; /* behind the beginning of its entry */
    journal_line(&l->journal, line, offset, &s->text);
    s->ts_ns = l->journal.ts_ns;
    if (s->text.st != ST_OK) {
        s->overflow = true;
        buf_release(&s->text);
        s->text.limit = JOIN_MAX;
    }
}

/* A row of a table: its names stand on the first line of the file. */
static void feed_csv(struct judging *j, struct slice line, uint64_t offset)
{
    struct logline *l = j->l;
    line = slice_trim(line);
    if (!offset) {
        l->head_n = line.n <= LOGCSV_HEAD ? keep_head(l, line) : 0;
        return;
    }
    const char *why = l->head_n ? logcsv_row(slice_of(l->head, l->head_n), line, &l->row)
                                : "the names of the columns are not known";
    if (why)
        l->stats.not_json += line.n > 0;
    else
        judge(j, buf_slice(&l->row), false);
}

/* --- feeding --------------------------------------------------------------------------
 */

static void feed(struct logline *l, struct slice line, uint64_t offset, uint64_t number,
                 bool squeezed, usage_fn *emit, void *arg)
{
    struct judging j = { l, USAGE_NO_TIME, emit, arg };
    struct unwrapped u;
    l->stats.lines++;
    bool wrapped = l->wrap == LOGFORMAT_docker ? unwrap_docker(line, &u)
                   : l->wrap == LOGFORMAT_cri  ? unwrap_cri(line, &u)
                   : l->wrap == LOGFORMAT_journal && line.n && line.p[0] == '{'
                       ? journal_json(line, &l->scratch, &u)
                       : false;
    if (wrapped) {
        feed_wrapped(&j, &u, offset, number);
        return;
    }
    if (l->wrap == LOGFORMAT_journal) {
        feed_journal(&j, line, offset, number);
        return;
    }
    l->offset = offset;
    l->number = number;
    if (l->wrap == LOGFORMAT_csv)
        feed_csv(&j, line, offset);
    else if (l->wrap == LOGFORMAT_auto || reads_all(l) ||
             needle_find(&l->needle, line, 0) != SIZE_MAX)
        judge(&j, line, squeezed);
}

void logline_feed(struct logline *l, struct slice line, uint64_t offset, uint64_t number,
                  usage_fn *emit, void *arg)
{
    feed(l, line, offset, number, false, emit, arg);
}

void logline_feed_line(struct logline *l, const struct line *line, usage_fn *emit,
                       void *arg)
{
    feed(l, line->text, line->offset, line->number, line->squeezed, emit, arg);
}

void logline_finish(struct logline *l, usage_fn *emit, void *arg)
{
    struct judging j = { l, USAGE_NO_TIME, emit, arg };
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++) {
        if (!l->stream[i].waiting)
            continue;
        l->stats.torn += l->wrap != LOGFORMAT_journal;
        end_line(&j, &l->stream[i]);
    }
}

uint64_t logline_record_offset(const struct logline *l)
{
    return l->offset;
}

uint64_t logline_record_number(const struct logline *l)
{
    return l->number;
}

enum logformat logline_format(const struct logline *l)
{
    return l->format != LOGFORMAT_auto ? l->format : l->wrap;
}

const struct logline_stats *logline_stats(const struct logline *l)
{
    return &l->stats;
}

/* --- restart --------------------------------------------------------------------------
 */

uint64_t logline_resume(const struct logline *l, uint64_t next_offset)
{
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        if (l->stream[i].waiting && l->stream[i].offset < next_offset)
            next_offset = l->stream[i].offset;
    return next_offset;
}

/*
 * "3 FORMAT WRAP LAST_NS DONE DONE", and for Codex and OTLP their own state, for a table
 * its names: one blank between words, numbers decimal.
 */
void logline_save(const struct logline *l, struct buf *out)
{
    buf_addf(out, "3 %s %s ", logformat_name(l->format), logformat_name(l->wrap));
    buf_addi(out, l->last_ns);
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        buf_addf(out, " %llu", (unsigned long long)l->stream[i].done);
    if (l->wrap == LOGFORMAT_csv)
        buf_addf(out, " %.*s", (int)l->head_n, l->head);
    else if (l->format == LOGFORMAT_codex)
        log_codex_save(&l->codex, out);
    else if (l->format == LOGFORMAT_otlp)
        log_otlp_save(&l->otlp, out);
    else if (l->format == LOGFORMAT_regex || l->format == LOGFORMAT_fields)
        logrule_save(&l->counters, out);
}

/* The next word of a saved state; empty at its end. */
static struct slice word(struct slice *state)
{
    struct slice w;
    slice_cut(*state, ' ', &w, state);
    return w;
}

enum status logline_load(struct logline *l, struct slice state)
{
    enum logformat format, wrap;
    int64_t last;
    uint64_t done[UNWRAP_STREAMS];
    struct log_codex codex = { .begin_ns = 0 };
    struct log_otlp otlp = { .calls = false };
    struct logrule_state counters = { { 0 } };
    bool ruled;
    if (!slice_eq(word(&state), SLICE("3")) || !logformat_parse(word(&state), &format) ||
        is_wrap(format) || !logformat_parse(word(&state), &wrap) ||
        (wrap != LOGFORMAT_auto && !is_wrap(wrap)) || !slice_i64(word(&state), &last))
        return ST_BAD;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        if (!slice_u64(word(&state), &done[i]))
            return ST_BAD;
    ruled = format == LOGFORMAT_regex || format == LOGFORMAT_fields;
    bool table = wrap == LOGFORMAT_csv;
    if (table                       ? state.n > LOGCSV_HEAD
        : ruled                     ? !logrule_load(&counters, state)
        : format == LOGFORMAT_codex ? !log_codex_load(&codex, state)
        : format == LOGFORMAT_otlp  ? !log_otlp_load(&otlp, state)
                                    : state.n != 0)
        return ST_BAD;
    if (l->configured == LOGFORMAT_auto)
        l->wrap = wrap;
    if (!l->rule && !ruled &&
        (l->configured == LOGFORMAT_auto || l->configured == l->wrap))
        l->format = format;
    if (table)
        l->head_n = keep_head(l, state);
    l->codex = codex;
    l->otlp = otlp;
    l->counters = counters;
    l->last_ns = last;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        l->stream[i].done = done[i];
    return ST_OK;
}
