/* Engine life cycle; the exchange door follows. */
#include "agent/engine.h"

#include <stdlib.h>

struct extract *extract_new(void)
{
    struct extract *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    raw_table_init(&x->table);
    arena_init(&x->arena, ENGINE_ARENA);
    return x;
}

void extract_free(struct extract *x)
{
    if (!x)
        return;
    arena_release(&x->arena);
    free(x->frame);
    free(x);
}
