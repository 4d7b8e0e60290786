/*
 * What the collector knows of itself, and usage, as Prometheus text (/metrics). Counters
 * are raised from any thread; usage and agents are read from the store when scraped.
 *
 * Refuses: unbounded label values (the tail of models folds into "other", counted), days
 * as labels.
 */
#ifndef BREAKEVEN_METRICS_H
#define BREAKEVEN_METRICS_H

#include "collector/query.h"

struct metrics;

enum metrics_batch {
    METRICS_BATCH_OK,
    METRICS_BATCH_MALFORMED, /* 400, 413, 415 */
    METRICS_BATCH_DENIED,    /* 401, 403 */
    METRICS_BATCH_BUSY,      /* 503: queue */
    METRICS_BATCH_FAILED,    /* 503: disk */
    METRICS_BATCHES
};

/* A try to tell an alert channel. */
enum metrics_notify {
    METRICS_NOTIFY_OK,
    METRICS_NOTIFY_FAILED, /* tried again later */
    METRICS_NOTIFY_GIVEN_UP,
    METRICS_NOTIFIES
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* All of them do nothing when m is NULL. */
void metrics_ingest(struct metrics *m, enum metrics_batch result, uint64_t bytes);
void metrics_rows(struct metrics *m, const struct store_put *put, uint64_t unknown);
void metrics_commit(struct metrics *m, bool ok, double seconds);
void metrics_http(struct metrics *m, unsigned status);
void metrics_notified(struct metrics *m, unsigned channel, enum metrics_notify result);
/* How often since the start; 0 without m. */
uint64_t metrics_notifications(struct metrics *m, unsigned channel,
                               enum metrics_notify result);
void metrics_reaped(struct metrics *m); /* a connection too slow to keep */

struct collector;

/* Append the whole exposition. */
enum status metrics_render(const struct collector *c, int64_t now_s, struct arena *a,
                           struct buf *out);

#endif
