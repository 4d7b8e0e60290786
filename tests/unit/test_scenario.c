/* Scenarios: what a file says, what stays default, what is refused and why. */
#include "testing.h"

#include "collector/projection/scenario.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

struct file {
    struct yaml_list workloads;
};

static const struct yaml_field file_fields[] = {
    { .key = "workloads",
      .type = YAML_MAP,
      .offset = offsetof(struct file, workloads),
      .table = workload_fields,
      .size = sizeof(struct workload) },
    { 0 },
};

struct fixture {
    struct arena a;
    struct gpu_list gpus;
    struct buf why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    arena_init(&f->a, 4 << 20);
    enum status st = gpu_list_load(NULL, &f->gpus, &f->a, &f->why);
    CHECK(st == ST_OK, "gpus.yaml: %s", buf_cstr(&f->why));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

static const struct workload *parse(struct fixture *f, const char *text)
{
    struct file file = { 0 };
    enum status st =
        yaml_parse(slice_str(text), "test.yaml", file_fields, &file, &f->a, &f->why);

    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    assert_int_equal(file.workloads.n, 1);
    return file.workloads.at;
}

/* 2026-11-23 */
#define NOW (INT64_C(20780) * 86400)

static enum status resolve(struct fixture *f, const struct workload *w,
                           struct scenario *out)
{
    const struct scenario_sources from = { &f->gpus, NULL, NOW };

