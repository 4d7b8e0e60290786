/* Wiring: demand -> outlook -> paths -> breakeven -> record. A shell file (store). */
#include "collector/projection/job.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "collector/projection/backtest.h"
#include "collector/projection/breakeven.h"
#include "collector/projection/demand.h"

enum {
    DAY_S = 86400,
    STALE_DAYS = 60, /* older data are projected from their own end */
    RECORDS_KEPT = 400,
    JOB_CEILING_BYTES = 1 << 30,
};

struct work {
    const struct projection_job *job;
    const struct workload *w;
    struct arena *arena;
    struct projection_result *out;
    struct demand demand;
    struct outlook outlook;
    struct breakeven_month month[PROJECTION_MONTHS_MAX];
    int months;
    int warnings;
};

static void warn(struct work *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void warn(struct work *k, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    int most = (int)(sizeof k->out->warning / sizeof *k->out->warning) - 1;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct slice copy = arena_dup(k->arena, slice_str(text));
    if (copy.p && k->warnings < most)
        k->out->warning[k->warnings++] = copy.p;
}

static enum status refuse(struct work *k, const char *reason)
{
    k->out->verdict = PROJECTION_REFUSED;
    k->out->reason = reason;
    return ST_OK;
}

static void set_history(struct work *k)
{
    const struct demand *d = &k->demand;
    struct projection_result *r = k->out;
    double days = fmax(1, d->recent_days);

    r->first_day = d->first_day;
    r->last_day = d->last_day;
    r->days = d->days;
    r->calls_per_day = d->recent_calls / days;
    r->tokens_per_day = d->recent_tokens / days;
    r->usd_per_day = d->recent_volume / days;
    r->usd_per_call = d->recent_calls > 0 ? d->recent_volume / d->recent_calls : 0;
    r->estimated_share = d->estimated;
    r->missing_share = d->missing;
    r->unpriced_share = d->unpriced;
}

static void set_warnings(struct work *k)
{
    const struct demand *d = &k->demand;
    int gaps = 0;

    for (int i = 0; i < d->days; i++)
        gaps += isnan(d->volume[i]);
    if (d->days < OUTLOOK_SHORT_DAYS)
        warn(k, "short history: %d days; the last weeks go on flat, with wide intervals",
             d->days);
    if (d->unpriced > 0)
        warn(k,
             "%.1f %% of the calls have no (full) price: the API cost is a lower bound",
             100 * d->unpriced);
    if (d->missing > 0)
        warn(k, "%.1f %% of the calls have no token counts; taken at the others' mean",
             100 * d->missing);
    if (d->estimated > 0)
        warn(k, "%.1f %% of the calls have estimated token counts", 100 * d->estimated);
    if (gaps)
        warn(k,
             "%d of %d days were reported by nobody or without counts: gaps, not zeros",
             gaps, d->days);
    if (!d->load_measured && k->out->scenario.gpu)
        warn(k, "no two weeks of hourly data: capacity assumes an even load");
    if (k->out->at - d->last_day > STALE_DAYS * DAY_S)
        warn(k, "the last data are of %lld days ago: projected from there",
             (long long)((k->job->now - d->last_day) / DAY_S));
}

/* Mean over days [from, to) of the recent mix's price, relative to today's. */
static double price_of_days(const struct work *k, int64_t first, int64_t end,
                            double today)
{
    const struct price_book *book = k->job->prices;
    double at_first = demand_mix_usd(&k->demand, book, first);
    double sum = 0;
    int days = 0;

    if (today <= 0)
        return 1;
    if (demand_mix_usd(&k->demand, book, end - DAY_S) == at_first)
        return at_first / today;
    for (int64_t day = first; day < end; day += DAY_S, days++)
        sum += demand_mix_usd(&k->demand, book, day);
    return sum / days / today;
}

/* Months from the one of `now` on: what is known of them and what lies ahead. */
static void make_months(struct work *k, int64_t now)
{
    const struct demand *d = &k->demand;
    int64_t start[PROJECTION_MONTHS_MAX + 1], ahead = d->last_day + DAY_S;
    double today = demand_mix_usd(d, k->job->prices, k->job->now);
    double change = 1 + k->out->scenario.api_price_change.v;

    k->months = (int)k->job->config->horizon_months + 1;
    breakeven_months(now, k->months, start);
    for (int m = 0; m < k->months; m++) {
        struct breakeven_month *b = &k->month[m];
        int64_t from = start[m] > ahead ? start[m] : ahead;
        double middle = ((double)from + (double)start[m + 1]) / 2 - (double)now;
        *b = (struct breakeven_month){
            .start = start[m],
            .days = (int)((start[m + 1] - start[m]) / DAY_S),
            .from = (int)((from - ahead) / DAY_S),
            .to = (int)((start[m + 1] - ahead) / DAY_S),
            .years = fmax(0, middle / (365.25 * DAY_S)),
        };
        b->api_price =
            price_of_days(k, from, start[m + 1], today) * pow(change, b->years);
        for (int i = 0; i < d->days; i++) {
            int64_t day = d->first_day + (int64_t)i * DAY_S;
            if (day < start[m] || day >= start[m + 1] || isnan(d->usd[i]))
                continue;
            b->known_calls += d->calls[i];
            b->known_usd += d->usd[i];
        }
    }
}

static enum status compute(struct work *k, int64_t now)
{
    const struct demand *d = &k->demand;
    struct projection_result *r = k->out;
    struct paths paths;
    enum status st;

    make_months(k, now);
    if ((st = outlook_make(d->volume, d->days, k->month[k->months - 1].to, k->arena,
                           &k->outlook)))
        return st == ST_BAD ? refuse(k, "no day of the history has token counts") : st;
    if (k->outlook.f.notes.stopped)
        warn(k, "the traffic has stopped: the forecast is zero");
    if ((st = paths_draw(&k->outlook.f, (int)k->job->config->paths, r->seed, k->arena,
                         &paths)))
        return st;
    const struct breakeven_case c = {
        .scenario = &r->scenario,
        .load = &d->load,
        .outlook = &k->outlook,
        .paths = &paths,
        .month = k->month,
        .months = k->months,
        .now = now,
        .calls_per_unit = d->recent_calls / d->recent_volume,
        .tokens_per_unit = d->recent_tokens / d->recent_volume,
        .calls_per_day = r->calls_per_day,
    };
    st = breakeven_compute(&c, k->arena, r);
    return st ? st : breakeven_sensitivity(&c, k->arena, r);
}

/* What the same calls would cost elsewhere: the first resort before a model of one's own.
 */
static void set_alternatives(struct work *k)
{
    const struct demand *d = &k->demand;
    struct projection_result *r = k->out;
    const struct price_book *book = k->job->prices;
    double days = fmax(1, d->recent_days) * (1 - d->missing);
    struct demand_mix batch = { .tier = SLICE("batch") };
    double usd = demand_mix_other(d, book, k->job->now, &batch);

    if (usd >= 0)
        r->alternative[r->alternatives++] =
            (struct projection_alternative){ "batch tier", usd / days };
    for (size_t i = 0; i < k->w->alternatives.n; i++) {
        struct demand_mix other = { 0 };
        const char *name = k->w->alternatives.at[i];
        if (r->alternatives == PROJECTION_ALTERNATIVES)
            return;
        slice_cut(slice_str(name), '/', &other.provider, &other.model);
        usd = other.model.n ? demand_mix_other(d, book, k->job->now, &other) : -1;
        r->alternative[r->alternatives++] =
            (struct projection_alternative){ name, usd >= 0 ? usd / days : -1 };
    }
}

static enum status look_back(struct work *k)
{
    struct arena scratch;
    struct backtest b;

    arena_init(&scratch, 64 << 20);
    enum status st =
        backtest_run(k->demand.volume, k->demand.days, k->out->seed, &scratch, &b);
    arena_release(&scratch);
    k->out->backtest_mape = b.mape;
    k->out->backtest_cover80 = b.cover80;
    k->out->backtest_origins = b.origins;
    return st;
}

enum status projection_run(const struct projection_job *job, const struct workload *w,
                           struct arena *a, struct projection_result *out,
                           struct buf *why)
{
    struct work k = { .job = job, .w = w, .arena = a, .out = out };
    const struct demand *d = &k.demand;

    *out = (struct projection_result){
        .workload = w->name,
        .at = job->now,
        .seed = dice_seed_of(slice_str(w->name)),
        .threshold_calls_per_day = -1,
        .threshold_ratio = -1,
        .backtest_mape = -1,
        .backtest_cover80 = -1,
    };
    enum status st = scenario_resolve(w, job->gpus, &out->scenario, why);
    if (st)
        return st;
    st = demand_read(job->store, job->prices, w, job->now, job->config->history_days, a,
                     &k.demand);
    if (st)
        return st;
    if (d->days == 0)
        return refuse(&k, "no usage matches the workload's filter");
    set_history(&k);
    set_warnings(&k);
    if (d->days < OUTLOOK_LEAST_DAYS)
        return refuse(&k, "less than 14 days of history: a run rate, not a projection");
    if (d->recent_calls <= 0)
        return refuse(&k, "no calls in the last 28 days");
    if (d->missing >= 1)
        return refuse(&k, "no call of the last 28 days has token counts");
    if (d->recent_volume <= 0)
        return refuse(&k, "no model of the last 28 days has a price");
    set_alternatives(&k);
    int64_t end = d->last_day + DAY_S;
    st = compute(&k, job->now - end > STALE_DAYS * DAY_S ? end : job->now);
    return st ? st : look_back(&k);
}

enum status projection_save(struct store *store, const struct projection_result *r)
{
    struct buf json = { 0 };

    projection_json(r, &json);
    struct store_record record = {
        .kind = "projection", .key = r->workload, .json = buf_cstr(&json), .at = r->at
    };
    enum status st = json.st ? json.st : store_record_put(store, &record, RECORDS_KEPT);
    buf_release(&json);
    return st;
}

enum status projection_run_all(const struct projection_job *job, const struct workload *w,
                               size_t n, size_t *failed, struct buf *why)
{
    struct arena a;
    enum status st = ST_OK;

    *failed = 0;
    arena_init(&a, JOB_CEILING_BYTES);
    for (size_t i = 0; i < n && !st; i++) {
        struct projection_result r;
        size_t before = why->n;
        st = projection_run(job, &w[i], &a, &r, why);
        if (st == ST_CONFIG) {
            (*failed)++;
            if (why->n > before)
                buf_addf(why, " (workload %s); ", w[i].name);
            st = ST_OK;
        } else if (st == ST_OK) {
            st = projection_save(job->store, &r);
            if (!st && job->kept)
                st = job->kept(job->kept_arg, &w[i], &r, &a);
        }
        arena_reset(&a);
    }
    arena_release(&a);
    return st;
}
