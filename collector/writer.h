/*
 * The single writer: HTTP threads hand batches in and wait; one thread commits whatever
 * has gathered in one transaction (group commit) and wakes them when it is durable.
 * Between ingest and store.
 *
 * Refuses: more than `queue` waiting batches; the client is told to come back.
 */
#ifndef BREAKEVEN_WRITER_H
#define BREAKEVEN_WRITER_H

#include "collector/metrics.h"
#include "collector/store.h"

struct writer;

/* NULL: no memory or no thread. Borrows all three; metrics and log may be NULL. */
struct writer *writer_new(struct store *store, size_t queue, struct metrics *metrics,
                          const struct log *log);

/*
 * Store a batch and wait for it. ST_OK: durable, *result is set. ST_BUSY: the queue is
 * full; ST_FULL, ST_IO: the disk; ST_BAD: this batch can never be stored (a sum outgrew
 * 63 bits). Safe from any thread.
 */
enum status writer_put(struct writer *w, const struct store_batch *batch,
                       struct store_put *result);

/* Did the last commit fail for the disk's sake? */
bool writer_stuck(const struct writer *w);

/* Finishes what is queued, then ends. Nobody may call writer_put any more. */
void writer_free(struct writer *w);

#endif
