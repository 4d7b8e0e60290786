/* HTTP/1: the first byte says direction and cut; a cut changes nothing that is reported.
 */
#include "agent/http1.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_head(void *arg, const struct http1_head *h)
{
    buf_addu(arg, h->status);
    buf_add(arg, h->method);
    for (size_t i = 0; i < h->fields; i++) {
        buf_add(arg, h->field[i].name);
        buf_add(arg, h->field[i].value);
    }
    return true;
}

static void on_body(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void feed(struct http1 *h, struct slice in, struct buf *out)
{
    static const struct http1_events events = { on_head, on_body };
    while (in.n) {
        enum http1_end end;
        size_t n = http1_feed(h, in, &events, out, &end);
        assert(n <= in.n && (end != HTTP1_MORE || n == in.n));
        if (end != HTTP1_MORE)
            buf_addc(out, end == HTTP1_DONE ? ';' : '!');
        in = slice_from(in, n);
    }
}

static void run(struct slice in, bool response, size_t cut, uint64_t gap, struct buf *out)
{
    struct http1 h;
    http1_init(&h, response, 4096);
    feed(&h, slice_head(in, cut), out);
    if (gap)
        http1_gap(&h, gap - 1);
    feed(&h, slice_from(in, cut), out);
    http1_release(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .p = NULL }, cut = { .p = NULL };
    if (!size)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    size_t at = in.n ? (data[0] >> 1) % in.n : 0;
    run(in, data[0] & 1, 0, 0, &whole);
    run(in, data[0] & 1, at, 0, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    run(in, data[0] & 1, at, 1 + data[0], &cut);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
