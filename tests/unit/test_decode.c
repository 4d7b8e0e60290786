/* Codings at every cut, chained, truncated, followed by garbage, and bombs. */
#include "testing.h"

#include "agent/decode.h"
#include "common/buf.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

static const struct decode_limits wide = { .bytes = (uint64_t)1 << 32, .ratio = 100000 };

static const char text[] = "{\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":345}}"
                           "{\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":346}}";

static void keep(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void discard(void *arg, struct slice piece)
{
    *(uint64_t *)arg += piece.n;
}

/* zlib's three formats by window bits: 31 gzip, 15 zlib, -15 raw. */
static void deflate_to(struct buf *b, struct slice in, int bits)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, in.n) + 64;
    z.next_out = (Bytef *)buf_room(b, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->n += bound - z.avail_out;
    deflateEnd(&z);
}

static void brotli_to(struct buf *b, struct slice in)
{
    size_t n = BrotliEncoderMaxCompressedSize(in.n);
    char *room = buf_room(b, n);
    assert_int_equal(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, in.n,
                                           (const uint8_t *)in.p, &n, (uint8_t *)room),
                     BROTLI_TRUE);
    b->n += n;
}

static void zstd_to(struct buf *b, struct slice in)
{
    size_t bound = ZSTD_compressBound(in.n);
    char *room = buf_room(b, bound);
    size_t n = ZSTD_compress(room, bound, in.p, in.n, 3);
    assert_false(ZSTD_isError(n));
    b->n += n;
}

static void encode(struct buf *b, struct slice in, struct slice name)
{
    if (slice_eq(name, SLICE("br")))
        brotli_to(b, in);
    else if (slice_eq(name, SLICE("zstd")))
        zstd_to(b, in);
    else
        deflate_to(b, in,
                   slice_eq(name, SLICE("raw"))       ? -15
                   : slice_eq(name, SLICE("deflate")) ? 15
                                                      : 31);
}

static enum status run(const char *codings, struct slice in, size_t cut, struct buf *out,
                       bool *whole)
{
    struct decode *d;
    struct guarded a = guard_copy(slice_head(in, cut)),
                   b = guard_copy(slice_from(in, cut));
    assert_int_equal(decode_new(slice_str(codings), &wide, &d), ST_OK);
    decode_feed(d, a.s, keep, out);
    enum status st = decode_feed(d, b.s, keep, out);
    *whole = decode_whole(d);
    decode_free(d);
    guard_release(&a);
    guard_release(&b);
    return st;
}

static const struct {
    const char *header;
    const char *steps[3]; /* as applied */
    bool twice;           /* two members or frames, one after another */
    const char *garbage;
} cases[] = {
    { "gzip", { "gzip" }, false, "" },
    { " X-GZIP ", { "gzip" }, true, "" },
    { "gzip", { "gzip" }, false, "\r\ngarbage" },
    { "deflate", { "deflate" }, false, "" },
    { "deflate", { "raw" }, false, "" },
    { "deflate", { "raw" }, false, "garbage" },
    { "br", { "br" }, false, "" },
    { "br", { "br" }, false, "garbage" },
    { "zstd", { "zstd" }, true, "" },
    { "zstd", { "zstd" }, false, "garbage" },
    { "gzip, br", { "gzip", "br" }, false, "" },
    { "identity, zstd,deflate, gzip,chunked", { "zstd", "raw", "gzip" }, false, "" },
};

static void coded(size_t c, struct buf *out)
{
    struct buf from = { .p = NULL };
    size_t half = sizeof text / 2;
    buf_add(&from, SLICE(text));
    for (size_t i = 0; i < 3 && cases[c].steps[i]; i++) {
        struct slice name = slice_str(cases[c].steps[i]);
        buf_reset(out);
        encode(out,
               cases[c].twice ? slice_head(buf_slice(&from), half) : buf_slice(&from),
               name);
        if (cases[c].twice)
            encode(out, slice_from(buf_slice(&from), half), name);
        buf_reset(&from);
        buf_add(&from, buf_slice(out));
    }
    buf_adds(out, cases[c].garbage);
    buf_release(&from);
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct buf in = { .p = NULL }, out = { .p = NULL };
        bool whole;
        coded(c, &in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            buf_reset(&out);
            enum status st = run(cases[c].header, buf_slice(&in), cut, &out, &whole);
            CHECK(st == ST_OK && whole && slice_eq(buf_slice(&out), SLICE(text)),
                  "row %zu, cut at %zu: %s, %zu bytes", c, cut, status_name(st), out.n);
        }
        buf_release(&in);
        buf_release(&out);
    }
}

