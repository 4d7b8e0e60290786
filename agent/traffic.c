/* Wiring of captured traffic: see traffic.h. */
#include "agent/traffic.h"

#include "agent/keylog.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { SECRETS = 65536, SEALED_TOTAL = 16 << 20 };

struct traffic_options traffic_defaults(void)
{
    return (struct traffic_options){ .flows = flow_limits_default(),
                                     .http = HTTP_LIMITS,
                                     .secrets = SECRETS,
                                     .sealed_total = SEALED_TOTAL };
}

static void *open_http(void *arg, const struct flow_info *flow,
                       const struct tls_info *tls, struct stream_sink *sink)
{
    struct traffic *t = arg;
    char client[ENDPOINT_TEXT], server[ENDPOINT_TEXT];
    struct http_options o = { .shared = &t->http,
                              .client = slice_str(endpoint_text(&flow->client, client)),
                              .server = slice_str(endpoint_text(&flow->server, server)),
                              .server_port = flow->server.port,
                              .tls = tls ? tls_version_name(tls->version) : NULL,
                              .sni = slice_str(tls ? tls->sni : ""),
                              .flow = flow };
    struct http *h = http_new(&o);
    if (h)
        http_sink(h, sink);
    return h;
}

static void end_http(void *arg, void *state, const struct flow_info *flow,
                     const struct tls_info *info)
{
    (void)arg, (void)flow, (void)info;
    http_free(state);
}

static void on_dark(void *arg, const struct flow_info *flow, const struct tls_info *info,
                    const struct conn_dark *since, int64_t ts_ns)
{
    struct traffic *t = arg;
    const struct dark_host *host = dark_hosts_add(&t->dark, flow, info, since);
    if (t->on_dark)
        t->on_dark(t->arg, host, since, ts_ns);
}

/* Secrets in a capture, for what comes behind them and what has waited. */
static void on_keys(void *arg, struct slice text)
{
    struct conn_env *env = arg;
    struct keylog k;
    keylog_init(&k, env->secrets);
    keylog_feed(&k, text);
    keylog_finish(&k);
    conn_sweep(env, 0, false);
}

struct traffic *traffic_new(const struct traffic_options *o)
{
    struct traffic *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)time(NULL); /* early at boot: better than none */
    t->on_dark = o->dark;
    t->arg = o->arg;
    t->conn.secrets = secrets_new(o->secrets, seed);
    t->conn.tls = o->tls;
    t->conn.upper = (struct conn_upper){ t, open_http, end_http, on_dark };
    t->conn.sealed_ns = o->sealed_ns;
    t->conn.sealed_total = o->sealed_total;
    t->http = (struct http_shared){ .extract = o->extract,
                                    .emit = o->emit,
                                    .arg = o->arg,
                                    .limits = o->http,
                                    .label = o->label,
                                    .keep_credentials = o->keep_credentials };
    struct flow_events events = conn_events(&t->conn);
    t->capture = t->conn.secrets ? capture_new(&o->flows, &events, on_keys) : NULL;
    if (t->capture)
        return t;
    secrets_free(t->conn.secrets);
    free(t);
    return NULL;
}

void traffic_finish(struct traffic *t)
{
    capture_finish(t->capture);
    conn_release(&t->conn);
}

void traffic_free(struct traffic *t)
{
    if (!t)
        return;
    traffic_finish(t);
    capture_free(t->capture);
    secrets_free(t->conn.secrets);
    free(t);
}
