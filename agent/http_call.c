/* From a framed exchange to struct usage with its latencies: see http_call.h. */
#include "agent/http_call.h"

#include <stdlib.h>

enum { CODINGS = 128 };

#define NOT_YET INT64_MIN

/* "name:8443", "[::1]:8443" -> host and port; `port` stays where none is given. */
static struct slice host_and_port(struct slice s, uint16_t *port)
{
    size_t at = s.n;
    uint64_t v;
    while (at && s.p[at - 1] >= '0' && s.p[at - 1] <= '9')
        at--;
    if (!at || s.p[at - 1] != ':' || !slice_u64(slice_from(s, at), &v) || v > UINT16_MAX)
        return s;
    *port = (uint16_t)v;
    return slice_head(s, at - 1);
}

static void count(const struct http_call *c, enum http_count what)
{
    c->conn->shared->count[what]++;
}

struct decode_limits http_decode_limits(struct http_shared *s)
{
    return (struct decode_limits){ .bytes = s->limits.decoded_bytes,
                                   .ratio = s->limits.decoded_ratio,
                                   .used = &s->decoding,
                                   .total = s->limits.decoders };
}

/* Content-Encoding, then what Transfer-Encoding put around it, in the order applied. */
static void begin_coding(struct http_call *c, enum stream_dir d,
                         const struct extract_header *field, size_t fields)
{
    struct buf all = { .p = NULL, .limit = CODINGS };
    struct decode_limits limits = http_decode_limits(c->conn->shared);
    enum status st = ST_LIMIT;
    for (int te = 0; te < 2; te++) {
        for (size_t i = 0; i < fields; i++) {
            if (!slice_ieq(field[i].name,
                           te ? SLICE("transfer-encoding") : SLICE("content-encoding")))
                continue;
            buf_add(&all, field[i].value);
            buf_addc(&all, ',');
        }
    }
    if (all.st == ST_OK)
        st = decode_new(buf_slice(&all), &limits, &c->decode[d]);
    if (st != ST_OK) {
        count(c, st == ST_NOMEM ? HTTP_over_limit : HTTP_bad_coding);
        c->mute[d] = true;
        c->lost |= d == STREAM_DOWN;
        c->lost_request |= d == STREAM_UP;
    }
    buf_release(&all);
}

struct http_call *http_call_new(const struct http_conn *conn,
                                const struct http_request *r, int64_t stream,
                                int64_t ts_ns)
{
    struct http_shared *s = conn->shared;
    struct http_call *c = calloc(1, sizeof *c);
    s->count[HTTP_exchanges]++;
    if (c && s->in_flight < s->limits.in_flight_total)
        c->state = extract_state_new(s->extract);
    if (!c || !c->state)
        s->count[HTTP_over_limit]++;
    if (!c)
        return NULL;
    c->conn = conn;
    c->stream = stream;
    c->left = UINT64_MAX;
    c->first_ns = c->sent_ns = ts_ns;
    c->byte_ns = c->token_ns = c->end_ns = NOT_YET;
    c->head = slice_eq(r->method, SLICE("HEAD"));
    c->websocket = r->websocket;
    c->connect = slice_eq(r->method, SLICE("CONNECT"));
    c->mute[STREAM_UP] = c->mute[STREAM_DOWN] = !c->state;
    if (!c->state)
        return c;
    s->in_flight++;
    uint16_t port = conn->port;
    struct slice host = host_and_port(r->host, &port);
    struct parked *before = extract_hold(s->extract, c->state);
    extract_begin(s->extract, conn->tls ? SLICE("https") : SLICE("http"), host, port,
                  r->websocket ? SLICE("WEBSOCKET") : r->method, r->target);
    extract_request_headers(s->extract, r->field, r->fields);
    extract_hold(s->extract, before);
    http_notes_init(&c->notes);
    http_notes_request(&c->notes, r->field, r->fields);
    if (s->label)
        s->label(s->arg, conn->flow, r->target, r->field, r->fields, &c->notes);
    begin_coding(c, STREAM_UP, r->field, r->fields);
    return c;
}

void http_call_response(struct http_call *c, uint16_t status,
                        const struct extract_header *field, size_t fields, int64_t ts_ns)
{
    if (!c)
        return;
    if (!c->mute[STREAM_DOWN])
        c->lost = false; /* it did not go by unread */
    c->status = status;
    c->responding = true;
    c->byte_ns = ts_ns;
    if (!c->state)
        return;
    struct extract *x = c->conn->shared->extract;
    struct parked *before = extract_hold(x, c->state);
    extract_response_head(x, status, field, fields);
    http_notes_response(&c->notes, field, fields);
    if (c->websocket && (status == 101 || (c->connect && status < 300)))
        c->socket = http_socket_new(c, field, fields);
    extract_hold(x, before);
    if (!c->head && !c->socket)
        begin_coding(c, STREAM_DOWN, field, fields);
}

/* A call of a batch whose results are being read: made earlier, so without latencies. */
static void part(void *arg, struct usage *u)
{
    struct http_call *c = arg;
    if (!c->delivered && (c->delivered = malloc(sizeof *c->delivered))) {
        usage_init(c->delivered);
        c->delivered->agg_n = 0;
    }
    struct http_origin o = {
        c->conn->client, c->conn->server, c->conn->tls, c->stream, true,
        c->delivered,    &c->notes
    };
    c->conn->shared->emit(c->conn->shared->arg, u, &o);
}

static void up(void *arg, struct slice piece)
{
    extract_request_body(arg, piece);
}

static void down(void *arg, struct slice piece)
{
    extract_response_body(arg, piece);
}

