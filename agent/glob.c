/* File patterns: see glob.h. fnmatch(3) judges one component, this file the path. */
#include "agent/glob.h"

#include <fnmatch.h>
#include <stdio.h>

enum { COMPONENT_MAX = 256 }; /* NAME_MAX + 1 */

/* Cut the first component off *path into `out`; false at the end or when it is too long.
 */
static bool next_component(const char **path, char *out)
{
    const char *p = *path;
    while (*p == '/')
        p++;
    size_t n = strcspn(p, "/");
    if (n == 0 || n >= COMPONENT_MAX)
        return false;
    memcpy(out, p, n);
    out[n] = '\0';
    *path = p + n;
    return true;
}

/*
 * Match component by component; `prefix`: the path may end before the pattern does. A **
 * that failed with k folders is tried with k + 1, so one level of memory is enough: a
 * later ** makes the earlier one's choice final.
 */
static bool match_path(const char *pattern, const char *path, bool prefix)
{
    char want[COMPONENT_MAX], have[COMPONENT_MAX];
    const char *star = NULL, *retry = NULL;
    if ((*pattern == '/') != (*path == '/'))
        return false;
    for (;;) {
        const char *p = pattern;
        bool more = next_component(&p, want);
        if (more && strcmp(want, "**") == 0) {
            star = pattern = p;
            retry = path;
            continue;
        }
        const char *q = path;
        if (!next_component(&q, have))
            return prefix ? more || star : !more;
        if (more && fnmatch(want, have, FNM_PERIOD) == 0) {
            pattern = p;
            path = q;
            continue;
        }
        if (!star || !next_component(&retry, have) || have[0] == '.')
            return false;
        pattern = star;
        path = retry;
    }
}

bool glob_match(const char *pattern, const char *path)
{
    return match_path(pattern, path, false);
}

bool glob_enters(const char *pattern, const char *folder)
{
    return match_path(pattern, folder, true);
}

bool glob_wild(const char *pattern)
{
    return strpbrk(pattern, "*?[") != NULL;
}

struct slice glob_base(const char *pattern)
{
    size_t end = strcspn(pattern, "*?[");
    while (end > 0 && pattern[end - 1] != '/')
        end--;
    if (end == 0)
        return SLICE(".");
    return (struct slice){ pattern, end > 1 ? end - 1 : 1 };
}

bool glob_excludes(const char *pattern, const char *path)
{
    if (strchr(pattern, '/'))
        return glob_match(pattern, path);
    const char *slash = strrchr(path, '/');
    return fnmatch(pattern, slash ? slash + 1 : path, 0) == 0;
}

bool glob_gz(const char *name)
{
    return slice_ends(slice_str(name), SLICE(".gz"));
}

struct slice glob_unrotated(const char *name)
{
    struct slice s = slice_str(name);
    bool gz = slice_ends(s, SLICE(".gz"));
    if (gz)
        s.n -= 3;
    if (slice_ends(s, SLICE(".old")))
        return slice_head(s, s.n - 4);
    size_t end = s.n, digits = 0;
    while (end > 0 && strchr("0123456789.-_:TZ", s.p[end - 1])) {
        digits += s.p[end - 1] >= '0' && s.p[end - 1] <= '9';
        end--;
    }
    /* The suffix begins with a separator: "log2" is a name, "log.2" is rotated. */
    while (end < s.n && !strchr(".-_", s.p[end]))
        end++;
    if (end < s.n && end > 0 && digits > 0 && s.p[end - 1] != '/')
        return slice_head(s, end);
    return gz && s.n > 0 ? s : SLICE("");
}
