/* agent/conn: what the layer above hears of a connection in clear, in TLS, in the dark.
 */
#include "tls_world.h"

#include "agent/conn.h"
#include "agent/keylog.h"

struct above {
    struct buf log; /* "open TLSv1.3|<text>^gap^close^end" ... */
    bool refuse;
    char sni[TLS_SNI_BYTES];
    uint64_t dark;
};

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct above *a = arg;
    (void)ts_ns;
    buf_addc(&a->log, d == STREAM_UP ? '>' : '<');
    buf_add(&a->log, bytes);
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    (void)ts_ns;
    buf_addf(&((struct above *)arg)->log, "%cgap%d", d == STREAM_UP ? '>' : '<',
             (int)bytes);
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    (void)ts_ns;
    buf_addf(&((struct above *)arg)->log, "%c%s", d == STREAM_UP ? '>' : '<',
             reset ? "reset" : "close");
}

static void *on_open(void *arg, const struct flow_info *flow, const struct tls_info *tls,
                     struct stream_sink *sink)
{
    struct above *a = arg;
    assert_int_equal(flow->client.port, 1234);
    buf_addf(&a->log, "open %s|", tls ? tls_version_name(tls->version) : "clear");
    *sink = (struct stream_sink){ a, on_data, on_gap, on_close };
    return a->refuse ? NULL : a;
}

static void on_end(void *arg, void *state, const struct flow_info *flow,
                   const struct tls_info *info)
{
    struct above *a = arg;
    assert_true(state == a || state == NULL);
    assert_int_equal(flow->client.port, 1234);
    buf_addf(&a->log, "|end%s", state ? "" : " unopened");
    if (info) {
        snprintf(a->sni, sizeof a->sni, "%s", info->sni);
        a->dark = info->dark_bytes[0] + info->dark_bytes[1];
    }
}

struct setting {
    struct above above;
    struct conn_env env;
    struct flow_events events;
    struct stream_sink sink;
};

static void setting_open(struct setting *s)
{
    memset(s, 0, sizeof *s);
    s->env.secrets = secrets_new(4, 1);
    s->env.upper =
        (struct conn_upper){ .arg = &s->above, .open = on_open, .end = on_end };
    s->events = conn_events(&s->env);
    struct flow_info flow = { .client.port = 1234, .server.port = 443 };
    assert_true(s->events.open(s->events.arg, &flow, &s->sink));
}

static const char *setting_end(struct setting *s)
{
    s->sink.close(s->sink.arg, STREAM_UP, 9, false);
    s->sink.close(s->sink.arg, STREAM_DOWN, 9, true);
    s->events.end(s->events.arg, &s->sink, FLOW_CLOSED);
    return buf_cstr(&s->above.log);
}

static void setting_release(struct setting *s)
{
    secrets_free(s->env.secrets);
    buf_release(&s->above.log);
}

static void test_clear(void **state)
{
    (void)state;
    struct setting s;
    setting_open(&s);
    s.sink.data(s.sink.arg, STREAM_UP, 1, SLICE("GET"));
    s.sink.gap(s.sink.arg, STREAM_DOWN, 2, 7);
    s.sink.data(s.sink.arg, STREAM_DOWN, 3, SLICE("\x16"));
    assert_string_equal(setting_end(&s), "open clear|>GET<gap7<\x16>close<reset|end");
    assert_int_equal(s.env.stats.clear, 1);
    setting_release(&s);

    setting_open(&s); /* joined: a gap before the first bytes */
    s.sink.gap(s.sink.arg, STREAM_UP, 1, 0);
    s.sink.close(s.sink.arg, STREAM_UP, 2, false);
    s.sink.data(s.sink.arg, STREAM_DOWN, 3, SLICE("HTTP"));
    s.sink.close(s.sink.arg, STREAM_DOWN, 4, true);
    s.events.end(s.events.arg, &s.sink, FLOW_CLOSED);
    assert_string_equal(buf_cstr(&s.above.log), "open clear|>gap0>close<HTTP<reset|end");
    setting_release(&s);

    setting_open(&s); /* nothing in it */
    assert_string_equal(setting_end(&s), "");
    setting_release(&s);

    setting_open(&s);
    s.above.refuse = true;
    s.sink.data(s.sink.arg, STREAM_UP, 1, SLICE("GET"));
    s.sink.data(s.sink.arg, STREAM_UP, 1, SLICE("GET"));
    assert_string_equal(setting_end(&s), "open clear|");
    assert_int_equal(s.env.stats.refused, 1);
    setting_release(&s);
}

/*
 * A direction whose begin was not captured begins with a gap of 0 bytes, unless its first
 * bytes can only be the begin. Rows are bytes in turn, '>' and '<' say of which.
 */
