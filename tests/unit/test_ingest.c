/* Batches: what is taken, what is refused at which line, at every split; decompression.
 */
#include "testing.h"

#include "collector/body.h"
#include "collector/ingest.h"

#include <zlib.h>
#include <zstd.h>

#define HEAD "{\"schema\":1,\"agent\":\"web-1\",\"epoch\":3}\n"
#define ROW(n)                                                                           \
    "{\"h\":1795420800,\"ver\":41,\"ep\":1,\"app\":\"sh\\u00f6p\",\"src\":\"log\","      \
    "\"oc\":\"ok\",\"q\":\"exact\",\"ctx\":0,\"n\":" n "}\n"

static const struct {
    const char *name, *in;
    enum status st;
    uint64_t line; /* of the error; rows when ST_OK */
    uint64_t unknown;
    const char *why; /* part of the reason */
} cases[] = {
    { "heartbeat", HEAD, ST_OK, 0, 0, "" },
    { "no newline at the end", "{\"schema\":1,\"agent\":\"a\",\"epoch\":1}", ST_OK, 0, 0,
      "" },
    { "two rows", HEAD ROW("12") ROW("0"), ST_OK, 2, 0, "" },
    { "blank lines and CR", HEAD "\r\n" ROW("1") "\n", ST_OK, 1, 0, "" },
    { "announced rows",
      "{\"schema\":1,\"agent\":\"a\",\"epoch\":1,\"rows\":1}\n" ROW("1"), ST_OK, 1, 0,
      "" },
    { "rows missing", "{\"schema\":1,\"agent\":\"a\",\"epoch\":1,\"rows\":2}\n" ROW("1"),
      ST_BAD, 2, 0, "another number" },
    { "unknown header field",
      "{\"schema\":1,\"x\":{\"y\":[1]},\"agent\":\"a\",\"epoch\":1}\n", ST_OK, 0, 1, "" },
    { "unknown row field",
      HEAD "{\"new\":[1,2],\"h\":1795420800,\"ver\":1,\"ep\":1,\"src\":\"log\",\"oc\":"
           "\"ok\",\"q\":\"exact\",\"ctx\":0,\"n\":1}\n",
      ST_OK, 1, 1, "" },
    { "empty", "", ST_BAD, 1, 0, "empty" },
    { "not JSON", "hello\n", ST_BAD, 1, 0, "header" },
    { "an array", "[]\n", ST_BAD, 1, 0, "header" },
    { "other schema", "{\"schema\":2,\"agent\":\"a\",\"epoch\":1}\n", ST_BAD, 1, 0,
      "schema 1" },
    { "no agent", "{\"schema\":1,\"epoch\":1}\n", ST_BAD, 1, 0, "lacks" },
    { "no epoch", "{\"schema\":1,\"agent\":\"a\"}\n", ST_BAD, 1, 0, "lacks" },
    { "hostile agent", "{\"schema\":1,\"agent\":\"a\\nb\",\"epoch\":1}\n", ST_BAD, 1, 0,
      "names" },
    { "agent with a star", "{\"schema\":1,\"agent\":\"*\",\"epoch\":1}\n", ST_BAD, 1, 0,
      "names" },
    { "key twice", "{\"schema\":1,\"agent\":\"a\",\"agent\":\"b\",\"epoch\":1}\n", ST_BAD,
      1, 0, "twice" },
    { "negative epoch", "{\"schema\":1,\"agent\":\"a\",\"epoch\":-1}\n", ST_BAD, 1, 0,
      "integers" },
    { "second row broken", HEAD ROW("1") "{\"h\":1}\n", ST_BAD, 3, 0, "hour" },
    { "negative count", HEAD ROW("-1"), ST_BAD, 2, 0, "2^63" },
    { "count over 2^63", HEAD ROW("9223372036854775808"), ST_BAD, 2, 0, "2^63" },
    { "junk behind a row", HEAD "{} {}\n", ST_BAD, 2, 0, "" },
    { "cut row", HEAD "{\"h\":1795420800", ST_BAD, 2, 0, "" },
};

static void check_case(size_t c, size_t cut)
{
    struct slice text = slice_str(cases[c].in);
    struct ingest in;
    ingest_init(&in, 1 << 20, 100);
    ingest_feed(&in, slice_head(text, cut));
    ingest_feed(&in, slice_from(text, cut));
    enum status st = ingest_finish(&in);
    CHECK(st == cases[c].st, "%s, cut at %zu: %s (%s)", cases[c].name, cut,
          status_name(st), ingest_why(&in));
    if (st == ST_OK)
        CHECK(in.rows == cases[c].line, "%s, cut at %zu", cases[c].name, cut);
    else
        CHECK(in.line == cases[c].line, "%s, cut at %zu: line %d", cases[c].name, cut,
              (int)in.line);
    CHECK(in.unknown == cases[c].unknown, "%s: %d unknown", cases[c].name,
          (int)in.unknown);
    CHECK(strstr(ingest_why(&in), cases[c].why), "%s: %s", cases[c].name,
          ingest_why(&in));
    if (in.rows && st == ST_OK)
        CHECK(in.row[0].key.name[ROLLUP_app].n == 5 || in.row[0].key.name[0].n == 0,
              "%s: app", cases[c].name);
    ingest_release(&in);
}

static void test_every_split(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++)
        for (size_t cut = 0; cut <= strlen(cases[c].in); cut++)
            check_case(c, cut);
}

