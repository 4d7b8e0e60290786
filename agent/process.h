/*
 * The local process behind a connection: /proc/net/tcp says user and inode of the socket,
 * /proc/PID/fd whose it is (where the agent may look: its own user's processes, or with
 * CAP_SYS_PTRACE). Shell, bounded: a table of recent answers, few looks a second. Asked
 * by source_live when a rule wants it.
 *
 * Refuses: to guess. A connection that was gone before the look has no process.
 */
#ifndef BREAKEVEN_PROCESS_H
#define BREAKEVEN_PROCESS_H

#include "agent/attribute.h"
#include "agent/flow.h"

struct processes;

struct processes *processes_new(void); /* NULL: out of memory */
void processes_free(struct processes *p);

/* The process that holds the client's end of this connection. Valid until the next call.
 */
struct attribute_process processes_of(struct processes *p, const struct flow_info *flow,
                                      int64_t now_ms);

#endif
