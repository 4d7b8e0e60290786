/* Arithmetic only; tests/unit/test_hosted.c writes it out case by case. */
#include "collector/projection/hosted.h"

#include <math.h>

void hosted_load_flat(struct hosted_load *l)
{
    *l = (struct hosted_load){ .burst = 1 };
    for (int h = 0; h < HOSTED_WEEK; h++)
        l->share[h] = 1.0 / HOSTED_WEEK;
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
    return fmax(tokens, calls);
}

double hosted_replicas_at(const struct scenario *s, double seconds_per_call,
                          double calls_per_s)
{
    double need = calls_per_s * (1 + s->headroom.v) * seconds_per_call;

    /* A need of 2.0000000001 replicas is rounding, not a third replica. */
    return fmax(s->min_replicas.v, ceil(need - 1e-9));
}

double hosted_replicas(const struct scenario *s, const struct hosted_load *l,
                       double calls_per_day)
{
    double per_call = hosted_seconds_per_call(s, l), most = 0, sum = 0;
    double week = calls_per_day * 7 * s->coverage.v / 3600 * l->burst;

    if (!s->gpu)
        return 0;
    for (int h = 0; h < HOSTED_WEEK && s->capacity == CAPACITY_PEAK; h++)
        most = fmax(most, l->share[h]);
    if (s->capacity == CAPACITY_PEAK)
        return hosted_replicas_at(s, per_call, week * most);
    for (int h = 0; h < HOSTED_WEEK; h++) {
        bool idle = s->capacity == CAPACITY_ZERO && week * l->share[h] <= 0;
        sum += idle ? 0 : hosted_replicas_at(s, per_call, week * l->share[h]);
    }
    return sum / HOSTED_WEEK;
}

void hosted_month_cost(const struct scenario *s, const struct hosted_load *l,
                       const struct hosted_month *m, struct hosted_cost *out)
{
    double rest = 1 - s->coverage.v + s->coverage.v * s->escalation.v;
    double gpu_price = s->gpu_hour.v * pow(1 + s->gpu_price_change.v, m->years);
    int every = (int)s->retrain_months.v;

    *out = (struct hosted_cost){ .replicas = hosted_replicas(s, l, m->calls_per_day) };
    out->gpu = out->replicas * s->gpus_per_replica.v * gpu_price * 24 * m->days;
    out->fixed = s->monthly_fixed.v * m->fraction;
    out->api = rest * m->api_usd;
    out->retrain =
        every > 0 && m->number > 0 && m->number % every == 0 ? s->retrain.v : 0;
    out->total = out->gpu + out->fixed + out->api + out->retrain;
}
