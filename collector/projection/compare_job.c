/* One scan of the hours of both arms, the scores, the cost model. */
#include "collector/projection/compare_job.h"

#include <math.h>
#include <stdlib.h>

#include "collector/projection/demand.h"
#include "collector/score.h"

enum { HOUR_S = 3600, DAY_S = 86400, MONTH_DAYS = 30 };

struct work {
    const struct projection_job *job;
    const struct workload *w;
    struct arena *arena;
    struct compare_report *out;
    struct compare_case c;
    struct sketch sketch[COMPARE_SIDES][2]; /* duration, ttft */
    struct sketch scratch;
    struct store_query arm[COMPARE_SIDES];
    unsigned char
        *side_of; /* by number of a series: 4, and a bit for each arm it is of */
    size_t series;
    struct compare_day *day[COMPARE_SIDES];
    struct profile_hours hours[COMPARE_SIDES]; /* of whole days */
    double *answered;                /* output tokens by hour, specialist; NAN: no call */
    uint64_t counted[COMPARE_SIDES]; /* calls with token counts */
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

/* --- rows --- */

static enum status merge(struct work *k, struct sketch *into, struct slice text)
{
    if (text.n == 0)
        return ST_OK;
    enum status st = sketch_decode(&k->scratch, text);
    return st ? st : sketch_merge(into, &k->scratch);
}

static enum status add_row(struct work *k, enum compare_side side,
                           const struct store_row *row, const struct query_row *m)
{
    struct compare_arm *arm = &k->c.arm[side];
    struct slice outcome = row->dim[STORE_OUTCOME];
    struct compare_day *day = &k->day[side][(row->time - k->out->from) / DAY_S];
    bool ok = slice_eq(outcome, SLICE("ok")), left = slice_eq(outcome, SLICE("aborted"));

    k->first_day =
        row->time < k->first_day ? row->time - row->time % DAY_S : k->first_day;
    profile_add(&k->hours[side], row);
    arm->calls += m->calls;
    arm->aborted += left ? m->calls : 0;
    arm->failed += ok || left ? 0 : m->calls;
    if (!ok) /* costs what it costs, but is no sample of a whole answer */
        return ST_OK;
    day->calls += (double)(m->calls - m->calls_missing);
    day->usd += price_dollars(m->cost);
    day->output += (double)m->v[USAGE_output];
    k->counted[side] += m->calls - m->calls_missing;
    k->output[side] += (double)m->v[USAGE_output];
    k->input[side] += (double)m->v[USAGE_input] + (double)m->v[USAGE_cache_write_5m] +
                      (double)m->v[USAGE_cache_write_1h] +
                      (double)m->v[USAGE_cache_write];
    if (side == COMPARE_API && !query_priced(m)) {
        k->c.api_priced = false;
        k->out->unpriced += (double)m->calls;
    }
    if (side == COMPARE_SPECIALIST) {
        double *hour = &k->answered[(row->time - k->out->from) / HOUR_S];
        *hour = (isnan(*hour) ? 0 : *hour) + (double)m->v[USAGE_output];
    }
    enum status st = merge(k, &k->sketch[side][0], row->duration);
    return st ? st : merge(k, &k->sketch[side][1], row->ttft);
}

/* Which arms a row is of, worked out once a series. 0: no memory. */
static unsigned sides_of(struct work *k, const struct store_row *row)
{
    unsigned sides = 4;

    if (row->series < k->series && k->side_of[row->series])
        return k->side_of[row->series];
    for (int s = 0; s < COMPARE_SIDES; s++)
        sides |= store_passes(&k->arm[s], row->dim) ? 1u << s : 0;
    if (row->series == 0)
        return sides;
    if (row->series >= k->series) {
        size_t n = 2 * (size_t)row->series + 64;
        unsigned char *more = arena_alloc(k->arena, n);
        if (!more)
            return 0;
        if (k->series)
            memcpy(more, k->side_of, k->series);
        k->side_of = more;
        k->series = n;
    }
    return k->side_of[row->series] = (unsigned char)sides;
}

static enum status take_row(void *arg, const struct store_row *row,
                            const struct query_row *measures)
{
    struct work *k = arg;
    unsigned sides = sides_of(k, row);
    enum status st = sides ? ST_OK : ST_LIMIT;

    if (row->time < k->out->from || row->time >= k->out->to)
        return st;
    for (int s = 0; s < COMPARE_SIDES && !st; s++)
        if (sides >> s & 1)
            st = add_row(k, (enum compare_side)s, row, measures);
    return st;
}

/* Both arms in one go: what costs is walking over the hours of all others. */
static enum status read_arms(struct work *k, struct buf *why)
{
    struct compare_report *r = k->out;
    size_t days = (size_t)((r->to - r->from) / DAY_S);
    enum status st = ST_OK;

