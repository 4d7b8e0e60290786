/* Folding usage into lines, rows and totals: see breakdown.h. */
#include "collector/breakdown.h"

#include "common/instant.h"
#include "common/json.h"

#include <stdlib.h>

#define NS_PER_S INT64_C(1000000000)

enum { SERIES_CACHED = 1 << 20, CHUNK = 32 };

struct point {
    price_pico cost;
    uint64_t calls, tokens;
    bool known; /* some of the cost has a price */
};

/* A value of the dimension. */
struct value {
    struct slice name;
    struct query_row sum; /* over all time */
    struct point **chunk; /* [cap] of CHUNK times each, by number; NULL: nothing sent */
    size_t cap;
};

struct breakdown {
    const struct breakdown_ask *ask;
    struct arena *arena;
    struct value **value; /* in order of appearance; largest first once ranked */
    size_t values, values_cap;
    uint32_t *slot; /* number of a value + 1 by hash of its name; 0 is free */
    size_t slots;
    uint32_t *of_series; /* number of a value + 1 by series */
    size_t of_series_cap;
    int64_t *time; /* in order of appearance */
    size_t times, times_cap, last;
    size_t *order;        /* numbers of the times, ascending */
    struct point *others; /* by number of the time: what has no line of its own */
    struct query_row total;
};

bool breakdown_order_parse(struct slice name, enum breakdown_order *out)
{
    static const char *const names[] = { "cost", "tokens", "calls" };
    for (int i = 0; i <= BREAKDOWN_CALLS; i++)
        if (slice_eq(name, slice_str(names[i]))) {
            *out = (enum breakdown_order)i;
            return true;
        }
    return false;
}

/* --- sums -----------------------------------------------------------------------------
 */

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

static uint64_t tokens_of(const struct query_row *r)
{
    uint64_t sum = 0;
    for (int f = 0; f < USAGE_CLASSES; f++)
        add(&sum, r->v[f]);
    return sum;
}

static void add_sums(struct query_row *to, const struct query_row *r)
{
    add(&to->calls, r->calls);
    for (int f = 0; f < USAGE_CLASSES; f++)
        add(&to->v[f], r->v[f]);
    add(&to->calls_estimated, r->calls_estimated);
    add(&to->calls_missing, r->calls_missing);
    add(&to->calls_failed, r->calls_failed);
    add(&to->calls_unpriced, r->calls_unpriced);
    add(&to->tokens_unpriced, r->tokens_unpriced);
    to->cost += r->cost;
    to->unpriced |= r->unpriced;
}

/* --- growing --------------------------------------------------------------------------
 */

/* An array of the arena with room for one more; the old one stays until the end. */
static void *grow(struct arena *a, void *old, size_t *cap, size_t wanted, size_t size)
{
    size_t n = *cap ? *cap : 16;
    while (n < wanted)
        n *= 2;
    void *p = arena_alloc(a, n * size);
    if (p && old)
        memcpy(p, old, *cap * size);
    if (p)
        *cap = n;
    return p;
}

#define RESERVE(b, array, cap, wanted)                                                   \
    ((wanted) <= (cap) ||                                                                \
     ((array) = grow((b)->arena, (array), &(cap), (wanted), sizeof *(array))) != NULL)

static bool rehash(struct breakdown *b)
{
    size_t slots = b->slots ? b->slots * 4 : 256;
    uint32_t *slot = arena_alloc(b->arena, slots * sizeof *slot);
    if (!slot)
        return false;
    for (size_t i = 0; i < b->values; i++) {
        size_t s = slice_hash(b->value[i]->name, 0) & (slots - 1);
        while (slot[s])
            s = (s + 1) & (slots - 1);
        slot[s] = (uint32_t)i + 1;
    }
    b->slot = slot;
    b->slots = slots;
    return true;
}

