/* agent/packet, agent/fragment: every link type, every cut, joined fragments. */
#include "agent/fragment.h"
#include "frames.h"
#include "testing.h"

#define HELLO "hello, world"

static const struct tcp_row HELLO_TCP = { .from = 40000,
                                          .to = 443,
                                          .seq = 0xfffffff0,
                                          .ack = 7,
                                          .flags = PACKET_ACK | 8,
                                          .options = 12,
                                          .payload = { HELLO, sizeof HELLO - 1 } };
enum { TCP_BYTES = 20 + 12 + sizeof HELLO - 1 };

#define MACS        "\1\2\3\4\5\6\7\10\11\12\13\14"
#define COOKED_REST "\0\0\0\1\0\6\1\2\3\4\5\6\0\0"

static const struct {
    const char *name;
    int dlt;
    struct slice link;
    bool v6;
    unsigned ip_options, padding;
    struct slice extensions; /* of IPv6; the first one's type before, TCP in the last */
    bool no_total;           /* segmentation offload: 0 in the IP header */
} frames[] = {
    { "ethernet, IPv4", 1, SLICE(MACS "\x08\0"), .padding = 6 },
    { "ethernet, IPv4 with options", 1, SLICE(MACS "\x08\0"), .ip_options = 24 },
    { "ethernet, IPv6", 1, SLICE(MACS "\x86\xdd"), .v6 = true },
    { "VLAN", 1, SLICE(MACS "\x81\0\0\x07\x08\0"), .v6 = false },
    { "QinQ", 1, SLICE(MACS "\x88\xa8\0\1\x81\0\0\x07\x86\xdd"), .v6 = true },
    { "old QinQ", 1, SLICE(MACS "\x91\0\0\1\x81\0\0\x07\x08\0"), .v6 = false },
    { "cooked v1", 113, SLICE(COOKED_REST "\x08\0"), .v6 = false },
    { "cooked v1, VLAN", 113, SLICE(COOKED_REST "\x81\0\0\7\x08\0"), .v6 = false },
    { "cooked v2", 276, SLICE("\x86\xdd" COOKED_REST "\0\0\0\0"), .v6 = true },
    { "raw, as libpcap", 12, SLICE(""), .v6 = false },
    { "raw, as in files", 101, SLICE(""), .v6 = true },
    { "raw IPv4", 228, SLICE(""), .v6 = false },
    { "null, little-endian", 0, SLICE("\2\0\0\0"), .v6 = false },
    { "null, big-endian", 0, SLICE("\0\0\0\2"), .v6 = false },
    { "null, Darwin IPv6", 0, SLICE("\x1e\0\0\0"), .v6 = true },
    { "loop, OpenBSD", 108, SLICE("\0\0\0\x18"), .v6 = true },
    { "offload, IPv4", 1, SLICE(MACS "\x08\0"), .no_total = true },
    { "offload, IPv6", 1, SLICE(MACS "\x86\xdd"), .v6 = true, .no_total = true },
    { "hop-by-hop, destination options", 1, SLICE(MACS "\x86\xdd"), .v6 = true,
      .extensions = SLICE("\0"
                          "\x3c\0\1\4\0\0\0\0"
                          "\6\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0") },
    { "authentication header", 1, SLICE(MACS "\x86\xdd"), .v6 = true,
      .extensions = SLICE("\x33"
                          "\6\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
    { "atomic fragment", 1, SLICE(MACS "\x86\xdd"), .v6 = true,
      .extensions = SLICE("\x2c"
                          "\6\0\0\0\0\0\0\7") },
};

static void make(size_t i, struct buf *b)
{
    struct slice ext = slice_from(frames[i].extensions, 1);
    buf_add(b, frames[i].link);
    if (frames[i].v6) {
        unsigned n = (unsigned)ext.n + TCP_BYTES;
        put_ip6(b, frames[i].no_total ? 0 : n,
                ext.n ? (uint8_t)frames[i].extensions.p[0] : 6);
        buf_add(b, ext);
    } else {
        unsigned n = 20 + frames[i].ip_options + TCP_BYTES;
        put_ip4(b, frames[i].ip_options, frames[i].no_total ? 0 : n, 1, 0x4000, 6);
    }
    put_tcp(b, &HELLO_TCP);
    put_zero(b, frames[i].padding);
}

/* Cut anywhere: what is there is right, what is not is counted. */
static void check_cut(size_t i, struct slice whole, size_t cut)
{
    struct packet p;
    enum packet_link link;
    struct guarded g = guard_copy(slice_head(whole, cut));
    assert_true(packet_link(frames[i].dlt, &link));
    enum packet_kind kind = packet_parse(link, g.s, whole.n, &p);
    size_t want = sizeof HELLO - 1, behind = whole.n - frames[i].padding - want;
    size_t have = cut <= behind ? 0 : cut - behind < want ? cut - behind : want;
    CHECK(kind == (cut < behind ? PACKET_CUT : PACKET_TCP), "%s, cut at %zu: kind %d",
          frames[i].name, cut, kind);
    if (kind == PACKET_TCP) {
        char text[ENDPOINT_TEXT];
        CHECK(slice_eq(p.payload, slice_of(HELLO, have)) && p.missing == want - have,
              "%s, cut at %zu: %zu bytes, %u missing", frames[i].name, cut, p.payload.n,
              p.missing);
        assert_int_equal(p.seq, 0xfffffff0);
        assert_int_equal(p.ack, 7);
        assert_true(p.flags & PACKET_ACK);
        assert_string_equal(endpoint_text(&p.src, text),
                            frames[i].v6 ? "[2001:db8::1]:40000" : "192.0.2.1:40000");
        assert_string_equal(endpoint_text(&p.dst, text),
                            frames[i].v6 ? "[2001:db8::2]:443" : "192.0.2.2:443");
    }
    guard_release(&g);
}

static void test_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        struct buf b = { 0 };
        make(i, &b);
        for (size_t cut = 0; cut <= b.n; cut++)
            check_cut(i, buf_slice(&b), cut);
        buf_release(&b);
    }
    enum packet_link link;
    assert_false(packet_link(147, &link));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct slice frame;
        enum packet_kind kind;
    } rows[] = {
        { "ARP", SLICE(MACS "\x08\x06\0\1"), PACKET_OTHER },
        { "too short to be Ethernet", SLICE(MACS), PACKET_BAD },
        { "version 5", SLICE(MACS "\x08\0\x55\0\0\0"), PACKET_BAD },
        { "IPv4 header of 16 bytes",
          SLICE(MACS "\x08\0\x44\0\0\x28\0\0\0\0\x40\6\0\0\1\1\1\1\2\2\2\2"),
          PACKET_BAD },
        { "IPv4 total below the header",
          SLICE(MACS "\x08\0\x45\0\0\x10\0\0\0\0\x40\6\0\0\1\1\1\1\2\2\2\2"),
          PACKET_BAD },
        { "UDP", SLICE(MACS "\x08\0\x45\0\0\x14\0\0\0\0\x40\x11\0\0\1\1\1\1\2\2\2\2"),
          PACKET_OTHER },
        { "TCP header of 16 bytes",
          SLICE(MACS "\x08\0\x45\0\0\x28\0\0\0\0\x40\6\0\0\1\1\1\1\2\2\2\2"
                     "\0\1\0\2\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0"),
          PACKET_BAD },
        { "TCP header beyond the datagram",
          SLICE(MACS "\x08\0\x45\0\0\x28\0\0\0\0\x40\6\0\0\1\1\1\1\2\2\2\2"
                     "\0\1\0\2\0\0\0\0\0\0\0\0\x60\0\0\0\0\0\0\0"),
          PACKET_BAD },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct packet p;
        enum packet_kind kind =
            packet_parse(PACKET_ETHERNET, rows[i].frame, rows[i].frame.n, &p);
        CHECK(kind == rows[i].kind, "%s: %d", rows[i].name, kind);
    }
}

