/*
 * Writing: batches, records, retention. One transaction a call. A row that wins over the
 * stored version adds (new - old) to its day in the same transaction, so usage_day is
 * always the sum of usage_hour (of the hours ever kept).
 */
#include "collector/store_sqlite.h"

#include <assert.h>
#include <stdlib.h>

/* --- statements -----------------------------------------------------------------------
 */

static void put_fields(struct buf *b)
{
    for (int f = 0; f < USAGE_N; f++)
        buf_addf(b, ", %s", usage_fields[f].name);
}

static void put_marks(struct buf *b, int n)
{
    for (int i = 0; i < n; i++)
        buf_adds(b, i ? ", ?" : "?");
}

static void build_sql(enum write_sql which, struct buf *b)
{
    static const char *const fixed[SQL_N] = {
        [SQL_BEGIN] = "BEGIN IMMEDIATE",
        [SQL_COMMIT] = "COMMIT",
        [SQL_SERIES_PUT] = "INSERT INTO series VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
        [SQL_SOURCE_PUT] = "INSERT INTO source VALUES(?,?,?)",
        [SQL_META_PUT] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
        [SQL_AGENT_PUT] =
            "INSERT INTO agent VALUES(?1,?2,?2,?3,?4,?5,?6,1,?7,?8,?9,?10) "
            "ON CONFLICT(name) DO UPDATE SET last_seen=max(last_seen,excluded.last_seen),"
            "skew_ms=excluded.skew_ms, version=excluded.version, epoch=excluded.epoch,"
            "seq=excluded.seq, batches=batches+1, rows=rows+excluded.rows,"
            "newer_kept=newer_kept+excluded.newer_kept,"
            "refused=refused+excluded.refused, health=excluded.health",
        [SQL_RECORD_PUT] = "INSERT OR REPLACE INTO record VALUES(?,?,?,?)",
        [SQL_RECORD_TRIM] =
            "DELETE FROM record WHERE kind=?1 AND key=?2 AND at < (SELECT min(at) FROM "
            "(SELECT at FROM record WHERE kind=?1 AND key=?2 ORDER BY at DESC LIMIT ?3))",
        [SQL_HOUR_PRUNE] = "DELETE FROM usage_hour WHERE hour = (SELECT min(hour) FROM "
                           "usage_hour) AND hour < ?",
    };
    if (fixed[which]) {
        buf_adds(b, fixed[which]);
    } else if (which == SQL_HOUR_GET) {
        buf_adds(b, "SELECT ver, calls");
        put_fields(b);
        buf_adds(b, " FROM usage_hour WHERE hour=? AND series=? AND source=?");
    } else if (which == SQL_HOUR_PUT) {
        buf_adds(b, "INSERT OR REPLACE INTO usage_hour(hour, series, source, ver, calls");
        put_fields(b);
        buf_adds(b, ", peak_calls, peak_tokens, duration, ttft) VALUES(");
        put_marks(b, USAGE_N + 9);
        buf_addc(b, ')');
    } else if (which == SQL_DAY_ADD) {
        buf_adds(b, "INSERT INTO usage_day(day, series, calls");
        put_fields(b);
        buf_adds(b, ", peak_calls, peak_tokens) VALUES(");
        put_marks(b, USAGE_N + 5);
        buf_adds(b,
                 ") ON CONFLICT(day, series) DO UPDATE SET calls=calls+excluded.calls");
        for (int f = 0; f < USAGE_N; f++) {
            const char *name = usage_fields[f].name;
            buf_addf(b, ", %s=%s+excluded.%s", name, name, name);
        }
        buf_adds(b, ", peak_calls=max(peak_calls, excluded.peak_calls)"
                    ", peak_tokens=max(peak_tokens, excluded.peak_tokens)");
    }
}

enum status store_write_prepare(struct store_sqlite *s)
{
    struct buf b = { 0 };
    int rc = SQLITE_OK;
    for (int i = 0; i < SQL_N && rc == SQLITE_OK; i++) {
        buf_reset(&b);
        build_sql((enum write_sql)i, &b);
        rc = sqlite3_prepare_v3(s->db, buf_cstr(&b), -1, SQLITE_PREPARE_PERSISTENT,
                                &s->sql[i], NULL);
    }
    enum status st = b.st != ST_OK ? b.st : status_of_sqlite(s->db, rc);
    buf_release(&b);
    return st;
}

/* --- binding and running --------------------------------------------------------------
 */

/* A statement being bound: parameters in order, the first error sticks. */
struct bind {
    sqlite3_stmt *q;
    int at, rc;
};

static struct bind bind_open(struct store_sqlite *s, enum write_sql which)
{
    return (struct bind){ s->sql[which], 0, SQLITE_OK };
}

