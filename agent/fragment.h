/*
 * Fragments of IP datagrams -> whole datagrams, in a small table of fixed size; TCP is
 * rarely fragmented, so the oldest unfinished datagram makes room for a new one. Fed by
 * source_capture with what packet calls PACKET_FRAGMENT. Refuses: fragments that a snap
 * length cut, datagrams over 64 KiB, more than FRAGMENT_SLOTS unfinished ones.
 */
#ifndef BREAKEVEN_FRAGMENT_H
#define BREAKEVEN_FRAGMENT_H

#include "agent/packet.h"
#include "common/status.h"

enum { FRAGMENT_SLOTS = 8 };

struct fragment_stats {
    uint64_t fragments, joined; /* seen; datagrams that became whole */
    uint64_t dropped;           /* fragments: cut, malformed, or without memory */
    uint64_t unfinished;        /* datagrams pushed out or left over */
};

struct fragments;

/* NULL: out of memory. A slot takes its 64 KiB when it is used first. */
struct fragments *fragments_new(void);
void fragments_free(struct fragments *f);

/*
 * Take a fragment. True when it completes its datagram: *p is then the whole segment and
 * *kind what packet_parse_transport says of it; the payload is valid until the next call.
 * Where fragments overlap, the first one wins.
 */
bool fragments_add(struct fragments *f, struct packet *p, enum packet_kind *kind);

const struct fragment_stats *fragments_stats(const struct fragments *f);

#endif
