/*
 * Ordered bytes of a TCP connection: see reassembly.h. Sequence numbers are widened to 64
 * bits at the door, so that inside nothing wraps.
 */
#include "agent/reassembly.h"

#include <assert.h>
#include <stdlib.h>

enum {
    HELD_PACKETS = 4,     /* a SYN that comes later than so many packets is not awaited */
    SEGMENT_COST = 64,    /* of a queued segment beside its bytes */
    ACK_WINDOW = 1 << 30, /* the largest window of TCP (RFC 7323) */
    RESET_WINDOW = 1 << 24, /* a reset farther off is somebody else's */
};

/* Where bytes stand in their direction. */
struct span {
    uint64_t at;
    int64_t ts_ns;
    uint32_t n;
    struct reassembly_ack ack; /* what the sender had received */
    bool lost;                 /* known to be missing: there are no bytes */
};

struct reassembly_segment {
    struct reassembly_segment *next;
    struct span s;
    char bytes[];
};

static enum stream_dir other(enum stream_dir d)
{
    return d == STREAM_UP ? STREAM_DOWN : STREAM_UP;
}

static uint64_t widen(uint64_t near, uint32_t seq)
{
    return near + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)near);
}

static void base_at(struct reassembly_side *s, uint32_t seq)
{
    s->next = (UINT64_C(1) << 32) + seq;
}

void reassembly_init(struct reassembly *r)
{
    *r = (struct reassembly){ .held = 0 };
}

/* --- queue ----------------------------------------------------------------------------
 */

static struct reassembly_segment *pop(struct reassembly *r, struct reassembly_env *env,
                                      struct reassembly_side *s)
{
    struct reassembly_segment *g = s->head;
    uint32_t cost = SEGMENT_COST + (g->s.lost ? 0 : g->s.n);
    assert(r->queued_bytes >= cost && env->queued_bytes >= cost);
    s->head = g->next;
    if (!s->head)
        s->tail = NULL;
    r->queued_bytes -= cost;
    env->queued_bytes -= cost;
    return g;
}

void reassembly_release(struct reassembly *r, struct reassembly_env *env)
{
    for (size_t d = 0; d < 2; d++)
        while (r->side[d].head)
            free(pop(r, env, &r->side[d]));
}

/* Put a copy of part of `g` behind *after, or in front of all. False: no memory. */
static bool put(struct reassembly *r, struct reassembly_env *env,
                struct reassembly_side *s, struct reassembly_segment **after,
                const struct span *g, const char *bytes)
{
    size_t n = g->lost ? 0 : g->n;
    struct reassembly_segment *copy = malloc(sizeof *copy + n);
    if (!copy)
        return false;
    copy->s = *g;
    if (n)
        memcpy(copy->bytes, bytes, n);
    struct reassembly_segment **link = *after ? &(*after)->next : &s->head;
    copy->next = *link;
    *link = copy;
    if (!copy->next)
        s->tail = copy;
    *after = copy;
    r->queued_bytes += (uint32_t)(SEGMENT_COST + n);
    env->queued_bytes += SEGMENT_COST + n;
    return true;
}

/* Queue those bytes of [at, at + n) that no queued segment has. */
static void enqueue(struct reassembly *r, struct reassembly_env *env,
                    struct reassembly_side *s, struct span g, const char *bytes)
{
    uint64_t end = g.at + g.n;
    struct reassembly_segment *before = NULL, *after;
    if (s->tail && s->tail->s.at + s->tail->s.n <= g.at)
        before = s->tail; /* the common case */
    while ((after = before ? before->next : s->head) != NULL && g.at < end) {
        uint64_t stop = after->s.at < end ? after->s.at : end;
        if (stop > g.at) {
            g.n = (uint32_t)(stop - g.at);
            if (!put(r, env, s, &before, &g, bytes))
                goto refused;
            bytes += g.lost ? 0 : g.n;
            g.at = stop;
        }
        uint64_t skip = after->s.at + after->s.n;
        if (skip > g.at && g.at >= after->s.at) {
            skip = skip < end ? skip : end;
            env->stats.repeated_bytes += g.lost ? 0 : skip - g.at;
            bytes += g.lost ? 0 : skip - g.at;
            g.at = skip;
        }
        before = after;
    }
    if (g.at >= end)
        return;
    g.n = (uint32_t)(end - g.at);
    if (put(r, env, s, &before, &g, bytes))
        return;
refused:
    env->stats.refused++;
}

/* --- handing up -----------------------------------------------------------------------
 */