static void test_health_is_numbers_only(void **state)
{
    (void)state;
    struct ingest in;
    ingest_init(&in, 1 << 20, 100);
    ingest_feed(&in,
                SLICE("{\"schema\":1,\"agent\":\"a\",\"epoch\":1,\"health\":{\"lag\":5,"
                      "\"note\":\"secret text\",\"<b>\":1,\"neg\":-1,\"list\":[1,{}],"
                      "\"drops\":{\"x\":2,\"deep\":{\"y\":1}}}}\n"));
    assert_int_equal(ingest_finish(&in), ST_OK);
    assert_true(slice_eq(in.agent.health, SLICE("{\"lag\":5,\"drops\":{\"x\":2}}")));
    assert_int_equal(in.unknown, 5);
    ingest_release(&in);
}

static void test_limits(void **state)
{
    (void)state;
    struct ingest in;
    struct buf long_line = { 0 };
    ingest_init(&in, 1 << 20, 2);
    ingest_feed(&in, SLICE(HEAD ROW("1") ROW("1")));
    assert_int_equal(ingest_feed(&in, SLICE(ROW("1"))), ST_LIMIT);
    assert_int_equal(in.line, 4);
    ingest_release(&in);

    ingest_init(&in, 1 << 20, 2);
    ingest_feed(&in, SLICE(HEAD));
    for (int i = 0; i < 70000; i++)
        buf_addc(&long_line, ' ');
    assert_int_equal(ingest_feed(&in, buf_slice(&long_line)), ST_LIMIT);
    assert_int_equal(in.line, 2);
    ingest_release(&in);
    buf_release(&long_line);
}

/* --- body -----------------------------------------------------------------------------
 */

static enum status append(void *arg, struct slice piece)
{
    assert_in_range(piece.n, 1, BODY_PIECE);
    buf_add(arg, piece);
    return ST_OK;
}

static const struct body_limits roomy = { 1 << 24, 1 << 26, 1000000 };

static size_t compress_as(enum body_encoding e, struct slice in, char *out, size_t cap)
{
    if (e == BODY_IDENTITY) {
        memcpy(out, in.p, in.n);
        return in.n;
    }
    if (e == BODY_ZSTD)
        return ZSTD_compress(out, cap, in.p, in.n, 3);
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (unsigned char *)out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = cap - z.avail_out;
    deflateEnd(&z);
    return n;
}

static enum status run(enum body_encoding e, const struct body_limits *lim,
                       struct slice in, size_t cut, struct buf *out)
{
    struct body *b = body_new(e, lim, append, out);
    body_feed(b, slice_head(in, cut));
    body_feed(b, slice_from(in, cut));
    enum status st = body_finish(b);
    body_free(b);
    return st;
}

static void test_body_every_split(void **state)
{
    (void)state;
    char packed[4096];
    struct slice text = SLICE(HEAD ROW("1") ROW("2") ROW("3"));
    for (int e = BODY_IDENTITY; e <= BODY_ZSTD; e++) {
        size_t n = compress_as((enum body_encoding)e, text, packed, sizeof packed);
        for (size_t cut = 0; cut <= n; cut++) {
            struct buf out = { 0 };
            struct guarded g = guard_copy(slice_of(packed, n));
            assert_int_equal(run((enum body_encoding)e, &roomy, g.s, cut, &out), ST_OK);
            assert_true(slice_eq(buf_slice(&out), text));
            buf_reset(&out);
            if (e != BODY_IDENTITY && cut < n) /* cut short */
                assert_int_equal(
                    run((enum body_encoding)e, &roomy, slice_head(g.s, cut), 0, &out),
                    ST_BAD);
            guard_release(&g);
            buf_release(&out);
        }
    }
}

static void test_body_refusals(void **state)
{
    (void)state;
    enum { BIG = 8 << 20 };
    char *zeros = calloc(1, BIG), *packed = malloc(BIG);
    struct buf out = { 0 };
    const struct body_limits small = { 1 << 24, 1 << 20, 100000 },
                             tight = { 1 << 24, 1 << 26, 50 },
                             tiny = { 100, 1 << 20, 100 };
    for (int e = BODY_GZIP; e <= BODY_ZSTD; e++) {
        enum body_encoding enc = (enum body_encoding)e;
        size_t n = compress_as(enc, slice_of(zeros, BIG), packed, BIG);
        struct slice bomb = slice_of(packed, n);
        assert_int_equal(run(enc, &small, bomb, 1, &out), ST_LIMIT);
        assert_in_range(out.n, 0, 1 << 20);
        buf_reset(&out);
        assert_int_equal(run(enc, &tight, bomb, 1, &out), ST_LIMIT);
        assert_in_range(out.n, 0, (1 << 20) + BODY_PIECE);
        buf_reset(&out);
        assert_int_equal(run(enc, &roomy, bomb, 1, &out), ST_OK);
        assert_int_equal(out.n, BIG);
        buf_reset(&out);
        packed[n] = 'x'; /* behind the end */
        assert_int_equal(run(enc, &roomy, slice_of(packed, n + 1), n, &out), ST_BAD);
        buf_reset(&out);
        assert_int_equal(run(enc, &roomy, SLICE("plain text"), 3, &out), ST_BAD);
        buf_reset(&out);
    }
    assert_int_equal(run(BODY_IDENTITY, &tiny, slice_of(zeros, 101), 50, &out), ST_LIMIT);
    buf_release(&out);
    free(zeros);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_health_is_numbers_only),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_body_every_split),
        cmocka_unit_test(test_body_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
