/*
 * What the server does on its own: the projection at start, every day, when the days in
 * the store have changed, and when `breakeven-collector project` asks; alerts every few
 * seconds; retention. One thread, waiting on a condition variable between the jobs, so it
 * stops at once. A shell file.
 */
#ifndef BREAKEVEN_BACKGROUND_H
#define BREAKEVEN_BACKGROUND_H

#include "collector/alert_job.h"
#include "collector/projection/questions.h"

struct background_config {
    struct store *store;
    const char *data_dir;
    const struct price_book *prices;
    const struct projection_config *projection;
    const struct gpu_list *gpus;
    const struct workload *workload;
    size_t workloads;
    struct questions *questions; /* get what projections are made of; or NULL */
    const struct alert_config *alerts;
    const char *external_url; /* or NULL */
    struct metrics *metrics;  /* or NULL */
    const struct log *log;
};

struct background;

/* Everything borrowed until background_stop. NULL: no thread could be started. */
struct background *background_start(const struct background_config *c);
/* Ask the thread to end, wait for the job at hand, free. NULL is fine. */
void background_stop(struct background *b);

/*
 * Ask the server that owns data_dir to project at its next look (alerts.evaluate): an
 * empty file there, which it removes. ST_IO: it could not be written.
 */
enum status background_request(const char *data_dir);

/* Unix milliseconds of the next projection after `now_ms`: 00:15 UTC, once a day. Pure.
 */
int64_t background_next_projection(int64_t now_ms);

#endif
