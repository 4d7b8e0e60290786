/* Grouping, pricing and sorting of a store scan: see query.h. */
#include "collector/query.h"

#include "collector/price_memo.h"

#include <assert.h>
#include <stdlib.h>

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
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

/* --- groups ---------------------------------------------------------------------------
 */

/* A combination of the grouped dimensions, with its sums of the bucket at hand. */
struct group {
    struct query_row sum; /* .dim: names in the arena */
    uint64_t hash;
    bool touched; /* in this bucket */
};

/* A scan comes by time, so only one bucket is ever open; the names stay. */
struct fold {
    const struct store_query *q;
    struct price_memo *prices;
    struct arena *arena;
    enum store_dim dim[STORE_DIMS]; /* the grouped ones */
    size_t dims;
    struct group *group;
    /* one allocation: groups by name, their places there, those of this bucket */
    uint32_t *order, *rank, *touched;
    size_t groups, cap, ranked, touches;
    uint32_t *slot; /* by hash: group + 1; 0 is free */
    size_t slots;
    uint32_t *of_series; /* by number of a series: group + 1; 0 not known yet */
    size_t series;
    int64_t time; /* of the open bucket */
    query_row_fn *fn;
    void *arg;
};

static uint64_t hash_row(const struct fold *f, const struct store_row *r)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < f->dims; i++)
        h = slice_hash(store_row_dim(r, f->dim[i]), h);
    return h ^ h >> 32;
}

static bool same(const struct fold *f, const struct query_row *have,
                 const struct store_row *r)
{
    for (size_t i = 0; i < f->dims; i++)
        if (!slice_eq(have->dim[i], store_row_dim(r, f->dim[i])))
            return false;
    return true;
}

/* Their numbers in an array of `cap` each; what is touched stays so. */
static bool reserve_numbers(struct fold *f, size_t cap)
{
    uint32_t *n = calloc(3 * cap, sizeof *n);
    if (!n)
        return false;
    if (f->touches)
        memcpy(n + 2 * cap, f->touched, f->touches * sizeof *n);
    free(f->order);
    f->order = n;
    f->rank = n + cap;
    f->touched = n + 2 * cap;
    f->ranked = 0;
    return true;
}

