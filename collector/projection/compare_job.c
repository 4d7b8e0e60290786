/* Two queries and two sketches an arm, the scores, the cost model. */
#include "collector/projection/compare_job.h"

#include <math.h>

#include "collector/projection/demand.h"
#include "collector/score.h"

enum { DAY_S = 86400, MONTH_DAYS = 30 };

struct work {
    const struct projection_job *job;
    const struct workload *w;
    struct arena *arena;
    struct compare_report *out;
    struct compare_case c;
    struct sketch sketch[COMPARE_SIDES][2]; /* duration, ttft */
    uint64_t counted[COMPARE_SIDES];        /* calls with token counts */
    double input[COMPARE_SIDES], output[COMPARE_SIDES];
};

/* What an arm leaves open of app and environment is the workload's. */
static enum status arm_query(struct work *k, enum compare_side side,
                             struct store_query *q, struct buf *why)
{
    const struct workload_arm *arm =
        side == COMPARE_API ? &k->w->compare.api : &k->w->compare.specialist;
    struct workload one = { .app = arm->app.n ? arm->app : k->w->app,
                            .environment =
                                arm->environment.n ? arm->environment : k->w->environment,
                            .provider = arm->provider,
                            .model = arm->model,
                            .surface = arm->surface };

    if (arm->app.n + arm->environment.n + arm->provider.n + arm->model.n +
            arm->surface.n ==
        0) {
        buf_addf(why,
                 "compare: arm '%s' needs a filter: app, environment, provider, "
                 "model or surface",
                 compare_side_name(side));
        return ST_CONFIG;
    }
    *q = (struct store_query){ .from = k->out->from, .to = k->out->to };
    return demand_filter(&one, k->arena, q);
}

static void add_row(struct work *k, enum compare_side side, struct compare_day *days,
                    const struct query_result *result, const struct query_row *row)
{
    struct compare_arm *arm = &k->c.arm[side];
    struct slice outcome = query_dim(result, row, STORE_OUTCOME);
    struct compare_day *day = &days[(row->time - k->out->from) / DAY_S];
    bool ok = slice_eq(outcome, SLICE("ok")), left = slice_eq(outcome, SLICE("aborted"));

    arm->calls += row->calls;
    arm->aborted += left ? row->calls : 0;
    arm->failed += ok || left ? 0 : row->calls;
    if (!ok) /* costs what it costs, but is no sample of a whole answer */
        return;
    day->calls += (double)(row->calls - row->calls_missing);
    day->usd += price_dollars(row->cost);
    day->output += (double)row->v[USAGE_output];
    k->counted[side] += row->calls - row->calls_missing;
    k->output[side] += (double)row->v[USAGE_output];
    k->input[side] += (double)row->v[USAGE_input] + (double)row->v[USAGE_cache_write_5m] +
                      (double)row->v[USAGE_cache_write_1h] +
                      (double)row->v[USAGE_cache_write];
    if (side == COMPARE_API && !query_priced(row)) {
        k->c.api_priced = false;
        k->out->unpriced += (double)row->calls;
    }
}

static enum status read_arm(struct work *k, enum compare_side side, struct buf *why)
{
    size_t days = (size_t)((k->out->to - k->out->from) / DAY_S);
    struct compare_day *day = arena_alloc(k->arena, days * sizeof *day);
    struct store_query q;
    struct query_result rows;
    enum status st = arm_query(k, side, &q, why);

    if (st || !day)
        return st ? st : ST_LIMIT;
    q.grain = STORE_DAY;
    q.group = store_bit(STORE_OUTCOME);
    if ((st = query_usage(k->job->store, k->job->prices, &q, k->arena, &rows)))
        return st;
    for (size_t i = 0; i < rows.rows; i++)
        if (rows.row[i].time >= k->out->from && rows.row[i].time < k->out->to)
            add_row(k, side, day, &rows, &rows.row[i]);
    struct compare_arm *arm = &k->c.arm[side];
    arm->day = day;
    arm->days = days;
    arm->duration = &k->sketch[side][0];
    arm->ttft = &k->sketch[side][1];
    k->out->calls_day[side] = (double)arm->calls / (double)days;
    struct store_filter *f =
        arena_alloc(k->arena, (q.filters + 1) * sizeof *f); /* and only whole answers */
    if (!f)
        return ST_LIMIT;
    memcpy(f, q.filter, q.filters * sizeof *f);
    f[q.filters++] = (struct store_filter){ STORE_OUTCOME, SLICE("ok") };
    q.filter = f;
    q.group = 0;
    q.grain = STORE_HOUR;
    return store_sketches(k->job->store, &q, &k->sketch[side][0], &k->sketch[side][1]);
}

