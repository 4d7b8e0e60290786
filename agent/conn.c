/* From flow to plaintext: see conn.h. */
#include "agent/conn.h"

#include "agent/tunnel.h"

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
    struct conn_link all, sealed, awake; /* unlinked when next is NULL */
    struct flow_info flow;
    bool ended;              /* its flow is gone; it waits for secrets */
    size_t held;             /* what tls holds, as summed up in env */
    uint64_t skipped;        /* the same of what it let go */
    int64_t held_ns, now_ns; /* since when it waits; the last time seen */
    struct dark dark, told;  /* told: as said above last */
    bool was_told;
    struct tls *tls; /* NULL in clear */
    unsigned looks_tls;
    struct tunnel tunnel;
    bool began;     /* its first bytes are a begin, whatever was not seen before them */
    bool seen[2];   /* bytes came */
    bool unseen[2]; /* and before them, perhaps, others: not told yet */
    int64_t unseen_ns[2];
    void *upper;
    struct lazy outer, inner; /* of reassembly's bytes; of the plaintext of tls */
};

/* --- lists ----------------------------------------------------------------------------
 */

static void append(struct conn_link *head, struct conn_link *l)
{
    if (!head->next)
        head->prev = head->next = head; /* a zeroed env */
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static void unlink_from(struct conn_link *l)
{
    if (!l->next)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = NULL;
}

static struct conn *of_all(struct conn_link *l)
{
    return (struct conn *)(void *)((char *)l - offsetof(struct conn, all));
}

static struct conn *of_sealed(struct conn_link *l)
{
    return (struct conn *)(void *)((char *)l - offsetof(struct conn, sealed));
}

static struct conn *of_awake(struct conn_link *l)
{
    return (struct conn *)(void *)((char *)l - offsetof(struct conn, awake));
}

/*
 * Thousands of connections idle in clients' pools; so many that are busy keep what makes
 * reading fast.
 */
enum { AWAKE_MOST = 256 };

static void stay_awake(struct conn *c)
{
    struct conn_env *env = c->env;
    if (env->awake.prev == &c->awake)
        return;
    env->n_awake += !c->awake.next;
    unlink_from(&c->awake);
    append(&env->awake, &c->awake);
    if (env->n_awake <= AWAKE_MOST)
        return;
    struct conn *oldest = of_awake(env->awake.next);
    tls_rest(oldest->tls);
    unlink_from(&oldest->awake);
    env->n_awake--;
}

/* A connection that waits costs this beside its bytes: so their number is bounded too. */
enum { SEALED_COST = 4096 };

enum { TLS_DATA = 23, TLS_RECORD_HEAD = 5, LOOKS_MOST = 2 };

/* What tls holds may have changed. */
static void settle(struct conn *c)
{
    struct conn_env *env = c->env;
    size_t held = (size_t)tls_info(c->tls)->held_bytes;
    env->stats.skipped_bytes += tls_info(c->tls)->skipped_bytes - c->skipped;
    c->skipped = tls_info(c->tls)->skipped_bytes;
    held += held ? SEALED_COST : 0;
    if (held && !c->sealed.next) {
        c->held_ns = c->now_ns;
        append(&env->sealed, &c->sealed);
        env->stats.sealed++;
    } else if (!held && c->sealed.next) {
        unlink_from(&c->sealed);
        env->stats.sealed--;
    }
    env->stats.sealed_bytes += held;
    env->stats.sealed_bytes -= c->held;
    c->held = held;
}

static void end_conn(struct conn *c);

static void give_up(struct conn *c)
{
    tls_give_up(c->tls);
    settle(c);
    if (c->ended)
        end_conn(c);
}

/* The limit of all together: who waits longest gives up. */
static void spend_less(struct conn_env *env)
{
    while (env->sealed_total && env->stats.sealed_bytes > env->sealed_total) {
        env->stats.too_much++;
        give_up(of_sealed(env->sealed.next));
    }
}

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

/*
 * Joined inside of a record, TLS looks like nothing. It tells itself by segments that
 * begin with the head of a record; one may be chance.
 */
static void turn_out_tls(struct conn *c, struct slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    struct lazy *l = &c->outer;
    if (c->tls || !l->started || !(l->gap[STREAM_UP] || l->gap[STREAM_DOWN]) ||
        bytes.n < TLS_RECORD_HEAD || p[0] != TLS_DATA || p[2] != 3 || !tls_sniff(bytes) ||
        ++c->looks_tls < LOOKS_MOST)
        return;
    if (c->upper)
        c->env->upper.end(c->env->upper.arg, c->upper, &c->flow, NULL);
    c->upper = NULL;
    c->env->stats.clear--;
    l->started = false;
}

static void tell_gap(struct conn *c, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    tunnel_gap(&c->tunnel);
    lazy_gap(&c->outer, d, ts_ns, bytes);
    dark_gap(&c->dark, d);
    if (c->tls)
        settle(c);
}

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, ALERT = 21, HANDSHAKE = 22 };
enum { H2_TYPE = 3, H2_FLAGS = 4, H2_SETTINGS = 4, H2_HEAD = 9 };

