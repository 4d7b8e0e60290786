/* Usage as Prometheus counters: see metrics_parts.h. */
#include "collector/metrics_parts.h"

#include "collector/metrics_text.h"

#include <stdlib.h>

/* First come, first kept: a set never moves into "other" and back, so counters of the
 * kept ones only grow. */
static int by_arrival(const void *a, const void *b)
{
    const struct query_row *x = a, *y = b;
    return x->series < y->series ? -1 : x->series > y->series;
}

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

static void fold(struct query_row *into, const struct query_row *r)
{
    add(&into->calls, r->calls);
    for (int f = 0; f < USAGE_N; f++)
        add(&into->v[f], r->v[f]);
    into->cost += r->cost;
    add(&into->stated.calls, r->stated.calls);
    into->stated.theirs += r->stated.theirs;
    into->stated.ours += r->stated.ours;
    add(&into->calls_failed, r->calls_failed);
    add(&into->calls_estimated, r->calls_estimated);
    add(&into->calls_missing, r->calls_missing);
    add(&into->calls_unpriced, r->calls_unpriced);
    add(&into->tokens_unpriced, r->tokens_unpriced);
}

/* Keep `most` rows; the rest becomes the last one, named "other". How many folded. */
static size_t cap_rows(struct query_result *r, size_t most)
{
    static const struct slice other[3] = { { "other", 5 },
                                           { "other", 5 },
                                           { "other", 5 } };
    if (r->rows <= most)
        return 0;
    size_t folded = r->rows - most + 1;
    struct query_row tail = { .dim = other };
    for (size_t i = most - 1; i < r->rows; i++)
        fold(&tail, &r->row[i]);
    r->row[most - 1] = tail;
    r->rows = most;
    return folded;
}

static void put_names(struct buf *b, const char *metric, const struct query_row *r)
{
    buf_adds(b, metric);
    metrics_label(b, "app", r->dim[0], true);
    metrics_label(b, "provider", r->dim[1], false);
    metrics_label(b, "model", r->dim[2], false);
}

enum row_metric {
    ROW_CALLS,
    ROW_FAILED,
    ROW_ESTIMATED,
    ROW_MISSING,
    ROW_UNPRICED,
    ROW_TOKENS_UNPRICED,
    ROW_METRICS
};

static uint64_t row_value(const struct query_row *r, enum row_metric m)
{
    const uint64_t values[ROW_METRICS] = { r->calls,           r->calls_failed,
                                           r->calls_estimated, r->calls_missing,
                                           r->calls_unpriced,  r->tokens_unpriced };
    return values[m];
}

static void put_usage_rows(const struct query_result *r, struct buf *b)
{
    static const struct {
        const char *name, *help;
    } rows[ROW_METRICS] = {
        { "breakeven_calls_total", "Calls to models." },
        { "breakeven_calls_failed_total", "Of these, calls whose outcome was not ok." },
        { "breakeven_calls_estimated_total", "Of these, calls with estimated usage." },
        { "breakeven_calls_missing_total", "Of these, calls without known usage." },
        { "breakeven_calls_unpriced_total", "Of these, calls whose model has no price." },
        { "breakeven_tokens_unpriced_total", "Tokens of models without a price." },
    };
    for (enum row_metric m = 0; m < ROW_METRICS; m++) {
        metrics_head(b, rows[m].name, "counter", rows[m].help);
        for (size_t i = 0; i < r->rows; i++) {
            put_names(b, rows[m].name, &r->row[i]);
            buf_addf(b, "} %llu\n", (unsigned long long)row_value(&r->row[i], m));
        }
    }
    metrics_head(b, "breakeven_tokens_total", "counter", "Tokens by billable class.");
    for (size_t i = 0; i < r->rows; i++) {
        for (int f = 0; f < USAGE_CLASSES; f++) {
            put_names(b, "breakeven_tokens_total", &r->row[i]);
            buf_addf(b, ",type=\"%s\"} %llu\n", usage_fields[f].name,
                     (unsigned long long)r->row[i].v[f]);
        }
    }
    metrics_head(
        b, "breakeven_cost_usd_total", "counter",
        "Cost of what has a price, in US dollars, at today's knowledge of past prices.");
    for (size_t i = 0; i < r->rows; i++) {
        put_names(b, "breakeven_cost_usd_total", &r->row[i]);
        buf_addf(b, "} %.9g\n", price_dollars(r->row[i].cost));
    }
}

static void put_money(struct buf *b, const char *metric, const struct query_row *r,
                      const char *basis, price_pico v)
{
    put_names(b, metric, r);
    if (basis)
        metrics_label(b, "basis", slice_str(basis), false);
    buf_addf(b, "} %.9g\n", price_dollars(v));
}