    return scenario_resolve(w, &from, out, &f->why);
}

static void reads_and_marks(void **state)
{
    struct fixture *f = *state;
    struct scenario s;
    const struct workload *w = parse(f, "workloads:\n"
                                        "  support-bot:\n"
                                        "    app: [support, chat]\n"
                                        "    model: gpt-4o\n"
                                        "    hosted:\n"
                                        "      gpu: L40S\n"
                                        "      monthly_fixed: 1500.50\n"
                                        "      setup: 12000\n"
                                        "      setup_days: 5\n"
                                        "      headroom: 0\n"
                                        "      capacity: autoscale\n");

    assert_string_equal(w->name, "support-bot");
    assert_int_equal(w->app.n, 2);
    assert_int_equal(w->model.n, 1);
    enum status st = resolve(f, w, &s);
    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    assert_true(s.monthly_fixed.v == 1500.5 && s.monthly_fixed.origin == INPUT_DECLARED);
    assert_true(s.setup.v == 12000 + 5 * 800);
    assert_true(s.headroom.v == 0 && s.headroom.origin == INPUT_DECLARED);
    assert_true(s.min_replicas.v == 2 && s.min_replicas.origin == INPUT_DEFAULT);
    assert_true(fabs(s.gpu_hour.v - 0.92) < 1e-9 && s.gpu_hour.origin == INPUT_DEFAULT);
    assert_true(s.output_tokens_per_s.v == 1200);
    assert_true(s.capacity == CAPACITY_AUTOSCALE);
}

static void refuses_with_arithmetic(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *hosted, *why;
    } rows[] = {
        { "{gpu: b200}", "gpu 'b200' is not in gpus.yaml; it knows h100," },
        { "{setup: 1}", "hosted declares neither a gpu nor monthly_fixed" },
        { "{gpu: l40s, gpu_option: reserved}", "no reserved price of 'l40s'" },
        /* 864 GB/s / 16 GB = 54 steps/s; x 64 = 3,456 tokens/s */
        { "{gpu: l40s, output_tokens_per_s: 9500}",
          "9500 is above what memory allows: 1 x 864 GB/s / 16 GB of weights = 54 "
          "steps/s, "
          "x 64 sequences = 3456 tokens/s" },
        /* 70B x 16 bits = 140 GB */
        { "{gpu: h100, model_params_b: 70, output_tokens_per_s: 100}",
          "70B weights of 16 bits are 140 GB, more than the 80 GB of 1 x h100" },
        { "{gpu: h100, model_params_b: 13}", "no throughput is known of h100" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[300];
        struct scenario s;
        snprintf(text, sizeof text, "workloads:\n  w:\n    hosted: %s\n", rows[i].hosted);
        const struct workload *w = parse(f, text);
        buf_reset(&f->why);
        assert_int_equal(resolve(f, w, &s), ST_CONFIG);
        CHECK(strstr(buf_cstr(&f->why), rows[i].why), "%s: got '%s'", rows[i].hosted,
              buf_cstr(&f->why));
        buf_reset(&f->why);
    }
}

static void a_wider_machine_passes(void **state)
{
    struct fixture *f = *state;
    struct scenario s;
    const struct workload *w =
        parse(f, "workloads:\n  w:\n    hosted: {gpu: h100, gpus_per_replica: 2, "
                 "model_params_b: 70, output_tokens_per_s: 1500, gpu_hourly: 2.5}\n");

    enum status st = resolve(f, w, &s);
    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    assert_true(s.gpu_hour.v == 2.5 && s.gpu_hour.origin == INPUT_DECLARED);
    assert_true(s.gpus_per_replica.v == 2);
}

static struct scenario resolved(struct fixture *f, const char *hosted,
                                const struct throughput *seen)
{
    const struct scenario_sources from = { &f->gpus, seen, NOW };
    struct scenario s;
    char text[400];

    snprintf(text, sizeof text, "workloads:\n  w:\n    hosted: %s\n", hosted);
    enum status st = scenario_resolve(parse(f, text), &from, &s, &f->why);
    CHECK(st == ST_OK, "%s: %s", hosted, buf_cstr(&f->why));
    return s;
}

/* What a GPU costs on a day, by option and path; figures of the embedded gpus.yaml. */
static void gpu_prices_by_date(void **state)
{
    struct fixture *f = *state;
    const int64_t day = 86400, later = NOW + 100 * day;
    static const struct {
        const char *hosted;
        double now, later, change;
        enum input_origin origin;
    } rows[] = {
        { "{gpu: h100}", 2.95, 2.95, 0, INPUT_DEFAULT },
        { "{gpu: h100, gpu_option: spot}", 1.99, 1.99, 0, INPUT_DEFAULT },
        { "{gpu: h100, gpu_option: cloud}", 3.5, 3.5, 0, INPUT_DEFAULT },
        { "{gpu: h100, gpu_hourly: 2}", 2, 2, 0, INPUT_DECLARED },
        /* a contract from 2027-01-01 on, 39 days from now */
        { "{gpu: h100, gpu_prices: [{from: 2027-01-01, hourly: 1.5}]}", 2.95, 1.5, 0,
          INPUT_DEFAULT },
        { "{gpu: h100, gpu_hourly: 2, gpu_prices: [{from: 2027-01-01, hourly: 1.5}]}", 2,
          1.5, 0, INPUT_DECLARED },
        /* a path of one's own needs no row of gpus.yaml */
        { "{gpu: h100, gpu_option: reserved, gpu_prices: [{from: 2026-01-01, hourly: "
          "2.2},"
          " {from: 2028-01-01, hourly: 2}]}",
          2.2, 2.2, 0, INPUT_DECLARED },
        /* 100 days of -20 % a year: 0.8^(100/365.25) = 0.94076 */
        { "{gpu: h100, gpu_price_change: -0.2}", 2.95, 2.95 * 0.94076, -0.2,
          INPUT_DEFAULT },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scenario s = resolved(f, rows[i].hosted, NULL);
        double at = gpu_path_at(&s.gpu_path, rows[i].change, NOW, later);
        CHECK(fabs(s.gpu_hour.v - rows[i].now) < 1e-9, "%s: now %g", rows[i].hosted,
              s.gpu_hour.v);
        CHECK(fabs(at - rows[i].later) < 1e-4, "%s: later %g", rows[i].hosted, at);
        CHECK(s.gpu_hour.origin == rows[i].origin, "%s", rows[i].hosted);
    }
}

/* gpus.yaml of one's own: what is refused of it. */
static void gpu_files(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "gpus: {x: {memory_gb: 1}}", "bandwidth_gb_s" },
        { "gpus: {x: {memory_gb: 1, bandwidth_gb_s: 1, prices: [{hourly: 1}]}}", "from" },
        { "gpus: {x: {memory_gb: 1, bandwidth_gb_s: 1, prices: "
          "[{from: 2026-01-01, hourly: 1}]}}",
          "source" },
        { "gpus: {x: {memory_gb: 1, bandwidth_gb_s: 1, prices: "
          "[{from: 2026-02-01, hourly: 1, source: s}, "
          "{from: 2026-01-01, hourly: 1, source: s}]}}",
          "sorted" },
        { "gpus: {x: {memory_gb: 1, bandwidth_gb_s: 1, output_tokens_per_s: 5}}",
          "throughput_source" },
    };
    char path[] = "/tmp/breakeven-gpus-XXXXXX";
    int fd = mkstemp(path);
    struct gpu_list list;

    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t n = strlen(rows[i].text);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, rows[i].text, n, 0) == (ssize_t)n);
        buf_reset(&f->why);
        assert_int_equal(gpu_list_load(path, &list, &f->a, &f->why), ST_CONFIG);
        CHECK(strstr(buf_cstr(&f->why), rows[i].why), "%s: %s", rows[i].text,
              buf_cstr(&f->why));
    }
    close(fd);
    unlink(path);
}