static void tell_gap(struct reassembly_env *env, enum stream_dir d, int64_t ts_ns,
                     uint64_t bytes, const struct stream_sink *sink)
{
    env->stats.gaps++;
    env->stats.gap_bytes += bytes;
    sink->gap(sink->arg, d, ts_ns, bytes);
}

/* How far the other direction must have come for this to be its effect; 0: no matter. */
static uint64_t wanted(const struct reassembly *r, enum stream_dir d,
                       struct reassembly_ack ack)
{
    const struct reassembly_side *o = &r->side[other(d)];
    if (!ack.given || !o->based || o->closed)
        return 0;
    uint64_t at = widen(o->next, ack.seq);
    return at > o->next && at - o->next > ACK_WINDOW ? 0 : at; /* nonsense is no matter */
}

static bool caused(const struct reassembly *r, enum stream_dir d,
                   struct reassembly_ack ack)
{
    return wanted(r, d, ack) <= r->side[other(d)].next;
}

static bool drain_side(struct reassembly *r, struct reassembly_env *env,
                       enum stream_dir d, const struct stream_sink *sink)
{
    struct reassembly_side *s = &r->side[d];
    bool moved = false;
    while (s->based && s->head && s->head->s.at <= s->next &&
           caused(r, d, s->head->s.ack)) {
        struct reassembly_segment *g = pop(r, env, s);
        uint64_t end = g->s.at + g->s.n;
        if (end > s->next) {
            uint64_t skip = s->next - g->s.at;
            s->next = end;
            if (g->s.lost)
                tell_gap(env, d, g->s.ts_ns, g->s.n - skip, sink);
            else
                sink->data(sink->arg, d, g->s.ts_ns,
                           slice_from(slice_of(g->bytes, g->s.n), (size_t)skip));
        }
        free(g);
        moved = true;
    }
    if (!s->closed && s->based && s->ending && !s->head && s->next >= s->end_at &&
        caused(r, d, s->end_ack)) {
        s->closed = true;
        sink->close(sink->arg, d, s->end_ns, false);
        moved = true;
    }
    return moved;
}

static void drain(struct reassembly *r, struct reassembly_env *env,
                  const struct stream_sink *sink)
{
    bool up, down;
    do {
        up = drain_side(r, env, STREAM_UP, sink);
        down = drain_side(r, env, STREAM_DOWN, sink);
    } while (up || down);
}

/* --- the begin ------------------------------------------------------------------------
 */

/* Nobody saw the begin of this direction: it begins with the first byte queued. */
static void join_side(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                      int64_t ts_ns, const struct stream_sink *sink)
{
    struct reassembly_side *s = &r->side[d];
    if (s->based || (!s->head && !s->ending))
        return;
    s->next = s->head ? s->head->s.at : s->end_at;
    s->based = true;
    env->stats.joined++;
    tell_gap(env, d, s->head ? s->head->s.ts_ns : ts_ns, 0, sink);
}

static void join(struct reassembly *r, struct reassembly_env *env, int64_t ts_ns,
                 const struct stream_sink *sink)
{
    join_side(r, env, STREAM_UP, ts_ns, sink);
    join_side(r, env, STREAM_DOWN, ts_ns, sink);
    drain(r, env, sink);
}

/* `seq` is the first byte of this direction, for certain. */
static void begin_side(struct reassembly_side *s, uint32_t seq)
{
    if (s->based)
        return;
    if (s->next)
        s->next = widen(s->next, seq);
    else
        base_at(s, seq);
    s->based = s->syn = true;
    s->base = seq;
}

static void learn_begin(struct reassembly *r, enum stream_dir d, const struct packet *p)
{
    struct reassembly_side *s = &r->side[d], *o = &r->side[other(d)];
    if (p->flags & PACKET_SYN)
        begin_side(s, p->seq + 1);
    if ((p->flags & PACKET_ACK) && s->syn && !o->based && !(p->flags & PACKET_RST))
        begin_side(o, p->ack);
}

bool reassembly_is_new(const struct reassembly *r, enum stream_dir d,
                       const struct packet *p)
{
    const struct reassembly_side *s = &r->side[d];
    if (!(p->flags & PACKET_SYN) || (p->flags & PACKET_ACK) || !s->based)
        return false;
    return !s->syn || s->base != p->seq + 1;
}

/* --- giving up ------------------------------------------------------------------------
 */

static bool side_waits(const struct reassembly_side *s)
{
    return !s->closed && (s->head || s->ending);
}

bool reassembly_waits(const struct reassembly *r)
{
    return !reassembly_over(r) &&
           (r->reset || side_waits(&r->side[0]) || side_waits(&r->side[1]));
}

