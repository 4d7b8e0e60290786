/* HTTP/2 connections, written by a small encoder on libnghttp2's deflater, through the
 * whole of http; every step cut at every byte. */
#include "testing.h"

#include "agent/http.h"
#include "common/buf.h"

#include <nghttp2/nghttp2.h>

#define SECOND INT64_C(1000000000)

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, HAS_PRIORITY = 32 };
enum { STEPS = 48 };

struct step {
    enum stream_dir d;
    char what; /* 'd'ata, 'g'ap, 'c'lose */
    struct buf bytes;
    uint64_t gap;
};

struct script {
    nghttp2_hd_deflater *hd[2];
    struct step step[STEPS];
    size_t n;
};

struct watch {
    struct http_shared shared;
    struct buf says;
};

/* --- writing --------------------------------------------------------------------------
 */

static struct buf *say(struct script *s, enum stream_dir d)
{
    if (!s->n || s->step[s->n - 1].d != d || s->step[s->n - 1].what != 'd') {
        assert_true(s->n < STEPS);
        s->step[s->n++] = (struct step){ .d = d, .what = 'd' };
    }
    return &s->step[s->n - 1].bytes;
}

static void frame(struct script *s, enum stream_dir d, unsigned type, unsigned flags,
                  uint32_t stream, struct slice payload)
{
    struct buf *b = say(s, d);
    const unsigned char head[9] = { (unsigned char)(payload.n >> 16),
                                    (unsigned char)(payload.n >> 8),
                                    (unsigned char)payload.n,
                                    (unsigned char)type,
                                    (unsigned char)flags,
                                    (unsigned char)(stream >> 24),
                                    (unsigned char)(stream >> 16),
                                    (unsigned char)(stream >> 8),
                                    (unsigned char)stream };
    buf_add(b, slice_of(head, sizeof head));
    buf_add(b, payload);
}

static struct slice block(struct script *s, enum stream_dir d, const char *const *pairs,
                          char *room, size_t size)
{
    nghttp2_nv nv[16];
    size_t n = 0;
    for (; pairs[2 * n]; n++)
        nv[n] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)pairs[2 * n],
                              .value = (uint8_t *)(uintptr_t)pairs[2 * n + 1],
                              .namelen = strlen(pairs[2 * n]),
                              .valuelen = strlen(pairs[2 * n + 1]) };
    ssize_t len = nghttp2_hd_deflate_hd(s->hd[d], (uint8_t *)room, size, nv, n);
    assert_true(len > 0);
    return slice_of(room, (size_t)len);
}

static void begin(struct script *s)
{
    memset(s, 0, sizeof *s);
    nghttp2_hd_deflate_new(&s->hd[0], 4096);
    nghttp2_hd_deflate_new(&s->hd[1], 65536);
    buf_adds(say(s, STREAM_UP), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame(s, STREAM_UP, SETTINGS, 0, 0, slice_of("\0\1\0\1\0\0", 6)); /* table 65536 */
    frame(s, STREAM_DOWN, SETTINGS, 0, 0, slice_of(NULL, 0));
    frame(s, STREAM_DOWN, SETTINGS, 1, 0, slice_of(NULL, 0));
}

static void ask_head(struct script *s, uint32_t stream)
{
    static const char *const h[] = {
        ":method",    "POST",           ":scheme", "https",
        ":authority", "api.openai.com", ":path",   "/v1/chat/completions",
        "user-agent", "test",           NULL
    };
    char room[512];
    frame(s, STREAM_UP, HEADERS, END_HEADERS, stream,
          block(s, STREAM_UP, h, room, sizeof room));
}

static void ask(struct script *s, uint32_t stream, const char *body)
{
    ask_head(s, stream);
    frame(s, STREAM_UP, DATA, END_STREAM, stream, slice_str(body));
}

static const char *const ok_head[] = { ":status", "200", "content-type",
                                       "application/json", NULL };

static void answer_head(struct script *s, uint32_t stream)
{
    char room[512];
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS, stream,
          block(s, STREAM_DOWN, ok_head, room, sizeof room));
}

