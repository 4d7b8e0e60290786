/* Files that were met: see file_set.h. */
#include "agent/file_set.h"

#include <stdlib.h>

struct file_id {
    dev_t dev;
    ino_t ino;
    bool used;
};

/* Where it stands, or may be put. */
static struct file_id *place(const struct file_set *f, dev_t dev, ino_t ino)
{
    size_t at = (size_t)ino & (f->capacity - 1);
    while (f->at[at].used && (f->at[at].ino != ino || f->at[at].dev != dev))
        at = (at + 1) & (f->capacity - 1);
    return &f->at[at];
}

static bool grow(struct file_set *f)
{
    struct file_set more = { .n = f->n, .capacity = f->capacity ? f->capacity * 2 : 64 };
    more.at = calloc(more.capacity, sizeof *more.at);
    if (!more.at)
        return false;
    for (size_t i = 0; i < f->capacity; i++)
        if (f->at[i].used)
            *place(&more, f->at[i].dev, f->at[i].ino) = f->at[i];
    free(f->at);
    *f = more;
    return true;
}

bool file_set_has(struct file_set *f, const struct stat *st)
{
    if (f->n * 2 >= f->capacity && !grow(f))
        return false;
    struct file_id *id = place(f, st->st_dev, st->st_ino);
    if (id->used)
        return true;
    *id = (struct file_id){ .dev = st->st_dev, .ino = st->st_ino, .used = true };
    f->n++;
    return false;
}

void file_set_release(struct file_set *f)
{
    free(f->at);
    *f = (struct file_set){ 0 };
}
