/* History as counters: a sample at each end of a bucket, gaps carried on, nothing too
 * new. */
#include "testing.h"

#include "collector/export_openmetrics.h"

enum { DAY = 86400 };

static void test_history(void **state)
{
    (void)state;
    const struct slice a = SLICE("a\"\n"), b = SLICE("b");
    struct query_row row[] = {
        { .time = 10 * DAY, .dim = &a, .calls = 5, .v = { 100 }, .cost = 1500000000000 },
        { .time = 10 * DAY, .dim = &b, .calls = 1 },
        { .time = 12 * DAY, .dim = &a, .calls = 7, .v = { 11 } },
        { .time = 13 * DAY, .dim = &a, .calls = 1000 }, /* not over */
    };
    const struct query_result r = { row, 4, store_bit(STORE_model) };
    struct arena arena;
    struct buf out = { 0 }, labels = { 0 };
    arena_init(&arena, 1 << 20);
    assert_true(export_labels(SLICE("job=x,instance=h:1 \"q\""), &labels));
    assert_int_equal(export_openmetrics(&r, STORE_DAY, 13 * DAY + 4 * 3600,
                                        buf_slice(&labels), &arena, &out),
                     ST_OK);
    static const char *const wanted = "# TYPE breakeven_calls counter\n"
                                      "breakeven_calls_total{model=\"a\\\"\\n\",job="
                                      "\"x\",instance=\"h:1 \\\"q\\\"\"} 0 864000\n"
                                      "breakeven_calls_total{model=\"a\\\"\\n\",job="
                                      "\"x\",instance=\"h:1 \\\"q\\\"\"} 5 950400\n"
                                      "breakeven_calls_total{model=\"a\\\"\\n\",job="
                                      "\"x\",instance=\"h:1 \\\"q\\\"\"} 5 1036800\n"
                                      "breakeven_calls_total{model=\"a\\\"\\n\",job="
                                      "\"x\",instance=\"h:1 \\\"q\\\"\"} 12 1123200\n"
                                      "breakeven_calls_total{model=\"b\",job=\"x\","
                                      "instance=\"h:1 \\\"q\\\"\"} 0 864000\n";
    CHECK(strstr(buf_cstr(&out), wanted), "%s", buf_cstr(&out));
    assert_non_null(strstr(buf_cstr(&out),
                           "type=\"input\",job=\"x\",instance=\"h:1 \\\"q\\\"\"} "
                           "111 1123200\n"));
    assert_non_null(strstr(buf_cstr(&out), "} 1.5 1123200\n"));
    assert_null(strstr(buf_cstr(&out), "1209600"));
    assert_true(slice_ends(buf_slice(&out), SLICE("\n# EOF\n")));
    /* the three hours before now are another's */
    buf_reset(&out);
    assert_int_equal(
        export_openmetrics(&r, STORE_DAY, 13 * DAY + 2 * 3600, SLICE(""), &arena, &out),
        ST_OK);
    assert_null(strstr(buf_cstr(&out), "1123200"));
    assert_non_null(
        strstr(buf_cstr(&out), "breakeven_calls_total{model=\"b\"} 1 1036800\n"));
    buf_release(&out);
    buf_release(&labels);
    arena_release(&arena);
}

static void test_labels(void **state)
{
    (void)state;
    static const char *const bad[] = { "x", "=y", "1a=b", "a-b=c", "a=b,", "a=b,,c=d" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf b = { 0 };
        CHECK(!export_labels(slice_str(bad[i]), &b), "%s", bad[i]);
        buf_release(&b);
    }
    struct buf none = { 0 };
    assert_true(export_labels(SLICE(""), &none));
    assert_int_equal(none.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_history),
                                        cmocka_unit_test(test_labels) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
