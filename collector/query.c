/* Grouping, pricing and sorting of a store scan: see query.h. */
#include "collector/query.h"

#include "collector/price_memo.h"

#include <stdlib.h>

/* --- groups ---------------------------------------------------------------------------
 */

struct groups {
    const struct store_query *q;
    struct price_memo *prices;
    struct arena *arena;
    enum store_dim dim[STORE_DIMS]; /* the grouped ones */
    size_t dims;
    struct query_row *row;
    uint64_t *hash; /* of row[i] */
    size_t rows, cap;
    uint32_t *slot; /* row number + 1; 0 is free */
    size_t slots;
};

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

static uint64_t hash_row(const struct groups *g, int64_t time, const struct store_row *r)
{
    uint64_t h = (uint64_t)time * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < g->dims; i++)
        h = slice_hash(store_row_dim(r, g->dim[i]), h);
    return h ^ h >> 32;
}

static bool same(const struct groups *g, const struct query_row *have, int64_t time,
                 const struct store_row *r)
{
    if (have->time != time)
        return false;
    for (size_t i = 0; i < g->dims; i++)
        if (!slice_eq(have->dim[i], store_row_dim(r, g->dim[i])))
            return false;
    return true;
}

/* Room for one more row and its slot. ST_LIMIT where the arena could not hold them. */
static enum status reserve(struct groups *g)
{
    if (g->rows < g->cap)
        return ST_OK;
    size_t cap = g->cap ? g->cap * 2 : 64, slots = cap * 2;
    if (cap / 2 * sizeof *g->row > g->arena->ceiling)
        return ST_LIMIT;
    struct query_row *row = realloc(g->row, cap * sizeof *row);
    if (row)
        g->row = row;
    uint64_t *hash = realloc(g->hash, cap * sizeof *hash);
    if (hash)
        g->hash = hash;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (!row || !hash || !slot) {
        free(slot);
        return ST_NOMEM;
    }
    for (size_t i = 0; i < g->rows; i++) {
        size_t at = g->hash[i] & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    free(g->slot);
    g->slot = slot;
    g->slots = slots;
    g->cap = cap;
    return ST_OK;
}

static enum status new_group(struct groups *g, int64_t time, const struct store_row *r,
                             struct query_row *out)
{
    struct slice *dim = arena_alloc(g->arena, g->dims * sizeof *dim + 1);
    *out = (struct query_row){ .time = time, .dim = dim };
    if (!dim)
        return ST_LIMIT;
    for (size_t i = 0; i < g->dims; i++) {
        struct slice name = store_row_dim(r, g->dim[i]);
        dim[i] = arena_dup(g->arena, name);
        if (!dim[i].p)
            return ST_LIMIT;
    }
    return ST_OK;
}

static enum status find_group(struct groups *g, const struct store_row *r,
                              struct query_row **out)
{
    enum status st = reserve(g);
    if (st != ST_OK)
        return st;
    int64_t time = store_bucket(r->time, g->q->grain, g->q->offset_s);
    uint64_t hash = hash_row(g, time, r);
    size_t at = hash & (g->slots - 1);
    for (; g->slot[at]; at = (at + 1) & (g->slots - 1)) {
        *out = &g->row[g->slot[at] - 1];
        if (g->hash[g->slot[at] - 1] == hash && same(g, *out, time, r))
            return ST_OK;
    }
    *out = &g->row[g->rows];
    st = new_group(g, time, r, *out);
    if (st != ST_OK)
        return st;
    g->hash[g->rows] = hash;
    g->slot[at] = (uint32_t)++g->rows;
    return ST_OK;
}

/* --- sums -----------------------------------------------------------------------------
 */

static uint64_t tokens(const uint64_t v[USAGE_N])
{
    uint64_t sum = 0;
    for (int f = 0; f < USAGE_CLASSES; f++)
        add(&sum, v[f]);
    return sum;
}

static bool is(const struct store_row *r, enum store_dim d, const char *value)
{
    return slice_eq(r->dim[d], slice_str(value));
}

/* Does the provider charge for this at all? Failed calls without tokens it does not. */
static bool billable(const struct store_row *r)
{
    if (is(r, STORE_OUTCOME, usage_outcome_name(OUTCOME_OK)))
        return true;
    for (int f = 0; f < USAGE_N; f++)
        if (r->v[f] && f != USAGE_bytes_up && f != USAGE_bytes_down)
            return true;
    return false;
}

static void add_cost(struct query_row *to, struct price_memo *prices,
                     const struct store_row *r)
{
    uint64_t context = 0;
    slice_u64(r->dim[STORE_CONTEXT], &context);
    struct price_query pq = { .provider = r->dim[STORE_provider],
                              .model = r->dim[STORE_model],
                              .tier = r->dim[STORE_tier],
                              .region = r->dim[STORE_region],
                              .day = r->time,
                              .context = (unsigned)context };
    struct price_cost c = price_memo_usage(prices, r->series, &pq, r->calls, r->v);
    if (c.priced) {
        to->cost += c.pico;
        to->unpriced |= c.unpriced;
        price_stated_add(&to->stated, r->calls, r->v, &c);
    } else {
        add(&to->calls_unpriced, r->calls);
        add(&to->tokens_unpriced, tokens(r->v));
    }
}

/* The measures of a scanned row into a sum. */
static void add_measures(struct query_row *to, struct price_memo *prices,
                         const struct store_row *r)
{
    add(&to->calls, r->calls);
    for (int f = 0; f < USAGE_N; f++)
        add(&to->v[f], r->v[f]);
    if (r->peak_calls > to->peak_calls)
        to->peak_calls = r->peak_calls;
    if (r->peak_tokens > to->peak_tokens)
        to->peak_tokens = r->peak_tokens;
    if (is(r, STORE_QUALITY, usage_quality_name(QUALITY_ESTIMATED)))
        add(&to->calls_estimated, r->calls);
    else if (is(r, STORE_QUALITY, usage_quality_name(QUALITY_MISSING)))
        add(&to->calls_missing, r->calls);
    if (!is(r, STORE_OUTCOME, usage_outcome_name(OUTCOME_OK)))
        add(&to->calls_failed, r->calls);
    if (billable(r))
        add_cost(to, prices, r);
}

static enum status add_row(void *arg, const struct store_row *r)
{
    struct groups *g = arg;
    struct query_row *to;
    enum status st = find_group(g, r, &to);
    if (st != ST_OK)
        return st;
    if (to->series == 0 || r->series < to->series)
        to->series = r->series;
    add_measures(to, g->prices, r);
    return ST_OK;
}

/* --- results --------------------------------------------------------------------------
 */

static int by_time_and_dims(const void *a, const void *b, void *arg)
{
    const struct query_row *x = a, *y = b;
    const size_t dims = *(const size_t *)arg;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    for (size_t i = 0; i < dims; i++) {
        int c = slice_cmp(x->dim[i], y->dim[i]);
        if (c)
            return c;
    }
    return 0;
}

enum status query_usage(struct store *s, const struct price_book *book,
                        const struct store_query *q, struct arena *a,
                        struct query_result *out)
{
    struct groups g = { .q = q, .prices = price_memo_new(book), .arena = a };
    *out = (struct query_result){ .group = q->group };
    for (enum store_dim d = 0; d < STORE_DIMS; d++)
        if (q->group & store_bit(d))
            g.dim[g.dims++] = d;
    enum status st = g.prices ? store_scan(s, q, add_row, &g) : ST_NOMEM;
    if (st == ST_OK && g.rows) {
        qsort_r(g.row, g.rows, sizeof *g.row, by_time_and_dims, &g.dims);
        out->row = arena_alloc(a, g.rows * sizeof *g.row);
        out->rows = out->row ? g.rows : 0;
        if (out->row)
            memcpy(out->row, g.row, g.rows * sizeof *g.row);
        else
            st = ST_LIMIT;
    }
    price_memo_free(g.prices);
    free(g.row);
    free(g.hash);
    free(g.slot);
    return st;
}

struct each {
    const struct store_query *q;
    struct price_memo *prices;
    query_each_fn *fn;
    void *arg;
};

static enum status each_row(void *arg, const struct store_row *r)
{
    const struct each *e = arg;
    struct query_row one = { .time = store_bucket(r->time, e->q->grain, e->q->offset_s),
                             .series = r->series };
    add_measures(&one, e->prices, r);
    return e->fn(e->arg, r, &one);
}

enum status query_each(struct store *s, const struct price_book *book,
                       const struct store_query *q, query_each_fn *fn, void *arg)
{
    struct each e = { q, price_memo_new(book), fn, arg };
    enum status st = e.prices ? store_scan(s, q, each_row, &e) : ST_NOMEM;
    price_memo_free(e.prices);
    return st;
}

struct slice query_dim(const struct query_result *result, const struct query_row *row,
                       enum store_dim d)
{
    uint32_t below = result->group & (store_bit(d) - 1);
    if (!(result->group & store_bit(d)))
        return (struct slice){ 0 };
    return row->dim[__builtin_popcount(below)];
}

/* --- profile --------------------------------------------------------------------------
 */

enum { PROFILE_HOURS_MAX = 1000000 };

struct hour_sum {
    uint64_t calls, tokens, peak_calls, peak_tokens;
};

struct hours {
    int64_t from;
    struct hour_sum *at;
    size_t n;
};

static enum status add_hour(void *arg, const struct store_row *r)
{
    struct hours *h = arg;
    size_t i = (size_t)((r->time - h->from) / ROLLUP_HOUR_S);
    if (r->time < h->from || i >= h->n)
        return ST_OK;
    add(&h->at[i].calls, r->calls);
    add(&h->at[i].tokens, tokens(r->v));
    add(&h->at[i].peak_calls, r->peak_calls);
    add(&h->at[i].peak_tokens, r->peak_tokens);
    return ST_OK;
}

static void fold(const struct hours *h, size_t first, size_t last,
                 struct query_profile *out)
{
    uint64_t calls = 0;
    out->first_hour = h->from + (int64_t)first * ROLLUP_HOUR_S;
    out->last_hour = h->from + (int64_t)last * ROLLUP_HOUR_S;
    for (size_t i = first; i <= last; i++) {
        const struct hour_sum *s = &h->at[i];
        /* 1970-01-01 00:00 was hour 72 of a week that began on Monday */
        size_t w = (size_t)((h->from / ROLLUP_HOUR_S + (int64_t)i + 72) % 168);
        add(&out->calls[w], s->calls);
        add(&out->tokens[w], s->tokens);
        out->hours[w]++;
        add(&calls, s->calls);
        if (s->peak_calls > out->peak_calls)
            out->peak_calls = s->peak_calls;
        if (s->peak_tokens > out->peak_tokens)
            out->peak_tokens = s->peak_tokens;
    }
    if (calls)
        out->peak_to_mean =
            (double)out->peak_calls * 60 * (double)(last - first + 1) / (double)calls;
}

enum status query_profile(struct store *s, const struct store_query *q,
                          struct query_profile *out)
{
    struct store_query hourly = *q;
    hourly.grain = STORE_HOUR;
    hourly.offset_s = 0;
    struct hours h = { .from = store_bucket(q->from < 0 ? 0 : q->from, STORE_HOUR, 0) };
    *out = (struct query_profile){ 0 };
    if (q->to <= h.from)
        return ST_OK;
    h.n = (size_t)((q->to - 1 - h.from) / ROLLUP_HOUR_S) + 1;
    if (h.n > PROFILE_HOURS_MAX)
        return ST_LIMIT;
    h.at = calloc(h.n, sizeof *h.at);
    if (!h.at)
        return ST_NOMEM;
    enum status st = store_scan(s, &hourly, add_hour, &h);
    size_t first = 0, last = h.n;
    while (first < h.n && h.at[first].calls == 0)
        first++;
    while (last > first && h.at[last - 1].calls == 0)
        last--;
    if (st == ST_OK && first < last)
        fold(&h, first, last - 1, out);
    free(h.at);
    return st;
}
