/* collector/metrics_agent: health of two agents as families. */
#include "testing.h"

#include "collector/metrics_agent.h"

static void test_two(void **state)
{
    struct metrics_agent m = { 0 };
    struct buf out = { 0 };
    (void)state;
    metrics_agent_add(&m, "web-1",
                      "{\"uptime_s\":5,\"capture\":{\"silent\":1},\"new\":{\"a\":1},"
                      "\"drops\":{\"capture_kernel\":7,\"torn\":0}}");
    metrics_agent_add(&m, "web-2",
                      "{\"drops\":{\"capture_kernel\":1},\"rate_limit\":{"
                      "\"openai_requests\":41}}");
    metrics_agent_add(&m, "old", "");
    metrics_agent_add(&m, "odd", "{\"drops\":3}");
    metrics_agent_put(&m, &out);
    assert_string_equal(
        buf_cstr(&out),
        "# HELP breakeven_agent_drops_total What the agent did not count since its "
        "start, "
        "by reason.\n"
        "# TYPE breakeven_agent_drops_total counter\n"
        "breakeven_agent_drops_total{agent=\"web-1\",reason=\"capture_kernel\"} 7\n"
        "breakeven_agent_drops_total{agent=\"web-1\",reason=\"torn\"} 0\n"
        "breakeven_agent_drops_total{agent=\"web-2\",reason=\"capture_kernel\"} 1\n"
        "# HELP breakeven_agent_capture State and counts of the agent's live capture "
        "since its start.\n"
        "# TYPE breakeven_agent_capture gauge\n"
        "breakeven_agent_capture{agent=\"web-1\",what=\"silent\"} 1\n"
        "# HELP breakeven_agent_rate_limit_remaining What the provider said last is left "
        "until a rate limit.\n"
        "# TYPE breakeven_agent_rate_limit_remaining gauge\n"
        "breakeven_agent_rate_limit_remaining{agent=\"web-2\",limit=\"openai_requests\"} "
        "41\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_two) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
