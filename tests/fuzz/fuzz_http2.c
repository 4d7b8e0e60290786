/* HTTP/2 frames of one direction: a cut at the place the first byte says changes nothing.
 */
#include "agent/http2.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_headers(void *arg, uint32_t stream, const struct extract_header *field,
                       size_t fields)
{
    buf_addu(arg, stream);
    for (size_t i = 0; i < fields; i++) {
        buf_add(arg, field[i].name);
        buf_add(arg, field[i].value);
    }
}

static void on_data(void *arg, uint32_t stream, struct slice piece)
{
    (void)stream;
    buf_add(arg, piece);
}

static void on_end(void *arg, uint32_t stream)
{
    buf_addu(arg, stream);
    buf_addc(arg, ';');
}

static void run(struct slice in, size_t cut, uint64_t gap, struct buf *out)
{
    static const struct http2_events events = { on_headers, on_data, on_end, on_end };
    struct http2 h;
    uint32_t stream;
    bool ends;
    assert(http2_init(&h, 4096, false, &events, out) == ST_OK);
    http2_feed(&h, slice_head(in, cut));
    if (gap && !http2_gap(&h, gap - 1, &stream, &ends))
        http2_lose(&h);
    http2_feed(&h, slice_from(in, cut));
    http2_release(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .p = NULL }, cut = { .p = NULL };
    if (!size)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    size_t at = in.n ? data[0] % in.n : 0;
    run(in, 0, 0, &whole);
    run(in, at, 0, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    run(in, at, data[0], &cut);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
