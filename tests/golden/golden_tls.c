/*
 * Captured TLS connections and their key logs: every connection must be read whole, and
 * what it carries must have every request and status of the truth, on its client's port.
 */
#include "testing.h"

#include <zlib.h>

#include "agent/flow.h"
#include "agent/keylog.h"
#include "agent/tls.h"
#include "common/buf.h"

struct connection {
    struct tls *t;
    struct stream_sink sink;
    uint16_t client_port;
    struct buf plain[2];
    unsigned gaps, closes;
    int64_t ts_ns;
    bool backwards;
};

struct capture {
    struct secrets *secrets;
    struct connection connection[64];
    size_t n;
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct connection *c = arg;
    buf_add(&c->plain[d], bytes);
    c->backwards |= ts_ns < c->ts_ns;
    c->ts_ns = ts_ns;
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct connection *c = arg;
    (void)d, (void)ts_ns, (void)bytes;
    c->gaps++;
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct connection *c = arg;
    (void)d, (void)ts_ns, (void)reset;
    c->closes++;
}

static bool on_open(void *arg, const struct flow_info *info, struct stream_sink *sink)
{
    struct capture *all = arg;
    assert_true(all->n < COUNT_OF(all->connection));
    struct connection *c = &all->connection[all->n++];
    struct stream_sink inner = { c, on_data, on_gap, on_close };
    c->client_port = info->client.port;
    c->t = tls_new(&(struct tls_options){ 0 }, all->secrets, &inner);
    tls_sink(c->t, sink);
    return true;
}

static void on_end(void *arg, struct stream_sink *sink, enum flow_end why)
{
    (void)arg, (void)sink, (void)why;
}

static uint32_t get32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A capture file of the classic format, little endian, microseconds. */
static void read_capture(const char *path, struct flow_table *flows)
{
    static unsigned char frame[1 << 18];
    unsigned char head[24];
    enum packet_link link;
    gzFile f = gzopen(path, "rb");
    assert_int_equal(gzread(f, head, 24), 24);
    assert_int_equal(get32(head), 0xa1b2c3d4);
    assert_true(packet_link((int)get32(head + 20), &link));
    while (gzread(f, head, 16) == 16) {
        struct packet p;
        uint32_t n = get32(head + 8);
        int64_t ts = get32(head) * INT64_C(1000000000) + get32(head + 4) * INT64_C(1000);
        assert_true(n <= sizeof frame);
        assert_int_equal(gzread(f, frame, n), (int)n);
        if (packet_parse(link, slice_of(frame, n), get32(head + 12), &p) == PACKET_TCP)
            assert_int_equal(flow_table_feed(flows, &p, ts), ST_OK);
    }
    gzclose(f);
    flow_table_finish(flows);
}

/* The text of a member of the line, or its digits. */
static struct slice member(const char *line, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *p = strstr(line, key);
    assert_non_null(p);
    p += strlen(key);
    p += *p == '"';
    return slice_of(p, strcspn(p, "\","));
}

static void check_truth(const struct capture *all, const char *line)
{
    char request[4096], status[32];
    struct slice method = member(line, "method"), path = member(line, "path"),
                 port = member(line, "client_port"), code = member(line, "status");
    uint64_t number;
    assert_true(slice_u64(port, &number));
    snprintf(request, sizeof request, "%.*s %.*s HTTP/1.1\r\n", SLICE_FMT(method),
             SLICE_FMT(path));
    snprintf(status, sizeof status, "HTTP/1.1 %.*s", SLICE_FMT(code));
    for (size_t i = 0; i < all->n; i++) {
        const struct connection *c = &all->connection[i];
        if (c->client_port != number)
            continue;
        CHECK(slice_find(buf_slice(&c->plain[STREAM_UP]), slice_str(request)) != SIZE_MAX,
              "%s", request);
        CHECK(slice_find(buf_slice(&c->plain[STREAM_DOWN]), slice_str(status)) !=
                  SIZE_MAX,
              "%s: %s", request, status);
        return;
    }
    fail_msg("no connection from port %d", (int)number);
}

static void learn(struct secrets *s, const char *path)
{
    struct keylog k;
    keylog_init(&k, s);
    assert_int_equal(keylog_load(&k, path), ST_OK);
    assert_true(k.secrets > 0 && k.bad == 0);
}

static void check_connection(const struct connection *c, uint16_t version, bool h2)
{
    const struct tls_info *info = tls_info(c->t);
    CHECK(info->state == TLS_OPEN && info->version == version, "port %d: %s",
          c->client_port, info->why ? info->why : "-");
    CHECK(info->dark_bytes[0] == 0 && info->dark_bytes[1] == 0 && !info->held_bytes,
          "port %d", c->client_port);
    CHECK(c->closes == 2 && !c->backwards, "port %d", c->client_port);
    CHECK(!h2 || slice_starts(buf_slice(&c->plain[STREAM_UP]), SLICE("PRI * HTTP/2.0")),
          "port %d", c->client_port);
    CHECK(strcmp(info->alpn, h2 ? "h2" : "http/1.1") == 0 || !info->alpn[0],
          "port %d: %s", c->client_port, info->alpn);
}

static void run(const char *name, uint16_t version, size_t connections)
{
    static struct capture all;
    char at[64], path[512], keys[512];
    bool h2 = strcmp(name, "h2_tls") == 0;
    memset(&all, 0, sizeof all);
    snprintf(at, sizeof at, "pcap/%s.keys", name);
    if (!corpus_path(at, keys, sizeof keys))
        skip();
    all.secrets = secrets_new(256, 1);
    learn(all.secrets, keys);
    snprintf(at, sizeof at, "pcap/%s.pcap.gz", name);
    assert_true(corpus_path(at, path, sizeof path));
    struct flow_limits limits = flow_limits_default();
    struct flow_events events = { &all, on_open, on_end };
    struct flow_table *flows = flow_table_new(&limits, &events, 1);
    read_capture(path, flows);
    assert_int_equal(all.n, connections);
    for (size_t i = 0; i < all.n; i++)
        check_connection(&all.connection[i], version, h2);
    snprintf(at, sizeof at, "pcap/%s.truth.jsonl", name);
    assert_true(corpus_path(at, path, sizeof path));
    FILE *truth = fopen(path, "r");
    static char line[1 << 16];
    while (!h2 && fgets(line, sizeof line, truth))
        check_truth(&all, line);
    fclose(truth);
    flow_table_free(flows);
    for (size_t i = 0; i < all.n; i++) {
        tls_free(all.connection[i].t);
        buf_release(&all.connection[i].plain[0]);
        buf_release(&all.connection[i].plain[1]);
    }
    secrets_free(all.secrets);
}

static void test_tls13(void **state)
{
    (void)state;
    run("https_tls13_h1", 0x0304, 43);
}

static void test_tls12(void **state)
{
    (void)state;
    run("https_tls12_h1", 0x0303, 3);
}

static void test_h2(void **state)
{
    (void)state;
    run("h2_tls", 0x0304, 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls13),
        cmocka_unit_test(test_tls12),
        cmocka_unit_test(test_h2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
