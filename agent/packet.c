/* Frame -> TCP segment: see packet.h. */
#include "agent/packet.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
    ETHERTYPE_4 = 0x0800,
    ETHERTYPE_6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
};

enum { /* IP protocol numbers, and IPv6 extension headers */
       NEXT_HOP = 0,
       NEXT_TCP = 6,
       NEXT_ROUTING = 43,
       NEXT_FRAGMENT = 44,
       NEXT_AUTH = 51,
       NEXT_DESTINATION = 60,
       NEXT_MOBILITY = 135,
       NEXT_HIP = 139,
       NEXT_SHIM6 = 140,
};

static uint8_t u8(struct slice s, size_t at)
{
    return (uint8_t)s.p[at];
}

static uint16_t u16(struct slice s, size_t at)
{
    return (uint16_t)(u8(s, at) << 8 | u8(s, at + 1));
}

static uint32_t u32(struct slice s, size_t at)
{
    return (uint32_t)u16(s, at) << 16 | u16(s, at + 2);
}

const char *endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    char ip[INET6_ADDRSTRLEN];
    bool v4 = memcmp(e->ip, mapped, sizeof mapped) == 0;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? e->ip + 12 : e->ip, ip, sizeof ip);
    snprintf(out, ENDPOINT_TEXT, v4 ? "%s:%u" : "[%s]:%u", ip, e->port);
    return out;
}

bool packet_link(int dlt, enum packet_link *link)
{
    static const struct {
        int dlt;
        enum packet_link link;
    } known[] = {
        { 1, PACKET_ETHERNET }, { 113, PACKET_COOKED }, { 276, PACKET_COOKED2 },
        { 12, PACKET_RAW },     { 14, PACKET_RAW },     { 101, PACKET_RAW },
        { 228, PACKET_RAW },    { 229, PACKET_RAW },    { 0, PACKET_NULL },
        { 108, PACKET_LOOP },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].dlt == dlt) {
            *link = known[i].link;
            return true;
        }
    }
    return false;
}

static enum packet_kind parse_tcp(struct slice s, size_t missing, struct packet *p)
{
    if (s.n < 20)
        return missing ? PACKET_CUT : PACKET_BAD;
    size_t header = (size_t)(u8(s, 12) >> 4) * 4;
    if (header < 20 || header > s.n + missing)
        return PACKET_BAD;
    if (header > s.n) /* cut inside the options; no byte of the payload is here */
        return PACKET_CUT;
    p->src.port = u16(s, 0);
    p->dst.port = u16(s, 2);
    p->seq = u32(s, 4);
    p->ack = u32(s, 8);
    p->flags = u8(s, 13);
    p->payload = slice_from(s, header);
    p->missing = (uint32_t)missing;
    return PACKET_TCP;
}

/* A fragment header of IPv6 stands at the begin of s. */
static enum packet_kind parse_fragment6(struct slice s, size_t missing, struct packet *p)
{
    uint16_t where = u16(s, 2);
    p->fragment.protocol = u8(s, 0);
    p->fragment.offset = where & 0xfff8u;
    p->fragment.more = where & 1;
    p->fragment.id = u32(s, 4);
    p->payload = slice_from(s, 8);
    p->missing = (uint32_t)missing;
    return PACKET_FRAGMENT;
}

enum packet_kind packet_parse_transport(uint8_t protocol, struct slice s, size_t missing,
                                        struct packet *p)
{
    for (;;) {
        size_t n;
        if (protocol == NEXT_TCP)
            return parse_tcp(s, missing, p);
        switch (protocol) {
        case NEXT_HOP:
        case NEXT_ROUTING:
        case NEXT_FRAGMENT:
        case NEXT_AUTH:
        case NEXT_DESTINATION:
        case NEXT_MOBILITY:
        case NEXT_HIP:
        case NEXT_SHIM6:
            break;
        default:
            return PACKET_OTHER;
        }
        if (s.n < 8)
            return missing ? PACKET_CUT : PACKET_BAD;
        n = protocol == NEXT_FRAGMENT ? 8
            : protocol == NEXT_AUTH   ? ((size_t)u8(s, 1) + 2) * 4
                                      : ((size_t)u8(s, 1) + 1) * 8;
        if (protocol == NEXT_FRAGMENT && (u16(s, 2) & 0xfff9u))
            return parse_fragment6(s, missing, p);
        if (n > s.n)
            return missing ? PACKET_CUT : PACKET_BAD;
        protocol = u8(s, 0);
        s = slice_from(s, n);
    }
}

/*
 * Cut s to the `total` bytes that the IP header speaks of; 0 (segmentation offload) means
 * all. What lies behind is padding of the link. Returns how many of them are missing.
 */
