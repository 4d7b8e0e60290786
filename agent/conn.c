/* From flow to plaintext: see conn.h. */
#include "agent/conn.h"

#include <stdlib.h>

struct conn;

/*
 * A sink in front of one that is made when the first bytes come. Gaps and closes that
 * come before are told then, in front of the bytes.
 */
struct lazy {
    struct stream_sink to;
    bool (*start)(struct conn *c, struct slice first); /* fills `to` */
    bool started, failed;
    bool gap[2], closed[2], reset[2];
    int64_t gap_ns[2], closed_ns[2];
};

struct conn {
    struct conn_env *env;
    struct flow_info flow;
    struct tls *tls; /* NULL in clear */
    void *upper;
    struct lazy outer, inner; /* of reassembly's bytes; of the plaintext of tls */
};

static bool lazy_start(struct conn *c, struct lazy *l, struct slice first)
{
    if (l->started || l->failed)
        return l->started;
    l->started = l->start(c, first);
    l->failed = !l->started;
    for (int d = 0; d < 2 && l->started; d++) {
        if (l->gap[d])
            l->to.gap(l->to.arg, (enum stream_dir)d, l->gap_ns[d], 0);
        if (l->closed[d])
            l->to.close(l->to.arg, (enum stream_dir)d, l->closed_ns[d], l->reset[d]);
    }
    return l->started;
}

static void lazy_data(struct conn *c, struct lazy *l, enum stream_dir d, int64_t ts_ns,
                      struct slice bytes)
{
    if (bytes.n && lazy_start(c, l, bytes))
        l->to.data(l->to.arg, d, ts_ns, bytes);
}

static void lazy_gap(struct lazy *l, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    if (l->started) {
        l->to.gap(l->to.arg, d, ts_ns, bytes);
    } else {
        l->gap[d] = true;
        l->gap_ns[d] = ts_ns;
    }
}

static void lazy_close(struct lazy *l, enum stream_dir d, int64_t ts_ns, bool reset)
{
    if (l->started) {
        l->to.close(l->to.arg, d, ts_ns, reset);
    } else {
        l->closed[d] = true;
        l->closed_ns[d] = ts_ns;
        l->reset[d] = reset;
    }
}

/* --- the two sinks of a connection ----------------------------------------------------
 */

static void outer_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct conn *c = arg;
    lazy_data(c, &c->outer, d, ts_ns, bytes);
}

static void outer_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    lazy_gap(&((struct conn *)arg)->outer, d, ts_ns, bytes);
}

static void outer_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    lazy_close(&((struct conn *)arg)->outer, d, ts_ns, reset);
}

static void inner_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct conn *c = arg;
    lazy_data(c, &c->inner, d, ts_ns, bytes);
}

static void inner_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    lazy_gap(&((struct conn *)arg)->inner, d, ts_ns, bytes);
}

static void inner_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    lazy_close(&((struct conn *)arg)->inner, d, ts_ns, reset);
}

static bool open_upper(struct conn *c, struct stream_sink *to)
{
    const struct conn_upper *u = &c->env->upper;
    const char *version = c->tls ? tls_version_name(tls_info(c->tls)->version) : NULL;
    c->upper = u->open(u->arg, &c->flow, version, to);
    c->env->stats.refused += !c->upper;
    return c->upper;
}

static bool start_plain(struct conn *c, struct slice first)
{
    (void)first;
    return open_upper(c, &c->inner.to);
}

static bool start(struct conn *c, struct slice first)
{
    struct stream_sink plain = { c, inner_data, inner_gap, inner_close };
    if (!tls_sniff(first)) {
        c->env->stats.clear++;
        return open_upper(c, &c->outer.to);
    }
    c->env->stats.tls++;
    c->tls = tls_new(&c->env->tls, c->env->secrets, &plain);
    if (c->tls)
        tls_sink(c->tls, &c->outer.to);
    else
        c->env->stats.refused++;
    return c->tls;
}

/* --- the life of a connection ---------------------------------------------------------
 */

static bool on_open(void *arg, const struct flow_info *info, struct stream_sink *sink)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    c->env = arg;
    c->flow = *info;
    c->outer.start = start;
    c->inner.start = start_plain;
    *sink = (struct stream_sink){ c, outer_data, outer_gap, outer_close };
    return true;
}

static void on_end(void *arg, struct stream_sink *sink, enum flow_end why)
{
    struct conn_env *env = arg;
    struct conn *c = sink->arg;
    (void)why;
    if (c->tls) {
        tls_give_up(c->tls);
        const struct tls_info *info = tls_info(c->tls);
        env->stats.dark += info->why != NULL;
        env->stats.dark_bytes += info->dark_bytes[0] + info->dark_bytes[1];
    }
    if (c->upper || c->tls)
        env->upper.end(env->upper.arg, c->upper, &c->flow,
                       c->tls ? tls_info(c->tls) : NULL);
    tls_free(c->tls);
    free(c);
}

struct flow_events conn_events(struct conn_env *env)
{
    return (struct flow_events){ env, on_open, on_end };
}

void conn_poll(struct stream_sink *sink)
{
    struct conn *c = sink->arg;
    if (c->tls)
        tls_poll(c->tls);
}
