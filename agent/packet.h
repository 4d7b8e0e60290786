/*
 * One captured frame -> one TCP segment. Pure. Fed by source_capture with what libpcap
 * hands out; feeds flow. Knows Ethernet, Linux cooked v1 and v2, raw IP and BSD loopback,
 * VLAN tags in any number, IPv4 with options, IPv6 with extension headers. Bytes that a
 * snap length cut off are counted, so that they become a gap and not wrong data. Refuses:
 * tunnels, checksums (offloading makes them wrong in captures), anything but TCP.
 */
#ifndef BREAKEVEN_PACKET_H
#define BREAKEVEN_PACKET_H

#include "common/slice.h"

/* One side of a connection; an IPv4 address stands as ::ffff:a.b.c.d (RFC 4291). */
struct endpoint {
    uint8_t ip[16];
    uint16_t port;
};

enum { ENDPOINT_TEXT = 56 };
/* "192.0.2.1:443" or "[2001:db8::1]:443"; returns `out`. */
const char *endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT]);

enum packet_link {
    PACKET_ETHERNET,
    PACKET_COOKED,  /* LINUX_SLL */
    PACKET_COOKED2, /* LINUX_SLL2 */
    PACKET_RAW,     /* IPv4 or IPv6, by its first four bits */
    PACKET_NULL,    /* address family in the byte order of the capturing host */
    PACKET_LOOP,    /* address family in network order */
};

/* Of a link type number (tcpdump.org/linktypes.html, or pcap_datalink); false: unknown.
 */
bool packet_link(int dlt, enum packet_link *link);

enum packet_kind {
    PACKET_TCP,
    PACKET_FRAGMENT, /* of an IP datagram: fragment.h joins them */
    PACKET_OTHER,    /* neither IP nor TCP */
    PACKET_CUT,      /* captured bytes end inside the headers */
    PACKET_BAD,      /* headers contradict themselves */
    PACKET_KINDS,
};

enum packet_flag {
    PACKET_FIN = 1,
    PACKET_SYN = 2,
    PACKET_RST = 4,
    PACKET_ACK = 16,
};

struct packet {
    struct endpoint src, dst;
    uint32_t seq, ack;
    uint8_t flags; /* enum packet_flag, and those that nobody needs here */
    struct slice payload;
    uint32_t missing; /* bytes of the segment behind `payload` that were not captured */
    struct {          /* when PACKET_FRAGMENT; `payload` is the fragment's */
        uint32_t id;
        uint32_t offset; /* in bytes, a multiple of 8 */
        uint8_t protocol;
        bool more;
    } fragment;
};

/*
 * Read one frame of which `wire_bytes` (>= frame.n) were on the wire. *p is complete when
 * PACKET_TCP or PACKET_FRAGMENT is returned; its payload borrows from `frame`.
 */
enum packet_kind packet_parse(enum packet_link link, struct slice frame,
                              size_t wire_bytes, struct packet *p);

/*
 * Read what IP carries: extension headers of IPv6, then TCP. `missing` bytes behind
 * `bytes` were not captured. src and dst of *p have their addresses already. For joined
 * fragments.
 */
enum packet_kind packet_parse_transport(uint8_t protocol, struct slice bytes,
                                        size_t missing, struct packet *p);

#endif