#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS SLICE("<\0\0\0\4\0\0\0\0\0")
static const struct {
    struct slice step[3];
    const char *log;
} begins[] = {
    { { SLICE(">" PREFACE), SETTINGS, SLICE("<x") }, "open clear|>PRI<SET<x" },
    { { SETTINGS, SLICE(">" PREFACE), SLICE("<x") }, "open clear|<SET>PRI<x" },
    { { SETTINGS, SLICE("<x"), SLICE(">" PREFACE) }, "open clear|<SET<gap0<x>PRI" },
    { { SETTINGS, SLICE(">GET"), SLICE("<x") }, "open clear|<SET<gap0>gap0>GET<x" },
    { { SLICE(">" PREFACE), SLICE("<x"), SETTINGS }, "open clear|>PRI<gap0<x<SET" },
    { { SLICE(">PRI * HTTP/2"), SETTINGS, SLICE("<x") },
      "open clear|>gap0>PRI * HTTP/2<gap0<SET<x" },
    { { SLICE(">GET"), SLICE("<HTTP/1.1"), SLICE("<x") },
      "open clear|>gap0>GET<gap0<HTTP/1.1<x" },
};

static void test_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        struct setting s;
        struct buf got = { .p = NULL };
        setting_open(&s);
        for (enum stream_dir d = STREAM_UP; d <= STREAM_DOWN; d++)
            s.sink.gap(s.sink.arg, d, 0, 0);
        for (size_t k = 0; k < 3; k++) {
            struct slice bytes = begins[i].step[k];
            enum stream_dir d = bytes.p[0] == '>' ? STREAM_UP : STREAM_DOWN;
            s.sink.data(s.sink.arg, d, 1 + (int64_t)k, slice_from(bytes, 1));
        }
        struct slice log = buf_slice(&s.above.log), settings = slice_from(SETTINGS, 1);
        while (log.n) { /* what is long, or no text, by its name */
            bool preface = slice_starts(log, SLICE(PREFACE));
            bool set = slice_starts(log, settings);
            buf_add(&got, preface ? SLICE("PRI")
                          : set   ? SLICE("SET")
                                  : slice_head(log, 1));
            log = slice_from(log, preface ? sizeof PREFACE - 1 : set ? settings.n : 1);
        }
        CHECK(!strcmp(buf_cstr(&got), begins[i].log), "%zu: %s", i, buf_cstr(&got));
        setting_end(&s);
        buf_release(&got);
        setting_release(&s);
    }
}

static void test_tls(void **state)
{
    (void)state;
    static const struct tls_case c = { "1.3", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
                                       .rsa = false };
    struct tls_world w;
    world_open(&w, &c);
    world_connect(&w);
    world_say(&w, STREAM_UP, 5, 'a');
    world_say(&w, STREAM_DOWN, 5, 'A');
    world_disconnect(&w);
    /* secrets at once, late, never; at once, but the handshake of TCP was not captured */
    for (int way = 0; way < 4; way++) {
        struct setting s;
        struct keylog k;
        setting_open(&s);
        keylog_init(&k, s.env.secrets);
        if (way == 0 || way == 3)
            keylog_feed(&k, buf_slice(&w.keys));
        for (enum stream_dir d = STREAM_UP; way == 3 && d <= STREAM_DOWN; d++)
            s.sink.gap(s.sink.arg, d, 0, 0);
        for (size_t i = 0; i < w.parts; i++)
            s.sink.data(s.sink.arg, w.part[i].d, (int64_t)i,
                        slice_of(w.wire.p + w.part[i].at, w.part[i].n));
        if (way == 1)
            keylog_feed(&k, buf_slice(&w.keys));
        conn_poll(&s.sink);
        keylog_finish(&k);
        assert_string_equal(setting_end(&s),
                            way == 2 ? "|end unopened"
                                     : "open TLSv1.3|>abcde<ABCDE>close<reset|end");
        assert_string_equal(s.above.sni, "api.example.com");
        assert_true((s.above.dark > 0) == (way == 2));
        assert_int_equal(s.env.stats.tls, 1);
        assert_int_equal(s.env.stats.dark, way == 2);
        assert_int_equal(s.env.stats.dark_bytes, s.above.dark);
        setting_release(&s);
    }
    world_close(&w);
}

/* Joined inside of a record: dark, once two segments begin with one. */
static void test_joined(void **state)
{
    (void)state;
    static const char record[] = "\x17\3\3\0\x20"
                                 "0123456789abcdef0123456789abcdef";
    for (int joined = 0; joined < 2; joined++) {
        struct setting s;
        setting_open(&s);
        if (joined)
            s.sink.gap(s.sink.arg, STREAM_UP, 1, 0);
        s.sink.data(s.sink.arg, STREAM_UP, 1, SLICE("rest"));
        for (int i = 0; i < 3; i++)
            s.sink.data(s.sink.arg, i % 2 ? STREAM_DOWN : STREAM_UP, 2, SLICE(record));
        setting_end(&s);
        assert_int_equal(s.env.stats.tls, joined);
        assert_int_equal(s.env.stats.clear, !joined);
        assert_int_equal(s.env.stats.dark, joined);
        assert_true(!joined || s.above.dark > 0);
        setting_release(&s);
    }
}

