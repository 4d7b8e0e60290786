/* The decision: each criterion's sides, the rules over a grid, both written forms. */
#include "testing.h"

#include "collector/projection/decide.h"
#include "common/json_pointer.h"

#include <math.h>

enum { DAY = 86400 };

struct fixture {
    struct arena a;
    struct workload w;
    struct projection_result r;
    const struct compare_result *test;
    struct decision d;
};

/* 800 calls a day of a threshold of 1,000, a flat bill of 10 USD a day. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    arena_init(&f->a, 4 << 20);
    f->w = (struct workload){ .name = "support", .decision = { .examples = -1 } };
    f->r = (struct projection_result){ .workload = "support",
                                       .at = INT64_C(20780) * DAY,
                                       .verdict = PROJECTION_LIKELY,
                                       .days = 180,
                                       .calls_per_day = 800,
                                       .usd_per_day = 10,
                                       .threshold_calls_per_day = 1000,
                                       .threshold_ratio = 0.8,
                                       .months = 3,
                                       .failed_share = NAN,
                                       .cached_share = NAN,
                                       .per_call_drift = NAN,
                                       .scenario = { .gpu = "l40s" } };
    for (int m = 0; m < 3; m++) {
        f->r.month[m].days = 30;
        f->r.month[m].api.median = 300;
        f->r.month[m].hosted.median = 240;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_release(&f->a);
    free(f);
    return 0;
}

static void make(struct fixture *f)
{
    arena_reset(&f->a);
    assert_int_equal(decide(&f->w, &f->r, f->test, &f->a, &f->d), ST_OK);
}

static void volume_and_trend(void **state)
{
    struct fixture *f = *state;
    static const struct {
        double ratio, last_month;
        enum mark volume, trend;
    } rows[] = {
        { 1, 330, MARK_FOR, MARK_FOR },
        { 0.99, 329, MARK_NEITHER, MARK_NEITHER },
        { 0.5, 271, MARK_NEITHER, MARK_NEITHER },
        { 0.49, 270, MARK_AGAINST, MARK_AGAINST },
        { -1, 300, MARK_AGAINST, MARK_NEITHER },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f->r.threshold_ratio = rows[i].ratio;
        f->r.month[2].api.median = rows[i].last_month;
        make(f);
        const struct criterion *c = f->d.criterion;
        CHECK(c[CRITERION_VOLUME].mark == rows[i].volume, "row %zu", i);
        CHECK(c[CRITERION_TREND].mark == rows[i].trend, "row %zu", i);
        assert_string_equal(c[CRITERION_VOLUME].origin, "measured");
    }
    f->r.verdict = PROJECTION_REFUSED;
    f->r.reason = "less than 14 days";
    make(f);
    assert_int_equal(f->d.criterion[CRITERION_VOLUME].mark, MARK_UNKNOWN);
    assert_int_equal(f->d.criterion[CRITERION_TREND].mark, MARK_UNKNOWN);
    assert_string_equal(f->d.criterion[CRITERION_VOLUME].origin, "unknown");
    assert_true(f->d.score < 0);
}

static void answers_and_data(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum criterion_id id;
        size_t offset;
        enum mark mark[4]; /* by answer */
    } rows[] = {
#define ROW(id, field, a, b, c)                                                          \
    {                                                                                    \
        id, offsetof(struct decision_declared, field),                                   \
        {                                                                                \
            MARK_UNKNOWN, a, b, c                                                        \
        }                                                                                \
    }
        ROW(CRITERION_PRIVACY, privacy, MARK_AGAINST, MARK_NEITHER, MARK_FOR),
        ROW(CRITERION_LATENCY, latency, MARK_AGAINST, MARK_NEITHER, MARK_FOR),
        ROW(CRITERION_OUTPUT_CONTROL, output_control, MARK_AGAINST, MARK_NEITHER,
            MARK_FOR),
        ROW(CRITERION_TASK, task, MARK_FOR, MARK_NEITHER, MARK_AGAINST),
        ROW(CRITERION_MLOPS, mlops, MARK_AGAINST, MARK_NEITHER, MARK_FOR),
        ROW(CRITERION_STABILITY, stability, MARK_FOR, MARK_NEITHER, MARK_AGAINST),
    };
    static const struct {
        int64_t n;
        enum mark mark;
    } data[] = { { -1, MARK_UNKNOWN },  { 0, MARK_AGAINST },   { 499, MARK_AGAINST },
                 { 500, MARK_NEITHER }, { 999, MARK_NEITHER }, { 1000, MARK_FOR } };

    make(f);
    double without = f->d.score; /* volume and trend alone: (3 x 0.5 + 1 x 0.5) / 4 */
    assert_true(fabs(without - 0.5) < 1e-12);
    assert_int_equal(f->d.weight_known, 4);
    assert_int_equal(f->d.weight_all, 14);
    assert_string_equal(f->d.arithmetic,
                        "(3 x 0.5 + 1 x 0.5) / 4 = 0.50; 4 of the weight 14 is known");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int said = 0; said < 4; said++) {
            *(int *)(void *)((char *)&f->w.decision + rows[i].offset) = said;
            make(f);
            const struct criterion *c = &f->d.criterion[rows[i].id];
            CHECK(c->mark == rows[i].mark[said], "%s %d", c->name, said);
            CHECK(strcmp(c->origin, said ? "declared" : "unknown") == 0, "%s", c->name);
            CHECK((f->d.score > without) == (c->mark == MARK_FOR), "%s %d", c->name,
                  said);
            CHECK((f->d.score < without) == (c->mark == MARK_AGAINST), "%s %d", c->name,
                  said);
            if (said == 3)
                *(int *)(void *)((char *)&f->w.decision + rows[i].offset) = 0;
        }
    for (size_t i = 0; i < COUNT_OF(data); i++) {
        f->w.decision.examples = data[i].n;
        make(f);
        CHECK(f->d.criterion[CRITERION_DATA].mark == data[i].mark, "%lld examples",
              (long long)data[i].n);
    }
}

