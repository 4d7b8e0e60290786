/* Incremental decompression under limits: see body.h. */
#include "collector/body.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct body {
    enum body_encoding encoding;
    struct body_limits lim;
    body_fn *fn;
    void *arg;
    uint64_t in, out;
    bool ended; /* the compressed stream is complete */
    enum status st;
    const char *why;
    z_stream z;
    ZSTD_DStream *zstd;
    unsigned char piece[BODY_PIECE];
};

bool body_encoding_parse(struct slice name, enum body_encoding *out)
{
    static const char *const names[] = { "identity", "gzip", "zstd" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_ieq(name, slice_str(names[i]))) {
            *out = (enum body_encoding)i;
            return true;
        }
    }
    *out = BODY_GZIP;
    return slice_ieq(name, SLICE("x-gzip"));
}

struct body *body_new(enum body_encoding e, const struct body_limits *lim, body_fn *fn,
                      void *arg)
{
    struct body *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->encoding = e;
    b->lim = *lim;
    b->fn = fn;
    b->arg = arg;
    b->why = "";
    bool ok = true;
    if (e == BODY_GZIP) {
        ok = inflateInit2(&b->z, 15 + 16) == Z_OK;
    } else if (e == BODY_ZSTD) {
        b->zstd = ZSTD_createDStream();
        ok = b->zstd &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(b->zstd, ZSTD_d_windowLogMax, 23));
    }
    if (ok)
        return b;
    body_free(b);
    return NULL;
}

void body_free(struct body *b)
{
    if (!b)
        return;
    if (b->encoding == BODY_GZIP)
        inflateEnd(&b->z);
    ZSTD_freeDStream(b->zstd);
    free(b);
}

const char *body_why(const struct body *b)
{
    return b->why;
}

static enum status fail(struct body *b, enum status st, const char *why)
{
    b->st = st;
    b->why = why;
    return st;
}

static enum status hand_on(struct body *b, const void *p, size_t n)
{
    b->out += n;
    if (b->out > b->lim.out_bytes)
        return fail(b, ST_LIMIT, "the batch is too large decompressed");
    if (b->out > BODY_RATIO_FROM && b->out / b->lim.ratio > b->in)
        return fail(b, ST_LIMIT, "the batch is compressed too well to be one");
    return n ? b->st = b->fn(b->arg, slice_of(p, n)) : ST_OK;
}

/* One call of the decompressor: takes from *in, fills b->piece; how much into *got. */
static enum status gunzip(struct body *b, struct slice *in, size_t *got)
{
    b->z.next_in = (unsigned char *)(uintptr_t)in->p;
    b->z.avail_in = (uInt)(in->n < UINT32_MAX ? in->n : UINT32_MAX);
    b->z.next_out = b->piece;
    b->z.avail_out = BODY_PIECE;
    uInt offered = b->z.avail_in;
    int rc = inflate(&b->z, Z_NO_FLUSH);
    *got = BODY_PIECE - b->z.avail_out;
    *in = slice_from(*in, offered - b->z.avail_in);
    b->ended = rc == Z_STREAM_END;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR
               ? ST_OK
               : fail(b, ST_BAD, "malformed gzip data");
}

static enum status unzstd(struct body *b, struct slice *in, size_t *got)
{
    ZSTD_inBuffer src = { in->p, in->n, 0 };
    ZSTD_outBuffer dst = { b->piece, BODY_PIECE, 0 };
    size_t rc = ZSTD_decompressStream(b->zstd, &dst, &src);
    if (ZSTD_isError(rc))
        return fail(b, ST_BAD, "malformed zstd data, or a window over 8 MiB");
    *got = dst.pos;
    *in = slice_from(*in, src.pos);
    b->ended = rc == 0;
    return ST_OK;
}

enum status body_feed(struct body *b, struct slice in)
{
    b->in += in.n;
    if (b->st == ST_OK && b->in > b->lim.in_bytes)
        return fail(b, ST_LIMIT, "the batch is too large");
    if (b->encoding == BODY_IDENTITY) {
        for (; b->st == ST_OK && in.n; in = slice_from(in, BODY_PIECE))
            b->st = hand_on(b, in.p, in.n < BODY_PIECE ? in.n : BODY_PIECE);
        return b->st;
    }
    size_t got = BODY_PIECE;
    /* a full piece means that more may wait inside the decompressor */
    while (b->st == ST_OK && (in.n || got == BODY_PIECE)) {
        if (b->ended && in.n)
            return fail(b, ST_BAD, "data behind the end of the compressed batch");
        if (b->ended)
            break;
        size_t before = in.n;
        if (b->encoding == BODY_GZIP ? gunzip(b, &in, &got) : unzstd(b, &in, &got))
            break;
        hand_on(b, b->piece, got);
        if (got == 0 && in.n == before)
            break;
    }
    return b->st;
}

enum status body_finish(struct body *b)
{
    if (b->st == ST_OK && b->encoding != BODY_IDENTITY && !b->ended)
        return fail(b, ST_BAD, "the compressed batch is cut short");
    return b->st;
}
