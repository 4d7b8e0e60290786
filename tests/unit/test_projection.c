/* The whole job over a store that is a function: history in, verdict and JSON out. */
#include "testing.h"

#include "collector/projection/gauges.h"
#include "collector/projection/questions.h"
#include "collector/store.h"
#include "common/json_pointer.h"

#include <math.h>

enum { DAY = 86400 };

/* 2026-11-23 12:00 UTC; history ends the day before. */
#define TODAY (INT64_C(20780) * DAY)
#define NOW   (TODAY + DAY / 2)

/* What the store holds: one kind of call, `calls` of day d before today (1..days). */
struct history {
    struct store head;
    int days;
    uint64_t (*calls)(int days_ago);
    const char *provider, *model, *quality;
    bool unpriced_too; /* as many calls of a model without a price */
    bool others;       /* somebody else reports every day */
    uint32_t series;
    char json[1 << 16];
    int saved;
};

static struct slice dims[STORE_DIMS];

static enum status emit(const struct history *h, int64_t at, uint64_t calls,
                        store_row_fn *fn, void *arg)
{
    struct store_row row = {
        .time = at, .series = h->series + 1, .dim = dims, .calls = calls
    };

    dims[STORE_app] = SLICE("shop");
    dims[STORE_provider] = slice_str(h->provider);
    dims[STORE_model] = slice_str(h->model);
    dims[STORE_OUTCOME] = SLICE("ok");
    dims[STORE_QUALITY] = slice_str(h->quality);
    dims[STORE_CONTEXT] = SLICE("0");
    if (strcmp(h->quality, "missing") != 0) {
        row.v[USAGE_input] = 1200 * calls;
        row.v[USAGE_output] = 200 * calls;
    }
    row.peak_calls = calls / 700 + 1;
    return fn(arg, &row);
}

static enum status fake_scan(struct store *s, const struct store_query *q,
                             store_row_fn *fn, void *arg)
{
    struct history *h = (struct history *)s;
    int step = q->grain == STORE_HOUR ? 3600 : DAY;

    for (int64_t at = TODAY - (int64_t)h->days * DAY; at < TODAY; at += step) {
        if (at < q->from || at >= q->to)
            continue;
        uint64_t calls = h->calls((int)((TODAY - 1 - at) / DAY) + 1);
        enum status st = ST_OK;
        if (step == 3600) /* office hours */
            calls = at / 3600 % 24 >= 8 && at / 3600 % 24 < 18 ? calls / 10 : 0;
        if (calls)
            st = emit(h, at, calls, fn, arg);
        if (calls && h->unpriced_too && !st) {
            struct history other = *h;
            other.model = "nobody-knows";
            other.series = 1;
            st = emit(&other, at, calls, fn, arg);
        }
        if (st)
            return st;
    }
    return ST_OK;
}

static enum status fake_days(struct store *s, int64_t from, int64_t to, store_day_fn *fn,
                             void *arg)
{
    const struct history *h = (struct history *)s;
    enum status st = ST_OK;

    for (int64_t at = TODAY - (int64_t)h->days * DAY; at < TODAY && !st; at += DAY)
        if (at >= from && at < to &&
            (h->others || h->calls((int)((TODAY - 1 - at) / DAY) + 1)))
            st = fn(arg, at);
    return st;
}

static enum status fake_put(struct store *s, const struct store_record *r, unsigned keep)
{
    struct history *h = (struct history *)s;

    (void)keep;
    assert_string_equal(r->kind, "projection");
    snprintf(h->json, sizeof h->json, "%s", r->json);
    h->saved++;
    return ST_OK;
}

static enum status fake_list(struct store *s, const char *kind, const char *key,
                             unsigned newest, store_record_fn *fn, void *arg)
{
    struct history *h = (struct history *)s;
    struct store_record r = { kind, "sup\"port", h->json, 1000 };

    (void)key;
    assert_int_equal(newest, 1);
    return h->saved ? fn(arg, &r) : ST_OK;
}

static const struct store_engine engine = { .name = "history",
                                            .scan = fake_scan,
                                            .days = fake_days,
                                            .record_put = fake_put,
                                            .record_list = fake_list };

static uint64_t grows(int ago)
{
    return (uint64_t)(8000 * exp(-0.006 * ago));
}

