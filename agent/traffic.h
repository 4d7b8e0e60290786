/*
 * Captured traffic from connections to judged calls: source_capture, conn and http wired
 * together, with the secrets that open TLS and the account of what stayed dark. Used by
 * scan (files) and source_live (an interface), which own what differs: where packets and
 * secrets come from, and what is done with a call.
 */
#ifndef BREAKEVEN_TRAFFIC_H
#define BREAKEVEN_TRAFFIC_H

#include "agent/dark_hosts.h"
#include "agent/http.h"
#include "agent/source_capture.h"

/* A host was dark: in all (`host`), and what came on top now. */
typedef void traffic_dark_fn(void *arg, const struct dark_host *host,
                             const struct conn_dark *since, int64_t ts_ns);

struct traffic_options {
    struct extract *extract; /* borrowed */
    http_call_fn *emit;      /* every judged call */
    http_label_fn *label;    /* NULL: nobody asks whose call it is */
    traffic_dark_fn *dark;   /* NULL: only counted */
    void *arg;
    bool keep_credentials; /* http.h */
    struct flow_limits flows;
    struct tls_options tls;
    struct http_limits http;
    size_t secrets;    /* connections whose secrets are kept */
    int64_t sealed_ns; /* conn.h */
    size_t sealed_total;
};

/* The limits of scan; the rest is zero. */
struct traffic_options traffic_defaults(void);

/* Open for reading: capture, http.count, conn.stats, conn.secrets, dark. */
struct traffic {
    struct capture *capture;
    struct http_shared http;
    struct conn_env conn;
    struct dark_hosts dark;
    traffic_dark_fn *on_dark;
    void *arg;
};

/* NULL: out of memory. Free ends every connection, which emits what is known. */
struct traffic *traffic_new(const struct traffic_options *o);
void traffic_free(struct traffic *t);

/* Every connection ends now; emits what is known of the calls under way. */
void traffic_finish(struct traffic *t);

#endif
