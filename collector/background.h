/*
 * What the server does on its own: the projection at start and every day, alerts every
 * few seconds, retention. One thread, waiting on a condition variable between the jobs,
 * so it stops at once. A shell file.
 */
#ifndef BREAKEVEN_BACKGROUND_H
#define BREAKEVEN_BACKGROUND_H

#include "collector/alert_job.h"
#include "collector/projection/job.h"

struct background_config {
    struct store *store;
    const struct price_book *prices;
    const struct projection_config *projection;
    const struct gpu_list *gpus;
    const struct workload *workload;
    size_t workloads;
    const struct alert_config *alerts;
    const char *external_url; /* or NULL */
    const struct log *log;
};

struct background;

/* Everything borrowed until background_stop. NULL: no thread could be started. */
struct background *background_start(const struct background_config *c);
/* Ask the thread to end, wait for the job at hand, free. NULL is fine. */
void background_stop(struct background *b);

/* Unix milliseconds of the next projection after `now_ms`: 00:15 UTC, once a day. Pure.
 */
int64_t background_next_projection(int64_t now_ms);

#endif
