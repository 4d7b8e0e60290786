/* A frame's head is gathered, its payload runs through: see websocket.h. */
#define ZLIB_CONST
#include "agent/websocket.h"

#include <stdlib.h>
#include <zlib.h>

enum { PIECE = 16 << 10, MASKED_PIECE = 4 << 10, WINDOW = 32 << 10 };

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };

enum { FIN = 0x80, RSV1 = 0x40, RSV = 0x70, OPCODE = 0x0f, MASK = 0x80, LENGTH = 0x7f };

enum { CONTROL_MAX = 125, LENGTH_16 = 126, LENGTH_64 = 127 };

void websocket_init(struct websocket *w, const struct websocket_options *o)
{
    *w = (struct websocket){ .options = *o };
}

void websocket_release(struct websocket *w)
{
    if (!w->z)
        return;
    inflateEnd(w->z);
    free(w->z);
    w->z = NULL;
    decode_return(&w->options.limits, DECODE_INFLATE_BYTES);
}

static bool die(struct websocket *w, const char *why)
{
    w->dead = true;
    w->why = why;
    websocket_release(w);
    return false;
}

/* --- inflating ------------------------------------------------------------------------
 */

static bool inflater(struct websocket *w)
{
    if (w->z)
        return true;
    if (!decode_take(&w->options.limits, DECODE_INFLATE_BYTES))
        return false;
    w->z = calloc(1, sizeof *w->z);
    if (w->z && inflateInit2(w->z, -15) == Z_OK)
        return true;
    free(w->z);
    w->z = NULL;
    decode_return(&w->options.limits, DECODE_INFLATE_BYTES);
    return false;
}

/*
 * The sender ended a stream inside of a message (RFC 7692, 7.2.3.4): another one begins,
 * and may refer to what was before.
 */
static bool next_stream(z_stream *z)
{
    unsigned char window[WINDOW];
    unsigned n = 0;
    return inflateGetDictionary(z, window, &n) == Z_OK && inflateReset(z) == Z_OK &&
           inflateSetDictionary(z, window, n) == Z_OK;
}

static bool grown_too_big(const struct websocket *w)
{
    const struct decode_limits *l = &w->options.limits;
    return w->out > l->bytes ||
           (w->out > DECODE_FREE_BYTES && w->out / l->ratio >= w->in);
}

static bool inflate_piece(struct websocket *w, struct slice in,
                          const struct websocket_events *on, void *arg)
{
    char room[PIECE];
    z_stream *z = w->z;
    z->next_in = (const unsigned char *)in.p;
    z->avail_in = (unsigned)in.n;
    do {
        z->next_out = (unsigned char *)room;
        z->avail_out = sizeof room;
        int rc = inflate(z, Z_SYNC_FLUSH);
        size_t n = sizeof room - z->avail_out;
        w->out += n;
        if (grown_too_big(w)) {
            w->bomb = true;
            return die(w, "a message that inflates beyond the limits");
        }
        if (n)
            on->data(arg, slice_of(room, n));
        if (rc == Z_STREAM_END ? !next_stream(z) : rc != Z_OK && rc != Z_BUF_ERROR)
            return die(w, "a message that does not inflate");
        if (rc == Z_BUF_ERROR)
            break; /* nothing more without more input */
    } while (z->avail_in || !z->avail_out);
    return true;
}

/* --- messages -------------------------------------------------------------------------
 */

/* Unmasked bytes of the message at hand. In parts, so that a ratio compares with what was
 * needed for it. */
static bool message_bytes(struct websocket *w, struct slice in,
                          const struct websocket_events *on, void *arg)
{
    if (!w->compressed) {
        on->data(arg, in);
        return true;
    }
    while (in.n && !w->tainted) {
        struct slice part = slice_head(in, PIECE);
        w->in += part.n;
        if (!inflate_piece(w, part, on, arg))
            return false;
        in = slice_from(in, part.n);
    }
    return true;
}

static bool message_begin(struct websocket *w)
{
    w->message = true;
    w->compressed = w->head[0] & RSV1;
    w->tainted = w->compressed && w->window_lost;
    w->in = w->out = 0;
    if (!w->compressed)
        return true;
    if (!inflater(w))
        return die(w, "no memory to inflate messages");
    return true;
}

