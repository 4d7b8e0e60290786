/* The files that the tail knows: see tail_set.h. */
#include "agent/tail_set.h"

#include <stdlib.h>

static struct tail_file **ino_bucket(const struct tail_set *s, uint64_t dev, uint64_t ino)
{
    uint64_t h = (ino ^ dev * 0x9e3779b97f4a7c15u) * 0x9e3779b97f4a7c15u;
    return (struct tail_file **)&s->ino[h >> 56];
}

static struct tail_file **wd_bucket(const struct tail_set *s, int wd)
{
    return (struct tail_file **)&s->wd[(unsigned)wd % TAIL_SET_BUCKETS];
}

enum status tail_set_add(struct tail_set *s, struct tail_file *f)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct tail_file **at = realloc(s->at, cap * sizeof *at);
        if (!at) {
            tail_file_free(f);
            return ST_NOMEM;
        }
        s->at = at;
        s->cap = cap;
    }
    s->at[s->n++] = f;
    if (f->id > s->last_id)
        s->last_id = f->id;
    if (f->mark.fate == TAIL_HERE) {
        struct tail_file **b = ino_bucket(s, f->mark.dev, f->mark.ino);
        f->ino_next = *b;
        *b = f;
    }
    return ST_OK;
}

struct tail_file *tail_set_by_ino(const struct tail_set *s, uint64_t dev, uint64_t ino)
{
    struct tail_file *f = *ino_bucket(s, dev, ino);
    while (f && (f->mark.dev != dev || f->mark.ino != ino))
        f = f->ino_next;
    return f;
}

struct tail_file *tail_set_by_wd(const struct tail_set *s, int wd)
{
    struct tail_file *f = *wd_bucket(s, wd);
    while (f && f->wd != wd)
        f = f->wd_next;
    return f;
}

void tail_set_watch(struct tail_set *s, struct tail_file *f, int wd)
{
    if (f->wd >= 0) {
        struct tail_file **p = wd_bucket(s, f->wd);
        while (*p && *p != f)
            p = &(*p)->wd_next;
        if (*p)
            *p = f->wd_next;
    }
    f->wd = wd;
    if (wd >= 0) {
        struct tail_file **b = wd_bucket(s, wd);
        f->wd_next = *b;
        *b = f;
    }
}

void tail_set_leave(struct tail_set *s, struct tail_file *f)
{
    struct tail_file **p = ino_bucket(s, f->mark.dev, f->mark.ino);
    while (*p && *p != f)
        p = &(*p)->ino_next;
    if (*p)
        *p = f->ino_next;
    f->ino_next = NULL;
}

void tail_set_sweep(struct tail_set *s)
{
    size_t keep = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct tail_file *f = s->at[i];
        if (!f->drop || f->stored) {
            s->at[keep++] = f;
            continue;
        }
        tail_set_watch(s, f, -1);
        tail_set_leave(s, f);
        tail_file_free(f);
    }
    s->n = keep;
}

static bool vanished(const struct tail_file *f)
{
    return f->mark.fate != TAIL_HERE && !f->drop;
}

static void forget(struct tail_file *f)
{
    f->drop = f->changed = true;
}

void tail_set_forget(struct tail_set *s, size_t max, int64_t before_s)
{
    size_t left = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (vanished(s->at[i]) && s->at[i]->left_s < before_s)
            forget(s->at[i]);
        left += vanished(s->at[i]);
    }
    /* The array is in order of age but for files loaded; near enough for a bound. */
    for (size_t i = 0; i < s->n && left > max; i++) {
        if (vanished(s->at[i])) {
            forget(s->at[i]);
            left--;
        }
    }
}

void tail_set_release(struct tail_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        tail_file_free(s->at[i]);
    free(s->at);
    *s = (struct tail_set){ 0 };
}