#define ASK(model) "{\"model\":\"" model "\",\"messages\":[]}"
#define ANSWER(model, in, out)                                                           \
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"" model                    \
    "\",\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}}"

static void piece(struct script *s, uint32_t stream, const char *all, size_t from,
                  size_t to, bool last)
{
    struct slice body = slice_str(all);
    frame(s, STREAM_DOWN, DATA, last ? END_STREAM : 0, stream,
          slice_from(slice_head(body, to), from));
}

/* --- scripts --------------------------------------------------------------------------
 */

static void two_calls(struct script *s)
{
    ask(s, 1, ASK("a"));
    answer_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 999, true);
    ask(s, 3, ASK("b"));
    answer_head(s, 3);
    piece(s, 3, ANSWER("b", "3", "4"), 0, 999, true);
}

static void interleaved(struct script *s)
{
    ask_head(s, 1);
    ask(s, 3, ASK("b"));
    frame(s, STREAM_UP, DATA, END_STREAM, 1, SLICE(ASK("a")));
    answer_head(s, 3);
    piece(s, 3, ANSWER("b", "3", "4"), 0, 40, false);
    answer_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 50, false);
    frame(s, STREAM_DOWN, PING, 0, 0, SLICE("12345678"));
    piece(s, 3, ANSWER("b", "3", "4"), 40, 999, true);
    frame(s, STREAM_DOWN, 0xfa, 0, 7, SLICE("a type that nobody knows"));
    piece(s, 1, ANSWER("a", "1", "2"), 50, 999, true);
    frame(s, STREAM_DOWN, GOAWAY, 0, 0, SLICE("\0\0\0\3\0\0\0\0"));
}

/* Padding, priority, CONTINUATION, interim response, push, trailer, empty last DATA. */
static void everything(struct script *s)
{
    static const char *const h[] = { ":method", "POST",           ":scheme",
                                     "http",    ":path",          "/v1/chat/completions",
                                     "host",    "api.openai.com", NULL };
    static const char *const early[] = { ":status", "103", NULL };
    static const char *const trailer[] = { "x-checksum", "1", NULL };
    static const char *const pushed[] = { ":method", "GET", ":path", "/style.css", NULL };
    char room[512];
    struct buf b = { .p = NULL };
    struct slice list = block(s, STREAM_UP, h, room, sizeof room);
    buf_add(&b, slice_of("\3\0\0\0\0\20", 6));
    buf_add(&b, slice_head(list, 5));
    buf_add(&b, SLICE("\0\0\0"));
    frame(s, STREAM_UP, HEADERS, PADDED | HAS_PRIORITY, 1, buf_slice(&b));
    frame(s, STREAM_UP, CONTINUATION, 0, 1, slice_head(slice_from(list, 5), 3));
    frame(s, STREAM_UP, CONTINUATION, END_HEADERS, 1, slice_from(list, 8));
    frame(s, STREAM_UP, DATA, PADDED, 1, SLICE("\2" ASK("a") "\0\0"));
    frame(s, STREAM_UP, DATA, END_STREAM, 1, slice_of(NULL, 0));
    frame(s, STREAM_UP, WINDOW, 0, 0, SLICE("\0\1\0\0"));
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS, 1,
          block(s, STREAM_DOWN, early, room, sizeof room));
    buf_reset(&b);
    buf_add(&b, SLICE("\0\0\0\2"));
    buf_add(&b, block(s, STREAM_DOWN, pushed, room, sizeof room));
    frame(s, STREAM_DOWN, PUSH, END_HEADERS, 1, buf_slice(&b));
    answer_head(s, 2);
    frame(s, STREAM_DOWN, DATA, END_STREAM, 2, SLICE("p{}"));
    answer_head(s, 1);
    frame(s, STREAM_DOWN, DATA, PADDED, 1, SLICE("\4" ANSWER("a", "1", "2") "\0\0\0\0"));
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS | END_STREAM, 1,
          block(s, STREAM_DOWN, trailer, room, sizeof room));
    buf_release(&b);
}

