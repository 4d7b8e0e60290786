/*
 * What the agent may do, and giving it up: once a capture is open, no privilege is needed
 * any more. Shell. Used by pipeline and check.
 */
#ifndef BREAKEVEN_PRIVILEGE_H
#define BREAKEVEN_PRIVILEGE_H

#include "common/buf.h"

/* Does this process hold CAP_NET_RAW (opening a capture), CAP_SYS_PTRACE (whose socket)?
 */
bool privilege_net_raw(void);
bool privilege_ptrace(void);

/*
 * Become `user` when started as root ("root": stay, and keep everything), then give up
 * every capability for good: effective, permitted, inheritable, ambient and bounding as
 * far as allowed, and no_new_privs. Not as root: `user` must be us or "". ST_CONFIG: no
 * such user, or root without a word about whom to become; ST_DENIED. *why says it.
 */
enum status privilege_drop(const char *user, struct buf *why);

#endif
