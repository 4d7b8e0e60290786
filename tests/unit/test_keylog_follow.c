/* agent/keylog_follow: files that appear, grow, rotate, shrink, or cannot be read. */
#include "testing.h"

#include "agent/keylog_follow.h"

#include <sys/stat.h>

static char dir[] = "/tmp/breakeven-keylog-XXXXXX";

static const char *path(const char *name)
{
    static char text[4][128];
    static unsigned at;
    char *p = text[at++ % 4];
    snprintf(p, sizeof text[0], "%s/%s", dir, name);
    return p;
}

/* A line of the format for connection `i`, in two halves if `cut`. */
static void put(const char *name, const char *mode, unsigned i, int half)
{
    char line[256];
    int n = snprintf(line, sizeof line, "CLIENT_RANDOM %064x %096x\n", i, i);
    FILE *f = fopen(path(name), mode);
    assert_non_null(f);
    int from = half == 2 ? n / 2 : 0, to = half == 1 ? n / 2 : n;
    fwrite(line + from, 1, (size_t)(to - from), f);
    fclose(f);
    assert_int_equal(chmod(path(name), 0600), 0);
}

static bool knows(struct secrets *s, unsigned i)
{
    char random[SECRET_RANDOM_BYTES] = { 0 };
    for (int b = 0; b < 4; b++)
        random[31 - b] = (char)(i >> 8 * b);
    return secrets_get(s, slice_of(random, sizeof random), SECRET_MASTER).n > 0;
}

static void look(struct keylog_follow *f, int64_t now_ms)
{
    keylog_follow_scan(f, now_ms);
    keylog_follow_read(f, now_ms);
}

static void test_life(void **state)
{
    char kept[128];
    const char *pattern = strcpy(kept, path("*.keys"));
    const struct yaml_strings patterns = { &pattern, 1 }, none = { NULL, 0 };
    struct secrets *s = secrets_new(100, 1);
    struct keylog_follow *f = keylog_follow_new(&patterns, &none, 3, s, NULL);
    (void)state;
    put("a.keys", "w", 1, 0);
    look(f, 0);
    assert_true(knows(s, 1));
    put("a.keys", "a", 2, 1); /* half a line waits for the other */
    keylog_follow_read(f, 1);
    assert_false(knows(s, 2));
    put("a.keys", "a", 2, 2);
    keylog_follow_read(f, 2);
    assert_true(knows(s, 2));
    /* renamed, and written on by who does not know; a new one takes its name */
    assert_int_equal(rename(path("a.keys"), path("a.keys.1")), 0);
    put("a.keys", "w", 3, 0);
    put("a.keys.1", "a", 4, 0);
    look(f, 700000);
    assert_true(knows(s, 3) && knows(s, 4));
    put("a.keys.1", "a", 5, 0);
    look(f, 800000);
    assert_true(knows(s, 5));
    /* copytruncate */
    assert_int_equal(truncate(path("a.keys"), 0), 0);
    keylog_follow_read(f, 800001);
    put("a.keys", "a", 6, 0);
    keylog_follow_read(f, 800002);
    assert_true(knows(s, 6));
    /* deleted and still written to */
    FILE *open_still = fopen(path("a.keys"), "a");
    unlink(path("a.keys"));
    fprintf(open_still, "CLIENT_RANDOM %064x %096x\n", 7, 7);
    fclose(open_still);
    look(f, 800003);
    assert_true(knows(s, 7));
    /* the limit: a nameless one makes room, one more does not fit */
    put("b.keys", "w", 8, 0);
    put("c.keys", "w", 9, 0);
    put("d.keys", "w", 10, 0);
    look(f, 800004);
    look(f, 800005);
    assert_int_equal(keylog_follow_stats(f).files, 3);
    assert_int_equal(keylog_follow_stats(f).over_limit, 1);
    assert_int_equal(keylog_follow_stats(f).open_to_all, 0);
    assert_int_equal(chmod(path("b.keys"), 0644), 0);
    look(f, 800006);
    assert_true(keylog_follow_stats(f).open_to_all <= 1);
    keylog_follow_free(f);
    secrets_free(s);
    for (const char *const *n =
             (const char *const[]){ "a.keys.1", "b.keys", "c.keys", "d.keys", NULL };
         *n; n++)
        unlink(path(*n));
}

/* What stands there at the start is read from its last 64 KiB, at a line's begin. */
static void test_old(void **state)
{
    char kept[128];
    const char *pattern = strcpy(kept, path("old.keys"));
    const struct yaml_strings patterns = { &pattern, 1 }, none = { NULL, 0 };
    struct secrets *s = secrets_new(10000, 1);
    (void)state;
    for (unsigned i = 1; i <= 1000; i++)
        put("old.keys", i == 1 ? "w" : "a", i, 0);
    struct keylog_follow *f = keylog_follow_new(&patterns, &none, 3, s, NULL);
    look(f, 0);
    assert_true(knows(s, 1000) && !knows(s, 1));
    assert_int_equal(secrets_count(s), 65536 / 176);
    keylog_follow_free(f);
    unlink(path("old.keys"));
    secrets_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_life),
                                        cmocka_unit_test(test_old) };
    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
