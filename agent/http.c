/* Which HTTP a connection speaks, and who reads it then: see http.h. */
#include "agent/http.h"

#include "agent/http2_seek.h"
#include "agent/http_one.h"
#include "agent/http_two.h"

#include <stdlib.h>

enum mode { UNDECIDED, ONE, TWO, OPAQUE };

enum { PEER = 64 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE = sizeof preface - 1 };

/* A server that speaks first begins with SETTINGS, type 4, under 64 KiB (RFC 9113, 3.4).
 */
enum { FRAME_TYPE = 3, SETTINGS = 4 };

struct http {
    struct http_conn conn;
    char client[PEER], server[PEER];
    enum mode mode;
    size_t matched; /* bytes of the client's preface seen */
    char said[FRAME_TYPE + 1];
    size_t n_said; /* what the server has said before anything else, while undecided */
    bool joined;   /* the begin was not seen: it may be HTTP/2 all the same; or frames of
                      it were lost */
    struct http2_seek seek[2];
    struct http_one *one;
    struct http_two *two;
    int64_t now_ns;
};

const char *http_count_name(enum http_count c)
{
    static const char *const names[] = {
#define HTTP_COUNT(name, help) #name,
#include "agent/http_counts.def"
#undef HTTP_COUNT
    };
    return (size_t)c < HTTP_COUNTS ? names[c] : NULL;
}

static struct slice keep(char *to, struct slice s)
{
    s = slice_head(s, PEER);
    if (s.n)
        memcpy(to, s.p, s.n);
    return slice_of(to, s.n);
}

struct http *http_new(const struct http_options *o)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->conn = (struct http_conn){ .shared = o->shared,
                                  .client = keep(h->client, o->client),
                                  .server = keep(h->server, o->server),
                                  .tls = o->tls,
                                  .sni = o->sni,
                                  .port = o->server_port,
                                  .flow = o->flow };
    h->now_ns = USAGE_NO_TIME;
    o->shared->count[HTTP_connections]++;
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->one && !http_one_spoken(h->one))
        h->conn.shared->count[HTTP_not_http]++;
    http_one_free(h->one, h->now_ns);
    http_two_free(h->two, h->now_ns);
    free(h);
}

static void become_one(struct http *h)
{
    h->one = http_one_new(&h->conn);
    h->mode = h->one ? ONE : OPAQUE;
    if (!h->one)
        h->conn.shared->count[HTTP_over_limit]++;
}

static void become_two(struct http *h, struct http_call *first)
{
    h->two = http_two_new(&h->conn, first);
    h->mode = h->two ? TWO : OPAQUE;
    h->conn.shared->count[h->two ? HTTP_http2 : HTTP_over_limit]++;
}

/* The client's side of HTTP/2 begins with the preface; what differs is no HTTP/2. */
static void two_data(struct http *h, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    while (d == STREAM_UP && bytes.n && h->matched < PREFACE &&
           bytes.p[0] == preface[h->matched]) {
        h->matched++;
        bytes = slice_from(bytes, 1);
    }
    if (bytes.n && !http_two_data(h->two, d, ts_ns, bytes))
        h->mode = OPAQUE;
}

static void one_data(struct http *h, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    enum http_next next;
    if (h->mode != ONE)
        return;
    size_t n = http_one_data(h->one, d, ts_ns, bytes, &next);
    if (next == HTTP_BECOMES_OPAQUE)
        h->mode = OPAQUE;
    if (next != HTTP_BECOMES_TWO)
        return;
    h->matched = 0;
    become_two(h, http_one_take(h->one));
    if (h->mode == TWO)
        two_data(h, d, ts_ns, slice_from(bytes, n));
}

static void on_decided(struct http *h, enum stream_dir d, int64_t ts_ns,
                       struct slice bytes)
{
    if (!bytes.n)
        return;
    if (h->mode == TWO)
        two_data(h, d, ts_ns, bytes);
    else
        one_data(h, d, ts_ns, bytes);
}

/* It is this one: hand on what was held back. */
static void decide(struct http *h, enum mode mode, int64_t ts_ns)
{
    if (mode == TWO)
        become_two(h, NULL);
    else
        become_one(h);
    on_decided(h, STREAM_DOWN, ts_ns, slice_of(h->said, h->n_said));
    if (mode == ONE)
        one_data(h, STREAM_UP, ts_ns, slice_of(preface, h->matched));
}

