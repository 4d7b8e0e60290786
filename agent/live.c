/* An interface through libpcap: see live.h. */
#include "agent/live.h"

#include "agent/pcap_library.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A block of the ring is handed over when it is full or after this. Each holds one block
 * of eight (in 2 MiB) however empty it is: shorter would leave less time in which a slow
 * disk may hold us up.
 */
enum { RETIRE_MS = 200 };

struct live {
    struct pcap_library pcap;
    pcap_t *handle;
    char name[IF_NAMESIZE];
    bool any;
    enum packet_link link;
    int index;             /* of the interface we are bound to; 0: any */
    unsigned short family; /* ARPHRD_*, its kind */
    struct live_stats stats;
    uint32_t seen_received, seen_dropped; /* libpcap's 32-bit counters, as last read */
    live_fn *fn;                          /* during live_read */
    void *arg;
};

/* --- opening --------------------------------------------------------------------------
 */

static enum status set_filter(struct live *l, const struct capture_filter *f,
                              struct buf *why)
{
    struct bpf_program program;
    struct buf text = { 0 };
    struct capture_filter filter = *f;
    filter.vlan = l->link == PACKET_ETHERNET;
    enum status st = capture_filter_build(&filter, &text, why);
    if (st == ST_OK && l->pcap.compile(l->handle, &program, buf_cstr(&text), 1,
                                       PCAP_NETMASK_UNKNOWN) != 0) {
        buf_addf(why, "filter: %s", l->pcap.geterr(l->handle));
        st = ST_CONFIG;
    } else if (st == ST_OK) {
        if (l->pcap.setfilter(l->handle, &program) != 0) {
            buf_addf(why, "filter: %s", l->pcap.geterr(l->handle));
            st = ST_IO;
        }
        l->pcap.freecode(&program);
    }
    buf_release(&text);
    return st;
}

static enum status explain(struct live *l, int code, struct buf *why)
{
    const char *text = l->pcap.geterr(l->handle);
    switch (code) {
    case PCAP_ERROR_PERM_DENIED:
        buf_addf(why,
                 "%s: capturing needs CAP_NET_RAW: start as root with capture.user, or "
                 "with AmbientCapabilities=CAP_NET_RAW (systemd), or after setcap "
                 "cap_net_raw=p on the program",
                 l->name);
        return ST_DENIED;
    case PCAP_ERROR_NO_SUCH_DEVICE:
        buf_addf(why, "%s: there is no such interface", l->name);
        return ST_NOT_FOUND;
    default:
        buf_addf(why, "%s: %s", l->name, *text ? text : l->pcap.statustostr(code));
        return ST_IO;
    }
}

/*
 * What is sent over loopback is received there, too: libpcap passes over the first sight,
 * but it has taken room in the ring. Kernels before 4.20 cannot leave it out.
 */
static void see_once(const struct live *l)
{
    int one = 1;
    if (!strcmp(l->name, "lo"))
        (void)!setsockopt(live_fd(l), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
                          sizeof one);
}

static enum status activate(struct live *l, const struct live_options *o, struct buf *why)
{
    char message[PCAP_ERRBUF_SIZE] = "";
    l->handle = l->pcap.create(l->name, message);
    if (!l->handle) {
        buf_addf(why, "%s: %s", l->name, message);
        return ST_IO;
    }
    l->pcap.set_snaplen(l->handle, o->snap_bytes);
    l->pcap.set_promisc(l->handle, o->promiscuous && !l->any);
    l->pcap.set_timeout(l->handle, RETIRE_MS);
    l->pcap.set_buffer_size(l->handle, (int)o->ring_bytes);
    l->pcap.set_tstamp_precision(l->handle, PCAP_TSTAMP_PRECISION_NANO);
    int code = l->pcap.activate(l->handle);
    if (code < 0)
        return explain(l, code, why);
    see_once(l);
    if (l->pcap.setnonblock(l->handle, 1, message) != 0) {
        buf_addf(why, "%s: %s", l->name, message);
        return ST_IO;
    }
    int dlt = l->pcap.datalink(l->handle);
    if (!packet_link(dlt, &l->link)) {
        buf_addf(why, "%s: link type %d is not known", l->name, dlt);
        return ST_CONFIG;
    }
    return set_filter(l, &o->filter, why);
}

