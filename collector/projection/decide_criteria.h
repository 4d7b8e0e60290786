/*
 * The nine criteria of a decision: private to decide.c and decide_criteria.c. Each is
 * measured by the projection or the parallel test, declared, or unknown.
 */
#ifndef BREAKEVEN_PROJECTION_DECIDE_CRITERIA_H
#define BREAKEVEN_PROJECTION_DECIDE_CRITERIA_H

#include "collector/projection/decide.h"

struct deciding {
    const struct projection_result *r;
    const struct decision_declared *said;
    struct arena *arena;
    struct decision *out;
    bool full; /* the arena is */
    int missing;
    int64_t examples; /* declared or scored; -1 unknown */
};

/* A sentence in the arena; "" and k->full when there is no room. */
const char *decide_say(struct deciding *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills criterion[] and test of k->out. */
void decide_criteria(struct deciding *k);

#endif
