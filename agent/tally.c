/* Totals of a scan: see tally.h. An open addressing index over an array of rows. */
#include "agent/tally.h"

#include <stdlib.h>

#include "common/arena.h"

#define DAY INT64_C(86400000000000)

enum { INDEX_FIRST = 256, NAMES_CEILING = 16 << 20 };

struct tally {
    const struct price_book *book;
    struct arena names;
    struct tally_row **rows;
    size_t n, capacity;
    uint32_t *index; /* row + 1; 0 free; at most half full */
    size_t index_mask;
};

struct tally *tally_new(const struct price_book *book)
{
    struct tally *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->book = book;
    t->index = calloc(INDEX_FIRST, sizeof *t->index);
    t->index_mask = INDEX_FIRST - 1;
    arena_init(&t->names, NAMES_CEILING + (size_t)TALLY_ROWS * sizeof(struct tally_row));
    if (!t->index) {
        free(t);
        return NULL;
    }
    return t;
}

void tally_free(struct tally *t)
{
    if (!t)
        return;
    arena_release(&t->names);
    free(t->rows);
    free(t->index);
    free(t);
}

/* By what tells rows apart most; same() does the rest. */
static uint64_t hash_of(const struct tally_key *k)
{
    return slice_hash(k->model, (uint64_t)k->day + k->context);
}

static bool same(const struct tally_key *a, const struct tally_key *b)
{
    return a->day == b->day && a->context == b->context && a->guessed == b->guessed &&
           slice_eq(a->model, b->model) && slice_eq(a->provider, b->provider) &&
           slice_eq(a->tier, b->tier) && slice_eq(a->region, b->region);
}

static bool grow_index(struct tally *t)
{
    size_t slots = (t->index_mask + 1) * 2;
    uint32_t *fresh = calloc(slots, sizeof *fresh);
    if (!fresh)
        return false;
    free(t->index);
    t->index = fresh;
    t->index_mask = slots - 1;
    for (size_t i = 0; i < t->n; i++) {
        size_t at = hash_of(&t->rows[i]->key) & t->index_mask;
        while (fresh[at])
            at = (at + 1) & t->index_mask;
        fresh[at] = (uint32_t)(i + 1);
    }
    return true;
}

static bool room_for_one(struct tally *t)
{
    if (t->n == t->capacity) {
        size_t more = t->capacity ? t->capacity * 2 : 64;
        struct tally_row **p = realloc(t->rows, more * sizeof(struct tally_row *));
        if (!p)
            return false;
        t->rows = p;
        t->capacity = more;
    }
    return (t->n + 1) * 2 <= t->index_mask + 1 || grow_index(t);
}

static void find_price(const struct tally *t, struct tally_row *r)
{
    const struct tally_key *k = &r->key;
    struct price_query q = { k->provider,
                             k->model,
                             k->tier,
                             k->region,
                             .day = k->day == USAGE_NO_TIME ? 0 : k->day / 1000000000,
                             .context = k->context };
    r->found = t->book && k->day != USAGE_NO_TIME && price_find(t->book, &q, &r->price);
}

static struct tally_row *new_row(struct tally *t, const struct tally_key *key)
{
    struct tally_row *r = room_for_one(t) ? arena_alloc(&t->names, sizeof *r) : NULL;
    if (!r)
        return NULL;
    *r = (struct tally_row){ .key = *key };
    struct slice *names[] = { &r->key.provider, &r->key.model, &r->key.tier,
                              &r->key.region };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        *names[i] = names[i]->n ? arena_dup(&t->names, *names[i]) : slice_of("", 0);
    find_price(t, r);
    t->rows[t->n++] = r;
    size_t at = hash_of(&r->key) & t->index_mask;
    while (t->index[at])
        at = (at + 1) & t->index_mask;
    t->index[at] = (uint32_t)t->n;
    return r;
}

static struct tally_row *row_of(struct tally *t, const struct usage *u)
{
    struct tally_key key = { .day = u->ts_ns,
                             .provider = slice_head(u->provider, TALLY_NAME),
                             .model = slice_head(u->model, TALLY_NAME),
                             .tier = slice_head(u->tier, TALLY_NAME),
                             .region = slice_head(u->region, TALLY_NAME),
                             .context = usage_call_context(u),
                             .guessed = u->quality == QUALITY_ESTIMATED };
    if (key.day != USAGE_NO_TIME)
        key.day = (key.day / DAY - (key.day % DAY < 0)) * DAY;
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t at = hash_of(&key) & t->index_mask;
        for (; t->index[at]; at = (at + 1) & t->index_mask)
            if (same(&t->rows[t->index[at] - 1]->key, &key))
                return t->rows[t->index[at] - 1];
        if (t->n < TALLY_ROWS || attempt)
            break;
        key.model = SLICE("(other)");
        key.tier = key.region = slice_of("", 0);
    }
    return new_row(t, &key);
}

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