static void client_resets(struct script *s)
{
    ask(s, 1, ASK("a"));
    ask(s, 3, ASK("b"));
    answer_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 45, false);
    frame(s, STREAM_UP, RST, 0, 1, SLICE("\0\0\0\10"));
    answer_head(s, 3);
    piece(s, 3, ANSWER("b", "3", "4"), 0, 999, true);
}

static void sized_head(struct script *s, uint32_t stream)
{
    static const char *const h[] = { ":status", "200", "content-length", "99", NULL };
    char room[512];
    _Static_assert(sizeof(ANSWER("a", "1", "2")) == 100, "as the head says");
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS, stream,
          block(s, STREAM_DOWN, h, room, sizeof room));
}

/* All bytes of the Content-Length are there, END_STREAM is not waited for; of b's half.
 */
static void left_with_all(struct script *s)
{
    ask(s, 1, ASK("a"));
    ask(s, 3, ASK("b"));
    sized_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 45, false);
    piece(s, 1, ANSWER("a", "1", "2"), 45, 999, false);
    frame(s, STREAM_UP, RST, 0, 1, SLICE("\0\0\0\10"));
    frame(s, STREAM_DOWN, DATA, END_STREAM, 1, slice_of(NULL, 0));
    sized_head(s, 3);
    piece(s, 3, ANSWER("b", "3", "4"), 0, 45, false);
    frame(s, STREAM_UP, RST, 0, 3, SLICE("\0\0\0\10"));
}

static void closed_early(struct script *s)
{
    ask(s, 1, ASK("a"));
    answer_head(s, 1);
    s->step[s->n++] = (struct step){ .d = STREAM_DOWN, .what = 'c' };
}

static void answered_early(struct script *s)
{
    ask_head(s, 1);
    frame(s, STREAM_UP, DATA, 0, 1, SLICE("{\"model\":\"a\","));
    answer_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 999, true);
    frame(s, STREAM_DOWN, RST, 0, 1, SLICE("\0\0\0\0"));
}

/* 10 bytes inside of a DATA frame are lost: that stream only. */
static void lost_data(struct script *s)
{
    ask(s, 1, ASK("a"));
    ask(s, 3, ASK("b"));
    answer_head(s, 1);
    piece(s, 1, ANSWER("a", "1", "2"), 0, 999, true);
    struct buf *b = say(s, STREAM_DOWN);
    struct slice rest = slice_of(b->p + b->n - 20, 20);
    char copy[20];
    memcpy(copy, rest.p, 20);
    b->n -= 30;
    s->step[s->n++] = (struct step){ .d = STREAM_DOWN, .what = 'g', .gap = 10 };
    buf_add(say(s, STREAM_DOWN), slice_of(copy, 20));
    answer_head(s, 3);
    piece(s, 3, ANSWER("b", "3", "4"), 0, 999, true);
}

static void lost_frames(struct script *s)
{
    two_calls(s);
    ask(s, 5, ASK("c"));
    s->step[s->n++] = (struct step){ .d = STREAM_DOWN, .what = 'g', .gap = 700 };
    answer_head(s, 7);
}

static void broken_table(struct script *s)
{
    ask(s, 1, ASK("a"));
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS, 1, SLICE("\xff\xff\xff\xff\xff"));
}

static void continuation_missing(struct script *s)
{
    ask(s, 1, ASK("a"));
    frame(s, STREAM_DOWN, HEADERS, 0, 1, SLICE("\x88"));
    frame(s, STREAM_DOWN, DATA, 0, 1, SLICE("x"));
}

static void too_much_padding(struct script *s)
{
    ask(s, 1, ASK("a"));
    frame(s, STREAM_DOWN, DATA, PADDED, 1, SLICE("\5abcd"));
}