static void bind_int(struct bind *b, int64_t v)
{
    int rc = sqlite3_bind_int64(b->q, ++b->at, v);
    b->rc = b->rc ? b->rc : rc;
}

static void bind_text(struct bind *b, struct slice v)
{
    int rc = sqlite3_bind_text64(b->q, ++b->at, v.n ? v.p : "", v.n, SQLITE_STATIC,
                                 SQLITE_UTF8);
    b->rc = b->rc ? b->rc : rc;
}

/* Run a statement without rows. */
static enum status bind_run(struct store_sqlite *s, struct bind *b)
{
    int rc = b->rc ? b->rc : sqlite3_step(b->q);
    sqlite3_reset(b->q);
    return status_of_sqlite(s->db, rc);
}

static enum status run(struct store_sqlite *s, enum write_sql which)
{
    struct bind b = bind_open(s, which);
    return bind_run(s, &b);
}

/* --- one transaction ------------------------------------------------------------------
 */

static void rollback(struct store_sqlite *s)
{
    for (size_t i = 0; i < s->fresh_n; i++)
        s->fresh[i]->stored = false; /* keeps its number, goes in with the next try */
    s->fresh_n = 0;
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Between commits, on the connection that commits. */
static void checkpoint(struct store_sqlite *s)
{
    if (s->wal_pages < CHECKPOINT_PAGES)
        return;
    int mode = s->wal_pages < TRUNCATE_PAGES ? SQLITE_CHECKPOINT_PASSIVE
                                             : SQLITE_CHECKPOINT_TRUNCATE;
    int left = 0, moved = 0;
    if (mode == SQLITE_CHECKPOINT_TRUNCATE)
        sqlite3_busy_timeout(s->db, 50); /* never make ingest wait for a long reader */
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &left, &moved);
    sqlite3_busy_timeout(s->db, 5000);
    if (rc == SQLITE_OK && left == moved)
        s->wal_pages = 0;
    else if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_warn(s->log, "store: checkpoint: %s", sqlite3_errmsg(s->db));
}

/* Commit if `st` is fine, else undo all. */
static enum status finish(struct store_sqlite *s, enum status st)
{
    if (st == ST_OK)
        st = run(s, SQL_COMMIT);
    if (st != ST_OK) {
        if (st != ST_BAD)
            log_error(s->log, "store: write failed: %s", sqlite3_errmsg(s->db));
        rollback(s);
        return st;
    }
    s->fresh_n = 0;
    s->fields_stored = atomic_load(&s->fields);
    checkpoint(s);
    return ST_OK;
}

static enum status begin(struct store_sqlite *s)
{
    if (s->read_only)
        return ST_DENIED;
    s->fresh_n = 0;
    return run(s, SQL_BEGIN);
}

/* --- names ----------------------------------------------------------------------------
 */

static enum status insert_name(struct store_sqlite *s, enum write_sql which,
                               struct dict_entry *e, int parts)
{
    if (e->stored)
        return ST_OK;
    if (s->fresh_n == s->fresh_cap) {
        size_t cap = s->fresh_cap ? s->fresh_cap * 2 : 64;
        struct dict_entry **p = realloc(s->fresh, cap * sizeof *p);
        if (!p)
            return ST_NOMEM;
        s->fresh = p;
        s->fresh_cap = cap;
    }
    struct bind b = bind_open(s, which);
    bind_int(&b, e->id);
    for (int i = 0; i < parts; i++)
        bind_text(&b, e->part[i]);
    enum status st = bind_run(s, &b);
    e->stored = st == ST_OK;
    if (st == ST_OK)
        s->fresh[s->fresh_n++] = e;
    return st;
}

static enum status series_of(struct store_sqlite *s, const struct rollup_key *k,
                             uint32_t *id)
{
    struct slice part[SERIES_PARTS];
    char context[12];
    memcpy(part, k->name, sizeof k->name);
    part[STORE_SEEN] = slice_str(usage_seen_name(k->seen));
    part[STORE_OUTCOME] = slice_str(usage_outcome_name(k->outcome));
    part[STORE_QUALITY] = slice_str(usage_quality_name(k->quality));
    sqlite3_snprintf(sizeof context, context, "%u", k->context);
    part[STORE_CONTEXT] = slice_str(context);
    struct dict_entry *e;
    enum status st = dict_get(s->series, part, &e);
    if (st == ST_OK)
        st = insert_name(s, SQL_SERIES_PUT, e, SERIES_PARTS);
    *id = st == ST_OK ? e->id : 0;
    return st;
}

static enum status source_of(struct store_sqlite *s, struct slice agent, uint64_t epoch,
                             uint32_t *id)
{
    char text[24];
    sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)epoch);
    struct slice part[SOURCE_PARTS] = { agent, slice_str(text) };
    struct dict_entry *e;
    enum status st = dict_get(s->source, part, &e);
    if (st == ST_OK)
        st = insert_name(s, SQL_SOURCE_PUT, e, SOURCE_PARTS);
    *id = st == ST_OK ? e->id : 0;
    return st;
}

