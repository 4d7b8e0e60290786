/*
 * The tail: follows the files that the config's patterns name through rename,
 * copytruncate, delete, inode reuse, symlink swap and compression, and hands their calls
 * out, each byte once. Woken by inotify; a periodic scan of the patterns works alone
 * where inotify does not. Decisions are tailstate's, one file's reading is tail_file's.
 *
 * What it guarantees and what not (docs/agent.md says it at length): a file that is
 * renamed is read to its end; a copytruncate loses what its cp did not copy and we did
 * not read first, as for everyone.
 */
#ifndef BREAKEVEN_SOURCE_TAIL_H
#define BREAKEVEN_SOURCE_TAIL_H

#include "agent/config.h"
#include "agent/source.h"

/*
 * Positions are taken from `spool`, which is not kept. `c` is borrowed for the source's
 * life. ST_NOMEM, or what the spool said.
 */
enum status source_tail_open(const struct config *c, const struct source_env *env,
                             struct spool *spool, struct source **out);

#endif
