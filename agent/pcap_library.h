/*
 * What is used of libpcap, loaded when the first capture is read or opened: the library
 * brings D-Bus and more with it, which would make an agent that only follows logs three
 * times as large. Shell. Used by source_capture (files) and live (interfaces).
 */
#ifndef BREAKEVEN_PCAP_LIBRARY_H
#define BREAKEVEN_PCAP_LIBRARY_H

#include <pcap/pcap.h>
#include <stdbool.h>

/* Every call that is used; the member has the name without "pcap_". */
#define PCAP_CALLS(X)                                                                    \
    X(fopen_offline_with_tstamp_precision)                                               \
    X(next_ex)                                                                           \
    X(datalink)                                                                          \
    X(compile)                                                                           \
    X(setfilter)                                                                         \
    X(freecode)                                                                          \
    X(geterr)                                                                            \
    X(close)                                                                             \
    X(create)                                                                            \
    X(set_snaplen)                                                                       \
    X(set_promisc)                                                                       \
    X(set_timeout)                                                                       \
    X(set_buffer_size)                                                                   \
    X(set_tstamp_precision)                                                              \
    X(activate)                                                                          \
    X(setnonblock)                                                                       \
    X(get_selectable_fd)                                                                 \
    X(dispatch)                                                                          \
    X(stats)                                                                             \
    X(statustostr)                                                                       \
    X(open_dead)

struct pcap_library {
    void *handle; /* NULL: not loaded */
#define X(name) __typeof__(&pcap_##name) name;
    PCAP_CALLS(X)
#undef X
};

/* Idempotent on a zeroed struct. False: no libpcap here. */
bool pcap_library_load(struct pcap_library *l);
void pcap_library_unload(struct pcap_library *l);

/* Of a header whose tv_usec holds nanoseconds; damaged times are clamped. */
int64_t pcap_nanoseconds(const struct timeval *ts);

#endif
