/* Capture files through libpcap: see source_capture.h. */
#include "agent/source_capture.h"

#include "agent/pcap_library.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { BLOCK = 128 << 10 };

struct capture {
    struct pcap_library pcap;
    struct flow_table *flows;
    struct fragments *fragments;
    const char *filter;
    struct capture_stats stats;
};

struct capture *capture_new(const struct flow_limits *limits,
                            const struct flow_events *events, const char *filter)
{
    uint64_t seed = 0;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint64_t)(uintptr_t)c; /* at early boot; the address is random too */
    c->filter = filter;
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
        { "\x0a\x0d\x0d\x0a", 4 },                            /* pcapng */
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

static enum status set_filter(struct capture *c, pcap_t *pcap, struct buf *why)
{
    struct bpf_program program;
    if (!c->filter)
        return ST_OK;
    if (c->pcap.compile(pcap, &program, c->filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        buf_addf(why, "filter: %s", c->pcap.geterr(pcap));
        return ST_CONFIG;
    }
    int rc = c->pcap.setfilter(pcap, &program);
    c->pcap.freecode(&program);
    return rc == 0 ? ST_OK : ST_NOMEM;
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
    if (feed->st != ST_OK && feed->st != ST_END) {
        buf_adds(why, unpack_why(feed->unpack));
        return feed->st;
    }
    if (rc == PCAP_ERROR_BREAK) /* the end of the file */
        return ST_OK;
    const char *reason = c->pcap.geterr(pcap);
    c->stats.torn = strstr(reason, "truncated") != NULL;
    if (c->stats.torn)
        return ST_OK;
    buf_adds(why, reason);
    return ST_BAD;
}

enum status capture_read(struct capture *c, struct slice first, struct unpack *u,
                         struct buf *why)
{
    char message[PCAP_ERRBUF_SIZE] = "out of memory";
    struct feed feed = { .first = first, .unpack = u };
    enum packet_link link;
    enum status st;
    pcap_t *pcap = NULL;
    c->stats.torn = false;
    if (!pcap_library_load(&c->pcap)) {
        buf_adds(why, "captures need libpcap, which is not installed (libpcap0.8)");
        return ST_NOT_FOUND;
    }
    FILE *file = feed_open(&feed);
    if (file)
        pcap = c->pcap.fopen_offline_with_tstamp_precision(
            file, PCAP_TSTAMP_PRECISION_NANO, message);
    if (!pcap) {
        if (file)
            fclose(file);
        free(feed.block);
        buf_adds(why, message);
        return ST_BAD;
    }
    st = set_filter(c, pcap, why);
    if (st == ST_OK && !packet_link(c->pcap.datalink(pcap), &link)) {
        buf_addf(why, "link type %d is not known", c->pcap.datalink(pcap));
        st = ST_BAD;
    }
    if (st == ST_OK)
        st = read_packets(c, pcap, link, &feed, why);
    flow_table_finish(c->flows);
    c->pcap.close(pcap);
    free(feed.block);
    return st;
}
