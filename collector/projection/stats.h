/* Order statistics and sums of plain arrays. `scratch` is room for n values. */
#ifndef BREAKEVEN_PROJECTION_STATS_H
#define BREAKEVEN_PROJECTION_STATS_H

/* Median; reorders x. The mean of the middle two for even n; 0 for n == 0. */
double stats_median_in_place(double *x, int n);
double stats_median(const double *x, int n, double *scratch);
/* 1.4826 x median |x|: a standard deviation that outliers do not move. */
double stats_mad0(const double *x, int n, double *scratch);
double stats_mean(const double *x, int n);
double stats_variance(const double *x, int n); /* mean square around the mean */
/* The q quantile of sorted x (type 7: linear between order statistics). n >= 1. */
/* As far as sorting it must go for x[rank[0..ranks)] to be in place; ranks ascend. */
void stats_place(double *x, int n, const int *rank, int ranks);

double stats_quantile_sorted(const double *x, int n, double q);
void stats_sort(double *x, int n);

#endif