static bool is_settings(struct slice s)
{
    return s.n >= H2_HEAD && s.p[H2_TYPE] == H2_SETTINGS && !s.p[H2_FLAGS];
}

/*
 * The handshake of TCP was not captured, but can these, the first bytes of a direction,
 * only be its begin? Clients say once what begins with such words, and servers answer.
 */
static bool begins(struct conn *c, enum stream_dir d, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    bool tls = s.n > TLS_RECORD_HEAD && p[1] == 3;
    int hello = tls && p[0] == HANDSHAKE ? p[TLS_RECORD_HEAD] : -1;
    if (d == STREAM_DOWN)
        return c->began && (hello == SERVER_HELLO || (tls && p[0] == ALERT) ||
                            is_settings(s) || slice_starts(s, SLICE("HTTP/1.")));
    c->began = hello == CLIENT_HELLO || slice_starts(s, SLICE("CONNECT ")) ||
               slice_starts(s, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    return c->began;
}

static void tell_unseen(struct conn *c, enum stream_dir d)
{
    if (c->unseen[d])
        tell_gap(c, d, c->unseen_ns[d], 0);
    c->unseen[d] = false;
}

static void look_at_begin(struct conn *c, enum stream_dir d, struct slice bytes)
{
    bool first = !c->seen[d];
    c->seen[d] = true;
    if (first && c->unseen[d] && begins(c, d, bytes))
        c->unseen[d] = false;
    else if (first && d == STREAM_DOWN && !c->seen[STREAM_UP] && is_settings(bytes))
        return; /* a server that speaks first: what the client says first will tell */
    if (first && d == STREAM_UP && c->began && c->seen[STREAM_DOWN])
        c->unseen[STREAM_DOWN] = false;
    if (d == STREAM_UP && c->seen[STREAM_DOWN])
        tell_unseen(c, STREAM_DOWN);
    tell_unseen(c, d);
}

static void outer_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct conn *c = arg;
    look_at_begin(c, d, bytes);
    struct slice none = tunnel_take(&c->tunnel, d, &bytes);
    lazy_data(c, &c->outer, STREAM_UP, ts_ns, none);
    if (!bytes.n)
        return;
    turn_out_tls(c, bytes);
    lazy_data(c, &c->outer, d, ts_ns, bytes);
    if (!c->tls)
        return;
    c->now_ns = ts_ns;
    stay_awake(c);
    if (!c->upper)
        dark_data(&c->dark, d, bytes);
    settle(c);
    spend_less(c->env);
}