static void truncated(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct buf in = { .p = NULL }, out = { .p = NULL };
        bool whole;
        if (cases[c].twice || *cases[c].garbage)
            continue;
        coded(c, &in);
        for (size_t n = 1; n < in.n; n++) {
            buf_reset(&out);
            run(cases[c].header, slice_head(buf_slice(&in), n), 0, &out, &whole);
            CHECK(!whole && slice_starts(SLICE(text), buf_slice(&out)),
                  "row %zu, first %zu bytes", c, n);
        }
        buf_release(&in);
        buf_release(&out);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *header;
        enum status st;
    } rows[] = {
        { "", ST_OK },
        { "identity", ST_OK },
        { "UTF-8", ST_OK },
        { "none, binary", ST_OK },
        { ", ,chunked", ST_OK },
        { "compress", ST_BAD },
        { "gzip, rot13", ST_BAD },
        { "gzip,gzip,gzip,gzip,gzip", ST_LIMIT },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct decode *d;
        assert_int_equal(decode_new(slice_str(rows[i].header), &wide, &d), rows[i].st);
        assert_null(d);
    }
    static const char *const names[] = { "gzip", "deflate", "br", "zstd" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct buf out = { .p = NULL };
        bool whole;
        CHECK(run(names[i], SLICE("\xff\xff\xff\xff this is not coded"), 3, &out,
                  &whole) == ST_BAD,
              "%s", names[i]);
        assert_false(whole);
        buf_release(&out);
    }
}

/* 64 MiB of zeros in few bytes; with `nest`, coded twice. */
static void bomb(struct buf *out, struct slice name, bool nest)
{
    struct buf in = { .p = NULL };
    memset(buf_room(&in, 64 << 20), 0, 64 << 20);
    in.n = 64 << 20;
    encode(out, buf_slice(&in), name);
    if (nest) {
        buf_reset(&in);
        buf_add(&in, buf_slice(out));
        buf_reset(out);
        encode(out, buf_slice(&in), name);
    }
    buf_release(&in);
}

static void bombs(void **state)
{
    static const struct {
        const char *name;
        bool nest;
        struct decode_limits limits;
    } rows[] = {
        { "gzip", false, { .bytes = 8 << 20, .ratio = 5000 } },
        { "gzip", true, { .bytes = (uint64_t)1 << 32, .ratio = 1200 } },
        { "br", false, { .bytes = (uint64_t)1 << 32, .ratio = 1200 } },
        { "zstd", false, { .bytes = (uint64_t)1 << 32, .ratio = 1200 } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf in = { .p = NULL };
        struct decode *d;
        uint64_t n = 0;
        bomb(&in, slice_str(rows[i].name), rows[i].nest);
        char header[32];
        snprintf(header, sizeof header, "%s%s%s", rows[i].name, rows[i].nest ? "," : "",
                 rows[i].nest ? rows[i].name : "");
        assert_int_equal(decode_new(slice_str(header), &rows[i].limits, &d), ST_OK);
        CHECK(decode_feed(d, buf_slice(&in), discard, &n) == ST_LIMIT, "row %zu", i);
        CHECK(n <= 32 << 20, "row %zu: %llu bytes", i, (unsigned long long)n);
        assert_int_equal(decode_feed(d, SLICE("x"), discard, &n), ST_LIMIT);
        decode_free(d);
        buf_release(&in);
    }
}

/* All decoders share what memory there is; what one has had comes back. */
static void shared_memory(void **state)
{
    static const char *const names[] = { "gzip", "deflate", "br", "zstd" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct buf in = { .p = NULL }, out = { .p = NULL };
        struct decode *d[64];
        size_t used = 0, most = 0, n = 0;
        struct decode_limits all = wide;
        all.used = &used;
        all.total = 4 << 20;
        encode(&in, SLICE(text), slice_str(names[i]));
        enum status st = ST_OK;
        while (n < 64 && (st = decode_new(slice_str(names[i]), &all, &d[n])) == ST_OK) {
            assert_non_null(d[n]);
            st = decode_feed(d[n++], buf_slice(&in), keep, &out);
            most = used > most ? used : most;
            if (st != ST_OK)
                break;
        }
        /* 64 inflaters take 2.5 MiB, of the others a window is larger */
        CHECK(n == 64 ? st == ST_OK && most > 1 << 20 : st == ST_NOMEM, "%s: %zu, %s",
              names[i], n, status_name(st));
        CHECK(most <= all.total + (1 << 20), "%s: %zu", names[i], most);
        all.total = used; /* not one more */
        struct decode *more;
        st = decode_new(slice_str(names[i]), &all, &more);
        CHECK(st == ST_NOMEM && !more, "%s: %s", names[i], status_name(st));
        while (n)
            decode_free(d[--n]);
        CHECK(used == 0, "%s: %zu bytes are not given back", names[i], used);
        buf_release(&in);
        buf_release(&out);
    }
}

/* Thousands of empty members in one piece: a loop, not a recursion. */
static void many_members(void **state)
{
    struct buf in = { .p = NULL };
    struct decode *d;
    uint64_t n = 0;
    (void)state;
    for (int i = 0; i < 5000; i++)
        zstd_to(&in, slice_of(NULL, 0));
    assert_int_equal(decode_new(SLICE("zstd"), &wide, &d), ST_OK);
    assert_int_equal(decode_feed(d, buf_slice(&in), discard, &n), ST_OK);
    assert_true(n == 0 && decode_whole(d));
    decode_free(d);
    buf_release(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),    cmocka_unit_test(truncated),
        cmocka_unit_test(refused),      cmocka_unit_test(bombs),
        cmocka_unit_test(many_members), cmocka_unit_test(shared_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
