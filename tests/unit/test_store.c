/* The store: any order of rows gives the same sums, days are sums of hours, retention. */
#include "testing.h"

#include "collector/migrate.h"
#include "collector/query.h"

#include <sqlite3.h>

#define NOW INT64_C(1795420800) /* a full hour */

static char *make_dir(void)
{
    char *dir = strdup("/tmp/breakeven-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void drop_dir(char *dir)
{
    static const char *const files[] = { "breakeven.db", "breakeven.db-wal",
                                         "breakeven.db-shm", "collector.lock" };
    char path[256];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
    free(dir);
}

static struct store *open_store(const char *dir)
{
    struct store *s;
    struct buf why = { 0 };
    enum status st = store_sqlite_open(&(struct store_options){ .dir = dir }, &s, &why);
    CHECK(st == ST_OK, "%s", buf_cstr(&why));
    buf_release(&why);
    return s;
}

static int64_t sql_number(const char *dir, const char *sql)
{
    char path[256];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/breakeven.db", dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, "%s",
          sqlite3_errmsg(db));
    CHECK(sqlite3_step(q) == SQLITE_ROW, "%s", sql);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

static const char *const models[] = { "gpt-x", "claude-y", "x'); DROP TABLE series;--",
                                      "" };
static const char *const apps[] = { "shop", "tutor", "\xc3\xa9\"\n" };

static struct rollup_row make_row(int64_t hour, unsigned series, uint64_t epoch,
                                  uint64_t ver, uint64_t calls)
{
    struct rollup_row r = { .ver = ver, .epoch = epoch };
    r.key.hour = hour;
    r.key.name[ROLLUP_app] = slice_str(apps[series % COUNT_OF(apps)]);
    r.key.name[ROLLUP_model] = slice_str(models[series / 3 % COUNT_OF(models)]);
    r.key.name[ROLLUP_provider] = SLICE("openai");
    r.key.quality = series & 1 ? QUALITY_ESTIMATED : QUALITY_EXACT;
    r.key.context = series % USAGE_CONTEXTS;
    r.total.calls = calls;
    r.total.v[USAGE_input] = calls * 100;
    r.total.v[USAGE_output] = calls * 7;
    r.total.v[USAGE_bytes_down] = calls * calls;
    r.total.peak_calls = calls / 2;
    return r;
}

static struct store_batch batch_of(const char *agent, const struct rollup_row *row,
                                   size_t n)
{
    return (struct store_batch){ .agent = { .name = slice_str(agent),
                                            .version = SLICE("0.1"),
                                            .health = SLICE("{}"),
                                            .clock_ms = NOW * 1000 },
                                 .now_s = NOW,
                                 .row = row,
                                 .rows = n };
}

static struct store_put put(struct store *s, const char *agent,
                            const struct rollup_row *row, size_t n)
{
    struct store_put r;
    struct store_batch b = batch_of(agent, row, n);
    assert_int_equal(store_put(s, &b, 1, &r), ST_OK);
    return r;
}

/* One day's usage_day equals the sums of its usage_hour, for every series and column. */
static void check_days(const char *dir)
{
    struct buf sql = { 0 };
    buf_adds(&sql,
             "SELECT (SELECT count(*) FROM usage_day) != (SELECT count(*) FROM "
             "(SELECT 1 FROM usage_hour GROUP BY hour/86400, series)) OR "
             "EXISTS(SELECT 1 FROM usage_day d JOIN (SELECT hour/86400*86400 AS day, "
             "series, sum(calls) AS calls, max(peak_calls) AS peak_calls");
    for (int f = 0; f < USAGE_N; f++)
        buf_addf(&sql, ", sum(%s) AS %s", usage_fields[f].name, usage_fields[f].name);
    buf_adds(&sql, " FROM usage_hour GROUP BY 1, 2) h USING(day, series) WHERE "
                   "d.calls != h.calls OR d.peak_calls != h.peak_calls");
    for (int f = 0; f < USAGE_N; f++)
        buf_addf(&sql, " OR d.%s != h.%s", usage_fields[f].name, usage_fields[f].name);
    buf_addc(&sql, ')');
    assert_int_equal(sql_number(dir, buf_cstr(&sql)), 0);
    buf_release(&sql);
}

enum { HOURS = 50, SERIES = 12, SOURCES = 4, OPS = 4000 };

struct model {
    uint64_t ver[HOURS][SERIES][SOURCES], calls[HOURS][SERIES][SOURCES];
};

static enum status sum_calls(void *arg, const struct store_row *row)
{
    ((uint64_t *)arg)[0] += row->calls;
    ((uint64_t *)arg)[1] += row->v[USAGE_input];
    ((uint64_t *)arg)[2] += row->v[USAGE_bytes_down];
    return ST_OK;
}

static void check_model(struct store *s, const struct model *m)
{
    uint64_t got[3] = { 0 }, hourly[3] = { 0 }, want[3] = { 0 };
    for (int i = 0; i < HOURS * SERIES * SOURCES; i++) {
        uint64_t calls = (&m->calls[0][0][0])[i];
        want[0] += calls;
        want[1] += calls * 100;
        want[2] += calls * calls;
    }
    struct store_query q = { .from = 0, .to = NOW + 86400, .grain = STORE_DAY };
    assert_int_equal(store_scan(s, &q, sum_calls, got), ST_OK);
    q.grain = STORE_HOUR;
    assert_int_equal(store_scan(s, &q, sum_calls, hourly), ST_OK);
    assert_memory_equal(got, want, sizeof want);
    assert_memory_equal(hourly, want, sizeof want);
}

/* Random rows, versions out of order, replayed, epochs mixed: the highest ver wins. */
static void test_any_order(void **state)
{
    (void)state;
    struct rng rng = rng_open("any_order");
    char *dir = make_dir();
    struct store *s = open_store(dir);
    struct model *m = calloc(1, sizeof *m);
    struct rollup_row row[64];
    for (int op = 0; op < OPS;) {
        int src = (int)rng_below(&rng, SOURCES), n = 0;
        for (; n < 1 + (int)rng_below(&rng, 63); n++, op++) {
            int h = (int)rng_below(&rng, HOURS), k = (int)rng_below(&rng, SERIES);
            uint64_t ver = 1 + rng_below(&rng, 30);
            /* one truth per version, growing with it */
            uint64_t calls = ver * 10 + (uint64_t)k;
            row[n] = make_row(NOW - 3600 * h, (unsigned)k, (uint64_t)src / 2, ver, calls);
            if (ver > m->ver[h][k][src]) {
                m->ver[h][k][src] = ver;
                m->calls[h][k][src] = calls;
            }
        }
        const char *agent = src & 1 ? "a" : "b";
        struct store_put r = put(s, agent, row, (size_t)n);
        assert_int_equal(r.rows + r.newer_kept, n);
        if (rng_below(&rng, 4) == 0) { /* replay: nothing may change */
            r = put(s, agent, row, (size_t)n);
            assert_int_equal(r.rows, 0);
        }
        if (rng_below(&rng, 20) == 0) {
            store_free(s);
            s = open_store(dir);
        }
    }
    check_model(s, m);
    check_days(dir);
    store_free(s);
    assert_int_equal(sql_number(dir, "SELECT count(*) FROM source"), SOURCES);
    free(m);
    drop_dir(dir);
}

/* A newer version that says less (an estimate became exact) takes the difference away. */
static void test_correction(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    struct rollup_row a = make_row(NOW, 0, 1, 1, 50), b = make_row(NOW, 0, 1, 2, 20);
    b.total.peak_calls = a.total.peak_calls;
    put(s, "a", &a, 1);
    put(s, "a", &b, 1);
    check_days(dir);
    assert_int_equal(sql_number(dir, "SELECT calls FROM usage_day"), 20);
    store_free(s);
    drop_dir(dir);
}

static void test_refusals(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = NULL;
    struct buf why = { 0 };
    struct store_options o = { .dir = dir, .series_max = 2 };
    assert_int_equal(store_sqlite_open(&o, &s, &why), ST_OK);
    struct rollup_row rows[] = {
        make_row(NOW - INT64_C(400) * 86400 - 3600, 0, 1, 1, 5), /* too old */
        make_row(NOW - INT64_C(399) * 86400, 0, 1, 1, 5),
        make_row(NOW + 3600, 0, 1, 1, 5), /* ahead */
        make_row(NOW, 1, 1, 1, 5),
        make_row(NOW, 2, 1, 1, 5), /* a third series */
    };
    struct store_put r = put(s, "a", rows, COUNT_OF(rows));
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.too_old, 1);
    assert_int_equal(r.in_future, 1);
    assert_int_equal(r.over_limit, 1);

    /* A sum beyond 63 bits is an error of the whole call, and leaves no trace. */
    struct rollup_row big[] = { make_row(NOW, 0, 1, 1, 1),
                                make_row(NOW - 3600, 0, 1, 1, 1) };
    big[0].total.v[USAGE_input] = big[1].total.v[USAGE_input] = INT64_MAX;
    struct store_batch b = batch_of("a", big, 2);
    assert_int_equal(store_put(s, &b, 1, &r), ST_BAD);
    check_days(dir);
    assert_int_equal(sql_number(dir, "SELECT count(*) FROM usage_hour"), 2);

    struct store *second;
    assert_int_equal(store_sqlite_open(&o, &second, &why), ST_EXISTS);
    assert_non_null(strstr(buf_cstr(&why), "another collector"));
    store_free(s);
    buf_release(&why);
    drop_dir(dir);
}

/* Pruned hours stay in their day and are not let in again, whatever the clock says. */
static void test_retention(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    struct rollup_row rows[] = { make_row(NOW - 3600 * 5, 0, 1, 1, 5),
                                 make_row(NOW, 0, 1, 1, 7) };
    put(s, "a", rows, 2);
    bool more = true;
    int steps = 0;
    while (more) {
        assert_int_equal(store_prune(s, NOW + INT64_C(400) * 86400 - 3600, &more), ST_OK);
        steps++;
    }
    assert_int_equal(steps, 2);
    struct store_put r = put(s, "a", rows, 2);
    assert_int_equal(r.too_old, 1);
    assert_int_equal(r.newer_kept, 1);
    store_free(s);
    s = open_store(dir);
    assert_int_equal(put(s, "a", rows, 2).too_old, 1);
    uint64_t got[3] = { 0 };
    struct store_query q = { .to = NOW + 1, .grain = STORE_DAY };
    assert_int_equal(store_scan(s, &q, sum_calls, got), ST_OK);
    assert_int_equal(got[0], 12);
    assert_int_equal(sql_number(dir, "SELECT count(*) FROM usage_hour"), 1);
    store_free(s);
    drop_dir(dir);
}

static enum status sum_agent(void *arg, const struct store_row *row)
{
    if (slice_eq(store_row_dim(row, STORE_AGENT), SLICE("b")))
        *(uint64_t *)arg += row->calls;
    return ST_OK;
}

static void test_filters(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    struct rollup_row rows[24];
    for (unsigned i = 0; i < 24; i++)
        rows[i] = make_row(NOW - 3600 * (i % 5), i, 1, 1, 1u << (i % 20));
    put(s, "a", rows, 12);
    put(s, "b", rows + 12, 12);
    uint64_t want[3] = { 0 };
    for (unsigned i = 0; i < 24; i++) {
        bool app = i % 3 == 0 || i % 3 == 2, model = i / 3 % 4 == 2;
        want[0] += app && model ? 1u << (i % 20) : 0;
    }
    struct store_filter f[] = { { STORE_app, slice_str(apps[0]) },
                                { STORE_app, slice_str(apps[2]) },
                                { STORE_model, slice_str(models[2]) } };
    struct store_query q = {
        .to = NOW + 1, .grain = STORE_DAY, .filter = f, .filters = 3
    };
    uint64_t got[3] = { 0 };
    assert_int_equal(store_scan(s, &q, sum_calls, got), ST_OK);
    assert_int_equal(got[0], want[0]);

    uint64_t b = 0, want_b = 0;
    for (unsigned i = 12; i < 24; i++)
        want_b += 1u << (i % 20);
    struct store_query by_agent = { .to = NOW + 1, .group = store_bit(STORE_AGENT) };
    assert_int_equal(store_scan(s, &by_agent, sum_agent, &b), ST_OK);
    assert_int_equal(b, want_b);
    f[0] = (struct store_filter){ STORE_AGENT, SLICE("b") };
    struct store_query only_b = { .to = NOW + 1, .filter = f, .filters = 1 };
    memset(got, 0, sizeof got);
    assert_int_equal(store_scan(s, &only_b, sum_calls, got), ST_OK);
    assert_int_equal(got[0], want_b);
    store_free(s);
    drop_dir(dir);
}

/* Days of another zone are whole, although they begin inside a UTC day. */
static void test_zone(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    const int64_t day = NOW - NOW % 86400;
    struct rollup_row rows[48];
    for (int i = 0; i < 48; i++)
        rows[i] = make_row(day - 3600 * (i + 1), 0, 1, 1, 1);
    put(s, "a", rows, 48);
    struct arena a;
    struct query_result r;
    arena_init(&a, 1 << 20);
    struct store_query q = { .from = day - 86400 - 7200 + 60, /* inside the local day */
                             .to = day - 7200,
                             .grain = STORE_DAY,
                             .offset_s = 7200 };
    assert_int_equal(query_usage(s, NULL, &q, &a, &r), ST_OK);
    assert_int_equal(r.rows, 1);
    assert_int_equal(r.row->calls, 24);
    assert_int_equal(r.row->time, day - 86400 - 7200);
    arena_release(&a);
    store_free(s);
    drop_dir(dir);
}

static enum status collect_day(void *arg, int64_t day)
{
    buf_addf(arg, "%d ", (int)((NOW - NOW % 86400 - day) / 86400));
    return ST_OK;
}

/* Which days have anything, and how far a number of hourly rows reaches. */
static void test_spans(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    const int64_t day = NOW - NOW % 86400;
    struct rollup_row rows[6];
    struct buf got = { 0 };
    int64_t hour;
    for (int i = 0; i < 6; i++) /* two series, of today, 2 and 4 days ago */
        rows[i] = make_row(day - 86400 * 2 * (i / 2), (unsigned)i % 2, 1, 1, 1);
    assert_int_equal(store_days(s, 0, NOW, collect_day, &got), ST_OK);
    assert_int_equal(got.n, 0);
    put(s, "a", rows, 6);
    assert_int_equal(store_days(s, 0, NOW, collect_day, &got), ST_OK);
    assert_string_equal(buf_cstr(&got), "4 2 0 ");
    buf_reset(&got);
    assert_int_equal(store_days(s, day - 3 * 86400, day, collect_day, &got), ST_OK);
    assert_string_equal(buf_cstr(&got), "2 ");
    assert_int_equal(store_reach(s, 0, 3, &hour), ST_OK);
    assert_int_equal(hour, day - 2 * 86400);
    assert_int_equal(store_reach(s, 0, 5, &hour), ST_OK);
    assert_int_equal(hour, day);
    assert_int_equal(store_reach(s, day, 1, &hour), ST_OK);
    assert_int_equal(hour, day);
    assert_int_equal(store_reach(s, 0, 6, &hour), ST_OK);
    assert_true(hour == INT64_MAX);
    buf_release(&got);
    store_free(s);
    drop_dir(dir);
}

static enum status collect(void *arg, struct slice v)
{
    buf_add(arg, v);
    buf_addc(arg, '|');
    return ST_OK;
}

static enum status collect_record(void *arg, const struct store_record *r)
{
    buf_addf(arg, "%s@%d=%s ", r->key, (int)r->at, r->json);
    return ST_OK;
}

static enum status collect_agent(void *arg, const struct store_agent *a)
{
    buf_addf(arg, "%s v%s batches=%d rows=%d skew=%d ", a->name, a->version,
             (int)a->batches, (int)a->rows, (int)a->skew_ms);
    return ST_OK;
}

static void test_values_and_records(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir), *reader;
    struct buf b = { 0 }, why = { 0 };
    struct store_options o = { .dir = dir, .read_only = true };
    assert_int_equal(store_sqlite_open(&o, &reader, &why), ST_OK);
    struct rollup_row rows[] = { make_row(NOW, 1, 1, 1, 5), make_row(NOW, 0, 1, 1, 5) };
    put(s, "web-1", rows, 2);
    put(s, "web-1", NULL, 0);
    assert_int_equal(store_values(reader, STORE_app, collect, &b), ST_OK);
    assert_string_equal(buf_cstr(&b), "shop|tutor|");
    uint64_t got[3] = { 0 };
    struct store_query q = { .to = NOW + 1, .grain = STORE_DAY };
    assert_int_equal(store_scan(reader, &q, sum_calls, got), ST_OK);
    assert_int_equal(got[1], 1000);
    buf_reset(&b);
    assert_int_equal(store_agents(reader, collect_agent, &b), ST_OK);
    assert_string_equal(buf_cstr(&b), "web-1 v0.1 batches=2 rows=2 skew=0 ");

    static const char *const keys[] = { "w1", "w2", "w1", "w1" };
    for (int i = 0; i < 4; i++) {
        char json[16];
        snprintf(json, sizeof json, "{\"n\":%d}", i);
        struct store_record r = { "projection", keys[i], json, 100 + i };
        assert_int_equal(store_record_put(s, &r, 2), ST_OK);
        assert_int_equal(store_record_put(reader, &r, 2), ST_DENIED);
    }
    buf_reset(&b);
    assert_int_equal(store_record_list(s, "projection", NULL, 0, collect_record, &b),
                     ST_OK);
    assert_string_equal(buf_cstr(&b),
                        "w1@103={\"n\":3} w1@102={\"n\":2} w2@101={\"n\":1} ");
    buf_reset(&b);
    int64_t at;
    assert_int_equal(store_record_get(reader, "projection", "w1", &b, &at), ST_OK);
    assert_string_equal(buf_cstr(&b), "{\"n\":3}");
    assert_int_equal(at, 103);
    assert_int_equal(store_record_get(s, "alert", "w1", &b, NULL), ST_NOT_FOUND);
    struct store_status status;
    assert_int_equal(store_get_status(s, &status), ST_OK);
    assert_int_equal(status.schema, 1);
    assert_int_equal(status.newest_hour, NOW);
    store_free(reader);
    store_free(s);
    buf_release(&b);
    buf_release(&why);
    drop_dir(dir);
}