static void sniff_up(struct http *h, int64_t ts_ns, struct slice bytes)
{
    size_t n = 0;
    while (n < bytes.n && h->matched < PREFACE && bytes.p[n] == preface[h->matched]) {
        h->matched++;
        n++;
    }
    if (h->matched == PREFACE)
        decide(h, TWO, ts_ns);
    else if (n < bytes.n)
        decide(h, ONE, ts_ns);
    else
        return;
    on_decided(h, STREAM_UP, ts_ns, slice_from(bytes, n));
}

static void sniff_down(struct http *h, int64_t ts_ns, struct slice bytes)
{
    size_t n = 0;
    bool may_be = true;
    while (n < bytes.n && h->n_said < sizeof h->said && may_be) {
        may_be = h->n_said == 2 || bytes.p[n] == (h->n_said == FRAME_TYPE ? SETTINGS : 0);
        h->said[h->n_said++] = bytes.p[n++];
    }
    if (may_be && h->n_said < sizeof h->said)
        return;
    decide(h, may_be ? TWO : ONE, ts_ns);
    on_decided(h, STREAM_DOWN, ts_ns, slice_from(bytes, n));
}

/* A frame begins behind this: what was taken for the middle of HTTP/1 is HTTP/2. */
static void found_two(struct http *h, enum stream_dir d)
{
    struct http_shared *s = h->conn.shared;
    if (h->mode == ONE) {
        http_one_free(h->one, h->now_ns);
        h->one = NULL;
        h->matched = PREFACE;
        h->two = http_two_joined(&h->conn);
        h->mode = h->two ? TWO : OPAQUE;
        s->count[h->two ? HTTP_http2 : HTTP_over_limit]++;
        s->count[HTTP_h2_joined] += h->two != NULL;
    }
    if (h->two)
        http_two_found(h->two, d);
}

static void joined_data(struct http *h, enum stream_dir d, int64_t ts_ns,
                        struct slice bytes)
{
    struct http2_seek *s = &h->seek[d];
    if (h->mode == ONE && http_one_spoken(h->one))
        h->joined = false;
    if (h->joined && !s->found) {
        size_t n = http2_seek(s, bytes);
        if (s->found) {
            bytes = slice_from(bytes, n);
            found_two(h, d);
        } else if (h->mode == TWO) {
            return;
        }
    }
    on_decided(h, d, ts_ns, bytes);
}

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct http *h = arg;
    h->now_ns = ts_ns;
    if (h->joined)
        joined_data(h, d, ts_ns, bytes);
    else if (h->mode != UNDECIDED)
        on_decided(h, d, ts_ns, bytes);
    else if (d == STREAM_UP)
        sniff_up(h, ts_ns, bytes);
    else
        sniff_down(h, ts_ns, bytes);
}

/* Frames of that direction were lost: look for the next. */
static void resume(struct http *h, enum stream_dir d)
{
    if (!h->joined)
        h->seek[!d].found = true;
    h->joined = true;
    h->seek[d] = (struct http2_seek){ .highest = http_two_highest(h->two) };
    if (d == STREAM_UP)
        h->matched = PREFACE;
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct http *h = arg;
    h->now_ns = ts_ns;
    if (h->mode == UNDECIDED) {
        decide(h, ONE, ts_ns);
        h->joined = true;
    }
    bool seeking = h->joined && !h->seek[d].found;
    if (seeking)
        http2_seek_gap(&h->seek[d], bytes);
    if (h->mode == ONE)
        http_one_gap(h->one, d, ts_ns, bytes);
    else if (seeking)
        return;
    else if (h->mode == TWO && !http_two_gap(h->two, d, ts_ns, bytes))
        resume(h, d);
}

static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct http *h = arg;
    h->now_ns = ts_ns;
    if (h->mode == ONE)
        http_one_close(h->one, d, ts_ns, reset);
    else if (h->mode == TWO && d == STREAM_DOWN) {
        http_two_free(h->two, ts_ns); /* nothing more is answered */
        h->two = NULL;
        h->mode = OPAQUE;
    }
}

void http_sink(struct http *h, struct stream_sink *out)
{
    *out = (struct stream_sink){
        .arg = h, .data = on_data, .gap = on_gap, .close = on_close
    };
}
