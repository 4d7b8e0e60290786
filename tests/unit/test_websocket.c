/* One direction of a WebSocket: made-up frames, cut at every byte. */
#include "testing.h"
#include "ws_frames.h"

#include "agent/websocket.h"

static void on_data(void *arg, struct slice piece)
{
    buf_add(arg, piece);
}

static void on_end(void *arg, bool intact)
{
    buf_addc(arg, intact ? ';' : '!');
}

static const struct websocket_events events = { on_data, on_end };

#define WIDE                                                                             \
    {                                                                                    \
        .bytes = UINT64_C(1) << 30, .ratio = 1200                                        \
    }

/* Feeds `in` in two parts; says what came out, and what it died of. */
static void run(const struct websocket_options *o, struct slice in, size_t cut,
                struct buf *says)
{
    struct websocket w;
    struct guarded a = guard_copy(slice_head(in, cut)),
                   b = guard_copy(slice_from(in, cut));
    websocket_init(&w, o);
    buf_reset(says);
    if (websocket_feed(&w, a.s, &events, says))
        websocket_feed(&w, b.s, &events, says);
    if (w.why)
        buf_addf(says, "(%s)", w.why);
    websocket_release(&w);
    guard_release(&a);
    guard_release(&b);
}

static void every_cut(const char *name, const struct websocket_options *o,
                      struct slice in, struct slice want)
{
    struct buf says = { .p = NULL };
    for (size_t cut = 0; cut <= in.n; cut++) {
        run(o, in, cut, &says);
        CHECK(slice_eq(buf_slice(&says), want), "%s, cut at %zu: %.200s", name, cut,
              buf_cstr(&says));
    }
    buf_release(&says);
}

/* --- framing --------------------------------------------------------------------------
 */

struct frame {
    unsigned first;
    const char *payload;
};

static const struct {
    const char *name;
    struct frame frame[6];
    const char *says;
} cases[] = {
    { "text and binary", { { 0x81, "one" }, { 0x82, "two" } }, "one;two;" },
    { "empty", { { 0x81, "" }, { 0x81, "x" } }, ";x;" },
    { "fragments",
      { { 0x01, "a" }, { 0x00, "" }, { 0x00, "b" }, { 0x80, "c" } },
      "abc;" },
    { "control frames between fragments",
      { { 0x01, "a" }, { 0x89, "ping" }, { 0x8a, "" }, { 0x80, "b" } },
      "ab;" },
    { "nothing behind a close",
      { { 0x81, "a" }, { 0x88, "\003\350" }, { 0x81, "b" } },
      "a;" },
    { "a message within a message",
      { { 0x01, "a" }, { 0x81, "b" } },
      "a(a fragment out of place)" },
    { "a continuation of nothing", { { 0x80, "a" } }, "(a fragment out of place)" },
    { "a reserved opcode", { { 0x83, "a" } }, "(a reserved opcode)" },
    { "a reserved control opcode", { { 0x8b, "a" } }, "(a reserved opcode)" },
    { "a cut control frame", { { 0x09, "a" } }, "(a control frame that is long or cut)" },
    { "compression that was not agreed on", { { 0xc1, "a" } }, "(a reserved bit)" },
    { "RSV2", { { 0xa1, "a" } }, "(a reserved bit)" },
};

static void framing(void **state)
{
    (void)state;
    for (int masked = 0; masked < 2; masked++) {
        struct websocket_options o = { .masked = masked, .limits = WIDE };
        for (size_t c = 0; c < COUNT_OF(cases); c++) {
            struct buf in = { .p = NULL };
            for (const struct frame *f = cases[c].frame; f->payload; f++)
                ws_frame(&in, f->first, masked, slice_str(f->payload));
            every_cut(cases[c].name, &o, buf_slice(&in), slice_str(cases[c].says));
            buf_release(&in);
        }
    }
}

