/*
 * Captured traffic on its way from frames to connections: every packet through packet,
 * fragment and flow to the sinks of the layer above. The frames come from pcap files,
 * read here through libpcap, from pcapng files (pcapng.h), or from an interface (live.h,
 * capture_packet). Shell. Refuses: files of link types that packet does not know; of an
 * interface of such a one in a file with others the packets are counted.
 */
#ifndef BREAKEVEN_SOURCE_CAPTURE_H
#define BREAKEVEN_SOURCE_CAPTURE_H

#include "agent/flow.h"
#include "agent/fragment.h"
#include "agent/unpack.h"
#include "common/buf.h"

struct capture_stats {
    uint64_t packets, bytes;      /* captured bytes, of packets that passed the filter */
    uint64_t kinds[PACKET_KINDS]; /* packets by what they are */
    uint64_t cut;                 /* TCP segments that the snap length shortened */
    uint64_t unstored;            /* segments without memory for their connection */
    bool torn;                    /* the last file ends inside a packet: still written? */
};

struct capture;

/* Text of a TLS key log that stood in a file, before the packets that it opens. */
typedef void capture_keys_fn(void *arg, struct slice text);

/*
 * NULL: out of memory. Sinks of `events`, and `keys` with their argument, are called from
 * capture_read and capture_free.
 */
struct capture *capture_new(const struct flow_limits *limits,
                            const struct flow_events *events, capture_keys_fn *keys);
void capture_free(struct capture *c);

/* Do these first bytes of a file (at least 4) begin a capture? */
bool capture_is(struct slice first);

/*
 * Read one file to its end: the bytes `first`, then what `u` gives. Connections end with
 * the file. ST_OK; ST_BAD or ST_IO with the reason in *why.
 */
enum status capture_read(struct capture *c, struct slice first, struct unpack *u,
                         struct buf *why);

/*
 * One captured frame of which `wire_bytes` (>= frame.n) were on the wire, at ts_ns. What
 * an interface feeds; capture_read does it for each packet of a file.
 */
void capture_packet(struct capture *c, enum packet_link link, struct slice frame,
                    size_t wire_bytes, int64_t ts_ns);
/* Let time pass without a packet (flow_table_expire); the end (flow_table_finish). */
void capture_expire(struct capture *c, int64_t now_ns);
void capture_finish(struct capture *c);

const struct capture_stats *capture_stats(const struct capture *c);
const struct fragment_stats *capture_fragments(const struct capture *c);
const struct flow_table *capture_flows(const struct capture *c);

#endif
