/*
 * The readable report: who used what in the last days, what it cost, where it goes. Pure
 * text making from query results and stored projections; report_cmd.c is its shell.
 * Refuses: a cost without its gaps. Unpriced shows as "unpriced", never as $0.
 */
#ifndef BREAKEVEN_REPORT_H
#define BREAKEVEN_REPORT_H

#include "collector/query.h"

enum { REPORT_DAYS_MAX = 92 };

/*
 * Table of `daily` (grain day, grouped by provider and model; sorted as query_usage
 * sorts), the days [first, first + days) of Unix days, one line a model, dearest first,
 * with a sparkline of daily cost (of calls where it has no price), a total, and notes on
 * what is missing. ST_NOMEM when the arena is full.
 */
enum status report_usage(const struct query_result *daily, int64_t first, unsigned days,
                         struct arena *a, struct buf *out);

/*
 * "▁▃█" for n values, scaled to the largest; a blank for a value of zero or less. Values
 * that are not finite count as zero.
 */
void report_sparkline(const double *v, size_t n, struct buf *out);

/* 950, 12.3k, 4.56M, 7.89G, … three significant digits, at most 6 columns. */
void report_count(uint64_t v, struct buf *out);

/* Dollars with thousands separated and two decimals: "$1,234.50"; under $0.01: "<$0.01".
 */
void report_money(price_pico pico, struct buf *out);

/*
 * Text of foreign origin for a terminal: control bytes and invalid UTF-8 become '?'; at
 * most `columns` code points, cut with "…"; padded with blanks to `columns`.
 */
void report_name(struct slice s, unsigned columns, struct buf *out);

#endif
