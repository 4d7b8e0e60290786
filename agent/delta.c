/* Totals since the last commit: see delta.h. */
#include "agent/delta.h"

#include "common/arena.h"

#include <stdlib.h>

enum { DAY_HOURS = 24 };

struct entry {
    struct rollup_key key; /* names in the arena */
    int64_t minute;
    uint64_t hash;
    struct rollup total;
};

/* A series by hash: within 10^6 of them a collision (which folds nothing, it only lets
 * one series more in) is less likely than 1 : 10^7. */
struct series {
    uint64_t hash; /* 0: free */
    int64_t hour;  /* latest of its calls */
};

struct delta {
    uint64_t seed;
    struct entry **entry; /* in order of arrival */
    size_t n, cap;
    uint32_t *slot; /* 1 + index of an entry; 0: free */
    size_t slots;   /* power of two, more than 2 n */
    struct arena arena;
    struct series *series;
    size_t series_slots, series_n, series_max;
    int64_t purged; /* hour of the last search for unused series */
    uint64_t folded;
};

struct delta *delta_new(size_t max_series, uint64_t hash_seed)
{
    struct delta *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->seed = hash_seed;
    d->series_max = max_series;
    arena_init(&d->arena, SIZE_MAX);
    return d;
}

void delta_free(struct delta *d)
{
    if (!d)
        return;
    delta_clear(d);
    arena_release(&d->arena);
    free(d->entry);
    free(d->slot);
    free(d->series);
    free(d);
}

/* --- the cap on series --- */

static struct series *find_series(struct series *at, size_t slots, uint64_t hash)
{
    size_t i = hash & (slots - 1);
    while (at[i].hash && at[i].hash != hash)
        i = (i + 1) & (slots - 1);
    return &at[i];
}

/* Make room: double the table, less the series last used before `since` (an hour). */
static enum status rebuild_series(struct delta *d, int64_t since)
{
    size_t slots = 64, n = 0;
    while (slots < d->series_n * 4)
        slots *= 2;
    struct series *at = calloc(slots, sizeof *at);
    if (!at)
        return ST_NOMEM;
    for (size_t i = 0; i < d->series_slots; i++) {
        if (d->series[i].hash && d->series[i].hour >= since) {
            *find_series(at, slots, d->series[i].hash) = d->series[i];
            n++;
        }
    }
    free(d->series);
    d->series = at;
    d->series_slots = slots;
    d->series_n = n;
    return ST_OK;
}

/* May this series have rows of its own? Remembers it when so. */
static bool admit(struct delta *d, const struct rollup_key *key)
{
    struct rollup_key timeless = *key;
    int64_t hour = key->hour / ROLLUP_HOUR_S;
    timeless.hour = 0;
    uint64_t hash = rollup_key_hash(&timeless, d->seed) | 1;
    if (d->series_slots == 0 && rebuild_series(d, INT64_MIN) != ST_OK)
        return true;
    struct series *s = find_series(d->series, d->series_slots, hash);
    if (!s->hash && d->series_n >= d->series_max)
        return false;
    if (!s->hash && d->series_n * 2 >= d->series_slots) {
        if (rebuild_series(d, INT64_MIN) != ST_OK)
            return true;
        s = find_series(d->series, d->series_slots, hash);
    }
    d->series_n += !s->hash;
    if (!s->hash || s->hour < hour)
        s->hour = hour;
    s->hash = hash;
    return true;
}

/* Fold into "other" unless series of former days can make room. */
static void fold(struct delta *d, struct rollup_key *key)
{
    if (admit(d, key))
        return;
    int64_t hour = key->hour / ROLLUP_HOUR_S;
    if (hour > d->purged) {
        d->purged = hour;
        if (rebuild_series(d, hour - DAY_HOURS) == ST_OK && admit(d, key))
            return;
    }
    for (size_t i = 0; i < ROLLUP_NAMES_N; i++)
        key->name[i] = SLICE("other");
    d->folded++;
}

/* --- totals --- */

static enum status grow(struct delta *d)
{
    size_t slots = d->slots ? d->slots * 2 : 64;
    uint32_t *slot = calloc(slots, sizeof *slot);
    struct entry **entry = realloc(d->entry, slots / 2 * sizeof *entry);
    if (entry)
        d->entry = entry;
    if (!slot || !entry) {
        free(slot);
        return ST_NOMEM;
    }
    d->cap = slots / 2;
    free(d->slot);
    d->slot = slot;
    d->slots = slots;
    for (size_t i = 0; i < d->n; i++) {
        size_t at = d->entry[i]->hash & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    return ST_OK;
}

static struct entry *append(struct delta *d, const struct rollup_key *key, int64_t minute,
                            uint64_t hash)
{
    struct entry *e = arena_alloc(&d->arena, sizeof *e);
    if (!e)
        return NULL;
    e->key = *key;
    e->minute = minute;
    e->hash = hash;
    for (size_t i = 0; i < ROLLUP_NAMES_N; i++) {
        e->key.name[i] = arena_dup(&d->arena, key->name[i]);
        if (!e->key.name[i].p && key->name[i].n > 0)
            return NULL;
    }
    d->entry[d->n++] = e;
    return e;
}

enum status delta_add(struct delta *d, const struct usage *u)
{
    struct rollup_key key;
    enum status st = rollup_key_of(u, &key);
    if (st != ST_OK)
        return st;
    fold(d, &key);
    if (d->n + 1 >= d->cap && grow(d) != ST_OK)
        return ST_NOMEM;
    int64_t minute = u->ts_ns / 60000000000;
    uint64_t hash =
        rollup_key_hash(&key, d->seed) ^ (uint64_t)minute * 0x9e3779b97f4a7c15u;
    size_t at = hash & (d->slots - 1);
    for (; d->slot[at]; at = (at + 1) & (d->slots - 1)) {
        struct entry *e = d->entry[d->slot[at] - 1];
        if (e->hash == hash && e->minute == minute && rollup_key_eq(&e->key, &key))
            return rollup_add(&e->total, u);
    }
    struct entry *e = append(d, &key, minute, hash);
    if (!e)
        return ST_NOMEM;
    d->slot[at] = (uint32_t)d->n;
    return rollup_add(&e->total, u);
}

enum status delta_fold(struct delta *d, const struct usage *u)
{
    struct rollup_key key;
    enum status st = rollup_key_of(u, &key);
    if (st != ST_OK)
        return st;
    fold(d, &key);
    for (size_t i = d->n; i > 0; i--)
        if (rollup_key_eq(&d->entry[i - 1]->key, &key))
            return rollup_add(&d->entry[i - 1]->total, u);
    return ST_FULL;
}

void delta_each(const struct delta *d, delta_fn *fn, void *arg)
{
    for (size_t i = 0; i < d->n; i++)
        fn(arg, &d->entry[i]->key, &d->entry[i]->total);
}

void delta_clear(struct delta *d)
{
    for (size_t i = 0; i < d->n; i++)
        rollup_release(&d->entry[i]->total);
    d->n = 0;
    arena_reset(&d->arena);
    if (d->slots > 4096) { /* after a backlog: back to the size of a quiet day */
        free(d->slot);
        free(d->entry);
        d->slot = NULL;
        d->entry = NULL;
        d->slots = d->cap = 0;
    } else if (d->slots > 0) {
        memset(d->slot, 0, d->slots * sizeof *d->slot);
    }
}

struct delta_stats delta_stats(const struct delta *d)
{
    return (struct delta_stats){ d->n, d->series_n, d->folded };
}
