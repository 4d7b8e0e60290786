/*
 * Every recorded exchange as bytes of HTTP/1.1 connections, several on each, framed and
 * coded in every way, cut at random: the verdicts are those of the oracle.
 */
#include "testing.h"
#include "tests/golden/verdict.h"

#include "agent/http.h"

#include <zlib.h>

enum { ON_ONE_CONNECTION = 7 };

struct wire {
    struct http_shared shared;
    struct http *http;
    struct stream_sink sink;
    struct verdicts got;
    int64_t now_ns;
    unsigned on_it; /* exchanges on the connection at hand */
};

static void keep_verdict(void *arg, struct usage *u, const struct http_origin *o)
{
    struct wire *w = arg;
    if (!o->part) /* calls of a batch are in the sums of their report, too */
        verdicts_keep(&w->got, u);
    else
        assert_int_equal(u->accounting, ACCOUNTING_CALL);
}

static void redial(struct wire *w, const struct exchange_record *e)
{
    struct http_options o = { .shared = &w->shared, .server_port = e->port };
    http_free(w->http);
    w->http = http_new(&o);
    w->on_it = 0;
    http_sink(w->http, &w->sink);
}

static void send(struct wire *w, enum stream_dir d, struct slice s, struct rng *r)
{
    while (s.n) {
        struct slice p = slice_head(s, 1 + (size_t)rng_below(r, 3000));
        w->sink.data(w->sink.arg, d, w->now_ns += 1000, p);
        s = slice_from(s, p.n);
    }
}

/* Headers that speak of framing and coding are ours. */
static void put_headers(struct buf *b, const struct extract_header *h, size_t n,
                        bool host)
{
    static const char *const ours[] = { "content-length",   "transfer-encoding",
                                        "content-encoding", "connection",
                                        "expect",           "upgrade" };
    for (size_t i = 0; i < n; i++) {
        bool skip = host && slice_ieq(h[i].name, SLICE("host"));
        for (size_t k = 0; k < COUNT_OF(ours); k++)
            skip |= slice_ieq(h[i].name, slice_str(ours[k]));
        if (skip || !h[i].name.n || h[i].name.p[0] == ':')
            continue;
        buf_add(b, h[i].name);
        buf_adds(b, ": ");
        buf_add(b, h[i].value);
        buf_adds(b, "\r\n");
    }
}

static void gzip_to(struct buf *b, struct slice in)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
    size_t bound = deflateBound(&z, in.n) + 64;
    z.next_out = (Bytef *)buf_room(b, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->n += bound - z.avail_out;
    deflateEnd(&z);
}

enum how { BY_LENGTH, IN_CHUNKS, UNTIL_CLOSE };

static void put_body(struct buf *b, struct slice body, enum how how, bool gzip,
                     struct rng *r)
{
    struct buf coded = { .p = NULL };
    if (gzip) {
        buf_adds(b, "Content-Encoding: gzip\r\n");
        gzip_to(&coded, body);
        body = buf_slice(&coded);
    }
    if (how == BY_LENGTH)
        buf_addf(b, "Content-Length: %zu\r\n", body.n);
    if (how == IN_CHUNKS)
        buf_adds(b, "Transfer-Encoding: chunked\r\n");
    buf_adds(b, "\r\n");
    while (how == IN_CHUNKS && body.n) {
        struct slice p = slice_head(body, 1 + (size_t)rng_below(r, 5000));
        buf_addf(b, "%zx\r\n", p.n);
        buf_add(b, p);
        buf_adds(b, "\r\n");
        body = slice_from(body, p.n);
    }
    buf_add(b, how == IN_CHUNKS ? SLICE("0\r\n\r\n") : body);
    buf_release(&coded);
}

static void run(struct wire *w, const struct exchange_record *e, struct rng *r)
{
    struct buf up = { .p = NULL }, down = { .p = NULL };
    enum how how = (enum how)rng_below(r, 3);
    bool none =
        slice_eq(e->method, SLICE("HEAD")) || e->status == 204 || e->status == 304;
    if (none)
        how = BY_LENGTH;
    buf_add(&up, e->method);
    buf_addc(&up, ' ');
    buf_add(&up, e->path);
    buf_adds(&up, " HTTP/1.1\r\nHost: ");
    buf_add(&up, e->host);
    buf_addf(&up, ":%u\r\n", e->port);
    put_headers(&up, e->request_header, e->request_headers, true);
    put_body(&up, e->request, rng_below(r, 2) ? IN_CHUNKS : BY_LENGTH, rng_below(r, 2),
             r);
    buf_addf(&down, "HTTP/1.1 %u X\r\n", e->status);
    put_headers(&down, e->response_header, e->response_headers, false);
    put_body(&down, none ? slice_of(NULL, 0) : e->response, how, !none && rng_below(r, 2),
             r);
    w->got.n = 0;
    if (!w->http || w->on_it++ >= ON_ONE_CONNECTION)
        redial(w, e);
    send(w, STREAM_UP, buf_slice(&up), r);
    send(w, STREAM_DOWN, buf_slice(&down), r);
    if (how == UNTIL_CLOSE) {
        w->sink.close(w->sink.arg, STREAM_DOWN, w->now_ns, false);
        redial(w, e);
    }
    buf_release(&up);
    buf_release(&down);
}

static void as_http1(void **state)
{
    struct rng r = rng_open("wire");
    struct corpus c;
    struct exchange_record e;
    struct wire *w = calloc(1, sizeof *w);
    size_t n = 0, wrong = 0;
    char why[1024];
    (void)state;
    w->shared = (struct http_shared){
        .extract = extract_new(), .emit = keep_verdict, .arg = w, .limits = HTTP_LIMITS
    };
    if (!corpus_open(&c)) {
        extract_free(w->shared.extract);
        free(w);
        skip();
    }
    for (; corpus_next(&c, &e); n++) {
        run(w, &e, &r);
        const char *differs =
            verdict_differs(&e.truth, &w->got, SKIP_NOTHING, why, sizeof why);
        if (*differs) {
            wrong++;
            print_message("%.*s %.*s: %s\n", SLICE_FMT(e.id), SLICE_FMT(e.truth.surface),
                          differs);
        }
    }
    http_free(w->http);
    corpus_close(&c);
    print_message("%zu exchanges, %zu judged otherwise than the truth\n", n, wrong);
    assert_int_equal(wrong, 0);
    assert_int_equal(w->shared.count[HTTP_complete], n);
    assert_int_equal(w->shared.count[HTTP_bad_message] +
                         w->shared.count[HTTP_bad_coding] +
                         w->shared.count[HTTP_unmatched],
                     0);
    extract_free(w->shared.extract);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(as_http1) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
