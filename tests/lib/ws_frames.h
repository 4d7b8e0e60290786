/*
 * WebSocket frames made by hand (RFC 6455, 5.2), compressed ones by zlib (RFC 7692), for
 * the tests of captured sockets.
 */
#ifndef BREAKEVEN_WS_FRAMES_H
#define BREAKEVEN_WS_FRAMES_H

#include "common/buf.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_FIN = 0x80,
    WS_RSV1 = 0x40
};

/* `first` is the first byte: flags and opcode. */
static inline void ws_frame(struct buf *b, unsigned first, bool masked,
                            struct slice payload)
{
    static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    unsigned m = masked ? 0x80 : 0, bytes = payload.n < 126     ? 0
                                            : payload.n < 65536 ? 2
                                                                : 8;
    buf_addc(b, (char)first);
    buf_addc(b, (char)(m | (bytes == 0 ? (unsigned)payload.n : bytes == 2 ? 126 : 127)));
    while (bytes--)
        buf_addc(b, (char)((uint64_t)payload.n >> 8 * bytes & 0xff));
    if (masked)
        buf_add(b, slice_of(mask, 4));
    for (size_t i = 0; i < payload.n; i++)
        buf_addc(b, (char)(masked ? payload.p[i] ^ (char)mask[i & 3] : payload.p[i]));
}

/* A compressor of one direction; its window goes on from message to message. */
static inline z_stream *ws_deflater(int window_bits)
{
    z_stream *z = calloc(1, sizeof *z);
    if (!z || deflateInit2(z, 9, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return z;
}

static inline void ws_deflater_free(z_stream *z)
{
    deflateEnd(z);
    free(z);
}

/* One message's payload as it is sent: without the four bytes that each ends with. With
 * `final` the sender ends its stream inside of the message (7.2.3.4). */
static inline void ws_deflate(z_stream *z, struct slice message, bool final,
                              struct buf *out)
{
    unsigned char room[1 << 16];
    z->next_in = (unsigned char *)message.p;
    z->avail_in = (unsigned)message.n;
    z->next_out = room;
    z->avail_out = sizeof room;
    int rc = deflate(z, final ? Z_FINISH : Z_SYNC_FLUSH);
    if ((rc != Z_OK && rc != Z_STREAM_END) || z->avail_in)
        abort();
    size_t n = sizeof room - z->avail_out;
    if (final)
        room[n++] = 0; /* the head of an empty stored block */
    else
        n -= 4;
    buf_add(out, slice_of(room, n));
    if (final)
        deflateReset(z);
}

#endif
