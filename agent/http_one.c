/* Requests wait in order of arrival for their responses: see http_one.h. */
#include "agent/http_one.h"

#include "agent/http1.h"

#include <stdlib.h>

struct http_one {
    const struct http_conn *conn;
    struct http1 side[2];
    struct http_call *oldest, *newest;
    struct http_call *asking, *answering; /* whose body is being read; NULL: nobody's */
    struct http_call *socket;             /* all bytes are its WebSocket's; NULL: none */
    size_t calls;
    enum http_next next;
    bool closed[2];
    bool interim; /* the message that is read is a 1xx */
    bool lost;    /* a position was lost once: order alone proves nothing */
    bool missed;  /* a response was, perhaps, since the last one was seen to begin */
    bool pipelined, spoken;
    int64_t now_ns, down_ns; /* down_ns: of the last response bytes */
};

struct http_one *http_one_new(const struct http_conn *c)
{
    struct http_one *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->conn = c;
    o->down_ns = INT64_MIN;
    http1_init(&o->side[STREAM_UP], false, c->shared->limits.header_bytes);
    http1_init(&o->side[STREAM_DOWN], true, c->shared->limits.header_bytes);
    return o;
}

static void count(const struct http_one *o, enum http_count c)
{
    o->conn->shared->count[c]++;
}

/* --- the queue ------------------------------------------------------------------------
 */

static void push(struct http_one *o, struct http_call *c)
{
    if (o->newest)
        o->newest->next = c;
    else
        o->oldest = c;
    o->newest = c;
    o->calls++;
}

static struct http_call *pop(struct http_one *o)
{
    struct http_call *c = o->oldest;
    o->oldest = c->next;
    if (!o->oldest)
        o->newest = NULL;
    o->calls--;
    if (o->asking == c)
        o->asking = NULL;
    if (o->answering == c)
        o->answering = NULL;
    if (o->socket == c)
        o->socket = NULL;
    return c;
}

/* Both messages have come to their end, or nothing more can come. */
static void reap(struct http_one *o)
{
    while (o->oldest && o->oldest->done[STREAM_DOWN] &&
           (o->oldest->done[STREAM_UP] || o->closed[STREAM_UP]))
        http_call_end(pop(o), o->now_ns);
}

static void end_all(struct http_one *o)
{
    while (o->oldest)
        http_call_end(pop(o), o->now_ns);
}

/* Who is answered cannot be told any more. */
static void abandon(struct http_one *o)
{
    struct http_call *c = pop(o);
    http_call_gap(c, STREAM_DOWN);
    http_call_end(c, o->now_ns);
}

static void give_up(struct http_one *o, enum http_count why)
{
    count(o, why);
    while (o->oldest)
        abandon(o);
    o->next = HTTP_BECOMES_OPAQUE;
}

void http_one_free(struct http_one *o, int64_t ts_ns)
{
    if (!o)
        return;
    o->now_ns = ts_ns;
    end_all(o);
    http1_release(&o->side[STREAM_UP]);
    http1_release(&o->side[STREAM_DOWN]);
    free(o);
}

struct http_call *http_one_take(struct http_one *o)
{
    return o->oldest ? pop(o) : NULL;
}

bool http_one_spoken(const struct http_one *o)
{
    return o->spoken;
}

/* --- requests -------------------------------------------------------------------------
 */

static bool request_head(void *arg, const struct http1_head *h)
{
    struct http_one *o = arg;
    struct http_request r = {
        .method = h->method, .target = h->target, .field = h->field, .fields = h->fields
    };
    struct slice value;
    struct http_call *c = NULL;
    o->spoken = true;
    http1_head_get(h, SLICE("host"), &r.host);
    r.websocket = slice_eq(r.method, SLICE("GET")) &&
                  http1_head_get(h, SLICE("upgrade"), &value) &&
                  http1_list_has(value, SLICE("websocket"));
    if (o->calls < o->conn->shared->limits.in_flight)
        c = http_call_new(o->conn, &r, -1, o->now_ns);
    if (!c) {
        give_up(o, HTTP_over_limit);
        return true;
    }
    c->expect = http1_head_get(h, SLICE("expect"), &value);
    c->h2c = http1_head_get(h, SLICE("upgrade"), &value) &&
             http1_list_has(value, SLICE("h2c"));
    push(o, c);
    o->asking = c;
    return true;
}

static void request_body(void *arg, struct slice piece)
{
    struct http_one *o = arg;
    if (o->asking)
        o->asking->expect = false; /* it was sent, whatever is answered */
    http_call_body(o->asking, STREAM_UP, piece, o->now_ns);
}

/* --- responses ------------------------------------------------------------------------
 */

static struct http_call *first_unanswered(const struct http_one *o)
{
    struct http_call *c = o->oldest;
    while (c && c->responding)
        c = c->next;
    return c;
}

/* The call that a response which begins now answers, or NULL. */
static struct http_call *match(struct http_one *o)
{
    struct http_call *c = first_unanswered(o);
    bool newer = c && c->next && c->next->first_ns < o->now_ns;
    if (!o->lost) {
        o->pipelined |= newer;
        return c;
    }
    while (newer && c == o->oldest) {
        abandon(o);
        c = first_unanswered(o);
        newer = c && c->next && c->next->first_ns < o->now_ns;
    }
    if (c && c->followed && o->missed) { /* it, or what came behind it */
        if (c == o->oldest)
            abandon(o);
        else
            http_call_gap(c, STREAM_DOWN);
        return NULL;
    }
    return c && c->first_ns <= o->now_ns ? c : NULL;
}

