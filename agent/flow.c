/*
 * Bounded table of connections: see flow.h. Open addressing with backward-shift deletion;
 * three lists: live ones by last packet, those that wait for bytes, those that are over.
 */
#include "agent/flow.h"

#include <assert.h>
#include <stdlib.h>

struct link {
    struct link *prev, *next;
};

struct flow {
    struct link life; /* in live or over */
    struct link wait; /* in waiting; unlinked when next is NULL */
    struct flow_table *table;
    uint64_t hash;
    struct flow_info info;
    struct reassembly r;
    int64_t last_ns, checked_ns;
    bool opened, over;
    struct stream_sink sink;
};

struct flow_table {
    struct flow_limits limits;
    struct flow_events events;
    uint64_t seed;
    struct flow **slots;
    size_t mask, count;
    struct link live, waiting, over; /* heads; the oldest is first */
    int64_t now_ns;                  /* the latest time seen */
    struct reassembly_env env;
    struct flow_stats stats;
};

const char *flow_end_name(enum flow_end why)
{
    static const char *const names[] = { "closed", "idle", "evicted", "reused",
                                         "capture ended" };
    return why < FLOW_ENDS ? names[why] : "unknown";
}

struct flow_limits flow_limits_default(void)
{
    const int64_t second = 1000000000;
    return (struct flow_limits){ .max_flows = 10000,
                                 .idle_ns = 900 * second,
                                 .linger_ns = 10 * second,
                                 .reassembly = { .flow_bytes = 1 << 20,
                                                 .total_bytes = 16 << 20,
                                                 .reorder_ns = second / 5,
                                                 .hole_ns = 10 * second } };
}

/* --- lists ----------------------------------------------------------------------------
 */

static void link_init(struct link *head)
{
    head->prev = head->next = head;
}

static void link_append(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static void link_remove(struct link *l)
{
    if (!l->next)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = NULL;
}

static struct flow *of_life(struct link *l)
{
    return (struct flow *)(void *)((char *)l - offsetof(struct flow, life));
}

static struct flow *of_wait(struct link *l)
{
    return (struct flow *)(void *)((char *)l - offsetof(struct flow, wait));
}

/* --- slots ----------------------------------------------------------------------------
 */

static bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* The same for both directions. */
static uint64_t hash_of(const struct flow_table *t, const struct packet *p)
{
    struct endpoint both[2] = { p->src, p->dst };
    if (memcmp(&p->src, &p->dst, sizeof p->src) > 0) {
        both[0] = p->dst;
        both[1] = p->src;
    }
    return slice_hash(slice_of(both, sizeof both), t->seed);
}

static struct flow *lookup(const struct flow_table *t, uint64_t hash,
                           const struct packet *p, enum stream_dir *d)
{
    for (size_t at = hash & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
        struct flow *f = t->slots[at];
        const struct flow_info *i = &f->info;
        if (f->hash != hash)
            continue;
        bool up =
            endpoint_same(&i->client, &p->src) && endpoint_same(&i->server, &p->dst);
        bool down =
            endpoint_same(&i->client, &p->dst) && endpoint_same(&i->server, &p->src);
        *d = up ? STREAM_UP : STREAM_DOWN;
        if (up || down)
            return f;
    }
    return NULL;
}

static void slot_insert(struct flow_table *t, struct flow *f)
{
    size_t at = f->hash & t->mask;
    while (t->slots[at])
        at = (at + 1) & t->mask;
    t->slots[at] = f;
    t->count++;
}

static void slot_remove(struct flow_table *t, const struct flow *f)
{
    size_t hole = f->hash & t->mask;
    while (t->slots[hole] != f)
        hole = (hole + 1) & t->mask;
    for (size_t at = (hole + 1) & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
        size_t home = t->slots[at]->hash & t->mask;
        if (((at - home) & t->mask) < ((at - hole) & t->mask))
            continue; /* it may not move before its home */
        t->slots[hole] = t->slots[at];
        hole = at;
    }
    t->slots[hole] = NULL;
    t->count--;
}

/* --- between reassembly and the sink above --------------------------------------------
 */

static void open_sink(struct flow *f)
{
    struct flow_table *t = f->table;
    f->opened = true;
    f->info.joined = !f->r.side[STREAM_UP].syn;
    if (!t->events.open(t->events.arg, &f->info, &f->sink))
        f->sink = (struct stream_sink){ .arg = NULL };
    for (enum stream_dir d = STREAM_UP; f->sink.close && d <= STREAM_DOWN; d++)
        if (f->r.side[d].closed) /* it ended without a byte, before there was a sink */
            f->sink.close(f->sink.arg, d, f->r.side[d].end_ns, f->r.reset);
}

static bool opened(struct flow *f)
{
    if (!f->opened)
        open_sink(f);
    f->table->stats.unwanted += !f->sink.data;
    return f->sink.data != NULL;
}

static void on_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct flow *f = arg;
    if (opened(f))
        f->sink.data(f->sink.arg, d, ts_ns, bytes);
}

