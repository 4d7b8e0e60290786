/* The agent's crash-safe memory: see spool.h. A shell file; its SQL is in spool_db.c. */
#include "agent/spool.h"

#include "agent/spool_db.h"
#include "common/arena.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PAGES_BETWEEN_CHECKPOINTS = 256, /* 1 MiB of log */
    STATE_WAITING = 0,
    STATE_ACKED = 1,
    STATE_REFUSED = 2,
    UNTOUCHED_S = 24 * 3600, /* a row that still changes is not pruned for its age */
    NAMES_MAX = 16 * 1024,
};

/*
 * Added to `ver` at each open. A disk that lost the end of the log (SQLite drops what
 * fails its checksum) takes ver back; rows written then must still win over what was
 * shipped before.
 */
static const uint64_t ver_leap = 1 << 20;

/* The one row of table meta: kept here, written with every transaction. */
struct meta {
    uint64_t epoch, ver, seq;
    int64_t pruned_to;     /* rows of hours before this may have been pruned … */
    uint64_t pruned_epoch; /* … while this was the newest epoch */
    uint64_t rows, refused, refused_pruned;
};

struct spool {
    struct spool_db db;
    struct spool_limits limits;
    struct meta meta, kept; /* as seen inside the transaction; as committed */
    bool open;              /* between begin and commit or rollback */
    enum status st;         /* first failure of the open transaction */
    int64_t now_s;          /* of the open transaction */
    struct arena names;     /* behind names of a row being read */
    struct buf line, series;
};

struct spool_limits spool_limits_default(void)
{
    return (struct spool_limits){ .max_bytes = 256 << 20,
                                  .keep_s = 3 * 24 * 3600,
                                  .dedup_keep_s = 3 * 24 * 3600,
                                  .dedup_max = 200000 };
}

/* --- Transactions ----------------------------------------------------------------------
 */

static enum status fail(struct spool *s, enum status st)
{
    if (st != ST_OK && s->st == ST_OK) {
        s->st = st;
        s->meta = s->kept;
        if (!sqlite3_get_autocommit(s->db.sql)) {
            spool_db_get(&s->db, SQL_ROLLBACK);
            spool_db_run(&s->db, SQL_ROLLBACK);
        }
    }
    return st;
}

enum status spool_begin(struct spool *s, int64_t now_s)
{
    assert(!s->open);
    s->open = true;
    s->st = ST_OK;
    s->now_s = now_s;
    spool_db_get(&s->db, SQL_BEGIN);
    return fail(s, spool_db_run(&s->db, SQL_BEGIN));
}

static enum status put_meta(struct spool *s)
{
    const struct meta *m = &s->meta;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_META_PUT);
    sqlite3_bind_int64(q, 1, (int64_t)m->epoch);
    sqlite3_bind_int64(q, 2, (int64_t)m->ver);
    sqlite3_bind_int64(q, 3, (int64_t)m->seq);
    sqlite3_bind_int64(q, 4, m->pruned_to);
    sqlite3_bind_int64(q, 5, (int64_t)m->pruned_epoch);
    sqlite3_bind_int64(q, 6, (int64_t)m->rows);
    sqlite3_bind_int64(q, 7, (int64_t)m->refused);
    sqlite3_bind_int64(q, 8, (int64_t)m->refused_pruned);
    return spool_db_run(&s->db, SQL_META_PUT);
}

enum status spool_commit(struct spool *s)
{
    assert(s->open);
    if (s->st == ST_OK && memcmp(&s->meta, &s->kept, sizeof s->meta) != 0)
        fail(s, put_meta(s));
    if (s->st == ST_OK) {
        spool_db_get(&s->db, SQL_COMMIT);
        fail(s, spool_db_run(&s->db, SQL_COMMIT));
    }
    s->open = false;
    if (s->st == ST_OK) {
        s->kept = s->meta;
        s->db.complained = 0;
        spool_db_checkpoint(&s->db, PAGES_BETWEEN_CHECKPOINTS);
    }
    return s->st;
}

