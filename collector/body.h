/*
 * Decompress a request body as it arrives: identity, gzip or zstd, any split, handed on
 * in pieces of at most BODY_PIECE bytes. Between server and ingest.
 *
 * Refuses: output over a limit, a ratio over a limit (compression bombs), data behind the
 * end of the stream, zstd windows over 8 MiB.
 */
#ifndef BREAKEVEN_BODY_H
#define BREAKEVEN_BODY_H

#include "common/slice.h"
#include "common/status.h"

enum body_encoding { BODY_IDENTITY, BODY_GZIP, BODY_ZSTD };

enum { BODY_PIECE = 65536, BODY_RATIO_FROM = 1 << 20 };

/* From a Content-Encoding value; false: not one of ours. */
bool body_encoding_parse(struct slice name, enum body_encoding *out);

struct body_limits {
    uint64_t in_bytes, out_bytes;
    uint64_t ratio; /* out : in, once out passes BODY_RATIO_FROM */
};

struct body;
typedef enum status body_fn(void *arg, struct slice piece);

/* NULL: out of memory. */
struct body *body_new(enum body_encoding e, const struct body_limits *lim, body_fn *fn,
                      void *arg);

/*
 * ST_LIMIT over a limit, ST_BAD for a broken stream; anything else but ST_OK comes from
 * fn. Sticky. body_why gives a constant sentence for the first two.
 */
enum status body_feed(struct body *b, struct slice in);
enum status body_finish(struct body *b); /* ST_BAD if the stream is cut short */
const char *body_why(const struct body *b);
void body_free(struct body *b);

#endif
