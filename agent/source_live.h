/*
 * Live traffic as a source of the pipeline: interface -> packets -> connections -> TLS ->
 * HTTP -> judged calls, with the key logs that open TLS, and whose calls they are. Shell.
 * Wires live, source_capture, conn, http, keylog_follow, attribute and dark_hosts.
 *
 * Cannot wait: what it does not take, the kernel's ring loses (and counts). So it goes on
 * while the spool is full (source.h, live).
 */
#ifndef BREAKEVEN_SOURCE_LIVE_H
#define BREAKEVEN_SOURCE_LIVE_H

#include "agent/config.h"
#include "agent/source.h"

/*
 * Open the interface, which needs CAP_NET_RAW. Nothing else is touched before the first
 * step, so that privileges can be given up in between. `env` is set before the first step
 * (it may be incomplete now). Errors have been logged. ST_CONFIG, ST_DENIED,
 * ST_NOT_FOUND, ST_IO.
 */
enum status source_live_open(const struct config *c, const struct source_env *env,
                             struct source **out);

#endif
