/*
 * One direction of an HTTP/2 connection: bytes cut anywhere -> header lists, data without
 * padding, ends and resets of streams (RFC 9113); header compression by hpack. Fed by
 * http_two, which knows which stream is which call.
 *
 * SETTINGS are not followed: the decoder allows any table up to a megabyte, and an
 * encoder says in its own blocks how much of that it uses (RFC 7541, 6.3). Refuses:
 * header blocks over the limit, frames outside the grammar. Joined in its middle, or
 * after frames were lost, a direction is read from the begin of a frame on (http2_seek),
 * and header fields that speak of what was before are left out.
 */
#ifndef BREAKEVEN_HTTP2_H
#define BREAKEVEN_HTTP2_H

#include "agent/extract.h"
#include "agent/hpack.h"
#include "common/arena.h"

enum { HTTP2_FIELDS = 200, HTTP2_FRAME_HEAD = 9 };

struct http2_events {
    /* A header list: of a message, or its trailer. NULL: over the limit, not kept. */
    void (*headers)(void *arg, uint32_t stream, const struct extract_header *field,
                    size_t fields);
    void (*data)(void *arg, uint32_t stream, struct slice piece);
    void (*end)(void *arg, uint32_t stream);   /* END_STREAM */
    void (*reset)(void *arg, uint32_t stream); /* RST_STREAM */
};

struct http2 {
    const struct http2_events *on;
    void *arg;
    unsigned char head[HTTP2_FRAME_HEAD];
    size_t have;               /* of head */
    uint32_t left;             /* of the payload */
    uint32_t stream, pad;      /* pad: bytes at the payload's end to be left out */
    uint32_t highest;          /* stream */
    unsigned char type, flags; /* of the frame at hand */
    unsigned char skip;        /* bytes at the payload's start to be left out */
    unsigned char opener;      /* type of the frame that the block began with */
    bool padded, block_ends;   /* padded: its length byte is next */
    bool in_block;             /* CONTINUATION must follow */
    size_t header_bytes;       /* limit */
    struct buf block;          /* compressed header list that is cut */
    struct arena fields;
    struct hpack *hpack;
    size_t unknown;  /* fields left out of the header list at hand */
    const char *why; /* it is dead; NULL: it is not */
};

/* `on` and `arg` are borrowed. ST_NOMEM. */
enum status http2_init(struct http2 *h, size_t header_bytes, enum hpack_keep keep,
                       const struct http2_events *on, void *arg);
void http2_release(struct http2 *h);

/* The next in-order bytes, behind the preface. False: dead, h->why says why. */
bool http2_feed(struct http2 *h, struct slice in);

/*
 * `bytes` are lost. True: of the data of *stream, and reading goes on; *ends: they were
 * its last. False: a frame, and with it perhaps a header block, is lost: http2_lose.
 */
bool http2_gap(struct http2 *h, uint64_t bytes, uint32_t *stream, bool *ends);

/* Frames were lost, or the begin was not seen: a frame begins with the next byte fed. */
void http2_lose(struct http2 *h);

#endif
