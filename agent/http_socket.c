/* Two parsers of frames and one session: see http_socket.h. */
#include "agent/http_socket.h"

#include "agent/http_call.h"
#include "agent/socket.h"
#include "agent/websocket.h"

#include <stdlib.h>

struct http_socket {
    struct http_call *call;
    struct websocket side[2];
    struct socket *session;
    int64_t now_ns;
    enum stream_dir dir; /* of the bytes at hand */
};

static void count(const struct http_socket *s, enum http_count c)
{
    s->call->conn->shared->count[c]++;
}

static bool agreed(const struct extract_header *field, size_t fields,
                   struct websocket_options side[2])
{
    for (size_t i = 0; i < fields; i++)
        if (slice_ieq(field[i].name, SLICE("sec-websocket-extensions")) &&
            !websocket_extensions(field[i].value, &side[STREAM_UP], &side[STREAM_DOWN]))
            return false;
    return true;
}

struct http_socket *http_socket_new(struct http_call *c,
                                    const struct extract_header *field, size_t fields)
{
    struct http_shared *shared = c->conn->shared;
    struct decode_limits limits = http_decode_limits(shared);
    struct websocket_options side[2] = {
        [STREAM_UP] = { .masked = true, .limits = limits },
        [STREAM_DOWN] = { .limits = limits },
    };
    struct http_socket *s = NULL;
    if (socket_known(shared->extract) && agreed(field, fields, side))
        s = calloc(1, sizeof *s);
    if (s)
        s->session = socket_new(shared->extract);
    if (!s || !s->session) {
        free(s);
        c->conn->shared->count[HTTP_upgraded]++;
        return NULL;
    }
    s->call = c;
    for (int d = 0; d < 2; d++)
        websocket_init(&s->side[d], &side[d]);
    count(s, HTTP_sockets);
    return s;
}

/* --- messages -------------------------------------------------------------------------
 */

static void on_call(void *arg, struct usage *u)
{
    const struct http_socket *s = arg;
    const struct http_conn *conn = s->call->conn;
    struct http_notes notes = s->call->notes;
    struct http_origin o = { .client = conn->client,
                             .server = conn->server,
                             .tls = conn->tls,
                             .stream = s->call->stream,
                             .notes = &notes };
    notes.retry = -1; /* the upgrade's, not each call's */
    count(s, HTTP_socket_calls);
    conn->shared->emit(conn->shared->arg, u, &o);
}

static void on_data(void *arg, struct slice piece)
{
    struct http_socket *s = arg;
    socket_data(s->session, s->dir, s->now_ns, piece);
}

static void on_end(void *arg, bool intact)
{
    struct http_socket *s = arg;
    if (!intact)
        count(s, HTTP_socket_lost);
    socket_end(s->session, s->dir, s->now_ns, intact, on_call, s);
}

static const struct websocket_events events = { on_data, on_end };

void http_socket_data(struct http_socket *s, enum stream_dir d, int64_t ts_ns,
                      struct slice in)
{
    bool was_dead = s->side[d].dead;
    s->now_ns = ts_ns;
    s->dir = d;
    if (!websocket_feed(&s->side[d], in, &events, s) && !was_dead)
        count(s, s->side[d].bomb ? HTTP_bomb : HTTP_bad_socket);
}

void http_socket_gap(struct http_socket *s, enum stream_dir d, int64_t ts_ns,
                     uint64_t bytes)
{
    s->now_ns = ts_ns;
    s->dir = d;
    if (!websocket_gap(&s->side[d], bytes, &events, s)) {
        count(s, HTTP_socket_lost);
        socket_lost(s->session, d);
    }
}

void http_socket_free(struct http_socket *s, int64_t ts_ns)
{
    if (!s)
        return;
    socket_close(s->session, ts_ns, on_call, s);
    socket_free(s->session);
    websocket_release(&s->side[STREAM_UP]);
    websocket_release(&s->side[STREAM_DOWN]);
    free(s);
}
