/*
 * The SQLite engine: opening, migration, the reader pool. WAL with synchronous=FULL; the
 * one connection that commits is the one that checkpoints (wal_autocheckpoint is 0 on
 * all), as SQLite before 3.51.3 can corrupt a WAL that two connections reset.
 */
#include "collector/store_sqlite.h"

#include "collector/schema.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x42524b56 /* "BRKV" */ };

/* --- names ----------------------------------------------------------------------------
 */

static struct slice column(sqlite3_stmt *q, int i)
{
    const void *p = sqlite3_column_text(q, i);
    return (struct slice){ p, (size_t)sqlite3_column_bytes(q, i) };
}

static enum status load_dict(sqlite3 *db, struct dict *d, int parts, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    enum status st = ST_OK;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q, 1, dict_last(d));
    while (rc == SQLITE_OK && st == ST_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct slice part[SERIES_PARTS];
        assert(parts <= SERIES_PARTS);
        for (int i = 0; i < parts; i++)
            part[i] = column(q, i + 1);
        st = dict_load(d, (uint32_t)sqlite3_column_int64(q, 0), part);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(q);
    return st != ST_OK ? st : status_of_sqlite(db, rc);
}

static int64_t meta_get(sqlite3 *db, const char *key)
{
    sqlite3_stmt *q = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?", -1, &q, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

enum status store_load_names(struct store_sqlite *s, sqlite3 *db)
{
    enum status st = load_dict(
        db, s->series, SERIES_PARTS,
        "SELECT id, app, environment, provider, model, surface, tier, region, scope, "
        "seen, outcome, quality, context FROM series WHERE id > ? ORDER BY id");
    if (st == ST_OK)
        st = load_dict(db, s->source, SOURCE_PARTS,
                       "SELECT id, agent, epoch FROM source WHERE id > ? ORDER BY id");
    atomic_fetch_or(&s->fields, (unsigned)meta_get(db, "fields"));
    atomic_store(&s->pruned, meta_get(db, "pruned"));
    return st;
}

/* --- reader pool ----------------------------------------------------------------------
 */

static sqlite3 *open_reader(const struct store_sqlite *s)
{
    sqlite3 *db = NULL;
    int rc =
        sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA query_only=1; PRAGMA wal_autocheckpoint=0;"
                          "PRAGMA busy_timeout=5000; PRAGMA cache_size=-8000;",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return db;
    log_warn(s->log, "store: cannot open a reader: %s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return NULL;
}

sqlite3 *store_reader_take(struct store_sqlite *s)
{
    int i;
    pthread_mutex_lock(&s->pool);
    for (;;) {
        for (i = 0; i < SQLITE_READERS && s->reader_busy[i]; i++)
            ;
        if (i < SQLITE_READERS)
            break;
        pthread_cond_wait(&s->pool_free, &s->pool);
    }
    s->reader_busy[i] = true; /* the place is ours now, the array stays the pool's */
    sqlite3 *db = s->reader[i];
    pthread_mutex_unlock(&s->pool);

    if (!db && (db = open_reader(s))) {
        pthread_mutex_lock(&s->pool);
        s->reader[i] = db;
        pthread_mutex_unlock(&s->pool);
    }
    /* The first read takes the snapshot: names and fields looked up later include its. */
    bool ready = db && sqlite3_exec(db, "BEGIN; SELECT 1 FROM meta LIMIT 1", NULL, NULL,
                                    NULL) == SQLITE_OK;
    if (ready && s->read_only) {
        pthread_mutex_lock(&s->load);
        ready = store_load_names(s, db) == ST_OK;
        pthread_mutex_unlock(&s->load);
    }
    if (ready)
        return db;
    sqlite3_close(db);
    pthread_mutex_lock(&s->pool);
    s->reader[i] = NULL;
    s->reader_busy[i] = false;
    pthread_cond_signal(&s->pool_free);
    pthread_mutex_unlock(&s->pool);
    return NULL;
}

void store_reader_give(struct store_sqlite *s, sqlite3 *db)
{
    if (!db)
        return;
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    pthread_mutex_lock(&s->pool);
    for (int i = 0; i < SQLITE_READERS; i++)
        if (s->reader[i] == db)
            s->reader_busy[i] = false;
    pthread_cond_signal(&s->pool_free);
    pthread_mutex_unlock(&s->pool);
}

/* --- open and close -------------------------------------------------------------------
 */

/* schema.sql with its @usage lines filled in. */
static void put_schema(struct buf *out)
{
    struct slice rest = slice_of(schema_sql, schema_sql_size), mark = SLICE("@usage");
    for (size_t at; (at = slice_find(rest, mark)) != SIZE_MAX;) {
        /* the comment on top names the mark too */
        bool real = slice_starts(slice_from(rest, at + mark.n), SLICE("\n    "));
        buf_add(out, slice_head(rest, at));
        for (int f = 0; real && f < USAGE_N; f++)
            buf_addf(out, "%s INTEGER NOT NULL DEFAULT 0,\n    ", usage_fields[f].name);
        rest = slice_from(rest, at + mark.n);
    }
    buf_add(out, rest);
}

/* A field that usage_fields.def gained since the file was made becomes a column. */
static enum status add_columns(sqlite3 *db, const char *table)
{
    for (int f = 0; f < USAGE_N; f++) {
        const char *type;
        char sql[160];
        if (sqlite3_table_column_metadata(db, NULL, table, usage_fields[f].name, &type,
                                          NULL, NULL, NULL, NULL) == SQLITE_OK)
            continue;
        sqlite3_snprintf(sizeof sql, sql,
                         "ALTER TABLE %s ADD COLUMN %s INTEGER NOT NULL DEFAULT 0", table,
                         usage_fields[f].name);
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return status_of_sqlite(db, rc);
    }
    return ST_OK;
}

/* sqlite.org/wal.html: the WAL-reset race of 3.7.0 to 3.51.2, fixed in older lines too.
 */
static void warn_of_race(const struct log *log)
{
    int v = sqlite3_libversion_number();
    bool fixed =
        v >= 3051003 || (v >= 3050007 && v < 3051000) || (v >= 3044006 && v < 3045000);
    if (!fixed)
        log_warn(
            log,
            "SQLite %s has the WAL-reset race (fixed in 3.51.3): let no other program "
            "write to or checkpoint the store; read it through the API",
            sqlite3_libversion());
}

static enum status lock_dir(struct store_sqlite *s, const char *dir, struct buf *why)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/collector.lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        buf_addf(why, "%s: %s", path, strerror(errno));
        return errno == ENOSPC ? ST_FULL : ST_DENIED;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return ST_OK;
    buf_addf(why, "%s: another collector has this store open", dir);
    return ST_EXISTS;
}

static int count_wal_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct store_sqlite *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static enum status open_writer(struct store_sqlite *s, struct buf *why)
{
    struct buf schema = { 0 };
    int fd =
        open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* private from the start */
    if (fd >= 0)
        close(fd);
    int rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                             NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(s->db, 1);
        rc = sqlite3_exec(s->db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                          "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16000;"
                          "PRAGMA busy_timeout=5000; PRAGMA foreign_keys=0;",
                          NULL, NULL, NULL);
    }
    enum status st = status_of_sqlite(s->db, rc);
    if (st == ST_OK) {
        put_schema(&schema);
        const struct migration steps[] = { { buf_cstr(&schema) } };
        st = schema.st != ST_OK
                 ? schema.st
                 : migrate(s->db, APPLICATION_ID, steps, SCHEMA_VERSION, why);
        _Static_assert(sizeof steps / sizeof *steps == SCHEMA_VERSION, "one step each");
    }
    if (st == ST_OK)
        st = add_columns(s->db, "usage_hour");
    if (st == ST_OK)
        st = add_columns(s->db, "usage_day");
    if (st == ST_OK)
        st = store_write_prepare(s);
    if (st == ST_OK)
        st = store_load_names(s, s->db);
    s->fields_stored = atomic_load(&s->fields);
    sqlite3_wal_hook(s->db, count_wal_pages, s);
    buf_release(&schema);
    return st;
}