static uint64_t flat(int ago)
{
    return ago % 7 < 2 ? 400 : 1240; /* 1,000 a day */
}

static const char *prices = "providers:\n"
                            "  openai:\n"
                            "    models:\n"
                            "      gpt-test:\n"
                            "        prices:\n"
                            "          - {from: 2025-01-01, input: 2.5, output: 10}\n"
                            "          - {from: 2026-12-16, input: 1.25, output: 5}\n";

struct fixture {
    struct history h;
    struct price_book *book;
    struct projection_config config;
    struct workload w;
    struct arena a;
    struct buf why;
    struct projection_result r;
    char path[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    snprintf(f->path, sizeof f->path, "/tmp/breakeven-prices-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0 && write(fd, prices, strlen(prices)) == (ssize_t)strlen(prices));
    close(fd);
    enum status st = price_book_open(f->path, NULL, &f->book, &f->why);
    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    f->h = (struct history){ .head = { &engine },
                             .days = 180,
                             .calls = flat,
                             .provider = "openai",
                             .model = "gpt-test",
                             .quality = "exact" };
    f->config = (struct projection_config){ .horizon_months = 12,
                                            .paths = 500,
                                            .history_days = 730 };
    f->w = (struct workload){
        .name = "support",
        .hosted = { .monthly_fixed_micros = 1150 * 1000000ull,
                    .gpus_per_replica = -1,
                    .model_params_b = -1,
                    .model_bits = -1,
                    .output_tokens_per_s = -1,
                    .input_tokens_per_s = -1,
                    .requests_per_s = -1,
                    .concurrency = -1,
                    .headroom = -1,
                    .min_replicas = -1,
                    .coverage = -1,
                    .escalation = -1,
                    .retrain_months = -1,
                    .setup_days = -1 },
    };
    arena_init(&f->a, 256 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    price_book_free(f->book);
    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

static void run(struct fixture *f)
{
    struct gpu_list none = { 0 };
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &none,
                                  .now = NOW };
    enum status st = projection_run(&job, &f->w, &f->a, &f->r, &f->why);

    CHECK(st == ST_OK, "%s: %s", status_name(st), buf_cstr(&f->why));
}

static void a_flat_workload_stays(void **state)
{
    struct fixture *f = *state;

    run(f);
    const struct projection_result *r = &f->r;
    assert_int_equal(r->days, 180);
    assert_true(fabs(r->calls_per_day - 1000) < 1e-6);
    /* 1,200 x 2.5 + 200 x 10 dollars a million: half a cent a call */
    assert_true(fabs(r->usd_per_call - 0.005) < 1e-12);
    assert_true(fabs(r->usd_per_day - 5) < 1e-9);
    assert_true(fabs(r->threshold_calls_per_day - 1150 / 0.005 / 30.4375) < 0.01);
    assert_int_equal(r->verdict, PROJECTION_UNLIKELY);
    assert_int_equal(r->months, 13);
    assert_int_equal(r->backtest_origins, 4); /* 28-day steps back to day 56 */
    assert_true(r->backtest_mape < 0.02);
    /* November: 22 known days, 7 of them weak: 21,400 calls; of the 8 ahead 3 are weak:
     * 7,400 calls. */
    assert_true(fabs(r->month[0].api.median - 28800 * 0.005) < 0.5);
    /* December: the price halves on the 16th, so 15 days at 5 and 16 at 2.50. */
    assert_true(fabs(r->month[1].api.median - (15 * 5 + 16 * 2.5)) < 4);
    /* January: half of 31 x 5. */
    assert_true(fabs(r->month[2].api.median - 77.5) < 4);
    assert_true(fabs(r->month[2].calls - 31000) < 1000);
}

static void a_growing_workload_crosses(void **state)
{
    struct fixture *f = *state;

    f->h.calls = grows;
    f->w.hosted.monthly_fixed_micros = 700 * 1000000ull; /* prices halve in December */
    f->w.hosted.setup_micros = 500 * 1000000ull;
    f->w.hosted.coverage = 1;
    run(f);
    const struct projection_result *r = &f->r;
    assert_int_equal(r->verdict, PROJECTION_CROSSED); /* 7,500 x 0.005 x 30 > 700 */
    assert_true(r->threshold_ratio > 1);
    assert_true(r->month[1].calls > 7500 * 31);
    assert_true(r->month[12].api.hi95 > r->month[12].api.hi80);
    assert_true(r->month[12].api.lo80 < r->month[12].api.median);
    for (int m = 1; m < r->months; m++)
        assert_true(r->month[m].p_crossed >= r->month[m - 1].p_crossed);
}

static void refusals_say_why(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what;
        int days;
        const char *model, *quality, *reason;
    } rows[] = {
        { "zero traffic", 0, "gpt-test", "exact", "no usage matches" },
        { "one day", 1, "gpt-test", "exact", "less than 14 days" },
        { "13 days", 13, "gpt-test", "exact", "less than 14 days" },
        { "all missing", 100, "gpt-test", "missing", "token counts" },
        { "unpriced", 100, "nobody-knows", "exact", "has a price" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f->h.days = rows[i].days;
        f->h.model = rows[i].model;
        f->h.quality = rows[i].quality;
        run(f);
        CHECK(f->r.verdict == PROJECTION_REFUSED && strstr(f->r.reason, rows[i].reason),
              "%s: %s, %s", rows[i].what, projection_verdict_name(f->r.verdict),
              f->r.reason);
        CHECK(f->r.months == 0, "%s", rows[i].what);
        if (rows[i].days == 1) /* the run rate is shown all the same */
            assert_true(f->r.usd_per_day > 0 && f->r.calls_per_day > 0);
        struct buf json = { 0 };
        projection_json(&f->r, &json);
        assert_null(strstr(buf_cstr(&json), "\"month\""));
        buf_reset(&json);
        projection_text(&f->r, 100, &json);
        assert_non_null(strstr(buf_cstr(&json), rows[i].reason));
        buf_release(&json);
    }
}

static void short_history_warns(void **state)
{
    struct fixture *f = *state;
    struct projection_band year = { 0 };

    f->h.days = 180;
    run(f);
    year = f->r.month[12].api;
    double wide = (year.hi80 - year.lo80) / year.median;
    f->h.days = 20;
    run(f);
    assert_true(f->r.verdict != PROJECTION_REFUSED);
    assert_non_null(f->r.warning[0]);
    assert_non_null(strstr(f->r.warning[0], "short history: 20 days"));
    year = f->r.month[12].api;
    assert_true((year.hi80 - year.lo80) / year.median > wide);
}

static void levers_and_alternatives(void **state)
{
    struct fixture *f = *state;
    static const char *other[] = { "openai/gpt-test", "openai/nobody-knows", "no-slash" };

    f->w.alternatives = (struct yaml_strings){ other, 3 };
    f->w.hosted.setup_micros = 5000 * 1000000ull;
    run(f);
    const struct projection_result *r = &f->r;
    /* volume, API price, monthly fixed, setup, coverage; nothing of a GPU */
    assert_int_equal(r->sensitivities, 5);
    for (int i = 1; i < r->sensitivities; i++)
        assert_true(
            fabs(r->sensitivity[i].saving_high - r->sensitivity[i].saving_low) <=
            fabs(r->sensitivity[i - 1].saving_high - r->sensitivity[i - 1].saving_low));
    /* 12 months x 1,150 x 40 % move most; the setup's 40 % of 5,000 come next. */
    assert_string_equal(r->sensitivity[0].input, "monthly fixed");
    assert_true(fabs(r->sensitivity[0].saving_low - r->sensitivity[0].saving_high -
                     0.4 * 1150 * 12) < 1);
    assert_true(fabs(r->sensitivity[0].threshold_high / r->sensitivity[0].threshold_low -
                     1.5) < 1e-6);
    assert_string_equal(r->sensitivity[1].input, "setup");
    /* The test's book has no batch tier; the same model costs the same. */
    assert_int_equal(r->alternatives, 3);
    assert_true(fabs(r->alternative[0].usd_per_day - r->usd_per_day) < 1e-9);
    assert_true(r->alternative[1].usd_per_day == -1);
    assert_true(r->alternative[2].usd_per_day == -1);
}

static void documents_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct gpu_list none = { 0 };
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &none,
                                  .now = NOW };
    struct workload w[2] = { f->w, f->w };
    size_t failed;
    static char first[sizeof f->h.json];

    w[1].hosted.gpu = "unknown";
    assert_int_equal(projection_run_all(&job, w, 2, &failed, &f->why), ST_OK);
    assert_int_equal(failed, 1);
    assert_non_null(strstr(buf_cstr(&f->why), "unknown"));
    assert_int_equal(f->h.saved, 1);
    struct slice json = slice_str(f->h.json);
    assert_true(fabs(json_pointer_double(json, "/calls_per_day", -1) - 1000) < 1e-6);
    assert_true(json_pointer_double(json, "/month/1/api/median", -1) > 100);
    assert_true(json_pointer_double(json, "/month/6/p_crossed", -1) == 0);
    assert_true(json_pointer_double(json, "/crossing/months50", -1) == -1); /* null */
    assert_true(json_pointer_double(json, "/scenario/monthly_fixed/value", -1) == 1150);
    /* The same again, byte for byte. */
    snprintf(first, sizeof first, "%s", f->h.json);
    assert_int_equal(projection_run_all(&job, w, 1, &failed, &f->why), ST_OK);
    assert_string_equal(first, f->h.json);

    struct buf out = { 0 };
    static const struct workload named = { .name = "sup\"port" }; /* of the fake */
    assert_int_equal(projection_gauges(&f->h.head, &named, 1, &f->a, &out), ST_OK);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "\nbreakeven_projection_calls_per_day{workload="
                                 "\"sup\\\"port\"} 1000\n"));
    assert_non_null(strstr(text, ",percentile=\"50\"} "));
    assert_non_null(strstr(text, "crossing_probability{workload=\"sup\\\"port\","
                                 "months=\"6\"} 0\n"));
    /* Never within the horizon: no sample, rather than a number. */
    assert_null(strstr(text, "months_to_crossing{"));
    buf_reset(&out);
    static const struct workload other = { .name = "renamed" };
    assert_int_equal(projection_gauges(&f->h.head, &other, 1, &f->a, &out), ST_OK);
    assert_int_equal(out.n, 0); /* not declared any more */
    buf_release(&out);
}

