/* agent/delta: totals between commits, and the cap on series. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent/delta.h"

#define SECOND 1000000000ll
#define START  (1795003200ll * SECOND) /* a full hour */

static struct usage call(const char *model, int64_t ts_ns, uint64_t input)
{
    struct usage u;
    usage_init(&u);
    u.accounting = ACCOUNTING_CALL;
    u.model = slice_str(model);
    u.provider = SLICE("openai");
    u.ts_ns = ts_ns;
    usage_set(&u, USAGE_input, input);
    return u;
}

struct sums {
    uint64_t rows, calls, input, other;
};

static void see(void *arg, const struct rollup_key *key, const struct rollup *r)
{
    struct sums *s = arg;
    s->rows++;
    s->calls += r->calls;
    s->input += r->v[USAGE_input];
    if (slice_eq(key->name[ROLLUP_model], SLICE("other"))) {
        for (size_t i = 0; i < ROLLUP_NAMES_N; i++)
            assert_true(slice_eq(key->name[i], SLICE("other")));
        s->other += r->calls;
    }
}

static struct sums sum(const struct delta *d)
{
    struct sums s = { 0 };
    delta_each(d, see, &s);
    return s;
}

static void test_minutes(void **state)
{
    struct delta *d = delta_new(100, 1);
    (void)state;
    for (int i = 0; i < 300; i++) { /* 5 minutes, two models */
        struct usage u = call(i % 2 ? "a" : "b", START + i * SECOND, 10);
        assert_int_equal(delta_add(d, &u), ST_OK);
    }
    struct sums s = sum(d);
    assert_int_equal(s.rows, 10);
    assert_int_equal(s.calls, 300);
    assert_int_equal(s.input, 3000);
    delta_clear(d);
    assert_int_equal(sum(d).rows, 0);
    assert_int_equal(delta_stats(d).series, 2);
    delta_free(d);
}

static void test_no_time(void **state)
{
    struct delta *d = delta_new(100, 1);
    struct usage u = call("a", USAGE_NO_TIME, 1);
    (void)state;
    assert_int_equal(delta_add(d, &u), ST_BAD);
    assert_int_equal(sum(d).rows, 0);
    delta_free(d);
}

/* 10,000 models against a cap of 50: bounded rows, not a token lost. */
static void test_cap(void **state)
{
    struct delta *d = delta_new(50, 7);
    char name[32];
    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "model-%d", i);
        struct usage u = call(name, START, 3);
        assert_int_equal(delta_add(d, &u), ST_OK);
    }
    struct sums s = sum(d);
    assert_int_equal(s.rows, 51);
    assert_int_equal(s.calls, 10000);
    assert_int_equal(s.input, 30000);
    assert_int_equal(s.other, 9950);
    assert_int_equal(delta_stats(d).folded, 9950);
    delta_clear(d);
    /* Known ones stay themselves across a commit; two days later new ones have room. */
    struct usage u = call("model-7", START + SECOND, 1);
    delta_add(d, &u);
    assert_int_equal(sum(d).other, 0);
    u = call("model-new", START + 48 * 3600 * SECOND, 1);
    delta_add(d, &u);
    assert_int_equal(sum(d).other, 0);
    assert_int_equal(delta_stats(d).series, 1);
    delta_free(d);
}

static void test_many(void **state)
{
    struct delta *d = delta_new(1000000, 9);
    char name[32];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20000; i++) {
            snprintf(name, sizeof name, "m%d", i % 5000);
            struct usage u = call(name, START + i % 3 * 60 * SECOND, 1);
            assert_int_equal(delta_add(d, &u), ST_OK);
        }
        assert_int_equal(sum(d).calls, 20000);
        assert_int_equal(sum(d).rows, 15000);
        delta_clear(d);
    }
    assert_int_equal(delta_stats(d).folded, 0);
    delta_free(d);
}

/* While the spool is full: into what is there, or not at all. */
static void test_fold(void **state)
{
    struct delta *d = delta_new(100, 1);
    struct usage u = call("a", START, 10);
    (void)state;
    assert_int_equal(delta_fold(d, &u), ST_FULL);
    assert_int_equal(delta_add(d, &u), ST_OK);
    u.ts_ns += 7 * 60 * SECOND; /* another minute of the same hour */
    assert_int_equal(delta_fold(d, &u), ST_OK);
    assert_int_equal(sum(d).rows, 1);
    assert_int_equal(sum(d).calls, 2);
    assert_int_equal(sum(d).input, 20);
    u.ts_ns += 3600 * SECOND;
    assert_int_equal(delta_fold(d, &u), ST_FULL);
    u = call("b", START, 10);
    assert_int_equal(delta_fold(d, &u), ST_FULL);
    assert_int_equal(sum(d).calls, 2);
    delta_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minutes), cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_cap),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
