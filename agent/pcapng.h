/*
 * Blocks of a pcapng file -> packets of any interface (draft-ietf-opsawg-pcapng). libpcap
 * reads such files only as far as all interfaces have one link type and one snap length,
 * and drops the secrets that Wireshark and editcap put beside the packets; files of
 * `dumpcap -i any -i eth0`, or joined by cat, are neither. Pure but for the table of
 * interfaces. Fed by source_capture with whole blocks.
 *
 * Reads: section headers (both byte orders, several sections), interfaces with their
 * resolution and offset of time, enhanced, simple and old packets, TLS secrets. Passes
 * over names, statistics, comments and what it does not know. Refuses: blocks over
 * PCAPNG_BLOCK_MOST, packets longer than their block or of no interface.
 */
#ifndef BREAKEVEN_PCAPNG_H
#define BREAKEVEN_PCAPNG_H

#include "agent/packet.h"

enum { PCAPNG_HEAD = 12, PCAPNG_BLOCK_MOST = 16 << 20, PCAPNG_INTERFACES = 4096 };

struct pcapng_interface;

/* Of one file; zeroed at its begin. */
struct pcapng {
    bool big; /* byte order of the section */
    struct pcapng_interface *interface;
    size_t interfaces, room;
    int64_t last_ns; /* of a packet: the next one may have no time */
    const char *why; /* after PCAPNG_BAD, and a length of 0 */
};

void pcapng_release(struct pcapng *g);

enum pcapng_what {
    PCAPNG_OTHER,
    PCAPNG_PACKET,
    PCAPNG_KEYS, /* text of a TLS key log */
    PCAPNG_BAD,
};

struct pcapng_packet {
    int link_type;
    bool known; /* `link` is what packet_link makes of link_type */
    enum packet_link link;
    struct slice bytes; /* the frame, or the key log; borrows from the block */
    size_t wire_bytes;
    int64_t ts_ns;
};

/*
 * The length of the block that begins with these PCAPNG_HEAD bytes, themselves included;
 * 0: none begins there. A section header sets the byte order from here on.
 */
uint32_t pcapng_length(struct pcapng *g, const char head[PCAPNG_HEAD]);

/* A block of that length. *p is complete when PCAPNG_PACKET or PCAPNG_KEYS. */
enum pcapng_what pcapng_block(struct pcapng *g, struct slice block,
                              struct pcapng_packet *p);

#endif
