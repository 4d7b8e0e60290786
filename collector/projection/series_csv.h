/*
 * Series as text: `id,m,season,h,start,n,v1,...,vn` lines under a header of those names,
 * oldest value first, NA or nothing for a missing value. Read by the `forecast` command.
 *
 * Refuses, with the field and the reason: quotes, a count that does not match the values,
 * numbers that are not finite decimals.
 */
#ifndef BREAKEVEN_PROJECTION_SERIES_CSV_H
#define BREAKEVEN_PROJECTION_SERIES_CSV_H

#include "common/arena.h"
#include "common/buf.h"

enum {
    SERIES_CSV_VALUES_MAX = 1000000,
    SERIES_CSV_HORIZON_MAX = 10000,
    SERIES_CSV_SEASON_MAX = 100000,
};

struct series_line {
    struct slice id; /* borrows from the line */
    int m;           /* lag of the naive scale; not used by us */
    int season, horizon;
    int n;
    double *y; /* n values of the arena; NAN = missing */
};

/* The header, without line end: is it ours? */
bool series_csv_header(struct slice line);

/* One line, without line end. ST_BAD with the reason in `why`; ST_NOMEM: the arena. */
enum status series_csv_line(struct slice line, struct arena *a, struct series_line *out,
                            struct buf *why);

#endif
