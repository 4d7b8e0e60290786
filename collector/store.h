/*
 * The store: hourly rollup rows in, totals out. One interface, engines behind a const
 * vtable (SQLite: store_sqlite.c). Fed by the writer with checked batches, read by query,
 * api, export, metrics and the projection job; also keeps their results as small JSON
 * records.
 *
 * Rows are absolute: of one (hour, series, source) the highest `ver` wins, so replay and
 * reorder change nothing. Every function is safe to call from any thread; writes are
 * serialised on the one writing connection. A write has been made durable when it
 * returns.
 *
 * Refuses: increments, rows older than the hourly retention (a replay after pruning would
 * count twice), a second writing process.
 */
#ifndef BREAKEVEN_STORE_H
#define BREAKEVEN_STORE_H

#include "common/log.h"
#include "common/rollup.h"

struct store;

/* --- vocabulary of queries -----------------------------------------------------------
 */

/* What usage can be grouped and filtered by: the names of a series (rollup.h), then: */
enum store_dim {
#define X(field, wire) STORE_##field,
    ROLLUP_NAMES(X)
#undef X
        STORE_SEEN,
    STORE_OUTCOME,
    STORE_QUALITY,
    STORE_CONTEXT, /* usage_context bucket, as a decimal number */
    STORE_AGENT,   /* who reported it; hourly rows only, so 400 days back at most */
    STORE_DIMS
};

/* "app", "model", … as in the API; "" outside the enum. */
const char *store_dim_name(enum store_dim d);
bool store_dim_parse(struct slice name, enum store_dim *out);

static inline uint32_t store_bit(enum store_dim d)
{
    return (uint32_t)1 << d;
}

enum store_grain {
    STORE_TOTAL, /* no time axis */
    STORE_HOUR,  /* from hourly rows */
    STORE_DAY,
    STORE_WEEK, /* from Monday */
    STORE_MONTH,
};

bool store_grain_parse(struct slice name, enum store_grain *out); /* "day", … */

/* Start of the bucket that holds `at` (Unix seconds), in a zone `offset_s` east of UTC.
 */
int64_t store_bucket(int64_t at, enum store_grain grain, int32_t offset_s);

/* Several filters on one dimension: any of them. On different ones: all of them. */
struct store_filter {
    enum store_dim dim;
    struct slice value;
};

struct store_query {
    int64_t from, to; /* Unix seconds, [from, to); widened to whole days of the zone, or
                         to whole hours for STORE_HOUR */
    enum store_grain grain;
    uint32_t group; /* store_bit of each dimension to tell apart */
    const struct store_filter *filter;
    size_t filters;
    int32_t offset_s; /* zone of the grain, seconds east of UTC; not 0: hourly rows */
    const struct store_query *or_else; /* what passes its filters (none by agent) is kept
                                          as well; or NULL */
    bool sketches;                     /* hourly rows bring theirs */
};

bool store_wants_agent(const struct store_query *q); /* groups or filters by it */

/* Do the names of a row pass the filters of q itself, those by agent aside? */
bool store_passes(const struct store_query *q, const struct slice *dim);

/* Is it answered from hourly rows? Those are many, and kept for the retention only. */
bool store_reads_hours(const struct store_query *q);

/* --- writing -------------------------------------------------------------------------
 */

/* What an agent says of itself; slices borrow. */
struct store_agent_report {
    struct slice name, version;
    struct slice health; /* checked JSON object, "" for none */
    uint64_t epoch, seq;
    int64_t clock_ms; /* the agent's clock when it sent */
};

struct store_batch {
    struct store_agent_report agent;
    int64_t now_s; /* the collector's clock on arrival */
    const struct rollup_row *row;
    size_t rows;
};

struct store_put {
    uint64_t rows;       /* written */
    uint64_t newer_kept; /* the store had the same or a newer version */
    uint64_t too_old;    /* refused: beyond the hourly retention */
    uint64_t in_future;  /* refused: more than STORE_FUTURE_S ahead of now_s */
    uint64_t over_limit; /* refused: would make one series too many */
};

enum { STORE_FUTURE_S = 300 };

/* --- reading -------------------------------------------------------------------------
 */

/*
 * A partial total. Rows come by time; of one time in any order, and there may be several
 * of one (time, dims). Everything is borrowed during the callback.
 */
struct store_row {
    int64_t time; /* start of the UTC day or hour it comes from; not yet of the grain */
    uint32_t series;         /* equal numbers have equal dims within a scan; 0: unknown */
    const struct slice *dim; /* STORE_AGENT of them; read with store_row_dim */
    struct slice agent;      /* only when the query groups or filters by it */
    uint64_t calls, v[USAGE_N], peak_calls, peak_tokens;
    struct slice duration, ttft; /* sketch_encode; only when the query wants sketches */
};

static inline struct slice store_row_dim(const struct store_row *r, enum store_dim d)
{
    return d == STORE_AGENT ? r->agent : r->dim[d];
}

/* Anything but ST_OK ends the scan with that status. */
typedef enum status store_row_fn(void *arg, const struct store_row *row);

struct store_agent {
    const char *name, *version, *health; /* health: JSON object or "" */
    int64_t first_seen, last_seen;       /* Unix seconds, collector's clock */
    int64_t skew_ms;                     /* agent's clock minus ours at the last batch */
    uint64_t epoch, seq, batches, rows, newer_kept, refused;
};
typedef enum status store_agent_fn(void *arg, const struct store_agent *a);
typedef enum status store_value_fn(void *arg, struct slice value);
typedef enum status store_day_fn(void *arg, int64_t day);