/* --- fragments ------------------------------------------------------------------------
 */

struct piece {
    size_t from, to; /* of the TCP segment */
};

/* Parse one fragment of `tcp` as its own frame and add it. */
static bool add_piece(struct fragments *f, bool v6, unsigned id, struct slice tcp,
                      struct piece at, struct packet *p, enum packet_kind *kind)
{
    struct buf b = { 0 };
    struct slice s = slice_head(slice_from(tcp, at.from), at.to - at.from);
    bool more = at.to < tcp.n;
    if (v6) {
        put_ip6(&b, (unsigned)s.n + 8, 44);
        put16(&b, 0x0600);
        put16(&b, (unsigned)at.from | more);
        put32(&b, id);
    } else {
        put_ip4(&b, 0, (unsigned)s.n + 20, id,
                (unsigned)(at.from / 8) | (more ? 0x2000 : 0), 6);
    }
    buf_add(&b, s);
    struct guarded g = guard_copy(buf_slice(&b));
    assert_int_equal(packet_parse(PACKET_RAW, g.s, g.s.n, p), PACKET_FRAGMENT);
    bool whole = fragments_add(f, p, kind);
    guard_release(&g);
    buf_release(&b);
    return whole;
}

static void test_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct piece at[5];
    } rows[] = {
        { "in order", { { 0, 16 }, { 16, 32 }, { 32, 44 } } },
        { "backwards", { { 32, 44 }, { 16, 32 }, { 0, 16 } } },
        { "twice", { { 0, 16 }, { 0, 16 }, { 32, 44 }, { 32, 44 }, { 16, 32 } } },
        { "overlapping", { { 8, 32 }, { 24, 44 }, { 0, 16 } } },
    };
    struct buf tcp = { 0 };
    put_tcp(&tcp, &HELLO_TCP);
    assert_int_equal(tcp.n, 44);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct fragments *f = fragments_new();
            struct packet p;
            enum packet_kind kind = PACKET_BAD;
            size_t n = 0, whole = 0;
            for (; n < 5 && rows[i].at[n].to; n++)
                whole += add_piece(f, v6, 9, buf_slice(&tcp), rows[i].at[n], &p, &kind);
            CHECK(whole == 1 && kind == PACKET_TCP, "%s: %zu whole", rows[i].name, whole);
            assert_true(slice_eq(p.payload, SLICE(HELLO)));
            assert_int_equal(p.dst.port, 443);
            assert_int_equal(fragments_stats(f)->fragments, n);
            fragments_free(f);
        }
    }
    buf_release(&tcp);
}

