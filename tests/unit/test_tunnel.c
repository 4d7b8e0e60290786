/* agent/tunnel: what of a connection is the proxy's, at every cut. */
#include "testing.h"

#include "agent/tunnel.h"
#include "common/buf.h"

#define ASK     "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n"
#define GIVEN   "HTTP/1.1 200 Connection established\r\n\r\n"
#define REFUSED "HTTP/1.1 407 Who?\r\nContent-Length: 5\r\n\r\nwho?\n"

/* What each side says in turn, the client first, and what is handed on of it all. */
static const struct {
    const char *say[6];
    const char *up, *down;
    bool given;
} rows[] = {
    { { ASK, GIVEN, "hello", "HELLO" }, "hello", "HELLO", true },
    { { ASK, GIVEN "HELLO", "hello" }, "hello", "HELLO", true },
    { { ASK "hello", GIVEN, "more" }, "hellomore", "", true },
    { { ASK, "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", "a" }, "a", "", true },
    { { ASK, "HTTP/1.1 100 Continue\r\n\r\n" GIVEN, "a" }, "a", "", true },
    { { ASK, REFUSED, ASK, GIVEN, "a", "b" }, "a", "b", true },
    { { ASK, REFUSED, "CONGET / HTTP/1.1", "x" }, "CONGET / HTTP/1.1", "x", false },
    { { ASK, REFUSED }, "", "", false },
    { { ASK, "SSH-2.0", "x" }, "x", "SSH-2.0", false },
    { { "CONNECTED", "x" }, "CONNECTED", "x", false },
    { { "CONN", "x", "y" }, "CONNy", "x", false },
    { { "POST / HTTP/1.1", GIVEN }, "POST / HTTP/1.1", GIVEN, false },
    { { "", "220 smtp", "EHLO" }, "EHLO", "220 smtp", false },
    { { "\x16\x03\x01", "\x16\x03\x03" }, "\x16\x03\x01", "\x16\x03\x03", false },
};

static void feed(struct tunnel *t, enum stream_dir d, struct slice bytes, struct buf *got)
{
    struct guarded g = guard_copy(bytes);
    struct slice left = g.s, before = tunnel_take(t, d, &left);
    buf_add(&got[STREAM_UP], before);
    buf_add(&got[d], left);
    guard_release(&g);
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t cut = 1; cut < 80; cut++) {
            struct tunnel t = { .up = 0 };
            struct buf got[2] = { { .p = NULL }, { .p = NULL } };
            for (size_t turn = 0; turn < 6 && rows[i].say[turn]; turn++) {
                struct slice s = slice_str(rows[i].say[turn]);
                for (; s.n; s = slice_from(s, slice_head(s, cut).n))
                    feed(&t, turn % 2 ? STREAM_DOWN : STREAM_UP, slice_head(s, cut), got);
            }
            CHECK(slice_eq(buf_slice(&got[STREAM_UP]), slice_str(rows[i].up)) &&
                      slice_eq(buf_slice(&got[STREAM_DOWN]), slice_str(rows[i].down)),
                  "row %zu, cut %zu: %s, %s", i, cut, buf_cstr(&got[STREAM_UP]),
                  buf_cstr(&got[STREAM_DOWN]));
            CHECK(tunnel_given(&t) == rows[i].given, "row %zu, cut %zu", i, cut);
            buf_release(&got[STREAM_UP]);
            buf_release(&got[STREAM_DOWN]);
        }
}

static void gaps(void **state)
{
    (void)state;
    struct tunnel t = { .up = 0 };
    struct buf got[2] = { { .p = NULL }, { .p = NULL } };
    feed(&t, STREAM_UP, SLICE(ASK), got);
    tunnel_gap(&t); /* the answer, say */
    feed(&t, STREAM_UP, SLICE("hello"), got);
    feed(&t, STREAM_DOWN, SLICE("HELLO"), got);
    assert_string_equal(buf_cstr(&got[STREAM_UP]), "hello");
    assert_string_equal(buf_cstr(&got[STREAM_DOWN]), "HELLO");
    assert_false(tunnel_given(&t));
    buf_release(&got[STREAM_UP]);
    buf_release(&got[STREAM_DOWN]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),
        cmocka_unit_test(gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
