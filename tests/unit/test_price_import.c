/* Price lists of others: the three shapes, what becomes of them in a local book. */
#include "collector/price_import.h"

#include "testing.h"

#include "collector/command.h"
#include "collector/price_lint.h"
#include "collector/store.h"
#include "common/instant.h"

static const char litellm[] =
    "{\"sample_spec\":{\"input_cost_per_token\":\"explained\"},"
    "\"acme/one\":{\"litellm_provider\":\"acme\",\"input_cost_per_token\":2e-06,"
    "\"output_cost_per_token\":8e-06,\"cache_read_input_token_cost\":\"2e-07\","
    "\"input_cost_per_token_above_200k_tokens\":4e-06,"
    "\"output_cost_per_token_above_200k_tokens\":1.2e-05,"
    "\"cache_read_input_token_cost_above_200k_tokens\":4e-07,"
    "\"input_cost_per_token_priority\":4e-06,\"tool\":[1,{\"input_cost_per_token\":9}]},"
    "\"claude-x\":{\"input_cost_per_token\":3e-06,\"cache_creation_input_token_cost\":"
    "3.75e-06,\"cache_creation_input_token_cost_above_1hr\":6e-06,"
    "\"litellm_provider\":\"anthropic\"},"
    "\"1024-x-1024/pic\":{\"litellm_provider\":\"acme\",\"input_cost_per_token\":1e-06},"
    "\"acme/free\":{\"litellm_provider\":\"acme\",\"input_cost_per_token\":0}}";

static const char models_dev[] =
    "{\"acme\":{\"id\":\"acme\",\"env\":[\"K\"],\"models\":{"
    "\"one\":{\"id\":\"one\",\"cost\":{\"input\":2,\"output\":8,\"cache_read\":0.2,"
    "\"context_over_200k\":{\"input\":4,\"output\":12},"
    "\"tiers\":[7,{\"input\":4,\"output\":12,\"tier\":{\"type\":\"context\",\"size\":"
    "272000}}]}},"
    "\"sub\":{\"id\":\"sub\",\"cost\":{\"input\":0,\"output\":0}},"
    "\"none\":{\"id\":\"none\"}}}}";

static const char genai[] =
    "[{\"id\":\"x-ai\",\"models\":["
    "{\"id\":\"one\",\"match\":{\"equals\":\"one\"},\"prices\":{\"input_mtok\":{\"base\":"
    "2,"
    "\"tiers\":[{\"start\":199999,\"price\":4}]},\"output_mtok\":8,"
    "\"requests_kcount\":5,\"audio_hours\":0.36}},"
    "{\"id\":\"two\",\"prices\":[{\"prices\":{\"input_mtok\":9}},{\"constraint\":{"
    "\"type\":"
    "\"start_date\",\"start_date\":\"2026-08-21\"},\"prices\":{\"input_mtok\":5}},"
    "{\"constraint\":{\"type\":\"start_date\",\"start_date\":\"2027-01-01\"},"
    "\"prices\":{\"input_mtok\":4}}]},"
    "{\"id\":\"night\",\"prices\":[{\"constraint\":{\"type\":\"time_of_date\"},"
    "\"prices\":{\"input_mtok\":1}}]}]}]";

struct pieces {
    struct slice rest;
    size_t step;
    struct buf seen;
};

static size_t read_piece(void *arg, char *buf, size_t size)
{
    struct pieces *in = arg;
    size_t n = in->rest.n < in->step ? in->rest.n : in->step;
    n = n < size ? n : size;
    memcpy(buf, in->rest.p, n);
    in->rest = slice_from(in->rest, n);
    return n;
}

/* "provider/model[@day] field=pico … |above,tier field=pico" */
static void note(void *arg, const struct price_fact *facts, unsigned n)
{
    struct pieces *in = arg;
    for (unsigned i = 0; i < n; i++) {
        buf_addf(&in->seen, "%s/%s", facts[i].provider, facts[i].model);
        if (facts[i].dated)
            buf_addf(&in->seen, "@%d", facts[i].day);
        for (unsigned k = 0; k < facts[i].n; k++) {
            const struct price_variant *v = &facts[i].v[k];
            if (k)
                buf_addf(&in->seen, " |%u,%s", v->above, v->tier);
            for (unsigned f = 0; f < PRICE_FIELDS; f++)
                if (v->has >> f & 1)
                    buf_addf(&in->seen, " %s=%llu",
                             f == PRICE_CALL ? "calls" : usage_fields[f].name,
                             (unsigned long long)v->pico[f]);
        }
        buf_addc(&in->seen, '\n');
    }
}

