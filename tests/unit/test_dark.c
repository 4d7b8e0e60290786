/* agent/dark and dark_hosts: bursts by table at every cut; hosts bounded. */
#include "testing.h"

#include "agent/dark_hosts.h"

/* A conversation in words: U and D begin a record of that many bytes of data, h a
 * handshake record, g a gap upwards. */
static const struct {
    const char *name;
    struct {
        char what;
        unsigned n;
    } say[10];
    unsigned bursts;
} rows[] = {
    { "handshake only", { { 'h', 517 }, { 'H', 4000 }, { 'U', 74 } }, 0 },
    { "one request", { { 'h', 517 }, { 'U', 74 }, { 'U', 900 }, { 'D', 3000 } }, 1 },
    { "a request in pieces", { { 'U', 100 }, { 'U', 100 }, { 'U', 16000 } }, 1 },
    { "keep-alive", { { 'U', 300 }, { 'D', 900 }, { 'U', 500 }, { 'D', 99 } }, 2 },
    { "small frames of HTTP/2 are none",
      { { 'U', 300 }, { 'D', 900 }, { 'U', 35 }, { 'D', 200 }, { 'U', 40 } },
      1 },
    { "window updates cut no upload",
      { { 'U', 16000 }, { 'D', 35 }, { 'U', 16000 }, { 'D', 35 }, { 'U', 16000 } },
      1 },
    { "out of step: every byte counts", { { 'g', 0 }, { 'h', 300 } }, 1 },
};

static void say(struct dark *k, char what, unsigned n, size_t step)
{
    static char bytes[5 + 20000];
    enum stream_dir d = what == 'D' || what == 'H' ? STREAM_DOWN : STREAM_UP;
    bytes[0] = what == 'h' || what == 'H' ? 22 : 23;
    bytes[1] = 3;
    bytes[2] = 3;
    bytes[3] = (char)(n >> 8);
    bytes[4] = (char)n;
    if (what == 'g')
        dark_gap(k, STREAM_UP);
    for (size_t at = 0; at < n + 5 && what != 'g'; at += step)
        dark_data(k, d, slice_of(bytes + at, n + 5 - at < step ? n + 5 - at : step));
}

static void test_bursts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step < 40000; step = step < 8 ? step + 1 : step * 7) {
            struct dark k = { 0 };
            for (size_t s = 0; s < COUNT_OF(rows[i].say) && rows[i].say[s].what; s++)
                say(&k, rows[i].say[s].what, rows[i].say[s].n, step);
            CHECK(k.bursts == rows[i].bursts, "%s, by %zu: %u", rows[i].name, step,
                  (unsigned)k.bursts);
        }
}

static void test_hosts(void **state)
{
    struct dark_hosts *h = calloc(1, sizeof *h);
    struct flow_info flow = { .server.port = 443 };
    const struct conn_dark since = { .first = true, .up = 1, .down = 2, .bursts = 3 };
    const struct conn_dark more = { .first = false, .up = 10, .down = 20, .bursts = 1 };
    struct tls_info info = { .sni = "api.openai.com" };
    struct buf text = { 0 };
    (void)state;
    assert_non_null(h);
    dark_hosts_table(h, &text);
    assert_int_equal(text.n, 0);
    const struct dark_host *host = dark_hosts_add(h, &flow, &info, &since);
    assert_string_equal(host->provider, "openai");
    dark_hosts_add(h, &flow, &info, &more);
    assert_int_equal(host->connections, 1);
    assert_int_equal(host->calls, 4);
    assert_int_equal(host->down, 22);
    for (int i = 0; i < 1000; i++) {
        snprintf(info.sni, sizeof info.sni, "host-%d\x1b.example", i);
        dark_hosts_add(h, &flow, &info, &since);
    }
    assert_int_equal(h->n, DARK_HOSTS);
    assert_int_equal(h->other.connections, 1001 - DARK_HOSTS);
    assert_null(strchr(h->at[1].name, '\x1b'));
    dark_hosts_table(h, &text);
    assert_non_null(
        strstr(buf_cstr(&text), "api.openai.com: 1 connections, 11 bytes up"));
    assert_non_null(strstr(buf_cstr(&text), "hosts more"));
    buf_reset(&text);
    struct json_out o = { .b = &text };
    dark_hosts_json(h, &o);
    assert_non_null(
        strstr(buf_cstr(&text), "\"calls_estimate\":4,\"quality\":\"missing\""));
    assert_non_null(strstr(buf_cstr(&text), "\"(other)\""));
    buf_release(&text);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bursts),
                                        cmocka_unit_test(test_hosts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