/* The interface as it is now: its index, its kind, whether it is up. */
static bool look(const struct live *l, int fd, int *index, unsigned short *family,
                 bool *up)
{
    struct ifreq r = { 0 };
    memcpy(r.ifr_name, l->name, sizeof r.ifr_name - 1);
    *up = ioctl(fd, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_UP;
    if (ioctl(fd, SIOCGIFHWADDR, &r) != 0)
        return false;
    *family = r.ifr_hwaddr.sa_family;
    if (ioctl(fd, SIOCGIFINDEX, &r) != 0)
        return false;
    *index = r.ifr_ifindex;
    return true;
}

enum status live_open(const struct live_options *o, struct live **out, struct buf *why)
{
    bool up;
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return ST_NOMEM;
    size_t n = strlen(o->interface);
    memcpy(l->name, o->interface, n < sizeof l->name ? n : sizeof l->name - 1);
    l->any = strcmp(l->name, "any") == 0;
    enum status st = ST_NOT_FOUND;
    if (pcap_library_load(&l->pcap))
        st = activate(l, o, why);
    else
        buf_adds(why, "captures need libpcap, which is not installed (libpcap0.8)");
    if (st == ST_OK && !l->any)
        look(l, live_fd(l), &l->index, &l->family, &up);
    if (st != ST_OK) {
        live_close(l);
        return st;
    }
    *out = l;
    return ST_OK;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    if (l->handle)
        l->pcap.close(l->handle);
    pcap_library_unload(&l->pcap);
    free(l);
}

int live_fd(const struct live *l)
{
    return l->pcap.get_selectable_fd(l->handle);
}

/* --- reading --------------------------------------------------------------------------
 */

static void on_packet(unsigned char *arg, const struct pcap_pkthdr *h,
                      const unsigned char *bytes)
{
    struct live *l = (struct live *)(void *)arg;
    l->fn(l->arg, l->link, slice_of(bytes, h->caplen), h->len, pcap_nanoseconds(&h->ts));
    /* They lie in the ring, which is ours to write, and would lie there until the kernel
     * comes round: no prompt stays in our memory once it was read. */
    explicit_bzero((void *)(uintptr_t)bytes, h->caplen);
}

enum status live_read(struct live *l, int most, live_fn *fn, void *arg, struct buf *why)
{
    l->fn = fn;
    l->arg = arg;
    int n = l->pcap.dispatch(l->handle, most, on_packet, (unsigned char *)l);
    if (n >= most)
        return ST_MORE;
    if (n >= 0)
        return ST_OK;
    buf_addf(why, "%s: %s", l->name, l->pcap.geterr(l->handle));
    return ST_IO;
}

bool live_gone(const struct live *l, struct buf *why)
{
    int index;
    unsigned short family;
    bool up;
    if (l->any)
        return false;
    bool there = look(l, live_fd(l), &index, &family, &up);
    if (there && up && index == l->index)
        return false;
    buf_addf(why, "%s %s", l->name,
             !there ? "is gone"
             : !up  ? "is down"
                    : "is another one");
    return true;
}

enum status live_attach(struct live *l, struct buf *why)
{
    int fd = live_fd(l), index, error = 0;
    unsigned short family;
    socklen_t size = sizeof error;
    bool up;
    if (l->any)
        return ST_OK;
    if (!look(l, fd, &index, &family, &up)) {
        buf_addf(why, "%s is not there", l->name);
        return ST_NOT_FOUND;
    }
    if (!up) {
        buf_addf(why, "%s is down", l->name);
        return ST_BUSY;
    }
    if (family != l->family) {
        buf_addf(why, "%s came back as another kind of interface: restart the agent",
                 l->name);
        return ST_CONFIG;
    }
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = index };
    /* Also when it is the same one that was down: the kernel hooks it up again itself. */
    if (index != l->index && bind(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        buf_addf(why, "%s: %s", l->name, strerror(errno));
        return ST_IO;
    }
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); /* of the time before */
    l->index = index;
    return ST_OK;
}

const struct live_stats *live_stats(struct live *l)
{
    struct pcap_stat now;
    if (l->pcap.stats(l->handle, &now) == 0) {
        l->stats.received += now.ps_recv - l->seen_received;
        l->stats.dropped += now.ps_drop - l->seen_dropped;
        l->seen_received = now.ps_recv;
        l->seen_dropped = now.ps_drop;
    }
    return &l->stats;
}

/* --- without opening ------------------------------------------------------------------
 */

static enum status compile_only(struct live *l, const struct live_options *o,
                                struct buf *filter, struct buf *why)
{
    struct bpf_program program;
    enum status st = capture_filter_build(&o->filter, filter, why);
    if (st != ST_OK)
        return st;
    l->handle = l->pcap.open_dead(DLT_EN10MB, o->snap_bytes);
    if (!l->handle)
        return ST_NOMEM;
    if (l->pcap.compile(l->handle, &program, buf_cstr(filter), 1, PCAP_NETMASK_UNKNOWN) !=
        0) {
        buf_addf(why, "filter: %s", l->pcap.geterr(l->handle));
        return ST_CONFIG;
    }
    l->pcap.freecode(&program);
    return ST_OK;
}

enum status live_check(const struct live_options *o, struct buf *filter, struct buf *why)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return ST_NOMEM;
    enum status st = ST_NOT_FOUND;
    if (pcap_library_load(&l->pcap))
        st = compile_only(l, o, filter, why);
    else
        buf_adds(why, "captures need libpcap, which is not installed (libpcap0.8)");
    live_close(l);
    if (st == ST_OK && strcmp(o->interface, "any") != 0 &&
        if_nametoindex(o->interface) == 0) {
        buf_addf(why, "%s: there is no such interface now", o->interface);
        st = ST_NOT_FOUND;
    }
    return st;
}
