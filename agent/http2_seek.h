/*
 * Where do frames begin on a direction of HTTP/2 that was joined in its middle? A chain
 * of frame headers that each are what a header can be (RFC 9113, 4.1 and 6), one where
 * the length of the one before says, from the begin of a segment on: frames mostly begin
 * there. Also the client's preface. Keeps no byte, but for a header that is cut. Where
 * frames were lost of a connection known to be HTTP/2, fewer will do, of streams that
 * there can be, and if they are those of one segment not a byte is passed over. Pure; fed
 * by http.
 *
 * Refuses: to believe fewer than HTTP2_SEEK_CHAIN headers of a connection that was
 * joined, lengths over the default limit of a frame, unknown types, and to look inside a
 * segment.
 */
#ifndef BREAKEVEN_HTTP2_SEEK_H
#define BREAKEVEN_HTTP2_SEEK_H

#include "agent/http2.h"

enum { HTTP2_SEEK_CHAIN = 3 };

/* Zeroed: nothing was seen. */
struct http2_seek {
    unsigned char head[HTTP2_FRAME_HEAD];
    size_t have;
    uint32_t left; /* of a payload that is passed over */
    uint32_t stream;
    uint32_t highest; /* stream there can be, of a direction with a loss; 0: joined */
    unsigned chain;   /* headers in a row */
    bool following;   /* else the next piece may begin a chain */
    bool in_block;    /* CONTINUATION must follow */
    bool found;
};

/*
 * The next bytes; the piece begins where a segment did. Returns how many are passed over.
 * s->found: a frame begins behind these, to be read as HTTP/2 from there on.
 */
size_t http2_seek(struct http2_seek *s, struct slice in);
void http2_seek_gap(struct http2_seek *s, uint64_t bytes); /* 0: an unknown number */

#endif
