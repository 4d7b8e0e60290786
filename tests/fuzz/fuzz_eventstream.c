/*
 * AWS event stream: a cut changes nothing. The CRCs of a first message are put right
 * before, so that what stands behind them is reached.
 */
#include "agent/eventstream.h"
#include "common/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_begin(void *arg, struct slice message_type, struct slice event_type)
{
    buf_add(arg, message_type);
    buf_addc(arg, '/');
    buf_add(arg, event_type);
    buf_addc(arg, ':');
}

static void on_payload(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void on_end(void *arg, bool intact)
{
    buf_addc(arg, intact ? ';' : '!');
}

static void run(struct slice in, size_t cut, struct buf *out)
{
    static const struct eventstream_events events = { .begin = on_begin,
                                                      .payload = on_payload,
                                                      .end = on_end };
    struct eventstream e;
    eventstream_init(&e);
    if (eventstream_feed(&e, slice_head(in, cut), &events, out))
        eventstream_feed(&e, slice_from(in, cut), &events, out);
}

static void put(unsigned char *p, uLong v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void repair(unsigned char *p, size_t n)
{
    if (n < 16)
        return;
    p[0] = p[1] = p[4] = p[5] = 0;
    size_t total = (size_t)p[2] << 8 | p[3];
    put(p + 8, crc32(crc32(0, NULL, 0), p, 8));
    if (total >= 16 && total <= n)
        put(p + total - 4, crc32(crc32(0, NULL, 0), p, (uInt)(total - 4)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .p = NULL }, cut = { .p = NULL };
    if (size < 2)
        return 0;
    size_t n = size - 2;
    unsigned char *copy = malloc(n + 1);
    assert(copy);
    memcpy(copy, data + 2, n);
    if (data[0] & 1)
        repair(copy, n);
    run(slice_of(copy, n), 0, &whole);
    run(slice_of(copy, n), n ? data[1] % n : 0, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    free(copy);
    return 0;
}
