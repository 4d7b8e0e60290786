/* Content codings: the first two bytes choose coding and cut; a cut changes nothing. */
#include "agent/decode.h"
#include "common/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_piece(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static enum status run(const char *codings, struct slice in, size_t cut, struct buf *out)
{
    size_t used = 0;
    const struct decode_limits limits = {
        .bytes = 1 << 20, .ratio = 1000, .used = &used, .total = 4 << 20
    };
    struct decode *d;
    if (decode_new(slice_str(codings), &limits, &d) != ST_OK || !d)
        return ST_BAD;
    decode_feed(d, slice_head(in, cut), on_piece, out);
    enum status st = decode_feed(d, slice_from(in, cut), on_piece, out);
    assert(out->n <= limits.bytes);
    decode_free(d);
    assert(used == 0);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = { "gzip", "deflate", "br", "zstd", "zstd,gzip" };
    struct buf whole = { .p = NULL }, cut = { .p = NULL };
    if (size < 2)
        return 0;
    struct slice in = slice_of(data + 2, size - 2);
    const char *c = codings[data[0] % 5];
    enum status a = run(c, in, 0, &whole);
    enum status b = run(c, in, in.n ? data[1] % in.n : 0, &cut);
    assert((a == ST_OK) == (b == ST_OK));
    if (a == ST_OK)
        assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