/* --- the rules, said once more and the other way round --------------------------------
 */

struct point {
    int verdict, need, task, stability, test, mlops, lever, full;
};

static enum recommendation expected(const struct point *p, const struct decision *d)
{
    bool cost = p->verdict == PROJECTION_CROSSED || p->verdict == PROJECTION_LIKELY;
    bool fit = (cost || p->need) && p->task != TASK_BROAD &&
               p->stability != STABILITY_VOLATILE && p->test != TEST_FAILED &&
               (p->need || p->lever != 2) && !(d->weight_known >= 7 && d->score < 0.5);

    if (p->verdict == PROJECTION_REFUSED)
        return RECOMMEND_STAY;
    if (fit && p->test != TEST_PASSED)
        return RECOMMEND_TEST;
    if (fit && p->mlops != MLOPS_NONE)
        return RECOMMEND_MIGRATE;
    return p->lever ? RECOMMEND_OPTIMISE : RECOMMEND_STAY;
}

static void try_point(struct fixture *f, const struct point *p, int seen[4])
{
    static const double usd[] = { 9, 8, 7 }; /* hosting costs 8 a day */

    f->r.verdict = (enum projection_verdict)p->verdict;
    f->r.alternatives = 2;
    f->r.alternative[0] =
        (struct projection_alternative){ .name = "unpriced", .usd_per_day = -1 };
    f->r.alternative[1] = (struct projection_alternative){ .name = "batch tier",
                                                           .origin = INPUT_MEASURED,
                                                           .usd_per_day = usd[p->lever] };
    f->w.decision =
        (struct decision_declared){ .privacy = p->need ? NEED_HIGH : NEED_UNKNOWN,
                                    .latency = p->full ? NEED_LOW : NEED_UNKNOWN,
                                    .task = p->task,
                                    .stability = p->stability,
                                    .test = p->test,
                                    .mlops = p->mlops,
                                    .examples = p->full ? 0 : -1 };
    make(f);
    enum recommendation want = expected(p, &f->d);
    CHECK(f->d.recommendation == want,
          "verdict %d need %d task %d stability %d test %d "
          "mlops %d lever %d full %d: %s, not %s",
          p->verdict, p->need, p->task, p->stability, p->test, p->mlops, p->lever,
          p->full, recommendation_name(f->d.recommendation), recommendation_name(want));
    seen[want]++;
    assert_true(f->d.reason && *f->d.reason);
    /* The step agrees with the advice. */
    assert_int_equal(f->d.stage == STAGE_MIGRATE, want == RECOMMEND_MIGRATE);
    assert_true(want != RECOMMEND_TEST || f->d.stage == STAGE_TEST);
    assert_int_equal(f->d.stage == STAGE_PROTOTYPE, p->verdict == PROJECTION_REFUSED);
    if (f->d.stage == STAGE_TEST && p->test != TEST_PASSED)
        assert_non_null(f->d.missing[0]);
}

