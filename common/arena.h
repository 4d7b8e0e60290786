/*
 * One lifetime, one free: allocations of a flow, batch or request, with a ceiling.
 * Hitting the ceiling returns NULL, and the caller ends that unit with a reason.
 */
#ifndef BREAKEVEN_ARENA_H
#define BREAKEVEN_ARENA_H

#include "common/slice.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* the block in use, older ones behind it */
    size_t used;              /* bytes handed out since the last reset */
    size_t ceiling;           /* `used` never exceeds this */
};

void arena_init(struct arena *a, size_t ceiling_bytes);

/*
 * Make the first block of an arena without one this large: many units of about that size
 * then need no more memory than one. Only a hint; false when there is no memory for it.
 */
bool arena_reserve(struct arena *a, size_t n);

/* n zeroed bytes aligned for any type, or NULL at the ceiling. Lives until reset. */
void *arena_alloc(struct arena *a, size_t n);

/* A copy of s with a NUL behind it; p == NULL (and n == 0) at the ceiling. */
struct slice arena_dup(struct arena *a, struct slice s);

/* Forget every allocation; the first block is kept for reuse. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
