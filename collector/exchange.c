/* One HTTP request from head to answer: see exchange.h. */
#include "collector/exchange.h"

#include "collector/body.h"
#include "collector/framing.h"
#include "collector/ingest.h"
#include "collector/web.h"
#include "collector/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SMALL_BODY = 65536,  /* of POST routes other than ingest */
    DRAIN_MAX = 1 << 20, /* a refused body up to this is read, so that the client gets
                            its answer and not a reset */
    PARAMS_MAX = 64,
    RETRY_AFTER_S = 5,
};

struct exchange {
    struct server *s;
    struct reaper_conn *conn;
    const struct route *route;
    struct slice rest;
    const char *allow;
    bool decided; /* the reply stands; the rest of the body is read and dropped */
    bool close;
    uint64_t sent; /* body bytes that came in */

    struct body *body; /* ingest */
    struct ingest ingest;
    bool ingesting;
    struct buf agents; /* globs that the token speaks for */

    struct buf small; /* other bodies */
    struct arena arena;
    struct api_reply reply;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void refuse(struct exchange *x, unsigned status, const char *why)
{
    if (x->decided)
        return;
    x->decided = true;
    api_error(&x->reply, status, "%s", why);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        x->reply.retry_after_s = RETRY_AFTER_S;
}

/* --- head -----------------------------------------------------------------------------
 */

static enum MHD_Result take_field(void *arg, enum MHD_ValueKind kind, const char *name,
                                  size_t name_n, const char *value, size_t value_n)
{
    (void)kind;
    framing_field(arg, slice_of(name, name_n), slice_of(value, value_n));
    return MHD_YES;
}

static struct slice header(struct MHD_Connection *connection, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, name, strlen(name),
                                      &value, &n) != MHD_YES)
        return (struct slice){ 0 };
    return slice_of(value, n);
}

/* May a request without a token do this? */
static bool open_to_all(const struct exchange *x, const struct framing *f, int64_t now_ms)
{
    const struct config *cf = x->s->c->config;
    if (x->route->scope == SCOPE_READ)
        return cf->read == CONFIG_READ_ANYONE ||
               (cf->read == CONFIG_READ_LOOPBACK && x->s->loopback &&
                framing_local_host(f->host)); /* a rebound name is not local */
    return cf->insecure && !auth_any(x->s->auth, now_ms);
}

static void authorize(struct exchange *x, struct MHD_Connection *connection,
                      const struct framing *f)
{
    static const char *const why[] = {
        [AUTH_NO_TOKEN] = "a token is needed: Authorization: Bearer …",
        [AUTH_WRONG] = "the token is unknown or revoked",
        [AUTH_SCOPE] = "the token does not allow this",
        [AUTH_AGENT] = "the token does not speak for this agent",
    };
    int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
    if (x->route->scope == SCOPE_NONE)
        return;
    enum auth_answer a = auth_check(x->s->auth, header(connection, "Authorization"),
                                    x->route->scope, now_ms, &x->agents);
    if (a == AUTH_NO_TOKEN && open_to_all(x, f, now_ms)) {
        /* Where no token is needed, any page that a browser shows could ask for a change.
         */
        if (x->route->scope != SCOPE_READ &&
            !framing_same_origin(header(connection, "Origin"), f->host))
            return refuse(x, MHD_HTTP_FORBIDDEN, "this is asked by a page of elsewhere");
        buf_addc(&x->agents, '*');
        return;
    }
    if (a != AUTH_OK)
        refuse(x, a == AUTH_SCOPE ? MHD_HTTP_FORBIDDEN : MHD_HTTP_UNAUTHORIZED, why[a]);
}

static enum status ingest_piece(void *arg, struct slice piece)
{
    return ingest_feed(arg, piece);
}

