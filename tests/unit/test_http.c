/* Whole connections: dialogues of both directions, cut at every byte, against the calls
 * that they are. */
#include "testing.h"

#include "agent/http.h"
#include "common/buf.h"

#define SECOND INT64_C(1000000000)

struct world {
    struct http_shared shared;
    struct buf says;
    struct usage last; /* its slices are dead */
};

static void note(void *arg, struct usage *u, const struct http_origin *o)
{
    struct world *w = arg;
    struct buf *b = &w->says;
    assert_int_equal(u->seen, SEEN_CAPTURE);
    assert_true(slice_eq(o->client, SLICE("10.0.0.1:50000")));
    assert_true(slice_eq(o->server, SLICE("10.0.0.2:8000")));
    buf_add(b, u->model);
    buf_addf(b, " %s %s", usage_outcome_name(u->outcome), usage_quality_name(u->quality));
    if (usage_has(u, USAGE_input))
        buf_addf(b, " %llu", (unsigned long long)u->v[USAGE_input]);
    if (usage_has(u, USAGE_output))
        buf_addf(b, "+%llu", (unsigned long long)u->v[USAGE_output]);
    if (u->status != 200)
        buf_addf(b, " %u", u->status);
    buf_adds(b, "; ");
    w->last = *u;
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    w->shared = (struct http_shared){
        .extract = extract_new(), .emit = note, .arg = w, .limits = HTTP_LIMITS
    };
    return w;
}

static void world_free(struct world *w)
{
    assert_int_equal(w->shared.in_flight, 0);
    assert_int_equal(w->shared.decoding, 0);
    extract_free(w->shared.extract);
    buf_release(&w->says);
    free(w);
}

static struct http *connect_one(struct world *w, struct stream_sink *sink)
{
    struct http_options o = { .shared = &w->shared,
                              .client = SLICE("10.0.0.1:50000"),
                              .server = SLICE("10.0.0.2:8000"),
                              .server_port = 8000 };
    struct http *h = http_new(&o);
    http_sink(h, sink);
    return h;
}

/* A row is steps: direction and bytes. '>' up, '<' down; '+' and '-' are gaps of so many
 * bytes in these directions; 'f' and 'F' the ends of up and down, 'R' a reset. */
struct step {
    char what;
    const char *bytes;
};

#define ASK(model) "{\"model\":\"" model "\",\"messages\":[]}"
#define POST(more) "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n" more
#define ASKS(model)                                                                      \
    POST("Content-Length: 27\r\n\r\n") "{\"model\":\"" model "\",\"messages\":[]}"
/* Bodies of 27 and 99 bytes, with a model of one letter and counts of one digit. */
#define ANSWER(model, in, out)                                                           \
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"" model                    \
    "\",\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out "}}"
#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define ANSWERS(model, in, out)                                                          \
    OK "Transfer-Encoding: chunked\r\n\r\n63\r\n" ANSWER(model, in, out) "\r\n0\r\n\r\n"

