/* libpcap by dlopen: see pcap_library.h. */
#include "agent/pcap_library.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

bool pcap_library_load(struct pcap_library *l)
{
    const struct {
        const char *name;
        void *to;
    } calls[] = {
#define X(name) { "pcap_" #name, &l->name },
        PCAP_CALLS(X)
#undef X
    };
    if (l->handle)
        return true;
    l->handle = dlopen("libpcap.so.0.8", RTLD_NOW | RTLD_LOCAL); /* Debian's name */
    if (!l->handle)
        l->handle = dlopen("libpcap.so.1", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; l->handle && i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(l->handle, calls[i].name);
        memcpy(calls[i].to, &call, sizeof call);
        if (!call)
            pcap_library_unload(l);
    }
    return l->handle != NULL;
}

void pcap_library_unload(struct pcap_library *l)
{
    if (l->handle)
        dlclose(l->handle);
    l->handle = NULL;
}

int64_t pcap_nanoseconds(const struct timeval *ts)
{
    const int64_t latest = INT64_C(1) << 33; /* in the year 2242; a damaged file */
    int64_t s = ts->tv_sec < 0 ? 0 : ts->tv_sec > latest ? latest : ts->tv_sec;
    int64_t ns = ts->tv_usec < 0 || ts->tv_usec > 999999999 ? 0 : ts->tv_usec;
    return s * 1000000000 + ns;
}
