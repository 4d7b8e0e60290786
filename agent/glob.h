/*
 * File patterns as a shell's, with two stars as a path component for any number of
 * folders: in one component *, ? and [...] work as in glob(7), and a leading dot must be
 * matched literally. Pure text matching: walking the tree is tail_walk's. Also knows how
 * rotated files are named. Fed by source_tail and by check with the config's patterns.
 *
 * Refuses: braces, ~ and variables.
 */
#ifndef BREAKEVEN_GLOB_H
#define BREAKEVEN_GLOB_H

#include "common/slice.h"

/* Does the whole path match? Both are NUL-terminated, without a trailing slash. */
bool glob_match(const char *pattern, const char *path);

/* Can a file below this folder match, so that the folder is worth a look? */
bool glob_enters(const char *pattern, const char *folder);

/* The leading components without wildcards: where a walk begins. "/a" for "/a/b*.log";
 * "/" or "." when the first component has a wildcard; the folder for a plain file name.
 */
struct slice glob_base(const char *pattern);

/* Does the pattern hold a wildcard at all? */
bool glob_wild(const char *pattern);

/*
 * Exclude patterns: one with a slash matches the whole path, one without the file name.
 */
bool glob_excludes(const char *pattern, const char *path);

/*
 * The name that a rotated file had before: without ".gz", then without a suffix of
 * digits, dates and ".old" ("app.log.1.gz", "app.log-20261123", "app.log.old" ->
 * "app.log"). An empty slice when `name` does not look rotated. Borrows from `name`; may
 * be a path.
 */
struct slice glob_unrotated(const char *name);

/* Ends in ".gz". */
bool glob_gz(const char *name);

#endif