static void on_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct flow *f = arg;
    if (opened(f))
        f->sink.gap(f->sink.arg, d, ts_ns, bytes);
}

/* A connection that never had a byte needs no sink. */
static void on_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct flow *f = arg;
    if (f->opened && f->sink.data)
        f->sink.close(f->sink.arg, d, ts_ns, reset);
}

static struct stream_sink inner_sink(struct flow *f)
{
    return (struct stream_sink){
        .arg = f, .data = on_data, .gap = on_gap, .close = on_close
    };
}

/* --- life and end ---------------------------------------------------------------------
 */

static void end_flow(struct flow *f, enum flow_end why)
{
    struct flow_table *t = f->table;
    struct stream_sink inner = inner_sink(f);
    if (f->over)
        return;
    if (!reassembly_over(&f->r))
        reassembly_finish(&f->r, &t->env, t->now_ns, &inner);
    reassembly_release(&f->r, &t->env);
    f->over = true;
    t->stats.ended[why]++;
    if (f->opened && f->sink.data)
        t->events.end(t->events.arg, &f->sink, why);
    link_remove(&f->wait);
    link_remove(&f->life);
    link_append(&t->over, &f->life);
}

static void forget(struct flow *f, enum flow_end why)
{
    end_flow(f, why);
    link_remove(&f->life);
    slot_remove(f->table, f);
    free(f);
}

static void make_room(struct flow_table *t)
{
    if (t->count < t->limits.max_flows)
        return;
    struct link *oldest = t->over.next != &t->over ? t->over.next : t->live.next;
    forget(of_life(oldest), FLOW_EVICTED);
}

/* Is p, the first packet of its connection, from the server? */
static bool from_server(const struct packet *p)
{
    enum { EPHEMERAL = 32768 }; /* where Linux begins to choose ports of clients */
    uint16_t src = p->src.port, dst = p->dst.port;
    if (p->flags & PACKET_SYN)
        return p->flags & PACKET_ACK;
    if ((src < EPHEMERAL) != (dst < EPHEMERAL))
        return src < dst;
    return src < 1024 && dst >= 1024;
}

static struct flow *begin(struct flow_table *t, uint64_t hash, const struct packet *p,
                          int64_t ts_ns)
{
    make_room(t);
    struct flow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    bool down = from_server(p);
    f->table = t;
    f->hash = hash;
    f->info = (struct flow_info){ .client = down ? p->dst : p->src,
                                  .server = down ? p->src : p->dst,
                                  .ts_ns = ts_ns };
    reassembly_init(&f->r);
    slot_insert(t, f);
    link_append(&t->live, &f->life);
    t->stats.flows++;
    return f;
}

/* A SYN says who is the client; nothing was handed up yet, so the sides may change. */
static void turn(struct flow *f)
{
    struct endpoint e = f->info.client;
    struct reassembly_side s = f->r.side[STREAM_UP];
    f->info.client = f->info.server;
    f->info.server = e;
    f->r.side[STREAM_UP] = f->r.side[STREAM_DOWN];
    f->r.side[STREAM_DOWN] = s;
}

struct flow_table *flow_table_new(const struct flow_limits *limits,
                                  const struct flow_events *events, uint64_t seed)
{
    struct flow_table *t = calloc(1, sizeof *t);
    size_t n = 64;
    assert(limits->max_flows > 0);
    while (n < limits->max_flows * 2)
        n *= 2;
    if (t)
        t->slots = calloc(n, sizeof(struct flow *));
    if (!t || !t->slots) {
        free(t);
        return NULL;
    }
    t->limits = *limits;
    t->events = *events;
    t->seed = seed;
    t->mask = n - 1;
    t->now_ns = INT64_MIN;
    t->env.limits = limits->reassembly;
    link_init(&t->live);
    link_init(&t->waiting);
    link_init(&t->over);
    return t;
}