static void shapes_become_facts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum price_list_format format;
        unsigned entries, skipped;
        const char *want;
    } rows[] = {
        { litellm, PRICE_LIST_LITELLM, 4, 2,
          "acme/one input=2000000 cache_read=200000 output=8000000"
          " |200000, input=4000000 cache_read=400000 output=12000000"
          " |0,priority input=4000000\n"
          "anthropic/claude-x input=3000000 cache_write_5m=3750000"
          " cache_write_1h=6000000\n" },
        { models_dev, PRICE_LIST_MODELS_DEV, 3, 2,
          "acme/one input=2000000 cache_read=200000 output=8000000"
          " |272000, input=4000000 output=12000000\n" },
        { genai, PRICE_LIST_GENAI, 3, 1,
          "xai/one input=2000000 output=8000000 audio_ms=100000 calls=5000000000"
          " |199999, input=4000000\n"
          "xai/two input=9000000\nxai/two@20686 input=5000000\n"
          "xai/two@20819 input=4000000\n" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step < 70; step++) {
            struct pieces in = { slice_str(rows[i].text), step, { 0 } };
            struct price_list_source source = { read_piece, note, &in };
            struct price_list_stats stats;
            struct buf why = { 0 };
            assert_int_equal(price_list_read(&source, &stats, &why), ST_OK);
            assert_int_equal(stats.format, rows[i].format);
            assert_int_equal(stats.entries, rows[i].entries);
            assert_int_equal(stats.skipped, rows[i].skipped);
            assert_string_equal(buf_cstr(&in.seen), rows[i].want);
            buf_release(&in.seen);
            buf_release(&why);
        }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "",          "{",
                                         "[1,2",      "{}",
                                         "[]",        "3",
                                         "{\"a\":1}", "[{\"id\":\"a\",\"models\":[}]",
                                         "{} {}" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct pieces in = { slice_str(texts[i]), 3, { 0 } };
        struct price_list_source source = { read_piece, note, &in };
        struct price_list_stats stats;
        struct buf why = { 0 };
        assert_int_equal(price_list_read(&source, &stats, &why), ST_BAD);
        assert_true(why.n > 0);
        buf_release(&in.seen);
        buf_release(&why);
    }
}

/* --- the local book ----------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static void count_finding(void *arg, const struct price_finding *f)
{
    (void)f;
    ++*(unsigned *)arg;
}

struct place {
    char dir[64], list[96], base[96], local[96];
};

static struct place place_make(const char *list)
{
    struct place p;
    snprintf(p.dir, sizeof p.dir, "/tmp/breakeven-import-XXXXXX");
    assert_non_null(mkdtemp(p.dir));
    snprintf(p.list, sizeof p.list, "%s/list.json", p.dir);
    snprintf(p.base, sizeof p.base, "%s/base.yaml", p.dir);
    snprintf(p.local, sizeof p.local, "%s/local.yaml", p.dir);
    write_file(p.list, list);
    write_file(p.base,
               "providers: {xai: {models: {two: {prices: [{from: 2025-01-01, input: "
               "9, image_in: 7}]}}}}\n");
    return p;
}

static void place_remove(const struct place *p)
{
    unlink(p->list);
    unlink(p->base);
    unlink(p->local);
    assert_int_equal(rmdir(p->dir), 0);
}

static struct price_import_result import_at(const struct place *p, const char *date)
{
    int64_t ns;
    assert_true(instant_day(slice_str(date), &ns));
    struct price_import_options o = { .file = p->list,
                                      .local = p->local,
                                      .prices = p->base,
                                      .day = (int32_t)(ns / PRICE_DAY_NS) };
    struct price_import_result r;
    struct buf why = { 0 };
    FILE *log = fopen("/dev/null", "w");
    if (price_import(&o, log, &r, &why) != ST_OK)
        fail_msg("%s", buf_cstr(&why));
    fclose(log);
    buf_release(&why);
    return r;
}

static uint64_t price_at(const struct place *p, const char *model, const char *date,
                         unsigned field)
{
    struct price_book *b;
    struct price price;
    struct buf why = { 0 };
    int64_t ns;
    assert_true(instant_day(slice_str(date), &ns));
    assert_int_equal(price_book_open(p->base, p->local, &b, &why), ST_OK);
    struct price_query q = { .provider = SLICE("xai"),
                             .model = slice_str(model),
                             .day = ns / 1000000000 };
    bool found = price_find(b, &q, &price) && price.has >> field & 1;
    uint64_t pico = found ? price.pico[field] : UINT64_MAX;
    price_book_free(b);
    return pico;
}

static void changes_become_dated_rows(void **state)
{
    (void)state;
    struct place p = place_make(genai);
    struct price_import_result r = import_at(&p, "2026-11-23");
    assert_int_equal(r.added, 1);   /* one */
    assert_int_equal(r.changed, 2); /* two: since August, and from January */
    assert_int_equal(r.skipped, 1);
    assert_int_equal(price_at(&p, "two", "2026-08-20", USAGE_input), 9000000);
    assert_int_equal(price_at(&p, "two", "2026-08-21", USAGE_input), 5000000);
    assert_int_equal(price_at(&p, "two", "2026-12-31", USAGE_input), 5000000);
    assert_int_equal(price_at(&p, "two", "2027-01-01", USAGE_input), 4000000);
    /* the list knows no image price: the old one stays */
    assert_int_equal(price_at(&p, "two", "2027-01-01", USAGE_image_in), 7000000);
    assert_int_equal(price_at(&p, "one", "2026-11-22", USAGE_input), UINT64_MAX);
    assert_int_equal(price_at(&p, "one", "2026-11-23", USAGE_input), 2000000);
    place_remove(&p);
}

