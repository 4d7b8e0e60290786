/* Antithetic pairs: the median path is the point forecast, whatever the seed. */
#include "collector/projection/paths.h"

#include <math.h>

#include "collector/projection/stats.h"

/* scale[i] makes the sum of weighted shocks at step i have the deviation sigma[i]. */
static void step_scales(const struct forecast *f, double *scale)
{
    double sum = 0;

    for (int i = 0; i < f->h; i++) {
        sum += f->psi[i] * f->psi[i];
        scale[i] = f->sigma[i] / sqrt(sum);
    }
}

static double shifted(const struct forecast *f, int i, double u)
{
    if (f->error_logs)
        return f->point[i] * exp(u);
    return fmax(0, f->point[i] + u * f->factor[i]);
}

enum status paths_draw(const struct forecast *f, int n, uint64_t seed, struct arena *a,
                       struct paths *out)
{
    int h = f->h;
    struct dice dice;

    *out = (struct paths){ .n = n, .h = h };
    out->y = arena_alloc(a, (size_t)n * (size_t)h * sizeof *out->y);
    double *scale = arena_alloc(a, (size_t)h * sizeof *scale);
    double *eps = arena_alloc(a, (size_t)h * sizeof *eps);
    if (!out->y || !scale || !eps)
        return ST_NOMEM;
    step_scales(f, scale);
    dice_init(&dice, seed);
    for (int p = 0; p < n; p += 2) {
        double *y = paths_row(out, p), *mirror = p + 1 < n ? y + h : NULL;
        for (int i = 0; i < h; i++)
            eps[i] = dice_normal(&dice);
        for (int i = 0; i < h; i++) {
            double u = 0;
            for (int j = 0; j <= i; j++)
                u += f->psi[i - j] * eps[j];
            y[i] = shifted(f, i, u * scale[i]);
            if (mirror)
                mirror[i] = shifted(f, i, -u * scale[i]);
        }
    }
    return ST_OK;
}

void paths_first_passage(const struct paths *p, enum passage what, const double *k,
                         double *at)
{
    for (int r = 0; r < p->n; r++) {
        const double *y = paths_row(p, r);
        double sum = 0;
        at[r] = -1;
        for (int i = 0; i < p->h; i++) {
            double was = sum;
            sum = what == PASSAGE_SUM ? sum + y[i] : y[i];
            if (sum < k[i])
                continue;
            at[r] = i;
            if (what == PASSAGE_SUM && sum > was)
                at[r] += fmax(0, fmin(1, (k[i] - was) / (sum - was)));
            break;
        }
    }
}

double paths_share_by(const double *at, int n, int h)
{
    int k = 0;

    for (int i = 0; i < n; i++)
        k += at[i] >= 0 && at[i] < h + 1;
    return n ? (double)k / n : 0;
}

double paths_quantile(double *at, int n, double q)
{
    int never = 0;

    stats_sort(at, n);
    while (never < n && at[never] < 0)
        never++;
    int rank = (int)ceil(q * n) - 1;
    rank = rank < 0 ? 0 : rank;
    return never + rank < n ? at[never + rank] : -1;
}
