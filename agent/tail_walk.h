/*
 * Walks the file trees that patterns name. Used by source_tail at every scan and by
 * check. Follows symbolic links (never into a folder that it stands in); hands out
 * regular files only. Refuses: deciding what a file is.
 */
#ifndef BREAKEVEN_TAIL_WALK_H
#define BREAKEVEN_TAIL_WALK_H

#include "common/yaml.h"

#include <sys/stat.h>

struct tail_walk {
    void *arg;
    /* Before a folder is read: the moment to watch it. May be NULL. */
    void (*folder)(void *arg, const char *path);
    /* `sibling`: no pattern matches it, but the name that it had before rotation. */
    void (*file)(void *arg, const char *path, const struct stat *st, bool sibling);
    /* A folder that stands there and cannot be read; errno says why. May be NULL. */
    void (*denied)(void *arg, const char *path);
};

/* Every file of one pattern, less the excluded ones. A file may come more than once. */
void tail_walk(const char *pattern, const struct yaml_strings *exclude,
               const struct tail_walk *on);

#endif