/* Half of the calls of a second model without a price. */
static void a_partly_priced_workload_is_open(void **state)
{
    struct fixture *f = *state;

    f->h.unpriced_too = true;
    run(f);
    assert_true(fabs(f->r.unpriced_share - 0.5) < 1e-9);
    assert_int_equal(f->r.verdict, PROJECTION_OPEN);
    assert_non_null(strstr(f->r.reason, "50 % of the calls have no price"));
    f->w.hosted.monthly_fixed_micros = 1000000; /* cheaper even than the priced half */
    run(f);
    assert_int_equal(f->r.verdict, PROJECTION_CROSSED);
    assert_non_null(strstr(f->r.reason, "although 50 % of the calls have no price"));
}

/* 200 output tokens a call: 17.28/s are 3,456 tokens/s, what an L40S's memory allows. */
static void a_request_rate_above_memory_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gpu_price price = { .micros = 1000000 };
    struct gpu gpu = {
        .name = "g", .memory_gb = 48, .bandwidth_gb_s = 864, .prices = { &price, 1 }
    };
    struct gpu_list list = { &gpu, 1 };
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &list,
                                  .now = NOW };

    f->w.hosted.gpu = "g";
    f->w.hosted.requests_per_s = 17.28;
    assert_int_equal(projection_run(&job, &f->w, &f->a, &f->r, &f->why), ST_OK);
    assert_true(f->r.verdict != PROJECTION_REFUSED);
    f->w.hosted.requests_per_s = 17.3;
    assert_int_equal(projection_run(&job, &f->w, &f->a, &f->r, &f->why), ST_OK);
    assert_int_equal(f->r.verdict, PROJECTION_REFUSED);
    assert_non_null(strstr(f->r.reason, "17.3 x 200 output tokens a call as measured = "
                                        "3460 tokens/s, above the 3456"));
}