/* Where providers say what a call cost: their word, and ours beside it. */
static void put_stated(const struct query_result *r, struct buf *b)
{
    static const char all[] = "breakeven_cost_stated_usd_total",
                      both[] = "breakeven_cost_compared_usd_total";
    metrics_head(b, all, "counter", "Cost as providers state it with their calls.");
    for (size_t i = 0; i < r->rows; i++)
        if (r->row[i].v[USAGE_cost_calls])
            put_money(b, all, &r->row[i], NULL, (price_pico)r->row[i].v[USAGE_cost_pico]);
    metrics_head(b, both, "counter",
                 "Cost of calls that state one and have a whole price: theirs and ours.");
    for (size_t i = 0; i < r->rows; i++) {
        const struct price_stated *s = &r->row[i].stated;
        if (!s->calls)
            continue;
        put_money(b, both, &r->row[i], "stated", s->theirs);
        put_money(b, both, &r->row[i], "computed", s->ours);
    }
}

/* Of each app: how its calls ended and how well they were counted. */
static void put_outcomes(const struct query_result *r, struct buf *b)
{
    static const char name[] = "breakeven_calls_by_outcome_total";
    static const char *const labels[] = { "app", "outcome", "quality" };
    metrics_head(b, name, "counter",
                 "Calls by how they ended and how well their usage is known.");
    for (size_t i = 0; i < r->rows; i++) {
        buf_adds(b, name);
        for (int d = 0; d < 3; d++)
            metrics_label(b, labels[d], r->row[i].dim[d], d == 0);
        buf_addf(b, "} %llu\n", (unsigned long long)r->row[i].calls);
    }
}

/* Dimensions of the one query, in the order of enum store_dim. */
enum { BY_APP, BY_PROVIDER, BY_MODEL, BY_OUTCOME, BY_QUALITY };

static int by_dims(const void *a, const void *b)
{
    const struct query_row *x = a, *y = b;
    int order = 0;
    for (int d = 0; d < 3 && order == 0; d++)
        order = slice_cmp(x->dim[d], y->dim[d]);
    return order;
}

/* The rows of `all` by three of its dimensions alone, in order of arrival, at most `most`
 * of them. The first row of a set takes the others in. */
static enum status regroup(const struct query_result *all, const int keep[3], size_t most,
                           struct arena *a, struct query_result *out, size_t *folded)
{
    struct query_row *row = arena_alloc(a, (all->rows + 1) * sizeof *row);
    struct slice *dims = arena_alloc(a, (3 * all->rows + 1) * sizeof *dims);
    size_t n = 0;
    if (!row || !dims)
        return ST_LIMIT;
    for (size_t i = 0; i < all->rows; i++) {
        for (int d = 0; d < 3; d++)
            dims[3 * i + (size_t)d] = all->row[i].dim[keep[d]];
        row[i] = all->row[i];
        row[i].dim = &dims[3 * i];
    }
    if (all->rows)
        qsort(row, all->rows, sizeof *row, by_dims);
    for (size_t i = 0; i < all->rows; i++) {
        if (n == 0 || by_dims(&row[n - 1], &row[i]) != 0) {
            row[n++] = row[i];
            continue;
        }
        fold(&row[n - 1], &row[i]);
        if (row[i].series < row[n - 1].series)
            row[n - 1].series = row[i].series;
    }
    *out = (struct query_result){ .row = row, .rows = n };
    if (n)
        qsort(row, n, sizeof *row, by_arrival);
    *folded = cap_rows(out, most);
    return ST_OK;
}

enum status metrics_usage(const struct collector *c, int64_t now_s, struct arena *a,
                          struct buf *out)
{
    static const int by_set[] = { BY_APP, BY_PROVIDER, BY_MODEL };
    static const int by_outcome[] = { BY_APP, BY_OUTCOME, BY_QUALITY };
    const struct store_query q = {
        .from = 0,
        .to = now_s + 2 * 86400,
        .group = store_bit(STORE_app) | store_bit(STORE_provider) |
                 store_bit(STORE_model) | store_bit(STORE_OUTCOME) |
                 store_bit(STORE_QUALITY),
    };
    size_t most = (size_t)c->config->limits.metrics_series, folded, ends_folded;
    struct query_result all, sets, ends;
    enum status st = query_usage(c->store, c->book, &q, a, &all);
    if (st == ST_OK)
        st = regroup(&all, by_set, most, a, &sets, &folded);
    if (st == ST_OK)
        st = regroup(&all, by_outcome, most, a, &ends, &ends_folded);
    if (st != ST_OK)
        return st;
    put_usage_rows(&sets, out);
    put_stated(&sets, out);
    put_outcomes(&ends, out);
    metrics_gauge(out, "breakeven_metrics_folded_label_sets",
                  "Label sets of usage that are folded into other.",
                  (double)(folded + ends_folded));
    return ST_OK;
}
