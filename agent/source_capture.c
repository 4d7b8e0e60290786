/* Capture files, by libpcap and by pcapng: see source_capture.h. */
#include "agent/source_capture.h"

#include "agent/pcap_library.h"
#include "agent/pcapng.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { BLOCK = 128 << 10 };

#define PCAPNG_FIRST "\x0a\x0d\x0d\x0a"

struct capture {
    struct pcap_library pcap;
    struct flow_table *flows;
    struct fragments *fragments;
    capture_keys_fn *keys;
    void *keys_arg;
    struct capture_stats stats;
};

struct capture *capture_new(const struct flow_limits *limits,
                            const struct flow_events *events, capture_keys_fn *keys)
{
    uint64_t seed = 0;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)(uintptr_t)c; /* at early boot; the address is random too */
    c->keys = keys;
    c->keys_arg = events->arg;
    c->flows = flow_table_new(limits, events, seed);
    c->fragments = fragments_new();
    if (c->flows && c->fragments)
        return c;
    capture_free(c);
    return NULL;
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    flow_table_free(c->flows);
    fragments_free(c->fragments);
    pcap_library_unload(&c->pcap);
    free(c);
}

const struct capture_stats *capture_stats(const struct capture *c)
{
    return &c->stats;
}

const struct fragment_stats *capture_fragments(const struct capture *c)
{
    return fragments_stats(c->fragments);
}

const struct flow_table *capture_flows(const struct capture *c)
{
    return c->flows;
}

void capture_expire(struct capture *c, int64_t now_ns)
{
    flow_table_expire(c->flows, now_ns);
}

void capture_finish(struct capture *c)
{
    flow_table_finish(c->flows);
}

bool capture_is(struct slice first)
{
    static const struct slice magic[] = {
        { "\xd4\xc3\xb2\xa1", 4 }, { "\xa1\xb2\xc3\xd4", 4 }, /* microseconds */
        { "\x4d\x3c\xb2\xa1", 4 }, { "\xa1\xb2\x3c\x4d", 4 }, /* nanoseconds */
        { PCAPNG_FIRST, 4 },
    };
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (slice_starts(first, magic[i]))
            return true;
    return false;
}

/* --- a FILE for libpcap ---------------------------------------------------------------
 */

struct feed {
    struct slice first;
    struct unpack *unpack;
    char *block;    /* of the FILE: glibc takes no size without room */
    enum status st; /* ST_OK, or why the bytes ended */
};

static ssize_t feed_read(void *cookie, char *to, size_t room)
{
    struct feed *f = cookie;
    size_t n = f->first.n < room ? f->first.n : room;
    if (n) {
        memcpy(to, f->first.p, n);
        f->first = slice_from(f->first, n);
        return (ssize_t)n;
    }
    if (f->st == ST_OK)
        f->st = unpack_read(f->unpack, to, room, &n);
    if (f->st == ST_OK)
        return (ssize_t)n;
    return f->st == ST_END ? 0 : -1;
}

static FILE *feed_open(struct feed *f)
{
    f->block = malloc(BLOCK);
    FILE *file = f->block
                     ? fopencookie(f, "r", (cookie_io_functions_t){ .read = feed_read })
                     : NULL;
    if (file)
        setvbuf(file, f->block, _IOFBF, BLOCK);
    return file;
}

/* --- packets --------------------------------------------------------------------------
 */

void capture_packet(struct capture *c, enum packet_link link, struct slice frame,
                    size_t wire_bytes, int64_t ts_ns)
{
    struct packet p;
    enum packet_kind kind = packet_parse(link, frame, wire_bytes, &p);
    c->stats.packets++;
    c->stats.bytes += frame.n;
    c->stats.kinds[kind]++;
    if (kind == PACKET_FRAGMENT && !fragments_add(c->fragments, &p, &kind))
        return;
    if (kind != PACKET_TCP)
        return;
    c->stats.cut += p.missing != 0;
    if (flow_table_feed(c->flows, &p, ts_ns) != ST_OK)
        c->stats.unstored++;
}

/* Why the bytes ended, if not at the end of the file. */
static enum status feed_ended(const struct feed *f, struct buf *why)
{
    if (f->st == ST_OK || f->st == ST_END)
        return ST_OK;
    buf_adds(why, unpack_why(f->unpack));
    return f->st;
}

static enum status read_packets(struct capture *c, pcap_t *pcap, enum packet_link link,
                                const struct feed *feed, struct buf *why)
{
    struct pcap_pkthdr *h;
    const unsigned char *bytes;
    int rc;
    while ((rc = c->pcap.next_ex(pcap, &h, &bytes)) == 1)
        capture_packet(c, link, slice_of(bytes, h->caplen), h->len,
                       pcap_nanoseconds(&h->ts));
    enum status st = feed_ended(feed, why);
    if (st != ST_OK || rc == PCAP_ERROR_BREAK) /* the end of the file */
        return st;
    const char *reason = c->pcap.geterr(pcap);
    c->stats.torn = strstr(reason, "truncated") != NULL;
    if (c->stats.torn)
        return ST_OK;
    buf_adds(why, reason);
    return ST_BAD;
}