void spool_rollback(struct spool *s)
{
    if (s->open && s->st == ST_OK)
        fail(s, ST_END);
    s->open = false;
}

/* --- Open and close
 * ------------------------------------------------------------------------ */

static enum status get_meta(struct spool *s)
{
    struct meta *m = &s->kept;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_META_GET);
    enum status st = spool_db_step(&s->db, SQL_META_GET);
    if (st == ST_END) {
        log_error(s->db.log, "%s: the spool has lost its numbering", s->db.path);
        return ST_BAD;
    }
    if (st != ST_OK)
        return st;
    m->epoch = (uint64_t)sqlite3_column_int64(q, 0);
    m->ver = (uint64_t)sqlite3_column_int64(q, 1);
    m->seq = (uint64_t)sqlite3_column_int64(q, 2);
    m->pruned_to = sqlite3_column_int64(q, 3);
    m->pruned_epoch = (uint64_t)sqlite3_column_int64(q, 4);
    m->rows = (uint64_t)sqlite3_column_int64(q, 5);
    m->refused = (uint64_t)sqlite3_column_int64(q, 6);
    m->refused_pruned = (uint64_t)sqlite3_column_int64(q, 7);
    s->meta = *m;
    sqlite3_reset(q);
    return ST_OK;
}

/* What is written at each open: also shows early that the disk takes writes. */
static enum status begin_life(struct spool *s, int64_t now_ms)
{
    spool_begin(s, now_ms / 1000);
    if (s->meta.refused && s->st == ST_OK) { /* another collector may take them */
        spool_db_get(&s->db, SQL_TOTAL_OFFER);
        fail(s, spool_db_run(&s->db, SQL_TOTAL_OFFER));
        s->meta.refused = 0;
    }
    s->meta.ver += ver_leap;
    return spool_commit(s);
}

enum status spool_open(const char *path, const struct spool_limits *limits,
                       int64_t now_ms, bool replace_damaged, const struct log *log,
                       struct spool **out)
{
    struct spool *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return ST_NOMEM;
    s->limits = *limits;
    arena_init(&s->names, NAMES_MAX);
    enum status st = spool_db_open(&s->db, path, now_ms, replace_damaged, log);
    if (st == ST_OK)
        st = get_meta(s);
    if (st == ST_OK)
        st = spool_db_max(&s->db, limits->max_bytes);
    if (st == ST_OK)
        st = begin_life(s, now_ms);
    if (st != ST_OK) {
        spool_close(s);
        return st;
    }
    /* From here on the loss of the log costs what is in it, not the epoch. */
    spool_db_checkpoint(&s->db, 1);
    sqlite3_db_release_memory(s->db.sql); /* the check read every page */
    *out = s;
    return ST_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    spool_rollback(s);
    if (s->db.sql)
        spool_db_checkpoint(&s->db, 1);
    spool_db_close(&s->db);
    arena_release(&s->names);
    buf_release(&s->line);
    buf_release(&s->series);
    free(s);
}

/* --- Totals
 * ------------------------------------------------------------------------------- */

/*
 * The identity of a series within an hour: a hash of its empty row as it travels, so two
 * keys that would collide at the collector (names that differ in invalid bytes only) are
 * one here.
 */
static enum status series_id(struct spool *s, const struct rollup_key *key,
                             uint64_t id[2])
{
    const struct rollup_row empty = { .key = *key };
    buf_reset(&s->series);
    rollup_encode(&empty, &s->series);
    id[0] = slice_hash(buf_slice(&s->series), 0);
    id[1] = slice_hash(buf_slice(&s->series), 1);
    return s->series.st;
}

static enum status damaged_row(struct spool *s, const char *why)
{
    log_error(s->db.log,
              "%s: a stored total is damaged (%s); restore the spool, or start"
              " once with --replace-damaged-spool",
              s->db.path, why);
    return ST_BAD;
}

