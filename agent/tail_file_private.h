/*
 * What tail_file.c (a file and its row in the spool) and tail_turn.c (a turn of reading
 * it) share. Shell.
 */
#ifndef BREAKEVEN_TAIL_FILE_PRIVATE_H
#define BREAKEVEN_TAIL_FILE_PRIVATE_H

#include "agent/tail_file.h"

#include <zlib.h>

/* A gz that is being read keeps its own lines: going back would inflate from the start.
 */
struct tail_gz {
    gzFile file;
    struct lines *lines;
    uint64_t at; /* bytes inflated */
};

/* pread until n bytes or the end; how many came in *have. ST_IO with errno. */
enum status tail_read_at(int fd, char *out, size_t n, uint64_t at, size_t *have);
/* The gz of a file from its beginning, by a descriptor of its own; NULL with errno. */
gzFile tail_gz_open(int fd);
/* Up to n bytes of what is packed; 0 at its end and when it is damaged. */
size_t tail_gz_read(gzFile g, char *out, size_t n);
void tail_gz_close(struct tail_file *f);
/* The format's state as bytes, of the file awake or asleep; valid until it changes. */
struct slice tail_logline_state(struct tail_file *f);

#endif