/* The server answers without having read the body: it may never be sent. */
static void body_unwanted(struct http_one *o, struct http_call *c)
{
    if (c != o->asking || !c->expect || c->status < 300)
        return;
    http1_seek(&o->side[STREAM_UP]);
    http_call_done(c, STREAM_UP, o->now_ns);
    o->asking = NULL;
}

static bool becomes_two(const struct http1_head *h, const struct http_call *c)
{
    struct slice to;
    return h->status == 101 && c && c->h2c && http1_head_get(h, SLICE("upgrade"), &to) &&
           http1_list_has(to, SLICE("h2c"));
}

/* What follows is a WebSocket that can be read, or it is nothing to us. */
static void leave_http(struct http_one *o, struct http_call *c)
{
    if (c && c->socket) {
        o->socket = c;
        return;
    }
    o->next = HTTP_BECOMES_OPAQUE;
    if (!c || !c->websocket)
        count(o, HTTP_upgraded);
}

static bool response_head(void *arg, const struct http1_head *h)
{
    struct http_one *o = arg;
    struct http_call *c;
    o->spoken = true;
    o->interim = h->status < 200 && h->status != 101;
    if (o->interim)
        return true;
    if (o->lost && o->pipelined) {
        give_up(o, HTTP_unmatched);
        return true;
    }
    c = match(o);
    o->missed = false;
    if (!c)
        count(o, HTTP_unmatched);
    if (becomes_two(h, c)) {
        o->next = HTTP_BECOMES_TWO;
        return false;
    }
    http_call_response(c, h->status, h->field, h->fields, o->now_ns);
    if (h->status == 101 || (c && c->connect && h->status < 300))
        leave_http(o, c);
    if (o->socket)
        return false;
    if (c)
        body_unwanted(o, c);
    o->answering = c;
    return !c || !(c->head || (c->connect && h->status < 300));
}

static void response_body(void *arg, struct slice piece)
{
    struct http_one *o = arg;
    http_call_body(o->answering, STREAM_DOWN, piece, o->now_ns);
}

/* --- bytes ----------------------------------------------------------------------------
 */

static const struct http1_events events[2] = {
    [STREAM_UP] = { .head = request_head, .body = request_body },
    [STREAM_DOWN] = { .head = response_head, .body = response_body },
};

static void message_done(struct http_one *o, enum stream_dir d)
{
    struct http_call **at = d == STREAM_UP ? &o->asking : &o->answering;
    if (d == STREAM_DOWN && o->interim) {
        o->interim = false;
        return;
    }
    if (o->next == HTTP_BECOMES_TWO)
        return;
    http_call_done(*at, d, o->now_ns);
    *at = NULL;
    reap(o);
}

/* Where messages begin is not known any more on that side. */
static void lose_position(struct http_one *o, enum stream_dir d)
{
    struct http_call *c = d == STREAM_UP ? o->asking : o->answering;
    for (struct http_call *i = o->oldest; i && i->next; i = i->next)
        o->pipelined |= i->next->first_ns < o->down_ns;
    for (struct http_call *i = o->oldest; i; i = i->next) {
        i->followed |= d == STREAM_UP;
        i->lost |= d == STREAM_DOWN && !i->responding; /* unless its head still comes */
    }
    o->lost = true;
    o->missed |= d == STREAM_DOWN;
    http_call_gap(c, d);
    message_done(o, d);
}

size_t http_one_data(struct http_one *o, enum stream_dir d, int64_t ts_ns,
                     struct slice in, enum http_next *next)
{
    size_t at = 0;
    o->now_ns = ts_ns;
    while (at < in.n && o->next == HTTP_STAYS) {
        enum http1_end end;
        if (o->socket) {
            http_call_body(o->socket, d, slice_from(in, at), ts_ns);
            at = in.n;
            break;
        }
        at += http1_feed(&o->side[d], slice_from(in, at), &events[d], o, &end);
        if (end == HTTP1_DONE) {
            message_done(o, d);
        } else if (end == HTTP1_BAD) {
            count(o, o->spoken ? HTTP_bad_message : HTTP_joined);
            lose_position(o, d);
        }
    }
    if (d == STREAM_DOWN)
        o->down_ns = ts_ns;
    *next = o->next;
    if (o->next == HTTP_BECOMES_OPAQUE)
        end_all(o);
    return at;
}

void http_one_gap(struct http_one *o, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    o->now_ns = ts_ns;
    if (o->socket) {
        http_call_skip(o->socket, d, bytes, ts_ns);
        return;
    }
    switch (http1_gap(&o->side[d], bytes)) {
    case HTTP1_MORE:
        http_call_gap(d == STREAM_UP ? o->asking : o->answering, d);
        break;
    case HTTP1_DONE:
        http_call_gap(d == STREAM_UP ? o->asking : o->answering, d);
        message_done(o, d);
        break;
    case HTTP1_BAD:
        count(o, HTTP_joined);
        lose_position(o, d);
        break;
    }
}

void http_one_close(struct http_one *o, enum stream_dir d, int64_t ts_ns, bool reset)
{
    o->now_ns = ts_ns;
    o->closed[d] = true;
    if (d == STREAM_DOWN) {
        if (!reset && http1_close(&o->side[d]) == HTTP1_DONE)
            message_done(o, d);
        end_all(o); /* nothing more is answered */
    }
    reap(o);
}
