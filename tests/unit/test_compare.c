/* Intervals by hand, verdicts by table, coverage by simulation. */
#include "testing.h"

#include "collector/projection/compare.h"
#include "collector/projection/dice.h"

#include <math.h>
#include <stdio.h>

static void near(double got, double want, double within)
{
    if (isnan(want) ? !isnan(got) : !(fabs(got - want) <= within))
        fail_msg("got %.6f, want %.6f", got, want);
}

static void test_rate(void **state)
{
    /* Wilson: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z² = 3.84146.
     * 8/10: middle 0.8 + 0.192073 = 0.992073, half 1.95996 sqrt(0.016 + 0.0096036)
     * = 0.313614, over 1.384146: 0.49016 .. 0.94331. */
    static const struct {
        uint64_t k, n;
        double lo, hi;
    } rows[] = {
        { 8, 10, 0.49016, 0.94331 },
        { 0, 10, 0, 0.27754 }, /* 2 x 0.192073 / 1.384146 */
        { 10, 10, 0.72246, 1 },
        { 0, 0, NAN, NAN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct compare_value v = compare_rate(rows[i].k, rows[i].n);
        near(v.lo, rows[i].lo, 1e-5);
        near(v.hi, rows[i].hi, 1e-5);
    }
    /* Newcombe 1998, Table II: 56/70 - 48/80 = 0.2, method 10: 0.0524 .. 0.3339 */
    struct compare_value a = compare_rate(48, 80), b = compare_rate(56, 70);
    struct compare_value d = compare_difference(&a, &b);
    near(d.v, 0.2, 1e-9);
    near(d.lo, 0.0524, 5e-5);
    near(d.hi, 0.3339, 5e-5);
}

static void test_mean(void **state)
{
    /* 1 2 3 4 5: variance (55 - 45) / 4 = 2.5, error sqrt(2.5 / 5) = 0.70711,
     * t(4) = 2.7764: 3 ± 1.96322 */
    struct compare_value v = compare_mean(5, 15, 55);
    (void)state;
    near(v.v, 3, 0);
    near(v.lo, 1.03678, 1e-4);
    near(v.hi, 4.96322, 1e-4);
    v = compare_mean(1, 7, 49);
    near(v.v, 7, 0);
    near(v.lo, NAN, 0);
    near(compare_mean(0, 0, 0).v, NAN, 0);
    near(compare_mean(3, 0.3, 0.03).hi, 0.1, 1e-6); /* rounding is no variance */
    near(compare_t(1), 12.7062, 1e-4);
    near(compare_t(11), 2.2010, 1e-3);
    near(compare_t(30), 2.0423, 1e-3);
    near(compare_t(1e9), 1.95996, 1e-4);
    near(compare_t(0), NAN, 0);
}

static void test_ratio(void **state)
{
    /* $1 and $3 for one call each: 2 a call, residuals -1 and 1,
     * sqrt(2/1 x 2) / 2 = 1, t(1) = 12.7062; money is not negative */
    struct compare_day day[] = { { 1, 1, 10 }, { 1, 3, 10 }, { 0, 0, 0 } };
    (void)state;
    for (size_t n = 2; n <= 3; n++) { /* a day without calls says nothing */
        struct compare_value v = compare_ratio(&day->usd, &day->calls, n, sizeof *day);
        near(v.v, 2, 0);
        near(v.lo, 0, 0);
        near(v.hi, 14.7062, 1e-3);
        assert_int_equal(v.n, 2);
    }
    near(compare_ratio(&day->usd, &day->calls, 1, sizeof *day).hi, NAN, 0);
    near(compare_ratio(&day[2].usd, &day[2].calls, 1, sizeof *day).v, NAN, 0);
}

static void test_quantile(void **state)
{
    struct sketch s = { 0 };
    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(sketch_add(&s, i * 1000, 1), ST_OK);
    /* half 1.96 sqrt(100 x 0.25) = 9.8: ranks floor(40.2) = 40, ceil(59.8) + 1 = 61,
     * each 2 % outwards and read to 2 % */
    struct compare_value v = compare_quantile(&s, 0.5);
    near(v.lo, 0.0392, 0.0009);
    near(v.hi, 0.0622, 0.0013);
    assert_int_equal(v.n, 100);
    /* half 1.95: rank 102 of 100 does not exist */
    v = compare_quantile(&s, 0.99);
    near(v.lo, 0.97 * 0.98 / 10, 0.002);
    near(v.hi, NAN, 0);
    sketch_release(&s);
    near(compare_quantile(NULL, 0.5).v, NAN, 0);
    near(compare_quantile(&s, 0.5).v, NAN, 0);
}

/* --- verdicts --- */

static const struct compare_line *line_of(const struct compare_result *r,
                                          const char *name, const char *unit)
{
    for (size_t i = 0; i < r->lines; i++)
        if (!strcmp(r->line[i].name, name) && !strcmp(r->line[i].unit, unit))
            return &r->line[i];
    fail_msg("no line %s", name);
    return NULL;
}

static void test_verdicts(void **state)
{
    /* Errors in calls of each arm, margin one point. */
    static const struct {
        uint64_t bad_a, n_a, bad_b, n_b;
        enum compare_verdict verdict;
    } rows[] = {
        { 500, 10000, 100, 10000, COMPARE_BETTER },
        { 100, 10000, 500, 10000, COMPARE_WORSE },
        { 100, 10000, 100, 10000, COMPARE_EQUAL }, /* ± 0.28 points */
        { 100, 10000, 10, 1000, COMPARE_EQUAL },   /* -0.5 .. +0.86 points */
        { 10, 100, 10, 100, COMPARE_NOT_YET },     /* ± 8 points */
        { 29, 29, 0, 29, COMPARE_NOT_YET },        /* 29 calls are none */
        { 30, 30, 0, 30, COMPARE_BETTER },
        { 0, 0, 0, 1000, COMPARE_NOT_YET },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct compare_case c = {
            .arm = { { .calls = rows[i].n_a, .failed = rows[i].bad_a },
                     { .calls = rows[i].n_b, .failed = rows[i].bad_b } },
            .hosted_canary = NAN,
            .hosted_full = NAN,
            .margin = 0.05,
            .rate_margin = 0.01
        };
        struct compare_result r;
        compare_judge(&c, &r);
        const struct compare_line *l = line_of(&r, "error_rate", "share");
        if (l->verdict != rows[i].verdict)
            fail_msg("row %zu: %s [%g, %g]", i, compare_verdict_name(l->verdict),
                     l->difference.lo, l->difference.hi);
        assert_int_equal(line_of(&r, "duration_p95", "s")->verdict, COMPARE_NOT_YET);
        near(line_of(&r, "duration_p95", "s")->needed, -1, 0);
        assert_int_equal(r.examples, rows[i].n_b);
    }
}

static struct compare_case week(struct compare_day *a, struct compare_day *b, size_t n)
{
    return (struct compare_case){
        .arm = { { .calls = 100 * n, .day = a, .days = n },
                 { .calls = 100 * n, .day = b, .days = n } },
        .hosted_canary = 0.05,
        .hosted_full = 0.002,
        .api_priced = true,
        .margin = 0.05,
        .rate_margin = 0.01,
        .quality_metric = "exact",
        .metric = { "exact" },
        .metrics = 1,
    };
}

static void test_cost_length_and_scores(void **state)
{
    struct compare_day a[7], b[7];
    struct compare_result r;
    (void)state;
    for (int i = 0; i < 7; i++) {
        a[i] = (struct compare_day){ 100, 1 + 0.01 * (i % 2), 5000 };
        b[i] = (struct compare_day){ 100, 0, 4000 };
    }
    struct compare_case c = week(a, b, 7);
    /* 900 of 1,000 against 940 of 1,000 pass; as values 1 and 0 the same */
    c.arm[0].score[0] = (struct compare_score){ 1000, 900, 900, 1000, 900 };
    c.arm[1].score[0] = (struct compare_score){ 1000, 940, 940, 1000, 940 };
    compare_judge(&c, &r);
    /* about one cent a call */
    assert_int_equal(line_of(&r, "cost_per_call_canary", "USD")->verdict, COMPARE_WORSE);
    assert_int_equal(line_of(&r, "cost_per_call_full", "USD")->verdict, COMPARE_BETTER);
    assert_int_equal(line_of(&r, "output_per_call", "tokens")->verdict,
                     COMPARE_DIFFERENT);
    /* +4 points, 95 %: 1.6 .. 6.4 points: better, and outside the margin of 5 */
    assert_int_equal(line_of(&r, "exact", "share")->verdict, COMPARE_BETTER);
    assert_int_equal(line_of(&r, "exact", "score")->verdict, COMPARE_BETTER);
    assert_int_equal(r.quality, COMPARE_BETTER);
    assert_int_equal(r.examples, 1000);
    uint64_t calls = c.arm[1].calls;
    c.arm[1].calls = 0; /* scores, but no calls */
    compare_judge(&c, &r);
    assert_int_equal(r.test, TEST_NOT_STARTED);
    c.arm[1].calls = calls;
    compare_judge(&c, &r); /* no errors on either side of so many: equal */
    assert_int_equal(r.test, TEST_PASSED);
    /* 940 of 1,000 pass, 95 %: .9236 to .9531 */
    static const struct {
        double target;
        enum compare_target state;
        enum test_state test;
    } targets[] = { { 0, COMPARE_TARGET_NONE, TEST_PASSED },
                    { 0.92, COMPARE_TARGET_MET, TEST_PASSED },
                    { 0.94, COMPARE_TARGET_OPEN, TEST_RUNNING },
                    { 0.96, COMPARE_TARGET_MISSED, TEST_FAILED } };
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        c.quality_target = targets[i].target;
        compare_judge(&c, &r);
        assert_int_equal(r.target, targets[i].state);
        assert_int_equal(r.test, targets[i].test);
    }
    c.quality_target = 0;
    c.arm[1].failed = 100; /* one in ten fails */
    compare_judge(&c, &r);
    assert_int_equal(r.test, TEST_FAILED);
    c.arm[1].failed = 0;
    c.arm[1].score[0] = (struct compare_score){ 999, 940, 940, 999, 940 };
    compare_judge(&c, &r);
    assert_int_equal(r.test, TEST_RUNNING);
    assert_non_null(strstr(r.reason, "fewer than 1,000"));
    c.arm[1].score[0] = (struct compare_score){ 1000, 700, 700, 1000, 700 };
    compare_judge(&c, &r);
    assert_int_equal(r.test, TEST_FAILED);
    /* an incomplete price proves nothing; six days are too few */
    c.api_priced = false;
    compare_judge(&c, &r);
    assert_int_equal(line_of(&r, "cost_per_call_full", "USD")->verdict, COMPARE_NOT_YET);
    c = week(a, b, 6);
    compare_judge(&c, &r);
    assert_int_equal(line_of(&r, "cost_per_call_full", "USD")->verdict, COMPARE_NOT_YET);
    assert_int_equal(r.quality, COMPARE_NOT_YET);
    near(line_of(&r, "cost_per_call_full", "USD")->needed, 7, 0);
}

