/* One question at a time over remembered demand: see questions.h. */
#include "collector/projection/questions.h"

#include "collector/projection/compare_job.h"
#include "collector/projection/project.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    HOUR_S = 3600,
    KEPT_S = 25 * HOUR_S, /* of the job, which runs daily */
    READ_S = 60,          /* of our own reading */
    WAIT_S = 2,
    DEMAND_CEILING = 256 << 20
};

struct remembered {
    const struct workload *of;
    int64_t read_at, until; /* Unix seconds */
    struct demand demand;
    struct throughput seen;
    struct arena arena; /* of demand */
    struct remembered *next;
};

struct questions {
    pthread_mutex_t lock;
    struct remembered *first;
};

struct questions *questions_new(void)
{
    struct questions *q = calloc(1, sizeof *q);
    if (q)
        pthread_mutex_init(&q->lock, NULL);
    return q;
}

static void forget(struct remembered *r)
{
    if (r)
        arena_release(&r->arena);
    free(r);
}

void questions_free(struct questions *q)
{
    if (!q)
        return;
    while (q->first) {
        struct remembered *r = q->first;
        q->first = r->next;
        forget(r);
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* Where that of w stands, or the end of the list. */
static struct remembered **place_of(struct questions *q, const struct workload *w)
{
    struct remembered **at = &q->first;
    while (*at && (*at)->of != w)
        at = &(*at)->next;
    return at;
}

static struct remembered *make(const struct workload *w, int64_t now, int64_t kept_s)
{
    struct remembered *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct remembered){ .of = w, .read_at = now, .until = now + kept_s };
    arena_init(&r->arena, DEMAND_CEILING);
    return r;
}

static void put(struct questions *q, struct remembered *r)
{
    struct remembered **at = place_of(q, r->of), *old = *at;
    r->next = old ? old->next : NULL;
    *at = r;
    forget(old);
}

enum status questions_keep(void *arg, const struct workload *w, int64_t now,
                           const struct demand *demand, const struct throughput *seen)
{
    struct questions *q = arg;
    struct remembered *r = make(w, now, KEPT_S);
    enum status st = r ? demand_copy(demand, &r->arena, &r->demand) : ST_NOMEM;
    if (st != ST_OK) {
        forget(r);
        return st;
    }
    r->seen = *seen;
    pthread_mutex_lock(&q->lock);
    put(q, r);
    pthread_mutex_unlock(&q->lock);
    return ST_OK;
}

/* What is remembered of w and not too old, else read now. */
static enum status recall(struct questions *q, const struct projection_job *job,
                          const struct workload *w, const struct remembered **out,
                          struct buf *why)
{
    struct remembered *r = *place_of(q, w);
    *out = r;
    if (r && job->now >= r->read_at && job->now < r->until)
        return ST_OK;
    r = make(w, job->now, READ_S);
    enum status st = r ? demand_read(job->store, job->prices, w, job->now,
                                     job->config->history_days, &r->arena, &r->demand)
                       : ST_NOMEM;
    if (st == ST_OK)
        st = compare_throughput(job, w, &r->arena, &r->seen, why);
    if (st == ST_OK)
        put(q, r);
    else
        forget(r);
    *out = r;
    return st;
}

static enum status ask(struct questions *q, const struct projection_job *job,
                       const struct workload *w, const struct whatif *change,
                       struct arena *a, struct projection_result *out, struct buf *why)
{
    /* Of the full hour: the same question has the same answer a second later. */
    const int64_t now = job->now - job->now % HOUR_S;
    const struct remembered *r = NULL;
    struct scenario scenario;
    enum status st = recall(q, job, w, &r, why);
    if (st != ST_OK)
        return st;
    const struct scenario_sources from = { job->gpus, &r->seen, now };
    st = whatif_resolve(w, change, &from, &scenario, why);
    if (st != ST_OK)
        return st;
    const struct project_input in = { .workload = w,
                                      .scenario = &scenario,
                                      .demand = &r->demand,
                                      .seen = &r->seen,
                                      .prices = job->prices,
                                      .config = job->config,
                                      .now = now,
                                      .change = change };
    return project_make(&in, a, out);
}

enum status questions_ask(struct questions *q, const struct projection_job *job,
                          const struct workload *w, const struct whatif *change,
                          struct arena *a, struct projection_result *out, struct buf *why)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    if (pthread_mutex_clocklock(&q->lock, CLOCK_MONOTONIC, &until) != 0)
        return ST_BUSY;
    enum status st = ask(q, job, w, change, a, out, why);
    pthread_mutex_unlock(&q->lock);
    return st;
}
