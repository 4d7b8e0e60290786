/* Intervals from sums, joined to differences, judged against margins. */
#include "collector/projection/compare.h"

#include <math.h>

static const double z95 = 1.959963984540054;
static const double sketch_error = 0.02; /* of every value read from a sketch */

const char *compare_side_name(enum compare_side s)
{
    return s == COMPARE_API ? "api" : "specialist";
}

const char *compare_verdict_name(enum compare_verdict v)
{
    static const char *const names[] = { "not yet", "better", "equal", "worse",
                                         "different" };
    return names[v];
}

const char *compare_target_name(enum compare_target t)
{
    static const char *const names[] = { "none", "not yet", "met", "missed" };
    return names[t];
}

/* --- intervals ------------------------------------------------------------------------
 */

double compare_t(double df)
{
    static const double small[] = { 12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                                    2.4469,  2.3646, 2.3060, 2.2622, 2.2281 };
    double z3 = z95 * z95 * z95, z5 = z3 * z95 * z95, z7 = z5 * z95 * z95;

    if (df < 1)
        return NAN;
    if (df <= 10)
        return small[(int)df - 1];
    /* Abramowitz and Stegun 26.7.5 to the third order: within 0.0005 from 11 on */
    return z95 + (z3 + z95) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z95) / (96 * df * df) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z95) / (384 * df * df * df);
}

struct compare_value compare_rate(uint64_t k, uint64_t n)
{
    struct compare_value r = { NAN, NAN, NAN, n };
    double count = (double)n, p, middle, half;

    if (n == 0)
        return r;
    p = (double)k / count;
    middle = p + z95 * z95 / (2 * count);
    half = z95 * sqrt(p * (1 - p) / count + z95 * z95 / (4 * count * count));
    r.v = p;
    r.lo = k == 0 ? 0 : (middle - half) / (1 + z95 * z95 / count);
    r.hi = k == n ? 1 : (middle + half) / (1 + z95 * z95 / count);
    return r;
}

struct compare_value compare_mean(uint64_t n, double sum, double sum2)
{
    struct compare_value r = { NAN, NAN, NAN, n };
    double count = (double)n;

    if (n == 0)
        return r;
    r.v = sum / count;
    if (n < 2)
        return r;
    double variance = fmax(0, (sum2 - sum * r.v) / (count - 1));
    double half = compare_t(count - 1) * sqrt(variance / count);
    r.lo = r.v - half;
    r.hi = r.v + half;
    return r;
}

static double strided(const double *x, size_t i, size_t stride)
{
    return *(const double *)(const void *)((const char *)x + i * stride);
}

struct compare_value compare_ratio(const double *y, const double *x, size_t n,
                                   size_t stride)
{
    struct compare_value r = { NAN, NAN, NAN, 0 };
    double sum_x = 0, sum_y = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        r.n += strided(x, i, stride) > 0;
        sum_x += strided(x, i, stride);
        sum_y += strided(y, i, stride);
    }
    if (r.n == 0)
        return r;
    r.v = sum_y / sum_x;
    if (r.n < 2)
        return r;
    for (size_t i = 0; i < n; i++) {
        double residual = strided(y, i, stride) - r.v * strided(x, i, stride);
        squares += residual * residual;
    }
    double days = (double)r.n;
    double half = compare_t(days - 1) * sqrt(days / (days - 1) * squares) / sum_x;
    r.lo = fmax(0, r.v - half);
    r.hi = r.v + half;
    return r;
}

/* The value of the rank-th of n, rank from 1; NAN outside. */
static double at_rank(const struct sketch *s, double rank)
{
    double n = (double)s->count;

    if (rank < 1 || rank > n)
        return NAN;
    /* half a rank more: rounding must not fall to the one below */
    double q = n > 1 ? fmin(1, (rank - 0.5) / (n - 1)) : 0;
    return (double)sketch_quantile(s, q) * 1e-6;
}