static void test_sketches(void **state)
{
    (void)state;
    char *dir = make_dir();
    struct store *s = open_store(dir);
    struct rollup_row rows[] = { make_row(NOW, 0, 1, 1, 5),
                                 make_row(NOW - 3600, 0, 1, 1, 5),
                                 make_row(NOW, 1, 1, 1, 5) };
    sketch_add(&rows[0].total.duration, 1000000, 10);
    sketch_add(&rows[1].total.duration, 3000000, 30);
    sketch_add(&rows[2].total.duration, 9000000, 500); /* filtered out */
    sketch_add(&rows[1].total.ttft, 200000, 1);
    put(s, "a", rows, 3);
    struct sketch d = { 0 }, t = { 0 };
    struct store_filter f = { STORE_app, slice_str(apps[0]) };
    struct store_query q = { .to = NOW + 1, .filter = &f, .filters = 1 };
    assert_int_equal(store_sketches(s, &q, &d, &t), ST_OK);
    assert_int_equal(d.count, 40);
    assert_int_equal(t.count, 1);
    assert_in_range(sketch_quantile(&d, 0.5), 2940000, 3060000);
    sketch_release(&d);
    sketch_release(&t);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rollup_release(&rows[i].total);
    store_free(s);
    drop_dir(dir);
}

