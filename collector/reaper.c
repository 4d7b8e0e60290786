/* Deadlines of connections: see reaper.h. */
#include "collector/reaper.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_EVERY_MS = 500 };

struct reaper_conn {
    struct reaper_conn *next, **link; /* link: what points to us */
    int fd;
    int64_t deadline_ms; /* monotonic; INT64_MAX: none */
};

struct reaper {
    reaper_fn *fn;
    void *arg;
    struct reaper_conn *first;
    bool stop;
    pthread_mutex_t
        lock; /* held while a socket is shut down: remove comes before close */
    pthread_cond_t wake;
    pthread_t thread;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void look(struct reaper *r)
{
    int64_t now = now_ms();
    for (struct reaper_conn *c = r->first; c; c = c->next) {
        if (now < c->deadline_ms)
            continue;
        shutdown(c->fd, SHUT_RDWR);
        c->deadline_ms = INT64_MAX;
        r->fn(r->arg);
    }
}

static void *run(void *arg)
{
    struct reaper *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        int64_t until = now_ms() + LOOK_EVERY_MS;
        struct timespec t = { until / 1000, until % 1000 * 1000000 };
        pthread_cond_timedwait(&r->wake, &r->lock, &t);
        look(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct reaper *reaper_new(reaper_fn *fn, void *arg)
{
    struct reaper *r = calloc(1, sizeof *r);
    pthread_condattr_t attr;
    if (!r)
        return NULL;
    r->fn = fn;
    r->arg = arg;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    free(r);
    return NULL;
}

void reaper_free(struct reaper *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct reaper_conn *reaper_add(struct reaper *r, int fd, int64_t ms)
{
    struct reaper_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = fd;
    c->deadline_ms = now_ms() + ms;
    pthread_mutex_lock(&r->lock);
    c->next = r->first;
    c->link = &r->first;
    if (c->next)
        c->next->link = &c->next;
    r->first = c;
    pthread_mutex_unlock(&r->lock);
    return c;
}

void reaper_extend(struct reaper *r, struct reaper_conn *c, int64_t ms)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->lock);
    c->deadline_ms = ms < 0 ? INT64_MAX : now_ms() + ms;
    pthread_mutex_unlock(&r->lock);
}

void reaper_remove(struct reaper *r, struct reaper_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    pthread_mutex_unlock(&r->lock);
    free(c);
}
