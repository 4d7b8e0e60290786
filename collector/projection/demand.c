/* Two queries and a profile; everything else is adding up. */
#include "collector/projection/demand.h"

#include <math.h>

enum { DAY_S = 86400 };

static const struct {
    enum store_dim dim;
    size_t offset;
} filters[] = {
    { STORE_app, offsetof(struct workload, app) },
    { STORE_environment, offsetof(struct workload, environment) },
    { STORE_provider, offsetof(struct workload, provider) },
    { STORE_model, offsetof(struct workload, model) },
    { STORE_surface, offsetof(struct workload, surface) },
};

enum { FILTERS = sizeof filters / sizeof *filters };

enum status demand_filter(const struct workload *w, struct arena *a,
                          struct store_query *q)
{
    size_t n = 0;

    for (size_t i = 0; i < FILTERS; i++)
        n += ((const struct yaml_strings *)((const char *)w + filters[i].offset))->n;
    struct store_filter *f = arena_alloc(a, (n + 1) * sizeof *f);
    if (!f)
        return ST_NOMEM;
    q->filter = f;
    for (size_t i = 0; i < FILTERS; i++) {
        const struct yaml_strings *s =
            (const struct yaml_strings *)((const char *)w + filters[i].offset);
        for (size_t k = 0; k < s->n; k++)
            f[q->filters++] =
                (struct store_filter){ filters[i].dim, slice_str(s->at[k]) };
    }
    return ST_OK;
}

/* --- one row of the day x kind query --- */

struct reading {
    const struct price_book *book;
    const struct query_result *result;
    int64_t now, recent_from;
    struct demand *d;
    double *known; /* [days] calls whose tokens are known */
    size_t mix_cap;
    struct arena *arena;
    double recent_all, recent_estimated, recent_missing, recent_unpriced;
    double recent_failed, recent_attempts;
};

static uint64_t context_of(struct slice text)
{
    uint64_t v = 0;

    return slice_u64(text, &v) && v < USAGE_CONTEXTS ? v : 0;
}

static struct price_query price_query_of(const struct demand_mix *m, int64_t day)
{
    return (struct price_query){ .provider = m->provider,
                                 .model = m->model,
                                 .tier = m->tier,
                                 .region = m->region,
                                 .day = day,
                                 .context = m->context };
}

/* The kind of a row, found or added; NULL when memory is out. */
static struct demand_mix *mix_of(struct reading *r, const struct query_row *row)
{
    struct demand *d = r->d;
    const struct demand_mix key = {
        .provider = query_dim(r->result, row, STORE_provider),
        .model = query_dim(r->result, row, STORE_model),
        .tier = query_dim(r->result, row, STORE_tier),
        .region = query_dim(r->result, row, STORE_region),
        .context = (unsigned)context_of(query_dim(r->result, row, STORE_CONTEXT)),
    };

    for (size_t i = 0; i < d->mixes; i++) {
        struct demand_mix *m = &d->mix[i];
        if (m->context == key.context && slice_eq(m->model, key.model) &&
            slice_eq(m->provider, key.provider) && slice_eq(m->tier, key.tier) &&
            slice_eq(m->region, key.region))
            return m;
    }
    if (d->mixes == r->mix_cap) {
        size_t cap = r->mix_cap ? 2 * r->mix_cap : 16;
        struct demand_mix *grown = arena_alloc(r->arena, cap * sizeof *grown);
        if (!grown)
            return NULL;
        if (d->mixes)
            memcpy(grown, d->mix, d->mixes * sizeof *grown);
        d->mix = grown;
        r->mix_cap = cap;
    }
    struct price price;
    struct price_query pq = price_query_of(&key, r->now);
    d->mix[d->mixes] = key;
    d->mix[d->mixes].priced = price_find(r->book, &pq, &price);
    return &d->mix[d->mixes++];
}

static double tokens_of(const uint64_t v[USAGE_N])
{
    double sum = 0;

    for (int f = 0; f < USAGE_CLASSES; f++)
        sum += (double)v[f];
    return sum;
}

static enum status add_row(struct reading *r, const struct query_row *row)
{
    struct demand *d = r->d;
    struct slice outcome = query_dim(r->result, row, STORE_OUTCOME);

    if (row->time >= r->recent_from) {
        r->recent_attempts += (double)row->calls;
        r->recent_failed += (double)row->calls_failed;
    }
    /* A refused call cost nothing and a specialist would not have served it. */
    if (!slice_eq(outcome, SLICE("ok")) && tokens_of(row->v) == 0)
        return ST_OK;
    struct demand_mix *m = mix_of(r, row);
    if (!m)
        return ST_NOMEM;
    struct price_query pq = price_query_of(m, r->now);
    struct price_cost cost = price_usage(r->book, &pq, row->calls, row->v);
    int64_t day = (row->time - d->first_day) / DAY_S;
    if (day < 0 || day >= d->days)
        return ST_OK;
    d->calls[day] += (double)row->calls;
    r->known[day] += (double)(row->calls - row->calls_missing);
    d->volume[day] += cost.priced ? price_dollars(cost.pico) : 0;
    d->usd[day] += price_dollars(row->cost);
    if (row->time < r->recent_from)
        return ST_OK;
    m->calls += row->calls;
    for (int f = 0; f < USAGE_N; f++)
        m->v[f] += row->v[f];
    r->recent_all += (double)row->calls;
    r->recent_estimated += (double)row->calls_estimated;
    r->recent_missing += (double)row->calls_missing;
    r->recent_unpriced += cost.priced && !cost.unpriced ? 0 : (double)row->calls;
    return ST_OK;
}

