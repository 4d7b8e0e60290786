/*
 * Downhill simplex in a box of at most six dimensions: the only optimiser that the models
 * need. Pure, allocates nothing. Refuses: promises of a global minimum; the models give
 * it two starts.
 */
#ifndef BREAKEVEN_PROJECTION_NELDER_MEAD_H
#define BREAKEVEN_PROJECTION_NELDER_MEAD_H

enum { NELDER_MEAD_DIMS = 6 };

typedef double nelder_mead_fn(const double *x, const void *arg);

struct nelder_mead {
    nelder_mead_fn *f; /* to minimise; NaN and infinities count as worst */
    const void *arg;
    int n; /* dimensions, 1..6 */
    double lo[NELDER_MEAD_DIMS],
        hi[NELDER_MEAD_DIMS];      /* trial points are clamped to it */
    double step[NELDER_MEAD_DIMS]; /* edges of the first simplex */
    int evals;                     /* at most so many calls of f */
    double spread;                 /* stop when the values differ relatively by less */
};

/* From x[0..n) downhill; the best point is left in x, its value returned. */
double nelder_mead_run(const struct nelder_mead *p, double *x);

#endif
