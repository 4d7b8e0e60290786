/*
 * The single-series models of the forecast: dynamic optimised theta (DOT), its fixed
 * siblings (DST), damped trend (ETS A,Ad,N), complex exponential smoothing (CES) and
 * additive Holt-Winters with a damped trend (A,Ad,A) and without one (A,N,A), fitted by
 * least squares on one-step errors, one of them by least absolute ones. The states after
 * every value are kept, so a forecast from any origin costs O(h): that is what makes
 * backtests and intervals cheap.
 *
 * Fed by forecast.c with a clean series: finite values, no gaps. Memory comes from the
 * series' arena, once; a fit allocates nothing. Fiorucci et al. 2016; Gardner, McKenzie
 * 1985; Hyndman et al. 2008; Svetunkov, Kourentzes, Ord 2022 (CES).
 */
#ifndef BREAKEVEN_PROJECTION_MODELS_H
#define BREAKEVEN_PROJECTION_MODELS_H

#include "common/arena.h"
#include "common/status.h"

enum model_kind {
    MODEL_DOT,
    MODEL_DST,        /* theta = 2: half the fitted slope */
    MODEL_DST_ROBUST, /* theta = 2.5, least absolute errors: a jump moves it less */
    MODEL_DAMPED,
    MODEL_CES, /* a level and what it leaves out, both followed */
    MODEL_HW,
    MODEL_HW_LEVEL, /* without a trend */
    MODEL_SNAIVE,   /* the value one season ago */
    MODEL_LEVEL,    /* the mean of the last m values: "last month, again" */
};

struct model {
    enum model_kind kind;
    int n, m;        /* values; season of HW and SNAIVE, span of LEVEL */
    const double *x; /* n values */
    double a, b, p, g, theta;
    double *level;  /* [n + 1], state after t values */
    double *slope;  /* [n + 1]; theta: intercept A, slope B, mean M of the line; CES: its
                       second state */
    double *mean;   /* [n + 1], theta only */
    double *icept;  /* [n + 1], theta only */
    double *season; /* [n + m], HW: s[t] is used by value t (0-based) */
};

/* The line through the data up to each t: shared by the theta models of one series. */
struct theta_line {
    double *slope, *icept, *mean; /* [n + 1] each */
};

/* ST_NOMEM at the arena's ceiling. n >= 1. */
enum status theta_line_make(const double *x, int n, struct arena *a,
                            struct theta_line *out);

/*
 * Fit. `season` (m values, in the units of x) starts HW and is NULL for the others; theta
 * models need `line`. n >= 3; HW and SNAIVE n >= m.
 */
enum status model_fit(struct model *out, enum model_kind kind, const double *x, int n,
                      const struct theta_line *line, const double *season, int m,
                      struct arena *a);

/* Forecast h steps after the first `t` values (t <= n; t >= 1) into f. */
void model_forecast(const struct model *md, int t, int h, double *f);

/* Weight on the error k steps back in a forecast's error (k >= 1): its growth. */
double model_psi(const struct model *md, int k);

#endif
