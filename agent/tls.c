/* Passive TLS, its public face and what waits for secrets: see tls.h, tls_private.h. */
#include "agent/tls_private.h"

#include <assert.h>
#include <stdlib.h>

enum {
    HELD_BYTES = 65536,
    EVENTS_MOST = 4096, /* held beyond the limit: events without bytes */
    SEEK_TRIES = 4096,
    SLACK_MOST = 1024,
    TLS_TYPE_CCS = 20,
};

struct tls *tls_new(const struct tls_options *o, struct secrets *s,
                    const struct stream_sink *inner)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->o = *o;
    if (!t->o.held_bytes)
        t->o.held_bytes = HELD_BYTES;
    if (!t->o.seek_tries)
        t->o.seek_tries = SEEK_TRIES;
    t->secrets = s;
    t->inner = *inner;
    t->asked = UINT64_MAX;
    return t;
}

static void release_dir(struct tls_dir *dir)
{
    tls_key_release(&dir->handshake);
    tls_key_release(&dir->traffic);
    buf_release(&dir->messages.body);
    buf_release(&dir->part);
    dir->messages = (struct tls_messages){ 0 };
    dir->part = (struct buf){ 0 };
}

void tls_rest(struct tls *t)
{
    for (int d = 0; d < 2; d++) {
        tls_key_rest(&t->dir[d].handshake);
        tls_key_rest(&t->dir[d].traffic);
    }
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    release_dir(&t->dir[STREAM_UP]);
    release_dir(&t->dir[STREAM_DOWN]);
    buf_release(&t->held);
    explicit_bzero(t, sizeof *t);
    free(t);
}

const struct tls_info *tls_info(const struct tls *t)
{
    return &t->info;
}

static void tell_gap(struct tls *t, enum stream_dir d, int64_t ts_ns)
{
    if (t->dir[d].closed)
        return;
    t->info.gaps[d]++;
    t->inner.gap(t->inner.arg, d, ts_ns, 0);
}

void tls_die(struct tls *t, enum stream_dir d, int64_t ts_ns, const char *why)
{
    struct tls_dir *dir = &t->dir[d];
    if (dir->epoch == TLS_DEAD)
        return;
    t->info.dark_bytes[d] += dir->part.n;
    release_dir(dir);
    dir->epoch = TLS_DEAD;
    t->info.why = why;
    if (t->dir[STREAM_UP].epoch == TLS_DEAD && t->dir[STREAM_DOWN].epoch == TLS_DEAD)
        t->info.state = TLS_DARK;
    tell_gap(t, d, ts_ns);
}

/* --- events ---------------------------------------------------------------------------
 */

static void on_gap(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    if (dir->epoch == TLS_DEAD)
        return;
    dir->slack = SLACK_MOST - dir->slack < ev->lost ? SLACK_MOST : dir->slack + ev->lost;
    dir->messages.head_n = 0;
    dir->messages.left = 0;
    buf_reset(&dir->messages.body);
    tell_gap(t, ev->d, ev->ts_ns);
}

/* False: not yet, their number is that of a key. */
static bool on_skip(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    struct tls_event gap = *ev;
    if (dir->epoch != TLS_DEAD && !tls_keys_ready(t))
        return false;
    if (dir->epoch == TLS_TRAFFIC) {
        dir->traffic.seq += ev->lost;
        gap.lost = 0;
    }
    on_gap(t, &gap);
    return true;
}

static void on_close(struct tls *t, const struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    if (dir->closed)
        return;
    if (dir->epoch == TLS_HANDSHAKE && dir->failed)
        tls_die(t, ev->d, ev->ts_ns, "the secrets do not fit");
    dir->closed = true;
    t->inner.close(t->inner.arg, ev->d, ev->ts_ns, ev->reset);
}

/* False: not yet. */
static bool act(struct tls *t, const struct tls_event *ev)
{
    switch (ev->what) {
    case TLS_RECORD:
        return tls_record(t, ev);
    case TLS_GAP:
        on_gap(t, ev);
        return true;
    case TLS_SKIP:
        return on_skip(t, ev);
    case TLS_CLOSE:
        on_close(t, ev);
    }
    return true;
}

/* --- what waits -----------------------------------------------------------------------
 * t->held: events one after the other, each followed by its bytes. */

static bool next_held(const struct buf *held, size_t *at, struct tls_event *ev)
{
    if (*at == held->n)
        return false;
    memcpy(ev, held->p + *at, sizeof *ev);
    ev->bytes.p = held->p + *at + sizeof *ev;
    *at += sizeof *ev + ev->bytes.n;
    return true;
}

static void none_held(struct tls *t)
{
    t->held = (struct buf){ 0 };
    t->info.held_bytes = 0;
    for (int d = 0; d < 2; d++)
        t->dir[d].held = t->dir[d].held_bytes = t->dir[d].skips = 0;
}

/* No more waiting: what is held is dark. */
static void drop_held(struct tls *t, const char *why)
{
    struct buf held = t->held;
    struct tls_event ev;
    none_held(t);
    for (size_t at = 0; next_held(&held, &at, &ev);) {
        tls_die(t, STREAM_UP, ev.ts_ns, why);
        tls_die(t, STREAM_DOWN, ev.ts_ns, why);
        act(t, &ev);
    }
    buf_release(&held);
}

