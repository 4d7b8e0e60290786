/*
 * The newest projection of each workload as Prometheus gauges, read from the documents in
 * the store when /metrics is scraped. What a document says as null has no sample.
 */
#ifndef BREAKEVEN_PROJECTION_GAUGES_H
#define BREAKEVEN_PROJECTION_GAUGES_H

#include "collector/projection/scenario.h"
#include "collector/store.h"
#include "common/arena.h"

/* Append HELP, TYPE and samples of the n declared workloads; nothing without projections.
 * One that is not declared any more has none, so its last one does not grow stale for
 * ever. ST_NOMEM, or the store's.
 */
enum status projection_gauges(struct store *s, const struct workload *declared, size_t n,
                              struct arena *a, struct buf *out);

#endif
