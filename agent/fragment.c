/* Joins IP fragments: see fragment.h. A datagram is 8192 units of 8 bytes and a bitmap.
 */
#include "agent/fragment.h"

#include <stdlib.h>

enum { UNIT = 8, UNITS = 8192, DATAGRAM = UNIT * UNITS };

struct datagram {
    bool used;
    uint64_t age; /* counter value when it began */
    struct endpoint src, dst;
    uint32_t id;
    uint8_t protocol;
    uint32_t total; /* bytes; 0: the last fragment was not seen */
    uint32_t high;  /* end of the last byte that any fragment had */
    uint32_t have;  /* units */
    uint64_t map[UNITS / 64];
    char *bytes;
};

struct fragments {
    uint64_t clock;
    struct datagram slots[FRAGMENT_SLOTS];
    struct fragment_stats stats;
};

struct fragments *fragments_new(void)
{
    return calloc(1, sizeof(struct fragments));
}

void fragments_free(struct fragments *f)
{
    for (size_t i = 0; f && i < FRAGMENT_SLOTS; i++)
        free(f->slots[i].bytes);
    free(f);
}

const struct fragment_stats *fragments_stats(const struct fragments *f)
{
    return &f->stats;
}

static bool same(const struct datagram *d, const struct packet *p)
{
    return d->used && d->id == p->fragment.id && d->protocol == p->fragment.protocol &&
           memcmp(d->src.ip, p->src.ip, sizeof d->src.ip) == 0 &&
           memcmp(d->dst.ip, p->dst.ip, sizeof d->dst.ip) == 0;
}

/* The datagram of p: known, or begun in a free slot or in the oldest one's. */
static struct datagram *slot_of(struct fragments *f, const struct packet *p)
{
    struct datagram *d = &f->slots[0];
    for (size_t i = 0; i < FRAGMENT_SLOTS; i++) {
        struct datagram *e = &f->slots[i];
        if (same(e, p))
            return e;
        if (d->used && (!e->used || e->age < d->age))
            d = e;
    }
    f->stats.unfinished += d->used;
    char *bytes = d->bytes ? d->bytes : malloc(DATAGRAM);
    if (!bytes)
        return NULL;
    *d = (struct datagram){ .used = true,
                            .age = f->clock++,
                            .src = p->src,
                            .dst = p->dst,
                            .id = p->fragment.id,
                            .protocol = p->fragment.protocol,
                            .bytes = bytes };
    return d;
}

static void copy_units(struct datagram *d, uint32_t offset, struct slice s)
{
    for (size_t at = 0; at < s.n; at += UNIT) {
        size_t unit = (offset + at) / UNIT;
        uint64_t bit = UINT64_C(1) << unit % 64;
        if (d->map[unit / 64] & bit)
            continue;
        struct slice piece = slice_head(slice_from(s, at), UNIT);
        memcpy(d->bytes + unit * UNIT, piece.p, piece.n);
        d->map[unit / 64] |= bit;
        d->have++;
    }
}

bool fragments_add(struct fragments *f, struct packet *p, enum packet_kind *kind)
{
    uint32_t offset = p->fragment.offset;
    size_t end = offset + p->payload.n;
    f->stats.fragments++;
    if (p->missing || p->payload.n == 0 || end > DATAGRAM - 1 ||
        (p->fragment.more && p->payload.n % UNIT)) {
        f->stats.dropped++;
        return false;
    }
    struct datagram *d = slot_of(f, p);
    if (!d) {
        f->stats.dropped++;
        return false;
    }
    if (!p->fragment.more && !d->total)
        d->total = (uint32_t)end;
    d->high = end > d->high ? (uint32_t)end : d->high;
    if (d->total && d->high > d->total) { /* they contradict each other */
        f->stats.dropped++;
        f->stats.unfinished++;
        d->used = false;
        return false;
    }
    copy_units(d, offset, p->payload);
    if (!d->total || d->have < (d->total + UNIT - 1) / UNIT)
        return false;
    d->used = false;
    f->stats.joined++;
    *kind = packet_parse_transport(d->protocol, slice_of(d->bytes, d->total), 0, p);
    return true;
}
