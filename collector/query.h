/*
 * Usage as people ask for it: grouped, priced, sorted. Sums the partial totals of a store
 * scan; each is priced by its own day, tier, region and context bucket before the
 * grouping, so a sum over models or months is exact. Feeds api, export, metrics, report
 * and the projection.
 *
 * Refuses: a cost without saying what is missing from it. Sums saturate, never wrap.
 */
#ifndef BREAKEVEN_QUERY_H
#define BREAKEVEN_QUERY_H

#include "collector/store.h"
#include "common/price.h"

struct query_row {
    int64_t time; /* start of the grain's bucket, Unix seconds; 0 for STORE_TOTAL */
    const struct slice *dim; /* the grouped dimensions in the order of enum store_dim */
    uint64_t calls, v[USAGE_N];
    uint64_t peak_calls, peak_tokens;        /* of the busiest minute of one series */
    uint64_t calls_estimated, calls_missing; /* of `calls`: quality is not exact */
    uint64_t calls_failed;                   /* of `calls`: outcome is not ok */
    price_pico cost;                         /* of what has a price */
    struct price_stated stated;              /* what providers stated, beside ours */
    uint64_t calls_unpriced;  /* of `calls`: the model has no price that day */
    uint64_t tokens_unpriced; /* their tokens of all classes */
    uint32_t series;   /* smallest number of a series in it: the order of arrival */
    uint32_t group;    /* equal within a query: equal dimensions; from 0, without gaps */
    uint32_t unpriced; /* bit f: some v[f] of a priced model has no price: lower bound */
};

/* Is the cost the whole cost? */
static inline bool query_priced(const struct query_row *r)
{
    return r->calls_unpriced == 0 && r->unpriced == 0;
}

/* Is anything known of the cost? Nothing sent costs nothing; unpriced is not free. */
static inline bool query_cost_known(const struct query_row *r)
{
    return r->cost > 0 || r->calls_unpriced < r->calls || r->calls == 0;
}

struct query_result {
    struct query_row *row; /* sorted by time, then dimensions; memory of the arena */
    size_t rows;
    uint32_t group;
};

/*
 * Run q. `book` may be NULL: everything is unpriced. Rows, dimensions and all memory come
 * from `a`; ST_LIMIT when its ceiling is hit (ask for less).
 */
enum status query_usage(struct store *s, const struct price_book *book,
                        const struct store_query *q, struct arena *a,
                        struct query_result *out);

/*
 * The same rows in the same order, handed out one by one (borrowed during the call): in
 * memory are one bucket of time and, in `names`, the dimensions. ST_END of fn ends it and
 * is no error.
 */
typedef enum status query_row_fn(void *arg, const struct query_row *row);
enum status query_groups(struct store *s, const struct price_book *book,
                         const struct store_query *q, struct arena *names,
                         query_row_fn *fn, void *arg);

/*
 * The same without grouping: fn gets each scanned row with its measures as a query_row of
 * its own (time of the grain's bucket, dim NULL). In the order of the scan; for folds
 * that need not hold every group.
 */
typedef enum status query_each_fn(void *arg, const struct store_row *row,
                                  const struct query_row *measures);
enum status query_each(struct store *s, const struct price_book *book,
                       const struct store_query *q, query_each_fn *fn, void *arg);

/* The value of dimension d in a row of `result`; empty when not grouped by. */
struct slice query_dim(const struct query_result *result, const struct query_row *row,
                       enum store_dim d);

#endif
