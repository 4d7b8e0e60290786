/* What leaves the spool, by shipping and by pruning: see spool.h. A shell file. */
#include "agent/spool_private.h"

#include <assert.h>

enum { UNTOUCHED_S = 24 * 3600 /* a row that still changes is not pruned for its age */ };

/* --- Shipping -------------------------------------------------------------------- */

enum status spool_next_batch(struct spool *s, size_t max_rows, size_t max_bytes,
                             struct buf *ndjson, struct spool_batch *out)
{
    assert(!s->open);
    enum status st = ST_OK;
    size_t from = ndjson->n;
    *out = (struct spool_batch){ .epoch = s->meta.epoch, .seq = s->meta.seq + 1 };
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_NEXT);
    while (out->rows < max_rows &&
           (st = spool_db_step(&s->db, SQL_TOTAL_NEXT)) == ST_OK) {
        struct slice line = spool_db_blob(q, 2);
        uint64_t ver = (uint64_t)sqlite3_column_int64(q, 0);
        out->more = true;
        if (out->rows && line.n > max_bytes - (ndjson->n - from))
            break;
        if (slice_hash(line, ver) != (uint64_t)sqlite3_column_int64(q, 1)) {
            st = spool_damaged(s, "its checksum differs");
            break;
        }
        buf_add(ndjson, line);
        out->first_ver = out->rows ? out->first_ver : ver;
        out->last_ver = ver;
        out->rows++;
        if (ndjson->n - from >= max_bytes)
            break;
    }
    sqlite3_reset(q);
    if (st == ST_END)
        out->more = false;
    if (st == ST_OK || st == ST_END)
        st = ndjson->st;
    return st == ST_OK && out->rows == 0 ? ST_END : st;
}

/* Bookkeeping must not fail for want of room: a sixteenth above the limit is kept for it.
 */
static void begin_care(struct spool *s, int64_t now_s)
{
    uint64_t reserve = s->limits.max_bytes / 16 + 64 * SPOOL_PAGE;
    enum status st = spool_db_max(&s->db, s->limits.max_bytes + reserve);
    spool_begin(s, now_s);
    spool_fail(s, st);
}

static enum status end_care(struct spool *s)
{
    enum status st = spool_commit(s);
    enum status st2 = spool_db_max(&s->db, s->limits.max_bytes);
    return st != ST_OK ? st : st2;
}

static enum status mark(struct spool *s, const struct spool_batch *b, int state)
{
    assert(!s->open);
    if (b->rows == 0) { /* a heartbeat is not worth a sync */
        s->meta.seq = s->kept.seq = b->seq;
        return ST_OK;
    }
    begin_care(s, 0);
    if (s->st == ST_OK) {
        sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_MARK);
        sqlite3_bind_int(q, 1, state);
        sqlite3_bind_int64(q, 2, (int64_t)b->first_ver);
        sqlite3_bind_int64(q, 3, (int64_t)b->last_ver);
        spool_fail(s, spool_db_run(&s->db, SQL_TOTAL_MARK));
    }
    if (s->st == ST_OK) {
        if (s->meta.seq < b->seq)
            s->meta.seq = b->seq;
        if (state == STATE_REFUSED)
            s->meta.refused += (uint64_t)sqlite3_changes(s->db.sql);
    }
    return end_care(s);
}

enum status spool_ack(struct spool *s, const struct spool_batch *batch)
{
    return mark(s, batch, STATE_ACKED);
}

enum status spool_refuse(struct spool *s, const struct spool_batch *batch)
{
    return mark(s, batch, STATE_REFUSED);
}

/* --- Care ------------------------------------------------------------------------ */

static int64_t hour_of(int64_t t)
{
    return t - ((t % ROLLUP_HOUR_S) + ROLLUP_HOUR_S) % ROLLUP_HOUR_S;
}