/* --- rows -----------------------------------------------------------------------------
 */

struct place {
    int64_t hour;
    uint32_t series, source;
};

struct stored {
    bool found;
    int64_t ver, calls, v[USAGE_N];
};

static enum status hour_get(struct store_sqlite *s, const struct place *at,
                            struct stored *old)
{
    struct bind b = bind_open(s, SQL_HOUR_GET);
    bind_int(&b, at->hour);
    bind_int(&b, at->series);
    bind_int(&b, at->source);
    int rc = b.rc ? b.rc : sqlite3_step(b.q);
    *old = (struct stored){ .found = rc == SQLITE_ROW };
    if (old->found) {
        old->ver = sqlite3_column_int64(b.q, 0);
        old->calls = sqlite3_column_int64(b.q, 1);
        for (int f = 0; f < USAGE_N; f++)
            old->v[f] = sqlite3_column_int64(b.q, 2 + f);
    }
    sqlite3_reset(b.q);
    return status_of_sqlite(s->db, rc);
}

static enum status hour_put(struct store_sqlite *s, const struct place *at,
                            const struct rollup_row *row)
{
    const struct rollup *t = &row->total;
    struct buf sketches = { 0 };
    sketch_encode(&t->duration, &sketches);
    size_t cut = sketches.n;
    sketch_encode(&t->ttft, &sketches);
    struct slice text = buf_slice(&sketches);
    struct bind b = bind_open(s, SQL_HOUR_PUT);
    bind_int(&b, at->hour);
    bind_int(&b, at->series);
    bind_int(&b, at->source);
    bind_int(&b, (int64_t)row->ver);
    bind_int(&b, (int64_t)t->calls);
    for (int f = 0; f < USAGE_N; f++)
        bind_int(&b, (int64_t)t->v[f]);
    bind_int(&b, (int64_t)t->peak_calls);
    bind_int(&b, (int64_t)t->peak_tokens);
    bind_text(&b, slice_head(text, cut));
    bind_text(&b, slice_from(text, cut));
    enum status st = sketches.st != ST_OK ? sketches.st : bind_run(s, &b);
    buf_release(&sketches);
    return st;
}

static enum status day_add(struct store_sqlite *s, const struct place *at,
                           const struct rollup *t, const struct stored *old)
{
    struct bind b = bind_open(s, SQL_DAY_ADD);
    bind_int(&b, at->hour - at->hour % 86400);
    bind_int(&b, at->series);
    bind_int(&b, (int64_t)t->calls - old->calls);
    for (int f = 0; f < USAGE_N; f++)
        bind_int(&b, (int64_t)t->v[f] - old->v[f]);
    bind_int(&b, (int64_t)t->peak_calls);
    bind_int(&b, (int64_t)t->peak_tokens);
    return bind_run(s, &b);
}

/* All numbers fit SQLite's 63 bits; *fields gets the bits of those above zero. */
static bool fits(const struct rollup_row *row, unsigned *fields)
{
    const struct rollup *t = &row->total;
    bool ok = row->ver <= INT64_MAX && row->epoch <= INT64_MAX && t->calls <= INT64_MAX &&
              t->peak_calls <= INT64_MAX && t->peak_tokens <= INT64_MAX;
    for (int f = 0; f < USAGE_N; f++) {
        ok = ok && t->v[f] <= INT64_MAX;
        *fields |= t->v[f] ? 1u << f : 0;
    }
    return ok;
}

static enum status put_row(struct store_sqlite *s, const struct store_batch *batch,
                           const struct rollup_row *row, struct store_put *r)
{
    struct place at = { .hour = row->key.hour };
    struct stored old;
    unsigned fields = 0;
    if (at.hour < 0 || !fits(row, &fields))
        return ST_BAD;
    if (at.hour < batch->now_s - s->retention_s || at.hour < atomic_load(&s->pruned))
        return r->too_old++, ST_OK;
    if (at.hour > batch->now_s + STORE_FUTURE_S)
        return r->in_future++, ST_OK;
    enum status st = series_of(s, &row->key, &at.series);
    if (st == ST_OK)
        st = source_of(s, batch->agent.name, row->epoch, &at.source);
    if (st == ST_LIMIT)
        return r->over_limit++, ST_OK;
    if (st == ST_OK)
        st = hour_get(s, &at, &old);
    if (st != ST_OK)
        return st;
    if (old.found && old.ver >= (int64_t)row->ver)
        return r->newer_kept++, ST_OK;
    atomic_fetch_or(&s->fields, fields); /* before the commit: readers may see too many */
    st = hour_put(s, &at, row);
    if (st == ST_OK)
        st = day_add(s, &at, &row->total, &old);
    r->rows += st == ST_OK;
    return st;
}

