/* History as counters: see export_openmetrics.h. */
#include "collector/export_openmetrics.h"

#include "collector/metrics_text.h"

#include <stdlib.h>

enum { HEAD_S = 3 * 3600 /* what the running Prometheus may still hold in memory */ };

bool export_labels(struct slice text, struct buf *out)
{
    for (bool more = text.n > 0; more;) {
        struct slice pair, name, value;
        char key[64];
        more = slice_cut(text, ',', &pair, &text);
        if (!slice_cut(pair, '=', &name, &value) || name.n == 0 || name.n >= sizeof key)
            return false;
        for (size_t i = 0; i < name.n; i++) {
            char c = name.p[i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
            if (!letter && (i == 0 || c < '0' || c > '9'))
                return false;
        }
        memcpy(key, name.p, name.n);
        key[name.n] = '\0';
        struct buf one = { 0 };
        metrics_label(&one, key, value, true);
        if (out->n)
            buf_addc(out, ',');
        buf_add(out, slice_from(buf_slice(&one), 1));
        buf_release(&one);
    }
    return true;
}

/* A counter: its name without _total, and how much of it a row adds. */
struct family {
    const char *name, *help;
    size_t offset; /* of a uint64_t in struct query_row */
};

static const struct family families[] = {
    { "breakeven_calls", "Calls to models.", offsetof(struct query_row, calls) },
    { "breakeven_calls_failed", "Of these, calls whose outcome was not ok.",
      offsetof(struct query_row, calls_failed) },
    { "breakeven_calls_estimated", "Of these, calls with estimated usage.",
      offsetof(struct query_row, calls_estimated) },
    { "breakeven_calls_missing", "Of these, calls without known usage.",
      offsetof(struct query_row, calls_missing) },
    { "breakeven_calls_unpriced", "Of these, calls whose model has no price.",
      offsetof(struct query_row, calls_unpriced) },
    { "breakeven_tokens_unpriced", "Tokens of models without a price.",
      offsetof(struct query_row, tokens_unpriced) },
};

/* Rows of one label set, in order of time. */
struct series {
    const struct query_row **row;
    size_t n;
};

struct history {
    const struct query_result *result;
    const struct series *series;
    size_t n;
    int64_t step, end; /* seconds of a bucket; no sample after */
    struct slice labels;
    struct buf *out;
};

static int dims_cmp(const struct query_result *r, const struct query_row *x,
                    const struct query_row *y)
{
    int order = 0, n = __builtin_popcount(r->group);
    for (int d = 0; d < n && order == 0; d++)
        order = slice_cmp(x->dim[d], y->dim[d]);
    return order;
}

/* The group travels with the rows: qsort takes no argument. */
struct keyed {
    const struct query_row *row;
    const struct query_result *result;
};

static int by_series(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = dims_cmp(x->result, x->row, y->row);
    return order ? order : (x->row->time > y->row->time) - (x->row->time < y->row->time);
}

static enum status split(const struct query_result *r, struct arena *a, struct history *h)
{
    struct keyed *all = arena_alloc(a, (r->rows + 1) * sizeof *all);
    const struct query_row **row = arena_alloc(a, (r->rows + 1) * sizeof *row);
    struct series *s = arena_alloc(a, (r->rows + 1) * sizeof *s);
    if (!all || !row || !s)
        return ST_LIMIT;
    for (size_t i = 0; i < r->rows; i++)
        all[i] = (struct keyed){ &r->row[i], r };
    if (r->rows)
        qsort(all, r->rows, sizeof *all, by_series);
    for (size_t i = 0; i < r->rows; i++) {
        row[i] = all[i].row;
        if (i == 0 || dims_cmp(r, row[i - 1], row[i]) != 0)
            s[h->n++] = (struct series){ &row[i], 0 };
        s[h->n - 1].n++;
    }
    h->series = s;
    return ST_OK;
}

static void put_labels(const struct history *h, const struct query_row *row,
                       const char *type, struct buf *b)
{
    bool first = true;
    int nth = 0;
    for (enum store_dim d = 0; d < STORE_DIMS; d++) {
        if (!(h->result->group & store_bit(d)))
            continue;
        metrics_label(b, store_dim_name(d), row->dim[nth++], first);
        first = false;
    }
    if (type) {
        metrics_label(b, "type", slice_str(type), first);
        first = false;
    }
    if (h->labels.n) {
        buf_addc(b, first ? '{' : ',');
        buf_add(b, h->labels);
        first = false;
    }
    if (!first)
        buf_addc(b, '}');
}

/* In place of an offset: the cost, which is no uint64_t. */
static const size_t the_cost = SIZE_MAX;

static void put_series(const struct history *h, const struct series *s, const char *name,
                       const char *type, size_t offset)
{
    struct buf head = { 0 };
    uint64_t count = 0;
    price_pico cost = 0;
    size_t i = 0;
    buf_addf(&head, "%s_total", name);
    put_labels(h, s->row[0], type, &head);
    int64_t at = s->row[0]->time;
    if (at + h->step <= h->end)
        buf_addf(h->out, "%s 0 %lld\n", buf_cstr(&head), (long long)at);
    for (at += h->step; at <= h->end; at += h->step) {
        for (; i < s->n && s->row[i]->time < at; i++) {
            const char *row = (const char *)s->row[i];
            if (offset == the_cost)
                cost += s->row[i]->cost;
            else if (__builtin_add_overflow(
                         count, *(const uint64_t *)(const void *)(row + offset), &count))
                count = UINT64_MAX;
        }
        if (offset == the_cost)
            buf_addf(h->out, "%s %.12g %lld\n", buf_cstr(&head), price_dollars(cost),
                     (long long)at);
        else
            buf_addf(h->out, "%s %llu %lld\n", buf_cstr(&head), (unsigned long long)count,
                     (long long)at);
    }
    buf_release(&head);
}

static void put_head(const struct history *h, const char *name, const char *help)
{
    buf_addf(h->out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
}

enum status export_openmetrics(const struct query_result *r, enum store_grain grain,
                               int64_t now_s, struct slice labels, struct arena *a,
                               struct buf *out)
{
    struct history h = { .result = r,
                         .step = grain == STORE_HOUR ? 3600 : 86400,
                         .end = now_s - HEAD_S,
                         .labels = labels,
                         .out = out };
    enum status st = split(r, a, &h);
    if (st != ST_OK)
        return st;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        put_head(&h, families[f].name, families[f].help);
        for (size_t i = 0; i < h.n; i++)
            put_series(&h, &h.series[i], families[f].name, NULL, families[f].offset);
    }
    put_head(&h, "breakeven_tokens", "Tokens by billable class.");
    for (size_t i = 0; i < h.n; i++)
        for (size_t c = 0; c < USAGE_CLASSES; c++)
            put_series(&h, &h.series[i], "breakeven_tokens", usage_fields[c].name,
                       offsetof(struct query_row, v) + c * sizeof(uint64_t));
    put_head(&h, "breakeven_cost_usd", "Cost of what has a price, in US dollars.");
    for (size_t i = 0; i < h.n; i++)
        put_series(&h, &h.series[i], "breakeven_cost_usd", NULL, the_cost);
    buf_adds(out, "# EOF\n");
    return out->st;
}