static enum status find_name(struct breakdown *b, struct slice name, uint32_t *out)
{
    if (2 * (b->values + 1) > b->slots && !rehash(b))
        return ST_LIMIT;
    size_t s = slice_hash(name, 0) & (b->slots - 1);
    while (b->slot[s] && !slice_eq(b->value[b->slot[s] - 1]->name, name))
        s = (s + 1) & (b->slots - 1);
    *out = b->slot[s] - 1;
    if (b->slot[s])
        return ST_OK;
    struct value *v = arena_alloc(b->arena, sizeof *v);
    if (!v || !RESERVE(b, b->value, b->values_cap, b->values + 1))
        return ST_LIMIT;
    v->name = arena_dup(b->arena, name);
    if (!v->name.p)
        return ST_LIMIT;
    b->value[b->values] = v;
    b->slot[s] = (uint32_t)++b->values;
    *out = b->slot[s] - 1;
    return ST_OK;
}

static enum status find_value(struct breakdown *b, struct slice name, uint32_t series,
                              struct value **out)
{
    uint32_t n;
    bool cached = series > 0 && series < SERIES_CACHED;
    if (cached && series < b->of_series_cap && b->of_series[series]) {
        *out = b->value[b->of_series[series] - 1];
        return ST_OK;
    }
    enum status st = find_name(b, name, &n);
    if (st != ST_OK)
        return st;
    if (cached) {
        if (!RESERVE(b, b->of_series, b->of_series_cap, (size_t)series + 1))
            return ST_LIMIT;
        b->of_series[series] = n + 1;
    }
    *out = b->value[n];
    return ST_OK;
}

/* Scans come by time, so the last one found is nearly always the one. */
static enum status find_time(struct breakdown *b, int64_t at, size_t *out)
{
    if (b->times == 0 || b->time[b->last] != at) {
        size_t t = b->times;
        while (t > 0 && b->time[t - 1] != at)
            t--;
        if (t == 0) {
            if (!RESERVE(b, b->time, b->times_cap, b->times + 1))
                return ST_LIMIT;
            b->time[b->times++] = at;
            t = b->times;
        }
        b->last = t - 1;
    }
    *out = b->last;
    return ST_OK;
}

static void add_to_point(struct point *p, const struct point *more)
{
    add(&p->calls, more->calls);
    add(&p->tokens, more->tokens);
    p->cost += more->cost;
    p->known = p->known || more->known;
}

static enum status add_point(struct breakdown *b, struct value *v, size_t time,
                             const struct query_row *m)
{
    const struct point more = { m->cost, m->calls, tokens_of(m), query_cost_known(m) };
    if (!RESERVE(b, v->chunk, v->cap, time / CHUNK + 1))
        return ST_LIMIT;
    struct point **chunk = &v->chunk[time / CHUNK];
    if (!*chunk)
        *chunk = arena_alloc(b->arena, CHUNK * sizeof **chunk);
    if (!*chunk)
        return ST_LIMIT;
    add_sums(&v->sum, m);
    add_to_point(&(*chunk)[time % CHUNK], &more);
    return ST_OK;
}

struct breakdown *breakdown_new(const struct breakdown_ask *ask, struct arena *a)
{
    struct breakdown *b = arena_alloc(a, sizeof *b);
    uint32_t n;
    if (!b)
        return NULL;
    b->ask = ask;
    b->arena = a;
    for (int c = 0; c < USAGE_CLASSES && ask->classes; c++)
        if (find_name(b, slice_str(usage_fields[c].name), &n) != ST_OK)
            return NULL;
    return b;
}

enum status breakdown_add(struct breakdown *b, struct slice name, uint32_t series,
                          const struct query_row *measures)
{
    struct value *v;
    size_t t;
    enum status st = find_time(b, measures->time, &t);
    if (st != ST_OK)
        return st;
    add_sums(&b->total, measures);
    for (int c = 0; c < USAGE_CLASSES && b->ask->classes && st == ST_OK; c++) {
        struct query_row part = { 0 };
        part.v[c] = measures->v[c];
        st = add_point(b, b->value[c], t, &part);
    }
    if (b->ask->classes)
        return st;
    st = find_value(b, name, series, &v);
    return st == ST_OK ? add_point(b, v, t, measures) : st;
}