static void data_on_connection(struct script *s)
{
    ask(s, 1, ASK("a"));
    frame(s, STREAM_DOWN, DATA, 0, 0, SLICE("abcd"));
}

static void endless_block(struct script *s)
{
    char zero[4096] = { 0 };
    ask(s, 1, ASK("a"));
    frame(s, STREAM_DOWN, HEADERS, 0, 1, SLICE("\x88"));
    for (int i = 0; i < 5; i++)
        frame(s, STREAM_DOWN, CONTINUATION, 0, 1, slice_of(zero, sizeof zero));
    frame(s, STREAM_DOWN, CONTINUATION, END_HEADERS, 1, SLICE(""));
}

static void unmatched(struct script *s)
{
    answer_head(s, 9);
    frame(s, STREAM_DOWN, DATA, END_STREAM, 9, SLICE("{}"));
    two_calls(s);
}

static const struct {
    void (*write)(struct script *s);
    const char *name, *says;
    enum http_count counted; /* once */
} cases[] = {
    { two_calls, "two calls", "a 1 ok exact 1+2; b 3 ok exact 3+4; ", HTTP_http2 },
    { interleaved, "interleaved", "b 3 ok exact 3+4; a 1 ok exact 1+2; ", HTTP_http2 },
    { everything, "everything", "a 1 ok exact 1+2; ", HTTP_complete },
    { client_resets, "client resets", "a 1 aborted estimated; b 3 ok exact 3+4; ",
      HTTP_aborted },
    { left_with_all, "left with all", "a 1 ok exact 1+2; b 3 aborted estimated; ",
      HTTP_complete },
    { closed_early, "closed early", "a 1 aborted estimated; ", HTTP_aborted },
    { answered_early, "answered early", "a 1 ok exact 1+2; ", HTTP_complete },
    { lost_data, "lost data", "a 1 aborted missing; b 3 ok exact 3+4; ", HTTP_spoiled },
    { lost_frames, "lost frames",
      "a 1 ok exact 1+2; b 3 ok exact 3+4; c 5 aborted missing; ", HTTP_headers_lost },
    { broken_table, "broken table", "a 1 aborted missing; ", HTTP_bad_frame },
    { continuation_missing, "continuation missing", "a 1 aborted missing; ",
      HTTP_bad_frame },
    { too_much_padding, "too much padding", "a 1 aborted missing; ", HTTP_bad_frame },
    { data_on_connection, "data on stream 0", "a 1 aborted missing; ", HTTP_bad_frame },
    { endless_block, "endless block", "a 1 aborted missing; ", HTTP_bad_frame },
    { unmatched, "unmatched", "a 1 ok exact 1+2; b 3 ok exact 3+4; ", HTTP_unmatched },
};

/* --- reading --------------------------------------------------------------------------
 */

static void note(void *arg, struct usage *u, const struct http_origin *o)
{
    struct watch *w = arg;
    buf_add(&w->says, u->model);
    buf_addf(&w->says, " %lld %s %s", (long long)o->stream,
             usage_outcome_name(u->outcome), usage_quality_name(u->quality));
    if (u->quality == QUALITY_EXACT)
        buf_addf(&w->says, " %llu+%llu", (unsigned long long)u->v[USAGE_input],
                 (unsigned long long)u->v[USAGE_output]);
    buf_adds(&w->says, "; ");
}

static void seen_open(struct watch *w)
{
    memset(w, 0, sizeof *w);
    w->shared = (struct http_shared){
        .extract = extract_new(), .emit = note, .arg = w, .limits = HTTP_LIMITS
    };
    w->shared.limits.header_bytes = 16 << 10;
}

static void seen_close(struct watch *w)
{
    assert_int_equal(w->shared.in_flight, 0);
    assert_int_equal(w->shared.decoding, 0);
    extract_free(w->shared.extract);
    buf_release(&w->says);
}

