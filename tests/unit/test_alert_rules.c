/* The rules: both sides of each threshold, and nothing said of what is not known. */
#include "testing.h"

#include "collector/alert_rules.h"

#include <math.h>

enum { DAY = 86400, NOW = 20000 * DAY + 12 * 3600 }; /* a Tuesday, noon */

static const struct alert_rule_row *rule_named(const char *name)
{
    for (size_t i = 0; i < ALERT_RULES; i++)
        if (strcmp(alert_rules[i].name, name) == 0)
            return &alert_rules[i];
    fail_msg("no rule %s", name);
    return NULL;
}

struct world {
    struct arena arena;
    struct alert_config config;
    struct alert_facts facts;
    struct alert_set set;
};

static void world_init(struct world *w)
{
    struct buf why = { 0 };
    *w = (struct world){ 0 };
    arena_init(&w->arena, 64 << 20);
    assert_int_equal(
        yaml_parse(SLICE("{}"), "x", alert_fields, &w->config, &w->arena, &why), ST_OK);
    w->facts =
        (struct alert_facts){ .now_ms = INT64_C(1000) * NOW, .config = &w->config };
    alert_set_init(&w->set, &w->arena);
    buf_release(&why);
}

static void judge(struct world *w, const char *name)
{
    const struct alert_rule_row *row = rule_named(name);
    for (size_t i = 0; i < w->set.n; i++)
        w->set.at[i]->condition = ALERT_GONE;
    row->judge(alert_rule_config(&w->config, row), &w->facts, &w->set);
}

/* --- projections ----------------------------------------------------------------------
 */

static void test_breakeven(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum alert_condition crossed, forecast;
    } rows[] = {
        { "", ALERT_UNKNOWN, ALERT_UNKNOWN },
        { "{\"verdict\":\"refused\"}", ALERT_UNKNOWN, ALERT_UNKNOWN },
        { "{\"verdict\":\"open\",\"month\":[{},{},{},{},{},{},{\"p_crossed\":0.1}]}",
          ALERT_UNKNOWN, ALERT_UNKNOWN }, /* a lower bound says nothing */
        { "{\"verdict\":\"crossed\"}", ALERT_TRUE, ALERT_UNKNOWN },
        { "{\"verdict\":\"likely\",\"month\":[{},{},{},{},{},{},{\"p_crossed\":0.8}]}",
          ALERT_FALSE, ALERT_TRUE },
        { "{\"verdict\":\"likely\",\"month\":[{},{},{},{},{},{},{\"p_crossed\":0.79}]}",
          ALERT_FALSE, ALERT_FALSE },
        { "{\"verdict\":\"crossed\",\"month\":[{},{},{},{},{},{},{\"p_crossed\":1}]}",
          ALERT_TRUE, ALERT_FALSE },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        world_init(&w);
        struct alert_projection p = { SLICE("support"), slice_str(rows[i].json) };
        w.facts.projection = &p;
        w.facts.projections = 1;
        judge(&w, "breakeven_crossed");
        CHECK(w.set.at[0]->condition == rows[i].crossed, "%s", rows[i].json);
        alert_set_init(&w.set, &w.arena);
        judge(&w, "breakeven_forecast");
        CHECK(w.set.at[0]->condition == rows[i].forecast, "%s", rows[i].json);
        arena_release(&w.arena);
    }
}

static void test_forecast_says_when(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct alert_projection p = {
        SLICE("support"),
        SLICE(
            "{\"verdict\":\"likely\",\"month\":[{},{},{},{},{},{},{\"p_crossed\":0.91}],"
            "\"crossing\":{\"q50\":\"2027-03-01\"},\"payback\":{\"p12\":0.15},"
            "\"scenario\":{\"setup\":{\"value\":9000}}}")
    };
    w.facts.projection = &p;
    w.facts.projections = 1;
    judge(&w, "breakeven_forecast");
    struct slice said =
        SLICE("support: P(hosting your own model becomes cheaper within 6 "
              "months) is 91 %; half of the futures by 2027-03; setup of "
              "$9000 earned back within 12 months: 15 %");
    CHECK(slice_eq(w.set.at[0]->summary, said), "%.*s", SLICE_FMT(w.set.at[0]->summary));
    assert_true(alert_entry_number(w.set.at[0], "payback_probability_12_months", 0) > .1);
    arena_release(&w.arena);
}

