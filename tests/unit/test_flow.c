/* agent/flow: who is the client, bounded tables, ends and their reasons. */
#include "agent/flow.h"
#include "common/buf.h"
#include "testing.h"

#define SECOND INT64_C(1000000000)

struct world {
    struct flow_table *t;
    struct buf log;
    size_t open, ended[FLOW_ENDS];
    bool refuse;
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct world *w = arg;
    (void)ts_ns;
    buf_addf(&w->log, "%c%.*s", d == STREAM_UP ? '>' : '<', SLICE_FMT(bytes));
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct world *w = arg;
    (void)ts_ns;
    buf_addf(&w->log, "[%c%llu]", d == STREAM_UP ? '>' : '<', (unsigned long long)bytes);
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct world *w = arg;
    (void)ts_ns;
    buf_addf(&w->log, "%c%s", d == STREAM_UP ? ')' : '(', reset ? "!" : "");
}

static bool on_open(void *arg, const struct flow_info *i, struct stream_sink *sink)
{
    struct world *w = arg;
    char c[ENDPOINT_TEXT], s[ENDPOINT_TEXT];
    if (w->refuse)
        return false;
    w->open++;
    buf_addf(&w->log, "{%s-%s%s", endpoint_text(&i->client, c),
             endpoint_text(&i->server, s), i->joined ? "?" : "");
    *sink = (struct stream_sink){ w, on_data, on_gap, on_close };
    return true;
}

static void on_end(void *arg, struct stream_sink *sink, enum flow_end why)
{
    struct world *w = arg;
    assert_ptr_equal(sink->arg, w);
    w->open--;
    w->ended[why]++;
    buf_addf(&w->log, "}%s", flow_end_name(why));
}

static void open_world(struct world *w, struct flow_limits limits)
{
    struct flow_events events = { w, on_open, on_end };
    *w = (struct world){ .open = 0 };
    w->t = flow_table_new(&limits, &events, 7);
    assert_non_null(w->t);
}

static void close_world(struct world *w)
{
    flow_table_free(w->t);
    assert_int_equal(w->open, 0);
    buf_release(&w->log);
}

static struct endpoint at(uint32_t host, unsigned port)
{
    return (struct endpoint){ .ip = { [10] = 0xff,
                                      [11] = 0xff,
                                      [12] = 10,
                                      [13] = (uint8_t)(host >> 16),
                                      [14] = (uint8_t)(host >> 8),
                                      [15] = (uint8_t)host },
                              .port = (uint16_t)port };
}

enum { S = PACKET_SYN, A = PACKET_ACK, F = PACKET_FIN, R = PACKET_RST };

/* From 10.0.0.1:`from` to 10.0.0.1:`to`. */
struct row {
    unsigned from, to;
    uint32_t seq, ack;
    unsigned flags;
    const char *text;
    int64_t s; /* time */
};

static void feed(struct world *w, const struct row *o)
{
    struct packet p = { .src = at(1, o->from),
                        .dst = at(1, o->to),
                        .seq = o->seq,
                        .ack = o->ack,
                        .flags = (uint8_t)o->flags,
                        .payload = slice_str(o->text) };
    assert_int_equal(flow_table_feed(w->t, &p, o->s * SECOND), 0);
}

