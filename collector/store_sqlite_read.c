/*
 * Reading: scans of usage_day or usage_hour, filtered by the dictionary of series in
 * memory instead of a join, and only the columns that were ever above zero.
 */
#include "collector/store_sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- what a query keeps ---------------------------------------------------------------
 */

/* Whether a series or source passes the filters, worked out once each. */
enum { SERIES_NAMED = 256 };

struct sieve {
    const struct store_query *q;
    const struct dict *series, *source;
    unsigned char *of_series, *of_source; /* 0 not known yet, 1 kept, 2 dropped */
    uint32_t series_n, source_n;
};

static bool series_passes(const struct store_query *q, const struct dict_entry *e)
{
    return store_passes(q, e->part) || (q->or_else && store_passes(q->or_else, e->part));
}

/* One of the agents that are asked for, if any are? */
static bool source_passes(const struct store_query *q, const struct dict_entry *e)
{
    bool asked = false, met = false;
    for (size_t i = 0; i < q->filters; i++) {
        if (q->filter[i].dim != STORE_AGENT)
            continue;
        asked = true;
        met = met || slice_eq(q->filter[i].value, e->part[0]);
    }
    return met || !asked;
}

static enum status sieve_open(struct sieve *v, const struct store_sqlite *s,
                              const struct store_query *q)
{
    *v = (struct sieve){ .q = q, .series = s->series, .source = s->source };
    v->series_n = dict_last(s->series);
    v->source_n = dict_last(s->source);
    v->of_series = calloc((size_t)v->series_n + 1, 1);
    v->of_source = calloc((size_t)v->source_n + 1, 1);
    return v->of_series && v->of_source ? ST_OK : ST_NOMEM;
}

static void sieve_close(struct sieve *v)
{
    free(v->of_series);
    free(v->of_source);
}

typedef bool passes_fn(const struct store_query *q, const struct dict_entry *e);

/* The entry if it passes, else NULL. */
static const struct dict_entry *sift(const struct sieve *v, const struct dict *d,
                                     unsigned char *known, uint32_t n, int64_t id,
                                     passes_fn *passes)
{
    if (id <= 0 || id > n || known[id] == 2)
        return NULL;
    const struct dict_entry *e = dict_at(d, (uint32_t)id);
    if (known[id] == 0)
        known[id] = e && passes(v->q, e) ? 1 : 2;
    return known[id] == 1 ? e : NULL;
}

static const struct dict_entry *sift_series(const struct sieve *v, int64_t id)
{
    return sift(v, v->series, v->of_series, v->series_n, id, series_passes);
}

static const struct dict_entry *sift_source(const struct sieve *v, int64_t id)
{
    return sift(v, v->source, v->of_source, v->source_n, id, source_passes);
}

/* --- scan -----------------------------------------------------------------------------
 */

/* A few series out of many are named, so that the others' columns are not even read. */
static void name_series(struct buf *b, const struct sieve *v)
{
    struct buf list = { 0 };
    size_t n = 0;
    for (uint32_t id = 1; id <= v->series_n && n <= SERIES_NAMED; id++)
        if ((v->q->filters || v->q->or_else) && sift_series(v, id))
            buf_addf(&list, n++ ? ",%u" : "%u", id);
    if ((v->q->filters || v->q->or_else) && n <= SERIES_NAMED && n * 2 < v->series_n)
        buf_addf(b, " AND series IN (%s)", buf_cstr(&list));
    if (list.st != ST_OK)
        b->st = list.st;
    buf_release(&list);
}

/* SELECT of the columns in `fields`, into field[]; returns how many. */
static int build_scan(struct buf *b, const struct sieve *v, unsigned fields,
                      enum usage_field *field)
{
    const struct store_query *q = v->q;
    bool hours = store_reads_hours(q);
    int n = 0;
    buf_addf(b, "SELECT %s, series, calls, peak_calls, peak_tokens",
             hours ? "hour" : "day");
    for (int f = 0; f < USAGE_N; f++) {
        if (!(fields >> f & 1))
            continue;
        buf_addf(b, ", %s", usage_fields[f].name);
        field[n++] = (enum usage_field)f;
    }
    buf_addf(b, "%s%s FROM %s", store_wants_agent(q) ? ", source" : "",
             q->sketches && hours ? ", duration, ttft" : "",
             hours ? "usage_hour" : "usage_day");
    buf_addf(b, " WHERE %s >= ? AND %s < ?", hours ? "hour" : "day",
             hours ? "hour" : "day");
    name_series(b, v);
    buf_addf(b, " ORDER BY %s", hours ? "hour" : "day"); /* as the primary key lies */
    return n;
}