/* --- order ----------------------------------------------------------------------------
 */

static int descending(price_pico x, price_pico y)
{
    return x == y ? 0 : x > y ? -1 : 1;
}

static int by_size(const void *a, const void *b, void *arg)
{
    const struct value *x = *(struct value *const *)a, *y = *(struct value *const *)b;
    enum breakdown_order order = *(const enum breakdown_order *)arg;
    int c = 0;
    if (order == BREAKDOWN_COST)
        c = descending(x->sum.cost, y->sum.cost);
    if (c == 0 && order != BREAKDOWN_CALLS)
        c = descending(tokens_of(&x->sum), tokens_of(&y->sum));
    if (c == 0)
        c = descending(x->sum.calls, y->sum.calls);
    return c ? c : slice_cmp(x->name, y->name);
}

static int by_time(const void *a, const void *b, void *arg)
{
    const int64_t *time = arg;
    int64_t x = time[*(const size_t *)a], y = time[*(const size_t *)b];
    return (x > y) - (x < y);
}

/* Sum up what has no line of its own, value by value as it lies in memory. */
static enum status fold_others(struct breakdown *b)
{
    b->others = arena_alloc(b->arena, b->times * sizeof *b->others + 1);
    if (!b->others)
        return ST_LIMIT;
    for (size_t i = b->ask->lines; i < b->values; i++) {
        const struct value *v = b->value[i];
        for (size_t t = 0; t < b->times && t / CHUNK < v->cap; t++)
            if (v->chunk[t / CHUNK])
                add_to_point(&b->others[t], &v->chunk[t / CHUNK][t % CHUNK]);
    }
    return ST_OK;
}

/* The lines drawn: the largest values, then one of all others if there are any. */
static enum status arrange(struct breakdown *b, size_t *lines)
{
    enum breakdown_order order = b->ask->order;
    size_t most = b->ask->lines;
    b->order = arena_alloc(b->arena, b->times * sizeof *b->order + 1);
    if (!b->order)
        return ST_LIMIT;
    for (size_t t = 0; t < b->times; t++)
        b->order[t] = t;
    if (b->times)
        qsort_r(b->order, b->times, sizeof *b->order, by_time, b->time);
    *lines = b->values;
    if (b->ask->classes || b->values == 0)
        return ST_OK;
    qsort_r(b->value, b->values, sizeof(struct value *), by_size, &order);
    if (b->values <= most)
        return ST_OK;
    *lines = most + 1;
    return fold_others(b);
}

/* The point of a line at a time. */
static struct point point_of(const struct breakdown *b, size_t line, size_t time)
{
    const struct value *v = b->value[line];
    if (!b->ask->classes && line == b->ask->lines)
        return b->others[time];
    if (time / CHUNK >= v->cap || !v->chunk[time / CHUNK])
        return (struct point){ 0 };
    return v->chunk[time / CHUNK][time % CHUNK];
}

/* --- writing --------------------------------------------------------------------------
 */