enum status tally_add(struct tally *t, const struct usage *u)
{
    struct tally_row *r = row_of(t, u);
    if (!r)
        return ST_NOMEM;
    add(&r->calls, u->agg_n);
    if (u->quality == QUALITY_ESTIMATED)
        add(&r->estimated, u->agg_n);
    if (u->quality == QUALITY_MISSING)
        add(&r->missing, u->agg_n);
    for (uint32_t left = u->have; left; left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctz(left);
        add(&r->v[f], u->v[f]);
    }
    return ST_OK;
}

struct price_cost tally_cost(struct tally *t, const struct usage *u)
{
    struct tally_row *r = row_of(t, u);
    if (!r || !r->found)
        return (struct price_cost){ .priced = false };
    return price_apply(&r->price, u->agg_n, u->v);
}

static int by_name(const struct tally_row *a, const struct tally_row *b)
{
    int c = slice_cmp(a->key.provider, b->key.provider);
    return c ? c : slice_cmp(a->key.model, b->key.model);
}

static int by_day_and_name(const void *pa, const void *pb)
{
    const struct tally_row *a = *(struct tally_row *const *)pa;
    const struct tally_row *b = *(struct tally_row *const *)pb;
    return a->key.day != b->key.day
               ? (a->key.day > b->key.day) - (a->key.day < b->key.day)
               : by_name(a, b);
}

static int by_name_only(const void *pa, const void *pb)
{
    return by_name(*(struct tally_row *const *)pa, *(struct tally_row *const *)pb);
}

static void sum_add(struct tally_sum *s, const struct tally_row *r)
{
    uint64_t with_usage = r->calls - r->missing;
    add(&s->calls, r->calls);
    add(&s->estimated, r->estimated);
    add(&s->missing, r->missing);
    for (unsigned f = 0; f < USAGE_N; f++)
        add(&s->v[f], r->v[f]);
    for (unsigned f = 0; r->key.guessed && f < USAGE_CLASSES; f++)
        add(&s->guessed[f], r->v[f]);
    uint32_t unpriced = 0;
    if (r->found) {
        struct price_cost c = price_apply(&r->price, with_usage, r->v);
        s->pico += c.pico;
        s->guessed_pico += r->key.guessed ? c.pico : 0;
        price_stated_add(&s->stated, with_usage, r->v, &c);
        unpriced = c.unpriced;
    } else {
        add(&s->unpriced_calls, with_usage);
        for (unsigned f = 0; f < USAGE_CLASSES; f++)
            unpriced |= (uint32_t)(r->v[f] > 0) << f;
    }
    s->unpriced |= unpriced;
    for (unsigned f = 0; f < USAGE_N; f++)
        if (unpriced >> f & 1)
            add(&s->without[f], r->v[f]);
}

/* Sorting moves the rows, so the index is made again when rows are added later. */
static void sort(struct tally *t, bool by_day)
{
    if (t->n)
        qsort(t->rows, t->n, sizeof *t->rows, by_day ? by_day_and_name : by_name_only);
    memset(t->index, 0, (t->index_mask + 1) * sizeof *t->index);
    for (size_t i = 0; i < t->n; i++) {
        size_t at = hash_of(&t->rows[i]->key) & t->index_mask;
        while (t->index[at])
            at = (at + 1) & t->index_mask;
        t->index[at] = (uint32_t)(i + 1);
    }
}

void tally_each(struct tally *t, bool by_day, tally_fn *fn, void *arg)
{
    sort(t, by_day);
    for (size_t i = 0; i < t->n;) {
        const struct tally_row *first = t->rows[i];
        struct tally_sum s = { .day = by_day ? first->key.day : USAGE_NO_TIME,
                               .provider = first->key.provider,
                               .model = first->key.model };
        for (; i < t->n && by_name(t->rows[i], first) == 0 &&
               (!by_day || t->rows[i]->key.day == first->key.day);
             i++)
            sum_add(&s, t->rows[i]);
        fn(arg, &s);
    }
}

void tally_total(struct tally *t, struct tally_sum *total)
{
    *total = (struct tally_sum){ .day = USAGE_NO_TIME };
    for (size_t i = 0; i < t->n; i++)
        sum_add(total, t->rows[i]);
}
