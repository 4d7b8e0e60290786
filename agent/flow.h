/*
 * The connections that are under way: a bounded table from both endpoints to the state of
 * reassembly and to the sink of the layer above. Pure: time is that of the packets, and
 * the seed of the hash comes in. Fed by source_capture. Decides who is the client: the
 * sender of the SYN, else the side with the port that looks less like a server's, else
 * the first sender. Refuses: more connections than max_flows (the longest silent one
 * ends), a connection for a packet that carries nothing.
 */
#ifndef BREAKEVEN_FLOW_H
#define BREAKEVEN_FLOW_H

#include "agent/reassembly.h"
#include "common/status.h"

enum flow_end {
    FLOW_CLOSED,  /* both directions ended, by FIN or reset */
    FLOW_IDLE,    /* silent for limits.idle_ns */
    FLOW_EVICTED, /* the table was full */
    FLOW_REUSED,  /* a new connection between the same endpoints began */
    FLOW_FINISH,  /* the capture ended */
    FLOW_ENDS,
};

const char *flow_end_name(enum flow_end why);

struct flow_info {
    struct endpoint client, server;
    int64_t ts_ns; /* of its first packet */
    bool joined;   /* its begin was not captured, so who is the client is a guess */
};

struct flow_events {
    void *arg;
    /*
     * The first bytes, or the loss of them, are about to come: fill *sink. False: no
     * memory; what this connection carries is dropped and counted.
     */
    bool (*open)(void *arg, const struct flow_info *info, struct stream_sink *sink);
    /* The last call for this sink; both its directions were closed before. */
    void (*end)(void *arg, struct stream_sink *sink, enum flow_end why);
};

struct flow_limits {
    size_t max_flows;
    int64_t idle_ns;   /* a silent connection ends */
    int64_t linger_ns; /* an ended one is remembered, for stray segments */
    struct reassembly_limits reassembly;
};

/* 10,000 flows, 15 minutes of silence, 1 MiB queued a flow and 16 MiB in all. */
struct flow_limits flow_limits_default(void);

struct flow_stats {
    uint64_t flows;            /* seen */
    uint64_t ended[FLOW_ENDS]; /* by reason */
    uint64_t stray;            /* segments of no known connection, without payload */
    uint64_t unwanted;         /* events of connections without a sink */
};

struct flow_table;

/* NULL: out of memory. `events` is copied. */
struct flow_table *flow_table_new(const struct flow_limits *limits,
                                  const struct flow_events *events, uint64_t seed);
/* Forgets what is left without telling the sinks' data; `end` is called for each. */
void flow_table_free(struct flow_table *t);

/* Take the next captured segment. ST_NOMEM: it is lost (and becomes a gap). */
enum status flow_table_feed(struct flow_table *t, const struct packet *p, int64_t ts_ns);
/* Let time pass without a packet: give up holes, end silent connections. */
void flow_table_expire(struct flow_table *t, int64_t now_ns);
/* The capture ended: every connection ends, what was open is marked so. */
void flow_table_finish(struct flow_table *t);

size_t flow_table_count(const struct flow_table *t); /* remembered now */
const struct flow_stats *flow_table_stats(const struct flow_table *t);
const struct reassembly_stats *flow_table_reassembly(const struct flow_table *t);

#endif
