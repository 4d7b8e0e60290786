/*
 * One captured connection between flow and the layer that reads plaintext: its first
 * bytes, behind a CONNECT to a proxy, say whether it is TLS, and if so tls stands
 * between. The layer above is opened when the first plaintext comes, so a dark connection
 * costs it nothing; how dark it was is said at the end. Pure. Fed by flow; feeds http.
 */
#ifndef BREAKEVEN_CONN_H
#define BREAKEVEN_CONN_H

#include "agent/dark.h"
#include "agent/flow.h"
#include "agent/tls.h"

/* What a connection that cannot be read carried since this was said last. */
struct conn_dark {
    bool first;        /* of this connection */
    uint64_t up, down; /* bytes, with TLS records' headers */
    uint64_t bursts;   /* times that the client said something of a request's size */
};

struct conn_upper {
    void *arg;
    /*
     * Plaintext is about to come: fill *sink, return its state. `tls` lives until its end
     * is told, NULL in clear. NULL: no memory; the plaintext is dropped.
     */
    void *(*open)(void *arg, const struct flow_info *flow, const struct tls_info *tls,
                  struct stream_sink *sink);
    /*
     * The last call for a connection that open returned a state for, and for every one
     * in TLS: there `state` is NULL when no plaintext came (dark). `info` is NULL in
     * clear. What was joined and taken for clear may turn out to be TLS: two calls.
     */
    void (*end)(void *arg, void *state, const struct flow_info *flow,
                const struct tls_info *info);
    /*
     * Before `end`, and from conn_sweep: a connection in TLS of which no plaintext came
     * and none will. May be NULL.
     */
    void (*dark)(void *arg, const struct flow_info *flow, const struct tls_info *info,
                 const struct conn_dark *since, int64_t ts_ns);
};

struct conn_stats {
    uint64_t clear, tls; /* connections by their first bytes */
    uint64_t dark;       /* TLS of which at least one direction ended dark */
    uint64_t dark_bytes; /* of all */
    uint64_t tunnels;    /* through a proxy (CONNECT), of either */
    uint64_t refused;    /* not metered: no memory */
    uint64_t too_much;   /* given up: all that waits for secrets is over sealed_total */
    uint64_t too_late;   /* given up: no secrets within sealed_ns */
    uint64_t sealed;     /* connections that wait now; their bytes */
    uint64_t sealed_bytes;
    uint64_t skipped_bytes; /* lost: for these there was no room to wait */
};

struct conn_link {
    struct conn_link *prev, *next;
};

/*
 * Shared by all connections. Zero it, set the members before stats, keep it alive until
 * the flows and then conn_release are done.
 */
struct conn_env {
    struct secrets *secrets;
    struct tls_options tls;
    struct conn_upper upper;
    /*
     * How long, by the packets' time, a connection waits for its secrets, also beyond its
     * own end; 0: until its end. How many bytes all of them may hold, each with 4 KiB for
     * itself; 0: no limit.
     */
    int64_t sealed_ns;
    size_t sealed_total;
    struct conn_stats stats;
    struct conn_link sealed, all; /* that wait, the oldest first; all in TLS */
    struct conn_link awake;       /* in TLS, too; who was read last is last */
    size_t n_awake;
    uint64_t asked; /* secrets_version at the last sweep */
};

/* What to give flow_table_new. */
struct flow_events conn_events(struct conn_env *env);

/*
 * Secrets may have come, and time passed to now_ns: hands on what waited for them, gives
 * up what waited too long, and, with `tell`, says how dark the dark ones are by now.
 */
void conn_sweep(struct conn_env *env, int64_t now_ns, bool tell);

/* The last flow has ended: so do the connections that still waited. */
void conn_release(struct conn_env *env);

/*
 * Secrets may have come: `sink` is one that an open of conn_events has filled. See
 * tls_poll. When the connection ends, what still waits is given up.
 */
void conn_poll(struct stream_sink *sink);

#endif
