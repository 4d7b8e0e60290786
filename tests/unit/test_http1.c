/* HTTP/1 messages, whole and cut at every place; hostile ones are refused with a reason.
 */
#include "testing.h"

#include "agent/http1.h"

/* What a run says: heads, bodies and ends as one line of text. */
static bool note_head(void *arg, const struct http1_head *h)
{
    struct buf *b = arg;
    if (h->status)
        buf_addu(b, h->status);
    else
        buf_add(b, h->method);
    buf_addc(b, ' ');
    buf_add(b, h->target);
    for (size_t i = 0; i < h->fields; i++) {
        buf_addc(b, '|');
        buf_add(b, h->field[i].name);
        buf_addc(b, '=');
        buf_add(b, h->field[i].value);
    }
    buf_addc(b, '>');
    return !(h->fields && slice_eq(h->field[0].name, SLICE("X-Head")));
}

static void note_body(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static const struct http1_events events = { note_head, note_body };

static void feed(struct http1 *h, struct slice in, struct buf *out)
{
    struct guarded g = guard_copy(in);
    size_t at = 0;
    while (at < g.s.n) {
        enum http1_end end;
        at += http1_feed(h, slice_from(g.s, at), &events, out, &end);
        if (end == HTTP1_DONE)
            buf_adds(out, ";");
        if (end == HTTP1_BAD)
            buf_addf(out, "!%s!", h->why);
    }
    guard_release(&g);
}

#define GET     "GET / HTTP/1.1\r\n\r\n"
#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *name;
    bool response;
    const char *in, *says;
} cases[] = {
    { "two requests, pipelined", false, GET "\r\nPOST /x HTTP/1.0\r\nA: b \r\n\r\n",
      "GET />;POST /x|A=b>;" },
    { "length", false, "PUT /a?b=c HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" GET,
      "PUT /a?b=c|Content-Length=3>abc;GET />;" },
    { "length zero", true, OK "Content-Length: 0\r\n\r\n" OK "Content-Length:1\r\n\r\nx",
      "200 |Content-Length=0>;200 |Content-Length=1>x;" },
    { "the same length twice", true, OK "content-length: 1, 1\r\n\r\nx",
      "200 |content-length=1, 1>x;" },
    { "chunks, extension, trailer", true,
      CHUNKED "5;x=1\r\nhello\r\n1 \r\n!\r\n0;a\r\nT: v\r\n\r\n" OK
              "Content-Length: 0\r\n\r\n",
      "200 |Transfer-Encoding=chunked>hello!;200 |Content-Length=0>;" },
    { "chunked beats length", true,
      OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      "200 |Content-Length=9|Transfer-Encoding=chunked>x;" },
    { "line feeds alone", true, "HTTP/1.1 200\nContent-Length: 2\n\nab",
      "200 |Content-Length=2>ab;" },
    { "until close", true, OK "\r\nabc\r\nHTTP/1.1 200 OK\r\n\r\n",
      "200 >abc\r\nHTTP/1.1 200 OK\r\n\r\n" },
    { "coded but not chunked: until close", true, OK "Transfer-Encoding: gzip\r\n\r\nabc",
      "200 |Transfer-Encoding=gzip>abc" },
    { "interim, then final", true,
      "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
      "100 >;200 |Content-Length=1>x;" },
    { "204 and 304 have no body", true,
      "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"
      "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
      "204 |Content-Length=5>;304 |Transfer-Encoding=chunked>;" },
    { "the caller knows of HEAD", true,
      OK "X-Head: 1\r\nContent-Length: 5\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
      "200 |X-Head=1|Content-Length=5>;200 |Content-Length=0>;" },
    { "folded value", false, "GET / HTTP/1.1\r\nA: b\r\n  c\r\n\r\n",
      "GET /|A=b\r\n  c>;" },
    { "joined in a body", true,
      "s HTTP/1.1 and \"HTTP/1.1 200 OK\\r\\n\" too\n}" OK "Content-Length: 1\r\n\r\nx",
      "!not the start of a message!200 |Content-Length=1>x;" },
    { "joined in a request's body", false, "\"} POST /a \n{\"a\":1}" GET,
      "!not the start of a message!GET />;" },
    /* hostile */
    { "two lengths", true,
      OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy" GET OK
         "Content-Length: 0\r\n\r\n",
      "!two different Content-Lengths!200 |Content-Length=0>;" },
    { "length with a sign", true, OK "Content-Length: +1\r\n\r\n",
      "!Content-Length is not a number!" },
    { "length over 64 bits", true, OK "Content-Length: 18446744073709551616\r\n\r\n",
      "!Content-Length is not a number!" },
    { "length without digits", true, OK "Content-Length:\r\n\r\n",
      "!Content-Length is empty!" },
    { "chunk size over 64 bits", true, CHUNKED "ffffffffffffffff0\r\n",
      "200 |Transfer-Encoding=chunked>!a chunk size over 64 bits!" },
    { "chunk size missing", true, CHUNKED "\r\n",
      "200 |Transfer-Encoding=chunked>!a chunk size that is no number!" },
    { "chunk longer than it says", true, CHUNKED "1\r\nxy\r\n",
      "200 |Transfer-Encoding=chunked>x!a chunk longer than its size!" },
    { "chunked twice", true, OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
      "!a transfer coding behind chunked!" },
    { "request coded but not chunked", false,
      "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
      "POST /|Transfer-Encoding=gzip>!a request whose last transfer coding is not "
      "chunked!" },
    { "space before the colon", false, "GET / HTTP/1.1\r\nA : b\r\n\r\n" GET,
      "!a header name that is no token!GET />;" },
    { "space before the colon of a response", true, OK "Content-Length \t: 1\r\n\r\nx",
      "200 |Content-Length=1>x;" },
    { "no colon", false, "GET / HTTP/1.1\r\nAb\r\n\r\n",
      "!a header line without a colon!" },
    { "continuation of nothing", false, "GET / HTTP/1.1\r\n A: b\r\n\r\n",
      "!a continuation of nothing!" },
    { "control character", false, "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
      "!a control character in a header!" },
    { "status of two digits", true, "HTTP/1.1 20 OK\r\n\r\n", "!not a status line!" },
    { "no version", false, "GET /\r\n\r\n" GET, "!not a request line!GET />;" },
    { "another protocol", true, "SSH-2.0-OpenSSH_9.2\r\n",
      "!not the start of a message!" },
};

