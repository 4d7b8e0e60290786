/*
 * How wrong a combination's forecasts were, by step, and how that grows: sigma per step,
 * from multi-step errors at every origin blended with the models' own growth. Fed by
 * forecast.c. docs/projection.md, "Intervals".
 */
#ifndef BREAKEVEN_PROJECTION_INTERVAL_H
#define BREAKEVEN_PROJECTION_INTERVAL_H

#include "collector/projection/combine.h"
#include "collector/projection/forecast.h"

/* Fills error_logs, sigma and psi of *f (h, n, point, factor are set). */
enum status interval_fit(const struct combination *c, struct arena *a,
                         struct forecast *f);

#endif