/* Payloads of all three kinds of length, and lengths that none can have. */
static void lengths(void **state)
{
    static const size_t sizes[] = { 0, 125, 126, 127, 65535, 65536, 70000 };
    struct websocket_options o = { .masked = true, .limits = WIDE };
    struct buf says = { .p = NULL }, in = { .p = NULL };
    char *big = malloc(70000);
    (void)state;
    memset(big, 'x', 70000);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        buf_reset(&in);
        ws_frame(&in, 0x82, true, slice_of(big, sizes[i]));
        for (size_t cut = 0; cut < 20 && cut <= in.n; cut++) {
            run(&o, buf_slice(&in), cut, &says);
            CHECK(says.n == sizes[i] + 1 && says.p[sizes[i]] == ';', "%zu, cut at %zu",
                  sizes[i], cut);
        }
    }
    free(big);
    o.masked = false;
    every_cut("64 bits", &o, SLICE("\x81\x7f\x80\0\0\0\0\0\0\1x"),
              SLICE("(a length beyond 63 bits)"));
    every_cut("a long ping", &o, SLICE("\x89\x7e\0\x7e"),
              SLICE("(a control frame that is long or cut)"));
    every_cut("a server that masks", &o, SLICE("\x81\x81\1\2\3\4x"),
              SLICE("(a frame whose mask is wrong for its direction)"));
    o.masked = true;
    every_cut("a client that does not", &o, SLICE("\x81\x01x\0\0\0"),
              SLICE("(a frame whose mask is wrong for its direction)"));
    buf_release(&says);
    buf_release(&in);
}

/* --- compression ----------------------------------------------------------------------
 */

/* Three messages, the second in fragments with a ping between them. */
static void compressed(struct buf *in, bool takeover, bool final, bool masked, int bits)
{
    struct buf body = { .p = NULL };
    z_stream *z = ws_deflater(bits);
    for (int i = 0; i < 3; i++) {
        buf_reset(&body);
        ws_deflate(z, SLICE("{\"type\":\"response.done\",\"response\":{}}"), final,
                   &body);
        size_t half = body.n / 2;
        if (i == 1) {
            ws_frame(in, WS_TEXT | WS_RSV1, masked, slice_head(buf_slice(&body), half));
            ws_frame(in, WS_FIN | WS_PING, masked, SLICE("p"));
            ws_frame(in, WS_FIN, masked, slice_from(buf_slice(&body), half));
        } else {
            ws_frame(in, WS_FIN | WS_TEXT | WS_RSV1, masked, buf_slice(&body));
        }
        if (!takeover)
            deflateReset(z);
    }
    ws_frame(in, WS_FIN | WS_TEXT, masked, SLICE("plain"));
    ws_deflater_free(z);
    buf_release(&body);
}

#define THREE                                                                            \
    "{\"type\":\"response.done\",\"response\":{}};"                                      \
    "{\"type\":\"response.done\",\"response\":{}};"                                      \
    "{\"type\":\"response.done\",\"response\":{}};plain;"

static void inflates(void **state)
{
    (void)state;
    for (int v = 0; v < 16; v++) {
        bool takeover = v & 1, final = v & 2, masked = v & 4;
        struct websocket_options o = {
            .masked = masked, .deflate = true, .no_takeover = !takeover, .limits = WIDE
        };
        struct buf in = { .p = NULL };
        compressed(&in, takeover, final, masked, v & 8 ? 9 : 15);
        every_cut(takeover ? "with the window kept" : "each on its own", &o,
                  buf_slice(&in), SLICE(THREE));
        buf_release(&in);
    }
}

static void bombs(void **state)
{
    struct websocket_options o = { .deflate = true,
                                   .limits = { .bytes = 1 << 20, .ratio = 1200 } };
    struct buf in = { .p = NULL }, body = { .p = NULL }, says = { .p = NULL };
    char *zeros = calloc(1, 4 << 20);
    z_stream *z = ws_deflater(15);
    (void)state;
    ws_deflate(z, slice_of(zeros, 4 << 20), false, &body);
    ws_frame(&in, WS_FIN | WS_TEXT | WS_RSV1, false, buf_slice(&body));
    run(&o, buf_slice(&in), 7, &says);
    assert_true(says.n <= (1 << 20) + 100);
    assert_true(slice_ends(buf_slice(&says),
                           SLICE("(a message that inflates beyond the limits)")));
    buf_reset(&in);
    ws_frame(&in, WS_FIN | WS_TEXT | WS_RSV1, false, SLICE("\xff\xff\xff\xff"));
    every_cut("no deflate", &o, buf_slice(&in),
              SLICE("(a message that does not inflate)"));
    ws_deflater_free(z);
    free(zeros);
    buf_release(&in);
    buf_release(&body);
    buf_release(&says);
}