static void play(struct watch *w, const struct script *s, size_t cut)
{
    struct http_options o = { .shared = &w->shared, .server_port = 443 };
    struct http *h = http_new(&o);
    struct stream_sink k;
    http_sink(h, &k);
    for (size_t i = 0; i < s->n; i++) {
        const struct step *t = &s->step[i];
        int64_t ts = (int64_t)(i + 1) * SECOND;
        struct slice all = buf_slice(&t->bytes);
        struct guarded a = guard_copy(slice_head(all, cut)),
                       b = guard_copy(slice_from(all, cut));
        if (t->what == 'd') {
            k.data(k.arg, t->d, ts, a.s);
            k.data(k.arg, t->d, ts, b.s);
        } else if (t->what == 'g') {
            k.gap(k.arg, t->d, ts, t->gap);
        } else {
            k.close(k.arg, t->d, ts, false);
        }
        guard_release(&a);
        guard_release(&b);
    }
    http_free(h);
}

static size_t longest(const struct script *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n = s->step[i].bytes.n > n ? s->step[i].bytes.n : n;
    return n > 1500 ? 1500 : n;
}

static void release(struct script *s)
{
    for (size_t i = 0; i < s->n; i++)
        buf_release(&s->step[i].bytes);
    nghttp2_hd_deflate_del(s->hd[0]);
    nghttp2_hd_deflate_del(s->hd[1]);
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct script s;
        begin(&s);
        cases[c].write(&s);
        for (size_t cut = 0; cut <= longest(&s); cut++) {
            struct watch w;
            seen_open(&w);
            play(&w, &s, cut);
            CHECK(!strcmp(buf_cstr(&w.says), cases[c].says), "%s, cut at %zu: %s",
                  cases[c].name, cut, buf_cstr(&w.says));
            CHECK(w.shared.count[cases[c].counted] == 1, "%s, cut at %zu: %s",
                  cases[c].name, cut, http_count_name(cases[c].counted));
            seen_close(&w);
        }
        release(&s);
    }
}

/* An upgrade from HTTP/1.1: the request becomes stream 1. */
static void upgraded(void **state)
{
    struct script s;
    struct watch w;
    (void)state;
    seen_open(&w);
    begin(&s);
    struct buf *up = say(&s, STREAM_UP);
    (void)up;
    struct script t = s;
    t.n = 0;
    memset(t.step, 0, sizeof t.step);
    buf_adds(
        say(&t, STREAM_UP),
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: h2c\r\n"
        "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: \r\n"
        "Content-Length: 27\r\n\r\n" ASK("a"));
    buf_adds(say(&t, STREAM_DOWN), "HTTP/1.1 101 Switching Protocols\r\n"
                                   "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    frame(&t, STREAM_DOWN, SETTINGS, 0, 0, slice_of(NULL, 0));
    answer_head(&t, 1);
    piece(&t, 1, ANSWER("a", "1", "2"), 0, 999, true);
    buf_adds(say(&t, STREAM_UP), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame(&t, STREAM_UP, SETTINGS, 0, 0, slice_of(NULL, 0));
    ask(&t, 3, ASK("b"));
    answer_head(&t, 3);
    piece(&t, 3, ANSWER("b", "3", "4"), 0, 999, true);
    for (size_t cut = 0; cut <= longest(&t); cut++) {
        buf_reset(&w.says);
        play(&w, &t, cut);
        CHECK(!strcmp(buf_cstr(&w.says), "a 1 ok exact 1+2; b 3 ok exact 3+4; "),
              "cut at %zu: %s", cut, buf_cstr(&w.says));
    }
    seen_close(&w);
    for (size_t i = 0; i < s.n; i++)
        buf_release(&s.step[i].bytes);
    release(&t);
}

static void limits(void **state)
{
    struct script s;
    struct watch w;
    (void)state;
    seen_open(&w);
    w.shared.limits.in_flight = 2;
    begin(&s);
    for (uint32_t i = 0; i < 5; i++)
        ask(&s, 1 + 2 * i, ASK("a"));
    play(&w, &s, 0);
    assert_int_equal(w.shared.count[HTTP_over_limit], 3);
    assert_int_equal(w.shared.count[HTTP_aborted], 2);
    seen_close(&w);
    release(&s);
}

/* --- joined in the middle -------------------------------------------------------------
 */

enum { TALKS = 20, HEALED = 14 };

/* Fields that push others out of the table, so that what was unknown is said again. */
static void talk(struct script *s, unsigned call)
{
    char id[900], room[2048], body[200], model[8];
    uint32_t stream = 1 + 2 * call;
    for (size_t i = 0; i < sizeof id - 1; i++)
        id[i] = (char)('a' + (i * 7 + call * (i + 3)) % 26);
    id[sizeof id - 1] = 0;
    snprintf(model, sizeof model, "m%u", call);
    const char *const up[] = {
        ":method",    "POST",           ":scheme",    "http",
        ":authority", "api.openai.com", ":path",      "/v1/chat/completions",
        "user-agent", "test",           "x-trace-id", id,
        NULL
    };
    const char *const down[] = { ":status", "200", "content-type", "application/json",
                                 "server",  "x",   "date",         id,
                                 NULL };
    frame(s, STREAM_UP, HEADERS, END_HEADERS, stream,
          block(s, STREAM_UP, up, room, sizeof room));
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]}", model);
    frame(s, STREAM_UP, DATA, END_STREAM, stream, slice_str(body));
    frame(s, STREAM_UP, WINDOW, 0, 0, SLICE("\0\1\0\0"));
    frame(s, STREAM_DOWN, HEADERS, END_HEADERS, stream,
          block(s, STREAM_DOWN, down, room, sizeof room));
    snprintf(body, sizeof body,
             "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"%s\","
             "\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u}}",
             model, 100 + call, 200 + call);
    piece(s, stream, body, 0, 50, false);
    piece(s, stream, body, 50, 999, true);
}

