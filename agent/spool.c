/* The agent's crash-safe memory: see spool.h. A shell file; its SQL is in spool_db.c. */
#include "agent/spool_private.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PAGES_BETWEEN_CHECKPOINTS = 256, /* 1 MiB of log */
    NAMES_MAX = 16 * 1024,
};

/*
 * Added to `ver` at each open. A disk that lost the end of the log (SQLite drops what
 * fails its checksum) takes ver back; rows written then must still win over what was
 * shipped before.
 */
static const uint64_t ver_leap = 1 << 20;

struct spool_limits spool_limits_default(void)
{
    return (struct spool_limits){ .max_bytes = 256 << 20,
                                  .keep_s = 3 * 24 * 3600,
                                  .dedup_keep_s = 3 * 24 * 3600,
                                  .dedup_max = 200000 };
}

/* --- Transactions ------------------------------------------------------------------ */

enum status spool_fail(struct spool *s, enum status st)
{
    if (st != ST_OK && s->st == ST_OK) {
        s->st = st;
        s->full |= st == ST_FULL;
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
    return spool_fail(s, spool_db_run(&s->db, SQL_BEGIN));
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
        spool_fail(s, put_meta(s));
    if (s->st == ST_OK) {
        spool_db_get(&s->db, SQL_COMMIT);
        spool_fail(s, spool_db_run(&s->db, SQL_COMMIT));
    }
    s->open = false;
    if (s->st == ST_OK) {
        s->kept = s->meta;
        s->db.complained = 0;
        s->full = false;
        spool_db_checkpoint(&s->db, PAGES_BETWEEN_CHECKPOINTS);
    }
    return s->st;
}

void spool_rollback(struct spool *s)
{
    if (s->open && s->st == ST_OK)
        spool_fail(s, ST_END);
    s->open = false;
}

/* --- Open and close -------------------------------------------------------------- */

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
        spool_fail(s, spool_db_run(&s->db, SQL_TOTAL_OFFER));
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

void spool_rest(struct spool *s)
{
    sqlite3_db_release_memory(s->db.sql);
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

/* --- Totals ---------------------------------------------------------------------- */

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

enum status spool_damaged(struct spool *s, const char *why)
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
    return st == ST_BAD ? spool_damaged(s, why) : st;
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
    return spool_fail(s, st);
}

/* --- Positions, dedup, values ---------------------------------------------------- */

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
    return spool_fail(s, spool_db_run(&s->db, SQL_POSITION_PUT));
}

enum status spool_drop_position(struct spool *s, struct slice key)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    spool_db_bind(spool_db_get(&s->db, SQL_POSITION_DROP), 1, key);
    return spool_fail(s, spool_db_run(&s->db, SQL_POSITION_DROP));
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
    return spool_fail(s, spool_db_run(&s->db, SQL_DEDUP_PUT));
}

enum status spool_put_value(struct spool *s, const char *name, struct slice value)
{
    assert(s->open);
    if (s->st != ST_OK)
        return s->st;
    sqlite3_stmt *q = spool_db_get(&s->db, SQL_VALUE_PUT);
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    spool_db_bind(q, 2, value);
    return spool_fail(s, spool_db_run(&s->db, SQL_VALUE_PUT));
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
