/*
 * The newest projection of each workload as Prometheus gauges, read from the documents in
 * the store when /metrics is scraped. What a document says as null has no sample.
 */
#ifndef BREAKEVEN_PROJECTION_GAUGES_H
#define BREAKEVEN_PROJECTION_GAUGES_H

#include "collector/store.h"
#include "common/arena.h"

/* Append HELP, TYPE and samples; nothing without projections. ST_NOMEM, or the store's.
 */
enum status projection_gauges(struct store *s, struct arena *a, struct buf *out);

#endif