static void rest_of(struct watch *w, const struct script *s, size_t from, size_t cut)
{
    struct http_options o = { .shared = &w->shared, .server_port = 80 };
    struct http *h = http_new(&o);
    struct stream_sink k;
    bool told[2] = { false };
    http_sink(h, &k);
    for (size_t i = from; i < s->n; i++) {
        const struct step *t = &s->step[i];
        struct guarded g =
            guard_copy(slice_from(buf_slice(&t->bytes), i == from ? cut : 0));
        if (!told[t->d])
            k.gap(k.arg, t->d, (int64_t)(i + 1) * SECOND, 0);
        told[t->d] = true;
        k.data(k.arg, t->d, (int64_t)(i + 1) * SECOND, g.s);
        guard_release(&g);
    }
    http_free(h);
}

/* Every call that is told is right or missing; the number of right ones. */
static size_t right_ones(const char *says, size_t from, size_t cut)
{
    size_t right = 0;
    for (const char *end; (end = strstr(says, "; ")); says = end + 2) {
        unsigned model, stream, in, out;
        struct buf one = { .p = NULL };
        buf_add(&one, slice_of(says, (size_t)(end - says)));
        bool exact = sscanf(buf_cstr(&one), "m%u %u ok exact %u+%u", &model, &stream, &in,
                            &out) == 4;
        bool fits =
            exact && stream == 1 + 2 * model && in == 100 + model && out == 200 + model;
        CHECK(fits || (!exact && strstr(buf_cstr(&one), " missing")),
              "joined at %zu+%zu: %s", from, cut, buf_cstr(&one));
        right += fits;
        buf_release(&one);
    }
    return right;
}

