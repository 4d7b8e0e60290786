/* Jobs of a running server: see background.h. */
#include "collector/background.h"
#include "collector/projection/compare_job.h"
#include "collector/projection/decide_record.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char request_name[] = "project-now";

enum {
    DAY_S = 86400,
    DAY_MS = 86400000,
    REPEAT_MS = 60000,
    PROJECT_AT_MS = 15 * 60000,
    PRUNE_EVERY_MS = 600000
};

struct background {
    struct background_config c;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    int64_t project_ms, alert_ms, prune_ms; /* when each is due */
    int64_t projected_ms;                   /* when it last began */
    int64_t first_day, last_day;            /* what it then knew */
    struct alert_memory alerts;
    unsigned seed;
};

int64_t background_next_projection(int64_t now_ms)
{
    int64_t next = now_ms / DAY_MS * DAY_MS + PROJECT_AT_MS;
    return next > now_ms ? next : next + DAY_MS;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A new decision record where something that matters has changed. */
static enum status keep_decision(void *arg, const struct workload *w,
                                 const struct projection_result *r, struct arena *a)
{
    struct background *b = arg;
    struct decision_record rec;
    const struct projection_job job = { .store = b->c.store,
                                        .prices = b->c.prices,
                                        .config = b->c.projection,
                                        .gpus = b->c.gpus,
                                        .now = r->at };
    const struct compare_result *test = NULL;
    struct buf why = { 0 };
    enum status st = compare_measured(&job, w, a, &test, &why);

    if (st == ST_CONFIG) { /* an arm without a filter: decide without the test */
        log_warn(b->c.log, "%s: %s", w->name, buf_cstr(&why));
        st = ST_OK;
    }
    buf_release(&why);
    if (!st)
        st = decision_record_make(b->c.store, b->c.prices, w, r, test, a, &rec);
    if (st || !decision_record_matters(&rec))
        return st;
    return decision_record_save(b->c.store, &rec);
}

static void project(struct background *b, int64_t now_ms)
{
    struct projection_job job = { .store = b->c.store,
                                  .prices = b->c.prices,
                                  .config = b->c.projection,
                                  .gpus = b->c.gpus,
                                  .now = now_ms / 1000,
                                  .kept = keep_decision,
                                  .kept_arg = b,
                                  .read = b->c.questions ? questions_keep : NULL,
                                  .read_arg = b->c.questions };
    struct buf why = { 0 };
    size_t failed = 0;
    enum status st =
        projection_run_all(&job, b->c.workload, b->c.workloads, &failed, &why);
    if (st != ST_OK || failed)
        log_warn(b->c.log, "projection: %s", buf_cstr(&why));
    else
        log_info(b->c.log, "projection: %zu workloads done", b->c.workloads);
    buf_release(&why);
}

static void prune(struct background *b, int64_t now_ms)
{
    bool more = false;
    enum status st = store_prune(b->c.store, now_ms / 1000, &more);
    if (st != ST_OK)
        log_warn(b->c.log, "retention: %s", status_name(st));
    b->prune_ms = now_ms + (more ? 1000 : PRUNE_EVERY_MS);
}

/* Did somebody ask? The request is taken away before the work, never after it. */
static bool take_request(const struct background *b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", b->c.data_dir, request_name);
    return unlink(path) == 0;
}

enum status background_request(const char *data_dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", data_dir, request_name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0 ? ST_OK : ST_IO;
}

/* Are there other days in the store than at the last projection? */
static bool days_changed(struct background *b)
{
    struct store_status s;
    if (store_get_status(b->c.store, &s) != ST_OK)
        return false;
    int64_t first = s.oldest_day / DAY_S, last = s.newest_hour / DAY_S;
    bool changed = first != b->first_day || last != b->last_day;
    b->first_day = first;
    b->last_day = last;
    return changed;
}

static bool projection_due(struct background *b, int64_t now_ms)
{
    if (b->c.workloads == 0)
        return false;
    if (take_request(b) || now_ms >= b->project_ms)
        return true;
    return now_ms - b->projected_ms >= REPEAT_MS && days_changed(b);
}

static void look_at_alerts(struct background *b, int64_t now_ms)
{
    struct silences silences;
    struct buf why = { 0 };
    /* Better a message too many than one too few. */
    if (silences_load(b->c.data_dir, &silences, &why) != ST_OK)
        log_warn(b->c.log, "alerts: no silences: %s", buf_cstr(&why));
    struct alert_job job = { .source = { .store = b->c.store,
                                         .prices = b->c.prices,
                                         .config = b->c.alerts,
                                         .workload = b->c.workload,
                                         .workloads = b->c.workloads },
                             .silences = &silences,
                             .external_url = b->c.external_url,
                             .log = b->c.log,
                             .metrics = b->c.metrics,
                             .memory = &b->alerts,
                             .send = notify_send };
    enum status st = alert_job_run(&job, now_ms, (double)rand_r(&b->seed) / RAND_MAX);
    if (st != ST_OK)
        log_warn(b->c.log, "alerts: %s", status_name(st));
    silences_release(&silences);
    buf_release(&why);
}

static void run_due(struct background *b, int64_t now_ms)
{
    if (projection_due(b, now_ms)) {
        days_changed(b);
        project(b, now_ms);
        b->projected_ms = now_ms;
        b->project_ms = background_next_projection(now_ms);
        b->alert_ms = now_ms; /* look at the new results at once */
    }
    if (now_ms >= b->alert_ms) {
        look_at_alerts(b, now_ms);
        b->alert_ms = now_ms + b->c.alerts->evaluate_ms;
    }
    if (now_ms >= b->prune_ms)
        prune(b, now_ms);
}

static int64_t earliest(const struct background *b)
{
    int64_t at = b->alert_ms < b->prune_ms ? b->alert_ms : b->prune_ms;
    return b->c.workloads && b->project_ms < at ? b->project_ms : at;
}

static void *background_main(void *arg)
{
    struct background *b = arg;
    pthread_mutex_lock(&b->lock);
    while (!b->stop) {
        pthread_mutex_unlock(&b->lock);
        int64_t now_ms = clock_ms(CLOCK_REALTIME);
        run_due(b, now_ms);
        int64_t wait_ms = earliest(b) - clock_ms(CLOCK_REALTIME);
        /* A clock that is set back must not stop the jobs: look at least once a minute.
         */
        wait_ms = wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : wait_ms;
        int64_t until = clock_ms(CLOCK_MONOTONIC) + wait_ms;
        struct timespec t = { until / 1000, until % 1000 * 1000000 };
        pthread_mutex_lock(&b->lock);
        while (!b->stop && pthread_cond_timedwait(&b->wake, &b->lock, &t) == 0)
            ;
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct background *background_start(const struct background_config *c)
{
    struct background *b = calloc(1, sizeof *b);
    pthread_condattr_t attr;
    if (!b)
        return NULL;
    b->c = *c;
    b->seed = (unsigned)clock_ms(CLOCK_REALTIME);
    b->project_ms = 0; /* at start: results may be a day old, prices may have changed */
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&b->thread, NULL, background_main, b) != 0) {
        pthread_cond_destroy(&b->wake);
        pthread_mutex_destroy(&b->lock);
        free(b);
        return NULL;
    }
    return b;
}

void background_stop(struct background *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
