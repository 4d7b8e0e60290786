/*
 * An HTTP/1.x connection: two parsers, and which response answers which request. Without
 * loss that is their order (RFC 9112, 9.3.2); after a loss of position it is time: the
 * newest request that is older than the response, since clients of LLM APIs do not
 * pipeline; where one does, nothing more of that connection is judged. Inside of http;
 * include agent/http.h instead.
 */
#ifndef BREAKEVEN_HTTP_ONE_H
#define BREAKEVEN_HTTP_ONE_H

#include "agent/http_call.h"

struct http_one;

/* What the connection becomes. */
enum http_next {
    HTTP_STAYS,
    HTTP_BECOMES_TWO,    /* 101 to an upgrade to h2c; http_one_take has its call */
    HTTP_BECOMES_OPAQUE, /* CONNECT, a WebSocket of no use, or nothing that can be told
                            apart */
};

/* NULL: out of memory. `c` is borrowed. */
struct http_one *http_one_new(const struct http_conn *c);

/* Ends the calls in flight as aborted. */
void http_one_free(struct http_one *o, int64_t ts_ns);

/* Returns bytes consumed: all, unless *next says that another protocol follows. */
size_t http_one_data(struct http_one *o, enum stream_dir d, int64_t ts_ns,
                     struct slice in, enum http_next *next);
void http_one_gap(struct http_one *o, enum stream_dir d, int64_t ts_ns, uint64_t bytes);
void http_one_close(struct http_one *o, enum stream_dir d, int64_t ts_ns, bool reset);

/* The call of the upgrade, now the caller's; it is stream 1 of HTTP/2. */
struct http_call *http_one_take(struct http_one *o);

/* A message was seen. */
bool http_one_spoken(const struct http_one *o);

#endif
