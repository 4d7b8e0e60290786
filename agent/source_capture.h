/*
 * Captured traffic on its way from frames to connections: every packet through packet,
 * fragment and flow to the sinks of the layer above. The frames come from pcap and pcapng
 * files, read here through libpcap, or from an interface (live.h, capture_packet). Shell.
 * Refuses: link types that packet does not know, files of several link types.
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

/*
 * `filter` is an expression of pcap-filter(7) or NULL. NULL: out of memory. Sinks of
 * `events` are called from capture_read and capture_free.
 */
struct capture *capture_new(const struct flow_limits *limits,
                            const struct flow_events *events, const char *filter);
void capture_free(struct capture *c);

/* Do these first bytes of a file (at least 4) begin a capture? */
bool capture_is(struct slice first);

/*
 * Read one file to its end: the bytes `first`, then what `u` gives. Connections end with
 * the file. ST_OK; ST_BAD, ST_IO or ST_CONFIG (the filter) with the reason in *why.
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
