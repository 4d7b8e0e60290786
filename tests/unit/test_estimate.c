/* agent/estimate: starts, calibration, marks. */
#include "agent/estimate.h"

#include "testing.h"

static struct usage call(const char *provider, const char *model)
{
    struct usage u;
    usage_init(&u);
    u.provider = slice_str(provider);
    u.model = slice_str(model);
    return u;
}

static void starts_are_sane(void **state)
{
    struct estimate *e = calloc(1, sizeof *e);
    struct estimate_sample s = { .generated_bytes = 400, .pieces = 1 };
    static const char *const plain[] = {
        "gpt-4o-mini",         "claude-x", "mistral-large", "", "gemini-2.5-flash-lite",
        "grok-4-non-reasoning"
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        struct usage u = call("p", plain[i]);
        double t = estimate_output(e, &u, &s);
        CHECK(t > 70 && t < 130, "%s: %f", plain[i], t);
    }
    struct usage reasoner = call("openai", "o3-mini"), infix = call("openai", "turbo1");
    assert_true(estimate_output(e, &reasoner, &s) > 300);
    assert_true(estimate_output(e, &infix, &s) < 130);
    s.unthinking = true;
    assert_true(estimate_output(e, &reasoner, &s) < 130);
    s.cut_at = 50;
    assert_true(estimate_output(e, &reasoner, &s) == 50);
    s.cut_at = 0;
    s.no_generation = true;
    assert_true(estimate_output(e, &infix, &s) < 0.5);
    free(e);
}

static void learns_per_model(void **state)
{
    struct estimate *e = calloc(1, sizeof *e);
    struct estimate_sample s = {
        .sent_bytes = 1000, .generated_bytes = 1000, .request_seen = true, .pieces = 1
    };
    struct usage u = call("p", "m"), other = call("p", "n");
    double before = estimate_output(e, &other, &s);
    (void)state;
    usage_set(&u, USAGE_input, 500);
    usage_set(&u, USAGE_output, 600);
    for (int i = 0; i < 200; i++)
        estimate_learn(e, &u, &s);
    assert_true(estimate_output(e, &u, &s) > 580 && estimate_output(e, &u, &s) < 620);
    assert_true(estimate_input(e, &u, &s) > 480 && estimate_input(e, &u, &s) < 520);
    assert_true(estimate_output(e, &other, &s) == before);
    free(e);
}

static void fills_what_is_missing(void **state)
{
    struct estimate *e = calloc(1, sizeof *e);
    struct estimate_sample s = {
        .sent_bytes = 400, .generated_bytes = 400, .request_seen = true, .pieces = 1
    };
    struct usage u = call("p", "m");
    (void)state;
    usage_set(&u, USAGE_input, 7);
    u.usage_source = SOURCE_PARTIAL;
    usage_set(&u, USAGE_output, 3);
    estimate_fill(e, &u, &s);
    assert_int_equal(u.v[USAGE_input], 7);
    assert_true(u.v[USAGE_output] > 70);
    assert_int_equal(u.quality, QUALITY_ESTIMATED);
    assert_int_equal(u.usage_source, SOURCE_PARTIAL);
    u = call("p", "m");
    s.request_seen = false;
    estimate_fill(e, &u, &s);
    assert_false(usage_has(&u, USAGE_input)); /* nothing to estimate it from */
    assert_int_equal(u.usage_source, SOURCE_ESTIMATED);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_are_sane),
        cmocka_unit_test(learns_per_model),
        cmocka_unit_test(fills_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
