/*
 * The bytes of a file, decompressed if it is gzip (several members too) or zstd (several
 * frames), as they are if not; the first bytes decide, not the name. Constant memory.
 * Fed by a file descriptor that can only be read forward. Refuses: archives, bzip2, xz.
 */
#ifndef BREAKEVEN_UNPACK_H
#define BREAKEVEN_UNPACK_H

#include "common/slice.h"
#include "common/status.h"

struct unpack;

/* Reads from fd, which stays the caller's. NULL: out of memory. */
struct unpack *unpack_new(int fd);
void unpack_free(struct unpack *u);

/*
 * At the end of a file that is not compressed ask `more`, which may wait: true reads on
 * from there. For files that are still written.
 */
void unpack_follow(struct unpack *u, bool (*more)(void *arg), void *arg);

/*
 * The next bytes: at most `room` (at least 64), *n of them. ST_OK with *n > 0; ST_END;
 * ST_IO with errno; ST_BAD for damaged or torn compressed data, ST_NOMEM. After the last
 * three unpack_why says more, and the bytes before were right.
 */
enum status unpack_read(struct unpack *u, char *to, size_t room, size_t *n);

const char *unpack_why(const struct unpack *u);
/* Bytes read from fd so far; for showing progress. */
uint64_t unpack_taken(const struct unpack *u);

#endif