/* What a list leaves out of a context tier is not the price of its input. */
static void tiers_have_no_gaps(void **state)
{
    static const char list[] =
        "{\"xai/long\":{\"litellm_provider\":\"xai\",\"input_cost_per_token\":2e-06,"
        "\"output_cost_per_token\":8e-06,\"cache_read_input_token_cost\":2e-07,"
        "\"input_cost_per_token_above_200k_tokens\":4e-06,"
        "\"output_cost_per_token_above_200k_tokens\":1.2e-05}}";
    (void)state;
    struct place p = place_make(list);
    struct price_book *b;
    struct price price;
    struct buf why = { 0 };
    unsigned n = 0;
    struct price_lint_options o = { .today = 20780 };
    assert_int_equal(import_at(&p, "2026-11-23").added, 1);
    assert_int_equal(price_book_open(p.base, p.local, &b, &why), ST_OK);
    assert_int_equal(price_lint(price_book_overrides(b), &o, count_finding, &n), 0);
    struct price_query q = { .provider = SLICE("xai"),
                             .model = SLICE("long"),
                             .day = INT64_C(1796000000),
                             .context = usage_context(200001) };
    assert_true(price_find(b, &q, &price));
    assert_int_equal(price.pico[USAGE_input], 4000000);
    assert_int_equal(price.pico[USAGE_cache_read], 200000);
    price_book_free(b);
    place_remove(&p);
}

static void rows_are_never_overwritten(void **state)
{
    (void)state;
    struct place p = place_make(genai);
    import_at(&p, "2026-11-23");
    struct price_import_result r = import_at(&p, "2026-11-24");
    assert_int_equal(r.same, 3);
    assert_int_equal(r.added + r.changed + r.kept, 0);
    /* another price of the day that is there, then one of a later day */
    write_file(p.list, "[{\"id\":\"xai\",\"models\":[{\"id\":\"one\",\"prices\":"
                       "{\"input_mtok\":1}}]}]");
    r = import_at(&p, "2026-11-23");
    assert_int_equal(r.kept, 1);
    assert_int_equal(price_at(&p, "one", "2026-11-23", USAGE_input), 2000000);
    r = import_at(&p, "2026-12-01");
    assert_int_equal(r.changed, 1);
    assert_int_equal(price_at(&p, "one", "2026-11-30", USAGE_input), 2000000);
    assert_int_equal(price_at(&p, "one", "2026-12-01", USAGE_input), 1000000);
    place_remove(&p);
}

/* --- lint --------------------------------------------------------------------------- */

