/*
 * Files that were met, by device and inode: the same one under two names is read once.
 * Fed by scan with what fstat says; refuses to forget.
 */
#ifndef BREAKEVEN_FILE_SET_H
#define BREAKEVEN_FILE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Open addressing; capacity is a power of two. Zeroed: empty. */
struct file_set {
    struct file_id *at;
    size_t n, capacity;
};

/* Was it met before? It is remembered. Out of memory: false, as for a new one. */
bool file_set_has(struct file_set *f, const struct stat *st);
void file_set_release(struct file_set *f);

#endif
