/*
 * TCP segments of one connection, in the order of capture -> its bytes in order, both
 * directions in the order of cause: a reply is not handed up before the request bytes
 * that its sender had acknowledged. Pure. Fed by flow; feeds a stream_sink.
 *
 * Out-of-order segments wait in a bounded queue; where segments overlap, the first one
 * captured wins. A hole is given up, and told to the sink as a gap of that many bytes,
 *   when the receiver has acknowledged bytes behind it (so that no retransmission will
 *     come: the capture lost them) and limits.reorder_ns have passed,
 *   when nobody filled it for limits.hole_ns, when the queue is full, or at the end.
 * A connection joined in its middle begins with a gap of 0 (unknown many) bytes.
 * Refuses: checksums, urgent data.
 */
#ifndef BREAKEVEN_REASSEMBLY_H
#define BREAKEVEN_REASSEMBLY_H

#include "agent/packet.h"
#include "agent/stream.h"

struct reassembly_limits {
    size_t flow_bytes;  /* most that one connection queues, both directions */
    size_t total_bytes; /* most that all of them queue */
    int64_t reorder_ns; /* how late a packet may come out of the capture */
    int64_t hole_ns;    /* how long a retransmission is awaited */
};

struct reassembly_stats {
    uint64_t segments;        /* with payload, or cut to none */
    uint64_t out_of_order;    /* segments that had to wait */
    uint64_t repeated_bytes;  /* retransmitted, overlapping, or too late for their gap */
    uint64_t gaps, gap_bytes; /* bytes that were never seen */
    uint64_t refused;         /* segments without memory, far off, or behind the end */
    uint64_t joined;          /* connections whose begin was not seen */
};

/* Shared by the connections of one table. */
struct reassembly_env {
    struct reassembly_limits limits;
    struct reassembly_stats stats;
    uint64_t queued_bytes; /* now, of all connections */
};

struct reassembly_segment;

/* The acknowledgement in a segment, as it came. */
struct reassembly_ack {
    uint32_t seq;
    bool given;
};

struct reassembly_side {
    bool based;    /* `next` is the true begin, or what follows it */
    bool syn;      /* by SYN, or by the acknowledgement of one */
    bool closed;   /* the sink knows */
    bool ending;   /* a FIN stands at end_at */
    uint32_t base; /* sequence number of the first byte, when syn */
    uint64_t next; /* offset of the next byte to hand up: sequence number + k * 2^32 */
    uint64_t acked, end_at;
    struct reassembly_ack end_ack;
    int64_t end_ns;
    struct reassembly_segment *head, *tail; /* by offset, without overlap */
};

struct reassembly {
    struct reassembly_side side[2]; /* by enum stream_dir */
    uint32_t queued_bytes;
    uint32_t held; /* packets seen while a side has no base */
    bool reset;
    int64_t reset_ns;
};

void reassembly_init(struct reassembly *r);
/* Frees the queue; tells the sink nothing. */
void reassembly_release(struct reassembly *r, struct reassembly_env *env);

/*
 * Could p begin another connection between the same endpoints? True for a SYN that does
 * not fit what was seen; the caller finishes this one first and begins anew.
 */
bool reassembly_is_new(const struct reassembly *r, enum stream_dir d,
                       const struct packet *p);

/* Take the next captured segment. Sink functions are called from inside. */
void reassembly_feed(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                     const struct packet *p, int64_t ts_ns,
                     const struct stream_sink *sink);

/* Is anything waiting (data behind a hole, a FIN, a reset)? Then reassembly_tick. */
bool reassembly_waits(const struct reassembly *r);
/* Give up what has waited too long at `now_ns`. */
void reassembly_tick(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                     const struct stream_sink *sink);
/* Give up one hole, the first, to make room. */
void reassembly_yield(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                      const struct stream_sink *sink);
/*
 * No more packets will come: every hole becomes a gap. A side that did not end by itself
 * gets a gap of 0 bytes before its close, for what is not known to be complete.
 */
void reassembly_finish(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                       const struct stream_sink *sink);

/* Both directions are closed. */
static inline bool reassembly_over(const struct reassembly *r)
{
    return r->side[0].closed && r->side[1].closed;
}

#endif
