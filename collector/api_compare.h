/* The parallel test over the API: scores in, comparisons out. Rows of api.c's table. */
#ifndef BREAKEVEN_API_COMPARE_H
#define BREAKEVEN_API_COMPARE_H

#include "collector/api.h"

/* POST /api/v1/scores: {"scores":new,"known":counted before}, or 400 with line. */
void api_scores(const struct collector *c, const struct api_request *q,
                struct api_reply *r);

/* GET /api/v1/compare (an array) and /api/v1/compare/WORKLOAD (an object). */
void api_compare(const struct collector *c, const struct api_request *q,
                 struct api_reply *r);

#endif
