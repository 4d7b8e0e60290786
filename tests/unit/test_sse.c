/* agent/sse and agent/eventstream: framing of streams, at every split. */
#include "agent/eventstream.h"
#include "agent/sse.h"
#include "common/buf.h"
#include "testing.h"

#include <zlib.h>

/* --- server-sent events --- */

static void on_data(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void on_end(void *arg, struct slice name)
{
    struct buf *b = arg;
    buf_adds(b, "<");
    buf_add(b, name);
    buf_adds(b, ">");
}

static const struct sse_events events = { .data = on_data, .end = on_end };

static const struct {
    const char *in, *out;
} sse_rows[] = {
    { "data: a\n\ndata:b\n\n", "a<>b<>" },
    { "event: x\ndata: a\n\n", "a<x>" },
    { "data: a\nevent: x\n\n", "a<x>" }, /* trap 22: data before event */
    { "data: a\r\n\r\ndata: b\r\n\r\n", "a<>b<>" },
    { "data: a\r\rdata: b\r\r", "a<>b<>" },
    { ": OPENROUTER PROCESSING\n\ndata: a\n\n", "a<>" },
    { "data: a\ndata: b\n\n", "a\nb<>" },
    { "data\n\n", "<>" },
    { "data:  two\n\n", " two<>" },
    { "id: 7\nretry: 5\ndata: a\n\n", "a<>" },
    { "database: no\ndata: a\n\n", "a<>" },
    { "event: x\n\ndata: a\n\n", "a<>" }, /* a name without data is forgotten */
    { "\xef\xbb\xbf"
      "data: \xc3\xa9\n\n",
      "\xc3\xa9<>" },
    { "data: cut", "cut<>" },
    { "data: cut\n", "cut<>" },
    { "", "" },
};

static void sse_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sse_rows); i++) {
        struct slice in = slice_str(sse_rows[i].in);
        for (size_t a = 0; a <= in.n; a++)
            for (size_t b = a; b <= in.n; b++) {
                struct sse s;
                struct buf got = { .p = NULL };
                sse_init(&s);
                sse_feed(&s, slice_head(in, a), &events, &got);
                sse_feed(&s, slice_of(in.p + a, b - a), &events, &got);
                sse_feed(&s, slice_from(in, b), &events, &got);
                sse_finish(&s, &events, &got);
                CHECK(slice_eq(buf_slice(&got), slice_str(sse_rows[i].out)),
                      "row %zu, cuts %zu %zu: %s", i, a, b, buf_cstr(&got));
                buf_release(&got);
            }
    }
}

/* --- AWS event stream --- */

static void on_begin(void *arg, struct slice message_type, struct slice event_type)
{
    struct buf *b = arg;
    buf_add(b, message_type);
    buf_addc(b, '/');
    buf_add(b, event_type);
    buf_addc(b, ':');
}

static void on_intact(void *arg, bool intact)
{
    buf_adds(arg, intact ? ";" : "!");
}

static const struct eventstream_events messages = { .begin = on_begin,
                                                    .payload = on_data,
                                                    .end = on_intact };

/* The vector of usage-formats 2.3: one metadata event of 155 bytes. */
static const char vector[] =
    "0000009b0000004e5290a5ff0b3a6576656e742d747970650700086d657461646174610d3a636f6e7465"
    "6e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700"
    "056576656e747b227573616765223a7b22696e707574546f6b656e73223a392c226f7574707574546f6b"
    "656e73223a342c22746f74616c546f6b656e73223a31337d7d3c748174";
static const char expected[] =
    "event/"
    "metadata:{\"usage\":{\"inputTokens\":9,\"outputTokens\":4,\"totalTokens\":13}};";

static size_t unhex(const char *hex, unsigned char *out)
{
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned v;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        out[n++] = (unsigned char)v;
    }
    return n;
}

static void vector_at_every_split(void **state)
{
    unsigned char twice[400];
    size_t n = unhex(vector, twice);
    (void)state;
    memcpy(twice + n, twice, n);
    for (size_t cut = 0; cut <= 2 * n; cut++) {
        struct eventstream e;
        struct buf got = { .p = NULL };
        eventstream_init(&e);
        assert_true(eventstream_feed(&e, slice_of(twice, cut), &messages, &got));
        assert_int_equal(eventstream_idle(&e), cut % n == 0);
        assert_true(
            eventstream_feed(&e, slice_of(twice + cut, 2 * n - cut), &messages, &got));
        assert_true(eventstream_idle(&e));
        assert_true(slice_starts(buf_slice(&got), slice_str(expected)));
        assert_int_equal(got.n, 2 * (sizeof expected - 1));
        buf_release(&got);
    }
}

/* Any flipped bit is found, by the prelude's CRC, the message's, or the lengths. */
static void every_flipped_byte_is_found(void **state)
{
    unsigned char good[200], bad[200];
    size_t n = unhex(vector, good);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct eventstream e;
        struct buf got = { .p = NULL };
        memcpy(bad, good, n);
        bad[i] ^= 0x10;
        eventstream_init(&e);
        bool alive = eventstream_feed(&e, slice_of(bad, n), &messages, &got);
        CHECK(!alive || slice_find(buf_slice(&got), SLICE(";")) == SIZE_MAX, "byte %zu",
              i);
        buf_release(&got);
    }
}

/* A message with one header of the given type byte and value. */
static size_t message(unsigned char *out, unsigned char type, struct slice value)
{
    size_t headers = 1 + 1 + 1 + value.n, total = 16 + headers, at = 12;
    uint32_t crc;
    memset(out, 0, 12);
    out[3] = (unsigned char)total;
    out[7] = (unsigned char)headers;
    crc = (uint32_t)crc32(crc32(0, NULL, 0), out, 8);
    for (int i = 0; i < 4; i++)
        out[8 + i] = (unsigned char)(crc >> (24 - 8 * i));
    out[at++] = 1;
    out[at++] = 'h';
    out[at++] = type;
    memcpy(out + at, value.p, value.n);
    at += value.n;
    crc = (uint32_t)crc32(crc32(0, NULL, 0), out, (uInt)at);
    for (int i = 0; i < 4; i++)
        out[at + (size_t)i] = (unsigned char)(crc >> (24 - 8 * i));
    return total;
}

static void header_types(void **state)
{
    static const struct {
        unsigned char type;
        struct slice value;
        bool good;
    } rows[] = {
        { 0, { "", 0 }, true },
        { 1, { "", 0 }, true },
        { 2, { "1", 1 }, true },
        { 3, { "12", 2 }, true },
        { 4, { "1234", 4 }, true },
        { 5, { "12345678", 8 }, true },
        { 6, { "\0\002ab", 4 }, true },
        { 7, { "\0\0", 2 }, true },
        { 8, { "12345678", 8 }, true },
        { 9, { "1234567812345678", 16 }, true },
        { 10, { "", 0 }, false },        /* no such type */
        { 7, { "\0\011ab", 4 }, false }, /* longer than the headers */
        { 5, { "1234", 4 }, false },
        { 0, { "x", 1 }, false }, /* a name of 120 bytes that is not there */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char m[64];
        struct eventstream e;
        struct buf got = { .p = NULL };
        size_t n = message(m, rows[i].type, rows[i].value);
        eventstream_init(&e);
        bool ok = eventstream_feed(&e, slice_of(m, n), &messages, &got);
        CHECK(ok == rows[i].good, "row %zu", i);
        CHECK(!ok || slice_eq(buf_slice(&got), SLICE("/:;")), "row %zu", i);
        buf_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sse_at_every_split),
        cmocka_unit_test(vector_at_every_split),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(header_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
