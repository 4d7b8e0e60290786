/* Shrinking after Miller, Williams 2003; strength after Wang, Smith, Hyndman 2006. */
#include "collector/projection/season.h"

#include <math.h>

#include "collector/projection/stats.h"

bool season_acf_test(const double *z, int n, int m)
{
    double mean = stats_mean(z, n), var = 0, sum = 0, r = 0;

    if (m < 2 || n < 3 * m)
        return false;
    for (int t = 0; t < n; t++)
        var += (z[t] - mean) * (z[t] - mean);
    if (var <= 0)
        return false;
    for (int k = 1; k <= m; k++) {
        double c = 0;
        for (int t = k; t < n; t++)
            c += (z[t] - mean) * (z[t - k] - mean);
        r = c / var;
        if (k < m)
            sum += r * r;
    }
    return fabs(r) > 1.645 * sqrt((1 + 2 * sum) / n);
}

/* Centred moving average over m values around t; only for t in [m/2, n - m/2). */
static double centred(const double *z, int t, int m)
{
    double sum = 0;
    int half = m / 2;

    for (int i = t - half; i <= t + half; i++)
        sum += z[i];
    if (m % 2)
        return sum / m;
    return (sum - (z[t - half] + z[t + half]) / 2) / m;
}

/* Remainders to the moving average; NAN where there is none. Returns how many. */
static int remainders(const double *z, int n, int m, bool logs, double *r)
{
    int count = 0;

    for (int t = 0; t < n; t++) {
        r[t] = NAN;
        if (t < m / 2 || t >= n - m / 2)
            continue;
        double c = centred(z, t, m);
        if (!logs && c <= 0)
            continue;
        r[t] = logs ? z[t] - c : z[t] / c;
        count++;
    }
    return count;
}

/* Means by phase, normalised: sum 0 in logs, mean 1 raw. False with an empty phase. */
static bool indices(const double *r, int n, int m, bool logs, double *index)
{
    double total = 0;

    for (int p = 0; p < m; p++) {
        double sum = 0;
        int k = 0;
        for (int t = p; t < n; t += m) {
            if (isnan(r[t]))
                continue;
            sum += r[t];
            k++;
        }
        if (k == 0)
            return false;
        index[p] = sum / k;
        total += index[p];
    }
    double mean = total / m;
    if (!logs && mean <= 0)
        return false;
    for (int p = 0; p < m; p++)
        index[p] = logs ? index[p] - mean : fmax(0.02, index[p] / mean);
    return true;
}

/* Variance of r, and the mean square that the indices leave of it. */
static void spread(const double *r, int n, int m, const double *index, double *var,
                   double *left)
{
    double mean = 0, lmean = 0;
    int k = 0;

    for (int t = 0; t < n; t++) {
        if (isnan(r[t]))
            continue;
        mean += r[t];
        lmean += r[t] - index[t % m];
        k++;
    }
    mean /= k;
    lmean /= k;
    *var = *left = 0;
    for (int t = 0; t < n; t++) {
        if (isnan(r[t]))
            continue;
        double e = r[t] - index[t % m];
        *var += (r[t] - mean) * (r[t] - mean) / k;
        *left += (e - lmean) * (e - lmean) / k;
    }
}

static void shrink(double *index, int m, bool logs, double left, int count)
{
    double none = logs ? 0 : 1, sum = 0, cycles = (double)count / m;

    for (int p = 0; p < m; p++)
        sum += (index[p] - none) * (index[p] - none);
    if (sum <= 0 || count <= m)
        return;
    double s2 = left * count / (count - m) / cycles;
    double w = fmin(1, (m - 3) * s2 / sum);
    for (int p = 0; p < m && w > 0; p++)
        index[p] = none + (index[p] - none) * (1 - w);
}

enum status season_fit(const double *z, int n, int m, bool logs, struct arena *a,
                       struct season *out)
{
    *out = (struct season){ .m = 1, .logs = logs };
    if (m < 2 || m > SEASON_MAX || n < 2 * m + 2)
        return ST_OK;
    double *r = arena_alloc(a, (size_t)n * sizeof *r);
    double *index = arena_alloc(a, (size_t)m * sizeof *index);
    if (!r || !index)
        return ST_NOMEM;
    int count = remainders(z, n, m, logs, r);
    if (count == 0 || !indices(r, n, m, logs, index))
        return ST_OK;
    double var, left;
    spread(r, n, m, index, &var, &left);
    out->strength = var > 0 ? fmax(0, 1 - left / var) : 0;
    double bar = m == 7 || m == 24 || m == 168 ? 0.2 : 0.4;
    if (out->strength <= bar &&
        !(m <= 24 && out->strength > bar / 2 && season_acf_test(z, n, m)))
        return ST_OK;
    shrink(index, m, logs, left, count);
    out->m = m;
    out->index = index;
    return ST_OK;
}

void season_remove(const struct season *s, const double *z, int n, double *out)
{
    for (int t = 0; t < n; t++) {
        double i = s->m > 1 ? s->index[t % s->m] : s->logs ? 0 : 1;
        out[t] = s->logs ? z[t] - i : z[t] / i;
    }
}

double season_factor(const struct season *s, int t)
{
    if (s->m == 1)
        return 1;
    double i = s->index[t % s->m];
    return s->logs ? exp(i) : i;
}
