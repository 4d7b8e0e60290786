/* Frames are read byte-wise up to their payload; DATA is handed on as it comes. */
#include "agent/http2.h"

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, HAS_PRIORITY = 32 };

enum status http2_init(struct http2 *h, size_t header_bytes, enum hpack_keep keep,
                       const struct http2_events *on, void *arg)
{
    *h = (struct http2){ .on = on, .arg = arg, .header_bytes = header_bytes };
    h->block.limit = header_bytes;
    arena_init(&h->fields, 2 * header_bytes);
    h->hpack = hpack_new(keep);
    return h->hpack ? ST_OK : ST_NOMEM;
}

void http2_release(struct http2 *h)
{
    hpack_free(h->hpack);
    buf_release(&h->block);
    arena_release(&h->fields);
}

static bool bad(struct http2 *h, const char *why)
{
    h->why = why;
    return false;
}

/* --- header lists ---------------------------------------------------------------------
 */

struct list {
    struct arena *arena;
    struct extract_header field[HTTP2_FIELDS];
    size_t n;
    bool over; /* too long: read on for the table's sake, but not kept */
};

static void keep_field(void *arg, struct slice name, struct slice value)
{
    struct list *l = arg;
    name = arena_dup(l->arena, name);
    value = arena_dup(l->arena, value);
    l->over |= !name.p || !value.p || l->n == HTTP2_FIELDS;
    if (!l->over)
        l->field[l->n++] = (struct extract_header){ name, value };
}

static bool block_done(struct http2 *h)
{
    struct list l = { .arena = &h->fields };
    h->in_block = false;
    if (h->block.st != ST_OK)
        return bad(h, "a header block over the limit");
    bool ok = hpack_block(h->hpack, buf_slice(&h->block), keep_field, &l, &h->unknown);
    buf_release(&h->block);
    if (ok && h->opener == HEADERS) {
        h->on->headers(h->arg, h->stream, l.over ? NULL : l.field, l.over ? 0 : l.n);
        if (h->block_ends)
            h->on->end(h->arg, h->stream);
    }
    arena_release(&h->fields); /* a connection may be one of many that idle */
    return ok || bad(h, "header compression is broken");
}

/* --- frames ---------------------------------------------------------------------------
 */

/* Which streams and lengths a type may have (RFC 9113, 6). */
static const char *frame_refused(const struct http2 *h)
{
    bool connection = h->type == SETTINGS || h->type == PING || h->type == GOAWAY;
    if (h->in_block ? h->type != CONTINUATION : h->type == CONTINUATION)
        return "CONTINUATION is missing or follows nothing";
    if (h->type <= CONTINUATION && h->type != WINDOW_UPDATE && connection != !h->stream)
        return "a frame on a stream that it cannot have";
    if ((h->type == SETTINGS && h->left % 6) || (h->type == PING && h->left != 8) ||
        ((h->type == RST_STREAM || h->type == WINDOW_UPDATE) && h->left != 4) ||
        (h->type == PRIORITY && h->left != 5))
        return "a frame of a length that it cannot have";
    return NULL;
}

static bool frame_begin(struct http2 *h)
{
    const unsigned char *p = h->head;
    uint32_t stream =
        ((uint32_t)p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8];
    if (h->in_block && stream != h->stream)
        return bad(h, "a header block cut by another stream");
    h->left = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    h->type = p[3];
    h->flags = p[4];
    h->stream = stream;
    h->highest = stream > h->highest ? stream : h->highest;
    const char *why = frame_refused(h);
    if (why)
        return bad(h, why);
    bool can_pad = h->type == DATA || h->type == HEADERS || h->type == PUSH_PROMISE;
    h->padded = can_pad && h->flags & PADDED;
    h->pad = 0;
    h->skip = h->type == HEADERS && h->flags & HAS_PRIORITY ? 5
              : h->type == PUSH_PROMISE                     ? 4
                                                            : 0;
    if (h->left < h->skip + (h->padded ? 1u : 0))
        return bad(h, "a frame shorter than its fields");
    if (h->type == HEADERS || h->type == PUSH_PROMISE) {
        h->opener = h->type;
        h->in_block = true;
        h->block_ends = h->type == HEADERS && h->flags & END_STREAM;
    }
    return true;
}

static bool frame_end(struct http2 *h)
{
    h->have = 0;
    if (h->in_block)
        return !(h->flags & END_HEADERS) || block_done(h);
    if (h->type == DATA && h->flags & END_STREAM)
        h->on->end(h->arg, h->stream);
    if (h->type == RST_STREAM)
        h->on->reset(h->arg, h->stream);
    return true;
}

/* Bytes of the payload behind its fields; padding is left out. */
static bool content(struct http2 *h, struct slice piece)
{
    uint32_t n = h->left > h->pad ? h->left - h->pad : 0;
    piece = slice_head(piece, n);
    if (!piece.n)
        return true;
    if (h->type == DATA)
        h->on->data(h->arg, h->stream, piece);
    else if (h->in_block)
        buf_add(&h->block, piece);
    return true;
}

static size_t payload(struct http2 *h, struct slice in, bool *ok)
{
    if (h->padded) {
        h->padded = false;
        h->pad = (unsigned char)in.p[0];
        h->left--;
        *ok = h->pad + h->skip <= h->left || bad(h, "more padding than payload");
        return 1;
    }
    size_t n = h->left < in.n ? h->left : in.n;
    if (h->skip) {
        n = h->skip < n ? h->skip : n;
        h->skip = (unsigned char)(h->skip - n);
    } else {
        *ok = content(h, slice_head(in, n));
    }
    h->left -= (uint32_t)n;
    return n;
}

bool http2_feed(struct http2 *h, struct slice in)
{
    bool ok = !h->why;
    while (ok && in.n) {
        size_t n;
        if (h->have < HTTP2_FRAME_HEAD) {
            n = HTTP2_FRAME_HEAD - h->have < in.n ? HTTP2_FRAME_HEAD - h->have : in.n;
            memcpy(h->head + h->have, in.p, n);
            h->have += n;
            if (h->have == HTTP2_FRAME_HEAD)
                ok = frame_begin(h);
        } else {
            n = payload(h, in, &ok);
        }
        in = slice_from(in, n);
        if (ok && h->have == HTTP2_FRAME_HEAD && !h->left)
            ok = frame_end(h);
    }
    return ok;
}

bool http2_gap(struct http2 *h, uint64_t bytes, uint32_t *stream, bool *ends)
{
    bool inside = !h->why && h->have == HTTP2_FRAME_HEAD && h->type == DATA &&
                  !h->padded && bytes && bytes <= h->left;
    if (!inside)
        return false;
    *stream = h->stream;
    h->left -= (uint32_t)bytes;
    *ends = !h->left && h->flags & END_STREAM;
    if (!h->left)
        h->have = 0;
    return true;
}

void http2_lose(struct http2 *h)
{
    buf_release(&h->block);
    hpack_lose(h->hpack);
    h->have = 0;
    h->left = 0;
    h->in_block = false;
}
