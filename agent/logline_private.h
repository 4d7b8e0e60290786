/*
 * What the parts of logline share: logline.c (the interface), logline_look.c (which
 * format?), logline_wrap.c (lines out of their wrapping), logline_judge.c (a line to its
 * calls) and logline_state.c (over a restart). Not an interface; include logline.h.
 */
#ifndef BREAKEVEN_LOGLINE_PRIVATE_H
#define BREAKEVEN_LOGLINE_PRIVATE_H

#include "agent/journal.h"
#include "agent/logcsv.h"
#include "agent/logjoin.h"
#include "agent/logline.h"
#include "agent/logparse.h"
#include "agent/logrule.h"
#include "agent/needle.h"
#include "agent/unwrap.h"

enum {
    LOGLINE_JOIN = 1 << 20, /* longest line put together from pieces */
    LOGLINE_NAME = 200,
};

/* A stream of a wrapped file: the pieces of a line, the lines of a record, that have not
 * ended. What is not wrapped is the first stream. */
struct logline_stream {
    struct buf text;
    bool waiting, overflow;
    uint64_t offset, number; /* of the first piece */
    uint64_t done;           /* lines of this stream before here have been judged */
    int64_t ts_ns;           /* of the latest piece */
    struct logjoin join;
    uint64_t join_offset, join_number; /* of its first line */
};

struct logline {
    struct extract *x;
    struct needle needle;
    enum logformat configured;
    enum logformat format; /* of the records; auto: not known yet */
    enum logformat wrap;   /* docker, cri, journal, csv, or auto: not wrapped */
    struct log_codex codex;
    struct log_otlp otlp;
    struct log_console console;
    struct log_claude claude;
    struct extract_begun begun;
    struct journal journal;
    const struct logrule *rule;
    struct logrule_state counters;
    struct logcall call;
    char provider[LOGLINE_NAME], app[LOGLINE_NAME], environment[LOGLINE_NAME];
    struct slice provider_s, app_s, environment_s;
    int64_t mtime_ns, last_ns;
    struct logline_stream stream[UNWRAP_STREAMS];
    struct buf scratch;     /* a line unescaped, or pairs as JSON */
    struct buf row;         /* of a table, as JSON */
    struct buf plain;       /* a line without colours */
    struct buf inner;       /* a record out of a message's text */
    bool nests;             /* that has been seen */
    char head[LOGCSV_HEAD]; /* its names */
    size_t head_n;
    uint64_t offset, number; /* of the record in hand */
    unsigned looks;
    struct logline_stats stats;
};

/* What the emit wrapper needs while one line is judged. */
struct logline_judging {
    struct logline *l;
    int64_t line_ns; /* time that the line says around its record */
    usage_fn *emit;
    void *arg;
    struct slice session; /* printed by claude -p: whose message the record is */
};

static inline bool logline_wraps(enum logformat f)
{
    return f == LOGFORMAT_docker || f == LOGFORMAT_cri || f == LOGFORMAT_journal ||
           f == LOGFORMAT_csv;
}

static inline void logline_set_format(struct logline *l, enum logformat f)
{
    if (logline_wraps(f))
        l->wrap = f;
    else
        l->format = f;
}

/* Do lines matter that show no counter: refused calls, names for the calls to come? */
static inline bool logline_reads_all(const struct logline *l)
{
    return l->rule || (logparse_knows(l->format) && l->format != LOGFORMAT_console);
}

/* Does the line matter? In files that are not read whole, if it shows a counter. */
static inline bool logline_wants(const struct logline *l, struct slice text)
{
    return logline_reads_all(l) || needle_find(&l->needle, text, 0) != SIZE_MAX;
}

/* The beginning of a file without its byte order mark. */
static inline struct slice logline_unmarked(struct slice s)
{
    return slice_from(s, slice_starts(s, SLICE("\xef\xbb\xbf")) ? 3 : 0);
}

/* The names of a table. */
static inline size_t logline_keep_head(struct logline *l, struct slice names)
{
    if (names.n)
        memcpy(l->head, names.p, names.n);
    return names.n;
}

/* What the signatures of a line say: a format, or json for none of the others. */
enum logformat logline_look(struct slice text);

/* Judge one line of the application. */
void logline_judge(struct logline_judging *j, struct slice text, bool squeezed);

/*
 * The same for one that may be part of a record of several lines; those that stand alone
 * need not come here.
 */
void logline_line(struct logline_judging *j, struct logline_stream *s, struct slice text,
                  bool squeezed);
static inline bool logline_joins(const struct logline_stream *s, struct slice text)
{
    return s->join.at.depth || logjoin_may_begin(text);
}
/* The record that has begun never ends. */
void logline_broken(struct logline_judging *j, struct logline_stream *s);

/* A piece of a wrapped line; a line of `journalctl -o export`; a row of a table. */
void logline_piece(struct logline_judging *j, const struct unwrapped *u, uint64_t offset,
                   uint64_t number);
void logline_journal(struct logline_judging *j, struct slice line, uint64_t offset,
                     uint64_t number);
void logline_row(struct logline_judging *j, struct slice line, uint64_t offset);
/* The pieces of a line are together (or never will be). */
void logline_end(struct logline_judging *j, struct logline_stream *s);

#endif