static enum status put_agent(struct store_sqlite *s, const struct store_batch *batch,
                             const struct store_put *r)
{
    const struct store_agent_report *a = &batch->agent;
    struct bind b = bind_open(s, SQL_AGENT_PUT);
    bind_text(&b, a->name);
    bind_int(&b, batch->now_s);
    bind_int(&b, a->clock_ms ? a->clock_ms - batch->now_s * 1000 : 0);
    bind_text(&b, a->version);
    bind_int(&b, (int64_t)(a->epoch & INT64_MAX));
    bind_int(&b, (int64_t)(a->seq & INT64_MAX));
    bind_int(&b, (int64_t)r->rows);
    bind_int(&b, (int64_t)r->newer_kept);
    bind_int(&b, (int64_t)(r->too_old + r->in_future + r->over_limit));
    bind_text(&b, a->health);
    return bind_run(s, &b);
}

static enum status put_meta(struct store_sqlite *s, const char *key, int64_t value)
{
    char text[24];
    sqlite3_snprintf(sizeof text, text, "%lld", (long long)value);
    struct bind b = bind_open(s, SQL_META_PUT);
    bind_text(&b, slice_str(key));
    bind_text(&b, slice_str(text));
    return bind_run(s, &b);
}

static enum status put_batches(struct store_sqlite *s, const struct store_batch *batch,
                               size_t n, struct store_put *result)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        result[i] = (struct store_put){ 0 };
        for (size_t r = 0; r < batch[i].rows && st == ST_OK; r++)
            st = put_row(s, &batch[i], &batch[i].row[r], &result[i]);
        if (st == ST_OK)
            st = put_agent(s, &batch[i], &result[i]);
    }
    if (st == ST_OK && atomic_load(&s->fields) != s->fields_stored)
        st = put_meta(s, "fields", (int64_t)atomic_load(&s->fields));
    return st;
}

enum status store_sqlite_put(struct store *base, const struct store_batch *batch,
                             size_t n, struct store_put *result)
{
    struct store_sqlite *s = store_sqlite_of(base);
    pthread_mutex_lock(&s->write);
    enum status st = begin(s);
    if (st == ST_OK)
        st = finish(s, put_batches(s, batch, n, result));
    pthread_mutex_unlock(&s->write);
    return st;
}

/* --- records and retention ------------------------------------------------------------
 */

static enum status record_put(struct store_sqlite *s, const struct store_record *r,
                              unsigned keep)
{
    struct bind b = bind_open(s, SQL_RECORD_PUT);
    bind_text(&b, slice_str(r->kind));
    bind_text(&b, slice_str(r->key));
    bind_int(&b, r->at);
    bind_text(&b, slice_str(r->json));
    enum status st = bind_run(s, &b);
    if (st != ST_OK || keep == 0)
        return st;
    b = bind_open(s, SQL_RECORD_TRIM);
    bind_text(&b, slice_str(r->kind));
    bind_text(&b, slice_str(r->key));
    bind_int(&b, keep);
    return bind_run(s, &b);
}

enum status store_sqlite_record_put(struct store *base, const struct store_record *r,
                                    unsigned keep)
{
    struct store_sqlite *s = store_sqlite_of(base);
    pthread_mutex_lock(&s->write);
    enum status st = begin(s);
    if (st == ST_OK)
        st = finish(s, record_put(s, r, keep));
    pthread_mutex_unlock(&s->write);
    return st;
}

/* The oldest hour goes whole. `pruned` only grows, so a clock that jumps back does not
 * let rows in that were counted and dropped before. */
static enum status prune_hour(struct store_sqlite *s, int64_t before, bool *more)
{
    enum status st = ST_OK;
    if (before > atomic_load(&s->pruned))
        st = put_meta(s, "pruned", before);
    struct bind b = bind_open(s, SQL_HOUR_PRUNE);
    bind_int(&b, before);
    if (st == ST_OK)
        st = bind_run(s, &b);
    *more = st == ST_OK && sqlite3_changes(s->db) > 0;
    return st;
}

enum status store_sqlite_prune(struct store *base, int64_t now_s, bool *more)
{
    struct store_sqlite *s = store_sqlite_of(base);
    int64_t before = now_s - s->retention_s;
    before -= before % 3600;
    *more = false;
    pthread_mutex_lock(&s->write);
    enum status st = begin(s);
    if (st == ST_OK)
        st = finish(s, prune_hour(s, before, more));
    if (st == ST_OK && before > atomic_load(&s->pruned))
        atomic_store(&s->pruned, before);
    pthread_mutex_unlock(&s->write);
    return st;
}
