/* Two queries and two sketches an arm, the scores, the cost model. */
#include "collector/projection/compare_job.h"

#include <math.h>
#include <stdlib.h>

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
    int64_t first_day; /* with a call of either arm; Unix seconds */
};

/* What an arm leaves open of app and environment is the workload's. */
static enum status arm_query(const struct workload *w, enum compare_side side,
                             struct arena *a, struct store_query *q, struct buf *why)
{
    const struct workload_arm *arm =
        side == COMPARE_API ? &w->compare.api : &w->compare.specialist;
    struct workload one = { .app = arm->app.n ? arm->app : w->app,
                            .environment =
                                arm->environment.n ? arm->environment : w->environment,
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
    return demand_filter(&one, a, q);
}

/* The days of the test, today so far included. */
static void test_days(const struct workload *w, int64_t now, int64_t *from, int64_t *to)
{
    *to = now - now % DAY_S + DAY_S;
    *from = *to - w->compare.days * DAY_S;
}

/* Only whole answers. */
static enum status only_answered(struct store_query *q, struct arena *a)
{
    struct store_filter *f = arena_alloc(a, (q->filters + 1) * sizeof *f);

    if (!f)
        return ST_LIMIT;
    memcpy(f, q->filter, q->filters * sizeof *f);
    f[q->filters++] = (struct store_filter){ STORE_OUTCOME, SLICE("ok") };
    q->filter = f;
    return ST_OK;
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
    struct store_query q = { .from = k->out->from, .to = k->out->to };
    struct query_result rows;
    enum status st = arm_query(k->w, side, k->arena, &q, why);

    if (st || !day)
        return st ? st : ST_LIMIT;
    q.grain = STORE_DAY;
    q.group = store_bit(STORE_OUTCOME);
    if ((st = query_usage(k->job->store, k->job->prices, &q, k->arena, &rows)))
        return st;
    for (size_t i = 0; i < rows.rows; i++) {
        int64_t at = rows.row[i].time;
        if (at < k->out->from || at >= k->out->to)
            continue;
        k->first_day = at < k->first_day ? at : k->first_day;
        add_row(k, side, day, &rows, &rows.row[i]);
    }
    struct compare_arm *arm = &k->c.arm[side];
    arm->day = day;
    arm->days = days;
    arm->duration = &k->sketch[side][0];
    arm->ttft = &k->sketch[side][1];
    if ((st = only_answered(&q, k->arena)))
        return st;
    q.group = 0;
    q.grain = STORE_HOUR;
    return store_sketches(k->job->store, &q, &k->sketch[side][0], &k->sketch[side][1]);
}

/* --- throughput --- */

enum { BUSY_HOURS = 48 /* looked at, the busiest ones; the rest was lighter */ };

static int busiest_first(const void *a, const void *b)
{
    const struct query_row *x = a, *y = b;
    uint64_t one = x->v[USAGE_output], two = y->v[USAGE_output];

    return one == two ? (x->time > y->time) - (x->time < y->time) : one < two ? 1 : -1;
}

static enum status read_hour(struct store *s, struct store_query q,
                             const struct query_row *row, struct throughput_hour *out)
{
    struct sketch duration = { 0 }, ttft = { 0 };

    q.from = row->time;
    q.to = row->time + 3600;
    enum status st = store_sketches(s, &q, &duration, &ttft);
    *out = (struct throughput_hour){
        .calls = duration.count,
        .output = (double)row->v[USAGE_output],
        .p95 = duration.count ? (double)sketch_quantile(&duration, 0.95) * 1e-6 : NAN,
    };
    sketch_release(&duration);
    sketch_release(&ttft);
    return st;
}

enum status compare_throughput(const struct projection_job *job, const struct workload *w,
                               struct arena *a, struct throughput *out, struct buf *why)
{
    struct store_query q = { .grain = STORE_HOUR };
    struct throughput_hour hour[BUSY_HOURS];
    struct query_result rows;
    enum status st;
    size_t n = 0;

    *out = (struct throughput){ 0 };
    if (w->compare.line == 0 || w->hosted.latency_target_ms == 0)
        return ST_OK;
    test_days(w, job->now, &q.from, &q.to);
    if ((st = arm_query(w, COMPARE_SPECIALIST, a, &q, why)) ||
        (st = only_answered(&q, a)) || (st = query_usage(job->store, NULL, &q, a, &rows)))
        return st;
    if (rows.rows)
        qsort(rows.row, rows.rows, sizeof *rows.row, busiest_first);
    for (; n < rows.rows && n < BUSY_HOURS; n++)
        if ((st = read_hour(job->store, q, &rows.row[n], &hour[n])))
            return st;
    *out = throughput_of(hour, n, (double)w->hosted.latency_target_ms / 1e3,
                         w->compare.replicas);
    return ST_OK;
}

/* --- cost --- */

/* USD of one call that the specialist answers, at so many a day. */
static double hosted_per_call(const struct scenario *s, const struct hosted_load *l,
                              double calls_per_day, double api_per_call)
{
    struct hosted_month m = { .calls_per_day = calls_per_day,
                              .api_usd = calls_per_day * MONTH_DAYS * api_per_call,
                              .days = MONTH_DAYS,
                              .fraction = 1,
                              .gpu = 1 };
    struct hosted_cost cost;

    if (calls_per_day <= 0)
        return NAN;
    hosted_month_cost(s, l, &m, &cost);
    double retrain = s->retrain_months.v > 0 ? s->retrain.v / s->retrain_months.v : 0;
    return (cost.total + retrain) / (calls_per_day * MONTH_DAYS);
}

/*
 * How calls lie in the week: of the specialist's arm as it runs, and of both arms
 * together, which it would take over. Even where two weeks are not there yet.
 */
static enum status read_loads(struct work *k, struct hosted_load load[2], struct buf *why)
{
    struct query_profile p[COMPARE_SIDES];
    struct compare_report *r = k->out;
    struct store_query q = { .grain = STORE_HOUR };
    int64_t today = r->to - DAY_S, first = today;

