/*
 * Small files of data_dir that commands change beside a running server: tokens, silences.
 * One change at a time under a lock file; a change is a new file renamed over the old
 * one, so a reader sees the one or the other. A shell file.
 */
#ifndef BREAKEVEN_STATE_FILE_H
#define BREAKEVEN_STATE_FILE_H

#include "common/buf.h"

#include <sys/stat.h>

/* Append dir/name to *text; nothing, and ST_OK, when there is no such file. *st (may be
 * NULL) is of the file that was read. `why` explains anything but ST_OK. */
enum status state_file_read(const char *dir, const char *name, struct buf *text,
                            struct stat *st, struct buf *why);

/* Replace it: written, synced, renamed, the folder synced. Hold the lock. */
enum status state_file_write(const char *dir, const char *name, struct slice text,
                             struct buf *why);

/* Wait for the lock dir/name.lock; makes dir if need be. Close the descriptor to let go.
 * -1: `why` says why not. */
int state_file_lock(const char *dir, const char *name, struct buf *why);

#endif
