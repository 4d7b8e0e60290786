/*
 * One direction of a WebSocket: options, a cut, the bytes. A cut changes nothing; a loss
 * in the middle does no harm.
 */
#include "agent/websocket.h"
#include "common/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_data(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void on_end(void *arg, bool intact)
{
    buf_addc(arg, intact ? ';' : '!');
}

static const struct websocket_events events = { on_data, on_end };

static void run(const struct websocket_options *o, struct slice in, size_t cut,
                uint64_t lost, struct buf *out)
{
    struct websocket w;
    websocket_init(&w, o);
    if (websocket_feed(&w, slice_head(in, cut), &events, out)) {
        if (lost)
            websocket_gap(&w, lost == 1 ? 0 : lost, &events, out);
        websocket_feed(&w, slice_from(in, cut), &events, out);
    }
    assert(!w.dead || w.why);
    websocket_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .p = NULL }, cut = { .p = NULL }, lossy = { .p = NULL };
    if (size < 3)
        return 0;
    struct slice in = slice_of(data + 3, size - 3);
    size_t at = in.n ? data[1] % in.n : 0;
    struct websocket_options o = { .masked = data[0] & 1,
                                   .deflate = data[0] & 2,
                                   .no_takeover = data[0] & 4,
                                   .limits = { .bytes = 1 << 20, .ratio = 1200 } };
    run(&o, in, 0, 0, &whole);
    run(&o, in, at, 0, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    run(&o, in, at, 1u + data[2], &lossy);
    buf_release(&whole);
    buf_release(&cut);
    buf_release(&lossy);
    return 0;
}