static void lint_finds(void **state)
{
    (void)state;
    static const struct {
        const char *rows;
        unsigned errors;
    } books[] = {
        { "{from: 2026-01-01, input: 1, cache_read: 0.1, output: 5}", 0 },
        { "{from: 2026-01-01, input: 0, output: 0}", 0 },
        { "{from: 2026-01-01, input: 0.0001, output: 5}", 1 },
        { "{from: 2026-01-01, input: 3000, output: 9000}", 2 },
        { "{from: 2026-01-01, input: 1, cache_read: 2, output: 5}", 1 },
        { "{from: 2026-01-01, input: 100, output: 5}", 1 },
        { "{from: 2026-01-01, input: 1, output: 5, above: {200000: {input: 2}}}", 1 },
        { "{from: 2026-01-01, input: 1, above: {123456: {input: 2}}}", 1 },
    };
    struct price_lint_options o = { .today = 20780 };
    for (size_t i = 0; i < COUNT_OF(books); i++) {
        struct buf text = { 0 }, why = { 0 };
        struct price_tables t;
        struct arena a;
        unsigned n = 0;
        arena_init(&a, 1 << 20);
        buf_addf(&text, "providers: {a: {models: {m: {prices: [%s]}}}}", books[i].rows);
        assert_int_equal(price_tables_parse(buf_slice(&text), "b", &a, &t, &why), ST_OK);
        unsigned errors = price_lint(&t, &o, count_finding, &n);
        CHECK(errors == books[i].errors, "%s: %u errors", books[i].rows, errors);
        arena_release(&a);
        buf_release(&text);
        buf_release(&why);
    }
}

static void the_built_in_book_is_clean(void **state)
{
    (void)state;
    struct price_lint_options o = { .today = price_builtin.checked };
    unsigned n = 0;
    assert_int_equal(price_lint(&price_builtin, &o, count_finding, &n), 0);
    printf("%u models of %u providers, %u names, %u rows\n", price_builtin.n_models,
           price_builtin.n_providers, price_builtin.n_names, price_builtin.n_rows);
    assert_true(price_builtin.n_models >= 80);
}

/* --- the command -------------------------------------------------------------------- */

static void drop_store(const char *dir)
{
    static const char *const files[] = { "breakeven.db", "breakeven.db-wal",
                                         "breakeven.db-shm", "collector.lock", "out" };
    char path[128];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

/* Two calls of a model that the book has, three of one that it has not. */
static void fill_store(const char *dir, int64_t hour)
{
    struct store *s;
    struct buf why = { 0 };
    struct store_put result;
    struct rollup_row rows[2] = { { .ver = 1, .epoch = 1 }, { .ver = 1, .epoch = 1 } };
    for (unsigned i = 0; i < 2; i++) {
        rows[i].key.hour = hour;
        rows[i].key.name[ROLLUP_provider] = SLICE("openai");
        rows[i].key.name[ROLLUP_model] = i ? SLICE("gpt-unheard-of") : SLICE("gpt-4o");
        rows[i].total.calls = 2 + i;
        rows[i].total.v[USAGE_input] = 100;
    }
    struct store_batch b = { .agent = { .name = SLICE("a"),
                                        .version = SLICE("1"),
                                        .health = SLICE("{}"),
                                        .clock_ms = hour * 1000 },
                             .now_s = hour,
                             .row = rows,
                             .rows = 2 };
    assert_int_equal(store_sqlite_open(&(struct store_options){ .dir = dir }, &s, &why),
                     ST_OK);
    assert_int_equal(store_put(s, &b, 1, &result), ST_OK);
    store_free(s);
    buf_release(&why);
}

static void unpriced_models_are_told(void **state)
{
    (void)state;
    char dir[] = "/tmp/breakeven-unpriced-XXXXXX", path[64], text[512];
    assert_non_null(mkdtemp(dir));
    fill_store(dir, time(NULL) / 3600 * 3600);
    snprintf(path, sizeof path, "%s/out", dir);
    char *argv[] = { "prices", "unpriced", "--data", dir, "--json", NULL };
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "w", stdout));
    int rc = cmd_prices(5, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    assert_int_equal(rc, 0);
    assert_string_equal(text, "{\"provider\":\"openai\",\"model\":\"gpt-unheard-of\","
                              "\"calls\":3,\"tokens\":100}\n");
    drop_store(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_become_facts),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(changes_become_dated_rows),
        cmocka_unit_test(tiers_have_no_gaps),
        cmocka_unit_test(rows_are_never_overwritten),
        cmocka_unit_test(unpriced_models_are_told),
        cmocka_unit_test(lint_finds),
        cmocka_unit_test(the_built_in_book_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