static void on_dark(void *arg, const struct flow_info *flow, const struct tls_info *info,
                    const struct conn_dark *since, int64_t ts_ns)
{
    struct above *a = arg;
    (void)flow, (void)ts_ns;
    assert_string_equal(info->sni, "api.example.com");
    buf_addf(&a->log, "dark%s %d %d>%d|", since->first ? "" : " more", (int)since->bursts,
             since->up > 0, since->down > 0);
}

/*
 * Live: secrets come when the connection is over already, in time or too late; what waits
 * is bounded; how dark it is is said before the end.
 */
static void test_sealed(void **state)
{
    (void)state;
    enum { IN_TIME, TOO_LATE, TOO_MUCH, OPEN_STILL, WAYS };
    static const struct tls_case c = { "1.3", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
                                       .rsa = false };
    static const char *const want[WAYS] = {
        [IN_TIME] = "open TLSv1.3|>abcde<ABCDE>close<reset|end",
        [TOO_LATE] = "dark 0 1>1||end unopened",
        [TOO_MUCH] = "dark 0 1>1||end unopened",
        [OPEN_STILL] = "dark 0 1>1||end unopened",
    };
    struct tls_world w;
    world_open(&w, &c);
    world_connect(&w);
    world_say(&w, STREAM_UP, 5, 'a');
    world_say(&w, STREAM_DOWN, 5, 'A');
    world_disconnect(&w);
    for (int way = 0; way < WAYS; way++) {
        struct setting s;
        struct keylog k;
        setting_open(&s);
        s.env.upper.dark = on_dark;
        s.env.sealed_ns = 1000;
        s.env.sealed_total = way == TOO_MUCH ? 1 : 0;
        s.env.tls.held_bytes = way == OPEN_STILL ? 1 : 0;
        keylog_init(&k, s.env.secrets);
        for (size_t i = 0; i < w.parts; i++)
            s.sink.data(s.sink.arg, w.part[i].d, 100 + (int64_t)i,
                        slice_of(w.wire.p + w.part[i].at, w.part[i].n));
        if (way == OPEN_STILL) {
            conn_sweep(&s.env, 500, true);
            conn_sweep(&s.env, 600, true); /* nothing new: nothing said */
            assert_string_equal(buf_cstr(&s.above.log), "dark 0 1>1|");
        }
        setting_end(&s);
        conn_sweep(&s.env, 1000, false);
        assert_int_equal(s.env.stats.sealed, way <= TOO_LATE);
        assert_true((s.env.stats.sealed_bytes > 0) == (way <= TOO_LATE));
        if (way == TOO_LATE)
            conn_sweep(&s.env, 5000, false);
        keylog_feed(&k, buf_slice(&w.keys));
        keylog_finish(&k);
        conn_sweep(&s.env, 1050, false);
        assert_string_equal(buf_cstr(&s.above.log), want[way]);
        assert_int_equal(s.env.stats.sealed, 0);
        assert_int_equal(s.env.stats.sealed_bytes, 0);
        assert_int_equal(s.env.stats.too_late, way == TOO_LATE);
        assert_true((s.env.stats.too_much > 0) == (way == TOO_MUCH));
        conn_release(&s.env);
        setting_release(&s);
    }
    world_close(&w);
}

/* However many connections wait: their number is bounded, the oldest give up. */
static void test_many_sealed(void **state)
{
    (void)state;
    enum { MANY = 200, ROOM = 50 };
    static const struct tls_case c = { "1.3", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
                                       .rsa = false };
    struct tls_world w;
    struct setting s;
    world_open(&w, &c);
    world_connect(&w);
    world_say(&w, STREAM_UP, 5, 'a');
    world_disconnect(&w);
    setting_open(&s);
    s.env.sealed_ns = 1000000;
    s.env.sealed_total = ROOM * 4096;
    for (int n = 0; n < MANY; n++) {
        const struct flow_info flow = { .client.port = 1234, .server.port = 443 };
        struct stream_sink sink;
        assert_true(s.events.open(s.events.arg, &flow, &sink));
        for (size_t i = 0; i < w.parts; i++)
            sink.data(sink.arg, w.part[i].d, n,
                      slice_of(w.wire.p + w.part[i].at, w.part[i].n));
        s.events.end(s.events.arg, &sink, FLOW_CLOSED);
        assert_true(s.env.stats.sealed < ROOM);
    }
    assert_true(s.env.stats.sealed > ROOM / 4);
    assert_int_equal(s.env.stats.too_much, MANY - s.env.stats.sealed);
    conn_release(&s.env);
    assert_int_equal(s.env.stats.dark, MANY);
    s.events.end(s.events.arg, &s.sink, FLOW_FINISH);
    setting_release(&s);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clear),       cmocka_unit_test(test_tls),
        cmocka_unit_test(test_joined),      cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_many_sealed), cmocka_unit_test(test_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