/* Room for one more group and its slot. ST_LIMIT where the arena could not hold them. */
static enum status reserve(struct fold *f)
{
    if (f->groups < f->cap)
        return ST_OK;
    size_t cap = f->cap ? f->cap * 2 : 64, slots = cap * 2;
    if (cap / 2 * sizeof(struct query_row) > f->arena->ceiling)
        return ST_LIMIT;
    struct group *group = realloc(f->group, cap * sizeof *group);
    if (group)
        f->group = group;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (!group || !slot || !reserve_numbers(f, cap)) {
        free(slot);
        return ST_NOMEM;
    }
    for (size_t i = 0; i < f->groups; i++) {
        size_t at = f->group[i].hash & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    free(f->slot);
    f->slot = slot;
    f->slots = slots;
    f->cap = cap;
    return ST_OK;
}

static enum status new_group(struct fold *f, const struct store_row *r, uint64_t hash)
{
    struct slice *dim = arena_alloc(f->arena, f->dims * sizeof *dim + 1);
    if (!dim)
        return ST_LIMIT;
    for (size_t i = 0; i < f->dims; i++) {
        dim[i] = arena_dup(f->arena, store_row_dim(r, f->dim[i]));
        if (!dim[i].p)
            return ST_LIMIT;
    }
    f->group[f->groups] =
        (struct group){ .sum = { .dim = dim, .group = (uint32_t)f->groups },
                        .hash = hash };
    f->groups++;
    return ST_OK;
}

static enum status find_group(struct fold *f, const struct store_row *r, uint32_t *out)
{
    enum status st = reserve(f);
    if (st != ST_OK)
        return st;
    uint64_t hash = hash_row(f, r);
    size_t at = hash & (f->slots - 1);
    for (; f->slot[at]; at = (at + 1) & (f->slots - 1)) {
        const struct group *have = &f->group[f->slot[at] - 1];
        *out = f->slot[at] - 1;
        if (have->hash == hash && same(f, &have->sum, r))
            return ST_OK;
    }
    *out = (uint32_t)f->groups;
    st = new_group(f, r, hash);
    if (st == ST_OK)
        f->slot[at] = *out + 1;
    return st;
}

/* The group of a row by the number of its series, which is looked up by name once. */
static enum status group_of(struct fold *f, const struct store_row *r, uint32_t *out)
{
    if (r->series == 0 || f->q->group & store_bit(STORE_AGENT)) /* not of the series */
        return find_group(f, r, out);
    if (r->series >= f->series) {
        size_t n = (size_t)r->series * 2 + 64;
        uint32_t *more = realloc(f->of_series, n * sizeof *more);
        if (!more)
            return ST_NOMEM;
        memset(more + f->series, 0, (n - f->series) * sizeof *more);
        f->of_series = more;
        f->series = n;
    }
    if (f->of_series[r->series]) {
        *out = f->of_series[r->series] - 1;
        return ST_OK;
    }
    enum status st = find_group(f, r, out);
    if (st == ST_OK)
        f->of_series[r->series] = *out + 1;
    return st;
}

/* --- order ----------------------------------------------------------------------------
 */

static int by_dims(const void *a, const void *b, void *arg)
{
    const struct fold *f = arg;
    const struct query_row *x = &f->group[*(const uint32_t *)a].sum;
    const struct query_row *y = &f->group[*(const uint32_t *)b].sum;
    int c = 0;
    for (size_t i = 0; i < f->dims && c == 0; i++)
        c = slice_cmp(x->dim[i], y->dim[i]);
    return c;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Names are compared when there are new ones; a bucket sorts numbers. */
static void rank_groups(struct fold *f)
{
    if (f->ranked == f->groups)
        return;
    for (size_t i = 0; i < f->groups; i++)
        f->order[i] = (uint32_t)i;
    qsort_r(f->order, f->groups, sizeof *f->order, by_dims, f);
    for (size_t i = 0; i < f->groups; i++)
        f->rank[f->order[i]] = (uint32_t)i;
    f->ranked = f->groups;
}

/* Hand out the groups of the open bucket in order, and empty them. */
static enum status close_bucket(struct fold *f)
{
    enum status st = ST_OK;
    rank_groups(f);
    for (size_t i = 0; i < f->touches; i++)
        f->touched[i] = f->rank[f->touched[i]];
    if (f->touches)
        qsort(f->touched, f->touches, sizeof *f->touched, by_number);
    for (size_t i = 0; i < f->touches && st == ST_OK; i++) {
        struct group *g = &f->group[f->order[f->touched[i]]];
        st = f->fn(f->arg, &g->sum);
        g->sum = (struct query_row){ .dim = g->sum.dim, .group = g->sum.group };
        g->touched = false;
    }
    f->touches = 0;
    return st;
}

static enum status fold_row(void *arg, const struct store_row *r)
{
    struct fold *f = arg;
    int64_t time = store_bucket(r->time, f->q->grain, f->q->offset_s);
    enum status st = ST_OK;
    uint32_t at = 0;
    assert(f->touches == 0 || time >= f->time);
    if (time != f->time)
        st = close_bucket(f);
    f->time = time;
    if (st == ST_OK)
        st = group_of(f, r, &at);
    if (st != ST_OK)
        return st;
    struct group *g = &f->group[at];
    if (!g->touched) {
        g->touched = true;
        g->sum.time = time;
        g->sum.series = r->series;
        f->touched[f->touches++] = at;
    }
    if (r->series < g->sum.series)
        g->sum.series = r->series;
    add_measures(&g->sum, f->prices, r);
    return ST_OK;
}

enum status query_groups(struct store *s, const struct price_book *book,
                         const struct store_query *q, struct arena *names,
                         query_row_fn *fn, void *arg)
{
    struct fold f = {
        .q = q, .prices = price_memo_new(book), .arena = names, .fn = fn, .arg = arg
    };
    for (enum store_dim d = 0; d < STORE_DIMS; d++)
        if (q->group & store_bit(d))
            f.dim[f.dims++] = d;
    enum status st = f.prices ? store_scan(s, q, fold_row, &f) : ST_NOMEM;
    if (st == ST_OK)
        st = close_bucket(&f);
    price_memo_free(f.prices);
    free(f.group);
    free(f.order);
    free(f.slot);
    free(f.of_series);
    return st == ST_END ? ST_OK : st;
}

/* --- results --------------------------------------------------------------------------
 */

struct collecting {
    struct query_row *row;
    size_t rows, cap, ceiling;
};

static enum status collect(void *arg, const struct query_row *row)
{
    struct collecting *c = arg;
    if (c->rows == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        if (c->rows * sizeof *c->row > c->ceiling)
            return ST_LIMIT;
        struct query_row *more = realloc(c->row, cap * sizeof *more);
        if (!more)
            return ST_NOMEM;
        c->row = more;
        c->cap = cap;
    }
    c->row[c->rows++] = *row;
    return ST_OK;
}

enum status query_usage(struct store *s, const struct price_book *book,
                        const struct store_query *q, struct arena *a,
                        struct query_result *out)
{
    struct collecting c = { .ceiling = a->ceiling };
    *out = (struct query_result){ .group = q->group };
    enum status st = query_groups(s, book, q, a, collect, &c);
    if (st == ST_OK && c.rows) {
        out->row = arena_alloc(a, c.rows * sizeof *c.row);
        out->rows = out->row ? c.rows : 0;
        if (out->row)
            memcpy(out->row, c.row, c.rows * sizeof *c.row);
        else
            st = ST_LIMIT;
    }
    free(c.row);
    return st;
}

/* --- one by one -----------------------------------------------------------------------
 */

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
