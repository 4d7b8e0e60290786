/* Bytes into records, whatever the cuts, and finding them again after a gap: see
 * tls_private.h. */
#include "agent/tls_private.h"

#include <assert.h>

enum {
    SLACK_MOST = 1024,
    SLACK_UNKNOWN = 256, /* records, when how much is lost is not known */
    RECORD_LEAST = 22,   /* a protected record of no content */
    SEEK_MOST = 4 * TLS_RECORD_MOST,
};

static const unsigned char *at(const struct buf *b, size_t i)
{
    return (const unsigned char *)b->p + i;
}

static size_t body_length(const unsigned char *head)
{
    return (size_t)head[3] << 8 | head[4];
}

static bool is_head(const unsigned char *head)
{
    return head[0] >= 20 && head[0] <= 24 && head[1] == 3 && head[2] <= 4 &&
           body_length(head) <= TLS_RECORD_MOST;
}

/* Nothing of this direction can be framed any more. */
static void stop_framing(struct tls *t, enum stream_dir d, int64_t ts_ns, const char *why)
{
    struct tls_dir *dir = &t->dir[d];
    t->info.dark_bytes[d] += dir->part.n;
    buf_release(&dir->part);
    dir->part = (struct buf){ 0 };
    dir->unframed = true;
    if (dir->held) {
        t->info.why = why;
        tls_post(t, (struct tls_event){ .what = TLS_GAP, .d = d, .ts_ns = ts_ns });
    } else {
        tls_die(t, d, ts_ns, why);
    }
}

/* Begin to look for the next record; needs keys, for only a tag proves one. */
static void start_seeking(struct tls *t, enum stream_dir d, int64_t ts_ns,
                          const char *why)
{
    struct tls_dir *dir = &t->dir[d];
    if (t->suite && t->suite->version == 0x0303 && dir->epoch == TLS_CLEAR)
        dir->epoch = TLS_TRAFFIC;
    if (dir->epoch == TLS_CLEAR || dir->held || !tls_keys_ready(t))
        stop_framing(t, d, ts_ns, why);
    else
        dir->seeking = true;
}

static void record(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    tls_post(t, (struct tls_event){
                    .what = TLS_RECORD, .d = d, .ts_ns = ts_ns, .bytes = bytes });
}

/* Move up to `n - part.n` bytes into part; true when it holds n. */
static bool gather(struct tls *t, enum stream_dir d, int64_t ts_ns, size_t n,
                   struct slice *bytes)
{
    struct buf *part = &t->dir[d].part;
    if (part->n < n) {
        struct slice more = slice_head(*bytes, n - part->n);
        buf_room(part, n - part->n); /* all at once */
        buf_add(part, more);
        *bytes = slice_from(*bytes, more.n);
    }
    if (part->st == ST_OK)
        return part->n >= n;
    stop_framing(t, d, ts_ns, "out of memory");
    return false;
}

/* A record that begins in `part`, or is cut at the end of *bytes. */
static void frame_part(struct tls *t, enum stream_dir d, int64_t ts_ns,
                       struct slice *bytes)
{
    struct tls_dir *dir = &t->dir[d];
    if (!gather(t, d, ts_ns, TLS_RECORD_HEAD, bytes))
        return;
    if (!is_head(at(&dir->part, 0))) {
        start_seeking(t, d, ts_ns, "not a TLS record");
        if (dir->seeking)
            tls_post(
                t, (struct tls_event){
                       .what = TLS_GAP, .d = d, .ts_ns = ts_ns, .lost = SLACK_UNKNOWN });
        return;
    }
    if (!gather(t, d, ts_ns, TLS_RECORD_HEAD + body_length(at(&dir->part, 0)), bytes))
        return;
    struct buf whole = dir->part; /* its owner may die under way */
    dir->part = (struct buf){ 0 };
    record(t, d, ts_ns, buf_slice(&whole));
    buf_release(&whole);
}

/*
 * Look for a record in `all`; true: found, and *done is the offset after it. Else *done
 * is the offset from which a record may still begin.
 */
