/*
 * How often a client asked something on a TLS connection that cannot be read: bursts of
 * application data from client to server, each after a reply, each large enough for a
 * request. An estimate of calls, for quality `missing` only. Looks at
 * nothing but the headers of records. Pure. Fed by conn with the ciphertext.
 *
 * Refuses: to say what a burst was. A keep-alive, HTTP/2's own frames and the end of a
 * handshake are too small to be one; several requests side by side on HTTP/2 are one.
 */
#ifndef BREAKEVEN_DARK_H
#define BREAKEVEN_DARK_H

#include "agent/stream.h"

/* Of ciphertext: more than a TLS 1.3 Finished (79), more than two WINDOW_UPDATEs. */
enum { DARK_REQUEST_BYTES = 160, DARK_REPLY_BYTES = 100 };

struct dark_dir {
    unsigned char head[5];
    unsigned char n;  /* bytes of a record's header */
    uint32_t left;    /* of its body */
    bool lost;        /* out of step with the records: every byte counts as data */
    bool application; /* the record at hand carries data */
};

/* Zero it to begin. */
struct dark {
    struct dark_dir dir[2];
    uint64_t burst; /* bytes of data in the burst at hand; UINT64_MAX: it was counted */
    uint64_t reply; /* bytes of data from the server since it */
    uint64_t bursts, up, down;
};

void dark_data(struct dark *k, enum stream_dir d, struct slice bytes);
/* Bytes are missing: records cannot be told apart any more in that direction. */
void dark_gap(struct dark *k, enum stream_dir d);

#endif