    k->answered = arena_alloc(k->arena, 24 * days * sizeof *k->answered);
    if (!k->answered)
        return ST_LIMIT;
    for (size_t i = 0; i < 24 * days; i++)
        k->answered[i] = NAN;
    for (int s = 0; s < COMPARE_SIDES && !st; s++) {
        struct compare_arm *arm = &k->c.arm[s];
        k->arm[s] = (struct store_query){
            .from = r->from, .to = r->to, .grain = STORE_HOUR, .sketches = true
        };
        arm->day = k->day[s] = arena_alloc(k->arena, days * sizeof *k->day[s]);
        arm->days = days;
        arm->duration = &k->sketch[s][0];
        arm->ttft = &k->sketch[s][1];
        if (!arm->day)
            return ST_LIMIT;
        st = arm_query(k->w, (enum compare_side)s, k->arena, &k->arm[s], why);
        if (!st)
            st = profile_open(&k->hours[s], r->from, r->to - DAY_S);
    }
    k->arm[COMPARE_API].or_else = &k->arm[COMPARE_SPECIALIST];
    return st ? st
              : query_each(k->job->store, k->job->prices, &k->arm[COMPARE_API], take_row,
                           k);
}

/* --- throughput --- */

enum { BUSY_HOURS = 48 /* looked at, the busiest ones; the rest was lighter */ };

struct busy {
    int64_t hour; /* Unix seconds */
    double output;
};

static int busiest_first(const void *a, const void *b)
{
    const struct busy *x = a, *y = b;

    return x->output == y->output  ? (x->hour > y->hour) - (x->hour < y->hour)
           : x->output < y->output ? 1
                                   : -1;
}

static enum status read_hour(struct store *s, struct store_query q,
                             const struct busy *busy, struct throughput_hour *out)
{
    struct sketch duration = { 0 }, ttft = { 0 };

    q.from = busy->hour;
    q.to = busy->hour + HOUR_S;
    enum status st = store_sketches(s, &q, &duration, &ttft);
    *out = (struct throughput_hour){
        .calls = duration.count,
        .output = busy->output,
        .p95 = duration.count ? (double)sketch_quantile(&duration, 0.95) * 1e-6 : NAN,
    };
    sketch_release(&duration);
    sketch_release(&ttft);
    return st;
}

/* From the hours in which the arm of q gave whole answers; sorts them. */
static enum status look_at_hours(struct store *s, const struct workload *w,
                                 const struct store_query *q, struct busy *busy,
                                 size_t hours, struct throughput *out)
{
    struct throughput_hour hour[BUSY_HOURS];
    enum status st = ST_OK;
    size_t n = 0;

    if (hours)
        qsort(busy, hours, sizeof *busy, busiest_first);
    for (; n < hours && n < BUSY_HOURS && !st; n++)
        st = read_hour(s, *q, &busy[n], &hour[n]);
    if (!st)
        *out = throughput_of(hour, n, (double)w->hosted.latency_target_ms / 1e3,
                             w->compare.replicas);
    return st;
}

/* Whole answers of the specialist over the days of the test. */
static enum status answers_query(const struct workload *w, int64_t now, struct arena *a,
                                 struct store_query *q, struct buf *why)
{
    *q = (struct store_query){ .grain = STORE_HOUR };
    test_days(w, now, &q->from, &q->to);
    enum status st = arm_query(w, COMPARE_SPECIALIST, a, q, why);
    return st ? st : only_answered(q, a);
}

static bool has_throughput(const struct workload *w)
{
    return w->compare.line != 0 && w->hosted.latency_target_ms != 0;
}

enum status compare_throughput(const struct projection_job *job, const struct workload *w,
                               struct arena *a, struct throughput *out, struct buf *why)
{
    struct store_query q;
    struct query_result rows;
    enum status st;

    *out = (struct throughput){ 0 };
    if (!has_throughput(w))
        return ST_OK;
    if ((st = answers_query(w, job->now, a, &q, why)) ||
        (st = query_usage(job->store, NULL, &q, a, &rows)))
        return st;
    struct busy *busy = arena_alloc(a, (rows.rows + 1) * sizeof *busy);
    if (!busy)
        return ST_LIMIT;
    for (size_t i = 0; i < rows.rows; i++)
        busy[i] = (struct busy){ rows.row[i].time, (double)rows.row[i].v[USAGE_output] };
    return look_at_hours(job->store, w, &q, busy, rows.rows, out);
}

/* The same from hours that have been read already. */
static enum status seen_throughput(struct work *k, struct throughput *out,
                                   struct buf *why)
{
    size_t hours = (size_t)((k->out->to - k->out->from) / HOUR_S), n = 0;
    struct busy *busy = arena_alloc(k->arena, (hours + 1) * sizeof *busy);
    struct store_query q;
    enum status st;

    *out = (struct throughput){ 0 };
    if (!has_throughput(k->w))
        return ST_OK;
    if (!busy)
        return ST_LIMIT;
    if ((st = answers_query(k->w, k->job->now, k->arena, &q, why)))
        return st;
    for (size_t i = 0; i < hours; i++)
        if (!isnan(k->answered[i]))
            busy[n++] =
                (struct busy){ k->out->from + (int64_t)i * HOUR_S, k->answered[i] };
    return look_at_hours(k->job->store, k->w, &q, busy, n, out);
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
static void read_loads(struct work *k, struct hosted_load load[2])
{
    struct query_profile p[COMPARE_SIDES];
    struct compare_report *r = k->out;
    int64_t today = r->to - DAY_S, first = today;

    for (int s = 0; s < COMPARE_SIDES; s++) {
        profile_close(&k->hours[s], &p[s]);
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
}

/* The canary as it runs, and all calls of both arms that the specialist would take. */
static enum status cost_specialist(struct work *k, struct buf *why)
{
    struct scenario s;
    struct hosted_load load[2]; /* the canary's, both arms' */
    struct compare_report *r = k->out;
    struct compare_case *c = &k->c;
    struct throughput seen;
    enum status st = seen_throughput(k, &seen, why);

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
    read_loads(k, load);
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
    enum status st = read_arms(k, why);

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
    struct query_profile unused;
    for (int s = 0; s < COMPARE_SIDES; s++) {
        profile_close(&k.hours[s], &unused);
        for (int i = 0; i < 2; i++)
            sketch_release(&k.sketch[s][i]);
    }
    sketch_release(&k.scratch);
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