/* One bite: rows of hours before `hour`, not touched since `touched`, in `state`. */
static uint64_t prune_bite(struct spool *s, int64_t hour, int64_t touched, int state)
{
    if (s->st != ST_OK)
        return 0;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_PRUNE);
    sqlite3_bind_int64(q, 1, hour);
    sqlite3_bind_int64(q, 2, touched);
    sqlite3_bind_int(q, 3, state);
    if (spool_fail(s, spool_db_run(&s->db, SQL_TOTAL_PRUNE)) != ST_OK)
        return 0;
    uint64_t gone = (uint64_t)sqlite3_changes(s->db.sql);
    if (gone) {
        s->meta.rows -= gone;
        s->meta.pruned_epoch = s->meta.epoch;
        if (s->meta.pruned_to < hour)
            s->meta.pruned_to = hour;
    }
    return gone;
}

static uint64_t prune_dedup_bite(struct spool *s, enum spool_sql how, int64_t border)
{
    if (s->st != ST_OK)
        return 0;
    sqlite3_bind_int64(spool_db_get(&s->db, how), 1, border);
    if (spool_fail(s, spool_db_run(&s->db, how)) != ST_OK)
        return 0;
    return (uint64_t)sqlite3_changes(s->db.sql);
}

static enum status pages_used(struct spool *s, uint64_t *bytes)
{
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_PAGES_USED);
    enum status st = spool_db_step(&s->db, SQL_PAGES_USED);
    if (st != ST_OK)
        return st;
    *bytes = (uint64_t)sqlite3_column_int64(q, 0) * SPOOL_PAGE;
    sqlite3_reset(q);
    return ST_OK;
}

/* One transaction of pruning; how many rows it took. */
static uint64_t prune_once(struct spool *s, int64_t now_s, bool tight)
{
    const int64_t old = hour_of(now_s) - s->limits.keep_s, touched = now_s - UNTOUCHED_S;
    uint64_t gone = prune_bite(s, old, touched, STATE_ACKED);
    uint64_t lost = prune_bite(s, old, touched, STATE_REFUSED);
    s->meta.refused -= lost;
    s->meta.refused_pruned += lost;
    gone += lost;
    if (gone == 0 && tight)
        gone = prune_bite(s, hour_of(now_s), INT64_MAX, STATE_ACKED);
    gone += prune_dedup_bite(s, SQL_DEDUP_PRUNE_AGE, now_s - s->limits.dedup_keep_s);
    gone += prune_dedup_bite(s, SQL_DEDUP_PRUNE_NUMBER, s->limits.dedup_max);
    if (gone && s->st == ST_OK) {
        spool_db_get(&s->db, SQL_SHRINK);
        spool_fail(s, spool_db_run(&s->db, SQL_SHRINK));
    }
    return gone;
}

enum status spool_prune(struct spool *s, int64_t now_s)
{
    enum status st;
    uint64_t bytes, gone = 1;
    const bool full = s->full;
    while ((st = pages_used(s, &bytes)) == ST_OK && gone) {
        begin_care(s, now_s);
        gone = prune_once(s, now_s, full || bytes > s->limits.max_bytes / 4 * 3);
        st = end_care(s);
        if (st != ST_OK)
            break;
    }
    return st;
}

enum status spool_stats(struct spool *s, struct spool_stats *out)
{
    *out = (struct spool_stats){ .max_bytes = s->limits.max_bytes,
                                 .rows = s->kept.rows,
                                 .refused = s->kept.refused,
                                 .refused_pruned = s->kept.refused_pruned,
                                 .epoch = s->kept.epoch,
                                 .ver = s->kept.ver,
                                 .seq = s->kept.seq };
    enum status st = pages_used(s, &out->bytes);
    if (st != ST_OK)
        return st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_WAITING);
    st = spool_db_step(&s->db, SQL_TOTAL_WAITING);
    if (st != ST_OK)
        return st;
    out->waiting = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return ST_OK;
}
