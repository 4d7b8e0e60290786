/*
 * What could not be read, by the name that the clients asked for (SNI, else the server's
 * address): connections, bytes, an estimate of calls. Bounded: beyond DARK_HOSTS names,
 * the rest is one, "(other)". Pure. Filled from conn's dark events; shown by scan and in
 * the agent's health.
 */
#ifndef BREAKEVEN_DARK_HOSTS_H
#define BREAKEVEN_DARK_HOSTS_H

#include "agent/conn.h"
#include "common/json.h"

enum { DARK_HOSTS = 64, DARK_NAME = 128 };

struct dark_host {
    char name[DARK_NAME];
    const char *provider; /* of a host that is an LLM API, else NULL; a constant */
    uint64_t connections, up, down, calls; /* calls: estimated by bursts */
};

struct dark_hosts {
    struct dark_host at[DARK_HOSTS];
    size_t n;
    struct dark_host other; /* of no name of its own */
};

/* Count; returns the host it was counted under. */
const struct dark_host *dark_hosts_add(struct dark_hosts *h, const struct flow_info *flow,
                                       const struct tls_info *info,
                                       const struct conn_dark *since);

/* Lines below a table, the most bytes first; nothing when nothing was dark. */
void dark_hosts_table(const struct dark_hosts *h, struct buf *out);
/* [{"host":…,"provider":…,"connections":…,"bytes_up":…,"bytes_down":…,"calls_estimate":…,
 * "quality":"missing"},…] */
void dark_hosts_json(const struct dark_hosts *h, struct json_out *o);

#endif