static void test_budget(void **state)
{
    (void)state;
    struct world w;
    static const char *at[] = { "80%", "100 %" };
    struct alert_budget b = { .workload = "support",
                              .monthly_usd = 1000,
                              .at = { at, 2 } };
    char json[256];
    static const struct {
        double this_month, next;
        bool firing;
        enum alert_condition low, high;
    } rows[] = {
        { 799, 100, false, ALERT_FALSE, ALERT_FALSE },
        { 800, 100, false, ALERT_TRUE, ALERT_FALSE },
        { 100, 999, false, ALERT_TRUE, ALERT_FALSE },
        { 100, 1000, false, ALERT_TRUE, ALERT_TRUE },
        { 777, 100, true, ALERT_TRUE, ALERT_FALSE }, /* within 3 % below: stays */
        { 775, 100, true, ALERT_FALSE, ALERT_FALSE },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        world_init(&w);
        w.config.budgets = (struct yaml_list){ &b, 1 };
        snprintf(json, sizeof json,
                 "{\"verdict\":\"possible\",\"unpriced_share\":0,\"month\":[{\"api\":{"
                 "\"median\":%g}},{\"api\":{\"median\":%g,\"hi80\":2000}}]}",
                 rows[i].this_month, rows[i].next);
        struct alert_projection p = { SLICE("support"), slice_str(json) };
        w.facts.projection = &p;
        w.facts.projections = 1;
        judge(&w, "budget_forecast");
        w.set.at[0]->a.phase = rows[i].firing ? ALERT_FIRING : ALERT_INACTIVE;
        judge(&w, "budget_forecast");
        assert_int_equal(w.set.n, 2);
        CHECK(w.set.at[0]->condition == rows[i].low, "row %zu", i);
        CHECK(w.set.at[1]->condition == rows[i].high, "row %zu", i);
        arena_release(&w.arena);
    }
    world_init(&w);
    struct alert_projection unpriced = {
        SLICE("support"),
        SLICE("{\"unpriced_share\":1,\"month\":[{\"api\":{\"median\":0}}]}")
    };
    w.config.budgets = (struct yaml_list){ &b, 1 };
    w.facts.projection = &unpriced;
    w.facts.projections = 1;
    judge(&w, "budget_forecast");
    assert_int_equal(w.set.at[0]->condition, ALERT_UNKNOWN);
    arena_release(&w.arena);
    double v;
    assert_true(alert_threshold("80%", &v) && fabs(v - .8) < 1e-12);
    assert_true(alert_threshold("120", &v) && fabs(v - 1.2) < 1e-12);
    static const char *const bad[] = { "",     "x",    "0%",         "-5%",
                                       "80%%", "1001", "80 percent", "nan" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK(!alert_threshold(bad[i], &v), "%s", bad[i]);
}

/* --- agents ---------------------------------------------------------------------------
 */

static void test_silent(void **state)
{
    (void)state;
    static const struct {
        int64_t silent_s;
        size_t alerts;
    } rows[] = { { 0, 0 },        { 899, 0 }, { 900, 1 }, { 14 * DAY - 1, 1 },
                 { 14 * DAY, 0 }, { -300, 0 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        world_init(&w);
        struct alert_agent a = { .name = SLICE("web-1"),
                                 .version = SLICE("1"),
                                 .last_seen = NOW - rows[i].silent_s };
        w.facts.agent = &a;
        w.facts.agents = 1;
        judge(&w, "agent_silent");
        CHECK(w.set.n == rows[i].alerts, "row %zu", i);
        if (w.set.n) {
            assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
            a.last_seen = NOW;
            judge(&w, "agent_silent");
            assert_int_equal(w.set.at[0]->condition, ALERT_FALSE);
        }
        arena_release(&w.arena);
    }
}

static void test_drops(void **state)
{
    (void)state;
    static const struct {
        int minute;
        const char *health;
        enum alert_condition condition;
    } story[] = {
        { 0, "{\"uptime_s\":9000,\"drops\":{\"torn\":5,\"not_json\":7}}", ALERT_FALSE },
        { 1, "{\"uptime_s\":9060,\"drops\":{\"torn\":5,\"not_json\":9}}", ALERT_FALSE },
        { 2, "{\"uptime_s\":9120,\"drops\":{\"torn\":6}}", ALERT_TRUE },
        { 3, "{\"uptime_s\":9180,\"drops\":{\"torn\":6}}", ALERT_TRUE },
        { 61, "{\"uptime_s\":9900,\"drops\":{\"torn\":6}}", ALERT_TRUE },
        { 62, "{\"uptime_s\":9960,\"drops\":{\"torn\":6}}", ALERT_FALSE },
        { 63, "{\"uptime_s\":1,\"drops\":{\"torn\":0}}", ALERT_FALSE }, /* restarted */
        { 64, "{\"uptime_s\":61,\"drops\":{\"torn\":2}}", ALERT_TRUE },
    };
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < COUNT_OF(story); i++) {
        struct alert_agent a = { .name = SLICE("web-1"),
                                 .health = slice_str(story[i].health),
                                 .last_seen = NOW };
        w.facts.agent = &a;
        w.facts.agents = 1;
        w.facts.now_ms = INT64_C(1000) * NOW + story[i].minute * 60000;
        judge(&w, "capture_drops");
        CHECK(w.set.at[0]->condition == story[i].condition, "minute %d", story[i].minute);
    }
    arena_release(&w.arena);
    world_init(&w); /* first seen young, with drops */
    struct alert_agent young = { .name = SLICE("web-2"),
                                 .health =
                                     SLICE("{\"uptime_s\":30,\"drops\":{\"torn\":1}}") };
    w.facts.agent = &young;
    w.facts.agents = 1;
    judge(&w, "capture_drops");
    assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
    arena_release(&w.arena);
}

/* --- usage ----------------------------------------------------------------------------
 */

static void test_unpriced_and_quality(void **state)
{
    (void)state;
    struct world w;
    const struct slice dims[][3] = {
        { SLICE("shop"), SLICE("openai"), SLICE("gpt-x") },
        { SLICE("shop"), SLICE("openai"), SLICE("known") },
        { SLICE("zoo"), SLICE("openai"), SLICE("gpt-x") },
    };
    struct query_row row[] = {
        { .dim = dims[0], .calls = 50, .calls_unpriced = 50, .calls_missing = 5 },
        { .dim = dims[1], .calls = 50, .calls_estimated = 15 },
        { .dim = dims[2], .calls = 99, .calls_unpriced = 9, .calls_missing = 99 },
    };
    world_init(&w);
    w.facts.recent =
        (struct query_result){ .row = row,
                               .rows = 3,
                               .group = store_bit(STORE_app) | store_bit(STORE_provider) |
                                        store_bit(STORE_model) };
    judge(&w, "unpriced_model");
    judge(&w, "unpriced_model");
    assert_int_equal(w.set.n, 1); /* one model, two apps */
    assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
    assert_true(alert_entry_number(w.set.at[0], "calls", 0) == 149);
    alert_set_init(&w.set, &w.arena);
    judge(&w, "usage_quality"); /* shop is at 20 of 100, zoo has too few calls */
    assert_int_equal(w.set.n, 0);
    row[0].calls_missing = 6;
    judge(&w, "usage_quality");
    assert_int_equal(w.set.n, 1);
    assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
    assert_true(slice_eq(alert_entry_label(w.set.at[0], "app"), SLICE("shop")));
    w.set.at[0]->a.phase = ALERT_FIRING;
    row[0].calls_missing = 4; /* 19 of 100: not clearly below */
    judge(&w, "usage_quality");
    assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
    row[0].calls_missing = 3;
    judge(&w, "usage_quality");
    assert_int_equal(w.set.at[0]->condition, ALERT_FALSE);
    arena_release(&w.arena);
}

/* Working days about 10,000 calls, weekends about 2,000; the last days as given. */
static size_t fill(struct query_row *row, const struct slice *dim, double yesterday,
                   double today)
{
    size_t n = 0;
    for (int d = 0; d < ALERT_HISTORY_DAYS; d++) {
        int64_t day = NOW / DAY - (ALERT_HISTORY_DAYS - 1) + d;
        bool weekend = (day + 3) % 7 >= 5;
        double v = (weekend ? 2000 : 10000) * (1 + 0.05 * (d % 3 - 1));
        if (d == ALERT_HISTORY_DAYS - 2)
            v = yesterday;
        if (d == ALERT_HISTORY_DAYS - 1)
            v = today;
        if (v > 0)
            row[n++] =
                (struct query_row){ .time = day * DAY, .dim = dim, .calls = (uint64_t)v };
    }
    return n;
}

static void test_anomaly(void **state)
{
    (void)state;
    static const struct slice dim = { "shop", 4 };
    static const struct {
        double yesterday, today;
        bool odd;
    } rows[] = {
        { 10000, 5000, false }, { 18000, 5000, false }, { 25000, 5000, true },
        { 4000, 5000, true },   { 0, 5000, true },      { 10000, 30000, true },
        { 10000, 0, false }, /* today is not over */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct query_row row[ALERT_HISTORY_DAYS];
        struct world w;
        world_init(&w);
        w.facts.history =
            (struct query_result){ .row = row,
                                   .rows =
                                       fill(row, &dim, rows[i].yesterday, rows[i].today),
                                   .group = store_bit(STORE_app) };
        judge(&w, "volume_anomaly");
        CHECK(w.set.n == rows[i].odd, "row %zu", i);
        if (w.set.n)
            assert_int_equal(w.set.at[0]->condition, ALERT_TRUE);
        /* ten days of history are too few */
        alert_set_init(&w.set, &w.arena);
        size_t skip = w.facts.history.rows > 10 ? w.facts.history.rows - 10 : 0;
        w.facts.history.row = row + skip;
        w.facts.history.rows -= skip;
        judge(&w, "volume_anomaly");
        CHECK(w.set.n == 0, "row %zu", i);
        arena_release(&w.arena);
    }
}

/* Honest weeks must stay quiet: 2,000 days of noisy traffic, few false alarms. */
static void test_anomaly_is_calm(void **state)
{
    (void)state;
    static const struct slice dim = { "shop", 4 };
    struct rng r = rng_open("anomaly");
    int alarms = 0;
    for (int round = 0; round < 2000; round++) {
        struct query_row row[ALERT_HISTORY_DAYS];
        struct world w;
        size_t n = fill(row, &dim, 10000, 5000);
        for (size_t i = 0; i < n; i++) {
            double noise = rng_unit(&r) + rng_unit(&r) + rng_unit(&r) - 1.5; /* sd 0.5 */
            row[i].calls = (uint64_t)((double)row[i].calls * exp(0.4 * noise));
        }
        world_init(&w);
        w.facts.history =
            (struct query_result){ .row = row, .rows = n, .group = store_bit(STORE_app) };
        judge(&w, "volume_anomaly");
        alarms += w.set.n > 0;
        arena_release(&w.arena);
    }
    CHECK(alarms <= 4, "%d false alarms in 2,000 days", alarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakeven), cmocka_unit_test(test_forecast_says_when),
        cmocka_unit_test(test_budget),    cmocka_unit_test(test_silent),
        cmocka_unit_test(test_drops),     cmocka_unit_test(test_unpriced_and_quality),
        cmocka_unit_test(test_anomaly),   cmocka_unit_test(test_anomaly_is_calm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