/* The stored row, in *row; ST_END: there is none. */
static enum status get_total(struct spool *s, int64_t hour, const uint64_t id[2],
                             struct rollup_row *row, int *state)
{
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_GET);
    sqlite3_bind_int64(q, 1, hour);
    spool_db_bind(q, 2, slice_of(id, 2 * sizeof *id));
    enum status st = spool_db_step(&s->db, SQL_TOTAL_GET);
    if (st != ST_OK)
        return st;
    struct slice line = spool_db_blob(q, 7);
    const char *why = "its checksum differs";
    uint64_t unknown = 0, ver = (uint64_t)sqlite3_column_int64(q, 1);
    arena_reset(&s->names);
    if (slice_hash(line, ver) == (uint64_t)sqlite3_column_int64(q, 6))
        st = rollup_decode(line, &s->names, row, &unknown, &why);
    else
        st = ST_BAD;
    row->epoch = (uint64_t)sqlite3_column_int64(q, 0);
    *state = sqlite3_column_int(q, 2);
    row->total.minute = sqlite3_column_int64(q, 3);
    row->total.minute_calls = (uint64_t)sqlite3_column_int64(q, 4);
    row->total.minute_tokens = (uint64_t)sqlite3_column_int64(q, 5);
    sqlite3_reset(q);
    return st == ST_BAD ? damaged_row(s, why) : st;
}

static enum status put_total(struct spool *s, const uint64_t id[2],
                             const struct rollup_row *row)
{
    buf_reset(&s->line);
    rollup_encode(row, &s->line);
    if (s->line.st != ST_OK)
        return s->line.st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_TOTAL_PUT);
    sqlite3_bind_int64(q, 1, row->key.hour);
    spool_db_bind(q, 2, slice_of(id, 2 * sizeof *id));
    sqlite3_bind_int64(q, 3, (int64_t)row->epoch);
    sqlite3_bind_int64(q, 4, (int64_t)row->ver);
    sqlite3_bind_int64(q, 5, s->now_s);
    sqlite3_bind_int64(q, 6, row->total.minute);
    sqlite3_bind_int64(q, 7, (int64_t)row->total.minute_calls);
    sqlite3_bind_int64(q, 8, (int64_t)row->total.minute_tokens);
    sqlite3_bind_int64(q, 9, (int64_t)slice_hash(buf_slice(&s->line), row->ver));
    sqlite3_bind_text64(q, 10, s->line.p, s->line.n, SQLITE_STATIC, SQLITE_UTF8);
    return spool_db_run(&s->db, SQL_TOTAL_PUT);
}

/* A row that may have been pruned must not begin again at zero under its old epoch. */
static uint64_t epoch_for_new_row(struct spool *s, int64_t hour)
{
    if (hour < s->meta.pruned_to && s->meta.epoch == s->meta.pruned_epoch)
        s->meta.epoch++;
    return s->meta.epoch;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static enum status merge(struct rollup *into, const struct rollup *delta)
{
    int64_t minute = into->minute;
    uint64_t calls = into->minute_calls, tokens = into->minute_tokens;
    enum status st = rollup_merge(into, delta);
    if (delta->minute == minute) {
        calls = add(calls, delta->minute_calls);
        tokens = add(tokens, delta->minute_tokens);
    } else if (delta->minute > minute) {
        minute = delta->minute;
        calls = delta->minute_calls;
        tokens = delta->minute_tokens;
    }
    into->minute = minute;
    into->minute_calls = calls;
    into->minute_tokens = tokens;
    if (calls > into->peak_calls)
        into->peak_calls = calls;
    if (tokens > into->peak_tokens)
        into->peak_tokens = tokens;
    return st;
}

enum status spool_add(struct spool *s, const struct rollup_key *key,
                      const struct rollup *delta)
{
    assert(s->open);
    uint64_t id[2];
    int state = STATE_WAITING;
    struct rollup_row row = { 0 };
    if (s->st != ST_OK)
        return s->st;
    enum status st = series_id(s, key, id);
    if (st == ST_OK)
        st = get_total(s, key->hour, id, &row, &state);
    if (st == ST_END) {
        row.epoch = epoch_for_new_row(s, key->hour);
        s->meta.rows++;
        st = ST_OK;
    }
    if (st == ST_OK)
        st = merge(&row.total, delta);
    if (st == ST_OK) {
        row.key = *key;
        row.ver = ++s->meta.ver;
        st = put_total(s, id, &row);
    }
    if (st == ST_OK && state == STATE_REFUSED)
        s->meta.refused--;
    rollup_release(&row.total);
    return fail(s, st);
}

/* --- Positions, dedup, values
 * ------------------------------------------------------------- */

enum status spool_put_position(struct spool *s, const struct spool_position *p)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_POSITION_PUT);
    spool_db_bind(q, 1, p->key);
    sqlite3_bind_text64(q, 2, p->path.n ? p->path.p : "", p->path.n, SQLITE_STATIC,
                        SQLITE_UTF8);
    sqlite3_bind_int64(q, 3, (int64_t)p->offset);
    spool_db_bind(q, 4, p->state);
    return fail(s, spool_db_run(&s->db, SQL_POSITION_PUT));
}

