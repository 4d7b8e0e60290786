/* pcap-filter(7) from ports and hosts: see capture_filter.h. */
#include "agent/capture_filter.h"

#include <arpa/inet.h>

bool capture_filter_port(const char *text, unsigned *low, unsigned *high)
{
    struct slice first, second;
    uint64_t a, b;
    bool range = slice_cut(slice_str(text), '-', &first, &second);
    if (!slice_u64(slice_trim(first), &a) || a < 1 || a > UINT16_MAX)
        return false;
    b = a;
    if (range && (!slice_u64(slice_trim(second), &b) || b < a || b > UINT16_MAX))
        return false;
    *low = (unsigned)a;
    *high = (unsigned)b;
    return true;
}

static enum status add_ports(const struct yaml_strings *ports, struct buf *out,
                             struct buf *why)
{
    for (size_t i = 0; i < ports->n; i++) {
        unsigned low, high;
        if (!capture_filter_port(ports->at[i], &low, &high)) {
            buf_addf(why, "ports: '%s' is neither a port (443) nor a range (8000-8010)",
                     ports->at[i]);
            return ST_CONFIG;
        }
        buf_adds(out, i ? " or " : " and (");
        if (low == high)
            buf_addf(out, "port %u", low);
        else
            buf_addf(out, "portrange %u-%u", low, high);
    }
    buf_adds(out, ports->n ? ")" : "");
    return ST_OK;
}

/* An address, or a network without bits behind its mask (libpcap would refuse them). */
static bool is_network(const char *text, bool *host)
{
    struct slice address, bits;
    unsigned char ip[16];
    char plain[INET6_ADDRSTRLEN];
    uint64_t mask;
    *host = !slice_cut(slice_str(text), '/', &address, &bits);
    if (address.n == 0 || address.n >= sizeof plain)
        return false;
    memcpy(plain, address.p, address.n);
    plain[address.n] = '\0';
    unsigned size = inet_pton(AF_INET, plain, ip) == 1    ? 32
                    : inet_pton(AF_INET6, plain, ip) == 1 ? 128
                                                          : 0;
    if (*host)
        return size > 0;
    if (!slice_u64(bits, &mask) || mask > size || size == 0)
        return false;
    for (unsigned bit = (unsigned)mask; bit < size; bit++)
        if (ip[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static enum status add_hosts(const struct yaml_strings *hosts, struct buf *out,
                             struct buf *why)
{
    for (size_t i = 0; i < hosts->n; i++) {
        bool host;
        if (!is_network(hosts->at[i], &host)) {
            buf_addf(why,
                     "hosts: '%s' is no address (192.0.2.1, 2001:db8::1) and no network "
                     "(10.0.0.0/8); names are not followed",
                     hosts->at[i]);
            return ST_CONFIG;
        }
        buf_addf(out, "%s%s %s", i ? " or " : " and (", host ? "host" : "net",
                 hosts->at[i]);
    }
    buf_adds(out, hosts->n ? ")" : "");
    return ST_OK;
}

/*
 * Only the first fragment of a datagram has ports, and libpcap looks for TCP directly
 * behind the IPv6 header: hop-by-hop (0), routing (43), fragment (44) and destination
 * options (60) pass, packet and fragment look behind them.
 */
static const char without_ports[] = " or (ip proto 6 and ip[6:2] & 0x1fff != 0)"
                                    " or ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44"
                                    " or ip6[6] = 60)";

enum status capture_filter_build(const struct capture_filter *f, struct buf *out,
                                 struct buf *why)
{
    struct buf one = { 0 };
    bool expression = f->expression && *f->expression;
    buf_adds(&one, "((tcp");
    enum status st = add_ports(&f->ports, &one, why);
    buf_addc(&one, ')');
    buf_adds(&one, without_ports);
    if (st == ST_OK)
        st = add_hosts(&f->hosts, &one, why);
    if (expression)
        buf_addf(&one, " and (%s)", f->expression);
    if (st == ST_OK && f->vlan && !expression)
        buf_addf(out, "(%s) or (vlan and (%s))", buf_cstr(&one), buf_cstr(&one));
    else if (st == ST_OK)
        buf_adds(out, buf_cstr(&one));
    if (st == ST_OK)
        st = one.st ? one.st : out->st;
    buf_release(&one);
    return st;
}