static void open_ingest(struct exchange *x, struct MHD_Connection *connection,
                        const struct framing *f)
{
    const struct config_limits *lim = &x->s->c->config->limits;
    struct slice encoding = header(connection, "Content-Encoding");
    enum body_encoding e = BODY_IDENTITY;
    if (!slice_istarts(header(connection, "Content-Type"), SLICE("application/x-ndjson")))
        return refuse(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Type must be application/x-ndjson");
    if (encoding.n && !body_encoding_parse(encoding, &e))
        return refuse(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Encoding must be zstd, gzip or absent");
    if (f->length > lim->body_bytes)
        return refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the batch is too large");
    struct body_limits bl = { .in_bytes = lim->body_bytes,
                              .out_bytes = lim->batch_bytes,
                              .ratio = (uint64_t)lim->batch_ratio };
    ingest_init(&x->ingest, lim->batch_bytes, (size_t)lim->batch_rows);
    x->ingesting = true;
    x->body = body_new(e, &bl, ingest_piece, &x->ingest);
    if (!x->body)
        refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
}

/* Decide what can be decided from the head. False: answer at once and close. */
static bool read_head(struct exchange *x, struct MHD_Connection *connection,
                      const char *url, const char *method)
{
    struct framing f = { 0 };
    struct slice path = slice_str(url);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_field, &f);
    const char *bad = framing_verdict(&f, path);
    if (bad) {
        x->close = true;
        refuse(x, MHD_HTTP_BAD_REQUEST, bad);
        return false;
    }
    x->route = route_find(slice_str(method), path, &x->rest, &x->allow);
    if (x->route->id == ROUTE_NONE)
        refuse(x, MHD_HTTP_NOT_FOUND, "no such address; docs/collector.md lists them");
    else if (x->route->id == ROUTE_BAD_METHOD)
        refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, "not with this method");
    else
        authorize(x, connection, &f);
    if (!x->decided && x->route->id == ROUTE_INGEST)
        open_ingest(x, connection, &f);
    else if (!x->decided && f.length > SMALL_BODY)
        refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    bool drain = !f.expects && !f.encodings && f.length <= DRAIN_MAX;
    x->close = x->decided && !drain;
    return !x->close;
}

/* --- body -----------------------------------------------------------------------------
 */

static void ingest_refused(struct exchange *x, enum status st)
{
    const char *why = x->ingest.st != ST_OK ? ingest_why(&x->ingest) : body_why(x->body);
    unsigned status = st == ST_LIMIT ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST;
    if (x->decided)
        return;
    x->decided = true;
    x->reply.status = status;
    struct json_out o = { .b = &x->reply.body };
    json_open(&o, '{');
    json_key(&o, "error");
    json_str(&o, slice_str(why));
    json_key(&o, "line");
    json_u64(&o, x->ingest.line);
    json_close(&o, '}');
}

static enum MHD_Result read_body(struct exchange *x, struct slice piece)
{
    x->sent += piece.n;
    if (x->decided) /* what a client goes on sending past all limits is cut off */
        return x->sent > x->s->c->config->limits.body_bytes + DRAIN_MAX ? MHD_NO
                                                                        : MHD_YES;
    if (x->ingesting) {
        enum status st = body_feed(x->body, piece);
        if (st != ST_OK)
            ingest_refused(x, st);
    } else {
        x->small.limit = SMALL_BODY;
        buf_add(&x->small, piece);
        if (x->small.st != ST_OK)
            refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    }
    return MHD_YES;
}

/* --- end ------------------------------------------------------------------------------
 */

static void accepted(struct exchange *x, const struct store_put *put)
{
    const struct {
        const char *name;
        uint64_t n;
        bool always;
    } counts[] = {
        { "rows", put->rows, true },
        { "newer_kept", put->newer_kept, true },
        { "too_old", put->too_old, false },
        { "in_future", put->in_future, false },
        { "over_limit", put->over_limit, false },
        { "unknown_fields", x->ingest.unknown, false },
    };
    struct json_out o = { .b = &x->reply.body };
    json_open(&o, '{');
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (!counts[i].always && !counts[i].n)
            continue;
        json_key(&o, counts[i].name);
        json_u64(&o, counts[i].n);
    }
    json_close(&o, '}');
    metrics_rows(x->s->c->metrics, put, x->ingest.unknown);
}

