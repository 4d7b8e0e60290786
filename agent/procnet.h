/*
 * One line of /proc/net/tcp or tcp6 (proc(5)): who owns the socket between two endpoints.
 * Pure. Fed by process with the file's lines.
 */
#ifndef BREAKEVEN_PROCNET_H
#define BREAKEVEN_PROCNET_H

#include "agent/packet.h"

struct procnet {
    struct endpoint local, remote;
    uint32_t owner; /* user id */
    uint64_t inode; /* 0: no process holds it any more */
};

/* False: the heading, or no line of this kind. */
bool procnet_line(struct slice line, struct procnet *out);

#endif
