/* Group commit: see writer.h. */
#include "collector/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { GROUP_MAX = 64, GROUP_ROWS_MAX = 50000 };

/* On the stack of the thread that waits for it. */
struct job {
    const struct store_batch *batch;
    struct store_put result;
    enum status st;
    bool done;
    struct job *next;
};

struct writer {
    struct store *store;
    struct metrics *metrics;
    const struct log *log;
    size_t queue, waiting;
    struct job *first, **last;
    bool stop;
    atomic_bool stuck;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t thread;
};

/* Take what has gathered, at least one, within the limits of a transaction. */
static size_t take(struct writer *w, struct job **job)
{
    size_t n = 0, rows = 0;
    while (w->first && n < GROUP_MAX) {
        rows += w->first->batch->rows;
        if (n && rows > GROUP_ROWS_MAX)
            break;
        job[n++] = w->first;
        w->first = w->first->next;
    }
    if (!w->first)
        w->last = &w->first;
    return n;
}

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) * 1e-9;
}

static enum status commit(struct writer *w, struct job **job, size_t n)
{
    struct store_batch batch[GROUP_MAX];
    struct store_put result[GROUP_MAX] = { 0 };
    struct timespec start;
    for (size_t i = 0; i < n; i++)
        batch[i] = *job[i]->batch;
    clock_gettime(CLOCK_MONOTONIC, &start);
    enum status st = store_put(w->store, batch, n, result);
    metrics_commit(w->metrics, st == ST_OK, seconds_since(&start));
    for (size_t i = 0; i < n; i++) {
        job[i]->st = st;
        job[i]->result = result[i];
    }
    return st;
}

/* One batch that cannot be stored must not take the others down with it. */
static void write_group(struct writer *w, struct job **job, size_t n)
{
    enum status st = commit(w, job, n);
    for (size_t i = 0; st == ST_BAD && n > 1 && i < n; i++)
        commit(w, &job[i], 1);
    bool stuck = st == ST_FULL || st == ST_IO;
    if (stuck != atomic_exchange(&w->stuck, stuck))
        stuck
            ? log_error(w->log, "the store takes no writes: %s; agents are told to wait",
                        status_name(st))
            : log_info(w->log, "the store takes writes again");
}

static void *run(void *arg)
{
    struct writer *w = arg;
    struct job *job[GROUP_MAX];
    pthread_mutex_lock(&w->lock);
    while (w->first || !w->stop) {
        size_t n = take(w, job);
        if (n == 0) {
            pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        write_group(w, job, n);
        pthread_mutex_lock(&w->lock);
        for (size_t i = 0; i < n; i++)
            job[i]->done = true;
        w->waiting -= n;
        pthread_cond_broadcast(&w->done);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer *writer_new(struct store *store, size_t queue, struct metrics *metrics,
                          const struct log *log)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->store = store;
    w->queue = queue;
    w->metrics = metrics;
    w->log = log;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->done, NULL);
    if (pthread_create(&w->thread, NULL, run, w) == 0)
        return w;
    free(w);
    return NULL;
}

enum status writer_put(struct writer *w, const struct store_batch *batch,
                       struct store_put *result)
{
    struct job job = { .batch = batch };
    pthread_mutex_lock(&w->lock);
    if (w->waiting >= w->queue || w->stop) {
        pthread_mutex_unlock(&w->lock);
        return ST_BUSY;
    }
    w->waiting++;
    *w->last = &job;
    w->last = &job.next;
    pthread_cond_signal(&w->work);
    while (!job.done)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    *result = job.result;
    return job.st;
}

bool writer_stuck(const struct writer *w)
{
    return atomic_load(&w->stuck);
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->done);
    free(w);
}
