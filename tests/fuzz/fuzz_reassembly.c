/*
 * reassembly below a flow table: records of 12 bytes become segments of a few
 * connections. A sink hears no empty piece, nothing after a close, and each close once.
 */
#include "agent/flow.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct hearer {
    bool used, closed[2];
};

struct world {
    struct hearer hearers[64];
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct hearer *h = arg;
    (void)ts_ns;
    assert(bytes.n && !h->closed[d]);
    for (size_t i = 0; i < bytes.n; i++) /* every byte can be read, and is one of ours */
        assert(bytes.p[i] == 'x');
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct hearer *h = arg;
    (void)ts_ns, (void)bytes;
    assert(!h->closed[d]);
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct hearer *h = arg;
    (void)ts_ns, (void)reset;
    assert(!h->closed[d]);
    h->closed[d] = true;
}

static bool on_open(void *arg, const struct flow_info *info, struct stream_sink *sink)
{
    struct world *w = arg;
    (void)info;
    for (size_t i = 0; i < 64; i++) {
        if (w->hearers[i].used)
            continue;
        w->hearers[i] = (struct hearer){ .used = true };
        *sink = (struct stream_sink){ &w->hearers[i], on_data, on_gap, on_close };
        return true;
    }
    return false;
}

static void on_end(void *arg, struct stream_sink *sink, enum flow_end why)
{
    struct hearer *h = sink->arg;
    (void)arg, (void)why;
    assert(h->closed[0] && h->closed[1]);
    h->used = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    char bytes[1024];
    memset(bytes, 'x', sizeof bytes);
    struct flow_events events = { &w, on_open, on_end };
    struct flow_limits limits = flow_limits_default();
    limits.max_flows = 3;
    limits.reassembly.flow_bytes = 2000;
    limits.reassembly.total_bytes = 4000;
    w = (struct world){ .hearers = { { .used = false } } };
    struct flow_table *t = flow_table_new(&limits, &events, 1);
    int64_t now = 0;
    for (size_t i = 0; t && i + 12 <= size; i += 12) {
        const uint8_t *u = data + i;
        struct packet p = { .flags = u[1] & 0x17, .missing = u[2] & 1 ? u[3] : 0 };
        bool down = u[0] & 1;
        p.src.port = down ? 80 : 40000 + u[0] / 2 % 5;
        p.dst.port = down ? 40000 + u[0] / 2 % 5 : 80;
        p.seq = (uint32_t)((int8_t)u[4] * 64) + u[5];
        p.ack = (uint32_t)((int8_t)u[6] * 64) + u[7];
        if (u[2] & 2)
            p.seq += (uint32_t)u[8] << 24;
        if (u[2] & 4)
            p.ack += (uint32_t)u[8] << 24;
        p.payload = slice_of(bytes, u[9] * 4u);
        now += (int64_t)u[10] * u[10] * 100000 * (u[11] + 1);
        flow_table_feed(t, &p, now);
    }
    flow_table_free(t);
    return 0;
}
