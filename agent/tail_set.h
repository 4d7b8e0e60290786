/*
 * The files that the tail knows: those that stand there, found by inode or by inotify
 * watch, and those that went away and may come back as a copy or a .gz. Owned by
 * source_tail. Refuses: I/O.
 */
#ifndef BREAKEVEN_TAIL_SET_H
#define BREAKEVEN_TAIL_SET_H

#include "agent/tail_file.h"

enum { TAIL_SET_BUCKETS = 256 };

struct tail_set {
    struct tail_file **at;
    size_t n, cap;
    uint64_t last_id;
    struct tail_file *ino[TAIL_SET_BUCKETS], *wd[TAIL_SET_BUCKETS];
};

/* Takes f over, also on failure (ST_NOMEM: f is freed). Found by inode when it is here.
 */
enum status tail_set_add(struct tail_set *s, struct tail_file *f);
/* The file here with this inode, or NULL. */
struct tail_file *tail_set_by_ino(const struct tail_set *s, uint64_t dev, uint64_t ino);
struct tail_file *tail_set_by_wd(const struct tail_set *s, int wd);
void tail_set_watch(struct tail_set *s, struct tail_file *f, int wd); /* -1: none */
/* No name leads to it any more: by_ino does not find it again. */
void tail_set_leave(struct tail_set *s, struct tail_file *f);
/* Free the files marked `drop` whose row, if any, is gone from the spool. */
void tail_set_sweep(struct tail_set *s);
/* Mark the oldest vanished files `drop` until at most `max` of them remain, and those
 * that left before `before_s` (Unix). */
void tail_set_forget(struct tail_set *s, size_t max, int64_t before_s);
void tail_set_release(struct tail_set *s);

#endif