/* What an acknowledgement of all that was seen says: a FIN counts as a byte. */
static uint64_t reached(const struct reassembly_side *s)
{
    return s->next + (s->ending && s->next >= s->end_at);
}

struct hole {
    uint64_t to;      /* the first offset behind it at which something is known */
    int64_t since_ns; /* time of the packet that showed it */
};

/* The hole that direction d stands at, by its own queue or the other's patience. */
static bool find_hole(const struct reassembly *r, enum stream_dir d, struct hole *h)
{
    const struct reassembly_side *s = &r->side[d], *o = &r->side[other(d)];
    h->to = UINT64_MAX;
    if (!s->based || s->closed)
        return false;
    if (s->head && s->head->s.at <= s->next)
        return false; /* it waits for the other direction */
    if (s->head)
        *h = (struct hole){ s->head->s.at, s->head->s.ts_ns };
    else if (s->ending && s->end_at > s->next)
        *h = (struct hole){ s->end_at, s->end_ns };
    struct hole by = { 0, 0 }; /* what the other direction waits for */
    if (o->head && o->head->s.at <= o->next)
        by = (struct hole){ wanted(r, other(d), o->head->s.ack), o->head->s.ts_ns };
    else if (!o->head && o->ending && !o->closed && o->next >= o->end_at)
        by = (struct hole){ wanted(r, other(d), o->end_ack), o->end_ns };
    if (by.to > reached(s) && by.to < h->to)
        *h = by;
    return h->to != UINT64_MAX;
}

static void skip_hole(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                      const struct hole *h, const struct stream_sink *sink)
{
    struct reassembly_side *s = &r->side[d];
    uint64_t bytes = h->to - s->next;
    s->next = h->to;
    tell_gap(env, d, h->since_ns, bytes, sink);
    drain(r, env, sink);
}

/* Whatever blocks a drain, this passes it. False: nothing waits any more. */
static bool give_up_one(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                        const struct stream_sink *sink)
{
    struct hole up, down;
    join(r, env, now_ns, sink);
    bool has_up = find_hole(r, STREAM_UP, &up);
    bool has_down = find_hole(r, STREAM_DOWN, &down);
    if (has_up && (!has_down || up.since_ns <= down.since_ns)) {
        skip_hole(r, env, STREAM_UP, &up, sink);
    } else if (has_down) {
        skip_hole(r, env, STREAM_DOWN, &down, sink);
    } else { /* each waits for the other: no honest pair of hosts does that */
        for (enum stream_dir d = STREAM_UP; d <= STREAM_DOWN; d++) {
            has_up |= side_waits(&r->side[d]);
            r->side[d].end_ack.given = false;
            if (r->side[d].head)
                r->side[d].head->s.ack.given = false;
        }
        drain(r, env, sink);
    }
    return has_up || has_down;
}

void reassembly_yield(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                      const struct stream_sink *sink)
{
    give_up_one(r, env, now_ns, sink);
}

void reassembly_finish(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                       const struct stream_sink *sink)
{
    while (give_up_one(r, env, now_ns, sink))
        ;
    for (enum stream_dir d = STREAM_UP; d <= STREAM_DOWN; d++) {
        struct reassembly_side *s = &r->side[d];
        if (s->closed)
            continue;
        if (!r->reset)
            sink->gap(sink->arg, d, now_ns, 0);
        s->closed = true;
        sink->close(sink->arg, d, r->reset ? r->reset_ns : now_ns, r->reset);
    }
    reassembly_release(r, env);
}

/* When the wait of this direction began; INT64_MAX: it does not wait. */
static int64_t waits_since(const struct reassembly_side *s)
{
    if (!side_waits(s))
        return INT64_MAX;
    return s->head ? s->head->s.ts_ns : s->end_ns;
}

void reassembly_tick(struct reassembly *r, struct reassembly_env *env, int64_t now_ns,
                     const struct stream_sink *sink)
{
    const struct reassembly_limits *lim = &env->limits;
    if (r->reset && now_ns - r->reset_ns >= lim->reorder_ns) {
        reassembly_finish(r, env, now_ns, sink);
        return;
    }
    for (enum stream_dir d = STREAM_UP; d <= STREAM_DOWN; d++) {
        const struct reassembly_side *s = &r->side[d];
        struct hole h;
        if (!s->based && waits_since(s) <= now_ns - lim->reorder_ns)
            join(r, env, now_ns, sink);
        while (find_hole(r, d, &h)) {
            int64_t patience = s->acked > s->next ? lim->reorder_ns : lim->hole_ns;
            if (now_ns - h.since_ns < patience)
                break;
            skip_hole(r, env, d, &h, sink);
        }
    }
    int64_t up = waits_since(&r->side[STREAM_UP]);
    int64_t down = waits_since(&r->side[STREAM_DOWN]);
    if ((up < down ? up : down) <= now_ns - 2 * lim->hole_ns)
        give_up_one(r, env, now_ns, sink);
}

