/*
 * History as OpenMetrics counters, for promtool tsdb create-blocks-from openmetrics: the
 * counters of /metrics as they would have stood at the end of each day (or hour). Pure.
 *
 * Refuses: the last three hours, which belong to the running Prometheus.
 */
#ifndef BREAKEVEN_EXPORT_OPENMETRICS_H
#define BREAKEVEN_EXPORT_OPENMETRICS_H

#include "collector/query.h"

/*
 * `r` grouped as it likes, of grain STORE_DAY or STORE_HOUR. A series begins with 0 at
 * the start of its first bucket and then has a sample at the end of every bucket until
 * `now_s`, also of those without usage, so that increase() over one bucket is what was
 * used in it. `labels` (or empty) is put into every label set: job="x",instance="y",
 * checked by export_labels_valid. ST_LIMIT: out of arena.
 */
enum status export_openmetrics(const struct query_result *r, enum store_grain grain,
                               int64_t now_s, struct slice labels, struct arena *a,
                               struct buf *out);

/* "job=x,instance=y" as a label list, quoted and escaped, into *out; false: not one. */
bool export_labels(struct slice text, struct buf *out);

#endif