static const struct {
    const char *name;
    struct step step[12];
    const char *says;
    enum http_count counted; /* once */
} cases[] = {
    { "two calls, kept alive",
      { { '>', ASKS("a") },
        { '<', ANSWERS("a", "1", "2") },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "a ok exact 1+2; b ok exact 3+4; ",
      HTTP_connections },
    { "pipelined",
      { { '>', ASKS("a") ASKS("b") },
        { '<', ANSWERS("a", "1", "2") ANSWERS("b", "3", "4") } },
      "a ok exact 1+2; b ok exact 3+4; ",
      HTTP_connections },
    { "close-delimited",
      { { '>', ASKS("a") }, { '<', OK "\r\n" ANSWER("a", "1", "2") }, { 'F', NULL } },
      "a ok exact 1+2; ",
      HTTP_complete },
    { "interim response",
      { { '>', POST("Content-Length: 27\r\nExpect: 100-continue\r\n\r\n") },
        { '<', "HTTP/1.1 100 Continue\r\n\r\n" },
        { '>', ASK("a") },
        { '<', ANSWERS("a", "1", "2") } },
      "a ok exact 1+2; ",
      HTTP_complete },
    { "a byte order mark before the body, and before events",
      { { '>', ASKS("a") ASKS("b") },
        { '<', OK "Transfer-Encoding: chunked\r\n\r\n66\r\n\xef\xbb\xbf" ANSWER(
                   "a", "1", "2") "\r\n0\r\n\r\n" },
        { '<', "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
               "Transfer-Encoding: chunked\r\n\r\n6e\r\n\xef\xbb\xbf"
               "data: " ANSWER("b", "3", "4") "\n\n\r\n0\r\n\r\n" } },
      "a ok exact 1+2; b ok exact 3+4; ",
      HTTP_connections },
    { "an upgrade that a POST cannot ask for, and none is given",
      { { '>', POST("Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: "
                    "27\r\n\r\n") ASK("a") },
        { '<', ANSWERS("a", "1", "2") } },
      "a ok exact 1+2; ",
      HTTP_complete },
    { "refused before the body was sent",
      { { '>', POST("Content-Length: 27\r\nExpect: 100-continue\r\n\r\n") },
        { '<', "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      " error exact 401; b ok exact 3+4; ",
      HTTP_connections },
    { "answered before the request has ended",
      { { '>', POST("Content-Length: 27\r\n\r\n") "{\"model\":\"a\"," },
        { '<', ANSWERS("a", "1", "2") },
        { '>', "\"messages\":[]}" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "a ok exact 1+2; b ok exact 3+4; ",
      HTTP_connections },
    { "HEAD has no body",
      { { '>', "HEAD /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n" },
        { '<', OK "Content-Length: 99\r\n\r\n" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      NULL,
      HTTP_connections },
    { "client resets in the response",
      { { '>', ASKS("a") },
        { '<', OK "Content-Length: 99\r\n\r\n{\"id\":\"x\",\"model\":\"a\"," },
        { 'R', NULL } },
      NULL,
      HTTP_aborted },
    { "closed without a response",
      { { '>', ASKS("a") }, { 'f', NULL }, { 'F', NULL } },
      NULL,
      HTTP_aborted },
    { "response without its request",
      { { '<', ANSWERS("a", "1", "2") },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "b ok exact 3+4; ",
      HTTP_unmatched },
    { "joined in a response",
      { { '<', "\"a\"}\r\n0\r\n\r\n" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "b ok exact 3+4; ",
      HTTP_joined },
    { "upgrade to something else",
      { { '>', "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: "
               "websocket\r\nConnection: upgrade\r\n\r\n" },
        { '<',
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01x" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      NULL,
      HTTP_upgraded },
    { "not HTTP",
      { { '>', "\x16\x03\x01 what" }, { '<', "\x16\x03\x03 else" } },
      "",
      HTTP_not_http },
    /* loss */
    { "lost in the response's body, length known",
      { { '>', ASKS("a") },
        { '<', OK "Content-Length: 20\r\n\r\n{\"id\":" },
        { '-', "10" },
        { '<', "{}}}" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "a aborted missing; b ok exact 3+4; ",
      HTTP_spoiled },
    { "lost in a chunked body: the next message is found",
      { { '>', ASKS("a") },
        { '<', OK "Transfer-Encoding: chunked\r\n\r\n63\r\n{" },
        { '-', "200" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "a aborted missing; b ok exact 3+4; ",
      HTTP_spoiled },
    { "a response's head is lost: its call is not given the next one's",
      { { '>', ASKS("a") },
        { '-', "30" },
        { '<', "ength: 2\r\n\r\n{}" },
        { '>', ASKS("b") },
        { '<', ANSWERS("b", "3", "4") } },
      "a aborted missing 0; b ok exact 3+4; ",
      HTTP_spoiled },
    { "a whole request is lost: its response is nobody's",
      { { '>', ASKS("a") },
        { '<', ANSWERS("a", "1", "2") },
        { '+', "99" },
        { '<', ANSWERS("b", "3", "4") },
        { '>', ASKS("c") },
        { '<', ANSWERS("c", "5", "6") } },
      "a ok exact 1+2; c ok exact 5+6; ",
      HTTP_unmatched },
    { "a response and the next request are lost: that one's response is nobody's",
      { { '>', ASKS("a") },
        { '-', "300" },
        { '+', "99" },
        { '<', ANSWERS("b", "3", "4") },
        { '>', ASKS("c") },
        { '<', ANSWERS("c", "5", "6") } },
      "a aborted missing 0; c ok exact 5+6; ",
      HTTP_unmatched },
    { "the same, the loss is told before what it follows",
      { { '-', "0" },
        { '>', ASKS("a") },
        { '+', "0" },
        { '<', ANSWERS("b", "3", "4") },
        { '>', ASKS("c") },
        { '<', ANSWERS("c", "5", "6") } },
      "a aborted missing 0; c ok exact 5+6; ",
      HTTP_unmatched },
    { "a response is lost, and none follows: there is nothing to estimate",
      { { '>', ASKS("a") }, { '-', "700" }, { 'f', NULL }, { 'F', NULL } },
      "a aborted missing 0; ",
      HTTP_spoiled },
    { "lost in the request's body",
      { { '>', POST("Content-Length: 27\r\n\r\n") "{\"model" },
        { '+', "10" },
        { '>', "sages\":[]}" },
        { '<', ANSWERS("a", "1", "2") } },
      "a ok exact 1+2; ",
      HTTP_spoiled },
    { "pipelined and lost: nothing is guessed",
      { { '>', ASKS("a") ASKS("b") ASKS("c") },
        { '<', ANSWERS("a", "1", "2") },
        { '-', "0" },
        { '<', ANSWERS("c", "5", "6") } },
      "a ok exact 1+2; b aborted missing 0; c aborted missing 0; ",
      HTTP_unmatched },
};

static void play(struct http *h, struct stream_sink *s, const struct step *t, size_t cut)
{
    int64_t ts = SECOND;
    (void)h;
    for (; t->what; t++, ts += SECOND) {
        enum stream_dir d = strchr(">+f", t->what) ? STREAM_UP : STREAM_DOWN;
        if (t->what == '>' || t->what == '<') {
            struct slice all = slice_str(t->bytes);
            struct guarded a = guard_copy(slice_head(all, cut)),
                           b = guard_copy(slice_from(all, cut));
            s->data(s->arg, d, ts, a.s);
            if (b.s.n)
                s->data(s->arg, d, ts, b.s);
            guard_release(&a);
            guard_release(&b);
        } else if (t->what == '+' || t->what == '-') {
            s->gap(s->arg, d, ts, strtoull(t->bytes, NULL, 10));
        } else {
            s->close(s->arg, d, ts, t->what == 'R');
        }
    }
}

static size_t longest(const struct step *t)
{
    size_t n = 0;
    for (; t->what; t++)
        if (t->bytes && strlen(t->bytes) > n)
            n = strlen(t->bytes);
    return n;
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        for (size_t cut = 0; cut <= longest(cases[c].step); cut++) {
            struct world *w = world_new();
            struct stream_sink sink;
            struct http *h = connect_one(w, &sink);
            play(h, &sink, cases[c].step, cut);
            http_free(h);
            if (cases[c].says)
                CHECK(!strcmp(buf_cstr(&w->says), cases[c].says), "%s, cut at %zu: %s",
                      cases[c].name, cut, buf_cstr(&w->says));
            CHECK(w->shared.count[cases[c].counted] == 1, "%s, cut at %zu: %s is %llu",
                  cases[c].name, cut, http_count_name(cases[c].counted),
                  (unsigned long long)w->shared.count[cases[c].counted]);
            world_free(w);
        }
    }
}

static void latencies(void **state)
{
    struct world *w = world_new();
    struct stream_sink s;
    struct http *h = connect_one(w, &s);
    (void)state;
    s.data(s.arg, STREAM_UP, 1 * SECOND, SLICE(POST("Content-Length: 27\r\n\r\n")));
    s.data(s.arg, STREAM_UP, 2 * SECOND, SLICE(ASK("a")));
    s.data(s.arg, STREAM_DOWN, 5 * SECOND,
           SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    s.data(s.arg, STREAM_DOWN, 7 * SECOND,
           SLICE("data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"));
    s.data(s.arg, STREAM_DOWN, 9 * SECOND,
           SLICE("data: {\"model\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,"
                 "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"));
    s.close(s.arg, STREAM_DOWN, 10 * SECOND, false);
    http_free(h);
    assert_string_equal(buf_cstr(&w->says), "a ok exact 1+2; ");
    assert_int_equal(w->last.ttfb_us, 3000000);
    assert_int_equal(w->last.ttft_us, 5000000);
    assert_int_equal(w->last.total_us, 9000000);
    assert_int_equal(w->last.ts_ns, 10 * SECOND);
    world_free(w);
}

/* Too many requests without a response, and too many calls of all connections. */
static void limits(void **state)
{
    struct world *w = world_new();
    struct stream_sink s;
    (void)state;
    w->shared.limits.in_flight = 3;
    struct http *h = connect_one(w, &s);
    for (int i = 0; i < 5; i++)
        s.data(s.arg, STREAM_UP, SECOND, SLICE(ASKS("a")));
    assert_int_equal(w->shared.count[HTTP_over_limit], 1);
    assert_int_equal(w->shared.count[HTTP_exchanges], 3);
    http_free(h);
    w->shared.limits.in_flight_total = 0;
    buf_reset(&w->says);
    h = connect_one(w, &s);
    s.data(s.arg, STREAM_UP, SECOND, SLICE(ASKS("a")));
    s.data(s.arg, STREAM_DOWN, SECOND, SLICE(ANSWERS("a", "1", "2")));
    http_free(h);
    assert_int_equal(w->shared.count[HTTP_over_limit], 2);
    assert_string_equal(buf_cstr(&w->says), "");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),
        cmocka_unit_test(latencies),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