static size_t take_total(struct slice *s, size_t missing, size_t total)
{
    if (total == 0)
        return missing;
    *s = slice_head(*s, total);
    return total - s->n;
}

static enum packet_kind parse_ip4(struct slice s, size_t missing, struct packet *p)
{
    if (s.n < 20)
        return missing ? PACKET_CUT : PACKET_BAD;
    size_t header = (size_t)(u8(s, 0) & 15) * 4, total = u16(s, 2);
    if (header < 20 || (total && total < header))
        return PACKET_BAD;
    missing = take_total(&s, missing, total);
    if (header > s.n)
        return missing ? PACKET_CUT : PACKET_BAD;
    p->src.ip[10] = p->src.ip[11] = p->dst.ip[10] = p->dst.ip[11] = 0xff;
    memcpy(p->src.ip + 12, s.p + 12, 4);
    memcpy(p->dst.ip + 12, s.p + 16, 4);
    uint8_t protocol = u8(s, 9);
    uint16_t where = u16(s, 6);
    if (protocol != NEXT_TCP)
        return PACKET_OTHER;
    if (where & 0x3fff) {
        p->fragment.id = u16(s, 4);
        p->fragment.offset = (uint32_t)(where & 0x1fff) * 8;
        p->fragment.more = where & 0x2000;
        p->fragment.protocol = protocol;
        p->payload = slice_from(s, header);
        p->missing = (uint32_t)missing;
        return PACKET_FRAGMENT;
    }
    return parse_tcp(slice_from(s, header), missing, p);
}

static enum packet_kind parse_ip6(struct slice s, size_t missing, struct packet *p)
{
    if (s.n < 40)
        return missing ? PACKET_CUT : PACKET_BAD;
    size_t payload = u16(s, 4);
    missing = take_total(&s, missing, payload ? payload + 40 : 0);
    memcpy(p->src.ip, s.p + 8, 16);
    memcpy(p->dst.ip, s.p + 24, 16);
    return packet_parse_transport(u8(s, 6), slice_from(s, 40), missing, p);
}

static enum packet_kind parse_ip(struct slice s, size_t missing, struct packet *p)
{
    if (!s.n)
        return missing ? PACKET_CUT : PACKET_BAD;
    if (u8(s, 0) >> 4 == 4)
        return parse_ip4(s, missing, p);
    return u8(s, 0) >> 4 == 6 ? parse_ip6(s, missing, p) : PACKET_BAD;
}

/* `type` at s.p[at], the payload behind `header` bytes; tags of VLANs are stepped over.
 */
static enum packet_kind parse_ethertype(struct slice s, size_t type_at, size_t header,
                                        size_t missing, struct packet *p)
{
    if (s.n < header)
        return missing ? PACKET_CUT : PACKET_BAD;
    uint16_t type = u16(s, type_at);
    s = slice_from(s, header);
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ ||
           type == ETHERTYPE_QINQ_OLD) {
        if (s.n < 4)
            return missing ? PACKET_CUT : PACKET_BAD;
        type = u16(s, 2);
        s = slice_from(s, 4);
    }
    if (type != ETHERTYPE_4 && type != ETHERTYPE_6)
        return PACKET_OTHER;
    return parse_ip(s, missing, p);
}

static enum packet_kind parse_loopback(struct slice s, bool network_order, size_t missing,
                                       struct packet *p)
{
    if (s.n < 4)
        return missing ? PACKET_CUT : PACKET_BAD;
    uint32_t family = u32(s, 0);
    if (!network_order && family > 0xffff) /* written by a little-endian host */
        family = __builtin_bswap32(family);
    switch (family) {
    case 2:  /* AF_INET everywhere */
    case 10: /* AF_INET6: Linux, then BSD, FreeBSD, Darwin */
    case 24:
    case 28:
    case 30:
        return parse_ip(slice_from(s, 4), missing, p);
    default:
        return PACKET_OTHER;
    }
}

enum packet_kind packet_parse(enum packet_link link, struct slice frame,
                              size_t wire_bytes, struct packet *p)
{
    size_t missing = wire_bytes > frame.n ? wire_bytes - frame.n : 0;
    *p = (struct packet){ .missing = 0 };
    switch (link) {
    case PACKET_ETHERNET:
        return parse_ethertype(frame, 12, 14, missing, p);
    case PACKET_COOKED:
        return parse_ethertype(frame, 14, 16, missing, p);
    case PACKET_COOKED2:
        return parse_ethertype(frame, 0, 20, missing, p);
    case PACKET_RAW:
        return parse_ip(frame, missing, p);
    case PACKET_NULL:
    case PACKET_LOOP:
        return parse_loopback(frame, link == PACKET_LOOP, missing, p);
    }
    return PACKET_OTHER;
}
