/*
 * The command line of `breakeven-agent scan`, and its help. Used by scan alone.
 */
#ifndef BREAKEVEN_SCAN_OPTIONS_H
#define BREAKEVEN_SCAN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/logline.h"
#include "agent/logrule.h"

enum { SCAN_KEYLOGS = 16 /* times that --tls-keylog may be given */ };

enum scan_output { SCAN_TABLE, SCAN_JSON, SCAN_CSV, SCAN_CALLS };

struct scan_options {
    enum scan_output output;
    bool all, no_dedup, progress, follow;
    enum logformat format;
    struct logrule_options rule;
    const char *fields;
    const char *prices, *provider;
    int64_t from_ns, to_ns; /* [from, to) */
    uint64_t window;
    const char *keylogs[SCAN_KEYLOGS];
    size_t n_keylogs;
};

/* Fills *o; the paths begin at argv[optind]. -1: go on; else the exit code, all said. */
int scan_options_parse(struct scan_options *o, int argc, char **argv);

/* "breakeven-agent scan: " and a sentence with `what` in it, to standard error; 2. */
int scan_options_wrong(const char *fmt, const char *what);

#endif