static const struct {
    const char *name;
    struct row rows[8];
    const char *heard;
} examples[] = {
    { "the SYN says who is the client, though the ports say otherwise",
      { { 80, 50000, 9, 0, S, "", 1 }, { 80, 50000, 10, 0, A, "abc", 1 } },
      "{10.0.0.1:80-10.0.0.1:50000>abc" },
    { "so does the SYN/ACK",
      { { 50000, 80, 99, 10, S | A, "", 1 }, { 80, 50000, 10, 100, A, "abc", 1 } },
      "{10.0.0.1:80-10.0.0.1:50000>abc" },
    { "and a SYN that is captured late",
      { { 80, 50000, 10, 0, A, "abc", 1 }, { 80, 50000, 9, 0, S, "", 1 } },
      "{10.0.0.1:80-10.0.0.1:50000>abc" },
    { "else the ports",
      { { 443, 50000, 10, 50, A, "abc", 1 },
        { 50000, 443, 50, 13, A, "xyz", 1 },
        { 50000, 443, 53, 13, A, "", 1 },
        { 50000, 443, 53, 13, A, "", 1 } },
      "{10.0.0.1:50000-10.0.0.1:443?[>0][<0]<abc>xyz" },
    { "else the first sender",
      { { 40000, 50000, 10, 0, A, "abc", 1 }, { 40000, 50000, 13, 0, A, "def", 2 } },
      "{10.0.0.1:40000-10.0.0.1:50000?[>0]>abc>def" },
    { "nothing without a payload or a SYN",
      { { 1, 2, 10, 0, A, "", 1 }, { 1, 2, 10, 0, F, "", 1 }, { 1, 2, 10, 0, R, "", 1 } },
      "" },
    { "a connection that carries nothing",
      { { 1, 2, 9, 0, S, "", 1 },
        { 2, 1, 19, 10, S | A, "", 1 },
        { 1, 2, 10, 20, F | A, "", 1 },
        { 2, 1, 20, 11, F | A, "", 1 } },
      "" },
    { "closed, and stray segments behind it",
      { { 1, 2, 9, 0, S, "", 1 },
        { 1, 2, 10, 20, F | A, "abc", 1 },
        { 2, 1, 20, 14, F | A, "x", 1 },
        { 2, 1, 20, 14, F | A, "x", 1 },
        { 1, 2, 14, 22, A, "", 1 },
        { 1, 2, 9, 0, S, "", 1 } },
      "{10.0.0.1:1-10.0.0.1:2>abc)<x(}closed" },
    { "the client closed before anybody sent a byte",
      { { 1, 2, 9, 0, S, "", 1 },
        { 2, 1, 19, 10, S | A, "", 1 },
        { 1, 2, 10, 20, F | A, "", 1 },
        { 2, 1, 20, 11, F | A, "abc", 1 } },
      "{10.0.0.1:1-10.0.0.1:2)<abc(}closed" },
    { "the same ports again",
      { { 1, 2, 9, 0, S, "", 1 },
        { 1, 2, 10, 0, A, "abc", 1 },
        { 1, 2, 7777, 0, S, "", 2 },
        { 1, 2, 7778, 0, A, "def", 2 } },
      "{10.0.0.1:1-10.0.0.1:2>abc[>0])[<0](}reused{10.0.0.1:1-10.0.0.1:2>def" },
    { "silent for too long",
      { { 1, 2, 9, 0, S, "", 1 },
        { 1, 2, 10, 0, A, "abc", 1 },
        { 3, 4, 9, 0, S, "", 902 } },
      "{10.0.0.1:1-10.0.0.1:2>abc[>0])[<0](}idle" },
    { "reset",
      { { 1, 2, 9, 0, S, "", 1 },
        { 1, 2, 10, 0, A, "abc", 1 },
        { 2, 1, 20, 13, R | A, "", 1 },
        { 3, 4, 9, 0, S, "", 2 } },
      "{10.0.0.1:1-10.0.0.1:2>abc)!(!}closed" },
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        struct world w;
        open_world(&w, flow_limits_default());
        for (size_t k = 0; k < COUNT_OF(examples[i].rows) && examples[i].rows[k].text;
             k++)
            feed(&w, &examples[i].rows[k]);
        CHECK(strcmp(buf_cstr(&w.log), examples[i].heard) == 0, "%s: %s",
              examples[i].name, buf_cstr(&w.log));
        flow_table_finish(w.t);
        assert_int_equal(w.open, 0);
        assert_int_equal(flow_table_count(w.t), 0);
        close_world(&w);
    }
}

/* Random packets of many hosts: never more flows than the limit, every sink ends. */
static void test_bounded(void **state)
{
    (void)state;
    struct rng rng = rng_open("flow");
    struct flow_limits limits = flow_limits_default();
    limits.max_flows = 50;
    limits.idle_ns = 5 * SECOND;
    limits.linger_ns = SECOND;
    limits.reassembly.flow_bytes = 3000;
    limits.reassembly.total_bytes = 20000;
    struct world w;
    open_world(&w, limits);
    static char bytes[400];
    for (int i = 0; i < 100000; i++) {
        uint64_t r = rng_next(&rng);
        struct endpoint c = at((uint32_t)(r % 120), 40000), s = at(500, 443);
        bool down = r >> 20 & 1;
        struct packet p = { .src = down ? s : c,
                            .dst = down ? c : s,
                            .seq = (uint32_t)(r >> 24 & 0xfff),
                            .ack = (uint32_t)(r >> 36 & 0xfff),
                            .missing = r >> 53 & 15 ? 0 : 100,
                            .payload = { bytes, (size_t)(r >> 57) * 3 },
                            .flags = r >> 50 & 7 ? A : (uint8_t)(r >> 21 & 7) };
        assert_int_equal(flow_table_feed(w.t, &p, i * (SECOND / 1000)), 0);
        assert_true(flow_table_count(w.t) <= 50 && w.open <= 50);
        w.refuse = r >> 10 & 1;
        buf_reset(&w.log);
    }
    assert_true(w.ended[FLOW_EVICTED] > 0 && w.ended[FLOW_REUSED] > 0);
    const struct flow_stats *st = flow_table_stats(w.t);
    assert_true(st->unwanted > 0);
    flow_table_finish(w.t);
    uint64_t ended = 0;
    for (size_t e = 0; e < FLOW_ENDS; e++)
        ended += st->ended[e];
    assert_int_equal(ended, st->flows);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
