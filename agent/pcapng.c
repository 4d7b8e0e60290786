/* Blocks of pcapng: see pcapng.h. */
#include "agent/pcapng.h"

#include <endian.h>
#include <stdlib.h>

/* Types of blocks. */
enum { INTERFACE = 1, PACKET_OLD = 2, PACKET_SIMPLE = 3, PACKET_ENHANCED = 6, KEYS = 10 };
#define SECTION          UINT32_C(0x0a0d0d0a)
#define BYTE_ORDER_MAGIC UINT32_C(0x1a2b3c4d)
#define KEYS_TLS         UINT32_C(0x544c534b)

enum { OPTION_RESOLUTION = 9, OPTION_OFFSET = 14, SECTION_LEAST = 28 };

struct pcapng_interface {
    int link_type;
    uint32_t snap;  /* 0: no limit */
    uint64_t units; /* of time, in a second */
    int64_t offset; /* seconds */
};

void pcapng_release(struct pcapng *g)
{
    free(g->interface);
    *g = (struct pcapng){ .interface = NULL };
}

static uint16_t u16(const struct pcapng *g, const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return g->big ? be16toh(v) : le16toh(v);
}

static uint32_t u32(const struct pcapng *g, const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return g->big ? be32toh(v) : le32toh(v);
}

static enum pcapng_what bad(struct pcapng *g, const char *why)
{
    g->why = why;
    return PCAPNG_BAD;
}

uint32_t pcapng_length(struct pcapng *g, const char head[PCAPNG_HEAD])
{
    uint32_t type = u32(g, head), least = PCAPNG_HEAD;
    if (type == SECTION) { /* the same in both orders */
        least = SECTION_LEAST;
        g->big = false;
        g->big = u32(g, head + 8) != BYTE_ORDER_MAGIC;
        if (u32(g, head + 8) != BYTE_ORDER_MAGIC) {
            g->why = "a section of pcapng in no byte order";
            return 0;
        }
    }
    uint32_t n = u32(g, head + 4);
    if (n >= least && n % 4 == 0 && n <= PCAPNG_BLOCK_MOST)
        return n;
    g->why = "a block of pcapng of a length that it cannot have";
    return 0;
}

/* --- interfaces -----------------------------------------------------------------------
 */

static bool units_of(unsigned char resolution, uint64_t *units)
{
    unsigned n = resolution & 0x7f;
    bool binary = resolution & 0x80;
    if (n > (binary ? 63 : 19))
        return false;
    *units = binary ? UINT64_C(1) << n : 1;
    for (; !binary && n; n--)
        *units *= 10;
    return true;
}

static bool read_options(const struct pcapng *g, struct slice s,
                         struct pcapng_interface *i)
{
    while (s.n >= 4) {
        uint16_t code = u16(g, s.p), n = u16(g, s.p + 2);
        struct slice value = slice_head(slice_from(s, 4), n);
        if (code == 0)
            return true;
        if (value.n < n)
            return false;
        if (code == OPTION_RESOLUTION && n >= 1 &&
            !units_of((unsigned char)value.p[0], &i->units))
            return false;
        if (code == OPTION_OFFSET && n >= 8) {
            uint64_t low = u32(g, value.p + (g->big ? 4 : 0));
            uint64_t high = u32(g, value.p + (g->big ? 0 : 4));
            i->offset = (int64_t)(high << 32 | low);
        }
        s = slice_from(s, 4 + (n + 3u) / 4 * 4);
    }
    return true;
}

static enum pcapng_what add_interface(struct pcapng *g, struct slice s)
{
    if (s.n < 8)
        return bad(g, "an interface of pcapng without its link type");
    struct pcapng_interface i = { .link_type = u16(g, s.p),
                                  .snap = u32(g, s.p + 4),
                                  .units = 1000000 };
    if (!read_options(g, slice_from(s, 8), &i))
        return bad(g, "an interface of pcapng with options that cannot be");
    if (g->interfaces == g->room) {
        size_t room = g->room ? 2 * g->room : 4;
        struct pcapng_interface *to =
            room <= PCAPNG_INTERFACES ? realloc(g->interface, room * sizeof *to) : NULL;
        if (!to)
            return bad(g, "more interfaces than there is memory for");
        g->interface = to;
        g->room = room;
    }
    g->interface[g->interfaces++] = i;
    return PCAPNG_OTHER;
}

