/*
 * Recent calls: see dedup.h. Entries stand in a ring in order of arrival; an index of
 * their positions finds them. It is made of groups of 15 slots, about half full, with a
 * byte of each slot's key beside each other (F14, Bronson and Shi 2019): one compare of
 * 16 bytes tells which slots may hold a key. These bytes are few enough to stay in a near
 * cache, where nearly every new call's question ends; nothing else is waited for.
 */
#include "agent/dedup.h"

#include "agent/bytes.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    CAPACITY_FIRST = 1024,
    WINDOW_MIN = 16,
    ID_UNIQUE = 16, /* an id of this many bytes is random enough to stand alone */
    GROUP = 15,     /* slots in use of a group */
};

/* The common case in one piece: nearly every call is of a log. */
#define INLINE __attribute__((always_inline)) static inline

/* State bits of dedup_entry.seen, above the bits of the fields. */
#define SEEN_DEFERRED ((uint32_t)1 << 31)
#define SEEN_ERROR    ((uint32_t)1 << 30)
#define SEEN_FIELDS   (((uint32_t)1 << USAGE_N) - 1)
_Static_assert(USAGE_N <= 30, "state bits of dedup_entry.seen");
_Static_assert(sizeof(struct dedup_entry) == 48, "entries are stored as they are");

struct dedup {
    size_t max;      /* window */
    size_t capacity; /* allocated; the ring turns once it is max */
    size_t oldest, n;
    struct dedup_entry *ring;
    uint64_t *dirty; /* bit per ring position: changed since dedup_saved */
    struct tags {
        unsigned char slot[GROUP]; /* top bits of key[0]; 0 free */
        unsigned char passed;      /* entries that found no place here; 255: or more */
    } * tags;
    uint32_t (*position)[GROUP + 1]; /* of each slot's entry in the ring */
    size_t mask;                     /* groups - 1, of a power of two */
    struct dedup_stats stats;
};

static size_t words(size_t capacity)
{
    return (capacity + 63) / 64;
}

static unsigned char tag_of(const uint64_t key[2])
{
    unsigned char top = (unsigned char)(key[0] >> 56);
    return top ? top : 1;
}

/* Which slots of the group have this tag. */
static inline unsigned slots(const struct dedup *d, size_t group, unsigned char tag)
{
    return bytes_equal(&d->tags[group], tag) & ((1u << GROUP) - 1);
}

static void index_add(struct dedup *d, size_t position)
{
    const uint64_t *key = d->ring[position].key;
    size_t group = key[0] & d->mask;
    unsigned free_slots;
    for (; !(free_slots = slots(d, group, 0)); group = (group + 1) & d->mask)
        if (d->tags[group].passed < 255)
            d->tags[group].passed++;
    unsigned i = (unsigned)__builtin_ctz(free_slots);
    d->tags[group].slot[i] = tag_of(key);
    d->position[group][i] = (uint32_t)position;
}

/* Entries in order from position 0 in new memory, as the ring has turned. */
static struct dedup_entry *unrolled(const struct dedup *d, size_t capacity)
{
    struct dedup_entry *ring = malloc(capacity * sizeof *ring);
    for (size_t i = 0; ring && i < d->n; i++)
        ring[i] = d->ring[(d->oldest + i) % d->capacity];
    return ring;
}

/* Make room for `capacity` entries, more than now. Everything or nothing. */
static bool grow(struct dedup *d, size_t capacity)
{
    size_t groups = 1;
    while (groups * GROUP * 3 < capacity * 5) /* at most three fifths full */
        groups *= 2;
    bool turned = d->oldest != 0;
    struct tags *tags = calloc(groups, sizeof *tags);
    uint32_t(*position)[GROUP + 1] = aligned_alloc(
        sizeof *position, groups * sizeof *position); /* a cache line each */
    uint64_t *dirty = calloc(words(capacity), sizeof *dirty);
    struct dedup_entry *ring = NULL;
    if (tags && position && dirty)
        ring = turned ? unrolled(d, capacity) : realloc(d->ring, capacity * sizeof *ring);
    if (!ring) {
        free(tags);
        free(position);
        free(dirty);
        return false;
    }
    for (size_t i = 0; i < d->n; i++) {
        size_t from = (d->oldest + i) % d->capacity;
        dirty[i / 64] |= (d->dirty[from / 64] >> from % 64 & 1) << i % 64;
    }
    if (turned)
        free(d->ring);
    free(d->dirty);
    free(d->tags);
    free(d->position);
    d->ring = ring;
    d->dirty = dirty;
    d->tags = tags;
    d->position = position;
    d->mask = groups - 1;
    d->capacity = capacity;
    d->oldest = 0;
    for (size_t i = 0; i < d->n; i++)
        index_add(d, i);
    d->stats.bytes = capacity * sizeof *ring + words(capacity) * sizeof *dirty +
                     groups * (sizeof *tags + sizeof *position);
    return true;
}