struct compare_value compare_quantile(const struct sketch *s, double q)
{
    struct compare_value r = { NAN, NAN, NAN, s ? s->count : 0 };

    if (!s || s->count == 0)
        return r;
    double n = (double)s->count, half = z95 * sqrt(n * q * (1 - q));
    r.v = (double)sketch_quantile(s, q) * 1e-6;
    r.lo = at_rank(s, floor(n * q - half)) * (1 - sketch_error);
    r.hi = at_rank(s, ceil(n * q + half) + 1) * (1 + sketch_error);
    return r;
}

struct compare_value compare_difference(const struct compare_value *a,
                                        const struct compare_value *b)
{
    return (struct compare_value){
        .v = b->v - a->v,
        .lo = b->v - a->v - hypot(b->v - b->lo, a->hi - a->v),
        .hi = b->v - a->v + hypot(b->hi - b->v, a->v - a->lo),
    };
}

/* --- verdict --------------------------------------------------------------------------
 */

/* What a quantity is, but for its values. */
struct kind {
    const char *name, *unit, *sample;
    int better; /* 1: more is better, -1: less is, 0: neither */
    uint64_t least;
    bool absolute; /* the margin is in the unit, not a share of the API's value */
};

static bool known(const struct compare_value *v)
{
    return !isnan(v->lo) && !isnan(v->hi);
}

static enum compare_verdict judge(const struct compare_value *d, double margin,
                                  int better)
{
    if (d->lo >= -margin && d->hi <= margin)
        return COMPARE_EQUAL;
    if (d->lo <= 0 && d->hi >= 0)
        return COMPARE_NOT_YET;
    if (better == 0)
        return COMPARE_DIFFERENT;
    return (d->lo > 0) == (better > 0) ? COMPARE_BETTER : COMPARE_WORSE;
}

static bool enough(const struct compare_line *l, uint64_t least)
{
    for (int s = 0; s < COMPARE_SIDES; s++)
        if (l->arm[s].n != 0 && l->arm[s].n < least) /* 0: by the cost model */
            return false;
    return known(&l->difference);
}

/* The smaller sample, of the arms that are sampled at all. */
static double smaller(const struct compare_line *l)
{
    uint64_t a = l->arm[COMPARE_API].n, b = l->arm[COMPARE_SPECIALIST].n;

    return (double)(a == 0 || (b != 0 && b < a) ? b : a);
}

/*
 * Intervals shrink with the root of the sample, both arms in step: until half the width
 * is below the difference (a side is better), or fits in what it leaves of the margin
 * (equal), whichever comes first.
 */
static double sample_needed(const struct compare_line *l, uint64_t least)
{
    const struct compare_value *d = &l->difference;
    double gap = fabs(d->v), now = smaller(l);

    if (!known(d) || now == 0)
        return -1;
    double allowed = fmax(gap, l->margin - gap), half = (d->hi - d->lo) / 2;
    if (allowed <= 0)
        return -1;
    return fmax((double)least, ceil(now * (half / allowed) * (half / allowed)));
}

static struct compare_line *add(const struct compare_case *c, struct compare_result *out,
                                const struct kind *k, struct compare_value api,
                                struct compare_value specialist)
{
    struct compare_line *l = &out->line[out->lines++];
    double margin = k->better == -1 && k->absolute ? c->rate_margin : c->margin;

    *l = (struct compare_line){ .name = k->name, .unit = k->unit, .sample = k->sample };
    l->arm[COMPARE_API] = api;
    l->arm[COMPARE_SPECIALIST] = specialist;
    l->difference = compare_difference(&api, &specialist);
    l->margin = k->absolute ? margin : margin * fabs(api.v);
    l->verdict = enough(l, k->least) ? judge(&l->difference, l->margin, k->better)
                                     : COMPARE_NOT_YET;
    l->needed = sample_needed(l, k->least);
    return l;
}

/* --- the lines ------------------------------------------------------------------------
 */

