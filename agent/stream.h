/*
 * The one interface between the layers of captured traffic: ordered bytes of one
 * connection, in two directions, with marked gaps. reassembly feeds a sink, tls is a sink
 * that feeds another with plaintext, http is a sink that ends in extract.
 */
#ifndef BREAKEVEN_STREAM_H
#define BREAKEVEN_STREAM_H

#include "common/slice.h"

enum stream_dir {
    STREAM_UP,   /* client to server */
    STREAM_DOWN, /* server to client */
};

struct stream_sink {
    void *arg;
    /* The next in-order bytes, any number, cut anywhere; borrowed during the call. */
    void (*data)(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes);
    /* `bytes` bytes are lost here (0: an unknown number). What follows is in order again.
     */
    void (*gap)(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes);
    /* That direction is over: FIN, or a reset (both directions), or eviction. Once each.
     */
    void (*close)(void *arg, enum stream_dir d, int64_t ts_ns, bool reset);
};

#endif