static enum status prepare(sqlite3 *db, struct buf *sql, int64_t from, int64_t to,
                           sqlite3_stmt **q)
{
    if (sql->st != ST_OK)
        return sql->st;
    int rc = sqlite3_prepare_v2(db, buf_cstr(sql), -1, q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(*q, 1, from);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(*q, 2, to);
    return status_of_sqlite(db, rc);
}

/* [from, to) of a query widened to whole units: days of its zone, or hours. */
static void widen(const struct store_query *q, enum store_grain unit, int64_t *from,
                  int64_t *to)
{
    int64_t length = unit == STORE_HOUR ? 3600 : 86400;
    *from = store_bucket(q->from, unit, q->offset_s);
    *to = q->to > q->from ? store_bucket(q->to - 1, unit, q->offset_s) + length : *from;
}

struct scan {
    sqlite3_stmt *q;
    struct sieve sieve;
    enum usage_field field[USAGE_N];
    int fields;
    bool agent, sketches;
};

static struct slice column_slice(sqlite3_stmt *q, int i)
{
    const void *p = sqlite3_column_text(q, i);
    return (struct slice){ p, (size_t)sqlite3_column_bytes(q, i) };
}

/* Read the row under the cursor; false: not wanted. */
static bool read_row(const struct scan *c, struct store_row *row)
{
    const struct dict_entry *e = sift_series(&c->sieve, sqlite3_column_int64(c->q, 1));
    if (!e)
        return false;
    if (c->agent) {
        int64_t id = sqlite3_column_int64(c->q, 5 + c->fields);
        const struct dict_entry *a = sift_source(&c->sieve, id);
        if (!a)
            return false;
        row->agent = a->part[0];
    }
    row->time = sqlite3_column_int64(c->q, 0);
    row->series = e->id;
    row->dim = e->part;
    row->calls = (uint64_t)sqlite3_column_int64(c->q, 2);
    row->peak_calls = (uint64_t)sqlite3_column_int64(c->q, 3);
    row->peak_tokens = (uint64_t)sqlite3_column_int64(c->q, 4);
    for (int i = 0; i < c->fields; i++)
        row->v[c->field[i]] = (uint64_t)sqlite3_column_int64(c->q, 5 + i);
    if (c->sketches) {
        row->duration = column_slice(c->q, 5 + c->fields + c->agent);
        row->ttft = column_slice(c->q, 6 + c->fields + c->agent);
    }
    return true;
}

enum status store_sqlite_scan(struct store *base, const struct store_query *q,
                              store_row_fn *fn, void *arg)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    struct scan c = { .agent = store_wants_agent(q),
                      .sketches = q->sketches && store_reads_hours(q) };
    struct buf sql = { 0 };
    int64_t from, to;
    if (!db)
        return ST_IO;
    widen(q, q->grain == STORE_HOUR ? STORE_HOUR : STORE_DAY, &from, &to);
    enum status st = sieve_open(&c.sieve, s, q); /* the snapshot is taken already */
    if (st == ST_OK) {
        c.fields = build_scan(&sql, &c.sieve, atomic_load(&s->fields), c.field);
        st = prepare(db, &sql, from, to, &c.q);
    }
    int rc = st == ST_OK ? sqlite3_step(c.q) : SQLITE_DONE;
    struct store_row row = { 0 };
    for (; st == ST_OK && rc == SQLITE_ROW; rc = sqlite3_step(c.q))
        if (read_row(&c, &row))
            st = fn(arg, &row);
    if (st == ST_OK)
        st = status_of_sqlite(db, rc);
    sqlite3_finalize(c.q);
    sieve_close(&c.sieve);
    buf_release(&sql);
    store_reader_give(s, db);
    return st;
}

/* --- sketches -------------------------------------------------------------------------
 */