static void decoded(struct http_call *c, enum stream_dir d, struct slice piece)
{
    struct extract *x = c->conn->shared->extract;
    decode_fn *out = d == STREAM_UP ? up : down;
    if (!c->decode[d]) {
        out(x, piece);
        return;
    }
    enum status st = decode_feed(c->decode[d], piece, out, x);
    if (st == ST_OK)
        return;
    count(c, st == ST_LIMIT   ? HTTP_bomb
             : st == ST_NOMEM ? HTTP_over_limit
                              : HTTP_bad_coding);
    http_call_gap(c, d);
}

void http_call_body(struct http_call *c, enum stream_dir d, struct slice piece,
                    int64_t ts_ns)
{
    if (!c)
        return;
    if (d == STREAM_UP)
        c->sent_ns = ts_ns;
    if (c->mute[d])
        return;
    struct extract *x = c->conn->shared->extract;
    struct parked *before = extract_hold(x, c->state);
    extract_parts(x, ts_ns, part, c);
    if (c->socket) {
        http_socket_data(c->socket, d, ts_ns, piece);
        extract_hold(x, before);
        return;
    }
    decoded(c, d, piece);
    if (d == STREAM_DOWN && c->token_ns == NOT_YET && extract_saw_token(x))
        c->token_ns = ts_ns;
    extract_hold(x, before);
}

void http_call_gap(struct http_call *c, enum stream_dir d)
{
    if (!c)
        return;
    c->mute[d] = true;
    c->lost |= d == STREAM_DOWN;
    c->lost_request |= d == STREAM_UP;
    decode_free(c->decode[d]);
    c->decode[d] = NULL;
}

void http_call_skip(struct http_call *c, enum stream_dir d, uint64_t bytes, int64_t ts_ns)
{
    if (!c || !c->socket) {
        http_call_gap(c, d);
        return;
    }
    struct extract *x = c->conn->shared->extract;
    struct parked *before = extract_hold(x, c->state);
    http_socket_gap(c->socket, d, ts_ns, bytes);
    extract_hold(x, before);
}

void http_call_done(struct http_call *c, enum stream_dir d, int64_t ts_ns)
{
    if (!c)
        return;
    if (d == STREAM_DOWN) {
        c->end_ns = ts_ns;
    } else if (c->decode[d]) { /* the reply may take its time */
        decode_free(c->decode[d]);
        c->decode[d] = NULL;
        c->mute[d] = true;
    }
    c->done[d] = true;
}

/* --- verdict --------------------------------------------------------------------------
 */

static int64_t micros(int64_t from, int64_t to)
{
    return from == NOT_YET || to == NOT_YET || to < from ? -1 : (to - from) / 1000;
}

/* What was seen is not the whole: no number of it is one. */
static void forget_numbers(struct usage *u)
{
    memset(u->v, 0, sizeof u->v);
    u->have = 0;
    u->total_reported = UINT64_MAX;
    u->check = CHECK_NO_TOTAL;
    u->usage_source = SOURCE_NONE;
    u->quality = QUALITY_MISSING;
}

struct verdict {
    const struct http_call *call;
    bool extra; /* than the first: its time is the first one's */
    struct usage *delivered;
};

static void emit(void *arg, struct usage *u)
{
    struct verdict *v = arg;
    const struct http_call *c = v->call;
    const struct http_conn *conn = c->conn;
    struct http_origin o = { .client = conn->client,
                             .server = conn->server,
                             .tls = conn->tls,
                             .stream = c->stream,
                             .delivered = v->delivered,
                             .notes = &c->notes };
    if (u->accounting == ACCOUNTING_CALL &&
        (c->lost || (c->lost_request && u->quality != QUALITY_EXACT)))
        forget_numbers(u);
    if (!v->extra) {
        u->ttfb_us = micros(c->sent_ns, c->byte_ns);
        u->ttft_us = micros(c->sent_ns, c->token_ns);
        u->total_us = micros(c->first_ns, c->end_ns);
    }
    u->seen = SEEN_CAPTURE;
    v->extra = true;
    conn->shared->emit(conn->shared->arg, u, &o);
}

static void judge(struct http_call *c)
{
    struct http_shared *s = c->conn->shared;
    if (extract_state_lost(c->state))
        count(c, HTTP_over_limit);
    struct verdict v = { .call = c, .delivered = c->delivered };
    bool whole = c->done[STREAM_DOWN] && !c->lost;
    if (c->decode[STREAM_DOWN] && whole && !decode_whole(c->decode[STREAM_DOWN]))
        count(c, HTTP_bad_coding);
    count(c, c->lost || c->lost_request ? HTTP_spoiled
             : whole                    ? HTTP_complete
                                        : HTTP_aborted);
    struct parked *before = extract_hold(s->extract, c->state);
    extract_finish(s->extract, whole ? EXTRACT_COMPLETE : EXTRACT_ABORTED, c->end_ns,
                   emit, &v);
    extract_hold(s->extract, before);
    s->in_flight--;
}

/* The upgrade itself was a whole exchange, however its socket ends. */
static void end_socket(struct http_call *c, int64_t ts_ns)
{
    struct extract *x = c->conn->shared->extract;
    struct parked *before = extract_hold(x, c->state);
    http_socket_free(c->socket, ts_ns);
    c->socket = NULL;
    extract_hold(x, before);
    c->done[STREAM_DOWN] = true;
}

void http_call_end(struct http_call *c, int64_t ts_ns)
{
    if (!c)
        return;
    if (c->end_ns == NOT_YET)
        c->end_ns = ts_ns;
    if (c->socket)
        end_socket(c, ts_ns);
    if (c->state)
        judge(c);
    decode_free(c->decode[STREAM_UP]);
    decode_free(c->decode[STREAM_DOWN]);
    extract_state_free(c->conn->shared->extract, c->state);
    free(c->delivered);
    free(c);
}
