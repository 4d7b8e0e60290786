/*
 * A daily series seen 6 to 24 months ahead. Daily models go astray over such horizons, so
 * days are summed first: into weeks, or into blocks of four weeks from two years of
 * history on (whole weeks, so every block has the same days of the week); "last month,
 * again" is always one of the models. Under 90 days there is no model but that one, with
 * widening intervals. Fed by the job with volumes (not money).
 *
 * Refuses: fewer than 14 days (ST_BAD); undamped daily trends.
 */
#ifndef BREAKEVEN_PROJECTION_OUTLOOK_H
#define BREAKEVEN_PROJECTION_OUTLOOK_H

#include "collector/projection/paths.h"

enum { OUTLOOK_LEAST_DAYS = 14, OUTLOOK_SHORT_DAYS = 90, OUTLOOK_LONG_DAYS = 730 };

struct outlook {
    struct forecast f; /* of blocks: totals of `block` days each, from the day after */
    int block;         /* 7 or 28 days */
    bool short_history;
    double shape[8]; /* share of a week's total in its first 0..7 days */
};

/*
 * day: n daily volumes, oldest first, NAN = missing; days: how far to look ahead (>= 1).
 * ST_BAD: under 14 days, or nothing known in them.
 */
enum status outlook_make(const double *day, int n, int days, struct arena *a,
                         struct outlook *out);

/*
 * Volume of days [from, to) after the last one (0-based, within the horizon), of a row of
 * block totals: o->f.point or a sample path.
 */
double outlook_volume(const struct outlook *o, const double *row, int from, int to);

/* Days [from, to). */
struct outlook_span {
    int from, to;
};

/* The same of n spans: out[i * stride]. `work` is room for o->f.h + 1 values. */
void outlook_volumes(const struct outlook *o, const double *row,
                     const struct outlook_span *span, int n, double *work, double *out,
                     size_t stride);

#endif
