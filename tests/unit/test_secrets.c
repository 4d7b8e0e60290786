/* agent/secrets: bounded, least recently used goes first, zeroed when it goes. */
#include "testing.h"

#include "agent/secrets.h"

static struct slice random_of(unsigned i, char out[32])
{
    memset(out, 0, 32);
    memcpy(out, &i, sizeof i);
    return slice_of(out, 32);
}

static void put(struct secrets *s, unsigned i, const char *secret)
{
    char r[32];
    assert_int_equal(secrets_put(s, random_of(i, r), SECRET_MASTER, slice_str(secret)),
                     ST_OK);
}

static bool has(struct secrets *s, unsigned i, const char *secret)
{
    char r[32];
    return slice_eq(secrets_get(s, random_of(i, r), SECRET_MASTER), slice_str(secret));
}

static void test_lru(void **state)
{
    (void)state;
    struct secrets *s = secrets_new(3, 7);
    put(s, 1, "one");
    put(s, 2, "two");
    put(s, 3, "three");
    assert_true(has(s, 1, "one")); /* used: 2 is the oldest now */
    put(s, 4, "four");
    assert_true(has(s, 1, "one") && has(s, 3, "three") && has(s, 4, "four"));
    assert_true(has(s, 2, ""));
    assert_int_equal(secrets_count(s), 3);
    assert_int_equal(secrets_evicted(s), 1);
    uint64_t before = secrets_version(s);
    put(s, 3, "3");
    assert_true(has(s, 3, "3") && secrets_version(s) > before);
    char r[32];
    assert_int_equal(secrets_get(s, random_of(3, r), SECRET_CLIENT_TRAFFIC).n,
                     0); /* another kind */
    secrets_free(s);
}

static void test_refused(void **state)
{
    (void)state;
    struct secrets *s = secrets_new(1, 7);
    char r[32], big[49] = { 1 };
    struct slice random = random_of(1, r);
    assert_int_equal(secrets_put(s, slice_head(random, 31), SECRET_MASTER, SLICE("x")),
                     ST_BAD);
    assert_int_equal(secrets_put(s, random, SECRET_MASTER, SLICE("")), ST_BAD);
    assert_int_equal(secrets_put(s, random, SECRET_MASTER, slice_of(big, 49)), ST_BAD);
    assert_int_equal(secrets_get(s, SLICE("short"), SECRET_MASTER).n, 0);
    assert_int_equal(secrets_count(s), 0);
    assert_int_equal(secrets_version(s), 0);
    secrets_free(s);
    secrets_free(NULL);
}

/* Against a plain array, with more connections than room. */
static void test_random(void **state)
{
    (void)state;
    enum { MOST = 17, IDS = 40, STEPS = 20000 };
    struct rng rng = rng_open("secrets");
    uint64_t used[IDS] = { 0 }; /* step of the last use; 0: not in there */
    struct secrets *s = secrets_new(MOST, rng_next(&rng));
    for (uint64_t step = 1; step <= STEPS; step++) {
        unsigned id = (unsigned)rng_below(&rng, IDS), oldest = IDS, count = 0;
        char text[2] = { (char)('a' + id % 26), 0 };
        if (rng_below(&rng, 2)) {
            for (unsigned i = 0; i < IDS; i++) {
                count += used[i] != 0;
                if (used[i] && (oldest == IDS || used[i] < used[oldest]))
                    oldest = i;
            }
            if (!used[id] && count == MOST)
                used[oldest] = 0;
            put(s, id, text);
            used[id] = step;
        } else {
            assert_true(has(s, id, used[id] ? text : ""));
            used[id] = used[id] ? step : 0;
        }
    }
    secrets_free(s);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* What was evicted is gone: looked for in the freed block itself, which the allocator
 * hands out again. */
static void test_zeroed(void **state)
{
    (void)state;
    static const char mark[] = "MARKER-of-a-secret-to-be-zeroed-on-eviction-now";
    struct secrets *s = secrets_new(1, 7);
    put(s, 1, mark);
    char r[32];
    volatile const char *at = secrets_get(s, random_of(1, r), SECRET_MASTER).p;
    size_t n = sizeof mark - 1;
    secrets_free(s);
    void *again = malloc(1); /* keeps the heap in place */
    size_t same = 0;
    for (size_t i = 0; i < n; i++)
        same += at[i] == mark[i];
    free(again);
    assert_true(same < n / 4);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lru),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_random),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(test_zeroed),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
