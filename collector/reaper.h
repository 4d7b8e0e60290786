/*
 * Ends connections that take too long: libmicrohttpd's own timeout counts inactivity
 * only, so a client that trickles bytes would hold its place for ever. A thread of its
 * own looks at every open connection's deadline twice a second. Used by server.
 */
#ifndef BREAKEVEN_REAPER_H
#define BREAKEVEN_REAPER_H

#include "common/status.h"

#include <stdint.h>

struct reaper;
struct reaper_conn;

typedef void reaper_fn(void *arg); /* told of each connection that was ended */

struct reaper *reaper_new(reaper_fn *fn, void *arg);
/* After the last connection was removed. */
void reaper_free(struct reaper *r);

/* A connection that must reach its next stage within `ms`; NULL: out of memory. */
struct reaper_conn *reaper_add(struct reaper *r, int fd, int64_t ms);
/* The next stage began: `ms` from now; negative: no deadline. NULL is fine. */
void reaper_extend(struct reaper *r, struct reaper_conn *c, int64_t ms);
/* Before its socket is closed. NULL is fine. */
void reaper_remove(struct reaper *r, struct reaper_conn *c);

#endif
