/* See project.h; what is known of the past, then the months ahead. */
#include "collector/projection/project.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "collector/projection/backtest.h"
#include "collector/projection/breakeven.h"

enum {
    DAY_S = 86400,
    STALE_DAYS = 60, /* older data are projected from their own end */
};

/* Above this share of calls without a price a verdict is no longer firm. */
#define PRICED_ENOUGH 0.01

struct work {
    const struct project_input *in;
    struct arena *arena;
    struct projection_result *out;
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

/* USD a call over days [from, to) at today's prices; NAN: unknown. */
static double usd_per_call(const struct demand *d, int from, int to)
{
    double calls = 0, usd = 0;

    for (int i = from; i < to; i++) {
        if (isnan(d->volume[i]))
            continue;
        calls += d->calls[i];
        usd += d->volume[i];
    }
    return calls > 0 && usd > 0 ? usd / calls : NAN;
}

/* The last four weeks against four weeks twelve weeks before. */
static double drift(const struct demand *d)
{
    if (d->days < 4 * DEMAND_RECENT_DAYS)
        return NAN;
    double now = usd_per_call(d, d->days - DEMAND_RECENT_DAYS, d->days);
    double then = usd_per_call(d, d->days - 4 * DEMAND_RECENT_DAYS,
                               d->days - 3 * DEMAND_RECENT_DAYS);
    return now / then - 1;
}

static void set_history(struct work *k)
{
    const struct demand *d = k->in->demand;
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
    r->failed_share = d->failed;
    r->cached_share = demand_cached(d);
    r->per_call_drift = drift(d);
}

/* A typed rate that the specialist was seen to miss the latency target at. */
static void warn_throughput(struct work *k)
{
    const struct throughput *t = &k->out->throughput;
    const struct input *rate = &k->out->scenario.output_tokens_per_s;

    if (t->missed > 0 && rate->origin == INPUT_DECLARED && rate->v > t->missed)
        warn(k,
             "at %.4g output tokens/s a replica the specialist missed its latency target "
             "of %.3g s: the declared %.4g are not there",
             t->missed, t->target_s, rate->v);
}

static void set_warnings(struct work *k)
{
    const struct demand *d = k->in->demand;
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
    warn_throughput(k);
    if (k->out->at - d->last_day > STALE_DAYS * DAY_S)
        warn(k, "the last data are of %lld days ago: projected from there",
             (long long)((k->in->now - d->last_day) / DAY_S));
}

/* USD of a unit of volume today: 1 but for a what-if. */
static double unit_price(const struct work *k)
{
    const struct whatif *change = k->in->change;

    return change && !isnan(change->api_price) ? change->api_price : 1;
}

/* Mean over days [from, to) of the recent mix's price, relative to today's. */
static double price_of_days(const struct work *k, int64_t first, int64_t end,
                            double today)
{
    const struct price_book *book = k->in->prices;
    double at_first = demand_mix_usd(k->in->demand, book, first);
    double sum = 0;
    int days = 0;

    if (today <= 0)
        return 1;
    if (demand_mix_usd(k->in->demand, book, end - DAY_S) == at_first)
        return at_first / today;
    for (int64_t day = first; day < end; day += DAY_S, days++)
        sum += demand_mix_usd(k->in->demand, book, day);
    return sum / days / today;
}

/* Mean price of a GPU over days [first, end), relative to today's. */
static double gpu_of_days(const struct scenario *s, int64_t now, int64_t first,
                          int64_t end)
{
    double sum = 0;
    int days = 0;

    if (s->gpu_path.n == 0 || s->gpu_hour.v <= 0)
        return 1;
    for (int64_t day = first; day < end; day += DAY_S, days++)
        sum += gpu_path_at(&s->gpu_path, s->gpu_price_change.v, now, day);
    return days ? sum / days / gpu_path_at(&s->gpu_path, 0, now, now) : 1;
}

/* Months from the one of `now` on: what is known of them and what lies ahead. */
static void make_months(struct work *k, int64_t now)
{
    const struct demand *d = k->in->demand;
    int64_t start[PROJECTION_MONTHS_MAX + 1], ahead = d->last_day + DAY_S;
    double today = demand_mix_usd(d, k->in->prices, k->in->now);
    double change = 1 + k->out->scenario.api_price_change.v;

    k->months = (int)k->in->config->horizon_months + 1;
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
            .gpu = gpu_of_days(&k->out->scenario, now, from, start[m + 1]),
        };
        double years = fmax(0, middle / (365.25 * DAY_S));
        b->api_price = unit_price(k) * price_of_days(k, from, start[m + 1], today) *
                       pow(change, years);
        for (int i = 0; i < d->days; i++) {
            int64_t day = d->first_day + (int64_t)i * DAY_S;
            if (day < start[m] || day >= start[m + 1] || isnan(d->usd[i]))
                continue;
            b->known_calls += d->calls[i];
            b->known_usd += d->usd[i];
        }
    }
}

