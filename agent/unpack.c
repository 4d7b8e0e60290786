/* Files as they are, gunzipped or unzstd'ed: see unpack.h. */
#define ZLIB_CONST
#include "agent/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT = 64 << 10 };

enum coding { CODING_UNKNOWN, CODING_PLAIN, CODING_GZIP, CODING_ZSTD };

struct unpack {
    int fd;
    enum coding coding;
    char *input; /* compressed bytes read: [at, n) is still to be decoded */
    size_t at, n;
    bool eof, inside; /* inside: a member or frame has begun and not ended */
    uint64_t taken;
    z_stream z;
    ZSTD_DStream *zstd;
    const char *why;
    bool (*more)(void *arg); /* NULL: the end is the end */
    void *more_arg;
};

struct unpack *unpack_new(int fd)
{
    struct unpack *u = calloc(1, sizeof *u);
    if (u) {
        u->fd = fd;
        u->why = "";
    }
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    if (u->coding == CODING_GZIP)
        inflateEnd(&u->z);
    ZSTD_freeDStream(u->zstd);
    free(u->input);
    free(u);
}

void unpack_follow(struct unpack *u, bool (*more)(void *arg), void *arg)
{
    u->more = more;
    u->more_arg = arg;
}

const char *unpack_why(const struct unpack *u)
{
    return u->why;
}

uint64_t unpack_taken(const struct unpack *u)
{
    return u->taken;
}

static enum status read_some(struct unpack *u, char *to, size_t room, size_t *n)
{
    ssize_t got;
    do
        got = read(u->fd, to, room);
    while ((got < 0 && errno == EINTR) ||
           (got == 0 && u->more && !u->input && u->more(u->more_arg)));
    *n = got > 0 ? (size_t)got : 0;
    u->taken += *n;
    u->eof = got == 0;
    if (got < 0)
        u->why = strerror(errno);
    return got < 0 ? ST_IO : got == 0 ? ST_END : ST_OK;
}

static enum status fail(struct unpack *u, enum status st, const char *why)
{
    u->why = why;
    return st;
}

/* The first bytes stand in `first`: keep them as input if they are compressed. */
static enum status choose(struct unpack *u, struct slice first)
{
    bool gzip = slice_starts(first, SLICE("\x1f\x8b"));
    bool zstd = slice_starts(first, SLICE("\x28\xb5\x2f\xfd"));
    u->coding = CODING_PLAIN;
    if (!gzip && !zstd)
        return ST_OK;
    u->input = malloc(INPUT);
    if (!u->input)
        return fail(u, ST_NOMEM, "out of memory");
    memcpy(u->input, first.p, first.n);
    u->n = first.n;
    if (gzip) {
        if (inflateInit2(&u->z, 15 + 16) != Z_OK)
            return fail(u, ST_NOMEM, "out of memory");
        u->coding = CODING_GZIP;
    } else {
        u->zstd = ZSTD_createDStream();
        if (!u->zstd)
            return fail(u, ST_NOMEM, "out of memory");
        u->coding = CODING_ZSTD;
    }
    return ST_OK;
}

static enum status gunzip(struct unpack *u, char *to, size_t room, size_t *n)
{
    u->z.next_in = (const unsigned char *)u->input + u->at;
    u->z.avail_in = (unsigned)(u->n - u->at);
    u->z.next_out = (unsigned char *)to;
    u->z.avail_out = (unsigned)room;
    int rc = inflate(&u->z, Z_NO_FLUSH);
    u->at = u->n - u->z.avail_in;
    *n = room - u->z.avail_out;
    u->inside = rc != Z_STREAM_END;
    if (rc == Z_STREAM_END)
        inflateReset(&u->z);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return fail(u, ST_BAD, "damaged gzip data");
    return ST_OK;
}

static enum status unzstd(struct unpack *u, char *to, size_t room, size_t *n)
{
    ZSTD_inBuffer in = { u->input, u->n, u->at };
    ZSTD_outBuffer out = { to, room, 0 };
    size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
    u->at = in.pos;
    *n = out.pos;
    if (ZSTD_isError(rc))
        return fail(u, ST_BAD, "damaged zstd data");
    u->inside = rc != 0;
    return ST_OK;
}

enum status unpack_read(struct unpack *u, char *to, size_t room, size_t *n)
{
    enum status st;
    *n = 0;
    if (u->coding == CODING_UNKNOWN) {
        st = read_some(u, to, room < INPUT ? room : INPUT, n);
        if (st == ST_OK)
            st = choose(u, slice_of(to, *n));
        if (st != ST_OK || u->coding == CODING_PLAIN)
            return st;
        *n = 0;
    } else if (u->coding == CODING_PLAIN) {
        return read_some(u, to, room, n);
    }
    if (room > INPUT * 16)
        room = INPUT * 16; /* zlib counts in unsigned int */
    for (;;) {
        bool idle = !u->inside && u->at == u->n; /* between members */
        if (!idle || u->at < u->n) {
            st = u->coding == CODING_GZIP ? gunzip(u, to, room, n)
                                          : unzstd(u, to, room, n);
            if (st != ST_OK || *n)
                return st;
        }
        if (u->at < u->n)
            continue;
        u->at = 0;
        st = read_some(u, u->input, INPUT, &u->n);
        if (st == ST_END && u->inside)
            return fail(u, ST_BAD, "compressed data ends too early");
        if (st != ST_OK)
            return st;
    }
}