/* --- days --- */

/*
 * Calls without token counts are taken at the mean of that day's others; a day without
 * any known call, or that nobody at all reported, is missing.
 */
static void settle_days(struct reading *r, const bool *reported)
{
    struct demand *d = r->d;

    for (int i = 0; i < d->days; i++) {
        bool unknown = d->calls[i] > 0 && r->known[i] <= 0;
        if (!reported[i] || unknown) {
            d->volume[i] = d->usd[i] = NAN;
            d->calls[i] = reported[i] ? d->calls[i] : NAN;
        } else if (r->known[i] > 0) {
            d->volume[i] *= d->calls[i] / r->known[i];
            d->usd[i] *= d->calls[i] / r->known[i];
        }
    }
}

static void settle_recent(struct reading *r)
{
    struct demand *d = r->d;
    int from = d->days > DEMAND_RECENT_DAYS ? d->days - DEMAND_RECENT_DAYS : 0;

    for (int i = from; i < d->days; i++) {
        if (isnan(d->calls[i]))
            continue;
        d->recent_days++;
        d->recent_calls += d->calls[i];
        d->recent_volume += isnan(d->volume[i]) ? 0 : d->volume[i];
    }
    for (size_t i = 0; i < d->mixes; i++)
        d->recent_tokens += tokens_of(d->mix[i].v);
    d->failed = r->recent_attempts > 0 ? r->recent_failed / r->recent_attempts : NAN;
    if (r->recent_all > 0) {
        d->estimated = r->recent_estimated / r->recent_all;
        d->missing = r->recent_missing / r->recent_all;
        d->unpriced = r->recent_unpriced / r->recent_all;
        if (d->missing < 1) /* as the volume: the unknown at the mean of the known */
            d->recent_tokens /= 1 - d->missing;
    }
}

/* --- load --- */

/*
 * The busiest minute over its hour. Chance alone makes some minute of eight weeks busier
 * than its hour: only what is beyond that (4.5 deviations of a Poisson count) scales
 * with the volume and counts as a burst.
 */
static double burst_of(const struct query_profile *p, double busiest_hour)
{
    double minute = busiest_hour / 60, peak = (double)p->peak_calls;

    if (minute <= 0 || peak <= minute + 4.5 * sqrt(minute) + 5)
        return 1;
    return fmin(10, peak / minute);
}

bool demand_load(const struct query_profile *p, double weeks, struct hosted_load *out)
{
    double total = 0;

    for (int h = 0; h < HOSTED_WEEK; h++)
        total += (double)p->calls[h];
    if (total <= 0 || weeks < 2)
        return false;
    for (int h = 0; h < HOSTED_WEEK; h++)
        out->share[h] = (double)p->calls[h] / total;
    hosted_load_settle(out);
    out->burst = burst_of(p, out->peak * total / weeks);
    return true;
}

static enum status read_load(struct store *s, struct store_query q, struct demand *d)
{
    struct query_profile p;
    double calls = 0, input = 0, output = 0;

    hosted_load_flat(&d->load);
    q.from = q.to - (int64_t)DEMAND_PROFILE_DAYS * DAY_S;
    q.from = q.from < d->first_day ? d->first_day : q.from;
    enum status st = query_profile(s, &q, &p);
    if (st)
        return st;
    d->load_measured = demand_load(&p, (double)(q.to - q.from) / (7.0 * DAY_S), &d->load);
    for (size_t i = 0; i < d->mixes; i++) {
        const uint64_t *v = d->mix[i].v;
        calls += (double)d->mix[i].calls;
        output += (double)v[USAGE_output];
        input += (double)v[USAGE_input] + (double)v[USAGE_cache_write_5m] +
                 (double)v[USAGE_cache_write_1h] + (double)v[USAGE_cache_write];
    }
    calls *= 1 - d->missing;
    if (calls > 0) {
        d->load.input_per_call = input / calls;
        d->load.output_per_call = output / calls;
    }
    return ST_OK;
}

/* --- all of it --- */

/* First and last day with any row of `r`; false without one. */
static bool span(const struct query_result *r, int64_t *first, int64_t *last)
{
    if (r->rows == 0)
        return false;
    *first = r->row[0].time;
    *last = r->row[r->rows - 1].time;
    return true;
}

