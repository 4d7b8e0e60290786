/*
 * One exchange in flight: its state in extract, the decoders of its two bodies and the
 * times that become latencies. Begun, fed and ended by http_one and http_two, which know
 * framing; judged and emitted here. Inside of http; include agent/http.h instead.
 */
#ifndef BREAKEVEN_HTTP_CALL_H
#define BREAKEVEN_HTTP_CALL_H

#include "agent/decode.h"
#include "agent/http_socket.h"

/* Of each body and message. */
struct decode_limits http_decode_limits(struct http_shared *s);

/* What a connection lends to its calls. */
struct http_conn {
    struct http_shared *shared;
    struct slice client, server;
    const char *tls;
    struct slice sni; /* empty: none */
    uint16_t port;
    const struct flow_info *flow;
};

/* What a request said first; slices live during the call. */
struct http_request {
    struct slice method, host, target; /* host: with its port if it has one */
    const struct extract_header *field;
    size_t fields;
    bool websocket; /* asks for one */
};

struct http_call {
    struct http_call *next; /* for whoever holds it */
    const struct http_conn *conn;
    struct parked *state;     /* NULL: not judged */
    struct decode *decode[2]; /* by enum stream_dir; NULL: as it is */
    bool mute[2];             /* nothing more of that body is looked at */
    bool lost; /* bytes of the response, or its coding: no numbers. Not mute: maybe, as
                  long as its head does not come */
    bool lost_request;
    bool done[2]; /* that message has ended */
    bool head, connect, expect, h2c, websocket;
    bool responding; /* the final response has begun */
    bool followed;   /* perhaps: requests may be lost behind it, in HTTP/1 */
    uint16_t status;
    struct http_notes notes;
    uint64_t left; /* of the response's Content-Length, in HTTP/2; UINT64_MAX: not said */
    struct http_socket *socket; /* what it has become; bodies go there */
    int64_t stream;             /* of HTTP/2; -1 */
    int64_t first_ns, sent_ns, byte_ns, token_ns, end_ns; /* INT64_MIN: not yet */
    struct usage *delivered; /* see struct http_origin; NULL: no batch */
};

/*
 * Begin. When too many are in flight, the call is followed but not judged (counted).
 * NULL: out of memory. Every function below takes NULL as a call whose request was not
 * seen.
 */
struct http_call *http_call_new(const struct http_conn *c, const struct http_request *r,
                                int64_t stream, int64_t ts_ns);

/* The final response's head. */
void http_call_response(struct http_call *c, uint16_t status,
                        const struct extract_header *field, size_t fields, int64_t ts_ns);
void http_call_body(struct http_call *c, enum stream_dir d, struct slice piece,
                    int64_t ts_ns);
/* Bytes of that body are missing from here on. */
void http_call_gap(struct http_call *c, enum stream_dir d);
/* So many of its bytes are missing here (0: an unknown number), and others may follow. */
void http_call_skip(struct http_call *c, enum stream_dir d, uint64_t bytes,
                    int64_t ts_ns);
/* That message is over. */
void http_call_done(struct http_call *c, enum stream_dir d, int64_t ts_ns);

/* Judge, emit and free; aborted unless the response is done. */
void http_call_end(struct http_call *c, int64_t ts_ns);

#endif
