/* Arithmetic only; tests/unit/test_hosted.c writes it out case by case. */
#include "collector/projection/hosted.h"

void hosted_load_flat(struct hosted_load *l)
{
    *l = (struct hosted_load){ .burst = 1 };
    for (int h = 0; h < HOSTED_WEEK; h++)
        l->share[h] = 1.0 / HOSTED_WEEK;
    hosted_load_settle(l);
}

void hosted_load_settle(struct hosted_load *l)
{
    l->peak = 0;
    for (int h = 0; h < HOSTED_WEEK; h++)
        l->peak = l->share[h] > l->peak ? l->share[h] : l->peak;
}

/* Prefill and decode share the GPU, so their times add; a limit in requests/s stands on
 * its own and the tighter one binds. */
double hosted_seconds_per_call(const struct scenario *s, const struct hosted_load *l)
{
    double tokens = 0, calls = 0;

    if (s->output_tokens_per_s.v > 0)
        tokens += l->output_per_call / s->output_tokens_per_s.v;
    if (s->input_tokens_per_s.v > 0)
        tokens += l->input_per_call / s->input_tokens_per_s.v;
    if (s->requests_per_s.v > 0)
        calls = 1 / s->requests_per_s.v;
    return tokens > calls ? tokens : calls;
}

/*
 * Whole replicas for a need, at least `least`. A need of 2.0000000001 replicas is
 * rounding, not a third one. Without ceil(): this runs for every hour of the week of
 * every month of every path.
 */
static inline double whole(double need, double least)
{
    double n = (double)(int64_t)(need < 1e15 ? need - 1e-9 : 1e15);

    n += n < need - 1e-9;
    return n > least ? n : least;
}

double hosted_replicas_at(const struct scenario *s, double seconds_per_call,
                          double calls_per_s)
{
    return whole(calls_per_s * (1 + s->headroom.v) * seconds_per_call, s->min_replicas.v);
}

double hosted_replicas(const struct scenario *s, const struct hosted_load *l,
                       double calls_per_day)
{
    double least = s->min_replicas.v, most = l->peak, sum = 0;

    if (!s->gpu)
        return 0;
    /* What all of the week's calls would need if they came within one hour. */
    double need = calls_per_day * 7 * s->coverage.v / 3600 * l->burst *
                  (1 + s->headroom.v) * hosted_seconds_per_call(s, l);
    if (s->capacity == CAPACITY_PEAK)
        return whole(need * most, least);
    if (s->capacity == CAPACITY_AUTOSCALE && need * most <= least)
        return least; /* most small workloads: no hour needs more than the minimum */
    bool to_zero = s->capacity == CAPACITY_ZERO;
    for (int h = 0; h < HOSTED_WEEK; h++)
        if (!to_zero || (l->share[h] > 0 && calls_per_day * s->coverage.v > 0))
            sum += whole(need * l->share[h], least);
    return sum / HOSTED_WEEK;
}

void hosted_month_cost(const struct scenario *s, const struct hosted_load *l,
                       const struct hosted_month *m, struct hosted_cost *out)
{
    double rest = 1 - s->coverage.v + s->coverage.v * s->escalation.v;
    double gpu_price = s->gpu_hour.v * m->gpu;
    int every = (int)s->retrain_months.v;

    *out = (struct hosted_cost){ .replicas = hosted_replicas(s, l, m->calls_per_day) };
    out->gpu = out->replicas * s->gpus_per_replica.v * gpu_price * 24 * m->days;
    out->fixed = s->monthly_fixed.v * m->fraction;
    out->api = rest * m->api_usd;
    out->retrain =
        every > 0 && m->number > 0 && m->number % every == 0 ? s->retrain.v : 0;
    out->total = out->gpu + out->fixed + out->api + out->retrain;
}
