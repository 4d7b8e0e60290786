/*
 * The agent's crash-safe memory: one SQLite file that holds read positions, hourly
 * totals, remembered response ids and what the collector has acknowledged. Positions and
 * the totals that come from the bytes before them change in one transaction, so a call
 * counts once through crash, restart and replay. Fed by the pipeline, read by shipper.
 *
 * Rows are absolute: every change of a total takes the next `ver` of the whole spool.
 * A total lives under (epoch, hour, series); a row that was pruned is never begun again
 * under its epoch: a late call for it opens a new epoch.
 *
 * Refuses: a second process on the same file (flock on PATH.lock), a file that is not
 * ours, of a newer schema or damaged, and growing over its limit. Not for threads: one
 * caller, one connection that commits and checkpoints.
 */
#ifndef BREAKEVEN_SPOOL_H
#define BREAKEVEN_SPOOL_H

#include "common/log.h"
#include "common/rollup.h"

struct spool;

struct spool_limits {
    uint64_t max_bytes; /* of the database file; at least 1 MiB */
    int64_t keep_s;     /* acknowledged totals of hours older than this may go */
    int64_t dedup_keep_s;
    uint32_t dedup_max; /* entries; the oldest go first */
};

/* 256 MiB, 3 days, 3 days, 200,000 entries. */
struct spool_limits spool_limits_default(void);

/*
 * Open or create. `now_ms` (Unix) numbers the epoch of a new file. With `replace_damaged`
 * a file that fails its check is renamed to PATH.corrupt-<now_ms> and a new one, with a
 * new epoch, takes its place; without it the file is refused and the log says what to do.
 * `log` is borrowed for the spool's life.
 *   ST_EXISTS  another process holds it      ST_BAD     damaged, or not a spool
 *   ST_LIMIT   written by a newer agent      ST_DENIED, ST_IO, ST_FULL, ST_NOMEM
 * Every error has been logged with path and reason.
 */
enum status spool_open(const char *path, const struct spool_limits *limits,
                       int64_t now_ms, bool replace_damaged, const struct log *log,
                       struct spool **out);

/* Roll back what is open, checkpoint, close. NULL is fine. */
void spool_close(struct spool *s);
/* Between transactions: give back what SQLite holds to be fast. */
void spool_rest(struct spool *s);

/* --- One transaction: positions, totals, dedup, values --------------------------------
 *
 * Errors stick: after the first failure the transaction is rolled back, the puts up to
 * spool_commit return that status and do nothing, and spool_commit returns it. So only
 * spool_commit must be checked. Until it returns ST_OK nothing has happened. ST_FULL
 * (disk or limit) asks the caller to stop reading and try again later; no reopen needed.
 */
enum status spool_begin(struct spool *s, int64_t now_s);
enum status spool_commit(struct spool *s); /* durable (fsync) when it returns ST_OK */
void spool_rollback(struct spool *s);      /* nothing open: nothing happens */

/* Where a source stands. `key` identifies the file, `state` is the source's own. */
struct spool_position {
    struct slice key;  /* opaque; unique */
    struct slice path; /* for messages and for finding it again */
    uint64_t offset;
    struct slice state; /* opaque; may be empty */
};

enum status spool_put_position(struct spool *s, const struct spool_position *p);
enum status spool_drop_position(struct spool *s, struct slice key);

/*
 * Add `delta` to the total of `key`: reads the stored total, merges, writes it with the
 * next ver. The busiest minute continues across calls when the delta's calls lie in one
 * minute, else it is the larger of both.
 */
enum status spool_add(struct spool *s, const struct rollup_key *key,
                      const struct rollup *delta);

/*
 * Remember a response: `hash` and a small blob of the dedup module, `hour` (Unix s) of
 * remembering it, for pruning by age. Appended: a later entry of the same hash replaces
 * an earlier one when they are loaded.
 */
enum status spool_put_dedup(struct spool *s, uint64_t hash, int64_t hour,
                            struct slice blob);

/* A small named value (keys of fingerprints, calibration); replaces. */
enum status spool_put_value(struct spool *s, const char *name, struct slice value);

/* --- Reading back, outside a transaction ------------------------------------------- */

/* Slices live during the call. The callback must not use the spool. */
typedef void spool_position_fn(void *arg, const struct spool_position *p);
typedef void spool_dedup_fn(void *arg, uint64_t hash, int64_t hour, struct slice blob);

enum status spool_load_positions(struct spool *s, spool_position_fn *each, void *arg);
enum status spool_load_dedup(struct spool *s, spool_dedup_fn *each, void *arg);
/* Appends the value to `out`; ST_NOT_FOUND when it was never put. */
enum status spool_get_value(struct spool *s, const char *name, struct buf *out);

/* --- Shipping ---------------------------------------------------------------------- */

/* Rows of one batch: every waiting row with first_ver <= ver <= last_ver. */
struct spool_batch {
    uint64_t first_ver, last_ver;
    size_t rows;
    bool more;      /* a limit ended it: more rows may wait */
    uint64_t epoch; /* the spool's newest; rows say their own */
    uint64_t seq;   /* informs the collector, decides nothing */
};

/*
 * Append waiting rows to `ndjson`, one line each, lowest ver first: at most max_rows, and
 * at most max_bytes unless the first row alone is larger. ST_END: none waits; the batch
 * then has no rows and may be sent as a heartbeat.
 */
enum status spool_next_batch(struct spool *s, size_t max_rows, size_t max_bytes,
                             struct buf *ndjson, struct spool_batch *out);

/*
 * The collector has the batch: its rows that did not change since are done. Durable.
 * spool_refuse: the collector will never take it; its rows are set aside, counted, and
 * offered again when they change or when the spool is next opened.
 */
enum status spool_ack(struct spool *s, const struct spool_batch *batch);
enum status spool_refuse(struct spool *s, const struct spool_batch *batch);

/* --- Care -------------------------------------------------------------------------- */

/*
 * Call about once an hour, and on ST_FULL: acknowledged rows and dedup entries beyond
 * their age and number go; after ST_FULL, or over three quarters of the limit, every
 * acknowledged row of a past hour.
 */
enum status spool_prune(struct spool *s, int64_t now_s);

struct spool_stats {
    uint64_t bytes;     /* of the file, free pages excluded */
    uint64_t max_bytes; /* the limit */
    uint64_t rows, waiting, refused;
    uint64_t refused_pruned; /* set aside and then pruned: lost to the collector */
    uint64_t epoch, ver, seq;
};

enum status spool_stats(struct spool *s, struct spool_stats *out);

#endif