static struct compare_value per_call(const struct compare_arm *a, bool usd)
{
    return a->days ? compare_ratio(usd ? &a->day->usd : &a->day->output, &a->day->calls,
                                   a->days, sizeof *a->day)
                   : (struct compare_value){ NAN, NAN, NAN, 0 };
}

static void add_cost(const struct compare_case *c, struct compare_result *out)
{
    static const struct kind kinds[] = {
        { "cost_per_call_canary", "USD", "days", -1, COMPARE_LEAST_DAYS, false },
        { "cost_per_call_full", "USD", "days", -1, COMPARE_LEAST_DAYS, false },
    };
    double hosted[] = { c->hosted_canary, c->hosted_full };
    struct compare_value api = per_call(&c->arm[COMPARE_API], true);

    for (int i = 0; i < 2; i++) {
        double v = hosted[i];
        struct compare_line *l =
            add(c, out, &kinds[i], api, (struct compare_value){ v, v, v, 0 });
        if (!c->api_priced) {
            l->verdict = COMPARE_NOT_YET;
            l->needed = -1;
        }
    }
}

static void add_latency(const struct compare_case *c, struct compare_result *out)
{
    static const struct {
        struct kind kind;
        double q;
        bool ttft;
    } rows[] = {
        { { "duration_p50", "s", "calls", -1, COMPARE_LEAST, false }, 0.50, false },
        { { "duration_p95", "s", "calls", -1, COMPARE_LEAST, false }, 0.95, false },
        { { "duration_p99", "s", "calls", -1, COMPARE_LEAST, false }, 0.99, false },
        { { "ttft_p50", "s", "calls", -1, COMPARE_LEAST, false }, 0.50, true },
        { { "ttft_p95", "s", "calls", -1, COMPARE_LEAST, false }, 0.95, true },
        { { "ttft_p99", "s", "calls", -1, COMPARE_LEAST, false }, 0.99, true },
    };
    const struct compare_arm *a = &c->arm[COMPARE_API], *b = &c->arm[COMPARE_SPECIALIST];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add(c, out, &rows[i].kind,
            compare_quantile(rows[i].ttft ? a->ttft : a->duration, rows[i].q),
            compare_quantile(rows[i].ttft ? b->ttft : b->duration, rows[i].q));
}

static void add_rates(const struct compare_case *c, struct compare_result *out)
{
    static const struct kind error = { "error_rate", "share",       "calls",
                                       -1,           COMPARE_LEAST, true };
    static const struct kind abort = { "abort_rate", "share",       "calls",
                                       -1,           COMPARE_LEAST, true };
    static const struct kind length = { "output_per_call",  "tokens", "days", 0,
                                        COMPARE_LEAST_DAYS, false };
    const struct compare_arm *a = &c->arm[COMPARE_API], *b = &c->arm[COMPARE_SPECIALIST];

    add(c, out, &error, compare_rate(a->failed, a->calls),
        compare_rate(b->failed, b->calls));
    add(c, out, &abort, compare_rate(a->aborted, a->calls),
        compare_rate(b->aborted, b->calls));
    add(c, out, &length, per_call(a, false), per_call(b, false));
}

/* A metric's mean, its pass rate, or both: whatever was posted of it. */
static void add_score(const struct compare_case *c, size_t i, struct compare_result *out)
{
    const struct compare_score *a = &c->arm[COMPARE_API].score[i],
                               *b = &c->arm[COMPARE_SPECIALIST].score[i];
    const struct kind mean = { c->metric[i], "score", "scores", 1, COMPARE_LEAST, false };
    const struct kind rate = { c->metric[i], "share", "scores", 1, COMPARE_LEAST, true };
    size_t before = out->lines;

    if (a->n + b->n)
        add(c, out, &mean, compare_mean(a->n, a->sum, a->sum2),
            compare_mean(b->n, b->sum, b->sum2));
    if (a->rated + b->rated)
        add(c, out, &rate, compare_rate(a->passes, a->rated),
            compare_rate(b->passes, b->rated));
    for (size_t k = before; k < out->lines; k++)
        out->line[k].score = true;
    if (c->quality_metric && out->lines > before &&
        slice_eq(slice_str(c->metric[i]), slice_str(c->quality_metric))) {
        out->quality = out->line[out->lines - 1].verdict;
        out->examples = b->n > b->rated ? b->n : b->rated;
    }
}