static enum status open_existing(struct store_sqlite *s, struct buf *why)
{
    sqlite3 *db = store_reader_take(s);
    if (!db) {
        buf_addf(why, "%s: no store there that can be read (yet)", s->path);
        return ST_NOT_FOUND;
    }
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    int version = rc == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
    sqlite3_finalize(q);
    store_reader_give(s, db);
    if (version == SCHEMA_VERSION)
        return ST_OK;
    buf_addf(why, "%s has schema version %d, this program reads %d", s->path, version,
             SCHEMA_VERSION);
    return ST_BAD;
}

static void store_sqlite_free(struct store *base)
{
    struct store_sqlite *s = store_sqlite_of(base);
    for (int i = 0; i < SQLITE_READERS; i++)
        sqlite3_close(s->reader[i]);
    for (int i = 0; i < SQL_N; i++)
        sqlite3_finalize(s->sql[i]);
    if (s->db)
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    dict_free(s->series);
    dict_free(s->source);
    pthread_mutex_destroy(&s->load);
    pthread_mutex_destroy(&s->write);
    pthread_mutex_destroy(&s->pool);
    pthread_cond_destroy(&s->pool_free);
    free(s->fresh);
    free(s->path);
    free(s);
}

static const struct store_engine engine = {
    .name = "sqlite",
    .put = store_sqlite_put,
    .scan = store_sqlite_scan,
    .sketches = store_sqlite_sketches,
    .days = store_sqlite_days,
    .reach = store_sqlite_reach,
    .values = store_sqlite_values,
    .agents = store_sqlite_agents,
    .record_put = store_sqlite_record_put,
    .record_list = store_sqlite_record_list,
    .prune = store_sqlite_prune,
    .status = store_sqlite_status,
    .free = store_sqlite_free,
};

