/* The result as JSON: keys are the names of the struct's members; unknown is null. */
#include "collector/projection/result.h"

#include <math.h>

#include "common/instant.h"
#include "common/json.h"

#define NS_PER_S INT64_C(1000000000)

const char *projection_verdict_name(enum projection_verdict v)
{
    static const char *const names[] = { "refused",  "crossed",  "likely",
                                         "possible", "unlikely", "open" };

    return v <= PROJECTION_OPEN ? names[v] : "";
}

static void num(struct json_out *o, const char *key, double v)
{
    json_key(o, key);
    json_num(o, v);
}

/* -1 stands for "not known" or "not within the horizon". */
static void num_or_null(struct json_out *o, const char *key, double v)
{
    json_key(o, key);
    if (v < 0)
        json_null(o);
    else
        json_num(o, v);
}

static void text(struct json_out *o, const char *key, const char *s)
{
    json_key(o, key);
    if (s)
        json_str(o, slice_str(s));
    else
        json_null(o);
}

/* A day as "2026-11-02", null for 0. */
static void day(struct json_out *o, const char *key, int64_t at)
{
    struct buf b = { 0 };

    json_key(o, key);
    if (at == 0) {
        json_null(o);
        return;
    }
    instant_format_day(at * NS_PER_S, &b);
    json_str(o, buf_slice(&b));
    buf_release(&b);
}

static void band(struct json_out *o, const char *key, const struct projection_band *b)
{
    json_key(o, key);
    json_open(o, '{');
    num(o, "median", b->median);
    num(o, "lo80", b->lo80);
    num(o, "hi80", b->hi80);
    num(o, "lo95", b->lo95);
    num(o, "hi95", b->hi95);
    json_close(o, '}');
}

static void dates(struct json_out *o, const char *key, const struct projection_dates *d)
{
    json_key(o, key);
    json_open(o, '{');
    day(o, "q10", d->q10);
    day(o, "q50", d->q50);
    day(o, "q90", d->q90);
    num_or_null(o, "months10", d->months10);
    num_or_null(o, "months50", d->months50);
    num_or_null(o, "months90", d->months90);
    num(o, "never", d->never);
    num_or_null(o, "p6", d->p6);
    num_or_null(o, "p9", d->p9);
    num_or_null(o, "p12", d->p12);
    json_close(o, '}');
}

static void month(struct json_out *o, const struct projection_month *m)
{
    json_open(o, '{');
    day(o, "start", m->start);
    num(o, "days", m->days);
    num(o, "calls", m->calls);
    num(o, "tokens", m->tokens);
    band(o, "api", &m->api);
    band(o, "hosted", &m->hosted);
    band(o, "saving", &m->saving);
    num(o, "p_cheaper", m->p_cheaper);
    num(o, "p_crossed", m->p_crossed);
    num(o, "p_paid", m->p_paid);
    num(o, "replicas", m->replicas);
    json_close(o, '}');
}

static void input(struct json_out *o, const char *key, const struct input *i)
{
    json_key(o, key);
    json_open(o, '{');
    num(o, "value", i->v);
    text(o, "origin", input_origin_name(i->origin));
    json_close(o, '}');
}

static void scenario(struct json_out *o, const struct scenario *s)
{
    json_key(o, "scenario");
    json_open(o, '{');
    text(o, "gpu", s->gpu);
    text(o, "capacity", hosted_capacity_name(s->capacity));
    input(o, "monthly_fixed", &s->monthly_fixed);
    input(o, "setup", &s->setup);
    input(o, "gpu_hour", &s->gpu_hour);
    input(o, "gpus_per_replica", &s->gpus_per_replica);
    input(o, "output_tokens_per_s", &s->output_tokens_per_s);
    input(o, "input_tokens_per_s", &s->input_tokens_per_s);
    input(o, "requests_per_s", &s->requests_per_s);
    input(o, "headroom", &s->headroom);
    input(o, "min_replicas", &s->min_replicas);
    input(o, "coverage", &s->coverage);
    input(o, "escalation", &s->escalation);
    input(o, "retrain", &s->retrain);
    input(o, "retrain_months", &s->retrain_months);
    input(o, "api_price_change", &s->api_price_change);
    input(o, "gpu_price_change", &s->gpu_price_change);
    input(o, "latency_target", &s->latency_target);
    num_or_null(o, "most_tokens_per_s",
                s->most_tokens_per_s > 0 ? s->most_tokens_per_s : -1);
    json_key(o, "gpu_prices");
    json_open(o, '[');
    for (int i = 0; i < s->gpu_path.n; i++) {
        json_open(o, '{');
        day(o, "from", s->gpu_path.step[i].from);
        num(o, "hourly", s->gpu_path.step[i].usd);
        json_close(o, '}');
    }
    json_close(o, ']');
    json_close(o, '}');
}

/* What the specialist was seen to sustain; null without a latency target or a test. */
static void throughput(struct json_out *o, const struct throughput *t)
{
    json_key(o, "throughput");
    if (t->target_s <= 0) {
        json_null(o);
        return;
    }
    json_open(o, '{');
    num(o, "sustained", t->sustained);
    num_or_null(o, "missed", t->missed > 0 ? t->missed : -1);
    num(o, "hours", t->hours);
    num(o, "latency_target", t->target_s);
    json_close(o, '}');
}