const struct compare_line *compare_find(const struct compare_result *r, const char *name,
                                        const char *unit)
{
    for (size_t i = 0; i < r->lines; i++)
        if (strcmp(r->line[i].name, name) == 0 && strcmp(r->line[i].unit, unit) == 0)
            return &r->line[i];
    return NULL;
}

static void conclude(struct compare_result *r, enum test_state state, const char *reason)
{
    r->test = (int)state;
    r->reason = reason;
}

static enum compare_target judge_target(const struct compare_case *c,
                                        const struct compare_result *r)
{
    if (c->quality_target <= 0 || !c->quality_metric)
        return COMPARE_TARGET_NONE;
    const struct compare_line *l = compare_find(r, c->quality_metric, "share");
    const struct compare_value *own = l ? &l->arm[COMPARE_SPECIALIST] : NULL;
    if (!own || own->n < COMPARE_LEAST)
        return COMPARE_TARGET_OPEN;
    return own->lo >= c->quality_target  ? COMPARE_TARGET_MET
           : own->hi < c->quality_target ? COMPARE_TARGET_MISSED
                                         : COMPARE_TARGET_OPEN;
}

/*
 * Passed: as good or better in quality, by more than chance and from a thousand examples,
 * with no more errors, and the target of quality reached where there is one. Failed:
 * worse in either, or below the target. All else goes on.
 */
static void judge_test(const struct compare_case *c, struct compare_result *r)
{
    enum compare_verdict errors = compare_find(r, "error_rate", "share")->verdict;

    if (r->calls[COMPARE_SPECIALIST] == 0)
        return conclude(r, TEST_NOT_STARTED, "the specialist has had no calls yet");
    if (r->target == COMPARE_TARGET_MISSED)
        return conclude(r, TEST_FAILED, "the specialist misses the target of quality");
    if (r->quality == COMPARE_WORSE)
        return conclude(r, TEST_FAILED, "the specialist's quality is worse");
    if (errors == COMPARE_WORSE)
        return conclude(r, TEST_FAILED, "the specialist fails more often");
    if (!c->quality_metric)
        return conclude(r, TEST_RUNNING, "no quality_metric says how good answers are");
    if (r->quality == COMPARE_NOT_YET)
        return conclude(r, TEST_RUNNING, "no verdict on quality yet");
    if (r->examples < COMPARE_EXAMPLES)
        return conclude(r, TEST_RUNNING, "fewer than 1,000 scored examples yet");
    if (r->target == COMPARE_TARGET_OPEN)
        return conclude(r, TEST_RUNNING, "the target of quality is not certain yet");
    if (errors == COMPARE_NOT_YET)
        return conclude(r, TEST_RUNNING, "no verdict on errors yet");
    conclude(r, TEST_PASSED,
             r->quality == COMPARE_BETTER
                 ? "quality is better, errors are no more, from 1,000 examples or more"
                 : "quality is equal, errors are no more, from 1,000 examples or more");
}

void compare_judge(const struct compare_case *c, struct compare_result *out)
{
    *out = (struct compare_result){ .example_of = "scores" };
    add_cost(c, out);
    add_latency(c, out);
    add_rates(c, out);
    for (size_t i = 0; i < c->metrics && i < COMPARE_SCORES_MAX; i++)
        add_score(c, i, out);
    if (!c->quality_metric) {
        out->examples = c->arm[COMPARE_SPECIALIST].calls;
        out->example_of = "calls";
    }
    for (int s = 0; s < COMPARE_SIDES; s++)
        out->calls[s] = c->arm[s].calls;
    out->target = judge_target(c, out);
    judge_test(c, out);
}