static enum status read_pcap(struct capture *c, struct feed *feed, struct buf *why)
{
    char message[PCAP_ERRBUF_SIZE] = "out of memory";
    enum packet_link link;
    enum status st = ST_BAD;
    pcap_t *pcap = NULL;
    if (!pcap_library_load(&c->pcap)) {
        buf_adds(why, "captures need libpcap, which is not installed (libpcap0.8)");
        return ST_NOT_FOUND;
    }
    FILE *file = feed_open(feed);
    if (file)
        pcap = c->pcap.fopen_offline_with_tstamp_precision(
            file, PCAP_TSTAMP_PRECISION_NANO, message);
    if (!pcap) {
        if (file)
            fclose(file);
        free(feed->block);
        buf_adds(why, message);
        return ST_BAD;
    }
    if (packet_link(c->pcap.datalink(pcap), &link))
        st = read_packets(c, pcap, link, feed, why);
    else
        buf_addf(why, "link type %d is not known", c->pcap.datalink(pcap));
    c->pcap.close(pcap);
    free(feed->block);
    return st;
}

/* --- pcapng ---------------------------------------------------------------------------
 */

/* Bytes of a file: [at, n) of the buffer are not used yet. */
struct window {
    struct feed *feed;
    char *p;
    size_t at, n, room;
};

/* Makes the next `n` bytes stand at p + at. False: they do not come, or no memory. */
static bool window_fill(struct window *w, size_t n)
{
    if (w->n - w->at >= n)
        return true;
    if (w->at + n > w->room) {
        memmove(w->p, w->p + w->at, w->n - w->at);
        w->n -= w->at;
        w->at = 0;
    }
    if (n > w->room) {
        char *to = realloc(w->p, n);
        if (!to) {
            w->feed->st = ST_NOMEM;
            return false;
        }
        w->p = to;
        w->room = n;
    }
    while (w->n - w->at < n) {
        ssize_t got = feed_read(w->feed, w->p + w->n, w->room - w->n);
        if (got <= 0)
            return false;
        w->n += (size_t)got;
    }
    return true;
}

static enum status use_block(struct capture *c, struct pcapng *g, struct slice block,
                             int *strange)
{
    struct pcapng_packet p;
    switch (pcapng_block(g, block, &p)) {
    case PCAPNG_PACKET:
        if (p.known) {
            capture_packet(c, p.link, p.bytes, p.wire_bytes, p.ts_ns);
        } else {
            c->stats.packets++;
            c->stats.bytes += p.bytes.n;
            c->stats.kinds[PACKET_OTHER]++;
            *strange = p.link_type;
        }
        break;
    case PCAPNG_KEYS:
        if (c->keys)
            c->keys(c->keys_arg, p.bytes);
        break;
    case PCAPNG_OTHER:
        break;
    case PCAPNG_BAD:
        return ST_BAD;
    }
    return ST_OK;
}

static enum status read_blocks(struct capture *c, struct window *w, struct pcapng *g,
                               struct buf *why)
{
    uint64_t begun = c->stats.packets - c->stats.kinds[PACKET_OTHER];
    int strange = -1;
    while (window_fill(w, PCAPNG_HEAD)) {
        uint32_t n = pcapng_length(g, w->p + w->at);
        if (n && !window_fill(w, n))
            break;
        if (!n || use_block(c, g, slice_of(w->p + w->at, n), &strange) != ST_OK) {
            buf_adds(why, g->why);
            return ST_BAD;
        }
        w->at += n;
    }
    if (strange >= 0 && c->stats.packets - c->stats.kinds[PACKET_OTHER] == begun) {
        buf_addf(why, "link type %d is not known", strange);
        return ST_BAD;
    }
    c->stats.torn = w->n > w->at;
    return feed_ended(w->feed, why);
}

static enum status read_pcapng(struct capture *c, struct feed *feed, struct buf *why)
{
    struct window w = { .feed = feed, .p = malloc(BLOCK), .room = BLOCK };
    struct pcapng g = { .interface = NULL };
    enum status st = w.p ? read_blocks(c, &w, &g, why) : ST_NOMEM;
    pcapng_release(&g);
    free(w.p);
    return st;
}

enum status capture_read(struct capture *c, struct slice first, struct unpack *u,
                         struct buf *why)
{
    struct feed feed = { .first = first, .unpack = u };
    bool ng = slice_starts(first, SLICE(PCAPNG_FIRST));
    c->stats.torn = false;
    enum status st = ng ? read_pcapng(c, &feed, why) : read_pcap(c, &feed, why);
    flow_table_finish(c->flows);
    return st;
}