/* --- losses ---------------------------------------------------------------------------
 */

/* Each span of three messages is lost once, and what follows is read again. */
static void losses(void **state)
{
    (void)state;
    for (int v = 0; v < 4; v++) {
        bool masked = v & 1, told = v & 2;
        struct websocket_options o = { .masked = masked, .limits = WIDE };
        struct buf in = { .p = NULL }, says = { .p = NULL };
        for (int i = 0; i < 3; i++)
            ws_frame(&in, WS_FIN | WS_TEXT, masked, SLICE("{\"a\":12345678}"));
        size_t frame = in.n / 3;
        ws_frame(&in, WS_FIN | WS_TEXT, masked, SLICE("{\"last\":1}"));
        for (size_t from = 0; from < 3 * frame; from++) {
            for (size_t to = from + 1; to <= 3 * frame; to++) {
                struct websocket w;
                websocket_init(&w, &o);
                buf_reset(&says);
                websocket_feed(&w, slice_head(buf_slice(&in), from), &events, &says);
                websocket_gap(&w, told ? to - from : 0, &events, &says);
                websocket_feed(&w, slice_from(buf_slice(&in), to), &events, &says);
                CHECK(slice_ends(buf_slice(&says), SLICE("{\"last\":1};")),
                      "%d: %zu to %zu lost: %s", v, from, to, buf_cstr(&says));
                CHECK(slice_find(buf_slice(&says), SLICE("8}{")) == SIZE_MAX,
                      "%d: %zu to %zu lost: %s", v, from, to, buf_cstr(&says));
                websocket_release(&w);
            }
        }
        buf_release(&in);
        buf_release(&says);
    }
}

/* What refers to a lost message is not read; messages on their own are. */
static void window_lost(void **state)
{
    (void)state;
    for (int takeover = 0; takeover < 2; takeover++) {
        struct websocket_options o = { .deflate = true,
                                       .no_takeover = !takeover,
                                       .limits = WIDE };
        struct websocket w;
        struct buf in = { .p = NULL }, says = { .p = NULL };
        compressed(&in, takeover, false, false, 15);
        websocket_init(&w, &o);
        websocket_feed(&w, slice_head(buf_slice(&in), 5), &events, &says);
        buf_reset(&says);
        assert_true(websocket_gap(&w, 3, &events, &says));
        websocket_feed(&w, slice_from(buf_slice(&in), 8), &events, &says);
        CHECK(slice_eq(buf_slice(&says),
                       takeover ? SLICE("!!!plain;") : SLICE("!" THREE)) ||
                  (!takeover && slice_ends(buf_slice(&says), SLICE("}};plain;")) &&
                   says.p[0] == '!'),
              "%d: %s", takeover, buf_cstr(&says));
        websocket_release(&w);
        buf_release(&in);
        buf_release(&says);
    }
}

static void handshakes(void **state)
{
    static const struct {
        const char *value;
        bool known, deflate, up, down;
    } rows[] = {
        { "", true, false, false, false },
        { "permessage-deflate", true, true, false, false },
        { " Permessage-Deflate ; server_max_window_bits=10 ; client_max_window_bits",
          true, true, false, false },
        { "permessage-deflate; client_no_context_takeover", true, true, true, false },
        { "permessage-deflate;server_no_context_takeover;client_max_window_bits=12", true,
          true, false, true },
        { "x-webkit-deflate-frame", false, false, false, false },
        { "permessage-deflate, bbf-usp-protocol", false, true, false, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct websocket_options up = { .masked = true }, down = { .masked = false };
        bool known = websocket_extensions(slice_str(rows[i].value), &up, &down);
        CHECK(known == rows[i].known && up.deflate == rows[i].deflate &&
                  down.deflate == rows[i].deflate && up.no_takeover == rows[i].up &&
                  down.no_takeover == rows[i].down,
              "%s", rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing),    cmocka_unit_test(lengths),
        cmocka_unit_test(inflates),   cmocka_unit_test(bombs),
        cmocka_unit_test(losses),     cmocka_unit_test(window_lost),
        cmocka_unit_test(handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