static enum status merge_text(struct sketch *into, struct sketch *scratch,
                              sqlite3_stmt *q, int column)
{
    struct slice text = column_slice(q, column);
    if (text.n == 0)
        return ST_OK;
    enum status st = sketch_decode(scratch, text);
    return st == ST_OK ? sketch_merge(into, scratch) : st;
}

enum status store_sqlite_sketches(struct store *base, const struct store_query *q,
                                  struct sketch *duration, struct sketch *ttft)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    struct buf sql = { 0 };
    struct sieve v = { 0 };
    struct sketch scratch = { 0 };
    sqlite3_stmt *c = NULL;
    int64_t from, to;
    if (!db)
        return ST_IO;
    widen(q, STORE_HOUR, &from, &to);
    buf_adds(&sql, "SELECT series, source, duration, ttft FROM usage_hour "
                   "WHERE hour >= ? AND hour < ? AND (duration != '' OR ttft != '')");
    enum status st = prepare(db, &sql, from, to, &c);
    int rc = st == ST_OK ? sqlite3_step(c) : SQLITE_DONE;
    if (st == ST_OK)
        st = sieve_open(&v, s, q);
    for (; st == ST_OK && rc == SQLITE_ROW; rc = sqlite3_step(c)) {
        if (!sift_series(&v, sqlite3_column_int64(c, 0)) ||
            !sift_source(&v, sqlite3_column_int64(c, 1)))
            continue;
        st = merge_text(duration, &scratch, c, 2);
        if (st == ST_OK)
            st = merge_text(ttft, &scratch, c, 3);
    }
    if (st == ST_OK)
        st = status_of_sqlite(db, rc);
    sqlite3_finalize(c);
    sieve_close(&v);
    sketch_release(&scratch);
    buf_release(&sql);
    store_reader_give(s, db);
    return st;
}

/* --- spans ----------------------------------------------------------------------------
 */

/* One seek a day; DISTINCT would walk all rows. */
enum status store_sqlite_days(struct store *base, int64_t from, int64_t to,
                              store_day_fn *fn, void *arg)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    struct buf sql = { 0 };
    sqlite3_stmt *q = NULL;
    if (!db)
        return ST_IO;
    buf_adds(&sql, "SELECT min(day) FROM usage_day WHERE day >= ? AND day < ?");
    enum status st = prepare(db, &sql, from, to, &q);
    while (st == ST_OK) {
        int rc = sqlite3_step(q);
        if (rc != SQLITE_ROW || sqlite3_column_type(q, 0) == SQLITE_NULL) {
            st = rc == SQLITE_ROW ? ST_OK : status_of_sqlite(db, rc);
            break;
        }
        int64_t day = sqlite3_column_int64(q, 0);
        st = fn(arg, day);
        sqlite3_reset(q);
        sqlite3_bind_int64(q, 1, day + 1);
    }
    sqlite3_finalize(q);
    buf_release(&sql);
    store_reader_give(s, db);
    return st;
}

enum status store_sqlite_reach(struct store *base, int64_t from, uint64_t rows,
                               int64_t *hour)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    struct buf sql = { 0 };
    sqlite3_stmt *q = NULL;
    *hour = INT64_MAX;
    if (!db)
        return ST_IO;
    buf_adds(&sql, "SELECT hour FROM usage_hour WHERE hour >= ? ORDER BY hour "
                   "LIMIT 1 OFFSET ?");
    enum status st = prepare(db, &sql, from, (int64_t)rows, &q);
    int rc = st == ST_OK ? sqlite3_step(q) : SQLITE_DONE;
    if (rc == SQLITE_ROW)
        *hour = sqlite3_column_int64(q, 0);
    else if (st == ST_OK)
        st = status_of_sqlite(db, rc);
    sqlite3_finalize(q);
    buf_release(&sql);
    store_reader_give(s, db);
    return st;
}