static void finish_ingest(struct exchange *x)
{
    enum status st = body_finish(x->body);
    if (st == ST_OK)
        st = ingest_finish(&x->ingest);
    if (st != ST_OK)
        return ingest_refused(x, st);
    if (!auth_speaks_for(buf_slice(&x->agents), x->ingest.agent.name))
        return refuse(x, MHD_HTTP_FORBIDDEN, "the token does not speak for this agent");
    struct store_batch batch = { .agent = x->ingest.agent,
                                 .now_s = clock_ms(CLOCK_REALTIME) / 1000,
                                 .row = x->ingest.row,
                                 .rows = x->ingest.rows };
    struct store_put put;
    st = writer_put(x->s->c->writer, &batch, &put);
    if (st == ST_OK)
        accepted(x, &put);
    else if (st == ST_BAD)
        refuse(x, MHD_HTTP_BAD_REQUEST, "a total outgrew what the store can hold");
    else
        refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE,
               st == ST_BUSY   ? "too many batches are waiting"
               : st == ST_FULL ? "the disk of the collector is full"
                               : "the collector cannot write");
}

struct params {
    struct api_param at[PARAMS_MAX];
    size_t n;
};

static enum MHD_Result take_param(void *arg, enum MHD_ValueKind kind, const char *name,
                                  size_t name_n, const char *value, size_t value_n)
{
    struct params *p = arg;
    (void)kind;
    if (p->n == PARAMS_MAX)
        return MHD_NO;
    p->at[p->n++] =
        (struct api_param){ slice_of(name, name_n), slice_of(value, value_n) };
    return MHD_YES;
}

static void finish_api(struct exchange *x, struct MHD_Connection *connection,
                       const char *url)
{
    struct params params = { .n = 0 };
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_param, &params);
    struct api_request q = { .route = x->route->id,
                             .path = slice_str(url),
                             .rest = x->rest,
                             .param = params.at,
                             .params = params.n,
                             .body = buf_slice(&x->small),
                             .if_none_match = header(connection, "If-None-Match"),
                             .accept_encoding = header(connection, "Accept-Encoding"),
                             .now_s = clock_ms(CLOCK_REALTIME) / 1000,
                             .arena = &x->arena };
    x->reply.body.limit = x->s->c->config->limits.request_bytes;
    api_answer(x->s->c, &q, &x->reply);
    if (x->reply.etag && web_etag_matches(q.if_none_match, x->reply.etag)) {
        x->reply.status = MHD_HTTP_NOT_MODIFIED;
        x->reply.fixed = (struct slice){ 0 };
        buf_reset(&x->reply.body);
    }
}

/* --- answer ---------------------------------------------------------------------------
 */

static struct MHD_Response *make_response(struct exchange *x)
{
    struct api_reply *r = &x->reply;
    if (r->fixed.n)
        return MHD_create_response_from_buffer(r->fixed.n, (void *)(uintptr_t)r->fixed.p,
                                               MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *m =
        MHD_create_response_from_buffer(r->body.n, r->body.p, MHD_RESPMEM_MUST_FREE);
    if (m)
        r->body = (struct buf){ 0 }; /* its memory is the response's now */
    return m;
}

static void add_headers(struct exchange *x, struct MHD_Response *m)
{
    static const char *const always[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; "
                                     "base-uri 'none'; form-action 'self'" },
    };
    char seconds[16];
    const struct api_reply *r = &x->reply;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        MHD_add_response_header(m, always[i][0], always[i][1]);
    MHD_add_response_header(m, "Cache-Control", r->etag ? "no-cache" : "no-store");
    MHD_add_response_header(m, "Content-Type", r->content_type);
    if (r->etag) {
        MHD_add_response_header(m, "ETag", r->etag);
        MHD_add_response_header(m, "Vary", "Accept-Encoding");
    }
    if (r->link.n)
        MHD_add_response_header(m, "Link", buf_cstr(&x->reply.link));
    if (r->encoding && r->fixed.n)
        MHD_add_response_header(m, "Content-Encoding", r->encoding);
    if (x->close)
        MHD_add_response_header(m, "Connection", "close");
    if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED && x->allow)
        MHD_add_response_header(m, "Allow", x->allow);
    if (r->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(m, "WWW-Authenticate", "Bearer realm=\"breakeven\"");
    if (r->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", r->retry_after_s);
        MHD_add_response_header(m, "Retry-After", seconds);
    }
}

