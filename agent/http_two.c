/* The calls in flight stand in a list by stream: see http_two.h. */
#include "agent/http_two.h"

#include "agent/http2.h"

#include <stdlib.h>

struct http_two {
    const struct http_conn *conn;
    struct http2 side[2];
    struct http_call *calls;
    size_t n;
    bool unseen[2]; /* joined, and where frames begin is not found yet */
    bool hosts;     /* asked are others than the one that TLS named */
    int64_t now_ns;
};

static struct http_call **find(struct http_two *t, uint32_t stream)
{
    struct http_call **at = &t->calls;
    while (*at && (*at)->stream != stream)
        at = &(*at)->next;
    return at;
}

static void finish(struct http_two *t, struct http_call **at)
{
    struct http_call *c = *at;
    if (!c)
        return;
    *at = c->next;
    t->n--;
    http_call_end(c, t->now_ns);
}

/* A call whose reply went by unread, perhaps. */
static struct http_call **first_lost(struct http_two *t)
{
    struct http_call **at = &t->calls;
    while (*at && !(*at)->lost)
        at = &(*at)->next;
    return at;
}

/* --- header lists ---------------------------------------------------------------------
 */

static struct slice pseudo(const struct extract_header *field, size_t n,
                           struct slice name)
{
    for (size_t i = 0; i < n && field[i].name.n && field[i].name.p[0] == ':'; i++)
        if (slice_eq(field[i].name, name))
            return field[i].value;
    return slice_of(NULL, 0);
}

static void add(struct http_two *t, struct http_call *c)
{
    c->next = t->calls;
    t->calls = c;
    t->n++;
}

/* Fields of the list at hand are unknown; counts them. */
static bool doubtful(struct http_two *t, enum stream_dir d)
{
    size_t unknown = t->side[d].unknown;
    t->conn->shared->count[HTTP_headers_unknown] += unknown;
    return unknown;
}

/* What is not known may change what the numbers mean. */
static void no_numbers(struct http_two *t, struct http_call *c)
{
    t->conn->shared->count[HTTP_headers_lost]++;
    http_call_gap(c, STREAM_DOWN);
}

/*
 * A client asks one host on a connection, unless several share address and certificate
 * (RFC 9113, 9.1.1), which shows. So where compression hides the host of a request after
 * a loss, it is the one that TLS was opened for, if all the others were.
 */
static void host_by_tls(struct http_two *t, struct slice *host)
{
    struct slice sni = t->conn->sni;
    if (!host->n && sni.n && !t->hosts)
        *host = sni;
    else if (host->n)
        t->hosts |=
            !slice_istarts(*host, sni) || (host->n > sni.n && host->p[sni.n] != ':');
}

static void request(void *arg, uint32_t stream, const struct extract_header *field,
                    size_t n)
{
    struct http_two *t = arg;
    struct http_shared *s = t->conn->shared;
    bool doubt = doubtful(t, STREAM_UP);
    if (*find(t, stream)) /* a trailer */
        return;
    struct http_request r = { .method = pseudo(field, n, SLICE(":method")),
                              .host = pseudo(field, n, SLICE(":authority")),
                              .target = pseudo(field, n, SLICE(":path")),
                              .field = field,
                              .fields = n };
    for (size_t i = 0; i < n && !r.host.n; i++)
        if (slice_eq(field[i].name, SLICE("host")))
            r.host = field[i].value;
    if (r.host.n || doubt)
        host_by_tls(t, &r.host);
    /* RFC 8441 */
    r.websocket = slice_eq(pseudo(field, n, SLICE(":protocol")), SLICE("websocket"));
    if (!r.method.n || (doubt && !r.target.n)) {
        s->count[doubt ? HTTP_headers_lost : HTTP_bad_message]++;
        return;
    }
    struct http_call *c = NULL;
    if (t->n >= s->limits.in_flight)
        finish(t, first_lost(t));
    if (t->n < s->limits.in_flight)
        c = http_call_new(t->conn, &r, stream, t->now_ns);
    else
        s->count[HTTP_over_limit]++;
    if (!c)
        return;
    add(t, c);
    if (doubt)
        http_call_gap(c, STREAM_UP); /* its coding may be what is unknown */
    if (doubt && !r.host.n)
        no_numbers(t, c);
    if (t->unseen[STREAM_DOWN]) { /* its reply may go by unread */
        http_call_gap(c, STREAM_DOWN);
        c->done[STREAM_DOWN] = true;
        c->first_ns = INT64_MIN; /* nor is its duration known */
    }
}

