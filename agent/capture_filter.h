/*
 * The capture filter that the kernel applies, as an expression of pcap-filter(7): TCP to
 * or from the ports and hosts of the configuration, and what cannot be told by ports
 * alone (fragments, IPv6 extension headers). Pure. Fed by config; used by live and check.
 *
 * Refuses: host names. A provider's addresses change while an agent runs, and a filter
 * does not follow: give addresses, networks, or no hosts.
 */
#ifndef BREAKEVEN_CAPTURE_FILTER_H
#define BREAKEVEN_CAPTURE_FILTER_H

#include "common/buf.h"
#include "common/yaml.h"

struct capture_filter {
    struct yaml_strings ports; /* "443", "8000-8010"; none: every port */
    struct yaml_strings hosts; /* addresses and networks; none: every host */
    const char *expression;    /* and this, in pcap-filter(7)'s words; "": nothing */
    bool vlan;                 /* Ethernet: the same inside of a VLAN tag */
};

/* Append the expression to *out. ST_CONFIG: *why names what is wrong and what is allowed.
 */
enum status capture_filter_build(const struct capture_filter *f, struct buf *out,
                                 struct buf *why);

/* One port or range "low-high", 1 to 65535; false: neither. */
bool capture_filter_port(const char *text, unsigned *low, unsigned *high);

#endif
