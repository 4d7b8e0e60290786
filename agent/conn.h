/*
 * One captured connection between flow and the layer that reads plaintext: its first
 * bytes say whether it is TLS, and if so tls stands between them. The layer above is
 * opened when the first plaintext comes, so a dark connection costs it nothing; how dark
 * it was is said at the end. Pure. Fed by flow; feeds http.
 */
#ifndef BREAKEVEN_CONN_H
#define BREAKEVEN_CONN_H

#include "agent/flow.h"
#include "agent/tls.h"

struct conn_upper {
    void *arg;
    /*
     * Plaintext is about to come: fill *sink, return its state. `tls` is the version's
     * name ("TLSv1.3"), or NULL in clear. NULL: no memory; the plaintext is dropped.
     */
    void *(*open)(void *arg, const struct flow_info *flow, const char *tls,
                  struct stream_sink *sink);
    /*
     * The last call for a connection that open returned a state for, and for every one
     * in TLS: there `state` is NULL when no plaintext came (dark). `info` is NULL in
     * clear.
     */
    void (*end)(void *arg, void *state, const struct flow_info *flow,
                const struct tls_info *info);
};

struct conn_stats {
    uint64_t clear, tls; /* connections by their first bytes */
    uint64_t dark;       /* TLS of which at least one direction ended dark */
    uint64_t dark_bytes; /* of all */
    uint64_t refused;    /* not metered: no memory */
};

/* Shared by all connections. Zero it, set the first three members, keep it alive. */
struct conn_env {
    struct secrets *secrets;
    struct tls_options tls;
    struct conn_upper upper;
    struct conn_stats stats;
};

/* What to give flow_table_new. */
struct flow_events conn_events(struct conn_env *env);

/*
 * Secrets may have come: `sink` is one that an open of conn_events has filled. See
 * tls_poll. When the connection ends, what still waits is given up.
 */
void conn_poll(struct stream_sink *sink);

#endif