static void test_sample_needed(void **state)
{
    /* Equal means, variance 1, 100 scores: half the width of the difference is
     * sqrt(2) x t(99) / 10 = 0.28061; a margin of 0.05 x 2 = 0.1 takes
     * 100 x 2.8061² = 787.4 scores, and that many give the verdict. */
    struct compare_case c = { .metric = { "m" },
                              .metrics = 1,
                              .margin = 0.05,
                              .hosted_canary = NAN,
                              .hosted_full = NAN };
    struct compare_result r;
    (void)state;
    for (int s = 0; s < 2; s++)
        c.arm[s].score[0] = (struct compare_score){ 100, 200, 499, 0, 0 };
    compare_judge(&c, &r);
    const struct compare_line *l = line_of(&r, "m", "score");
    assert_int_equal(l->verdict, COMPARE_NOT_YET);
    near(l->needed, 788, 1);
    for (int s = 0; s < 2; s++)
        c.arm[s].score[0] = (struct compare_score){ 800, 1600, 3999, 0, 0 };
    compare_judge(&c, &r);
    assert_int_equal(line_of(&r, "m", "score")->verdict, COMPARE_EQUAL);
    assert_int_equal(r.examples, 0); /* no quality metric: calls, and there are none */
    assert_string_equal(r.example_of, "calls");
}

