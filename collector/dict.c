/*
 * Entries hang in chunks that never move; a number is published by storing its chunk slot
 * and then raising `last` (release), so a reader that sees the number sees the entry. The
 * hash index is the writer's alone.
 */
#include "collector/dict.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CHUNK = 4096, CHUNKS = 4096 };

struct chunk {
    _Atomic(struct dict_entry *) entry[CHUNK];
};

struct dict {
    size_t parts;
    uint32_t max;
    uint64_t seed;
    atomic_uint last;
    _Atomic(struct chunk *) chunk[CHUNKS];
    uint32_t *slot; /* ids by hash, open addressing, 0 is free; power of two */
    size_t slots, used;
};

struct dict *dict_new(size_t parts, uint32_t max, uint64_t seed)
{
    struct dict *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->parts = parts;
    d->max = max < (uint32_t)CHUNK * CHUNKS ? max : (uint32_t)CHUNK * CHUNKS - 1;
    d->seed = seed;
    d->slots = 256;
    d->slot = calloc(d->slots, sizeof *d->slot);
    if (!d->slot) {
        free(d);
        return NULL;
    }
    return d;
}

void dict_free(struct dict *d)
{
    if (!d)
        return;
    for (size_t c = 0; c < CHUNKS; c++) {
        struct chunk *chunk = atomic_load(&d->chunk[c]);
        for (size_t i = 0; chunk && i < CHUNK; i++)
            free(atomic_load(&chunk->entry[i]));
        free(chunk);
    }
    free(d->slot);
    free(d);
}

uint32_t dict_last(const struct dict *d)
{
    return atomic_load_explicit(&d->last, memory_order_acquire);
}

static struct dict_entry *entry_at(const struct dict *d, uint32_t id)
{
    if (id / CHUNK >= CHUNKS)
        return NULL;
    struct chunk *c = atomic_load_explicit(&d->chunk[id / CHUNK], memory_order_acquire);
    return c ? atomic_load_explicit(&c->entry[id % CHUNK], memory_order_acquire) : NULL;
}

const struct dict_entry *dict_at(const struct dict *d, uint32_t id)
{
    return entry_at(d, id);
}

static uint64_t hash_parts(const struct dict *d, const struct slice *part)
{
    uint64_t h = d->seed;
    for (size_t i = 0; i < d->parts; i++)
        h = slice_hash(part[i], h);
    return h;
}

/* The slot that holds these names, or the free one where they belong. */
static uint32_t *find(const struct dict *d, const struct slice *part, uint64_t hash)
{
    size_t mask = d->slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t id = d->slot[i];
        if (!id)
            return &d->slot[i];
        const struct dict_entry *e = entry_at(d, id);
        if (e->hash != hash)
            continue;
        size_t p = 0;
        while (p < d->parts && slice_eq(e->part[p], part[p]))
            p++;
        if (p == d->parts)
            return &d->slot[i];
    }
}

static enum status grow(struct dict *d)
{
    if (d->used * 4 < d->slots * 3)
        return ST_OK;
    size_t n = d->slots * 2;
    uint32_t *slot = calloc(n, sizeof *slot);
    if (!slot)
        return ST_NOMEM;
    for (size_t i = 0; i < d->slots; i++) {
        if (!d->slot[i])
            continue;
        size_t at = entry_at(d, d->slot[i])->hash & (n - 1);
        while (slot[at])
            at = (at + 1) & (n - 1);
        slot[at] = d->slot[i];
    }
    free(d->slot);
    d->slot = slot;
    d->slots = n;
    return ST_OK;
}

static struct dict_entry *make_entry(const struct dict *d, uint32_t id, uint64_t hash,
                                     const struct slice *part)
{
    size_t bytes = 0;
    for (size_t i = 0; i < d->parts; i++)
        bytes += part[i].n;
    struct dict_entry *e = calloc(1, sizeof *e + d->parts * sizeof *e->part + bytes);
    if (!e)
        return NULL;
    e->id = id;
    e->hash = hash;
    char *at = (char *)(e->part + d->parts);
    for (size_t i = 0; i < d->parts; i++) {
        if (part[i].n)
            memcpy(at, part[i].p, part[i].n);
        e->part[i] = (struct slice){ at, part[i].n };
        at += part[i].n;
    }
    return e;
}

/* Put a new entry under `id` into the slot found for it. */
static enum status publish(struct dict *d, uint32_t id, uint64_t hash,
                           const struct slice *part, struct dict_entry **out)
{
    _Atomic(struct chunk *) *place = &d->chunk[id / CHUNK];
    if (!atomic_load(place)) {
        struct chunk *c = calloc(1, sizeof *c);
        if (!c)
            return ST_NOMEM;
        atomic_store_explicit(place, c, memory_order_release);
    }
    if (grow(d) != ST_OK)
        return ST_NOMEM;
    struct dict_entry *e = make_entry(d, id, hash, part);
    if (!e)
        return ST_NOMEM;
    atomic_store_explicit(&atomic_load(place)->entry[id % CHUNK], e,
                          memory_order_release);
    *find(d, part, hash) = id;
    d->used++;
    if (id > dict_last(d))
        atomic_store_explicit(&d->last, id, memory_order_release);
    *out = e;
    return ST_OK;
}

enum status dict_get(struct dict *d, const struct slice *part, struct dict_entry **out)
{
    uint64_t hash = hash_parts(d, part);
    uint32_t id = *find(d, part, hash);
    if (id) {
        *out = entry_at(d, id);
        return ST_OK;
    }
    if (dict_last(d) >= d->max)
        return ST_LIMIT;
    return publish(d, dict_last(d) + 1, hash, part, out);
}

enum status dict_load(struct dict *d, uint32_t id, const struct slice *part)
{
    uint64_t hash = hash_parts(d, part);
    if (id == 0 || id / CHUNK >= CHUNKS)
        return ST_LIMIT;
    if (entry_at(d, id) || *find(d, part, hash))
        return ST_EXISTS;
    struct dict_entry *e;
    enum status st = publish(d, id, hash, part, &e);
    if (st == ST_OK)
        e->stored = true;
    return st;
}