/*
 * A client that has all bytes of the Content-Length may leave before END_STREAM comes, as
 * curl does: what it got is whole (RFC 9113, 8.1.1).
 */
static void down_bytes(struct http_two *t, struct http_call *c, uint64_t n)
{
    if (c->left == UINT64_MAX || n > c->left)
        return;
    c->left -= n;
    if (!c->left)
        http_call_done(c, STREAM_DOWN, t->now_ns);
}

static void response(void *arg, uint32_t stream, const struct extract_header *field,
                     size_t n)
{
    struct http_two *t = arg;
    struct http_call *c = *find(t, stream);
    uint64_t status;
    bool doubt = doubtful(t, STREAM_DOWN);
    if (c && c->responding) /* a trailer */
        return;
    if (!slice_u64(pseudo(field, n, SLICE(":status")), &status) || status < 100 ||
        status > 999) {
        t->conn->shared->count[doubt ? HTTP_headers_lost : HTTP_bad_message]++;
        http_call_gap(c, STREAM_DOWN);
        return;
    }
    if (status < 200)
        return;
    if (!c)
        t->conn->shared->count[HTTP_unmatched]++;
    http_call_response(c, (uint16_t)status, field, n, t->now_ns);
    if (doubt && c)
        no_numbers(t, c);
    for (size_t i = 0; c && i < n; i++)
        if (slice_eq(field[i].name, SLICE("content-length")) &&
            slice_u64(field[i].value, &c->left) && !c->head)
            down_bytes(t, c, 0);
}

/* --- streams --------------------------------------------------------------------------
 */

static void up_data(void *arg, uint32_t stream, struct slice piece)
{
    struct http_two *t = arg;
    http_call_body(*find(t, stream), STREAM_UP, piece, t->now_ns);
}

static void down_data(void *arg, uint32_t stream, struct slice piece)
{
    struct http_two *t = arg;
    struct http_call *c = *find(t, stream);
    if (c && !c->responding)
        http_call_gap(c, STREAM_DOWN); /* its head is lost */
    http_call_body(c, STREAM_DOWN, piece, t->now_ns);
    if (c)
        down_bytes(t, c, piece.n);
}

static void end(struct http_two *t, uint32_t stream, enum stream_dir d)
{
    struct http_call **at = find(t, stream);
    http_call_done(*at, d, t->now_ns);
    if (*at && (*at)->done[STREAM_UP] && (*at)->done[STREAM_DOWN])
        finish(t, at);
}

static void up_end(void *arg, uint32_t stream)
{
    end(arg, stream, STREAM_UP);
}

static void down_end(void *arg, uint32_t stream)
{
    end(arg, stream, STREAM_DOWN);
}

static void reset(void *arg, uint32_t stream)
{
    finish(arg, find(arg, stream));
}

static const struct http2_events events[2] = {
    [STREAM_UP] = { request, up_data, up_end, reset },
    [STREAM_DOWN] = { response, down_data, down_end, reset },
};

/* --- connection -----------------------------------------------------------------------
 */

/* Rules about whose call it is may ask for any field of a request. */
static enum hpack_keep keep_of(const struct http_shared *s, enum stream_dir d)
{
    if (d == STREAM_DOWN || !s->label)
        return HPACK_KEEP_READ;
    return s->keep_credentials ? HPACK_KEEP_ALL : HPACK_KEEP_UNREAD;
}