/* --- coverage --- */

enum { REPEATS = 2000 };

static struct compare_value draw_rate(struct dice *d, double p, int n)
{
    uint64_t k = 0;
    for (int i = 0; i < n; i++)
        k += dice_uniform(d) < p;
    return compare_rate(k, (uint64_t)n);
}

static struct compare_value draw_mean(struct dice *d, double mean, int n)
{
    double sum = 0, sum2 = 0;
    for (int i = 0; i < n; i++) {
        double x = mean + dice_normal(d);
        sum += x;
        sum2 += x * x;
    }
    return compare_mean((uint64_t)n, sum, sum2);
}

/* Log-normal latencies, median 1 s. */
static struct compare_value draw_quantile(struct dice *d, double q, int n)
{
    struct sketch s = { 0 };
    for (int i = 0; i < n; i++)
        assert_int_equal(sketch_add(&s, (uint64_t)(1e6 * exp(dice_normal(d) / 2)), 1),
                         ST_OK);
    struct compare_value v = compare_quantile(&s, q);
    sketch_release(&s);
    return v;
}

static struct compare_value draw_ratio(struct dice *d, double usd, int n)
{
    struct compare_day day[64];
    for (int i = 0; i < n; i++) {
        double calls = 100 + floor(50 * dice_uniform(d));
        day[i] =
            (struct compare_day){ calls, calls * usd * (1 + 0.1 * dice_normal(d)), 0 };
    }
    return compare_ratio(&day->usd, &day->calls, (size_t)n, sizeof *day);
}