/* The changed volume, block by block, in the forecast and in every path alike. */
static void change_volume(struct work *k, struct paths *paths)
{
    struct outlook *o = &k->outlook;

    for (int i = 0; i < o->f.h && k->in->change; i++) {
        double years = (i + 0.5) * o->block / 365.25;
        double factor = whatif_volume(k->in->change, years);
        o->f.point[i] *= factor;
        for (int p = 0; p < paths->n; p++)
            paths_row(paths, p)[i] *= factor;
    }
}

/* Never beyond what a log interval may say at all. */
static double widened(const struct forecast *f, int i, double factor)
{
    double sigma = f->sigma[i] * factor;

    return f->error_logs ? fmax(f->sigma[i], fmin(1.5, sigma)) : sigma;
}

static enum status compute(struct work *k, int64_t now)
{
    const struct demand *d = k->in->demand;
    struct projection_result *r = k->out;
    struct paths paths;
    enum status st;

    make_months(k, now);
    if ((st = outlook_make(d->volume, d->days, k->month[k->months - 1].to, k->arena,
                           &k->outlook)))
        return st == ST_BAD ? refuse(k, "no day of the history has token counts") : st;
    if (k->outlook.f.notes.stopped)
        warn(k, "the traffic has stopped: the forecast is zero");
    for (int i = 0; i < k->outlook.f.h; i++)
        k->outlook.f.sigma[i] = widened(&k->outlook.f, i, r->interval_factor);
    if ((st = paths_draw(&k->outlook.f, (int)k->in->config->paths, r->seed, k->arena,
                         &paths)))
        return st;
    change_volume(k, &paths);
    double volume = whatif_volume(k->in->change, 0);
    r->calls_per_day *= volume;
    r->tokens_per_day *= volume;
    r->usd_per_day *= volume * unit_price(k);
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
        .unit_price = unit_price(k),
    };
    st = breakeven_compute(&c, k->arena, r);
    return st ? st : breakeven_sensitivity(&c, k->arena, r);
}

/* --- alternatives: what the same calls would cost without a model of one's own --- */

/* Worth a look where none is declared: a small model of an API, an open one by the token.
 */
static const struct {
    const char *name, *kind;
} usual_models[] = {
    { "openai/gpt-5-nano", "model" },
    { "groq/llama-3.1-8b-instant", "open model" },
};

/* API dollars of the 12 months from now, or of the horizon if that is shorter. */
static double year_of_api(const struct projection_result *r)
{
    double sum = 0;
    int last = r->months > 12 ? 12 : r->months - 1;

    for (int m = 0; m <= last; m++)
        sum += r->month[m].api.median * (m == 0 && r->months > 12 ? 0 : 1);
    return sum;
}

static void add_alternative(struct work *k, const char *name, const char *kind,
                            enum input_origin origin, const struct demand_mix *other)
{
    const struct demand *d = k->in->demand;
    struct projection_result *r = k->out;
    double usd = demand_mix_other(d, k->in->prices, k->in->now, other);

    if (r->alternatives == PROJECTION_ALTERNATIVES)
        return;
    struct projection_alternative *a = &r->alternative[r->alternatives++];
    *a = (struct projection_alternative){ name, kind, origin, -1, NAN };
    if (usd < 0)
        return;
    usd *= whatif_volume(k->in->change, 0) * unit_price(k);
    a->usd_per_day = usd / (fmax(1, d->recent_days) * (1 - d->missing));
    if (r->usd_per_day > 0)
        a->saving12 = (1 - a->usd_per_day / r->usd_per_day) * year_of_api(r);
}

static void add_model(struct work *k, const char *name, const char *kind,
                      enum input_origin origin)
{
    struct demand_mix other = { 0 };

    if (!slice_cut(slice_str(name), '/', &other.provider, &other.model) || !other.model.n)
        other.provider = other.model = SLICE("?"); /* in no book */
    add_alternative(k, name, kind, origin, &other);
}

/* One that is only listed where it saves something. */
static void add_if_cheaper(struct work *k, const char *name, const char *kind,
                           enum input_origin origin, const struct demand_mix *other)
{
    struct projection_result *r = k->out;
    int before = r->alternatives;

    add_alternative(k, name, kind, origin, other);
    const struct projection_alternative *a = &r->alternative[before];
    if (a->usd_per_day < 0 || !(a->usd_per_day < 0.99 * r->usd_per_day))
        r->alternatives = before;
}