static void measured_throughput(void **state)
{
    struct fixture *f = *state;
    struct throughput seen = { .sustained = 900, .missed = 1000, .target_s = 5 };
    struct scenario s = resolved(f, "{gpu: l40s, input_tokens_per_s: 9000}", &seen);

    assert_true(s.output_tokens_per_s.v == 900 && s.input_tokens_per_s.v == 0);
    assert_int_equal(s.output_tokens_per_s.origin, INPUT_MEASURED);
    s = resolved(f, "{gpu: l40s, output_tokens_per_s: 1100}", &seen); /* typed: stays */
    assert_true(s.output_tokens_per_s.v == 1100);
    assert_int_equal(s.output_tokens_per_s.origin, INPUT_DECLARED);
    seen.missed = 0; /* an idle canary: the default stays */
    s = resolved(f, "{gpu: l40s}", &seen);
    assert_true(s.output_tokens_per_s.v == 1200);
    /* where nothing is known otherwise, what was seen is taken */
    s = resolved(f, "{gpu: h100, model_params_b: 13}", &seen);
    assert_true(s.output_tokens_per_s.v == 900);
}

static void answers_for_the_decision(void **state)
{
    struct fixture *f = *state;
    const struct workload *w = parse(f, "workloads: {bot: {app: x}}");

    assert_int_equal(w->decision.privacy, NEED_UNKNOWN);
    assert_int_equal(w->decision.examples, -1);
    w = parse(f, "workloads: {bot: {decision: {privacy: high, task: specific, "
                 "examples: 340, mlops: some, stability: stable, test: passed}}}");
    assert_int_equal(w->decision.privacy, NEED_HIGH);
    assert_int_equal(w->decision.latency, NEED_UNKNOWN);
    assert_int_equal(w->decision.task, TASK_SPECIFIC);
    assert_int_equal(w->decision.examples, 340);
    assert_int_equal(w->decision.mlops, MLOPS_SOME);
    assert_int_equal(w->decision.stability, STABILITY_STABLE);
    assert_int_equal(w->decision.test, TEST_PASSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_and_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_with_arithmetic, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wider_machine_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(gpu_prices_by_date, setup, teardown),
        cmocka_unit_test_setup_teardown(gpu_files, setup, teardown),
        cmocka_unit_test_setup_teardown(measured_throughput, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_for_the_decision, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