static void run(size_t c, size_t cut)
{
    struct slice in = slice_str(cases[c].in);
    struct buf out = { .p = NULL };
    struct http1 h;
    http1_init(&h, cases[c].response, 1024);
    feed(&h, slice_head(in, cut), &out);
    feed(&h, slice_from(in, cut), &out);
    CHECK(!strcmp(buf_cstr(&out), cases[c].says), "%s, cut at %zu: %s", cases[c].name,
          cut, buf_cstr(&out));
    http1_release(&h);
    buf_release(&out);
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++)
        for (size_t cut = 0; cut <= strlen(cases[c].in); cut++)
            run(c, cut);
}

static void byte_by_byte(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct buf out = { .p = NULL };
        struct http1 h;
        http1_init(&h, cases[c].response, 1024);
        for (const char *p = cases[c].in; *p; p++)
            feed(&h, slice_of(p, 1), &out);
        CHECK(!strcmp(buf_cstr(&out), cases[c].says), "%s: %s", cases[c].name,
              buf_cstr(&out));
        http1_release(&h);
        buf_release(&out);
    }
}

/* --- limits ---------------------------------------------------------------------------
 */

static void check_limit(bool response, const char *begin, const char *unit,
                        const char *reason)
{
    struct buf out = { .p = NULL };
    struct http1 h;
    http1_init(&h, response, 512);
    feed(&h, slice_str(begin), &out);
    for (int i = 0; i < 400; i++)
        feed(&h, slice_str(unit), &out);
    CHECK(strstr(buf_cstr(&out), reason), "%s: %s", reason, buf_cstr(&out));
    assert_true(h.text.cap <= 65536);
    http1_release(&h);
    buf_release(&out);
}