static void joined_everywhere(void **state)
{
    struct script s;
    size_t doubted = 0, partly = 0, none = 0, all = 0;
    (void)state;
    begin(&s);
    nghttp2_hd_deflate_change_table_size(s.hd[STREAM_DOWN], 4096);
    for (unsigned call = 0; call < TALKS; call++)
        talk(&s, call);
    for (size_t from = 0; from < s.n; from++) {
        size_t cuts = from < 6 ? s.step[from].bytes.n : 1;
        for (size_t cut = 0; cut < cuts; cut++) {
            struct watch w;
            seen_open(&w);
            rest_of(&w, &s, from, cut);
            size_t right = right_ones(buf_cstr(&w.says), from, cut);
            size_t begun = from > 2 ? (from - 1) / 2 : 0; /* calls before */
            CHECK(right + begun <= TALKS, "joined at %zu+%zu: too many", from, cut);
            /* the first reply leads to its frames, the table holds four more */
            CHECK(from || cut || right == TALKS - 5, "the whole: %zu, %s", right,
                  buf_cstr(&w.says));
            /* a cut inside of a frame's header may look like one of a long frame */
            CHECK(cut || begun + HEALED > TALKS || right > 0, "joined at %zu: none, %s",
                  from, buf_cstr(&w.says));
            CHECK(cut || w.shared.count[HTTP_h2_joined] == 1 || begun + 4 > TALKS,
                  "joined at %zu: not found", from);
            none += begun + HEALED <= TALKS && !right;
            all++;
            doubted += w.shared.count[HTTP_headers_unknown] > 0;
            partly += right > 0 && strstr(buf_cstr(&w.says), "missing");
            seen_close(&w);
        }
    }
    assert_true(doubted > 0 && partly > 0);
    CHECK(none * 100 < all, "%zu of %zu joins without a call", none, all);
    release(&s);
}

/* --- losses
 * -----------------------------------------------------------------------------
 */

struct loss {
    size_t step, at, bytes; /* from `at` of that step on, and of later ones of its side */
    bool known;             /* how many */
    const char *sni;        /* NULL: none */
};

static void play_lossy(struct watch *w, const struct script *s, const struct loss *l)
{
    struct http_options o = { .shared = &w->shared,
                              .server_port = 443,
                              .sni = slice_str(l->sni ? l->sni : "") };
    struct http *h = http_new(&o);
    struct stream_sink k;
    size_t lost = 0;
    http_sink(h, &k);
    for (size_t i = 0; i < s->n; i++) {
        const struct step *t = &s->step[i];
        int64_t ts = (int64_t)(i + 1) * SECOND;
        struct slice all = buf_slice(&t->bytes);
        bool here = i >= l->step && t->d == s->step[l->step].d && lost < l->bytes;
        size_t keep = here ? (i == l->step ? l->at : 0) : all.n;
        struct slice gone = slice_head(slice_from(all, keep), l->bytes - lost);
        struct guarded a = guard_copy(slice_head(all, keep)),
                       b = guard_copy(slice_from(all, keep + gone.n));
        if (a.s.n)
            k.data(k.arg, t->d, ts, a.s);
        lost += here ? gone.n : 0;
        if (here && lost == l->bytes)
            k.gap(k.arg, t->d, ts, l->known ? l->bytes : 0);
        if (b.s.n)
            k.data(k.arg, t->d, ts, b.s);
        guard_release(&a);
        guard_release(&b);
    }
    http_free(h);
}

/* Frames are lost anywhere: what is told is right or missing, no call twice, and most of
 * those after it are right again. */
static void lost_anywhere(void **state)
{
    struct script s;
    struct rng r = rng_open("losses");
    size_t told = 0, right = 0, runs = 1000;
    (void)state;
    begin(&s);
    nghttp2_hd_deflate_change_table_size(s.hd[STREAM_DOWN], 4096);
    for (unsigned call = 0; call < TALKS; call++)
        talk(&s, call);
    for (size_t run = 0; run < runs; run++) {
        struct loss l = { .step = 2 + rng_below(&r, 8), .known = rng_below(&r, 4) > 0 };
        struct watch w;
        l.at = rng_below(&r, s.step[l.step].bytes.n);
        l.bytes = 1 + rng_below(&r, rng_below(&r, 2) ? 60 : 3000);
        seen_open(&w);
        play_lossy(&w, &s, &l);
        size_t n = 0;
        for (const char *at = buf_cstr(&w.says); (at = strstr(at, "; ")); at += 2)
            n++;
        right += right_ones(buf_cstr(&w.says), l.step, l.at);
        CHECK(n <= TALKS, "%zu calls told, lost %zu at %zu+%zu", n, l.bytes, l.step,
              l.at);
        told += n;
        seen_close(&w);
    }
    CHECK(told > runs * (TALKS - 2) && right > runs * TALKS / 2,
          "%zu told, %zu right of %zu", told, right, runs * TALKS);
    release(&s);
}