/* --- feeding --------------------------------------------------------------------------
 */

static struct reassembly_ack ack_of(const struct packet *p)
{
    return (struct reassembly_ack){ p->ack, (p->flags & PACKET_ACK) != 0 };
}

/* Data of direction d; `lost` bytes of it were never captured. */
static void take_data(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                      struct span g, const char *bytes, const struct stream_sink *sink)
{
    struct reassembly_side *s = &r->side[d];
    if (g.n == 0)
        return;
    if (s->based && g.at + g.n <= s->next) {
        env->stats.repeated_bytes += g.lost ? 0 : g.n;
        return;
    }
    bool in_order = s->based && !s->head && g.at <= s->next && caused(r, d, g.ack);
    if (in_order && !g.lost) {
        size_t skip = (size_t)(s->next - g.at);
        env->stats.repeated_bytes += skip;
        s->next = g.at + g.n;
        sink->data(sink->arg, d, g.ts_ns, slice_from(slice_of(bytes, g.n), skip));
        return;
    }
    env->stats.out_of_order += !g.lost && !in_order;
    if (s->based && g.at < s->next) {
        uint32_t skip = (uint32_t)(s->next - g.at);
        env->stats.repeated_bytes += g.lost ? 0 : skip;
        bytes += g.lost ? 0 : skip;
        g.at += skip;
        g.n -= skip;
    }
    enqueue(r, env, s, g, bytes);
}

/* FIN and RST; `at` is the offset behind the segment's last byte. */
static void take_end(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                     const struct packet *p, uint64_t at, int64_t ts_ns)
{
    struct reassembly_side *s = &r->side[d];
    if (p->flags & PACKET_RST) {
        uint64_t off = at > s->next ? at - s->next : s->next - at;
        if (s->based && off > RESET_WINDOW) {
            env->stats.refused++;
        } else if (!r->reset) {
            r->reset = true;
            r->reset_ns = ts_ns;
        }
    } else if ((p->flags & PACKET_FIN) && !s->ending) {
        s->ending = true;
        s->end_at = at;
        s->end_ack = ack_of(p);
        s->end_ns = ts_ns;
    }
}

/* The highest acknowledgement tells a loss of the network from one of the capture. */
static void learn_ack(struct reassembly *r, enum stream_dir d, const struct packet *p)
{
    struct reassembly_side *o = &r->side[other(d)];
    uint64_t at = wanted(r, d, ack_of(p));
    o->acked = at > o->acked ? at : o->acked;
}

static void make_room(struct reassembly *r, struct reassembly_env *env, int64_t ts_ns,
                      const struct stream_sink *sink)
{
    while (r->queued_bytes > env->limits.flow_bytes)
        reassembly_yield(r, env, ts_ns, sink);
}

void reassembly_feed(struct reassembly *r, struct reassembly_env *env, enum stream_dir d,
                     const struct packet *p, int64_t ts_ns,
                     const struct stream_sink *sink)
{
    struct reassembly_side *s = &r->side[d];
    uint32_t seq = p->seq + ((p->flags & PACKET_SYN) != 0);
    uint32_t n = (uint32_t)p->payload.n;
    if (s->closed || (p->flags & PACKET_SYN && s->syn && s->base != seq)) {
        take_end(r, env, d, p, s->next, ts_ns);
        learn_ack(r, d, p);
        env->stats.refused += n != 0;
        return;
    }
    learn_begin(r, d, p);
    learn_ack(r, d, p);
    if (!s->next)
        base_at(s, seq);
    struct span g = {
        .at = widen(s->next, seq), .ack = ack_of(p), .ts_ns = ts_ns, .n = n
    };
    uint64_t end = g.at + n + p->missing;
    /* a keep-alive probe with its one byte of garbage, on a connection joined here */
    bool probe = !s->based && !s->head && n == 1 && p->payload.p[0] == 0;
    env->stats.segments += n || p->missing;
    if (!probe)
        take_data(r, env, d, g, p->payload.p, sink);
    g.at += n;
    g.n = p->missing;
    g.lost = true;
    take_data(r, env, d, g, "", sink); /* none: but a pointer that can be added to */
    take_end(r, env, d, p, end, ts_ns);
    if ((!s->based || !r->side[other(d)].based) && ++r->held >= HELD_PACKETS)
        join(r, env, ts_ns, sink);
    drain(r, env, sink);
    make_room(r, env, ts_ns, sink);
}
