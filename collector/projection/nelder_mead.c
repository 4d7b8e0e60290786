/* Nelder, Mead 1965: reflect 1, expand 2, contract 1/2, shrink 1/2. */
#include "collector/projection/nelder_mead.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct simplex {
    const struct nelder_mead *p;
    double at[NELDER_MEAD_DIMS + 1][NELDER_MEAD_DIMS];
    double f[NELDER_MEAD_DIMS + 1];
    double sum[NELDER_MEAD_DIMS]; /* of all corners, by coordinate */
    int left;                     /* evaluations */
};

static double eval(struct simplex *s, double *x)
{
    const struct nelder_mead *p = s->p;

    for (int i = 0; i < p->n; i++)
        x[i] = x[i] < p->lo[i] ? p->lo[i] : x[i] > p->hi[i] ? p->hi[i] : x[i];
    s->left--;
    double f = p->f(x, p->arg);
    return isfinite(f) ? f : HUGE_VAL;
}

static void resum(struct simplex *s)
{
    int n = s->p->n;

    memset(s->sum, 0, sizeof s->sum);
    for (int c = 0; c <= n; c++)
        for (int i = 0; i < n; i++)
            s->sum[i] += s->at[c][i];
}

/* Move corner `w` to centroid + t (w - centroid); keep it if that is lower. */
static double try_move(struct simplex *s, int w, double t)
{
    int n = s->p->n;
    double x[NELDER_MEAD_DIMS];

    for (int i = 0; i < n; i++) {
        double centroid = (s->sum[i] - s->at[w][i]) / n;
        x[i] = centroid + t * (s->at[w][i] - centroid);
    }
    double f = eval(s, x);
    if (f < s->f[w]) {
        for (int i = 0; i < n; i++) {
            s->sum[i] += x[i] - s->at[w][i];
            s->at[w][i] = x[i];
        }
        s->f[w] = f;
    }
    return f;
}

static void shrink(struct simplex *s, int best)
{
    int n = s->p->n;

    for (int c = 0; c <= n; c++) {
        if (c == best)
            continue;
        for (int i = 0; i < n; i++)
            s->at[c][i] = s->at[best][i] + 0.5 * (s->at[c][i] - s->at[best][i]);
        s->f[c] = eval(s, s->at[c]);
    }
    resum(s);
}

static void first_simplex(struct simplex *s, const double *x)
{
    const struct nelder_mead *p = s->p;

    for (int c = 0; c <= p->n; c++) {
        memcpy(s->at[c], x, (size_t)p->n * sizeof *x);
        if (c > 0) {
            double *v = &s->at[c][c - 1];
            *v += *v + p->step[c - 1] <= p->hi[c - 1] ? p->step[c - 1] : -p->step[c - 1];
        }
        s->f[c] = eval(s, s->at[c]);
    }
    resum(s);
}

double nelder_mead_run(const struct nelder_mead *p, double *x)
{
    struct simplex s = { .p = p, .left = p->evals };
    int n = p->n;

    assert(n >= 1 && n <= NELDER_MEAD_DIMS);
    first_simplex(&s, x);
    for (;;) {
        int best = 0, worst = 0, next = -1;
        for (int c = 1; c <= n; c++) {
            best = s.f[c] < s.f[best] ? c : best;
            worst = s.f[c] > s.f[worst] ? c : worst;
        }
        for (int c = 0; c <= n; c++)
            if (c != worst && (next < 0 || s.f[c] > s.f[next]))
                next = c;
        if (s.left <= 0 ||
            s.f[worst] - s.f[best] <= p->spread * (fabs(s.f[best]) + 1e-300)) {
            memcpy(x, s.at[best], (size_t)n * sizeof *x);
            return s.f[best];
        }
        double f = try_move(&s, worst, -1);
        if (f < s.f[best]) {
            try_move(&s, worst, 2);
        } else if (f >= s.f[next]) {
            double was = s.f[worst];
            if (try_move(&s, worst, 0.5) >= was)
                shrink(&s, best);
        }
    }
}