/* A GPU that costs half from the middle of December on: 15 days at 1, 16 at 0.5. */
static void a_gpu_price_changes_mid_month(void **state)
{
    struct fixture *f = *state;
    struct gpu_price price[] = { { .micros = 1000000 },
                                 { .from = INT64_C(20803) * DAY, .micros = 500000 } };
    struct gpu gpu = { .name = "g",
                       .memory_gb = 48,
                       .bandwidth_gb_s = 864,
                       .prices = { price, 2 },
                       .output_tokens_per_s = 3000 };
    struct gpu_list list = { &gpu, 1 };
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &list,
                                  .now = NOW };

    f->w.hosted.gpu = "g"; /* two replicas */
    f->w.hosted.monthly_fixed_micros = 0;
    assert_int_equal(projection_run(&job, &f->w, &f->a, &f->r, &f->why), ST_OK);
    assert_true(fabs(f->r.month[1].hosted.median - 2 * 24 * (15 * 1 + 16 * 0.5)) < 1e-6);
    assert_true(fabs(f->r.month[2].hosted.median - 2 * 24 * 31 * 0.5) < 1e-6);
}

/* --- what if --- */

static void ask(struct fixture *f, const char *name, const char *value)
{
    struct gpu_list none = { 0 };
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &none,
                                  .now = NOW };
    static struct whatif w;

    w = whatif_none();
    if (name)
        assert_int_equal(whatif_set(&w, slice_str(name), slice_str(value), &f->why),
                         ST_OK);
    assert_int_equal(projection_what_if(&job, &f->w, &w, &f->a, &f->r, &f->why), ST_OK);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static void what_if_moves_what_it_says(void **state)
{
    struct fixture *f = *state;
    struct projection_result was;

    f->w.hosted.setup_micros = 500 * 1000000ull;
    run(f);
    was = f->r;
    ask(f, NULL, NULL); /* nothing moved: the same numbers */
    assert_true(memcmp(was.month, f->r.month, sizeof was.month) == 0);
    assert_true(memcmp(&was.payback, &f->r.payback, sizeof was.payback) == 0);
    assert_true(f->r.backtest_mape == was.backtest_mape);

    ask(f, "volume", "2");
    assert_true(near(f->r.calls_per_day, 2 * was.calls_per_day));
    assert_true(near(f->r.threshold_calls_per_day, was.threshold_calls_per_day));
    assert_true(near(f->r.month[3].api.hi80, 2 * was.month[3].api.hi80));
    assert_true(near(f->r.usd_per_call, was.usd_per_call));
    ask(f, "volume", "0");
    assert_true(f->r.month[3].api.hi95 == 0 && f->r.calls_per_day == 0);

    /* November 2027 is 52 weeks away: growth of a half is nearly all there. */
    ask(f, "volume_growth", "0.5");
    double grown = f->r.month[12].api.median / was.month[12].api.median;
    assert_true(grown > 1.46 && grown < 1.49);
    assert_true(f->r.calls_per_day == was.calls_per_day);

    ask(f, "api_price", "0.5");
    assert_true(near(f->r.usd_per_call, 0.5 * was.usd_per_call));
    assert_true(near(f->r.threshold_calls_per_day, 2 * was.threshold_calls_per_day));
    assert_true(near(f->r.month[3].api.median, 0.5 * was.month[3].api.median));

    ask(f, "monthly_fixed", "0");
    assert_int_equal(f->r.verdict, PROJECTION_CROSSED);
    assert_int_equal(f->r.scenario.monthly_fixed.origin, INPUT_WHATIF);
    ask(f, "coverage", "0.5"); /* half of the bill stays */
    assert_true(near(f->r.month[3].hosted.median, 1150 + was.month[3].api.median / 2));
    struct buf json = { 0 };
    projection_json(&f->r, &json);
    assert_true(json_pointer_double(buf_slice(&json), "/what_if/coverage", -1) == 0.5);
    buf_release(&json);
}

