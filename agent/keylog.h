/*
 * Reader of the NSS key log format (SSLKEYLOGFILE), a feeder of the secret store:
 * "LABEL <client random, 32 bytes in hex> <secret in hex>" lines. Incremental: fed with
 * any bytes, cut anywhere. Lines of no use to us are counted as ignored, lines outside
 * the format as bad; neither ends the reading. What it held of a line is zeroed after
 * use.
 */
#ifndef BREAKEVEN_KEYLOG_H
#define BREAKEVEN_KEYLOG_H

#include "agent/secrets.h"

enum { KEYLOG_LINE_BYTES = 512 }; /* the longest of the format we read has 196 */

struct keylog {
    struct secrets *into; /* borrowed */
    char line[KEYLOG_LINE_BYTES];
    size_t n;
    bool overlong;    /* the line at hand is over the limit: skip to its end */
    uint64_t secrets; /* lines put into the store */
    uint64_t ignored; /* comments, blank lines, labels that open no traffic of ours */
    uint64_t bad;     /* lines outside the format, or over the limit */
    uint64_t lost;    /* good lines the store had no memory for */
};

void keylog_init(struct keylog *k, struct secrets *into);

/* The next bytes of the file. */
void keylog_feed(struct keylog *k, struct slice bytes);

/* The file ends here: a last line without its newline counts. Zeroes the line; the
 * counters stay, and k may be fed again with another file. */
void keylog_finish(struct keylog *k);

/*
 * A whole file, once, then keylog_finish. ST_NOT_FOUND, ST_DENIED or ST_IO with errno
 * set; what was read before the error counts.
 */
enum status keylog_load(struct keylog *k, const char *path);

#endif