static void rules_over_a_grid(void **state)
{
    struct fixture *f = *state;
    static const int size[] = { 5, 2, 4, 4, 4, 4, 3, 2 };
    int at[COUNT_OF(size)] = { 0 }, seen[4] = { 0 };

    for (;;) {
        const struct point p = { at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7] };
        size_t i = 0;
        try_point(f, &p, seen);
        while (i < COUNT_OF(size) && ++at[i] == size[i])
            at[i++] = 0;
        if (i == COUNT_OF(size))
            break;
    }
    for (int i = 0; i < 4; i++)
        CHECK(seen[i] > 50, "%s came out %d times",
              recommendation_name((enum recommendation)i), seen[i]);
}

static bool is_missing(const struct decision *d, const char *part)
{
    for (int i = 0; d->missing[i]; i++)
        if (strstr(d->missing[i], part))
            return true;
    return false;
}

/* --- the parallel test --- */

/* A test with so many calls and scores a side; rates and seconds by arm. */
static struct compare_result measured(enum compare_verdict quality,
                                      enum compare_verdict latency, uint64_t examples)
{
    struct compare_result t = { .examples = examples,
                                .example_of = "scores",
                                .quality = quality,
                                .calls = { 90000, 1000 },
                                .test = TEST_RUNNING,
                                .reason = "no verdict yet" };

    t.line[t.lines++] = (struct compare_line){ .name = "error_rate",
                                               .unit = "share",
                                               .arm = { { 0.01, 0.005, 0.02, 90000 },
                                                        { 0.001, 0, 0.0001, 1000 } } };
    t.line[t.lines++] =
        (struct compare_line){ .name = "duration_p95",
                               .unit = "s",
                               .verdict = latency,
                               .arm = { { 3, 2.8, 3.2, 90000 }, { 1, 0.9, 1.1, 1000 } } };
    t.line[t.lines++] = (struct compare_line){ .name = "schema",
                                               .unit = "share",
                                               .score = true,
                                               .verdict = quality,
                                               .arm = { { 0.98, 0.97, 0.99, 1000 },
                                                        { 0.995, 0.99, 0.998, 1000 } } };
    return t;
}

static void the_test_is_evidence(void **state)
{
    struct fixture *f = *state;
    static struct compare_result t;

    t = measured(COMPARE_BETTER, COMPARE_BETTER, 1200);
    const struct criterion *c = f->d.criterion;

    f->test = &t;
    make(f);
    assert_string_equal(f->d.test_origin, "measured");
    assert_int_equal(f->d.test, TEST_RUNNING);
    assert_true(is_missing(&f->d, "the result of the test: no verdict yet"));
    assert_int_equal(c[CRITERION_DATA].mark, MARK_FOR);
    assert_string_equal(c[CRITERION_DATA].origin, "measured");
    assert_non_null(strstr(c[CRITERION_LATENCY].evidence,
                           "95th percentile is better: 1 [0.9, 1.1] s against 3"));
    assert_int_equal(c[CRITERION_MLOPS].mark, MARK_NEITHER); /* somebody runs it */

    /* Speed of 3 and 1 s: three quarters and a quarter; rates as they are. */
    assert_true(f->d.radar[2].specialist.v == 0.75 && f->d.radar[2].api.v == 0.25);
    assert_int_equal(f->d.radar[2].api.origin, INPUT_MEASURED);
    assert_true(f->d.radar[3].specialist.v == 0.995);
    /* two lost in a hundred at most: 1.7 nines of 4; one in 10,000: all four */
    assert_true(fabs(f->d.radar[4].api.v - 1.69897 / 4) < 1e-5);
    assert_true(f->d.radar[4].specialist.v == 1);

    /* A need that is high and not met speaks against. */
    f->w.decision.latency = f->w.decision.output_control = NEED_HIGH;
    make(f);
    assert_int_equal(c[CRITERION_LATENCY].mark, MARK_FOR);
    t = measured(COMPARE_WORSE, COMPARE_EQUAL, 1200);
    make(f);
    assert_int_equal(c[CRITERION_LATENCY].mark, MARK_NEITHER);
    assert_int_equal(c[CRITERION_OUTPUT_CONTROL].mark, MARK_AGAINST);
    assert_string_equal(c[CRITERION_OUTPUT_CONTROL].origin, "measured");
}

