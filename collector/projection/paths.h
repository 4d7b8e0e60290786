/*
 * Sample paths of a forecast: each step keeps its calibrated spread, the steps keep the
 * models' dependence. What dates and totals are read from: P(crossed by h) is not
 * P(y_h >= K), so never from interval lines. Deterministic for a seed.
 */
#ifndef BREAKEVEN_PROJECTION_PATHS_H
#define BREAKEVEN_PROJECTION_PATHS_H

#include "collector/projection/dice.h"
#include "collector/projection/forecast.h"

struct paths {
    int n, h;
    double *y; /* [n][h], raw scale, >= 0 */
};

static inline double *paths_row(const struct paths *p, int path)
{
    return p->y + (size_t)path * (size_t)p->h;
}

/* n paths of f->h steps, half of them the mirror of the other half. */
enum status paths_draw(const struct forecast *f, int n, uint64_t seed, struct arena *a,
                       struct paths *out);

/* The level K, reached from below in one step or in the sum of all steps so far. */
enum passage { PASSAGE_LEVEL, PASSAGE_SUM };

/*
 * First passages: at[p] = step (0-based) at which path p first has y >= K (or its running
 * sum >= K), plus the fraction of that step's growth that was needed (PASSAGE_SUM); -1
 * never. k has h values: K may move with time.
 */
void paths_first_passage(const struct paths *p, enum passage what, const double *k,
                         double *at);

/* Share of passages at or before step h (0-based, inclusive). */
double paths_share_by(const double *at, int n, int h);

/*
 * The q quantile of the passages, paths that never cross counted as later than all; -1
 * when it lies beyond them. Sorts `at`.
 */
double paths_quantile(double *at, int n, double q);

#endif