/* USD of one call that the specialist answers, at so many a day. */
static double hosted_per_call(const struct scenario *s, const struct hosted_load *l,
                              double calls_per_day, double api_per_call)
{
    struct hosted_month m = { .calls_per_day = calls_per_day,
                              .api_usd = calls_per_day * MONTH_DAYS * api_per_call,
                              .days = MONTH_DAYS,
                              .fraction = 1 };
    struct hosted_cost cost;

    if (calls_per_day <= 0)
        return NAN;
    hosted_month_cost(s, l, &m, &cost);
    double retrain = s->retrain_months.v > 0 ? s->retrain.v / s->retrain_months.v : 0;
    return (cost.total + retrain) / (calls_per_day * MONTH_DAYS);
}

/* The canary as it runs, and all calls of both arms that the specialist would take. */
static enum status cost_specialist(struct work *k, struct buf *why)
{
    struct scenario s;
    struct hosted_load load;
    struct compare_report *r = k->out;
    struct compare_case *c = &k->c;
    enum status st = scenario_resolve(k->w, k->job->gpus, &s, why);

    c->hosted_canary = c->hosted_full = NAN;
    if (st)
        return st;
    r->canary_day = r->calls_day[COMPARE_SPECIALIST];
    r->full_day =
        (r->calls_day[COMPARE_API] + r->calls_day[COMPARE_SPECIALIST]) * s.coverage.v;
    if (!s.gpu && s.monthly_fixed.v <= 0)
        return ST_OK; /* nothing is said about hosting */
    enum compare_side like =
        k->counted[COMPARE_SPECIALIST] ? COMPARE_SPECIALIST : COMPARE_API;
    double calls = (double)k->counted[like];
    hosted_load_flat(&load);
    if (calls <= 0)
        return ST_OK;
    load.input_per_call = k->input[like] / calls;
    load.output_per_call = k->output[like] / calls;
    const struct compare_arm *api = &c->arm[COMPARE_API];
    double api_call =
        compare_ratio(&api->day->usd, &api->day->calls, api->days, sizeof *api->day).v;
    if (s.escalation.v > 0 && isnan(api_call))
        return ST_OK; /* what goes on to the API has no price */
    s.coverage.v = 1; /* of its own calls */
    api_call = s.escalation.v > 0 ? api_call : 0;
    c->hosted_canary = hosted_per_call(&s, &load, r->canary_day, api_call);
    c->hosted_full = hosted_per_call(&s, &load, r->full_day, api_call);
    return ST_OK;
}

static enum status run(struct work *k, struct buf *why)
{
    enum status st = read_arm(k, COMPARE_API, why);

    if (!st)
        st = read_arm(k, COMPARE_SPECIALIST, why);
    if (!st)
        st = cost_specialist(k, why);
    if (!st)
        st = score_sums(k->job->store, k->w->name, k->out->from, k->arena, &k->c);
    if (st)
        return st;
    uint64_t calls = k->c.arm[COMPARE_API].calls;
    k->out->unpriced /= calls ? (double)calls : 1;
    compare_judge(&k->c, &k->out->result);
    return ST_OK;
}

enum status compare_run(const struct projection_job *job, const struct workload *w,
                        struct arena *a, struct compare_report *out, struct buf *why)
{
    int64_t end = job->now - job->now % DAY_S + DAY_S; /* today so far counts */
    struct work k = { .job = job, .w = w, .arena = a, .out = out };

    *out = (struct compare_report){
        .workload = w->name,
        .at = job->now,
        .from = end - w->compare.days * DAY_S,
        .to = end,
        .margin = w->compare.margin,
        .rate_margin = w->compare.rate_margin,
        .quality_metric = w->compare.quality_metric && *w->compare.quality_metric
                              ? w->compare.quality_metric
                              : NULL,
    };
    if (w->compare.line == 0) {
        buf_addf(why, "workload '%s' has no compare:", w->name);
        return ST_NOT_FOUND;
    }
    k.c.margin = out->margin;
    k.c.rate_margin = out->rate_margin;
    k.c.quality_metric = out->quality_metric;
    k.c.api_priced = true;
    enum status st = run(&k, why);
    for (int s = 0; s < COMPARE_SIDES; s++)
        for (int i = 0; i < 2; i++)
            sketch_release(&k.sketch[s][i]);
    return st;
}