static void outer_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct conn *c = arg;
    if (!bytes && !c->seen[d]) { /* joined: what comes first may tell that it was not */
        c->unseen[d] = true;
        c->unseen_ns[d] = ts_ns;
        return;
    }
    tell_unseen(c, d);
    tell_gap(c, d, ts_ns, bytes);
}

static void outer_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct conn *c = arg;
    tell_unseen(c, d);
    lazy_close(&c->outer, d, ts_ns, reset);
    if (c->tls)
        settle(c);
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
    c->upper = u->open(u->arg, &c->flow, c->tls ? tls_info(c->tls) : NULL, to);
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
    if (c->tls) {
        tls_sink(c->tls, &c->outer.to);
        append(&c->env->all, &c->all);
    } else {
        c->env->stats.refused++;
    }
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

static void tell_dark(struct conn *c)
{
    const struct conn_upper *u = &c->env->upper;
    const struct tls_info *info = tls_info(c->tls);
    if (c->upper || !info->why || !u->dark)
        return;
    const struct conn_dark since = { .first = !c->was_told,
                                     .up = c->dark.up - c->told.up,
                                     .down = c->dark.down - c->told.down,
                                     .bursts = c->dark.bursts - c->told.bursts };
    if (!since.first && !since.up && !since.down)
        return;
    c->told = c->dark;
    c->was_told = true;
    u->dark(u->arg, &c->flow, info, &since, c->now_ns);
}

/* Nothing is held any more. */
static void end_conn(struct conn *c)
{
    struct conn_env *env = c->env;
    env->stats.tunnels += tunnel_given(&c->tunnel);
    if (c->tls) {
        const struct tls_info *info = tls_info(c->tls);
        env->stats.dark += info->why != NULL;
        env->stats.dark_bytes += info->dark_bytes[0] + info->dark_bytes[1];
        tell_dark(c);
    }
    if (c->upper || c->tls)
        env->upper.end(env->upper.arg, c->upper, &c->flow,
                       c->tls ? tls_info(c->tls) : NULL);
    unlink_from(&c->all);
    env->n_awake -= c->awake.next != NULL;
    unlink_from(&c->awake);
    tls_free(c->tls);
    free(c);
}

static void on_end(void *arg, struct stream_sink *sink, enum flow_end why)
{
    struct conn_env *env = arg;
    struct conn *c = sink->arg;
    c->ended = true;
    if (c->held && env->sealed_ns > 0 && why != FLOW_FINISH)
        return; /* its secrets may still come */
    if (c->tls)
        give_up(c);
    else
        end_conn(c);
}

void conn_sweep(struct conn_env *env, int64_t now_ns, bool tell)
{
    struct conn_link *next = NULL;
    uint64_t version = secrets_version(env->secrets);
    bool news = version != env->asked;
    env->asked = version;
    for (struct conn_link *l = env->sealed.next; l && l != &env->sealed; l = next) {
        struct conn *c = of_sealed(l);
        bool late = env->sealed_ns > 0 && now_ns - c->held_ns > env->sealed_ns;
        next = l->next;
        if (!news && !late)
            break;
        if (news) {
            tls_poll(c->tls);
            stay_awake(c); /* it may have keys now */
        }
        settle(c);
        env->stats.too_late += late && c->held;
        if (late && c->held)
            give_up(c);
        else if (c->ended && !c->held)
            end_conn(c);
    }
    for (struct conn_link *l = env->all.next; tell && l && l != &env->all; l = l->next)
        tell_dark(of_all(l));
}

void conn_release(struct conn_env *env)
{
    while (env->sealed.next && env->sealed.next != &env->sealed)
        give_up(of_sealed(env->sealed.next));
}

struct flow_events conn_events(struct conn_env *env)
{
    return (struct flow_events){ env, on_open, on_end };
}

void conn_poll(struct stream_sink *sink)
{
    struct conn *c = sink->arg;
    if (!c->tls)
        return;
    tls_poll(c->tls);
    settle(c);
}