static void declared_and_measured_results(void **state)
{
    struct fixture *f = *state;
    static struct compare_result t;

    t = measured(COMPARE_EQUAL, COMPARE_EQUAL, 1000);
    static const struct {
        enum test_state said, measured, want;
        const char *origin;
    } rows[] = {
        { TEST_NOT_STARTED, TEST_NOT_STARTED, TEST_NOT_STARTED, "unknown" },
        { TEST_NOT_STARTED, TEST_RUNNING, TEST_RUNNING, "measured" },
        { TEST_RUNNING, TEST_NOT_STARTED, TEST_RUNNING, "declared" },
        { TEST_RUNNING, TEST_PASSED, TEST_PASSED, "measured" },
        { TEST_PASSED, TEST_RUNNING, TEST_PASSED, "declared" },
        { TEST_PASSED, TEST_FAILED, TEST_FAILED, "measured" },
        { TEST_FAILED, TEST_PASSED, TEST_FAILED, "declared" },
    };

    f->test = &t;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f->w.decision.test = (int)rows[i].said;
        t.test = (int)rows[i].measured;
        make(f);
        CHECK(f->d.test == (int)rows[i].want &&
                  strcmp(f->d.test_origin, rows[i].origin) == 0,
              "row %zu: %d, %s", i, f->d.test, f->d.test_origin);
    }
}

/* What the traffic says of task and stability, where nothing is declared, and beside it.
 */
static void traffic_is_evidence(void **state)
{
    struct fixture *f = *state;
    static const struct {
        double cached, drift;
        enum mark task, stability;
    } rows[] = {
        { NAN, NAN, MARK_UNKNOWN, MARK_UNKNOWN },
        { 0.49, 0.09, MARK_UNKNOWN, MARK_FOR },
        { 0.5, -0.11, MARK_NEITHER, MARK_NEITHER },
        { 0.9, 0.31, MARK_NEITHER, MARK_AGAINST },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        f->r.cached_share = rows[i].cached;
        f->r.per_call_drift = rows[i].drift;
        make(f);
        const struct criterion *c = f->d.criterion;
        CHECK(c[CRITERION_TASK].mark == rows[i].task, "row %zu", i);
        CHECK(c[CRITERION_STABILITY].mark == rows[i].stability, "row %zu", i);
    }
    f->w.decision.stability = STABILITY_STABLE;
    make(f);
    assert_int_equal(f->d.criterion[CRITERION_STABILITY].mark, MARK_FOR);
    assert_non_null(
        strstr(f->d.criterion[CRITERION_STABILITY].evidence, "moved by +31 %"));
    /* Without full prices there is no threshold to judge by. */
    f->r.verdict = PROJECTION_OPEN;
    f->r.threshold_ratio = 0.2;
    f->r.unpriced_share = 0.4;
    make(f);
    assert_int_equal(f->d.criterion[CRITERION_VOLUME].mark, MARK_UNKNOWN);
    assert_int_equal(f->d.recommendation, RECOMMEND_STAY);
    assert_non_null(strstr(f->d.reason, "no price"));
}

static void what_is_missing(void **state)
{
    struct fixture *f = *state;

    f->w.decision.examples = 340;
    make(f);
    assert_int_equal(f->d.stage, STAGE_TEST);
    assert_true(is_missing(&f->d, "660 more reviewed examples (340 of 1000)"));
    assert_true(is_missing(&f->d, "(mlops)"));
    assert_false(is_missing(&f->d, "(examples)"));
    f->r.verdict = PROJECTION_UNLIKELY;
    make(f);
    assert_int_equal(f->d.stage, STAGE_MEASURE);
    assert_true(is_missing(&f->d, "a volume at which hosting"));
}

static void the_radar_knows_its_sources(void **state)
{
    struct fixture *f = *state;

    make(f);
    /* 240 of hosting, 300 of API: 4/9 and 5/9 */
    assert_true(fabs(f->d.radar[0].api.v - 4.0 / 9) < 1e-12);
    assert_true(fabs(f->d.radar[0].specialist.v - 5.0 / 9) < 1e-12);
    assert_true(f->d.radar[5].specialist.v < 0); /* not declared: unknown, not 0 */
    for (int i = 0; i < RADAR_AXES; i++) {
        assert_true(f->d.radar[i].api.v <= 1 && f->d.radar[i].specialist.v <= 1);
        assert_true(*f->d.radar[i].api.source && *f->d.radar[i].specialist.source);
    }
    f->r.months = 0;
    make(f);
    assert_true(f->d.radar[0].api.v < 0);
}

/* --- written forms --------------------------------------------------------------------
 */

