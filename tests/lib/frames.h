/*
 * Frames made by hand, for the tests of captured traffic: IPv4 or IPv6 with TCP, behind
 * any link header. Checksums stay zero: nobody looks at them.
 */
#ifndef BREAKEVEN_FRAMES_H
#define BREAKEVEN_FRAMES_H

#include "agent/packet.h"
#include "common/buf.h"

static inline void put8(struct buf *b, unsigned v)
{
    buf_addc(b, (char)v);
}

static inline void put16(struct buf *b, unsigned v)
{
    put8(b, v >> 8);
    put8(b, v);
}

static inline void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xffff);
}

static inline void put_zero(struct buf *b, size_t n)
{
    while (n--)
        put8(b, 0);
}

struct tcp_row {
    uint16_t from, to;
    uint32_t seq, ack;
    unsigned flags, options; /* options: bytes, a multiple of 4 */
    struct slice payload;
};

static inline void put_tcp(struct buf *b, const struct tcp_row *t)
{
    put16(b, t->from);
    put16(b, t->to);
    put32(b, t->seq);
    put32(b, t->ack);
    put8(b, (20 + t->options) / 4 << 4);
    put8(b, t->flags);
    put16(b, 65535);
    put32(b, 0);
    put_zero(b, t->options);
    buf_add(b, t->payload);
}

/* 192.0.2.1 -> 192.0.2.2; `where` is flags and fragment offset. */
static inline void put_ip4(struct buf *b, unsigned options, unsigned total, unsigned id,
                           unsigned where, unsigned protocol)
{
    put8(b, 0x40 | (20 + options) / 4);
    put8(b, 0);
    put16(b, total);
    put16(b, id);
    put16(b, where);
    put8(b, 64);
    put8(b, protocol);
    put16(b, 0);
    put32(b, 0xc0000201);
    put32(b, 0xc0000202);
    put_zero(b, options);
}

/* 2001:db8::1 -> 2001:db8::2 */
static inline void put_ip6(struct buf *b, unsigned payload, unsigned next)
{
    put32(b, 0x60000000);
    put16(b, payload);
    put8(b, next);
    put8(b, 64);
    for (unsigned last = 1; last <= 2; last++) {
        put32(b, 0x20010db8);
        put_zero(b, 11);
        put8(b, last);
    }
}

#endif
