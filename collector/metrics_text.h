/*
 * Lines of the Prometheus text format, version 0.0.4: what metrics.c, metrics_usage.c and
 * metrics_agents.c share. Pure.
 */
#ifndef BREAKEVEN_METRICS_TEXT_H
#define BREAKEVEN_METRICS_TEXT_H

#include "common/buf.h"

/* HELP and TYPE. */
void metrics_head(struct buf *b, const char *name, const char *type, const char *help);

/* ,name="value" with quotes, backslashes and newlines escaped, other control bytes
 * dropped; `first`: an opening brace in place of the comma. */
void metrics_label(struct buf *b, const char *name, struct slice v, bool first);

void metrics_counter(struct buf *b, const char *name, const char *help, uint64_t v);
void metrics_gauge(struct buf *b, const char *name, const char *help, double v);

#endif
