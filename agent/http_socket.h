/*
 * A connection, or a stream of HTTP/2, that has become a WebSocket: both directions'
 * frames to messages (websocket.h), these to calls (socket.h). Made, fed and freed by
 * http_call, whose exchange is the upgrade. Inside of http; include agent/http.h instead.
 */
#ifndef BREAKEVEN_HTTP_SOCKET_H
#define BREAKEVEN_HTTP_SOCKET_H

#include "agent/http.h"

struct http_call;
struct http_socket;

/*
 * The handshake of `c` was answered with these fields; its exchange is held. NULL: not a
 * socket that can be read, counted as upgraded.
 */
struct http_socket *http_socket_new(struct http_call *c,
                                    const struct extract_header *field, size_t fields);

/* The next bytes of that direction; the exchange is held, here and below. */
void http_socket_data(struct http_socket *s, enum stream_dir d, int64_t ts_ns,
                      struct slice in);
void http_socket_gap(struct http_socket *s, enum stream_dir d, int64_t ts_ns,
                     uint64_t bytes);
/* Ends the calls under way. */
void http_socket_free(struct http_socket *s, int64_t ts_ns);

#endif