static void limits(void **state)
{
    (void)state;
    check_limit(false, "GET / HTTP/1.1\r\n", "A: bcd\r\n",
                "a message head over the limit");
    check_limit(false, "GET /", "aaaaaaaaa", "a message head over the limit");
    check_limit(true, CHUNKED "1;", "xxxxxxxx", "a chunk extension over the limit");
    check_limit(true, CHUNKED "0\r\n", "A: bcd\r\n", "a trailer over the limit");
    struct buf in = { .p = NULL }, out = { .p = NULL };
    struct http1 h;
    http1_init(&h, false, 64 << 10);
    buf_adds(&in, "GET / HTTP/1.1\r\n");
    for (int i = 0; i <= HTTP1_FIELDS; i++)
        buf_adds(&in, "a:b\r\n");
    buf_adds(&in, "\r\n" GET);
    feed(&h, buf_slice(&in), &out);
    assert_string_equal(buf_cstr(&out), "!too many header lines!GET />;");
    http1_release(&h);
    buf_release(&in);
    buf_release(&out);
}

/* --- loss and end ---------------------------------------------------------------------
 */

static const struct {
    const char *name, *before;
    uint64_t bytes;
    enum http1_end gap;
    const char *after, *says;
    enum http1_end close;
} gaps[] = {
    { "inside a body of known length", OK "Content-Length: 9\r\n\r\nab", 3, HTTP1_MORE,
      "fghi" OK "Content-Length: 1\r\n\r\nx",
      "200 |Content-Length=9>abfghi;200 |Content-Length=1>x;", HTTP1_MORE },
    { "the rest of a body", OK "Content-Length: 9\r\n\r\nab", 7, HTTP1_DONE,
      OK "Content-Length: 1\r\n\r\nx", "200 |Content-Length=9>ab200 |Content-Length=1>x;",
      HTTP1_MORE },
    { "more than a body", OK "Content-Length: 9\r\n\r\nab", 8, HTTP1_BAD,
      "x: y\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
      "200 |Content-Length=9>ab200 |Content-Length=1>x;", HTTP1_MORE },
    { "inside a chunk", CHUNKED "5\r\nh", 3, HTTP1_MORE, "o\r\n0\r\n\r\n",
      "200 |Transfer-Encoding=chunked>ho;", HTTP1_MORE },
    { "inside a chunk's frame", CHUNKED "5\r", 3, HTTP1_BAD,
      "llo\r\n0\r\n\r\n" OK "\r\nx", "200 |Transfer-Encoding=chunked>200 >x",
      HTTP1_DONE },
    { "unknown number", OK "Content-Length: 9\r\n\r\nab", 0, HTTP1_BAD, "fghi",
      "200 |Content-Length=9>ab", HTTP1_MORE },
    { "in a head", OK "Content-", 3, HTTP1_BAD, "th: 1\r\n\r\nx", "", HTTP1_MORE },
    { "until close", OK "\r\nab", 3, HTTP1_MORE, "cd", "200 >abcd", HTTP1_DONE },
    { "the end is cut", OK "Content-Length: 9\r\n\r\nab", 3, HTTP1_MORE, "fg",
      "200 |Content-Length=9>abfg", HTTP1_BAD },
};

static void gap_rows(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(gaps); c++) {
        struct buf out = { .p = NULL };
        struct http1 h;
        http1_init(&h, true, 1024);
        feed(&h, slice_str(gaps[c].before), &out);
        enum http1_end gap = http1_gap(&h, gaps[c].bytes);
        CHECK(gap == gaps[c].gap, "%s: %d", gaps[c].name, gap);
        feed(&h, slice_str(gaps[c].after), &out);
        CHECK(!strcmp(buf_cstr(&out), gaps[c].says), "%s: %s", gaps[c].name,
              buf_cstr(&out));
        CHECK(http1_close(&h) == gaps[c].close, "%s: close", gaps[c].name);
        http1_release(&h);
        buf_release(&out);
    }
}

static void lists(void **state)
{
    (void)state;
    assert_true(http1_list_has(SLICE("a, H2C ;q=1,b"), SLICE("h2c")));
    assert_false(http1_list_has(SLICE("h2,c"), SLICE("h2c")));
    assert_false(http1_list_has(SLICE(""), SLICE("h2c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut), cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(limits),    cmocka_unit_test(gap_rows),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
