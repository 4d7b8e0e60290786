/* Server-sent events: a cut at the place the first byte says changes nothing. */
#include "agent/sse.h"
#include "common/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_data(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void on_end(void *arg, struct slice name)
{
    assert(name.n <= SSE_NAME);
    buf_addc(arg, '\0');
    buf_add(arg, name);
    buf_addc(arg, '\0');
}

static void run(struct slice in, size_t cut, struct buf *out)
{
    static const struct sse_events events = { .data = on_data, .end = on_end };
    struct sse s;
    sse_init(&s);
    sse_feed(&s, slice_head(in, cut), &events, out);
    sse_feed(&s, slice_from(in, cut), &events, out);
    sse_finish(&s, &events, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .p = NULL }, cut = { .p = NULL };
    if (!size)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    run(in, 0, &whole);
    run(in, in.n ? data[0] % in.n : 0, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
