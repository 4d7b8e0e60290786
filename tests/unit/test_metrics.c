/* The exposition: the tail of models folds into "other" and nothing is lost by it. */
#include "testing.h"

#include "collector/api.h"
#include "collector/metrics.h"
#include "collector/writer.h"

enum { MODELS = 9 };

static const char *const names[MODELS] = { "m5", "m0", "m\"1\\", "m2\n", "m3",
                                           "m4", "m6", "m7",     "m8" };

/* Each model has 10^i calls; arrival is the order of `names`. */
static enum status fake_scan(struct store *s, const struct store_query *q,
                             store_row_fn *fn, void *arg)
{
    enum status st = ST_OK;
    uint64_t calls = 1;
    (void)s;
    (void)q;
    for (uint32_t i = 0; i < MODELS && st == ST_OK; i++, calls *= 10) {
        struct slice dim[STORE_AGENT] = { [STORE_app] = SLICE("shop"),
                                          [STORE_model] = slice_str(names[i]),
                                          [STORE_OUTCOME] = SLICE("ok"),
                                          [STORE_QUALITY] = SLICE("exact") };
        struct store_row row = { .series = i + 1, .dim = dim, .calls = calls };
        row.v[USAGE_output] = 2 * calls;
        row.v[USAGE_cost_pico] = i ? calls * 100000000000 : 0;
        row.v[USAGE_cost_calls] = i ? calls : 0;
        st = fn(arg, &row);
    }
    return st;
}

static enum status fake_agents(struct store *s, store_agent_fn *fn, void *arg)
{
    (void)s;
    struct store_agent a = { .name = "web-1", .version = "1", .last_seen = 77 };
    return fn(arg, &a);
}

static enum status fake_status(struct store *s, struct store_status *out)
{
    (void)s;
    *out = (struct store_status){ .engine = "fake", .bytes = 5 };
    return ST_OK;
}

static enum status fake_records(struct store *s, const char *kind, const char *key,
                                unsigned newest, store_record_fn *fn, void *arg)
{
    (void)s, (void)kind, (void)key, (void)newest, (void)fn, (void)arg;
    return ST_OK;
}

static const struct store_engine fake_engine = { .name = "fake",
                                                 .scan = fake_scan,
                                                 .agents = fake_agents,
                                                 .status = fake_status,
                                                 .record_list = fake_records };

/* Sum of the samples whose line starts with `prefix`, and how many there are. */
static uint64_t sum_of(struct slice text, const char *prefix, size_t *n)
{
    uint64_t sum = 0;
    *n = 0;
    for (bool more = true; more;) {
        struct slice line;
        more = slice_cut(text, '\n', &line, &text);
        if (!slice_starts(line, slice_str(prefix)))
            continue;
        uint64_t v;
        size_t at = line.n;
        while (at && line.p[at - 1] != ' ')
            at--;
        CHECK(slice_u64(slice_from(line, at), &v), "%.*s", SLICE_FMT(line));
        sum += v;
        ++*n;
    }
    return sum;
}

static void check_with(int64_t most)
{
    struct store store = { &fake_engine };
    struct config cf = { .limits = { .metrics_series = most } };
    struct collector c = { .config = &cf, .store = &store, .metrics = metrics_new() };
    struct arena a;
    struct buf out = { 0 };
    size_t sets;
    c.writer = writer_new(&store, 1, NULL, NULL);
    arena_init(&a, 1 << 20);
    metrics_ingest(c.metrics, METRICS_BATCH_OK, 1000);
    metrics_rows(c.metrics, &(struct store_put){ .rows = 3, .too_old = 2 }, 4);
    metrics_commit(c.metrics, true, 0.003);
    metrics_http(c.metrics, 200);
    assert_int_equal(metrics_render(&c, 1000, &a, &out), ST_OK);
    struct slice text = buf_slice(&out);
    assert_int_equal(sum_of(text, "breakeven_calls_total{", &sets), 111111111);
    assert_int_equal(sets, most < MODELS ? most : MODELS);
    assert_int_equal(sum_of(text, "breakeven_tokens_total{", &sets), 222222222);
    assert_int_equal(sum_of(text, "breakeven_calls_unpriced_total{", &sets), 111111111);
    /* who states no cost has no such sample; nothing here has a price beside it */
    assert_int_equal(sum_of(text, "breakeven_cost_stated_usd_total{", &sets), 11111111);
    assert_int_equal(sets, (most < MODELS ? most : MODELS) - 1);
    assert_int_equal(sum_of(text, "breakeven_cost_compared_usd_total{", &sets), 0);
    assert_int_equal(sets, 0);
    /* the first that came is kept whatever its size */
    assert_int_equal(sum_of(text,
                            "breakeven_calls_total{app=\"shop\",provider=\"\",model="
                            "\"m5\"}",
                            &sets),
                     1);
    sum_of(text, "breakeven_calls_total{app=\"other\"", &sets);
    assert_int_equal(sets, most < MODELS);
    assert_int_equal(sum_of(text, "breakeven_metrics_folded_label_sets", &sets),
                     most < MODELS ? MODELS - most + 1 : 0);
    assert_int_equal(
        sum_of(text, "breakeven_ingest_rows_total{result=\"too_old\"}", &sets), 2);
    assert_int_equal(
        sum_of(text, "breakeven_store_commit_duration_seconds_bucket{le=\"0.005\"}",
               &sets),
        1);
    assert_int_equal(sum_of(text, "breakeven_agent_last_seen_timestamp_seconds{", &sets),
                     77);
    if (most >= MODELS) {
        assert_non_null(strstr(buf_cstr(&out), "model=\"m\\\"1\\\\\""));
        assert_non_null(strstr(buf_cstr(&out), "model=\"m2\\n\""));
    }
    writer_free(c.writer);
    metrics_free(c.metrics);
    arena_release(&a);
    buf_release(&out);
}

static void test_fold(void **state)
{
    (void)state;
    for (int64_t most = 2; most <= MODELS + 1; most++)
        check_with(most);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fold) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