static bool seek_in(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice all,
                    size_t *done)
{
    struct tls_dir *dir = &t->dir[d];
    size_t i = 0;
    for (; i + TLS_RECORD_HEAD <= all.n && dir->tries <= t->o.seek_tries; i++) {
        const unsigned char *head = (const unsigned char *)all.p + i;
        size_t n = TLS_RECORD_HEAD + body_length(head);
        if (!is_head(head) || head[2] != 3 || n < RECORD_LEAST)
            continue;
        if (n > all.n - i)
            break;
        struct tls_event ev = { .what = TLS_RECORD, .d = d, .ts_ns = ts_ns };
        ev.bytes = slice_of(head, n);
        dir->tries += dir->slack + 1;
        if (tls_probe(t, &ev)) {
            t->info.dark_bytes[d] += i;
            *done = i + n;
            return true;
        }
    }
    *done = i;
    return false;
}

static void seek(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice *bytes)
{
    struct tls_dir *dir = &t->dir[d];
    struct buf all = dir->part; /* its owner may die under way */
    size_t done;
    dir->part = (struct buf){ 0 };
    buf_add(&all, *bytes);
    *bytes = (struct slice){ 0 };
    if (all.st != ST_OK) {
        stop_framing(t, d, ts_ns, "out of memory");
    } else if (seek_in(t, d, ts_ns, buf_slice(&all), &done)) {
        dir->seeking = false;
        dir->tries = 0;
        tls_frame(t, d, ts_ns, slice_from(buf_slice(&all), done));
    } else if (dir->tries > t->o.seek_tries || all.n - done > SEEK_MOST) {
        t->info.dark_bytes[d] += all.n;
        stop_framing(t, d, ts_ns, "lost in a gap");
    } else {
        t->info.dark_bytes[d] += done;
        buf_shift(&all, done);
        dir->part = all;
        return;
    }
    buf_release(&all);
}

void tls_frame(struct tls *t, enum stream_dir d, int64_t ts_ns, struct slice bytes)
{
    struct tls_dir *dir = &t->dir[d];
    while (bytes.n) {
        if (dir->unframed || dir->epoch == TLS_DEAD) {
            t->info.dark_bytes[d] += bytes.n;
            return;
        }
        const unsigned char *head = (const unsigned char *)bytes.p;
        size_t n;
        if (dir->skip) {
            n = bytes.n < dir->skip ? bytes.n : (size_t)dir->skip;
            dir->skip -= n;
            t->info.dark_bytes[d] += n;
            bytes = slice_from(bytes, n);
        } else if (dir->seeking) {
            seek(t, d, ts_ns, &bytes);
        } else if (!dir->part.n && bytes.n >= TLS_RECORD_HEAD && is_head(head) &&
                   bytes.n - TLS_RECORD_HEAD >= body_length(head)) {
            n = TLS_RECORD_HEAD + body_length(head);
            record(t, d, ts_ns, slice_head(bytes, n));
            bytes = slice_from(bytes, n);
        } else {
            frame_part(t, d, ts_ns, &bytes);
        }
    }
}

void tls_frame_gap(struct tls *t, enum stream_dir d, int64_t ts_ns, uint64_t bytes)
{
    struct tls_dir *dir = &t->dir[d];
    struct tls_event gap = { .what = TLS_GAP, .d = d, .ts_ns = ts_ns, .lost = 1 };
    if (dir->unframed || dir->epoch == TLS_DEAD)
        return;
    uint64_t rest = dir->skip; /* of the record at hand */
    if (dir->part.n >= TLS_RECORD_HEAD && !dir->seeking)
        rest = TLS_RECORD_HEAD + body_length(at(&dir->part, 0)) - dir->part.n;
    t->info.dark_bytes[d] += dir->part.n;
    buf_reset(&dir->part);
    if (bytes && bytes <= rest) {
        dir->skip = rest - bytes;
    } else {
        uint64_t lost = bytes ? bytes / RECORD_LEAST + 2 : SLACK_UNKNOWN;
        gap.lost = lost < SLACK_MOST ? (unsigned)lost : SLACK_MOST;
        dir->skip = 0;
    }
    tls_post(t, gap);
    if (!(bytes && bytes <= rest) && !dir->seeking && dir->epoch != TLS_DEAD)
        start_seeking(t, d, ts_ns, "lost in a gap");
}

void tls_frame_end(struct tls *t, enum stream_dir d, int64_t ts_ns)
{
    struct tls_dir *dir = &t->dir[d];
    bool cut = dir->part.n > 0;
    t->info.dark_bytes[d] += dir->part.n;
    buf_release(&dir->part);
    dir->part = (struct buf){ 0 };
    dir->skip = 0;
    if (cut && !dir->unframed && dir->epoch != TLS_DEAD)
        tls_post(t, (struct tls_event){ .what = TLS_GAP, .d = d, .ts_ns = ts_ns });
    dir->unframed = true;
}