/* A JSON document of somebody: kind "projection", key the workload, at Unix seconds. */
struct store_record {
    const char *kind, *key, *json;
    int64_t at;
};
typedef enum status store_record_fn(void *arg, const struct store_record *r);

struct store_status {
    const char *engine;
    uint64_t schema, series, bytes, wal_bytes;
    int64_t oldest_hour, newest_hour, oldest_day; /* Unix seconds; 0: no usage yet */
    uint32_t fields; /* bit f: usage field f was above zero somewhere, ever */
};

/* --- the interface -------------------------------------------------------------------
 */

struct store_options {
    const char *dir;       /* data_dir */
    bool read_only;        /* beside a running collector; writes answer ST_DENIED */
    int64_t retention_s;   /* of hourly rows; 0: 400 days */
    uint64_t series_max;   /* 0: 200,000 */
    const struct log *log; /* or NULL */
};

struct store_engine {
    const char *name;
    enum status (*put)(struct store *s, const struct store_batch *batch, size_t n,
                       struct store_put *result);
    enum status (*scan)(struct store *s, const struct store_query *q, store_row_fn *fn,
                        void *arg);
    enum status (*sketches)(struct store *s, const struct store_query *q,
                            struct sketch *duration, struct sketch *ttft);
    enum status (*days)(struct store *s, int64_t from, int64_t to, store_day_fn *fn,
                        void *arg);
    enum status (*reach)(struct store *s, int64_t from, uint64_t rows, int64_t *hour);
    enum status (*values)(struct store *s, enum store_dim d, store_value_fn *fn,
                          void *arg);
    enum status (*agents)(struct store *s, store_agent_fn *fn, void *arg);
    enum status (*record_put)(struct store *s, const struct store_record *r,
                              unsigned keep);
    enum status (*record_list)(struct store *s, const char *kind, const char *key,
                               unsigned newest, store_record_fn *fn, void *arg);
    enum status (*prune)(struct store *s, int64_t now_s, bool *more);
    enum status (*status)(struct store *s, struct store_status *out);
    void (*free)(struct store *s);
};

/* The head of every engine's struct. */
struct store {
    const struct store_engine *engine;
};

/*
 * Open (and create or migrate) the SQLite store in o->dir. `why` gets a sentence on
 * failure: ST_EXISTS another collector holds it, ST_BAD not ours, damaged or of a newer
 * version, ST_DENIED, ST_FULL, ST_IO. Free with store_free.
 */
enum status store_sqlite_open(const struct store_options *o, struct store **out,
                              struct buf *why);

/*
 * Write n batches in one transaction, result[i] for batch[i]. Durable on ST_OK. Nothing
 * of them is stored otherwise: ST_FULL or ST_IO are worth a retry, ST_BAD is not (a total
 * outgrew 63 bits).
 */
static inline enum status store_put(struct store *s, const struct store_batch *batch,
                                    size_t n, struct store_put *result)
{
    return s->engine->put(s, batch, n, result);
}

/* Usage in partial totals; see struct store_row. Wants query.h: grouped, priced, sorted.
 */
static inline enum status store_scan(struct store *s, const struct store_query *q,
                                     store_row_fn *fn, void *arg)
{
    return s->engine->scan(s, q, fn, arg);
}

/* Merge the sketches of the hourly rows under q (grain and group unused) into the two. */
static inline enum status store_sketches(struct store *s, const struct store_query *q,
                                         struct sketch *duration, struct sketch *ttft)
{
    return s->engine->sketches(s, q, duration, ttft);
}

/* The UTC days in [from, to) that have any usage at all, by time. */
static inline enum status store_days(struct store *s, int64_t from, int64_t to,
                                     store_day_fn *fn, void *arg)
{
    return s->engine->days(s, from, to, fn, arg);
}

/*
 * How far so many hourly rows reach from `from` on, of all series: *hour is the start of
 * the hour that the row after them is of, INT64_MAX when there are no more than that.
 */
static inline enum status store_reach(struct store *s, int64_t from, uint64_t rows,
                                      int64_t *hour)
{
    return s->engine->reach(s, from, rows, hour);
}

/* Every value that a dimension has ever had, sorted. */
static inline enum status store_values(struct store *s, enum store_dim d,
                                       store_value_fn *fn, void *arg)
{
    return s->engine->values(s, d, fn, arg);
}

static inline enum status store_agents(struct store *s, store_agent_fn *fn, void *arg)
{
    return s->engine->agents(s, fn, arg);
}

/*
 * Save a document under (kind, key, at), replacing one of the same instant; only the
 * `keep` newest of (kind, key) stay (0: all). State that is overwritten: keep 1.
 */
static inline enum status store_record_put(struct store *s, const struct store_record *r,
                                           unsigned keep)
{
    return s->engine->record_put(s, r, keep);
}

/* Documents of a kind, of one key or of all (NULL), the `newest` n of each key (0: all),
 * by key, then newest first. */
static inline enum status store_record_list(struct store *s, const char *kind,
                                            const char *key, unsigned newest,
                                            store_record_fn *fn, void *arg)
{
    return s->engine->record_list(s, kind, key, newest, fn, arg);
}

/* The newest document of (kind, key) appended to *json; ST_NOT_FOUND. `at` may be NULL.
 */
enum status store_record_get(struct store *s, const char *kind, const char *key,
                             struct buf *json, int64_t *at);

/* One small step of retention; *more says whether another is due at once. */
static inline enum status store_prune(struct store *s, int64_t now_s, bool *more)
{
    return s->engine->prune(s, now_s, more);
}

static inline enum status store_get_status(struct store *s, struct store_status *out)
{
    return s->engine->status(s, out);
}

static inline void store_free(struct store *s)
{
    if (s)
        s->engine->free(s);
}

#endif
