/*
 * Content codings of one body: gzip (x-gzip, several members), deflate (zlib's format and
 * raw, both are sent), br, zstd, and chains of them; bytes cut anywhere in, decoded
 * pieces out, nothing held. Fed by http with bodies, its output goes to extract.
 *
 * Refuses: codings it does not know, more than DECODE_CHAIN of them, windows over 8 MiB
 * for zstd (RFC 9659), bodies that grow beyond the limits, and more memory than all
 * decoders together may have: a peer chooses the window, up to 16 MiB of brotli.
 */
#ifndef BREAKEVEN_DECODE_H
#define BREAKEVEN_DECODE_H

#include "common/slice.h"
#include "common/status.h"

enum { DECODE_CHAIN = 4, DECODE_FREE_BYTES = 4 << 20 };

struct decode_limits {
    uint64_t bytes; /* of one body, decoded */
    uint32_t ratio; /* decoded to coded bytes, once DECODE_FREE_BYTES are decoded */
    size_t *used;   /* memory of all decoders that share it; NULL: it is not counted */
    size_t total;   /* they may have */
};

/* What inflating takes: zlib's state and its window. */
enum { DECODE_INFLATE_BYTES = 40 << 10 };

/* `n` bytes more of that memory; false: they are too much. */
static inline bool decode_take(const struct decode_limits *l, size_t n)
{
    if (!l->used)
        return true;
    if (n > l->total || *l->used > l->total - n)
        return false;
    *l->used += n;
    return true;
}

static inline void decode_return(const struct decode_limits *l, size_t n)
{
    if (l->used)
        *l->used -= n;
}

typedef void decode_fn(void *arg, struct slice piece);

struct decode;

/*
 * A decoder for the value of Content-Encoding (and what Transfer-Encoding adds), as
 * listed: the last is undone first. "identity" and "chunked" are passed over: *out is
 * NULL where nothing is to be decoded. ST_BAD: a coding we do not know; ST_LIMIT: too
 * many; ST_NOMEM: no memory, or none left of limits->total.
 */
enum status decode_new(struct slice codings, const struct decode_limits *limits,
                       struct decode **out);
void decode_free(struct decode *d);

/*
 * The next coded bytes; every decoded byte that they complete goes to `out`. ST_OK;
 * ST_BAD: not in that coding; ST_LIMIT: a bomb; ST_NOMEM as above. After an error the
 * decoder is dead and repeats it. What follows the end of the coded data is ignored.
 */
enum status decode_feed(struct decode *d, struct slice in, decode_fn *out, void *arg);

/* The coded data has come to its own end: false for a truncated body. */
bool decode_whole(const struct decode *d);

#endif
