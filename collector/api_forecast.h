/*
 * Projections as flat rows, for tables elsewhere (Grafana's Infinity source). Rows of
 * api.c's table; the whole documents are /api/v1/projections.
 */
#ifndef BREAKEVEN_API_FORECAST_H
#define BREAKEVEN_API_FORECAST_H

#include "collector/api.h"

/* GET /api/v1/forecast: a row for each workload and month; ?workload= keeps one. */
void api_forecast(const struct collector *c, const struct api_request *q,
                  struct api_reply *r);

/* GET /api/v1/breakeven: a row for each workload. */
void api_breakeven(const struct collector *c, const struct api_request *q,
                   struct api_reply *r);

#endif
