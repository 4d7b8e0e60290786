/* The secret store: see secrets.h. A chained hash table whose entries also stand in one
 * list by use. Entries are allocated one by one so that none is ever copied. */
#include "agent/secrets.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    unsigned char random[SECRET_RANDOM_BYTES];
    unsigned char n[SECRET_KINDS];
    char secret[SECRET_KINDS][SECRET_MOST_BYTES];
};

struct secrets {
    size_t most, count, buckets; /* buckets: a power of two */
    uint64_t seed, version, evicted;
    struct entry *newest, *oldest;
    struct entry *bucket[];
};

struct secrets *secrets_new(size_t most, uint64_t seed)
{
    assert(most > 0);
    size_t buckets = 16;
    while (buckets < most && buckets < SIZE_MAX / 4 / sizeof(struct entry *))
        buckets *= 2;
    struct secrets *s = calloc(1, sizeof *s + buckets * sizeof *s->bucket);
    if (!s)
        return NULL;
    s->most = most;
    s->buckets = buckets;
    s->seed = seed;
    return s;
}

/* The link that holds the entry of `random`, or the end of its chain. */
static struct entry **find(struct secrets *s, struct slice random)
{
    struct entry **at = &s->bucket[slice_hash(random, s->seed) & (s->buckets - 1)];
    while (*at && memcmp((*at)->random, random.p, random.n) != 0)
        at = &(*at)->chain;
    return at;
}

static void unlist(struct secrets *s, struct entry *e)
{
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void list_newest(struct secrets *s, struct entry *e)
{
    e->newer = NULL;
    e->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

static void use(struct secrets *s, struct entry *e)
{
    unlist(s, e);
    list_newest(s, e);
}

static void evict_oldest(struct secrets *s)
{
    struct entry *e = s->oldest;
    struct entry **at = find(s, slice_of(e->random, sizeof e->random));
    assert(*at == e);
    *at = e->chain;
    unlist(s, e);
    explicit_bzero(e, sizeof *e);
    free(e);
    s->count--;
    s->evicted++;
}

/* A new entry for `random`, at the end of its chain; NULL: no memory. */
static struct entry *add(struct secrets *s, struct slice random)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    if (s->count == s->most)
        evict_oldest(s);
    memcpy(e->random, random.p, random.n);
    *find(s, random) = e;
    list_newest(s, e);
    s->count++;
    return e;
}

enum status secrets_put(struct secrets *s, struct slice random, enum secret_kind kind,
                        struct slice secret)
{
    assert(kind < SECRET_KINDS);
    if (random.n != SECRET_RANDOM_BYTES || !secret.n || secret.n > SECRET_MOST_BYTES)
        return ST_BAD;
    struct entry *e = *find(s, random);
    if (e)
        use(s, e);
    else if (!(e = add(s, random)))
        return ST_NOMEM;
    explicit_bzero(e->secret[kind], sizeof e->secret[kind]);
    memcpy(e->secret[kind], secret.p, secret.n);
    e->n[kind] = (unsigned char)secret.n;
    s->version++;
    return ST_OK;
}

struct slice secrets_get(struct secrets *s, struct slice random, enum secret_kind kind)
{
    struct entry *e = random.n == SECRET_RANDOM_BYTES ? *find(s, random) : NULL;
    if (!e || !e->n[kind])
        return (struct slice){ 0 };
    use(s, e);
    return slice_of(e->secret[kind], e->n[kind]);
}

uint64_t secrets_version(const struct secrets *s)
{
    return s->version;
}

size_t secrets_count(const struct secrets *s)
{
    return s->count;
}

uint64_t secrets_evicted(const struct secrets *s)
{
    return s->evicted;
}

void secrets_free(struct secrets *s)
{
    while (s && s->oldest)
        evict_oldest(s);
    free(s);
}
