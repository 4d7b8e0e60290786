/* Block list allocator: see arena.h. */
#include "common/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size, at;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t ceiling_bytes)
{
    *a = (struct arena){ .ceiling = ceiling_bytes };
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct arena_block){ .next = a->head, .size = size };
    a->head = b;
    return b;
}

bool arena_reserve(struct arena *a, size_t n)
{
    return a->head || add_block(a, n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    if (n > a->ceiling)
        return NULL;
    size_t want = (n + align - 1) / align * align;
    if (want == 0)
        want = align;
    if (want > a->ceiling - a->used)
        return NULL;
    struct arena_block *b = a->head;
    if ((!b || b->size - b->at < want) && !(b = add_block(a, want)))
        return NULL;
    void *p = b->data + b->at;
    b->at += want;
    a->used += want;
    return memset(p, 0, want);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return (struct slice){ 0 };
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->next) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    if (a->head) {
        explicit_bzero(a->head->data, a->head->at); /* it may have been somebody's text */
        a->head->at = 0;
    }
    a->used = 0;
}

void arena_release(struct arena *a)
{
    arena_reset(a);
    free(a->head);
    a->head = NULL;
}