static bool message_end(struct websocket *w, const struct websocket_events *on, void *arg)
{
    /* What every compressed message ends with, and leaves out (RFC 7692, 7.2.1). */
    if (w->compressed && !message_bytes(w, slice_of("\0\0\xff\xff", 4), on, arg))
        return false;
    if (w->options.no_takeover) /* the next message refers to nothing */
        websocket_release(w);
    w->message = w->compressed = false;
    on->end(arg, !w->tainted);
    return true;
}

/* The message at hand is not whole, and neither are those that refer to it. */
static void taint(struct websocket *w)
{
    w->tainted = true;
    w->window_lost |= w->compressed && !w->options.no_takeover;
}

/* --- frames ---------------------------------------------------------------------------
 */

/* Bytes of the head at hand, as far as its first two tell. */
static size_t head_size(const struct websocket *w)
{
    unsigned n = w->head[1] & LENGTH;
    return 2u +
           (n == LENGTH_16   ? 2
            : n == LENGTH_64 ? 8
                             : 0) +
           (w->head[1] & MASK ? 4 : 0);
}

static uint64_t head_length(const struct websocket *w)
{
    unsigned n = w->head[1] & LENGTH, bytes = n == LENGTH_16 ? 2 : n == LENGTH_64 ? 8 : 0;
    uint64_t v = bytes ? 0 : n;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | w->head[2 + i];
    return v;
}

/* NULL, or what is wrong with the first two bytes. */
static const char *wrong(const struct websocket *w)
{
    unsigned opcode = w->head[0] & OPCODE, rsv = w->head[0] & RSV;
    bool control = opcode & 8;
    if (!(w->head[1] & MASK) == w->options.masked)
        return "a frame whose mask is wrong for its direction";
    if (rsv && (rsv != RSV1 || !w->options.deflate || control || opcode == CONTINUATION))
        return "a reserved bit";
    if (control ? opcode > PONG : opcode > BINARY)
        return "a reserved opcode";
    if (control && (!(w->head[0] & FIN) || (w->head[1] & LENGTH) > CONTROL_MAX))
        return "a control frame that is long or cut";
    if (!control && (opcode == CONTINUATION) != w->message)
        return "a fragment out of place";
    return NULL;
}

static bool frame_begin(struct websocket *w)
{
    size_t n = head_size(w);
    w->left = head_length(w);
    if (w->left >> 63)
        return die(w, "a length beyond 63 bits");
    w->opcode = w->head[0] & OPCODE;
    w->control = w->opcode & 8;
    w->fin = w->head[0] & FIN;
    w->payload = true;
    w->mask_at = 0;
    if (w->options.masked)
        memcpy(w->mask, w->head + n - 4, 4);
    w->have = 0;
    return w->control || w->message || message_begin(w);
}

static bool frame_end(struct websocket *w, const struct websocket_events *on, void *arg)
{
    w->payload = false;
    w->closed |= w->opcode == CLOSE;
    return w->control || !w->fin || message_end(w, on, arg);
}

static bool payload_bytes(struct websocket *w, struct slice in,
                          const struct websocket_events *on, void *arg)
{
    char clear[MASKED_PIECE];
    w->left -= in.n;
    if (w->control || w->tainted)
        return true;
    if (!w->options.masked)
        return message_bytes(w, in, on, arg);
    while (in.n) {
        struct slice part = slice_head(in, sizeof clear);
        for (size_t i = 0; i < part.n; i++)
            clear[i] = (char)(part.p[i] ^ (char)w->mask[(w->mask_at + i) & 3]);
        w->mask_at = (w->mask_at + part.n) & 3;
        if (!message_bytes(w, slice_of(clear, part.n), on, arg))
            return false;
        in = slice_from(in, part.n);
    }
    return true;
}

/* Takes bytes of a head from *in; true once all of it is there. */
static bool gather(struct websocket *w, struct slice *in)
{
    for (;;) {
        size_t want = w->have < 2 ? 2 : head_size(w);
        if (w->have >= want)
            return true;
        if (!in->n)
            return false;
        w->head[w->have++] = (unsigned char)in->p[0];
        *in = slice_from(*in, 1);
    }
}