/* A request is lost, and with it what an index meant: the host is the one TLS names. */
static void host_after_a_loss(void **state)
{
    static const struct {
        const char *sni, *says;
    } rows[] = {
        { "api.openai.com", "a 1 ok exact 1+2; c 5 ok exact 5+6; " },
        { NULL, "a 1 ok exact 1+2;  5 aborted missing; " },
        { "other.example", "a 1 ok exact 1+2;  5 aborted missing; " },
    };
    struct script s;
    (void)state;
    begin(&s);
    two_calls(&s);
    ask(&s, 5, ASK("c"));
    answer_head(&s, 5);
    piece(&s, 5, ANSWER("c", "5", "6"), 0, 999, true);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct loss l = { .step = 4, .at = 3, .bytes = 20, .sni = rows[i].sni };
        struct watch w;
        seen_open(&w);
        play_lossy(&w, &s, &l);
        CHECK(!strcmp(buf_cstr(&w.says), rows[i].says), "row %zu: %s", i,
              buf_cstr(&w.says));
        seen_close(&w);
    }
    release(&s);
}

/* The request is whole, its reply went by before frames were found: known, but missing.
 */
static void joined_past_the_reply(void **state)
{
    struct script s;
    struct watch w;
    (void)state;
    begin(&s);
    buf_release(&s.step[1].bytes);
    s.n = 1; /* what the server said first is not seen */
    ask(&s, 1, ASK("a"));
    answer_head(&s, 1);
    piece(&s, 1, ANSWER("a", "1", "2"), 0, 999, true);
    seen_open(&w);
    rest_of(&w, &s, 0, 0);
    assert_string_equal(buf_cstr(&w.says), "a 1 aborted missing; ");
    assert_int_equal(w.shared.count[HTTP_h2_joined], 1);
    seen_close(&w);
    release(&s);
}

/* HTTP/1 that was joined stays what it is, whatever its bodies hold but three frames. */
static void joined_but_one(void **state)
{
    struct watch w;
    (void)state;
    seen_open(&w);
    struct http_options o = { .shared = &w.shared, .server_port = 80 };
    struct http *h = http_new(&o);
    struct stream_sink k;
    http_sink(h, &k);
    k.gap(k.arg, STREAM_UP, SECOND, 0);
    k.gap(k.arg, STREAM_DOWN, SECOND, 0);
    k.data(k.arg, STREAM_DOWN, SECOND, slice_of("\0\0\0\4\1\0\0\0\0", 9));
    k.data(k.arg, STREAM_DOWN, SECOND, slice_of("\0\0\0\4\1\0\0\0\0\0\0\0", 12));
    k.data(k.arg, STREAM_UP, SECOND,
           SLICE("POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
                 "Content-Length: 27\r\n\r\n" ASK("a")));
    k.data(k.arg, STREAM_DOWN, 2 * SECOND,
           SLICE("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" ANSWER("a", "1", "2")));
    http_free(h);
    assert_string_equal(buf_cstr(&w.says), "a -1 ok exact 1+2; ");
    assert_int_equal(w.shared.count[HTTP_h2_joined], 0);
    seen_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),
        cmocka_unit_test(upgraded),
        cmocka_unit_test(limits),
        cmocka_unit_test(joined_everywhere),
        cmocka_unit_test(lost_anywhere),
        cmocka_unit_test(host_after_a_loss),
        cmocka_unit_test(joined_past_the_reply),
        cmocka_unit_test(joined_but_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