static enum status days_alloc(struct demand *d, struct arena *a, double **known,
                              bool **reported)
{
    size_t n = (size_t)d->days;

    d->volume = arena_alloc(a, n * sizeof *d->volume);
    d->calls = arena_alloc(a, n * sizeof *d->calls);
    d->usd = arena_alloc(a, n * sizeof *d->usd);
    *known = arena_alloc(a, n * sizeof **known);
    *reported = arena_alloc(a, n * sizeof **reported);
    return d->volume && d->calls && d->usd && *known && *reported ? ST_OK : ST_NOMEM;
}

enum status demand_read(struct store *s, const struct price_book *book,
                        const struct workload *w, int64_t now, int64_t history_days,
                        struct arena *a, struct demand *out)
{
    int64_t today = now - now % DAY_S, any_first, any_last;
    struct store_query any = { .from = today - history_days * DAY_S,
                               .to = today,
                               .grain = STORE_DAY };
    struct store_query q = any;
    struct query_result all, rows;
    enum status st;

    *out = (struct demand){ 0 };
    hosted_load_flat(&out->load);
    q.group = store_bit(STORE_provider) | store_bit(STORE_model) | store_bit(STORE_tier) |
              store_bit(STORE_region) | store_bit(STORE_OUTCOME) |
              store_bit(STORE_CONTEXT);
    if ((st = demand_filter(w, a, &q)) || (st = query_usage(s, NULL, &any, a, &all)) ||
        (st = query_usage(s, book, &q, a, &rows)))
        return st;
    if (!span(&all, &any_first, &any_last) ||
        !span(&rows, &out->first_day, &out->last_day))
        return ST_OK;
    out->last_day = any_last; /* days without calls after the last one are zeros */
    out->days = (int)((out->last_day - out->first_day) / DAY_S) + 1;
    struct reading r = { .book = book,
                         .result = &rows,
                         .now = now,
                         .d = out,
                         .arena = a,
                         .recent_from =
                             out->last_day - (DEMAND_RECENT_DAYS - 1) * DAY_S };
    bool *reported;
    if ((st = days_alloc(out, a, &r.known, &reported)))
        return st;
    for (size_t i = 0; i < all.rows; i++)
        if (all.row[i].time >= out->first_day)
            reported[(all.row[i].time - out->first_day) / DAY_S] = true;
    for (size_t i = 0; i < rows.rows && !st; i++)
        st = add_row(&r, &rows.row[i]);
    if (st)
        return st;
    settle_days(&r, reported);
    settle_recent(&r);
    q.to = out->last_day + DAY_S;
    q.group = 0;
    q.grain = STORE_HOUR;
    return read_load(s, q, out);
}

double demand_mix_usd(const struct demand *d, const struct price_book *book, int64_t day)
{
    double sum = 0;

    for (size_t i = 0; i < d->mixes; i++) {
        const struct demand_mix *m = &d->mix[i];
        if (!m->priced || m->calls == 0)
            continue;
        struct price_query q = price_query_of(m, day);
        struct price_cost cost = price_usage(book, &q, m->calls, m->v);
        sum += cost.priced ? price_dollars(cost.pico) : 0;
    }
    return sum;
}

/* Fresh input becomes cached input until that makes up `share` of both. */
static void cache_more(struct demand_mix *m, double share)
{
    uint64_t all = m->v[USAGE_input] + m->v[USAGE_cache_read];
    uint64_t wanted = (uint64_t)(share * (double)all);

    if (wanted <= m->v[USAGE_cache_read])
        return;
    m->v[USAGE_cache_read] = wanted;
    m->v[USAGE_input] = all - wanted;
}

double demand_cached(const struct demand *d)
{
    double cached = 0, all = 0;

    for (size_t i = 0; i < d->mixes; i++) {
        const uint64_t *v = d->mix[i].v;
        cached += (double)v[USAGE_cache_read];
        all += (double)v[USAGE_input] + (double)v[USAGE_cache_read] +
               (double)v[USAGE_cache_write_5m] + (double)v[USAGE_cache_write_1h] +
               (double)v[USAGE_cache_write];
    }
    return all > 0 ? cached / all : NAN;
}

double demand_mix_other(const struct demand *d, const struct price_book *book,
                        int64_t day, const struct demand_mix *other)
{
    double sum = 0;

    for (size_t i = 0; i < d->mixes; i++) {
        struct demand_mix m = d->mix[i];
        struct price price;
        if (!m.priced || m.calls == 0)
            continue;
        if (other->model.n) {
            m.provider = other->provider;
            m.model = other->model;
            m.tier = m.region = (struct slice){ 0 };
        }
        if (other->tier.n)
            m.tier = other->tier;
        if (other->cached > 0)
            cache_more(&m, other->cached);
        struct price_query q = price_query_of(&m, day);
        if (!price_find(book, &q, &price) || (other->tier.n && !price.tier_known))
            return -1;
        struct price_cost cost = price_apply(&price, m.calls, m.v);
        if (other->cached > 0 && cost.unpriced)
            return -1; /* no price of cached input */
        sum += price_dollars(cost.pico);
    }
    return sum;
}