/* --- after a loss ---------------------------------------------------------------------
 */

/* 1: a frame that begins a JSON text stands in `head`; 0: not yet known; -1: none does.
 */
static int begins_text(const struct websocket *w)
{
    unsigned char mask[2] = { 0, 0 };
    unsigned opcode = w->head[0] & OPCODE;
    if (w->have >= 1 && (w->head[0] & RSV || (opcode != TEXT && opcode != BINARY)))
        return -1;
    if (w->have < 2)
        return 0;
    size_t n = head_size(w);
    if (!(w->head[1] & MASK) == w->options.masked)
        return -1;
    if (w->have < n + WEBSOCKET_PEEK)
        return 0;
    if (w->options.masked)
        memcpy(mask, w->head + n - 4, 2);
    return (w->head[n] ^ mask[0]) == '{' && (w->head[n + 1] ^ mask[1]) == '"' &&
                   head_length(w) >> 32 == 0 && head_length(w) > WEBSOCKET_PEEK
               ? 1
               : -1;
}

static bool seek(struct websocket *w, struct slice *in, const struct websocket_events *on,
                 void *arg)
{
    for (;;) {
        int found = begins_text(w);
        if (found > 0)
            break;
        if (found < 0) {
            memmove(w->head, w->head + 1, --w->have);
        } else if (in->n) {
            w->head[w->have++] = (unsigned char)in->p[0];
            *in = slice_from(*in, 1);
        } else {
            return true;
        }
    }
    char peek[WEBSOCKET_PEEK];
    memcpy(peek, w->head + head_size(w), sizeof peek);
    w->seeking = false;
    return frame_begin(w) && payload_bytes(w, slice_of(peek, sizeof peek), on, arg);
}

/* --- feeding --------------------------------------------------------------------------
 */

bool websocket_feed(struct websocket *w, struct slice in,
                    const struct websocket_events *on, void *arg)
{
    while (!w->dead && !w->closed && (in.n || w->payload)) {
        if (w->seeking) {
            if (!seek(w, &in, on, arg))
                return false;
        } else if (w->payload) {
            struct slice part = slice_head(in, w->left < in.n ? (size_t)w->left : in.n);
            in = slice_from(in, part.n);
            if (part.n && !payload_bytes(w, part, on, arg))
                return false;
            if (w->left)
                return true;
            if (!frame_end(w, on, arg))
                return false;
        } else if (gather(w, &in)) {
            const char *why = wrong(w);
            if (why ? !die(w, why) : !frame_begin(w))
                return false;
        }
    }
    return !w->dead;
}

bool websocket_gap(struct websocket *w, uint64_t bytes, const struct websocket_events *on,
                   void *arg)
{
    if (w->dead || w->closed)
        return true;
    if (!w->seeking && bytes && w->payload && bytes <= w->left) {
        w->left -= bytes;
        w->mask_at = (unsigned char)((w->mask_at + bytes) & 3);
        if (!w->control)
            taint(w);
        if (!w->left)
            frame_end(w, on, arg);
        return true;
    }
    bool inside = w->message;
    w->window_lost |= w->options.deflate && !w->options.no_takeover;
    w->message = w->payload = w->compressed = w->control = false;
    w->have = 0;
    w->seeking = true;
    if (inside)
        on->end(arg, false);
    return false;
}

/* --- the handshake --------------------------------------------------------------------
 */

bool websocket_extensions(struct slice value, struct websocket_options *up,
                          struct websocket_options *down)
{
    while (value.n) {
        struct slice one, word;
        slice_cut(value, ',', &one, &value);
        slice_cut(one, ';', &word, &one);
        word = slice_trim(word);
        if (!word.n)
            continue;
        if (!slice_ieq(word, SLICE("permessage-deflate")))
            return false;
        up->deflate = down->deflate = true;
        while (one.n) {
            slice_cut(one, ';', &word, &one);
            word = slice_trim(word);
            if (slice_ieq(word, SLICE("client_no_context_takeover")))
                up->no_takeover = true;
            else if (slice_ieq(word, SLICE("server_no_context_takeover")))
                down->no_takeover = true;
        }
    }
    return true;
}