static const char hostile[] = "a|b](http://x)\n# <script>`*_\\ \"\x01&amp;";

static void check_json(struct slice doc)
{
    struct json j;
    struct slice text;
    enum json_type t;

    json_init(&j, JSON_ONE);
    json_feed(&j, doc);
    while ((t = json_next(&j, &text)) != JSON_MORE)
        CHECK(t != JSON_BAD && t != JSON_END, "%s", json_why(&j));
    json_finish(&j);
    assert_int_equal(json_next(&j, &text), JSON_END);
}

static void json_is_json(void **state)
{
    struct fixture *f = *state;
    struct decision_versions v = { "0.1.0", INT64_C(20000) * DAY };
    const char *changes[] = { hostile, NULL };
    struct buf out = { 0 };
    char hold[200];
    struct slice text;

    f->r.workload = hostile;
    f->r.scenario.gpu = hostile;
    for (int refused = 0; refused < 2; refused++) {
        f->r.verdict = refused ? PROJECTION_REFUSED : PROJECTION_LIKELY;
        make(f);
        buf_reset(&out);
        decision_json(&f->d, &v, refused ? NULL : changes, &out);
        check_json(buf_slice(&out));
        assert_int_equal(
            json_pointer(buf_slice(&out), "/workload", hold, sizeof hold, &text),
            JSON_STRING);
        assert_true(slice_eq(text, slice_str(hostile)));
        assert_int_equal(
            json_pointer(buf_slice(&out), "/price_book", hold, sizeof hold, &text),
            JSON_STRING);
        assert_true(slice_eq(text, SLICE("2024-10-04")));
        assert_int_equal(
            json_pointer(buf_slice(&out), "/score", hold, sizeof hold, &text),
            refused ? JSON_NULL : JSON_NUMBER);
        assert_int_equal(
            json_pointer(buf_slice(&out), "/changes", hold, sizeof hold, &text),
            refused ? JSON_NULL : JSON_ARRAY);
        assert_int_equal(json_pointer(buf_slice(&out), "/radar/5/specialist/value", hold,
                                      sizeof hold, &text),
                         JSON_NULL);
    }
    buf_release(&out);
}

/* Unescaped bars of a line. */
static int bars(struct slice line)
{
    int n = 0;

    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '\\')
            i++;
        else
            n += line.p[i] == '|';
    return n;
}

static void markdown_is_escaped(void **state)
{
    struct fixture *f = *state;
    struct decision_versions v = { "0.1.0", 0 };
    const char *changes[] = { hostile, NULL };
    struct buf out = { 0 };
    int titles = 0, columns = 0;

    f->r.workload = hostile;
    f->r.scenario.gpu = hostile;
    f->r.alternatives = 1;
    f->r.alternative[0] = (struct projection_alternative){ .name = hostile,
                                                           .origin = INPUT_DECLARED,
                                                           .usd_per_day = 1 };
    make(f);
    decision_markdown(&f->d, &v, changes, &out);
    assert_int_equal(out.st, ST_OK);
    const char *page = buf_cstr(&out);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "](http"));
    assert_non_null(strstr(page, "a\\|b\\]\\(http://x\\) \\# &lt;script&gt;\\`\\*\\_\\\\ "
                                 "\" &amp;amp;"));
    for (struct slice rest = buf_slice(&out), line; rest.n;) {
        slice_cut(rest, '\n', &line, &rest);
        titles += slice_starts(line, SLICE("# "));
        for (size_t i = 0; i < line.n; i++)
            assert_true((unsigned char)line.p[i] >= 0x20);
        int n = bars(line);
        CHECK(columns == 0 || n == 0 || n == columns, "%.*s", SLICE_FMT(line));
        columns = n;
    }
    assert_int_equal(titles, 1);
    buf_release(&out);
}

static void a_full_arena_is_said(void **state)
{
    struct fixture *f = *state;
    struct arena small;

    arena_init(&small, 100);
    assert_int_equal(decide(&f->w, &f->r, NULL, &small, &f->d), ST_NOMEM);
    arena_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(volume_and_trend, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_and_data, setup, teardown),
        cmocka_unit_test_setup_teardown(the_test_is_evidence, setup, teardown),
        cmocka_unit_test_setup_teardown(declared_and_measured_results, setup, teardown),
        cmocka_unit_test_setup_teardown(traffic_is_evidence, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_over_a_grid, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_radar_knows_its_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_json, setup, teardown),
        cmocka_unit_test_setup_teardown(markdown_is_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