/* A question is of what the projection was made of, until that is over a day old. */
static void questions_remember(void **state)
{
    struct fixture *f = *state;
    struct gpu_list none = { 0 };
    struct questions *q = questions_new();
    struct projection_job job = { .store = &f->h.head,
                                  .prices = f->book,
                                  .config = &f->config,
                                  .gpus = &none,
                                  .read = questions_keep,
                                  .read_arg = q,
                                  .now = NOW };
    const struct whatif nothing = whatif_none();
    struct projection_result asked;
    size_t failed;

    f->h.calls = flat;
    assert_int_equal(projection_run_all(&job, &f->w, 1, &failed, &f->why), ST_OK);
    double calls = json_pointer_double(slice_str(f->h.json), "/calls_per_day", -1);
    f->h.calls = grows;
    job.now = NOW + 3000;
    assert_int_equal(questions_ask(q, &job, &f->w, &nothing, &f->a, &asked, &f->why),
                     ST_OK);
    assert_true(near(asked.calls_per_day, calls));
    job.now = NOW + 25 * 3600;
    assert_int_equal(questions_ask(q, &job, &f->w, &nothing, &f->a, &asked, &f->why),
                     ST_OK);
    assert_true(asked.calls_per_day > 2 * calls);
    f->h.calls = flat; /* read by a question: for a minute */
    job.now += 59;
    assert_int_equal(questions_ask(q, &job, &f->w, &nothing, &f->a, &asked, &f->why),
                     ST_OK);
    assert_true(asked.calls_per_day > 2 * calls);
    job.now += 1;
    assert_int_equal(questions_ask(q, &job, &f->w, &nothing, &f->a, &asked, &f->why),
                     ST_OK);
    assert_true(near(asked.calls_per_day, calls));
    questions_free(q);
}

