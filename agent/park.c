/* A packed exchange is a bitmap of its blocks that are not zero, then these blocks. */
#include "agent/park.h"

#include <stdlib.h>

enum {
    BLOCK = 32,
    /* The event before is not packed: at worst it is walked once more. */
    BLOCKS = (offsetof(struct exchange, repeat) + BLOCK - 1) / BLOCK,
    BITMAP = (BLOCKS + 7) / 8,
    /* Packed memory comes in steps: an exchange grows a little with its first events, and
     * thousands that do would leave as many holes that fit none of them. */
    STEP = 512,
};

union place {
    struct exchange exchange;
    unsigned char block[BLOCKS][BLOCK];
};

struct parked {
    unsigned place;
    bool lost;
    size_t size;           /* of what is packed */
    unsigned char *packed; /* NULL: it stands in its place, is new, or lost */
};

struct park {
    union place *place[PARK_PLACES];
    struct parked *standing[PARK_PLACES];
    size_t members[PARK_PLACES];
    unsigned next;
};

struct park *park_new(void)
{
    return calloc(1, sizeof(struct park));
}

void park_free(struct park *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < PARK_PLACES; i++)
        free(p->place[i]);
    free(p);
}

struct parked *park_add(struct park *p)
{
    unsigned at = 0;
    while (at < PARK_PLACES && p->members[at])
        at++; /* the first free one: what stands there is warm */
    if (at == PARK_PLACES)
        at = p->next++ % PARK_PLACES;
    struct parked *e = calloc(1, sizeof *e);
    if (e && !p->place[at])
        p->place[at] = calloc(1, sizeof *p->place[at]);
    if (!e || !p->place[at]) {
        free(e);
        return NULL;
    }
    p->members[at]++;
    e->place = at;
    return e;
}

static void release(struct parked *e)
{
    if (e->packed)
        explicit_bzero(e->packed, e->size);
    free(e->packed);
    e->packed = NULL;
}

void park_remove(struct park *p, struct parked *e)
{
    if (!e)
        return;
    if (p->standing[e->place] == e) {
        explicit_bzero(p->place[e->place], sizeof(union place));
        p->standing[e->place] = NULL;
    }
    p->members[e->place]--;
    release(e);
    free(e);
}

static bool is_zero(const unsigned char *block)
{
    uint64_t w[BLOCK / 8];
    memcpy(w, block, BLOCK);
    return !(w[0] | w[1] | w[2] | w[3]);
}

static void pack(struct parked *e, const union place *from)
{
    unsigned char bitmap[BITMAP] = { 0 };
    size_t n = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (is_zero(from->block[i]))
            continue;
        bitmap[i / 8] |= (unsigned char)(1u << i % 8);
        n++;
    }
    e->size = BITMAP + n * BLOCK;
    e->packed = malloc((e->size + STEP - 1) / STEP * STEP);
    e->lost = !e->packed;
    if (e->lost)
        return;
    unsigned char *to = e->packed + BITMAP;
    memcpy(e->packed, bitmap, BITMAP);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (bitmap[i / 8] >> i % 8 & 1) {
            memcpy(to, from->block[i], BLOCK);
            to += BLOCK;
        }
    }
}

static void unpack(struct parked *e, union place *to)
{
    const unsigned char *from = e->packed + BITMAP;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (e->packed[i / 8] >> i % 8 & 1) {
            memcpy(to->block[i], from, BLOCK);
            from += BLOCK;
        }
    }
    release(e);
}

struct exchange *park_open(struct park *p, struct parked *e)
{
    union place *at = p->place[e->place];
    struct parked *other = p->standing[e->place];
    if (other == e)
        return &at->exchange;
    if (other) { /* else it was zeroed when it became free */
        pack(other, at);
        memset(at, 0, sizeof *at);
    }
    p->standing[e->place] = e;
    if (e->packed)
        unpack(e, at);
    else if (e->lost)
        at->exchange.ask.dead = at->exchange.answer.dead = true;
    return &at->exchange;
}

bool park_lost(const struct parked *e)
{
    return e->lost;
}