struct dedup *dedup_new(size_t max)
{
    struct dedup *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->max = max < WINDOW_MIN ? WINDOW_MIN : max < UINT32_MAX / 4 ? max : UINT32_MAX / 4;
    if (!grow(d, d->max < CAPACITY_FIRST ? d->max : CAPACITY_FIRST)) {
        free(d);
        return NULL;
    }
    return d;
}

static void release(struct dedup *d)
{
    free(d->ring);
    free(d->dirty);
    free(d->tags);
    free(d->position);
}

void dedup_free(struct dedup *d)
{
    if (d)
        release(d);
    free(d);
}

enum status dedup_widen(struct dedup *d, size_t max)
{
    if (max > UINT32_MAX / 4)
        return ST_LIMIT;
    if (max > d->max)
        d->max = max;
    return ST_OK;
}

static struct dedup_entry *find(const struct dedup *d, const uint64_t key[2])
{
    size_t group = key[0] & d->mask;
    for (size_t n = 0; n <= d->mask; n++, group = (group + 1) & d->mask) {
        for (unsigned hits = slots(d, group, tag_of(key)); hits; hits &= hits - 1) {
            struct dedup_entry *e = &d->ring[d->position[group][__builtin_ctz(hits)]];
            if (e->key[0] == key[0] && e->key[1] == key[1])
                return e;
        }
        if (!d->tags[group].passed)
            break;
    }
    return NULL;
}

/* Free the slot of `position`, and undo what its entry left in the groups it passed. */
static void index_remove(struct dedup *d, size_t position)
{
    const uint64_t *key = d->ring[position].key;
    for (size_t group = key[0] & d->mask;; group = (group + 1) & d->mask) {
        struct tags *t = &d->tags[group];
        for (unsigned hits = slots(d, group, tag_of(key)); hits; hits &= hits - 1) {
            unsigned i = (unsigned)__builtin_ctz(hits);
            if (d->position[group][i] == position) {
                t->slot[i] = 0;
                return;
            }
        }
        if (t->passed < 255)
            t->passed--;
    }
}

static void mark(struct dedup *d, const struct dedup_entry *e)
{
    size_t position = (size_t)(e - d->ring);
    d->dirty[position / 64] |= (uint64_t)1 << position % 64;
}

/* A place for one more entry of this key, to be filled: a new one, or the oldest one's.
 */
static struct dedup_entry *append(struct dedup *d, const uint64_t key[2])
{
    if (d->n == d->capacity && d->capacity < d->max)
        grow(d, d->capacity * 2 < d->max ? d->capacity * 2 : d->max);
    size_t position;
    if (d->n < d->capacity) {
        position = (d->oldest + d->n++) % d->capacity;
    } else { /* the window is full, or memory is */
        position = d->oldest;
        d->oldest = position + 1 < d->capacity ? position + 1 : 0;
        index_remove(d, position);
        d->stats.forgotten++;
    }
    d->ring[position].key[0] = key[0];
    d->ring[position].key[1] = key[1];
    index_add(d, position);
    if (d->n == d->capacity) { /* the next one to go: far in memory, so ask early */
        size_t group = d->ring[d->oldest].key[0] & d->mask;
        __builtin_prefetch(&d->tags[group]);
        __builtin_prefetch(&d->position[group]);
    }
    d->stats.known = d->n;
    return &d->ring[position];
}

static uint32_t clamp32(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

/* Does this provider make ids that are unique even when they are short? */
static bool hosted(struct slice provider)
{
    static const char *const names[] = { "openai", "anthropic", "gemini",  "vertex",
                                         "azure",  "bedrock",   "mistral", "cohere" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_starts(provider, slice_str(names[i])))
            return true;
    return false;
}

/* Add a part of the identity: multilinear, so parts cost a multiplication each. */
static inline void mix(uint64_t key[2], unsigned part, uint64_t v)
{
    static const uint64_t factor[2 + USAGE_CLASSES][2] = {
        /* fractions of the square and cube roots of the first primes, made odd */
        { UINT64_C(0x6a09e667f3bcc909), UINT64_C(0x428a2f98d728ae23) },
        { UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x7137449123ef65cd) },
        { UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xb5c0fbcfec4d3b2f) },
        { UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0xe9b5dba58189dbbd) },
        { UINT64_C(0x510e527fade682d1), UINT64_C(0x3956c25bf348b539) },
        { UINT64_C(0x9b05688c2b3e6c1f), UINT64_C(0x59f111f1b605d019) },
        { UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x923f82a4af194f9b) },
        { UINT64_C(0x5be0cd19137e2179), UINT64_C(0xab1c5ed5da6d8119) },
    };
    key[0] += v * factor[part][0];
    key[1] += v * factor[part][1];
}