    for (int s = 0; s < COMPARE_SIDES; s++) {
        q = (struct store_query){ .from = r->from, .to = today, .grain = STORE_HOUR };
        enum status st = arm_query(k->w, (enum compare_side)s, k->arena, &q, why);
        if (st || (st = query_profile(k->job->store, &q, &p[s])))
            return st;
        if (p[s].first_hour && p[s].first_hour < first)
            first = p[s].first_hour;
    }
    double weeks = (double)(today - first) / (7.0 * DAY_S);
    hosted_load_flat(&load[0]);
    hosted_load_flat(&load[1]);
    demand_load(&p[COMPARE_SPECIALIST], weeks, &load[0]);
    struct query_profile *both = &p[COMPARE_API];
    for (int h = 0; h < HOSTED_WEEK; h++)
        both->calls[h] += p[COMPARE_SPECIALIST].calls[h];
    both->peak_calls += p[COMPARE_SPECIALIST].peak_calls;
    r->load_measured = demand_load(both, weeks, &load[1]);
    return ST_OK;
}

/* The canary as it runs, and all calls of both arms that the specialist would take. */
static enum status cost_specialist(struct work *k, struct buf *why)
{
    struct scenario s;
    struct hosted_load load[2]; /* the canary's, both arms' */
    struct compare_report *r = k->out;
    struct compare_case *c = &k->c;
    struct throughput seen;
    enum status st = compare_throughput(k->job, k->w, k->arena, &seen, why);

    if (!st) {
        const struct scenario_sources from = { k->job->gpus, &seen, k->job->now };
        st = scenario_resolve(k->w, &from, &s, why);
    }
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
    if (calls <= 0)
        return ST_OK;
    if ((st = read_loads(k, load, why)))
        return st;
    load[0].input_per_call = load[1].input_per_call = k->input[like] / calls;
    load[0].output_per_call = load[1].output_per_call = k->output[like] / calls;
    const struct compare_arm *api = &c->arm[COMPARE_API];
    double api_call =
        compare_ratio(&api->day->usd, &api->day->calls, api->days, sizeof *api->day).v;
    if (s.escalation.v > 0 && isnan(api_call))
        return ST_OK; /* what goes on to the API has no price */
    s.coverage.v = 1; /* of its own calls */
    api_call = s.escalation.v > 0 ? api_call : 0;
    c->hosted_canary = hosted_per_call(&s, &load[0], r->canary_day, api_call);
    c->hosted_full = hosted_per_call(&s, &load[1], r->full_day, api_call);
    return ST_OK;
}

static enum status run(struct work *k, struct buf *why)
{
    enum status st = read_arm(k, COMPARE_API, why);

    if (!st)
        st = read_arm(k, COMPARE_SPECIALIST, why);
    /* A test that began last week is not spread over four. */
    double days = fmax(1, (double)(k->job->now - k->first_day) / DAY_S);
    for (int s = 0; s < COMPARE_SIDES; s++)
        k->out->calls_day[s] = (double)k->c.arm[s].calls / days;
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
    struct work k = { .job = job, .w = w, .arena = a, .out = out };

    *out = (struct compare_report){
        .workload = w->name,
        .at = job->now,
        .margin = w->compare.margin,
        .rate_margin = w->compare.rate_margin,
        .quality_target = w->compare.quality_target,
        .quality_metric = w->compare.quality_metric && *w->compare.quality_metric
                              ? w->compare.quality_metric
                              : NULL,
    };
    test_days(w, job->now, &out->from, &out->to);
    if (w->compare.line == 0) {
        buf_addf(why, "workload '%s' has no compare:", w->name);
        return ST_NOT_FOUND;
    }
    k.first_day = out->to;
    k.c.margin = out->margin;
    k.c.rate_margin = out->rate_margin;
    k.c.quality_metric = out->quality_metric;
    k.c.quality_target = w->compare.quality_target;
    k.c.api_priced = true;
    enum status st = run(&k, why);
    for (int s = 0; s < COMPARE_SIDES; s++)
        for (int i = 0; i < 2; i++)
            sketch_release(&k.sketch[s][i]);
    return st;
}

enum status compare_measured(const struct projection_job *job, const struct workload *w,
                             struct arena *a, const struct compare_result **out,
                             struct buf *why)
{
    struct compare_report *report = arena_alloc(a, sizeof *report);

    *out = NULL;
    if (w->compare.line == 0)
        return ST_OK;
    if (!report)
        return ST_NOMEM;
    enum status st = compare_run(job, w, a, report, why);
    if (st == ST_OK)
        *out = &report->result;
    return st;
}