/* --- packets --------------------------------------------------------------------------
 */

/* Damaged times are clamped. */
static int64_t time_of(const struct pcapng_interface *i, uint64_t ticks)
{
    const int64_t latest = INT64_C(1) << 33, second = 1000000000; /* in 2242 */
    int64_t s = (int64_t)(ticks / i->units);
    int64_t part =
        (int64_t)((unsigned __int128)(ticks % i->units) * 1000000000 / i->units);
    int64_t offset = i->offset > latest    ? latest
                     : i->offset < -latest ? -latest
                                           : i->offset;
    s = s < 0 || s > 2 * latest ? latest : s + offset;
    return (s < 0 ? 0 : s > latest ? latest : s) * second + part;
}

static enum pcapng_what packet(struct pcapng *g, uint32_t interface, struct slice s,
                               uint32_t kept, struct pcapng_packet *p)
{
    if (interface >= g->interfaces)
        return bad(g, "a packet of no interface");
    if (kept > s.n)
        return bad(g, "a packet longer than its block");
    p->link_type = g->interface[interface].link_type;
    p->known = packet_link(p->link_type, &p->link);
    p->bytes = slice_head(s, kept);
    p->ts_ns = g->last_ns;
    return PCAPNG_PACKET;
}

static enum pcapng_what timed(struct pcapng *g, uint32_t interface, struct slice s,
                              struct pcapng_packet *p)
{
    uint64_t ticks = (uint64_t)u32(g, s.p + 4) << 32 | u32(g, s.p + 8);
    p->wire_bytes = u32(g, s.p + 16);
    if (interface < g->interfaces)
        g->last_ns = time_of(&g->interface[interface], ticks);
    return packet(g, interface, slice_from(s, 20), u32(g, s.p + 12), p);
}

/* Without a time, and of the first interface, whose snap length cut it. */
static enum pcapng_what simple(struct pcapng *g, struct slice s, struct pcapng_packet *p)
{
    uint32_t kept = (uint32_t)(p->wire_bytes = u32(g, s.p));
    if (g->interfaces && g->interface[0].snap && kept > g->interface[0].snap)
        kept = g->interface[0].snap;
    return packet(g, 0, slice_from(s, 4), kept, p);
}

static enum pcapng_what keys(const struct pcapng *g, struct slice s,
                             struct pcapng_packet *p)
{
    uint32_t n = u32(g, s.p + 4);
    p->bytes = slice_head(slice_from(s, 8), n);
    return u32(g, s.p) == KEYS_TLS ? PCAPNG_KEYS : PCAPNG_OTHER;
}

enum pcapng_what pcapng_block(struct pcapng *g, struct slice block,
                              struct pcapng_packet *p)
{
    uint32_t type = u32(g, block.p);
    struct slice s = slice_head(slice_from(block, 8), block.n - PCAPNG_HEAD);
    *p = (struct pcapng_packet){ .known = false };
    if (u32(g, block.p + block.n - 4) != block.n)
        return bad(g, "a block of pcapng that ends with another length");
    switch (type) {
    case SECTION: /* its interfaces are its own */
        g->interfaces = 0;
        return PCAPNG_OTHER;
    case INTERFACE:
        return add_interface(g, s);
    case PACKET_ENHANCED:
        if (s.n >= 20)
            return timed(g, u32(g, s.p), s, p);
        break;
    case PACKET_OLD:
        if (s.n >= 20)
            return timed(g, u16(g, s.p), s, p);
        break;
    case PACKET_SIMPLE:
        if (s.n >= 4)
            return simple(g, s, p);
        break;
    case KEYS:
        if (s.n >= 8)
            return keys(g, s, p);
        break;
    default:
        return PCAPNG_OTHER;
    }
    return bad(g, "a block of pcapng shorter than its fields");
}