/*
 * What identifies the call, as a hash of 128 bits. `own`: the id is the call's alone;
 * else its counts belong to it.
 */
INLINE void identity(const struct usage *u, struct slice id, bool own, uint64_t key[2])
{
    XXH128_hash_t h = XXH3_128bits_withSeed(id.p, id.n, own);
    bool unique = id.n >= ID_UNIQUE, weak = !unique && !hosted(u->provider);
    key[0] = h.low64 ^ (uint64_t)u->pass << 32;
    key[1] = h.high64;
    if (!unique)
        mix(key, 0, slice_hash(u->provider, 0));
    if (weak && own && u->ts_ns != USAGE_NO_TIME)
        mix(key, 1, (uint64_t)(u->ts_ns / 1000000000));
    if (weak || !own)
        for (unsigned f = 0; f < USAGE_CLASSES; f++)
            mix(key, 2 + f, u->v[f]);
}

/*
 * The reply's headers name an id under which the cloud itself logs the call
 * (usage-formats 8.5, 8.6): it is the call's own, whatever else its body says.
 */
static bool cloud_logs(const struct usage *u)
{
    return u->seen == SEEN_CAPTURE && u->request_id.n &&
           (slice_starts(u->provider, SLICE("azure")) ||
            slice_eq(u->provider, SLICE("bedrock")));
}

/* What is remembered of a call, but for its key. */
static void describe(struct dedup_entry *e, const struct usage *u)
{
    uint32_t seen = 0;
    e->hour = u->ts_ns > 0 ? clamp32((uint64_t)u->ts_ns / 1000000000 / 3600) : 0;
    if (u->accounting == ACCOUNTING_DEFERRED)
        seen |= SEEN_DEFERRED;
    if (u->accounting == ACCOUNTING_ERROR)
        seen |= SEEN_ERROR;
    for (unsigned f = 0; f < USAGE_CLASSES; f++)
        e->v[f] = clamp32(u->v[f]);
    for (uint32_t left = u->have >> USAGE_CLASSES << USAGE_CLASSES; left;
         left &= left - 1) {
        unsigned f = (unsigned)__builtin_ctz(left);
        seen |= (uint32_t)(u->v[f] > 0) << f;
    }
    e->seen = seen;
}

/* Leave in u what the entry has not counted yet; false: nothing. */
static bool subtract(struct usage *u, struct dedup_entry *e)
{
    bool grew = false, shrank = false;
    for (unsigned f = 0; f < USAGE_CLASSES; f++) {
        grew |= clamp32(u->v[f]) > e->v[f];
        shrank |= clamp32(u->v[f]) < e->v[f];
    }
    if (!grew || (shrank && clamp32(u->v[USAGE_output]) <= e->v[USAGE_output]))
        return false;
    for (unsigned f = 0; f < USAGE_CLASSES; f++) {
        uint32_t now = clamp32(u->v[f]);
        bool counts = !shrank || f == USAGE_output;
        u->v[f] = counts ? now - e->v[f] : 0;
        e->v[f] = counts ? now : e->v[f];
    }
    for (unsigned f = USAGE_CLASSES; f < USAGE_N; f++) {
        uint32_t bit = (uint32_t)1 << f;
        if (e->seen & bit) { /* how much of it was counted is not known */
            u->v[f] = 0;
            u->have &= ~bit;
        }
        e->seen |= u->v[f] > 0 ? bit : 0;
    }
    u->agg_n = 0;
    u->total_reported = UINT64_MAX;
    u->check = CHECK_NO_TOTAL;
    u->ttfb_us = u->ttft_us = u->total_us = -1;
    return true;
}

static enum dedup_verdict again(struct dedup *d)
{
    d->stats.again++;
    return DEDUP_AGAIN;
}