static void test_fragments_bounded(void **state)
{
    (void)state;
    struct buf tcp = { 0 };
    struct packet p;
    enum packet_kind kind;
    struct fragments *f = fragments_new();
    put_tcp(&tcp, &HELLO_TCP);
    struct slice s = buf_slice(&tcp);
    for (unsigned id = 0; id < FRAGMENT_SLOTS + 3; id++)
        assert_false(add_piece(f, false, id, s, (struct piece){ 0, 16 }, &p, &kind));
    assert_int_equal(fragments_stats(f)->unfinished, 3);
    assert_false(add_piece(f, false, 0, s, (struct piece){ 16, 44 }, &p, &kind));
    assert_true(add_piece(f, false, 10, s, (struct piece){ 16, 44 }, &p, &kind));
    /* an end before bytes that are there already */
    assert_false(add_piece(f, false, 90, s, (struct piece){ 24, 40 }, &p, &kind));
    s.n = 20;
    assert_false(add_piece(f, false, 90, s, (struct piece){ 8, 20 }, &p, &kind));
    assert_int_equal(fragments_stats(f)->dropped, 1);
    /* cut by the snap length */
    p.missing = 1;
    assert_false(fragments_add(f, &p, &kind));
    assert_int_equal(fragments_stats(f)->dropped, 2);
    fragments_free(f);
    buf_release(&tcp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_fragments_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