static void what_if(struct json_out *o, const struct whatif *w)
{
    json_key(o, "what_if");
    json_open(o, '{');
    for (const struct whatif_field *f = whatif_fields; f->name; f++) {
        double v = *(const double *)((const char *)w + f->offset);
        if (!isnan(v))
            num(o, f->name, v);
    }
    json_close(o, '}');
}

static void history(struct json_out *o, const struct projection_result *r)
{
    day(o, "first_day", r->first_day);
    day(o, "last_day", r->last_day);
    num(o, "days", r->days);
    num(o, "calls_per_day", r->calls_per_day);
    num(o, "tokens_per_day", r->tokens_per_day);
    bool unpriced = r->unpriced_share >= 1; /* unpriced is not free */
    num_or_null(o, "usd_per_day", unpriced ? -1 : r->usd_per_day);
    num_or_null(o, "usd_per_call", unpriced ? -1 : r->usd_per_call);
    num(o, "estimated_share", r->estimated_share);
    num(o, "missing_share", r->missing_share);
    num(o, "unpriced_share", r->unpriced_share);
    num(o, "failed_share", r->failed_share);
    num(o, "cached_share", r->cached_share);
    num(o, "per_call_drift", r->per_call_drift);
}

static void sensitivities(struct json_out *o, const struct projection_result *r)
{
    json_key(o, "sensitivity");
    json_open(o, '[');
    for (int i = 0; i < r->sensitivities; i++) {
        const struct projection_sensitivity *s = &r->sensitivity[i];
        json_open(o, '{');
        text(o, "input", s->input);
        num(o, "low", s->low);
        num(o, "high", s->high);
        num(o, "saving_low", s->saving_low);
        num(o, "saving_high", s->saving_high);
        num_or_null(o, "payback_low", s->payback_low);
        num_or_null(o, "payback_high", s->payback_high);
        num_or_null(o, "threshold_low", s->threshold_low);
        num_or_null(o, "threshold_high", s->threshold_high);
        json_close(o, '}');
    }
    json_close(o, ']');
    json_key(o, "alternative");
    json_open(o, '[');
    for (int i = 0; i < r->alternatives; i++) {
        json_open(o, '{');
        text(o, "name", r->alternative[i].name);
        text(o, "kind", r->alternative[i].kind);
        text(o, "origin", input_origin_name(r->alternative[i].origin));
        num_or_null(o, "usd_per_day", r->alternative[i].usd_per_day);
        num(o, "saving12", r->alternative[i].saving12);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void breakeven(struct json_out *o, const struct projection_result *r)
{
    num_or_null(o, "threshold_calls_per_day", r->threshold_calls_per_day);
    num_or_null(o, "threshold_ratio", r->threshold_ratio);
    num_or_null(o, "backtest_mape", r->backtest_mape);
    num_or_null(o, "backtest_cover80", r->backtest_cover80);
    num(o, "backtest_origins", r->backtest_origins);
    num(o, "interval_factor", r->interval_factor);
    json_key(o, "backtest");
    json_open(o, '[');
    for (int i = 0; i < r->backtest_origins; i++) {
        const struct projection_window *w = &r->window[i];
        json_open(o, '{');
        day(o, "from", w->from);
        num(o, "actual", w->actual);
        num(o, "point", w->point);
        num(o, "lo80", w->lo80);
        num(o, "hi80", w->hi80);
        json_close(o, '}');
    }
    json_close(o, ']');
    dates(o, "crossing", &r->crossing);
    dates(o, "payback", &r->payback);
    num(o, "p_multiple", r->p_multiple);
    band(o, "saving12", &r->saving12);
    sensitivities(o, r);
    json_key(o, "month");
    json_open(o, '[');
    for (int m = 0; m < r->months; m++)
        month(o, &r->month[m]);
    json_close(o, ']');
}

void projection_json(const struct projection_result *r, struct buf *out)
{
    struct json_out o = { .b = out };
    struct buf at = { 0 };

    json_open(&o, '{');
    text(&o, "workload", r->workload);
    instant_format(r->at * NS_PER_S, &at);
    text(&o, "at", buf_cstr(&at));
    buf_release(&at);
    text(&o, "version", BREAKEVEN_VERSION);
    json_key(&o, "seed");
    json_u64(&o, r->seed);
    text(&o, "verdict", projection_verdict_name(r->verdict));
    text(&o, "reason", r->reason);
    json_key(&o, "warning");
    json_open(&o, '[');
    for (int i = 0; r->warning[i]; i++)
        json_str(&o, slice_str(r->warning[i]));
    json_close(&o, ']');
    history(&o, r);
    scenario(&o, &r->scenario);
    throughput(&o, &r->throughput);
    if (r->what_if)
        what_if(&o, r->what_if);
    if (r->verdict != PROJECTION_REFUSED)
        breakeven(&o, r);
    json_close(&o, '}');
}