INLINE enum dedup_verdict judge_as(struct dedup *d, struct usage *u,
                                   const uint64_t key[2])
{
    struct dedup_entry *e = find(d, key);
    bool call = u->accounting == ACCOUNTING_CALL;
    bool report = u->accounting == ACCOUNTING_REPORT;
    if (!e) {
        if (report)
            return again(d);
        e = append(d, key);
        describe(e, u);
        mark(d, e);
        return DEDUP_NEW;
    }
    /* A batch's own sum does not complete it: the lines of its results do, one by one. */
    bool sum = report && slice_ends(u->surface, SLICE(".batches_poll"));
    bool counts = (call || report) && !sum && usage_total(u) > 0;
    if ((e->seen & SEEN_DEFERRED && counts) || (e->seen & SEEN_ERROR && call)) {
        u->accounting = ACCOUNTING_CALL;
        describe(e, u);
        mark(d, e);
        return DEDUP_NEW;
    }
    if (!call || e->seen & (SEEN_DEFERRED | SEEN_ERROR) || !subtract(u, e))
        return again(d);
    mark(d, e);
    d->stats.grown++;
    return DEDUP_GROWN;
}

/*
 * A call of two ids, either of which another log may know alone: *as gets the one to
 * judge it by. True: *more is to be kept then, the call under the other one.
 */
__attribute__((noinline)) static bool
both_ids(const struct dedup *d, const struct usage *u, const uint64_t key[2][2],
         const uint64_t **as, struct dedup_entry *more)
{
    bool by_id = find(d, key[0]), by_request = find(d, key[1]);
    bool first = by_id || !by_request;
    *as = key[!first];
    *more = (struct dedup_entry){ .key = { key[first][0], key[first][1] } };
    describe(more, u);
    return by_id ? !by_request : by_request || u->accounting != ACCOUNTING_REPORT;
}

__attribute__((noinline)) static enum dedup_verdict judge_cloud(struct dedup *d,
                                                                struct usage *u)
{
    uint64_t key[2][2];
    const uint64_t *as = key[1];
    struct dedup_entry more;
    bool both = u->response_id.n > 0;
    identity(u, u->request_id, true, key[1]);
    if (both)
        identity(u, u->response_id, true, key[0]);
    both = both && both_ids(d, u, (const uint64_t(*)[2])key, &as, &more);
    enum dedup_verdict v = judge_as(d, u, as);
    if (both) {
        struct dedup_entry *e = append(d, more.key);
        *e = more;
        mark(d, e);
    }
    return v;
}

enum dedup_verdict dedup_judge(struct dedup *d, struct usage *u)
{
    uint64_t key[2];
    bool response = u->response_id.n > 0;
    struct slice id = response ? u->response_id : u->request_id;
    if (u->accounting == ACCOUNTING_NONE || u->accounting == ACCOUNTING_FREE)
        return DEDUP_NEW;
    if (cloud_logs(u))
        return judge_cloud(d, u);
    if (id.n == 0)
        return u->accounting == ACCOUNTING_REPORT ? again(d) : DEDUP_NEW;
    identity(u, id, response, key);
    return judge_as(d, u, key);
}

void dedup_changed(const struct dedup *d, dedup_fn *fn, void *arg)
{
    for (size_t i = 0; i < d->n; i++) {
        size_t position = (d->oldest + i) % d->capacity;
        if (d->dirty[position / 64] >> position % 64 & 1)
            fn(arg, &d->ring[position]);
    }
}

void dedup_saved(struct dedup *d)
{
    memset(d->dirty, 0, words(d->capacity) * sizeof *d->dirty);
}

enum status dedup_load(struct dedup *d, const struct dedup_entry *e)
{
    if (e->seen & ~(SEEN_FIELDS | SEEN_DEFERRED | SEEN_ERROR))
        return ST_BAD;
    struct dedup_entry *known = find(d, e->key);
    uint64_t forgotten = d->stats.forgotten;
    if (known)
        *known = *e;
    else
        *append(d, e->key) = *e;
    d->stats.forgotten = forgotten; /* what is beyond the window had gone before */
    return ST_OK;
}

bool dedup_unload(struct dedup *d)
{
    struct dedup fresh = { .max = d->max };
    if (d->capacity <= CAPACITY_FIRST || !grow(&fresh, CAPACITY_FIRST))
        return false;
    fresh.stats.again = d->stats.again;
    fresh.stats.grown = d->stats.grown;
    fresh.stats.forgotten = d->stats.forgotten;
    release(d);
    *d = fresh;
    return true;
}

const struct dedup_stats *dedup_stats(const struct dedup *d)
{
    return &d->stats;
}
