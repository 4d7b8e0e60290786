/* agent/pcapng: each kind of block in both byte orders, times, what is refused, every
 * cut. */
#include "testing.h"

#include "agent/pcapng.h"
#include "common/buf.h"

#include <stdlib.h>

struct file {
    struct buf b;
    bool big;
};

static void put(struct file *f, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_addc(&f->b, (char)(v >> 8 * (f->big ? bytes - 1 - i : i)));
}

static void pad(struct file *f)
{
    while (f->b.n % 4)
        buf_addc(&f->b, 0);
}

static size_t begin(struct file *f, uint32_t type)
{
    size_t at = f->b.n;
    put(f, type, 4);
    put(f, 0, 4);
    return at;
}

static void end(struct file *f, size_t at)
{
    pad(f);
    struct file n = { .big = f->big };
    put(&n, f->b.n - at + 4, 4);
    memcpy(f->b.p + at + 4, n.b.p, 4);
    buf_add(&f->b, buf_slice(&n.b));
    buf_release(&n.b);
}

static void section(struct file *f)
{
    size_t at = begin(f, 0x0a0d0d0a);
    put(f, 0x1a2b3c4d, 4);
    put(f, 1, 2);
    put(f, 0, 2);
    put(f, UINT64_MAX, 8);
    end(f, at);
}

static void interface(struct file *f, unsigned link, uint32_t snap, unsigned resolution,
                      int64_t offset)
{
    size_t at = begin(f, 1);
    put(f, link, 2);
    put(f, 0, 2);
    put(f, snap, 4);
    put(f, 2, 2); /* its name */
    put(f, 3, 2);
    buf_adds(&f->b, "any");
    pad(f);
    put(f, 9, 2);
    put(f, 1, 2);
    put(f, resolution, 1);
    pad(f);
    put(f, 14, 2);
    put(f, 8, 2);
    put(f, (uint64_t)offset, 8);
    put(f, 0, 4);
    end(f, at);
}

static void enhanced(struct file *f, unsigned on, uint64_t ticks, const char *frame,
                     uint32_t kept, uint32_t wire)
{
    size_t at = begin(f, 6);
    put(f, on, 4);
    put(f, ticks >> 32, 4);
    put(f, ticks & UINT32_MAX, 4);
    put(f, kept, 4);
    put(f, wire, 4);
    buf_adds(&f->b, frame);
    pad(f);
    put(f, 0, 4);
    end(f, at);
}

/* What comes of the file, as lines. */
static void hear(struct slice in, struct buf *out)
{
    struct pcapng g = { .interface = NULL };
    while (in.n >= PCAPNG_HEAD) {
        struct pcapng_packet p;
        uint32_t n = pcapng_length(&g, in.p);
        if (!n || n > in.n) {
            buf_addf(out, "%s\n", n ? "torn" : g.why);
            break;
        }
        struct guarded block = guard_copy(slice_head(in, n));
        enum pcapng_what what = pcapng_block(&g, block.s, &p);
        if (what == PCAPNG_BAD)
            buf_addf(out, "%s\n", g.why);
        if (what == PCAPNG_PACKET)
            buf_addf(out, "%d %s %.*s/%zu %lld\n", p.link_type, p.known ? "+" : "-",
                     (int)p.bytes.n, p.bytes.p, p.wire_bytes, (long long)p.ts_ns);
        if (what == PCAPNG_KEYS)
            buf_addf(out, "keys %.*s\n", (int)p.bytes.n, p.bytes.p);
        guard_release(&block);
        in = slice_from(in, n);
        if (what == PCAPNG_BAD)
            break;
    }
    pcapng_release(&g);
}

static void kinds(struct file *f)
{
    size_t at;
    section(f);
    interface(f, 1, 0, 6, 0);
    interface(f, 113, 5, 9, 0);
    interface(f, 147, 0, 0x80 | 10, -100);
    enhanced(f, 0, 1790000000123456, "frame", 5, 60);
    enhanced(f, 1, UINT64_C(1790000000000000001), "frames", 6, 6);
    enhanced(f, 2, (UINT64_C(1790000000) << 10) + 512, "x", 1, 1);
    at = begin(f, 4); /* names: passed over */
    put(f, 0, 4);
    end(f, at);
    at = begin(f, 3);
    put(f, 7, 4);
    buf_adds(&f->b, "simple!");
    end(f, at);
    at = begin(f, 2);
    put(f, 1, 2);
    put(f, 9, 2);
    put(f, 0, 4);
    put(f, 1000, 4);
    put(f, 3, 4);
    put(f, 4, 4);
    buf_adds(&f->b, "old");
    end(f, at);
    for (uint32_t type = 0x544c534b; type <= 0x544c534c; type++) {
        at = begin(f, 10);
        put(f, type, 4);
        put(f, 6, 4);
        buf_adds(&f->b, "SECRET");
        end(f, at);
    }
    section(f);
    interface(f, 101, 0, 6, 0);
    enhanced(f, 0, 1, "raw", 3, 3);
}