static void put_u64(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

static void put_money(struct json_out *o, price_pico cost, bool known)
{
    if (!known) {
        json_null(o);
        return;
    }
    json_raw(o, (struct slice){ 0 }); /* a comma where one is due, then the digits */
    price_format(cost, 6, o->b);
}

static void put_sums(struct json_out *o, const struct query_row *r)
{
    put_u64(o, "calls", r->calls);
    put_u64(o, "tokens", tokens_of(r));
    for (int f = 0; f < USAGE_CLASSES; f++)
        put_u64(o, usage_fields[f].name, r->v[f]);
    json_key(o, "cost_usd");
    put_money(o, r->cost, query_cost_known(r));
    json_key(o, "priced");
    json_bool(o, query_priced(r));
    put_u64(o, "calls_unpriced", r->calls_unpriced);
    put_u64(o, "tokens_unpriced", r->tokens_unpriced);
    put_u64(o, "calls_estimated", r->calls_estimated);
    put_u64(o, "calls_missing", r->calls_missing);
    put_u64(o, "calls_failed", r->calls_failed);
}

static void put_instant(struct json_out *o, int64_t at)
{
    struct buf b = { 0 };
    instant_format(at * NS_PER_S, &b);
    json_str(o, slice_head(buf_slice(&b), 16)); /* to the minute: 2026-11-02T10:00 */
    buf_release(&b);
}

enum measure { CALLS, TOKENS, COST };

static void put_measure(struct json_out *o, const struct breakdown *b, size_t line,
                        const char *key, enum measure what)
{
    json_key(o, key);
    json_open(o, '[');
    for (size_t t = 0; t < b->times; t++) {
        struct point p = point_of(b, line, b->order[t]);
        if (what == COST)
            put_money(o, p.cost, p.known);
        else
            json_u64(o, what == CALLS ? p.calls : p.tokens);
    }
    json_close(o, ']');
}

static void put_line(struct json_out *o, const struct breakdown *b, size_t line)
{
    bool others = !b->ask->classes && line == b->ask->lines;
    json_open(o, '{');
    json_key(o, "name");
    if (others)
        json_null(o);
    else
        json_str(o, b->value[line]->name);
    put_u64(o, "values", others ? b->values - b->ask->lines : 1);
    put_measure(o, b, line, "tokens", TOKENS);
    if (!b->ask->classes) {
        put_measure(o, b, line, "calls", CALLS);
        put_measure(o, b, line, "cost_usd", COST);
    }
    json_close(o, '}');
}

/* A row for each value; what is beyond the most of them goes into *folded. */
static void put_rows(struct json_out *o, const struct breakdown *b,
                     struct query_row *folded)
{
    for (size_t i = 0; i < b->values; i++) {
        const struct value *v = b->value[i];
        if (!b->ask->classes && i >= b->ask->rows) {
            add_sums(folded, &v->sum);
            continue;
        }
        json_open(o, '{');
        json_key(o, "name");
        json_str(o, v->name);
        if (b->ask->classes)
            put_u64(o, "tokens", tokens_of(&v->sum));
        else
            put_sums(o, &v->sum);
        json_close(o, '}');
    }
}

static void put_head(struct json_out *o, const struct breakdown *b)
{
    json_key(o, "by");
    json_str(o, slice_str(b->ask->by));
    json_key(o, "grain");
    json_str(o, slice_str(b->ask->grain));
    json_key(o, "from");
    put_instant(o, b->ask->from);
    json_key(o, "to");
    put_instant(o, b->ask->to);
    json_key(o, "time");
    json_open(o, '[');
    for (size_t t = 0; t < b->times; t++)
        put_instant(o, b->time[b->order[t]]);
    json_close(o, ']');
}

enum status breakdown_json(struct breakdown *b, struct buf *out)
{
    struct json_out o = { .b = out };
    struct query_row folded = { 0 };
    size_t lines;
    enum status st = arrange(b, &lines);
    if (st != ST_OK)
        return st;
    json_open(&o, '{');
    put_head(&o, b);
    json_key(&o, "line");
    json_open(&o, '[');
    for (size_t l = 0; l < lines; l++)
        put_line(&o, b, l);
    json_close(&o, ']');
    json_key(&o, "row");
    json_open(&o, '[');
    put_rows(&o, b, &folded);
    json_close(&o, ']');
    json_key(&o, "folded");
    if (b->ask->classes || b->values <= b->ask->rows) {
        json_null(&o);
    } else {
        json_open(&o, '{');
        put_u64(&o, "values", b->values - b->ask->rows);
        put_sums(&o, &folded);
        json_close(&o, '}');
    }
    json_key(&o, "total");
    json_open(&o, '{');
    put_sums(&o, &b->total);
    json_close(&o, '}');
    json_close(&o, '}');
    return ST_OK;
}
