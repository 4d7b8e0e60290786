/* One question at a time over remembered demand: see questions.h. */
#include "collector/projection/questions.h"

#include "collector/projection/compare_job.h"
#include "collector/projection/project.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { HOUR_S = 3600, KEPT_S = 60, WAIT_S = 2, DEMAND_CEILING = 256 << 20 };

struct questions {
    pthread_mutex_t lock;
    const struct workload *of; /* whose demand it is; NULL: none */
    int64_t read_at;           /* job->now */
    struct demand demand;
    struct throughput seen;
    struct arena arena; /* of demand */
};

struct questions *questions_new(void)
{
    struct questions *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    pthread_mutex_init(&q->lock, NULL);
    arena_init(&q->arena, DEMAND_CEILING);
    return q;
}

void questions_free(struct questions *q)
{
    if (!q)
        return;
    arena_release(&q->arena);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static enum status read_demand(struct questions *q, const struct projection_job *job,
                               const struct workload *w, struct buf *why)
{
    int64_t age = job->now - q->read_at;
    if (q->of == w && age >= 0 && age < KEPT_S)
        return ST_OK;
    q->of = NULL;
    arena_reset(&q->arena);
    enum status st = demand_read(job->store, job->prices, w, job->now,
                                 job->config->history_days, &q->arena, &q->demand);
    if (st == ST_OK)
        st = compare_throughput(job, w, &q->arena, &q->seen, why);
    if (st == ST_OK) {
        q->of = w;
        q->read_at = job->now;
    }
    return st;
}

enum status questions_ask(struct questions *q, const struct projection_job *job,
                          const struct workload *w, const struct whatif *change,
                          struct arena *a, struct projection_result *out, struct buf *why)
{
    struct scenario scenario;
    struct timespec until;
    /* Of the full hour: the same question has the same answer a second later. */
    const int64_t now = job->now - job->now % HOUR_S;
    const struct project_input in = { .workload = w,
                                      .scenario = &scenario,
                                      .demand = &q->demand,
                                      .seen = &q->seen,
                                      .prices = job->prices,
                                      .config = job->config,
                                      .now = now,
                                      .change = change };
    const struct scenario_sources from = { job->gpus, &q->seen, now };
    enum status st;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    if (pthread_mutex_clocklock(&q->lock, CLOCK_MONOTONIC, &until) != 0)
        return ST_BUSY;
    st = read_demand(q, job, w, why);
    if (st == ST_OK)
        st = whatif_resolve(w, change, &from, &scenario, why);
    if (st == ST_OK)
        st = project_make(&in, a, out);
    pthread_mutex_unlock(&q->lock);
    return st;
}
