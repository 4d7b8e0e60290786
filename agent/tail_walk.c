/* Walking file trees: see tail_walk.h. A shell file. */
#include "agent/tail_walk.h"

#include "agent/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { DEPTH_MAX = 32 };

/* The folders that we stand in, from the deepest up. */
struct above {
    const struct above *up;
    dev_t dev;
    ino_t ino;
    unsigned depth;
};

struct walk {
    const char *pattern;
    const struct yaml_strings *exclude;
    const struct tail_walk *on;
};

static bool excluded(const struct walk *w, const char *path)
{
    for (size_t i = 0; i < w->exclude->n; i++) {
        if (glob_excludes(w->exclude->at[i], path))
            return true;
    }
    return false;
}

enum wanted { WANTED_NO, WANTED_MATCH, WANTED_SIBLING };

static enum wanted wanted(const struct walk *w, const char *path)
{
    char before[PATH_MAX];
    if (glob_match(w->pattern, path))
        return WANTED_MATCH;
    struct slice name = glob_unrotated(path);
    if (name.n == 0 || name.n >= sizeof before)
        return WANTED_NO;
    memcpy(before, name.p, name.n);
    before[name.n] = '\0';
    return glob_match(w->pattern, before) ? WANTED_SIBLING : WANTED_NO;
}

static bool stands_in(const struct above *a, const struct stat *st)
{
    for (; a; a = a->up) {
        if (a->dev == st->st_dev && a->ino == st->st_ino)
            return true;
    }
    return false;
}

static void walk_folder(const struct walk *w, const char *folder, const struct above *up);

static void walk_entry(const struct walk *w, DIR *d, const struct dirent *e,
                       const char *folder, const struct above *here)
{
    char path[PATH_MAX];
    struct stat st;
    bool root = strcmp(folder, "/") == 0, dot = strcmp(folder, ".") == 0;
    int n = snprintf(path, sizeof path, "%s%s%s", root || dot ? "" : folder,
                     dot ? "" : "/", e->d_name);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    bool enter = e->d_type != DT_REG && glob_enters(w->pattern, path);
    enum wanted want = e->d_type == DT_DIR ? WANTED_NO : wanted(w, path);
    if ((!enter && want == WANTED_NO) || fstatat(dirfd(d), e->d_name, &st, 0) != 0 ||
        excluded(w, path))
        return;
    if (S_ISREG(st.st_mode) && want != WANTED_NO)
        w->on->file(w->on->arg, path, &st, want == WANTED_SIBLING);
    else if (S_ISDIR(st.st_mode) && enter && !stands_in(here, &st))
        walk_folder(w, path, here);
}

static void walk_folder(const struct walk *w, const char *folder, const struct above *up)
{
    struct stat st;
    unsigned depth = up ? up->depth + 1 : 0;
    if (depth > DEPTH_MAX)
        return;
    if (w->on->folder)
        w->on->folder(w->on->arg, folder);
    DIR *d = opendir(folder);
    if (!d || fstat(dirfd(d), &st) != 0) {
        if (!d && errno != ENOENT && errno != ENOTDIR && w->on->denied)
            w->on->denied(w->on->arg, folder);
        if (d)
            closedir(d);
        return;
    }
    struct above here = { up, st.st_dev, st.st_ino, depth };
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            walk_entry(w, d, e, folder, &here);
    }
    closedir(d);
}

void tail_walk(const char *pattern, const struct yaml_strings *exclude,
               const struct tail_walk *on)
{
    char base[PATH_MAX];
    struct slice b = glob_base(pattern);
    if (b.n >= sizeof base)
        return;
    memcpy(base, b.p, b.n);
    base[b.n] = '\0';
    walk_folder(&(struct walk){ pattern, exclude, on }, base, NULL);
}