struct http_two *http_two_new(const struct http_conn *c, struct http_call *first)
{
    struct http_two *t = calloc(1, sizeof *t);
    if (first && t) {
        first->stream = 1;
        first->done[STREAM_UP] = true;
        add(t, first);
    } else {
        http_call_end(first, first ? first->first_ns : 0);
    }
    if (!t)
        return NULL;
    t->conn = c;
    for (int d = 0; d < 2; d++) {
        if (http2_init(&t->side[d], c->shared->limits.header_bytes,
                       keep_of(c->shared, (enum stream_dir)d), &events[d], t) != ST_OK) {
            http_two_free(t, 0);
            return NULL;
        }
    }
    return t;
}

struct http_two *http_two_joined(const struct http_conn *c)
{
    struct http_two *t = http_two_new(c, NULL);
    for (int d = 0; t && d < 2; d++) {
        t->unseen[d] = true;
        http2_lose(&t->side[d]);
    }
    return t;
}

void http_two_found(struct http_two *t, enum stream_dir d)
{
    t->unseen[d] = false;
}

void http_two_free(struct http_two *t, int64_t ts_ns)
{
    if (!t)
        return;
    t->now_ns = ts_ns;
    while (t->calls)
        finish(t, &t->calls);
    http2_release(&t->side[STREAM_UP]);
    http2_release(&t->side[STREAM_DOWN]);
    free(t);
}

static bool give_up(struct http_two *t, enum http_count why)
{
    t->conn->shared->count[why]++;
    for (struct http_call *c = t->calls; c; c = c->next)
        http_call_gap(c, STREAM_DOWN);
    while (t->calls)
        finish(t, &t->calls);
    return false;
}

bool http_two_data(struct http_two *t, enum stream_dir d, int64_t ts_ns, struct slice in)
{
    t->now_ns = ts_ns;
    return http2_feed(&t->side[d], in) || give_up(t, HTTP_bad_frame);
}

/* Requests under way; true: the call is over. */
static bool lose_up(struct http_call *c)
{
    if (c->done[STREAM_UP])
        return false;
    http_call_gap(c, STREAM_UP);
    c->done[STREAM_UP] = true; /* its end may be what is lost */
    return c->done[STREAM_DOWN];
}

/* Replies under way, and those that did not begin: unless their head still comes. */
static bool lose_down(struct http_call *c)
{
    if (c->done[STREAM_DOWN])
        return false;
    if (!c->responding) {
        c->lost = true;
        return false;
    }
    http_call_gap(c, STREAM_DOWN);
    c->done[STREAM_DOWN] = true;
    c->first_ns = INT64_MIN; /* its duration is not known */
    return c->done[STREAM_UP];
}

static void lose(struct http_two *t, enum stream_dir d)
{
    t->conn->shared->count[HTTP_headers_lost]++;
    t->unseen[d] = true;
    http2_lose(&t->side[d]);
    for (struct http_call **at = &t->calls, *c; (c = *at) != NULL;) {
        if (c->socket)
            http_call_skip(c, d, 0, t->now_ns);
        if (!c->socket && (d == STREAM_UP ? lose_up(c) : lose_down(c)))
            finish(t, at);
        else
            at = &c->next;
    }
}

bool http_two_gap(struct http_two *t, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    uint32_t stream;
    bool ends;
    t->now_ns = ts_ns;
    if (!http2_gap(&t->side[d], bytes, &stream, &ends)) {
        lose(t, d);
        return false;
    }
    http_call_skip(*find(t, stream), d, bytes, ts_ns);
    if (ends)
        end(t, stream, d);
    return true;
}

uint32_t http_two_highest(const struct http_two *t)
{
    enum { MORE = 2000 };
    uint32_t up = t->side[STREAM_UP].highest, down = t->side[STREAM_DOWN].highest;
    return (up > down ? up : down) + MORE;
}
