/*
 * One log file's lines -> judged calls. Knows the file's format (configured, or found by
 * looking: logformat.def), unwraps Docker and CRI, joins their split pieces and what JSON
 * was printed over several lines, keeps what a format needs from earlier lines (last
 * time, cumulative counters), and hands the JSON of a record to extract. Fed by the tail
 * source and by scan with candidate lines.
 *
 * State that must outlive a restart is small and free of log text: logline_save, kept by
 * the spool beside the read position. Refuses: reading files, deduplication.
 */
#ifndef BREAKEVEN_LOGLINE_H
#define BREAKEVEN_LOGLINE_H

#include "agent/extract.h"
#include "agent/lines.h"

/* One row per format: name in config and output, help. */
enum logformat {
#define LOGFORMAT(id, name, help) LOGFORMAT_##id,
#include "agent/logformat.def"
    LOGFORMAT_N,
};

/* "auto", "json", "docker", …; "" outside the enum. */
const char *logformat_name(enum logformat f);
const char *logformat_help(enum logformat f);
bool logformat_parse(struct slice name, enum logformat *out);

struct logrule; /* logrule.h */

struct logline_options {
    enum logformat format;         /* LOGFORMAT_auto: look */
    struct slice provider;         /* of records that do not name theirs; may be empty */
    struct slice app, environment; /* given to every call that has none of its own */
    const struct logrule *rule;    /* the user's way to read it, or NULL; outlives this */
    int64_t mtime_ns; /* of the file: the time of records before any time was seen;
                         USAGE_NO_TIME leaves them without one */
};

/* Why lines that were looked at gave no record. */
struct logline_stats {
    uint64_t lines;        /* fed, pieces of split lines included */
    uint64_t records;      /* judged and handed out, all accountings but none */
    uint64_t not_json;     /* promised a counter, but no parser could read them */
    uint64_t no_record;    /* read, and without anything to meter */
    uint64_t too_long;     /* records in pieces or lines of over 1 MiB together, squeezed
                              lines without a record */
    uint64_t torn;         /* pieces whose rest never came */
    uint64_t time_guessed; /* records timed by an earlier line or by the file */
    uint64_t points_dropped; /* of OTLP metrics beyond what a file's state follows */
};

struct logline;

/*
 * State for one file; `x` is shared between files and outlives them. The slices of opt
 * are copied. NULL: out of memory.
 */
struct logline *logline_new(struct extract *x, const struct logline_options *opt);
void logline_free(struct logline *l);

/*
 * Look at the first bytes of the file (a block as read, at offset 0): finds a wrapping
 * format. Optional; without it every file is taken as not wrapped until configured.
 * *reason: NULL, or why this is not a text log ("gzip data", "binary data", …): do not
 * feed it. Returns which lines this file must be fed.
 */
enum lines_need logline_sniff(struct logline *l, struct slice block, const char **reason);
/* The same without looking: by the configured or loaded format. */
enum lines_need logline_need(const struct logline *l);

/*
 * Judge one line that stands at `offset`, line `number`. emit is called for each record;
 * the slices of its usage are valid during that call. True: a record goes on in the next
 * line (logjoin.h), which must be fed whatever it says.
 */
bool logline_feed(struct logline *l, struct slice line, uint64_t offset, uint64_t number,
                  usage_fn *emit, void *arg);
/* The same for a line of lines.h: as a line_fn cannot carry emit, callers wrap this. */
bool logline_feed_line(struct logline *l, const struct line *line, usage_fn *emit,
                       void *arg);
/* The file is over: pieces that still wait for their rest are judged as they are. */
void logline_finish(struct logline *l, usage_fn *emit, void *arg);

/* Where the record being emitted begins (its first piece); valid inside emit. */
uint64_t logline_record_offset(const struct logline *l);
uint64_t logline_record_number(const struct logline *l);

/* The format of the records, after looking; the wrapper's until a record was seen. */
enum logformat logline_format(const struct logline *l);

/*
 * Offset from which reading must resume when everything before next_offset was fed: that
 * offset, or the first piece of a split line or record still waiting. Lines fed again
 * because of that are recognised and not judged twice, provided the saved state is
 * loaded.
 */
uint64_t logline_resume(const struct logline *l, uint64_t next_offset);

/* Append the state to `out`: at most LOGLINE_STATE_MAX bytes. */
enum { LOGLINE_STATE_MAX = 4096 };
void logline_save(const struct logline *l, struct buf *out);
/* Into a fresh logline. ST_BAD (state unchanged) for anything logline_save never wrote.
 */
enum status logline_load(struct logline *l, struct slice state);

const struct logline_stats *logline_stats(const struct logline *l);

#endif
