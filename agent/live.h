/*
 * A network interface, or `any`, opened for capture through libpcap: TPACKET_V3, no
 * blocking, never immediate mode (which falls back to TPACKET_V2 and drops at a tenth of
 * the rate). Shell. Opened once, with CAP_NET_RAW; everything later needs no privilege,
 * also not to attach again to an interface that vanished and came back: bind(2) on the
 * packet socket asks for none. Fed by the kernel; used by source_live.
 *
 * Refuses: interfaces of a link type that packet does not know; to come back as another
 * link type than it was opened with.
 */
#ifndef BREAKEVEN_LIVE_H
#define BREAKEVEN_LIVE_H

#include "agent/capture_filter.h"
#include "agent/packet.h"

struct live_options {
    const char *interface;        /* "eth0", "lo", "any" */
    struct capture_filter filter; /* its member vlan is set here */
    uint64_t ring_bytes;
    int snap_bytes;
    bool promiscuous;
};

struct live_stats { /* of the kernel, since it was opened */
    uint64_t received, dropped;
};

struct live;

/*
 * ST_DENIED: CAP_NET_RAW is missing; ST_NOT_FOUND: no libpcap, or no such interface;
 * ST_CONFIG: the filter; ST_IO. *why says what to do.
 */
enum status live_open(const struct live_options *o, struct live **out, struct buf *why);
void live_close(struct live *l);

/* Readable when a block of packets is ready. The same one for life. */
int live_fd(const struct live *l);

/* One frame; borrowed during the call. */
typedef void live_fn(void *arg, enum packet_link link, struct slice frame,
                     size_t wire_bytes, int64_t ts_ns);

/*
 * Hand out what is ready, `most` packets at most. ST_MORE: there may be more; ST_OK:
 * nothing now; ST_IO: the interface is down or gone, *why; try live_attach later.
 */
enum status live_read(struct live *l, int most, live_fn *fn, void *arg, struct buf *why);

/* Is the interface we listen to down, gone, or replaced by another one of its name?
 * libpcap does not always say so. *why. */
bool live_gone(const struct live *l, struct buf *why);

/*
 * After ST_IO or live_gone: go on with the interface of that name if there is one and it
 * is up. ST_OK: attached; else not yet, *why.
 */
enum status live_attach(struct live *l, struct buf *why);

const struct live_stats *live_stats(struct live *l);

/*
 * What check says of options without opening anything: the filter compiles, the interface
 * is there. As live_open.
 */
enum status live_check(const struct live_options *o, struct buf *filter, struct buf *why);

#endif