static void test_buckets(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        enum store_grain grain;
        int32_t offset;
        int64_t want;
    } rows[] = {
        { 1795420800 + 61, STORE_HOUR, 0, 1795420800 },
        { 1795420800, STORE_DAY, 0, 1795392000 }, /* 2026-11-23 (Monday) */
        { 1795420800, STORE_WEEK, 0, 1795392000 },
        { 1795392000 - 1, STORE_WEEK, 0, 1795392000 - 7 * 86400 },
        { 1795420800, STORE_MONTH, 0, 1793491200 }, /* 2026-11-01 */
        { 1709164800, STORE_MONTH, 0, 1706745600 }, /* 2024-02-29 */
        { 0, STORE_MONTH, 0, 0 },
        { 1795392000, STORE_DAY, -18000, 1795392000 - 86400 + 18000 }, /* New York */
        { 1795420800, STORE_TOTAL, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(store_bucket(rows[i].at, rows[i].grain, rows[i].offset) == rows[i].want,
              "row %zu: %lld", i,
              (long long)store_bucket(rows[i].at, rows[i].grain, rows[i].offset));
}

/* A made-up history: version 1, then a second step that must run once and whole. */
static void test_migration(void **state)
{
    (void)state;
    static const struct migration one[] = {
        { "CREATE TABLE t(a); INSERT INTO t VALUES(1)" }
    };
    const struct migration two[] = { one[0], { "ALTER TABLE t ADD COLUMN b DEFAULT 5" } };
    const struct migration broken[] = {
        one[0], two[1], { "CREATE TABLE u(x); INSERT INTO nowhere VALUES(1)" }
    };
    sqlite3 *db;
    struct buf why = { 0 };
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(migrate(db, 77, one, 1, &why), ST_OK);
    assert_int_equal(migrate(db, 77, one, 1, &why), ST_OK);
    assert_int_equal(migrate(db, 77, two, 2, &why), ST_OK);
    assert_int_not_equal(migrate(db, 77, broken, 3, &why), ST_OK);
    sqlite3_stmt *q;
    sqlite3_prepare_v2(db, "SELECT b, (SELECT count(*) FROM sqlite_schema) FROM t", -1,
                       &q, NULL);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(q, 0), 5);
    assert_int_equal(sqlite3_column_int(q, 1), 1); /* u was rolled back */
    sqlite3_finalize(q);
    buf_reset(&why);
    assert_int_equal(migrate(db, 77, one, 1, &why), ST_BAD);
    assert_non_null(strstr(buf_cstr(&why), "newer program"));
    buf_reset(&why);
    assert_int_equal(migrate(db, 78, two, 2, &why), ST_BAD);
    assert_non_null(strstr(buf_cstr(&why), "another program"));
    sqlite3_close(db);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_correction),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_values_and_records),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_sketches),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