static void set_alternatives(struct work *k)
{
    const struct yaml_strings *declared = &k->in->workload->alternatives;
    const struct demand_mix batch = { .tier = SLICE("batch") },
                            cached = { .cached = 0.5 };

    int before;

    add_if_cheaper(k, "batch tier", "batch", INPUT_MEASURED, &batch);
    if (!(demand_cached(k->in->demand) >= cached.cached))
        add_if_cheaper(k, "caching, half of the input", "caching", INPUT_DEFAULT,
                       &cached);
    for (size_t i = 0; i < declared->n; i++)
        add_model(k, declared->at[i], "model", INPUT_DECLARED);
    for (size_t i = 0; i < sizeof usual_models / sizeof *usual_models && !declared->n;
         i++) {
        before = k->out->alternatives;
        add_model(k, usual_models[i].name, usual_models[i].kind, INPUT_DEFAULT);
        if (k->out->alternative[before].usd_per_day < 0)
            k->out->alternatives = before; /* nobody asked for it */
    }
}

/* --- what must not be said firmly --- */

/*
 * With calls that have no price the API's bill is a lower bound: that hosting is cheaper
 * holds all the more, that it is not does not follow.
 */
static void qualify(struct work *k)
{
    struct projection_result *r = k->out;
    bool cheaper = r->verdict == PROJECTION_CROSSED || r->verdict == PROJECTION_LIKELY;
    char text[300];

    if (!cheaper)
        r->verdict = PROJECTION_OPEN;
    if (cheaper)
        snprintf(text, sizeof text, "%s, although %.3g %% of the calls have no price",
                 r->reason, 100 * r->unpriced_share);
    else
        snprintf(text, sizeof text,
                 "%.3g %% of the calls have no price, so the API's bill is a lower bound "
                 "and hosting may well be cheaper: give them a price "
                 "(breakeven-collector prices)",
                 100 * r->unpriced_share);
    struct slice copy = arena_dup(k->arena, slice_str(text));
    r->reason = copy.p ? copy.p : "open: calls without a price";
}

/* A typed request rate times what an answer was measured to be: more than memory allows?
 */
static bool above_memory(struct work *k)
{
    const struct scenario *s = &k->out->scenario;
    double answer = k->in->demand->load.output_per_call;
    double rate = s->requests_per_s.v * answer;
    char text[300];

    if (s->most_tokens_per_s <= 0 || rate <= s->most_tokens_per_s)
        return false;
    snprintf(
        text, sizeof text,
        "requests_per_s %.6g x %.4g output tokens a call as measured = %.5g tokens/s, "
        "above the %.5g that memory bandwidth allows a replica",
        s->requests_per_s.v, answer, rate, s->most_tokens_per_s);
    struct slice copy = arena_dup(k->arena, slice_str(text));
    refuse(k, copy.p ? copy.p : "requests_per_s is above what memory allows");
    return true;
}

static enum status look_back(struct work *k)
{
    const struct demand *d = k->in->demand;
    struct arena scratch;
    struct backtest b;

    arena_init(&scratch, 64 << 20);
    arena_reserve(&scratch, 256 << 10);
    enum status st = backtest_run(d->volume, d->days, k->out->seed, &scratch, &b);
    arena_release(&scratch);
    k->out->backtest_mape = b.mape;
    k->out->backtest_cover80 = b.cover80;
    k->out->backtest_origins = b.origins;
    k->out->interval_factor = b.widen;
    for (int i = 0; i < b.origins; i++) {
        const struct backtest_window *w = &b.window[i];
        k->out->window[i] =
            (struct projection_window){ d->first_day + (int64_t)w->from * DAY_S,
                                        w->actual, w->point, w->lo80, w->hi80 };
    }
    if (b.widen >= 1.1)
        warn(k,
             "too few of %d earlier forecasts held what came: intervals widened by "
             "%.0f %%",
             b.origins, 100 * (b.widen - 1));
    return st;
}

enum status project_make(const struct project_input *in, struct arena *a,
                         struct projection_result *out)
{
    struct work k = { .in = in, .arena = a, .out = out };
    const struct demand *d = in->demand;

    *out = (struct projection_result){
        .workload = in->workload->name,
        .at = in->now,
        .seed = dice_seed_of(slice_str(in->workload->name)),
        .scenario = *in->scenario,
        .what_if = in->change,
        .threshold_calls_per_day = -1,
        .threshold_ratio = -1,
        .backtest_mape = -1,
        .backtest_cover80 = -1,
        .interval_factor = 1,
        .failed_share = NAN,
        .cached_share = NAN,
        .per_call_drift = NAN,
    };
    if (in->seen)
        out->throughput = *in->seen;
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
    if (above_memory(&k))
        return ST_OK;
    int64_t end = d->last_day + DAY_S;
    enum status st = look_back(&k);
    if (!st)
        st = compute(&k, in->now - end > STALE_DAYS * DAY_S ? end : in->now);
    if (st || out->verdict == PROJECTION_REFUSED)
        return st;
    set_alternatives(&k);
    if (d->unpriced > PRICED_ENOUGH)
        qualify(&k);
    return ST_OK;
}
