/* agent/unpack: plain, gzip and zstd files give the same bytes; damage is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "agent/unpack.h"
#include "common/buf.h"

enum { SIZE = 300000 };

static void plain(struct buf *b)
{
    for (unsigned i = 0; b->n < SIZE; i++)
        buf_addf(b, "line %u of a log, %u\n", i, i * 2654435761u);
}

static void gzip(struct slice in, struct buf *out)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)in.p;
    z.avail_in = (unsigned)in.n;
    char *room = buf_room(out, in.n + 1000);
    z.next_out = (unsigned char *)room;
    z.avail_out = (unsigned)in.n + 1000;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += z.total_out;
    deflateEnd(&z);
}

static void zstd(struct slice in, struct buf *out)
{
    char *room = buf_room(out, ZSTD_compressBound(in.n));
    size_t n = ZSTD_compress(room, ZSTD_compressBound(in.n), in.p, in.n, 3);
    assert_false(ZSTD_isError(n));
    out->n += n;
}

/* Everything that unpack makes of `file`, read in pieces of `room`. */
static enum status unpack_all(struct slice file, size_t room, struct buf *out)
{
    FILE *f = tmpfile();
    assert_int_equal(fwrite(file.p, 1, file.n, f), file.n);
    rewind(f);
    struct unpack *u = unpack_new(fileno(f));
    enum status st;
    size_t n;
    char *piece = malloc(room);
    while ((st = unpack_read(u, piece, room, &n)) == ST_OK)
        buf_add(out, slice_of(piece, n));
    if (st != ST_END)
        assert_true(*unpack_why(u));
    else
        assert_int_equal(unpack_taken(u), file.n);
    free(piece);
    unpack_free(u);
    fclose(f);
    return st;
}

static void test_codings(void **state)
{
    (void)state;
    struct buf text = { 0 };
    plain(&text);
    for (int coding = 0; coding < 3; coding++) {
        for (unsigned parts = 1; parts <= 3; parts++) {
            struct buf file = { 0 };
            size_t part = text.n / parts + 1;
            for (size_t at = 0; at < text.n; at += part) {
                struct slice s = slice_head(slice_from(buf_slice(&text), at), part);
                if (coding == 0)
                    buf_add(&file, s);
                else if (coding == 1)
                    gzip(s, &file);
                else
                    zstd(s, &file);
            }
            static const size_t rooms[] = { 64, 1000, 70000, 1 << 21 };
            for (size_t r = 0; r < 4; r++) {
                struct buf got = { 0 };
                assert_int_equal(unpack_all(buf_slice(&file), rooms[r], &got), ST_END);
                assert_true(slice_eq(buf_slice(&got), buf_slice(&text)));
                buf_release(&got);
            }
            buf_release(&file);
        }
    }
    buf_release(&text);
}

static void test_damage(void **state)
{
    (void)state;
    struct buf text = { 0 }, file = { 0 }, got = { 0 };
    plain(&text);
    assert_int_equal(unpack_all(SLICE(""), 100, &got), ST_END);
    assert_int_equal(unpack_all(SLICE("x"), 100, &got), ST_END);
    assert_string_equal(buf_cstr(&got), "x");
    for (int coding = 1; coding < 3; coding++) {
        buf_reset(&file);
        if (coding == 1)
            gzip(buf_slice(&text), &file);
        else
            zstd(buf_slice(&text), &file);
        buf_reset(&got);
        assert_int_equal(unpack_all(slice_head(buf_slice(&file), file.n / 2), 4096, &got),
                         ST_BAD);
        assert_true(got.n > 0 && slice_starts(buf_slice(&text), buf_slice(&got)));
        memset(file.p + file.n / 2, 'x', 1000);
        buf_reset(&got);
        assert_int_equal(unpack_all(buf_slice(&file), 4096, &got), ST_BAD);
        buf_reset(&file);
        if (coding == 1)
            gzip(buf_slice(&text), &file);
        else
            zstd(buf_slice(&text), &file);
        buf_adds(&file, "and then no member at all");
        buf_reset(&got);
        assert_int_equal(unpack_all(buf_slice(&file), 4096, &got), ST_BAD);
        assert_int_equal(got.n, text.n);
    }
    buf_release(&text);
    buf_release(&file);
    buf_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codings),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
