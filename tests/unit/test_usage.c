/* The table of fields, sums, context buckets, names there and back. */
#include "common/usage.h"

#include "testing.h"

static void the_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < USAGE_N; i++) {
        const struct usage_field_info *f = &usage_fields[i];
        assert_true(f->name[0] && f->wire[0] && f->unit[0] && f->help[0]);
        assert_int_equal(f->kind == USAGE_KIND_CLASS, i < USAGE_CLASSES);
        assert_true(f->kind == USAGE_KIND_SUBSET ? f->of < USAGE_CLASSES : f->of == i);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(f->name, usage_fields[k].name);
            assert_string_not_equal(f->wire, usage_fields[k].wire);
        }
    }
    assert_int_equal(USAGE_CLASSES, 6);
}

static void an_empty_call_knows_nothing(void **state)
{
    (void)state;
    struct usage u;
    memset(&u, 0xff, sizeof u);
    usage_init(&u);
    assert_int_equal(u.have, 0);
    assert_int_equal(u.ts_ns, USAGE_NO_TIME);
    assert_int_equal(u.agg_n, 1);
    assert_int_equal(u.total_reported, UINT64_MAX);
    assert_int_equal(u.ttfb_us, -1);
    assert_int_equal(u.ttft_us, -1);
    assert_int_equal(u.total_us, -1);
    assert_int_equal(u.model.n, 0);
    assert_int_equal(usage_total(&u), 0);
    usage_set(&u, USAGE_output, 0); /* zero is not missing */
    assert_true(usage_has(&u, USAGE_output));
    assert_false(usage_has(&u, USAGE_input));
}

static void sums_take_each_class_once(void **state)
{
    (void)state;
    struct usage u;
    usage_init(&u);
    for (unsigned f = 0; f < USAGE_N; f++)
        usage_set(&u, (enum usage_field)f, (uint64_t)1 << f);
    assert_int_equal(usage_input_total(&u), 31);
    assert_int_equal(usage_total(&u), 63);
    u.v[USAGE_input] = UINT64_MAX;
    assert_int_equal(usage_input_total(&u), UINT64_MAX);
    assert_int_equal(usage_total(&u), UINT64_MAX);
}

static void context_buckets_end_where_prices_change(void **state)
{
    (void)state;
    static const struct {
        uint64_t input;
        unsigned bucket;
    } cases[] = {
        { 0, 0 },      { 32000, 0 },  { 32001, 1 },  { 128000, 1 },     { 128001, 2 },
        { 199999, 2 }, { 200000, 3 }, { 200001, 4 }, { 256000, 4 },     { 272000, 5 },
        { 272001, 6 }, { 512000, 6 }, { 512001, 7 }, { UINT64_MAX, 7 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK(usage_context(cases[i].input) == cases[i].bucket, "case %zu", i);
}

static void names_come_back(void **state)
{
    (void)state;
    enum outcome o;
    enum quality q;
    enum seen s;
    for (int i = 0; i <= OUTCOME_NA; i++) {
        assert_true(
            usage_outcome_parse(slice_str(usage_outcome_name((enum outcome)i)), &o));
        assert_int_equal(o, i);
    }
    for (int i = 0; i <= QUALITY_MISSING; i++) {
        assert_true(
            usage_quality_parse(slice_str(usage_quality_name((enum quality)i)), &q));
        assert_int_equal(q, i);
    }
    for (int i = 0; i <= SEEN_CAPTURE; i++) {
        assert_true(usage_seen_parse(slice_str(usage_seen_name((enum seen)i)), &s));
        assert_int_equal(s, i);
    }
    assert_false(usage_outcome_parse(SLICE("OK"), &o));
    assert_false(usage_quality_parse(SLICE(""), &q));
    assert_false(usage_seen_parse(SLICE("log "), &s));
    assert_string_equal(usage_accounting_name(ACCOUNTING_ERROR), "error");
    assert_string_equal(usage_source_name(SOURCE_ESTIMATED), "estimated");
    assert_string_equal(usage_check_name(CHECK_MISMATCH), "mismatch");
    assert_string_equal(usage_outcome_name((enum outcome)99), "");
    assert_string_equal(usage_accounting_name((enum accounting)99), "");
}

static void test_context_of_several(void **state)
{
    (void)state;
    struct usage u;
    usage_init(&u);
    usage_set(&u, USAGE_input, 90000);
    usage_set(&u, USAGE_cache_read, 210000);
    assert_int_equal(usage_call_context(&u), usage_context(300000));
    u.agg_n = 3;
    assert_int_equal(usage_call_context(&u), usage_context(100000));
    u.agg_n = 0; /* more tokens of a call that was counted before */
    assert_int_equal(usage_call_context(&u), usage_context(300000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context_of_several),
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(an_empty_call_knows_nothing),
        cmocka_unit_test(sums_take_each_class_once),
        cmocka_unit_test(context_buckets_end_where_prices_change),
        cmocka_unit_test(names_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
