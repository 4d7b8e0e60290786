/*
 * The HTTP daemon (libmicrohttpd: poll threads, never its epoll mode, which can hang):
 * framing checks, limits, the reaper of slow clients, tokens; then ingest -> writer, or
 * api. A shell file.
 *
 * Refuses: ambiguous framing (two lengths, length and chunks, two hosts, control bytes),
 * slow heads and bodies, plain HTTP beyond loopback unless told.
 */
#ifndef BREAKEVEN_SERVER_H
#define BREAKEVEN_SERVER_H

#include "collector/api.h"
#include "collector/auth.h"

struct server;

/*
 * Listen as c->config says and serve until server_stop. Borrows both. ST_DENIED or ST_IO
 * with a sentence in `why`.
 */
enum status server_start(const struct collector *c, struct auth *auth,
                         struct server **out, struct buf *why);

/*
 * May a server listen where `cf` says? Beyond loopback without TLS tokens would cross the
 * net in the clear, without an active token nobody would be asked for one: ST_DENIED with
 * a sentence in `why`, unless the configuration says `insecure`. The same for TLS files
 * that cannot be read.
 */
enum status server_exposure(const struct config *cf, bool tokens, struct buf *why);

/* The port it listens on (config may say 0). */
uint16_t server_port(const struct server *s);

/* Accept no more, let the requests at hand finish, end. NULL is fine. */
void server_stop(struct server *s);

#endif