typedef struct compare_value draw_fn(struct dice *d, double parameter, int n);

static void test_coverage(void **state)
{
    static const struct {
        const char *what;
        draw_fn *draw;
        double a, b, difference; /* parameters of the arms, the truth */
        int n_a, n_b;
        double least, most;
    } rows[] = {
        { "rate 10 %", draw_rate, 0.1, 0.1, 0, 200, 200, 0.93, 0.98 },
        { "rate 1 % to 5 %", draw_rate, 0.05, 0.01, -0.04, 1000, 300, 0.93, 0.98 },
        { "mean", draw_mean, 3, 3.2, 0.2, 40, 40, 0.935, 0.97 },
        { "mean, uneven", draw_mean, 3, 3.2, 0.2, 400, 10, 0.935, 0.97 },
        { "median", draw_quantile, 0.5, 0.5, 0, 300, 300, 0.94, 1 },
        { "p95", draw_quantile, 0.95, 0.95, 0, 600, 600, 0.94, 1 },
        { "cost", draw_ratio, 0.01, 0.02, 0.01, 14, 14, 0.92, 0.98 },
    };
    const uint64_t seed = 20261123;
    struct dice d;
    (void)state;
    dice_init(&d, seed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int inside = 0;
        for (int k = 0; k < REPEATS; k++) {
            struct compare_value a = rows[i].draw(&d, rows[i].a, rows[i].n_a);
            struct compare_value b = rows[i].draw(&d, rows[i].b, rows[i].n_b);
            struct compare_value v = compare_difference(&a, &b);
            inside += v.lo <= rows[i].difference && rows[i].difference <= v.hi;
        }
        double share = (double)inside / REPEATS;
        print_message("seed %llu, %s: 95 %% intervals hold the truth in %.3f\n",
                      (unsigned long long)seed, rows[i].what, share);
        if (share < rows[i].least || share > rows[i].most)
            fail_msg("%s: coverage %.3f", rows[i].what, share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_cost_length_and_scores),
        cmocka_unit_test(test_sample_needed),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
