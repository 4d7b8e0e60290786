/* agent/glob: patterns of paths, and the names that rotation gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/glob.h"

static const struct {
    const char *pattern, *path;
    bool match, enters; /* enters: path taken as a folder */
} paths[] = {
    { "/var/log/a.log", "/var/log/a.log", true, false },
    { "/var/log/a.log", "/var/log", false, true },
    { "/var/log/*.log", "/var/log/a.log", true, false },
    { "/var/log/*.log", "/var/log/sub/a.log", false, false },
    { "/var/log/*.log", "/var/log/.a.log", false, false },
    { "/var/log/.*.log", "/var/log/.a.log", true, false },
    { "/var/log/*/x?.[jl]*", "/var/log/pod/x1.json", true, false },
    { "/var/log/*/x?.[jl]*", "/var/log/pod", false, true },
    { "/srv/**/a.log", "/srv/a.log", true, true },
    { "/srv/**/a.log", "/srv/1/2/3/a.log", true, true },
    { "/srv/**/a.log", "/srv/1/2/3", false, true },
    { "/srv/**/a.log", "/srv/1/.hidden/a.log", false, false },
    { "/srv/**/log/*.log", "/srv/log/1/log/2/log/x.log", true, true },
    { "/srv/**/log/*.log", "/srv/log/1/log/2/lag/x.log", false, true },
    { "/srv/**/a/**/b", "/srv/a/a/b/b", true, true },
    { "/srv/**/a/**/b", "/srv/b/b", false, true },
    { "/srv/**", "/srv/anything/at/all", true, true },
    { "/srv/**", "/srw/x", false, false },
    { "logs/*.log", "logs/a.log", true, false },
    { "logs/*.log", "/logs/a.log", false, false },
    { "*.log", "a.log", true, false },
    { "/", "/", true, false },
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (glob_match(paths[i].pattern, paths[i].path) != paths[i].match ||
            glob_enters(paths[i].pattern, paths[i].path) != paths[i].enters)
            fail_msg("%s against %s", paths[i].pattern, paths[i].path);
    }
}

static const struct {
    const char *name, *was;
} rotated[] = {
    { "app.log", "" },
    { "app.log.1", "app.log" },
    { "/x/app.log.12", "/x/app.log" },
    { "app.log.1.gz", "app.log" },
    { "app.log.gz", "app.log" },
    { "app.log-20261123", "app.log" },
    { "app.log-20261123.gz", "app.log" },
    { "app.log.2026-11-23T10:00:00Z", "app.log" },
    { "app.log.old", "app.log" },
    { "app2", "" },
    { "app.log2", "" },
    { "app.log.bak", "" },
    { "app.log.tmp", "" },
    { "app.log.", "" },
    { "/x/2026", "" },
    { "/x/.1", "" },
    { "", "" },
    { ".gz", "" },
};

static void test_rotated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rotated / sizeof *rotated; i++) {
        if (!slice_eq(glob_unrotated(rotated[i].name), slice_str(rotated[i].was)))
            fail_msg("%s: '%.*s'", rotated[i].name,
                     SLICE_FMT(glob_unrotated(rotated[i].name)));
    }
}

static void test_base(void **state)
{
    static const char *const rows[][2] = {
        { "/var/log/*.log", "/var/log" },
        { "/var/log/a.log", "/var/log" },
        { "/var/*/log/a.log", "/var" },
        { "/*.log", "/" },
        { "/var/log/**/a*/b.log", "/var/log" },
        { "*.log", "." },
        { "logs/a.log", "logs" },
        { "/a.log", "/" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!slice_eq(glob_base(rows[i][0]), slice_str(rows[i][1])))
            fail_msg("%s: '%.*s'", rows[i][0], SLICE_FMT(glob_base(rows[i][0])));
    }
}

static void test_excludes(void **state)
{
    (void)state;
    assert_true(glob_excludes("*.tmp", "/a/b/c.tmp"));
    assert_false(glob_excludes("*.tmp", "/a/b.tmp/c"));
    assert_true(glob_excludes("/a/**/c*", "/a/b/d/c.log"));
    assert_false(glob_excludes("/b/**", "/a/b/c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_rotated),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_excludes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
