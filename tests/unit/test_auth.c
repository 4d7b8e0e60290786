/* Tokens: scopes, globs and their overlaps, the file, a server that follows it. */
#include "testing.h"

#include "collector/auth.h"

static void test_scopes(void **state)
{
    (void)state;
    unsigned s;
    assert_true(auth_scopes_parse(SLICE("ingest"), &s) && s == SCOPE_INGEST);
    assert_true(auth_scopes_parse(SLICE("read, admin"), &s));
    assert_int_equal(s, SCOPE_READ | SCOPE_ADMIN);
    assert_false(auth_scopes_parse(SLICE(""), &s));
    assert_false(auth_scopes_parse(SLICE("ingest,"), &s));
    assert_false(auth_scopes_parse(SLICE("root"), &s));
}

static void test_globs(void **state)
{
    (void)state;
    static const struct {
        const char *globs, *agent;
        bool yes;
    } rows[] = {
        { "web-1", "web-1", true },
        { "web-1", "web-10", false },
        { "web-*", "web-", true },
        { "*", "anything", true },
        { "a,b*", "bee", true },
        { "a,b*", "c", false },
        { "*-db-*", "x-db-1", true },
        { "*-db-*", "x-db", false },
        { "", "", false },
        { "a*a", "a", false },
        { "a*a", "aa", true },
        { ",", "", false },
        { "*a*b*c", "xxaxxbxxbc", true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(auth_speaks_for(slice_str(rows[i].globs), slice_str(rows[i].agent)) ==
                  rows[i].yes,
              "%s %s", rows[i].globs, rows[i].agent);
}

/* Overlap of random globs against brute force over all short names. */
static void test_overlap(void **state)
{
    (void)state;
    struct rng rng = rng_open("overlap");
    static const char letters[] = "ab*";
    for (int i = 0; i < 3000; i++) {
        char a[6] = { 0 }, b[6] = { 0 };
        for (uint64_t n = 1 + rng_below(&rng, 4), k = 0; k < n; k++)
            a[k] = letters[rng_below(&rng, 3)];
        for (uint64_t n = 1 + rng_below(&rng, 4), k = 0; k < n; k++)
            b[k] = letters[rng_below(&rng, 3)];
        bool meet = false;
        for (int n = 0; n <= 8 && !meet; n++) {
            for (int bits = 0; bits < 1 << n && !meet; bits++) {
                char name[9] = { 0 };
                for (int k = 0; k < n; k++)
                    name[k] = bits >> k & 1 ? 'a' : 'b';
                meet = auth_speaks_for(slice_str(a), slice_str(name)) &&
                       auth_speaks_for(slice_str(b), slice_str(name));
            }
        }
        CHECK(auth_overlap(slice_str(a), slice_str(b)) == meet, "'%s' '%s'", a, b);
        CHECK(auth_overlap(slice_str(b), slice_str(a)) == meet, "'%s' '%s'", b, a);
    }
    assert_true(auth_overlap(SLICE("x,web-*"), SLICE("y,*-1")));
    assert_false(auth_overlap(SLICE("x,web-*"), SLICE("y,db-*")));
    assert_false(auth_overlap(SLICE(""), SLICE("*")));
}

static char *make_dir(void)
{
    char *dir = strdup("/tmp/breakeven-auth-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void drop_dir(char *dir)
{
    static const char *const files[] = { "tokens", "tokens.lock", "tokens.new" };
    char path[256];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
    free(dir);
}

static enum auth_answer ask(struct auth *a, const char *secret, enum scope scope,
                            int64_t now_ms, struct buf *agents)
{
    char header[128];
    snprintf(header, sizeof header, "Bearer %s", secret);
    return auth_check(a, slice_str(*secret ? header : ""), scope, now_ms, agents);
}

static void test_file(void **state)
{
    (void)state;
    char *dir = make_dir(), wrong[128];
    struct buf one = { 0 }, two = { 0 }, why = { 0 }, agents = { 0 };
    struct auth *a = auth_open(dir, NULL);
    assert_false(auth_any(a, 0));
    assert_int_equal(
        auth_add(dir, SLICE("web"), SCOPE_INGEST, SLICE("web-*"), 100, &one, &why),
        ST_OK);
    assert_int_equal(one.n, 4 + AUTH_SECRET_HEX);
    assert_int_equal(ask(a, buf_cstr(&one), SCOPE_INGEST, 1000, &agents), AUTH_OK);
    assert_string_equal(buf_cstr(&agents), "web-*");
    assert_int_equal(ask(a, buf_cstr(&one), SCOPE_READ, 1000, NULL), AUTH_SCOPE);
    assert_int_equal(ask(a, "", SCOPE_READ, 1000, NULL), AUTH_NO_TOKEN);
    snprintf(wrong, sizeof wrong, "%.*s", (int)one.n - 1, buf_cstr(&one));
    assert_int_equal(ask(a, wrong, SCOPE_INGEST, 1000, NULL), AUTH_WRONG);
    snprintf(wrong, sizeof wrong, "%s0", buf_cstr(&one));
    assert_int_equal(ask(a, wrong, SCOPE_INGEST, 1000, NULL), AUTH_WRONG);
    assert_int_equal(auth_check(a, SLICE("Basic Zm9v"), SCOPE_READ, 1000, NULL),
                     AUTH_WRONG);

    /* Nobody else may speak for a web-…; the answer names who does. */
    assert_int_equal(
        auth_add(dir, SLICE("x"), SCOPE_INGEST, SLICE("*-1"), 100, &two, &why),
        ST_EXISTS);
    assert_non_null(strstr(buf_cstr(&why), "web-*"));
    assert_int_equal(two.n, 0);
    buf_reset(&why);
    assert_int_equal(auth_add(dir, SLICE("x"), SCOPE_READ, SLICE("y"), 100, &two, &why),
                     ST_BAD);
    buf_reset(&why);
    assert_int_equal(auth_revoke(dir, SLICE("nobody"), 200, &why), ST_NOT_FOUND);
    buf_reset(&why);
    assert_int_equal(auth_revoke(dir, SLICE("web"), 200, &why), ST_OK);
    assert_int_equal(ask(a, buf_cstr(&one), SCOPE_INGEST, 2000, NULL), AUTH_WRONG);
    assert_int_equal(
        auth_add(dir, SLICE("x"), SCOPE_INGEST, SLICE("*-1"), 100, &two, &why), ST_OK);
    assert_int_equal(ask(a, buf_cstr(&two), SCOPE_INGEST, 3000, NULL), AUTH_OK);

    /* A damaged file changes nothing. The secret is not in it. */
    char path[256];
    snprintf(path, sizeof path, "%s/tokens", dir);
    FILE *f = fopen(path, "a+");
    char text[4096];
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    assert_null(strstr(text, buf_cstr(&two) + 4));
    fputs("{\"id\":", f);
    fclose(f);
    assert_int_equal(ask(a, buf_cstr(&two), SCOPE_INGEST, 4000, NULL), AUTH_OK);
    struct auth_set set;
    assert_int_equal(auth_load(dir, &set, &why), ST_BAD);
    assert_non_null(strstr(buf_cstr(&why), "tokens:3"));
    auth_release(&set);
    auth_close(a);
    buf_release(&one);
    buf_release(&two);
    buf_release(&why);
    buf_release(&agents);
    drop_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
