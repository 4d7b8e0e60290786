/* Scenarios: what a file says, what stays default, what is refused and why. */
#include "testing.h"

#include "collector/projection/scenario.h"

#include <math.h>

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
    enum status st = scenario_resolve(w, &f->gpus, &s, &f->why);
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
        assert_int_equal(scenario_resolve(w, &f->gpus, &s, &f->why), ST_CONFIG);
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

    enum status st = scenario_resolve(w, &f->gpus, &s, &f->why);
    CHECK(st == ST_OK, "%s", buf_cstr(&f->why));
    assert_true(s.gpu_hour.v == 2.5 && s.gpu_hour.origin == INPUT_DECLARED);
    assert_true(s.gpus_per_replica.v == 2);
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
        cmocka_unit_test_setup_teardown(answers_for_the_decision, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