enum status spool_drop_position(struct spool *s, struct slice key)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    spool_db_bind(spool_db_get(&s->db, SQL_POSITION_DROP), 1, key);
    return fail(s, spool_db_run(&s->db, SQL_POSITION_DROP));
}

enum status spool_put_dedup(struct spool *s, uint64_t hash, int64_t hour,
                            struct slice blob)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_DEDUP_PUT);
    sqlite3_bind_int64(q, 1, (int64_t)hash);
    sqlite3_bind_int64(q, 2, hour);
    spool_db_bind(q, 3, blob);
    return fail(s, spool_db_run(&s->db, SQL_DEDUP_PUT));
}

enum status spool_put_value(struct spool *s, const char *name, struct slice value)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_VALUE_PUT);
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    spool_db_bind(q, 2, value);
    return fail(s, spool_db_run(&s->db, SQL_VALUE_PUT));
}

enum status spool_load_positions(struct spool *s, spool_position_fn *each, void *arg)
{
    enum status st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_POSITION_ALL);
    while ((st = spool_db_step(&s->db, SQL_POSITION_ALL)) == ST_OK)
        each(arg,
             &(struct spool_position){ .key = spool_db_blob(q, 0),
                                       .path = spool_db_blob(q, 1),
                                       .offset = (uint64_t)sqlite3_column_int64(q, 2),
                                       .state = spool_db_blob(q, 3) });
    return st == ST_END ? ST_OK : st;
}

enum status spool_load_dedup(struct spool *s, spool_dedup_fn *each, void *arg)
{
    enum status st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_DEDUP_ALL);
    while ((st = spool_db_step(&s->db, SQL_DEDUP_ALL)) == ST_OK)
        each(arg, (uint64_t)sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
             spool_db_blob(q, 2));
    return st == ST_END ? ST_OK : st;
}

enum status spool_get_value(struct spool *s, const char *name, struct buf *out)
{
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_VALUE_GET);
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    enum status st = spool_db_step(&s->db, SQL_VALUE_GET);
    if (st != ST_OK)
        return st == ST_END ? ST_NOT_FOUND : st;
    buf_add(out, spool_db_blob(q, 0));
    sqlite3_reset(q);
    return out->st;
}

/* --- Shipping
 * ------------------------------------------------------------------------------ */

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
            st = damaged_row(s, "its checksum differs");
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
    fail(s, st);
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
        fail(s, spool_db_run(&s->db, SQL_TOTAL_MARK));
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

/* --- Care
 * ----------------------------------------------------------------------------------- */

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
    if (fail(s, spool_db_run(&s->db, SQL_TOTAL_PRUNE)) != ST_OK)
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
    if (fail(s, spool_db_run(&s->db, how)) != ST_OK)
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
        fail(s, spool_db_run(&s->db, SQL_SHRINK));
    }
    return gone;
}

enum status spool_prune(struct spool *s, int64_t now_s)
{
    enum status st;
    uint64_t bytes, gone = 1;
    while ((st = pages_used(s, &bytes)) == ST_OK && gone) {
        begin_care(s, now_s);
        gone = prune_once(s, now_s, bytes > s->limits.max_bytes / 4 * 3);
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