static struct store_sqlite *make(const struct store_options *o)
{
    struct store_sqlite *s = calloc(1, sizeof *s);
    uint64_t seed = 0, most = o->series_max ? o->series_max : 200000;
    if (!s)
        return NULL;
    if (getrandom(&seed, sizeof seed, 0) < 0)
        seed = (uint64_t)(uintptr_t)s;
    s->base.engine = &engine;
    s->log = o->log;
    s->retention_s = o->retention_s ? o->retention_s : 400 * 86400;
    s->read_only = o->read_only;
    s->lock_fd = -1;
    s->series =
        dict_new(SERIES_PARTS, most < UINT32_MAX ? (uint32_t)most : UINT32_MAX, seed);
    s->source = dict_new(SOURCE_PARTS, 1000000, seed);
    pthread_mutex_init(&s->load, NULL);
    pthread_mutex_init(&s->write, NULL);
    pthread_mutex_init(&s->pool, NULL);
    pthread_cond_init(&s->pool_free, NULL);
    if (s->series && s->source && asprintf(&s->path, "%s/breakeven.db", o->dir) > 0)
        return s;
    s->path = NULL;
    store_sqlite_free(&s->base);
    return NULL;
}

enum status store_sqlite_open(const struct store_options *o, struct store **out,
                              struct buf *why)
{
    struct store_sqlite *s = make(o);
    enum status st = s ? ST_OK : ST_NOMEM;
    if (st == ST_OK && o->read_only) {
        st = open_existing(s, why);
    } else if (st == ST_OK) {
        if (mkdir(o->dir, 0700) != 0 && errno != EEXIST)
            buf_addf(why, "%s: %s", o->dir, strerror(errno));
        st = why->n ? ST_DENIED : lock_dir(s, o->dir, why);
        if (st == ST_OK)
            st = open_writer(s, why);
        if (st == ST_OK)
            warn_of_race(o->log);
    }
    if (st != ST_OK && why->n == 0)
        buf_addf(why, "%s: %s", o->dir, s && s->db ? sqlite3_errmsg(s->db) : "no memory");
    if (st != ST_OK && s)
        store_sqlite_free(&s->base);
    *out = st == ST_OK ? &s->base : NULL;
    return st;
}
