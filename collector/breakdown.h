/*
 * Usage as a chart wants it: the largest values of a dimension as lines over time, the
 * rest summed as "others" (counted, never dropped), a row for each value, and the totals.
 * Columns instead of rows, so that 200 models over 400 days are a small answer. Fed by
 * query_each through api_page. Pure.
 *
 * Refuses: more values x times than its arena holds (ST_LIMIT: ask for less time).
 */
#ifndef BREAKEVEN_BREAKDOWN_H
#define BREAKEVEN_BREAKDOWN_H

#include "collector/query.h"

/* What makes a value large. */
enum breakdown_order { BREAKDOWN_COST, BREAKDOWN_TOKENS, BREAKDOWN_CALLS };

bool breakdown_order_parse(struct slice name, enum breakdown_order *out); /* "cost", … */

struct breakdown_ask {
    const char *by; /* for the answer: a dimension's name, or "class" */
    bool classes;   /* a line for each token class instead of a dimension */
    const char *grain;
    int64_t from, to; /* as asked, Unix seconds; `to` exclusive */
    enum breakdown_order order;
    size_t lines, rows; /* most of each; what is beyond is summed */
};

struct breakdown;

/* Memory of `a`; borrows `ask`. NULL at its ceiling. */
struct breakdown *breakdown_new(const struct breakdown_ask *ask, struct arena *a);

/*
 * Add measures at their `time` to the value `name` (copied; not used for classes).
 * series: equal numbers above 0 have equal names, which saves looking the name up.
 * ST_LIMIT: the arena.
 */
enum status breakdown_add(struct breakdown *b, struct slice name, uint32_t series,
                          const struct query_row *measures);

/*
 * {"by","grain","from","to","time":[…],"line":[{"name","values","calls":[…],"tokens":[…],
 * "cost_usd":[…]}],"row":[{"name",sums}],"folded":{"values",sums}|null,"total":{sums}}.
 * Of the line of all others `name` is null. A cost that nothing is known of is null. By
 * class there are tokens only. ST_LIMIT: the arena.
 */
enum status breakdown_json(struct breakdown *b, struct buf *out);

#endif
