/* Selection by Hoare's quickselect: medians of windows are the hot part of cleaning. */
#include "collector/projection/stats.h"

#include <math.h>
#include <string.h>

/* The k-th smallest (0-based); afterwards x[0..k) <= x[k] <= x(k..n). */
static double select_kth(double *x, int n, int k)
{
    int lo = 0, hi = n - 1;

    while (lo < hi) {
        double pivot = x[lo + (hi - lo) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                double t = x[i];
                x[i++] = x[j];
                x[j--] = t;
            }
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            break;
    }
    return x[k];
}

double stats_median_in_place(double *x, int n)
{
    if (n == 0)
        return 0;
    double upper = select_kth(x, n, n / 2);
    if (n % 2)
        return upper;
    double lower = x[0];
    for (int i = 1; i < n / 2; i++)
        lower = x[i] > lower ? x[i] : lower;
    return (lower + upper) / 2;
}

double stats_median(const double *x, int n, double *scratch)
{
    memcpy(scratch, x, (size_t)n * sizeof *x);
    return stats_median_in_place(scratch, n);
}

double stats_mad0(const double *x, int n, double *scratch)
{
    for (int i = 0; i < n; i++)
        scratch[i] = fabs(x[i]);
    return 1.4826 * stats_median_in_place(scratch, n);
}

double stats_mean(const double *x, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / n : 0;
}

double stats_variance(const double *x, int n)
{
    double mean = stats_mean(x, n), sum = 0;

    for (int i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return n ? sum / n : 0;
}

/* Partition x[lo..hi]: afterwards x[lo..*j] <= pivot <= x[*i..hi], *j < *i. */
static void partition(double *x, int lo, int hi, int *i_out, int *j_out)
{
    double a = x[lo], b = x[lo + (hi - lo) / 2], c = x[hi];
    double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    int i = lo, j = hi;

    while (i <= j) {
        while (x[i] < pivot)
            i++;
        while (x[j] > pivot)
            j--;
        if (i <= j) {
            double t = x[i];
            x[i++] = x[j];
            x[j--] = t;
        }
    }
    *i_out = i;
    *j_out = j;
}

/* Quicksort without calls of a comparator: dates sort every path. */
static void sort_range(double *x, int lo, int hi)
{
    while (hi - lo > 16) {
        int i, j;
        partition(x, lo, hi, &i, &j);
        /* Recurse into the smaller part: the depth stays logarithmic. */
        if (j - lo < hi - i) {
            sort_range(x, lo, j);
            lo = i;
        } else {
            sort_range(x, i, hi);
            hi = j;
        }
    }
}

static void insertion_sort(double *x, int n)
{
    for (int i = 1; i < n; i++) {
        double v = x[i];
        int j = i;
        for (; j > 0 && x[j - 1] > v; j--)
            x[j] = x[j - 1];
        x[j] = v;
    }
}

void stats_sort(double *x, int n)
{
    sort_range(x, 0, n - 1);
    insertion_sort(x, n);
}

/* Only the parts that hold a wanted rank are looked into. */
static void place_range(double *x, int lo, int hi, const int *rank, int ranks)
{
    while (ranks > 0 && hi - lo > 16) {
        int i, j, left = 0, right;
        partition(x, lo, hi, &i, &j);
        while (left < ranks && rank[left] <= j)
            left++;
        for (right = left; right < ranks && rank[right] < i;)
            right++; /* between the two parts: in place */
        place_range(x, lo, j, rank, left);
        lo = i;
        rank += right;
        ranks -= right;
    }
    if (ranks > 0)
        insertion_sort(x + lo, hi - lo + 1);
}

void stats_place(double *x, int n, const int *rank, int ranks)
{
    place_range(x, 0, n - 1, rank, ranks);
}

double stats_quantile_sorted(const double *x, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;

    if (i >= n - 1)
        return x[n - 1];
    return x[i] + (at - i) * (x[i + 1] - x[i]);
}