/* --- names, agents, records -----------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

enum status store_sqlite_values(struct store *base, enum store_dim d, store_value_fn *fn,
                                void *arg)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s); /* read-only: brings the names up to date */
    if (!db)
        return ST_IO;
    store_reader_give(s, db);
    bool agent = d == STORE_AGENT;
    const struct dict *dict = agent ? s->source : s->series;
    uint32_t last = dict_last(dict);
    struct slice *value = calloc((size_t)last + 1, sizeof *value);
    size_t n = 0;
    if (!value)
        return ST_NOMEM;
    for (uint32_t id = 1; id <= last; id++) {
        const struct dict_entry *e = dict_at(dict, id);
        if (e)
            value[n++] = e->part[agent ? 0 : d];
    }
    qsort(value, n, sizeof *value, by_value);
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++)
        if (i == 0 || !slice_eq(value[i], value[i - 1]))
            st = fn(arg, value[i]);
    free(value);
    return st;
}

static const char *text(sqlite3_stmt *q, int i)
{
    const unsigned char *p = sqlite3_column_text(q, i);
    return p ? (const char *)p : "";
}

static uint64_t number(sqlite3_stmt *q, int i)
{
    return (uint64_t)sqlite3_column_int64(q, i);
}

enum status store_sqlite_agents(struct store *base, store_agent_fn *fn, void *arg)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    sqlite3_stmt *q = NULL;
    enum status st = ST_OK;
    if (!db)
        return ST_IO;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT name, version, health, first_seen, last_seen, skew_ms, epoch, seq, "
        "batches, rows, newer_kept, refused FROM agent ORDER BY name",
        -1, &q, NULL);
    while (rc == SQLITE_OK && st == ST_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct store_agent a = {
            .name = text(q, 0),
            .version = text(q, 1),
            .health = text(q, 2),
            .first_seen = sqlite3_column_int64(q, 3),
            .last_seen = sqlite3_column_int64(q, 4),
            .skew_ms = sqlite3_column_int64(q, 5),
            .epoch = number(q, 6),
            .seq = number(q, 7),
            .batches = number(q, 8),
            .rows = number(q, 9),
            .newer_kept = number(q, 10),
            .refused = number(q, 11),
        };
        st = fn(arg, &a);
        rc = SQLITE_OK;
    }
    if (st == ST_OK)
        st = status_of_sqlite(db, rc);
    sqlite3_finalize(q);
    store_reader_give(s, db);
    return st;
}

enum status store_sqlite_record_list(struct store *base, const char *kind,
                                     const char *key, unsigned newest,
                                     store_record_fn *fn, void *arg)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    sqlite3_stmt *q = NULL;
    enum status st = ST_OK;
    if (!db)
        return ST_IO;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT key, at, json FROM (SELECT key, at, json, row_number() OVER "
        "(PARTITION BY key ORDER BY at DESC) AS nth FROM record WHERE kind = ?1 "
        "AND (?2 IS NULL OR key = ?2)) WHERE ?3 = 0 OR nth <= ?3 ORDER BY key, at DESC",
        -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(q, 1, kind, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(q, 2, key, -1, SQLITE_STATIC); /* NULL binds NULL */
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q, 3, newest);
    while (rc == SQLITE_OK && st == ST_OK && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        struct store_record r = { .kind = kind,
                                  .key = text(q, 0),
                                  .at = sqlite3_column_int64(q, 1),
                                  .json = text(q, 2) };
        st = fn(arg, &r);
        rc = SQLITE_OK;
    }
    if (st == ST_OK)
        st = status_of_sqlite(db, rc);
    sqlite3_finalize(q);
    store_reader_give(s, db);
    return st;
}

static int64_t edge(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
    char name[4200];
    struct stat st;
    sqlite3_snprintf(sizeof name, name, "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

enum status store_sqlite_status(struct store *base, struct store_status *out)
{
    struct store_sqlite *s = store_sqlite_of(base);
    sqlite3 *db = store_reader_take(s);
    if (!db)
        return ST_IO;
    *out = (struct store_status){
        .engine = "sqlite",
        .schema = (uint64_t)edge(db, "PRAGMA user_version"),
        .series = dict_last(s->series),
        .bytes = file_bytes(s->path, ""),
        .wal_bytes = file_bytes(s->path, "-wal"),
        .oldest_hour = edge(db, "SELECT min(hour) FROM usage_hour"),
        .newest_hour = edge(db, "SELECT max(hour) FROM usage_hour"),
        .oldest_day = edge(db, "SELECT min(day) FROM usage_day"),
        .fields = atomic_load(&s->fields),
    };
    store_reader_give(s, db);
    return ST_OK;
}