/*
 * There is no room for this record to wait: it is one more of those that are counted.
 * Handshakes come first, so it is one of those with a number that a gap can skip. A
 * request leaves half of the room to replies, which have the numbers that count.
 */
static bool let_go(struct tls *t, struct tls_event *ev)
{
    struct tls_dir *dir = &t->dir[ev->d];
    size_t most = t->o.held_bytes;
    bool full = t->held.n + sizeof *ev + ev->bytes.n > most ||
                (ev->d == STREAM_UP && dir->held_bytes + ev->bytes.n > most / 2);
    if (ev->what != TLS_RECORD || !t->suite || most == TLS_HELD_NONE || !full)
        return false;
    bool counts = ev->bytes.p[0] != TLS_TYPE_CCS;
    t->info.dark_bytes[ev->d] += ev->bytes.n;
    t->info.skipped_bytes += ev->bytes.n;
    *ev = (struct tls_event){
        .what = TLS_SKIP, .d = ev->d, .ts_ns = ev->ts_ns, .lost = counts
    };
    if (!dir->skips)
        return false; /* to be held */
    struct tls_event last;
    memcpy(&last, t->held.p + dir->skips - 1, sizeof last);
    last.lost += ev->lost;
    memcpy(t->held.p + dir->skips - 1, &last, sizeof last);
    return true;
}

static void hold(struct tls *t, struct tls_event ev)
{
    struct tls_dir *dir = &t->dir[ev.d];
    if (let_go(t, &ev))
        return;
    bool room = buf_room(&t->held, sizeof ev + ev.bytes.n);
    if (room) {
        dir->skips = ev.what == TLS_SKIP ? t->held.n + 1 : 0;
        buf_add(&t->held, slice_of(&ev, sizeof ev));
        buf_add(&t->held, ev.bytes);
        dir->held++;
        dir->held_bytes += ev.bytes.n;
        t->info.held_bytes += ev.bytes.n;
    }
    size_t beyond = t->o.held_bytes == TLS_HELD_NONE ? 0 : EVENTS_MOST;
    if (!room || t->held.n > t->o.held_bytes + beyond)
        drop_held(t, !room      ? "out of memory"
                     : t->suite ? "no secrets"
                                : "no ServerHello seen");
    if (!room) {
        tls_die(t, STREAM_UP, ev.ts_ns, "out of memory");
        tls_die(t, STREAM_DOWN, ev.ts_ns, "out of memory");
        act(t, &ev);
    }
}

void tls_post(struct tls *t, struct tls_event ev)
{
    if (t->dir[ev.d].held || !act(t, &ev))
        hold(t, ev);
}

/* Post again all that is held: what still cannot be acted on is held again. */
static void repost(struct tls *t)
{
    struct buf held = t->held;
    struct tls_event ev;
    none_held(t);
    for (size_t at = 0; next_held(&held, &at, &ev);)
        tls_post(t, ev);
    buf_release(&held);
}

void tls_poll(struct tls *t)
{
    if (!t->held.n)
        return;
    tls_keys_ready(t);
    while (t->held.n && t->news) {
        t->news = false;
        repost(t);
    }
}

void tls_give_up(struct tls *t)
{
    drop_held(t, t->suite ? "no secrets" : "no ServerHello seen");
}

/* --- the sink -------------------------------------------------------------------------
 */

static void sink_data(void *arg, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct tls *t = arg;
    t->info.bytes[d] += bytes.n;
    tls_poll(t); /* what waited goes first */
    tls_frame(t, d, ts_ns, bytes);
    tls_poll(t);
}

static void sink_gap(void *arg, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct tls *t = arg;
    t->info.lost_bytes[d] += bytes;
    tls_poll(t); /* seeking wants keys */
    tls_frame_gap(t, d, ts_ns, bytes);
}

static void sink_close(void *arg, enum stream_dir d, int64_t ts_ns, bool reset)
{
    struct tls *t = arg;
    tls_poll(t);
    tls_frame_end(t, d, ts_ns);
    tls_post(t, (struct tls_event){
                    .what = TLS_CLOSE, .d = d, .ts_ns = ts_ns, .reset = reset });
}

void tls_sink(struct tls *t, struct stream_sink *out)
{
    *out = (struct stream_sink){ t, sink_data, sink_gap, sink_close };
}

/* --- names and looks ------------------------------------------------------------------
 */

const char *tls_version_name(uint16_t version)
{
    static const char *const names[] = { "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2",
                                         "TLSv1.3" };
    size_t minor = version & 0xff;
    return version >> 8 == 3 && minor < sizeof names / sizeof *names ? names[minor]
                                                                     : "TLS";
}

bool tls_sniff(struct slice first)
{
    const unsigned char *p = (const unsigned char *)first.p;
    if (!first.n || p[0] < 20 || p[0] > 23 || (first.n > 1 && p[1] != 3) ||
        (first.n > 2 && p[2] > 4))
        return false;
    if (first.n < TLS_RECORD_HEAD)
        return true;
    size_t n = (size_t)p[3] << 8 | p[4];
    return n > 0 && n <= TLS_RECORD_MOST;
}