static const char said[] = "1 + frame/60 1790000000123456000\n"
                           "113 + frames/6 1790000000000000001\n"
                           "147 - x/1 1789999900500000000\n"
                           "1 + simple!/7 1789999900500000000\n"
                           "113 + old/4 1000\n"
                           "keys SECRET\n"
                           "101 + raw/3 1000\n";

static void both_orders(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct file f = { .big = big };
        struct buf out = { .p = NULL };
        kinds(&f);
        hear(buf_slice(&f.b), &out);
        assert_string_equal(buf_cstr(&out), said);
        /* cut anywhere: what is whole before is said */
        for (size_t n = 0; n < f.b.n; n++) {
            struct buf part = { .p = NULL };
            hear(slice_head(buf_slice(&f.b), n), &part);
            const char *torn = strstr(buf_cstr(&part), "torn");
            size_t same = torn ? (size_t)(torn - part.p) : part.n;
            CHECK(!strncmp(buf_cstr(&part), said, same), "cut at %zu: %s", n,
                  buf_cstr(&part));
            buf_release(&part);
        }
        buf_release(&out);
        buf_release(&f.b);
    }
}

static const struct {
    unsigned resolution;
    int64_t offset;
    uint64_t ticks;
    long long ns;
} times[] = {
    { 0, 0, 1790000000, 1790000000000000000 },
    { 12, 1790000000, 1000000000001, 1790000001000000000 },
    { 19, 1790000000, UINT64_C(5000000000000000000), 1790000000500000000 },
    { 0x80 | 20, 0, UINT64_C(1790000000) << 20 | 1 << 19, 1790000000500000000 },
    { 0x80 | 63, 1790000000, UINT64_C(3) << 62, 1790000001500000000 },
    { 6, INT64_MIN, 7, 7000 }, /* before 1970: clamped */
    { 0, INT64_MAX, UINT64_MAX, 8589934592000000000 },
};

static void resolutions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct file f = { .big = i % 2 };
        struct buf out = { .p = NULL };
        char want[64];
        section(&f);
        interface(&f, 1, 0, times[i].resolution, times[i].offset);
        enhanced(&f, 0, times[i].ticks, "f", 1, 1);
        hear(buf_slice(&f.b), &out);
        snprintf(want, sizeof want, "1 + f/1 %lld\n", times[i].ns);
        CHECK(!strcmp(buf_cstr(&out), want), "%zu: %s", i, buf_cstr(&out));
        buf_release(&out);
        buf_release(&f.b);
    }
}

/* The block behind a section and an interface, little-endian, and why it is refused. */
static const struct {
    struct slice block;
    const char *why;
} wrong[] = {
    { SLICE("\6\0\0\0\x0b\0\0\0\0\0\0\0"), "a length that it cannot have" },
    { SLICE("\6\0\0\0\x0e\0\0\0\0\0\0\0\0\0"), "a length that it cannot have" },
    { SLICE("\6\0\0\0\0\0\0\2\0\0\0\0"), "a length that it cannot have" },
    { SLICE("\6\0\0\0\x0c\0\0\0\x10\0\0\0"), "ends with another length" },
    { SLICE("\6\0\0\0\x0c\0\0\0\x0c\0\0\0"), "shorter than its fields" },
    { SLICE("\3\0\0\0\x0c\0\0\0\x0c\0\0\0"), "shorter than its fields" },
    { SLICE("\x0a\0\0\0\x0c\0\0\0\x0c\0\0\0"), "shorter than its fields" },
    { SLICE("\1\0\0\0\x0c\0\0\0\x0c\0\0\0"), "without its link type" },
    { SLICE("\3\0\0\0\x10\0\0\0\1\0\0\0\x10\0\0\0"), "longer than its block" },
    { SLICE("\6\0\0\0\x20\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0"),
      "of no interface" },
    { SLICE("\1\0\0\0\x1c\0\0\0\1\0\0\0\0\0\0\0\x09\0\1\0\x14\0\0\0\x1c\0\0\0"),
      "options that cannot be" },
    { SLICE("\1\0\0\0\x18\0\0\0\1\0\0\0\0\0\0\0\x09\0\1\0\x18\0\0\0"),
      "options that cannot be" },
    { SLICE("\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0"), "in no byte order" },
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct file f = { .big = false };
        struct buf out = { .p = NULL };
        section(&f);
        interface(&f, 1, 0, 6, 0);
        buf_add(&f.b, wrong[i].block);
        hear(buf_slice(&f.b), &out);
        CHECK(strstr(buf_cstr(&out), wrong[i].why), "%zu: %s", i, buf_cstr(&out));
        buf_release(&out);
        buf_release(&f.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_orders),
        cmocka_unit_test(resolutions),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