void flow_table_finish(struct flow_table *t)
{
    while (t->live.next != &t->live)
        forget(of_life(t->live.next), FLOW_FINISH);
    while (t->over.next != &t->over)
        forget(of_life(t->over.next), FLOW_FINISH);
}

void flow_table_free(struct flow_table *t)
{
    if (!t)
        return;
    flow_table_finish(t);
    free(t->slots);
    free(t);
}

size_t flow_table_count(const struct flow_table *t)
{
    return t->count;
}

const struct flow_stats *flow_table_stats(const struct flow_table *t)
{
    return &t->stats;
}

const struct reassembly_stats *flow_table_reassembly(const struct flow_table *t)
{
    return &t->env.stats;
}

/* --- time and packets -----------------------------------------------------------------
 */

/* After anything happened to f: over, waiting, or neither. */
static void settle(struct flow *f, bool checked)
{
    struct flow_table *t = f->table;
    if (reassembly_over(&f->r)) {
        end_flow(f, FLOW_CLOSED);
    } else if (!reassembly_waits(&f->r)) {
        link_remove(&f->wait);
    } else if (checked || !f->wait.next) {
        f->checked_ns = t->now_ns;
        link_remove(&f->wait);
        link_append(&t->waiting, &f->wait);
    }
}

void flow_table_expire(struct flow_table *t, int64_t now_ns)
{
    if (now_ns <= t->now_ns)
        return;
    t->now_ns = now_ns;
    while (t->waiting.next != &t->waiting) {
        struct flow *f = of_wait(t->waiting.next);
        struct stream_sink inner = inner_sink(f);
        if (now_ns - f->checked_ns < t->limits.reassembly.reorder_ns)
            break;
        reassembly_tick(&f->r, &t->env, now_ns, &inner);
        settle(f, true);
    }
    while (t->live.next != &t->live &&
           now_ns - of_life(t->live.next)->last_ns >= t->limits.idle_ns)
        forget(of_life(t->live.next), FLOW_IDLE);
    while (t->over.next != &t->over &&
           now_ns - of_life(t->over.next)->last_ns >= t->limits.linger_ns)
        forget(of_life(t->over.next), FLOW_IDLE);
}

/* All connections together queue too much: the one that waits longest gives up. */
static void spend_less(struct flow_table *t)
{
    struct link *l = t->waiting.next;
    while (t->env.queued_bytes > t->limits.reassembly.total_bytes) {
        assert(l != &t->waiting);
        struct flow *f = of_wait(l);
        struct stream_sink inner = inner_sink(f);
        if (f->r.queued_bytes == 0) { /* it waits for something else */
            l = l->next;
            continue;
        }
        reassembly_yield(&f->r, &t->env, t->now_ns, &inner);
        settle(f, false);
        l = t->waiting.next;
    }
}

enum status flow_table_feed(struct flow_table *t, const struct packet *p, int64_t ts_ns)
{
    enum stream_dir d = STREAM_UP;
    bool syn = p->flags & PACKET_SYN, nothing = !p->payload.n && !p->missing;
    flow_table_expire(t, ts_ns);
    uint64_t hash = hash_of(t, p);
    struct flow *f = lookup(t, hash, p, &d);
    if (f && reassembly_is_new(&f->r, d, p)) {
        forget(f, FLOW_REUSED);
        f = NULL;
    }
    if (!f && nothing && !syn) {
        t->stats.stray++;
        return ST_OK;
    }
    if (!f) {
        f = begin(t, hash, p, ts_ns);
        if (!f)
            return ST_NOMEM;
        d = endpoint_same(&f->info.client, &p->src) ? STREAM_UP : STREAM_DOWN;
    }
    f->last_ns = t->now_ns;
    if (f->over)
        return ST_OK;
    if (syn && !f->opened && (d == STREAM_UP) == ((p->flags & PACKET_ACK) != 0)) {
        turn(f);
        d = d == STREAM_UP ? STREAM_DOWN : STREAM_UP;
    }
    link_remove(&f->life);
    link_append(&t->live, &f->life);
    struct stream_sink inner = inner_sink(f);
    reassembly_feed(&f->r, &t->env, d, p, ts_ns, &inner);
    settle(f, false);
    spend_less(t);
    return ST_OK;
}
