/*
 * Totals of many calls under one key: an hour (UTC) x series. Fed by the agent's
 * pipeline, kept by spool, shipped as one JSON line a row, merged and stored by the
 * collector. Rows are absolute: a row says the running total of its key, `ver` grows, the
 * highest wins.
 *
 * Refuses: keeping a list of calls, increments on the wire.
 */
#ifndef BREAKEVEN_ROLLUP_H
#define BREAKEVEN_ROLLUP_H

#include "common/buf.h"
#include "common/json.h"
#include "common/sketch.h"
#include "common/usage.h"

enum { ROLLUP_HOUR_S = 3600, ROLLUP_NAME_MAX = 200 /* bytes of a name in a key */ };

/* Where every count and `ver` stops: the largest integer of SQLite. */
#define ROLLUP_COUNT_MAX ((uint64_t)INT64_MAX)

/* The names of a series key; one row: field, wire name. The SQL column is the field. */
#define ROLLUP_NAMES(X)                                                                  \
    X(app, "app")                                                                        \
    X(environment, "env")                                                                \
    X(provider, "prov")                                                                  \
    X(model, "model")                                                                    \
    X(surface, "surf")                                                                   \
    X(tier, "tier")                                                                      \
    X(region, "region")                                                                  \
    X(scope, "scope")

enum rollup_name {
#define X(field, wire) ROLLUP_##field,
    ROLLUP_NAMES(X)
#undef X
        ROLLUP_NAMES_N
};

extern const char *const rollup_name_columns[ROLLUP_NAMES_N];
extern const char *const rollup_name_wires[ROLLUP_NAMES_N];

struct rollup_key {
    int64_t hour; /* Unix seconds, a multiple of 3600 */
    struct slice name[ROLLUP_NAMES_N];
    enum seen seen;
    enum outcome outcome;
    enum quality quality;
    unsigned context; /* usage_context bucket */
};

/* A zeroed struct is an empty total. */
struct rollup {
    uint64_t calls;
    uint64_t v[USAGE_N];
    uint64_t peak_calls, peak_tokens; /* of the busiest minute, as calls came in */
    int64_t minute;                   /* Unix minute being filled; not on the wire */
    uint64_t minute_calls, minute_tokens;
    struct sketch duration, ttft; /* total_us and ttft_us */
};

/* A row as it travels. Slices borrow from the line it was read from, or from the spool.
 */
struct rollup_row {
    struct rollup_key key;
    uint64_t ver;
    uint64_t epoch; /* with the agent's id this is the row's source */
    struct rollup total;
};

/*
 * The key of a call; slices borrow from u. A name is cut (at a UTF-8 border) to
 * ROLLUP_NAME_MAX bytes and before its first control byte or byte that is not UTF-8, so
 * that two keys never meet on the wire. ST_BAD for a call without a time, or one outside
 * the years 1970 to 9999: give it one first.
 */
enum status rollup_key_of(const struct usage *u, struct rollup_key *out);
bool rollup_key_eq(const struct rollup_key *a, const struct rollup_key *b);
uint64_t rollup_key_hash(const struct rollup_key *k, uint64_t seed);

/*
 * Is this judged record part of the totals? Calls are; so are errors, with their outcome
 * and no tokens. Deferred, report, free and none are not.
 */
bool rollup_counts(const struct usage *u);

/*
 * Add one call, or the agg_n of an aggregate, which says nothing about peaks and
 * latencies. Of an error only the call and its bytes are added. ST_NOMEM leaves counts
 * added and the sketches short; counters stop at ROLLUP_COUNT_MAX.
 */
enum status rollup_add(struct rollup *r, const struct usage *u);
/* Add the totals of another row (other sources, other hours). Peaks: the larger one. */
enum status rollup_merge(struct rollup *into, const struct rollup *from);
void rollup_release(struct rollup *r);

/* One line, '\n' included: {"h":…,"ver":…,"ep":…,"app":…,…,"n":calls,"in":…}; empty names
 * and zero fields left out. */
void rollup_encode(const struct rollup_row *row, struct buf *out);

/*
 * Read one line into *row, whatever stood there. `names` lends the memory behind escaped
 * names and is appended to. Unknown fields are skipped and added to *unknown. ST_BAD with
 * a constant sentence in *why for anything malformed: one of h, ver, ep, src, oc, q, ctx,
 * n left out, an hour that is not a multiple of 3600, a name or number out of range, a
 * duplicate key. row->total must be released in any case.
 */
struct arena;
enum status rollup_decode(struct slice line, struct arena *names, struct rollup_row *row,
                          uint64_t *unknown, const char **why);

#endif
