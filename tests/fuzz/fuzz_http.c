/*
 * Whole connections. The input is a list of steps: a byte that says direction and kind, a
 * length byte, that many bytes. Every call that begins ends, whatever comes.
 */
#include "agent/http.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_call(void *arg, struct usage *u, const struct http_origin *o)
{
    assert(u->seen == SEEN_CAPTURE && o->client.n == 1);
    ++*(uint64_t *)arg;
}

static size_t step(struct stream_sink *s, struct slice in, int64_t ts)
{
    unsigned char what = (unsigned char)in.p[0];
    enum stream_dir d = what & 1 ? STREAM_DOWN : STREAM_UP;
    size_t n = in.n > 1 ? (unsigned char)in.p[1] * (what & 2 ? 1u : 16u) : 0;
    if (what >> 5 == 7) {
        s->close(s->arg, d, ts, what & 4);
        return 1;
    }
    if (what >> 5 == 6) {
        s->gap(s->arg, d, ts, n);
        return 2;
    }
    struct slice bytes = slice_head(slice_from(in, 2), n);
    s->data(s->arg, d, ts, bytes);
    return 2 + bytes.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t calls = 0;
    struct http_shared shared = {
        .extract = extract_new(), .emit = on_call, .arg = &calls, .limits = HTTP_LIMITS
    };
    struct http_options o = {
        .shared = &shared, .client = SLICE("c"), .server = SLICE("s"), .server_port = 80
    };
    struct http *h = http_new(&o);
    struct stream_sink sink;
    struct slice in = slice_of(data, size);
    int64_t ts = 1;
    shared.limits.in_flight = 8;
    shared.limits.decoded_bytes = 1 << 20;
    http_sink(h, &sink);
    while (in.n) {
        size_t n = step(&sink, in, ts++);
        in = slice_from(in, n);
    }
    http_free(h);
    assert(shared.in_flight == 0);
    assert(calls >= shared.count[HTTP_exchanges] - shared.count[HTTP_over_limit]);
    extract_free(shared.extract);
    return 0;
}