static void what_if_refuses(void **state)
{
    struct fixture *f = *state;
    struct whatif w = whatif_none();
    static const struct {
        const char *name, *value, *why;
        enum status st;
    } rows[] = {
        { "colour", "1", "known are volume, volume_growth", ST_NOT_FOUND },
        { "coverage", "1.1", "from 0 to 1", ST_BAD },
        { "coverage", "-0.1", "from 0 to 1", ST_BAD },
        { "coverage", "", "no number", ST_BAD },
        { "volume", "nan", "no number", ST_BAD },
        { "volume", "1x", "no number", ST_BAD },
        { "volume", "1e999", "no number", ST_BAD },
        { "volume", "1111111111111111111111111111111111111", "no number", ST_BAD },
    };

    assert_true(whatif_is_none(&w));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_reset(&f->why);
        CHECK(whatif_set(&w, slice_str(rows[i].name), slice_str(rows[i].value),
                         &f->why) == rows[i].st &&
                  strstr(buf_cstr(&f->why), rows[i].why),
              "%s=%s: %s", rows[i].name, rows[i].value, buf_cstr(&f->why));
    }
    assert_true(whatif_is_none(&w));
}

/* The roofline holds for a question too. */
static void what_if_keeps_to_physics(void **state)
{
    struct fixture *f = *state;
    struct gpu_price price = { .micros = 1000000 };
    struct gpu gpu = { .name = "g",
                       .memory_gb = 48,
                       .bandwidth_gb_s = 864,
                       .prices = { &price, 1 },
                       .output_tokens_per_s = 1200 };
    struct gpu_list list = { &gpu, 1 };
    const struct scenario_sources from = { &list, NULL, NOW };
    struct whatif w = whatif_none();
    struct scenario s;

    f->w.hosted.gpu = "g";
    w.output_tokens_per_s = 3456; /* 864 / 16 GB x 64 sequences */
    w.gpu_price = 0.5;
    assert_int_equal(whatif_resolve(&f->w, &w, &from, &s, &f->why), ST_OK);
    assert_true(s.gpu_hour.v == 0.5 && s.gpu_hour.origin == INPUT_WHATIF);
    w.output_tokens_per_s = 3457;
    assert_int_equal(whatif_resolve(&f->w, &w, &from, &s, &f->why), ST_CONFIG);
    assert_non_null(strstr(buf_cstr(&f->why), "above what memory allows"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flat_workload_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_growing_workload_crosses, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_say_why, setup, teardown),
        cmocka_unit_test_setup_teardown(short_history_warns, setup, teardown),
        cmocka_unit_test_setup_teardown(levers_and_alternatives, setup, teardown),
        cmocka_unit_test_setup_teardown(documents_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_partly_priced_workload_is_open, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_rate_above_memory_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_gpu_price_changes_mid_month, setup, teardown),
        cmocka_unit_test_setup_teardown(what_if_moves_what_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(questions_remember, setup, teardown),
        cmocka_unit_test_setup_teardown(what_if_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(what_if_keeps_to_physics, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