static void count(const struct exchange *x)
{
    struct metrics *m = x->s->c->metrics;
    unsigned s = x->reply.status;
    metrics_http(m, s);
    if (!x->route || x->route->id != ROUTE_INGEST)
        return;
    metrics_ingest(m,
                   s == 200                        ? METRICS_BATCH_OK
                   : s == 401 || s == 403          ? METRICS_BATCH_DENIED
                   : s != 503                      ? METRICS_BATCH_MALFORMED
                   : writer_stuck(x->s->c->writer) ? METRICS_BATCH_FAILED
                                                   : METRICS_BATCH_BUSY,
                   x->sent);
}

static enum MHD_Result answer(struct exchange *x, struct MHD_Connection *connection)
{
    if (x->reply.body.st != ST_OK) {
        buf_release(&x->reply.body);
        x->reply.body = (struct buf){ 0 };
        api_error(&x->reply, MHD_HTTP_CONTENT_TOO_LARGE,
                  "the answer is too large: ask for less at once");
    }
    struct MHD_Response *m = make_response(x);
    if (!m)
        return MHD_NO;
    add_headers(x, m);
    count(x);
    enum MHD_Result r = MHD_queue_response(connection, x->reply.status, m);
    MHD_destroy_response(m);
    return r;
}

static struct exchange *make_exchange(struct server *s, struct MHD_Connection *connection)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->s = s;
    x->conn = info ? info->socket_context : NULL;
    x->reply = (struct api_reply){ .status = 200, .content_type = "application/json" };
    arena_init(&x->arena, s->c->config->limits.request_bytes);
    atomic_fetch_add(&s->active, 1);
    reaper_extend(s->reaper, x->conn, s->c->config->limits.body_ms);
    return x;
}

enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection,
                              const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **state)
{
    struct exchange *x = *state;
    (void)version;
    if (!x) {
        x = *state = make_exchange(cls, connection);
        if (!x)
            return MHD_NO;
        return read_head(x, connection, url, method) ? MHD_YES : answer(x, connection);
    }
    if (*upload_size) {
        struct slice piece = slice_of(upload, *upload_size);
        *upload_size = 0;
        return read_body(x, piece);
    }
    reaper_extend(x->s->reaper, x->conn, -1); /* our turn */
    if (!x->decided && x->ingesting)
        finish_ingest(x);
    else if (!x->decided)
        finish_api(x, connection, url);
    reaper_extend(x->s->reaper, x->conn, x->s->c->config->limits.body_ms);
    return answer(x, connection);
}

void exchange_done(void *cls, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why)
{
    struct server *s = cls;
    struct exchange *x = *state;
    (void)connection;
    (void)why;
    if (!x)
        return;
    reaper_extend(s->reaper, x->conn, s->c->config->limits.idle_ms);
    body_free(x->body);
    if (x->ingesting)
        ingest_release(&x->ingest);
    buf_release(&x->agents);
    buf_release(&x->small);
    buf_release(&x->reply.body);
    buf_release(&x->reply.link);
    arena_release(&x->arena);
    free(x);
    *state = NULL;
    atomic_fetch_sub(&s->active, 1);
}
