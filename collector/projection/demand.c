/* Days, a query folded day by day, and a profile; everything else is adding up. */
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
    struct query_result shape; /* no rows: which dimensions a row has */
    int64_t now, recent_from;
    int64_t first; /* day with a row of the workload; INT64_MAX: none yet */
    struct demand *d;
    double *known;       /* [days] calls whose tokens are known */
    struct price *price; /* [mix_cap] of each kind today */
    size_t mix_cap;
    uint32_t *mix_of; /* by the number of a row's group: kind + 1; 0: not known yet */
    size_t groups;
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

/* A copy of n elements with room for `cap`. */
static void *more_room(struct arena *a, const void *old, size_t n, size_t cap,
                       size_t size)
{
    void *grown = arena_alloc(a, cap * size);

    if (grown && n)
        memcpy(grown, old, n * size);
    return grown;
}

/* Room for one more kind. */
static bool reserve_mix(struct reading *r)
{
    struct demand *d = r->d;
    size_t cap = r->mix_cap ? 2 * r->mix_cap : 16;

    if (d->mixes < r->mix_cap)
        return true;
    struct demand_mix *mix = more_room(r->arena, d->mix, d->mixes, cap, sizeof *mix);
    struct price *price = more_room(r->arena, r->price, d->mixes, cap, sizeof *price);
    if (!mix || !price)
        return false;
    d->mix = mix;
    r->price = price;
    r->mix_cap = cap;
    return true;
}

/* Where the group of a row remembers its kind; NULL when memory is out. */
static uint32_t *memo_of(struct reading *r, const struct query_row *row)
{
    if (row->group >= r->groups) {
        size_t cap = 2 * (size_t)row->group + 64;
        uint32_t *of = more_room(r->arena, r->mix_of, r->groups, cap, sizeof *of);
        if (!of)
            return NULL;
        r->mix_of = of;
        r->groups = cap;
    }
    return &r->mix_of[row->group];
}

/* The kind of a row, found or added; false when memory is out. */
static bool mix_of(struct reading *r, const struct query_row *row, size_t *out)
{
    struct demand *d = r->d;
    uint32_t *memo = memo_of(r, row);
    const struct demand_mix key = {
        .provider = query_dim(&r->shape, row, STORE_provider),
        .model = query_dim(&r->shape, row, STORE_model),
        .tier = query_dim(&r->shape, row, STORE_tier),
        .region = query_dim(&r->shape, row, STORE_region),
        .context = (unsigned)context_of(query_dim(&r->shape, row, STORE_CONTEXT)),
    };

    if (!memo)
        return false;
    *out = *memo ? *memo - 1 : 0;
    for (; !*memo && *out < d->mixes; ++*out) { /* another outcome of the same kind? */
        const struct demand_mix *m = &d->mix[*out];
        if (m->context == key.context && slice_eq(m->model, key.model) &&
            slice_eq(m->provider, key.provider) && slice_eq(m->tier, key.tier) &&
            slice_eq(m->region, key.region))
            *memo = (uint32_t)*out + 1;
    }
    if (*memo) {
        *out = *memo - 1;
        return true;
    }
    if (!reserve_mix(r))
        return false;
    struct price_query pq = price_query_of(&key, r->now);
    d->mix[d->mixes] = key;
    d->mix[d->mixes].priced = price_find(r->book, &pq, &r->price[d->mixes]);
    *out = d->mixes++;
    *memo = (uint32_t)*out + 1;
    return true;
}

static double tokens_of(const uint64_t v[USAGE_N])
{
    double sum = 0;

    for (int f = 0; f < USAGE_CLASSES; f++)
        sum += (double)v[f];
    return sum;
}

static enum status add_row(void *arg, const struct query_row *row)
{
    struct reading *r = arg;
    struct demand *d = r->d;
    struct slice outcome = query_dim(&r->shape, row, STORE_OUTCOME);
    size_t at;

    r->first = row->time < r->first ? row->time : r->first;
    if (row->time >= r->recent_from) {
        r->recent_attempts += (double)row->calls;
        r->recent_failed += (double)row->calls_failed;
    }
    /* A refused call cost nothing and a specialist would not have served it. */
    if (!slice_eq(outcome, SLICE("ok")) && tokens_of(row->v) == 0)
        return ST_OK;
    if (!mix_of(r, row, &at))
        return ST_NOMEM;
    struct demand_mix *m = &d->mix[at];
    struct price_cost cost = { .priced = false };
    if (m->priced)
        cost = price_apply(&r->price[at], row->calls, row->v);
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

static enum status days_alloc(struct demand *d, struct arena *a, double **known)
{
    size_t n = (size_t)d->days;

    d->volume = arena_alloc(a, n * sizeof *d->volume);
    d->calls = arena_alloc(a, n * sizeof *d->calls);
    d->usd = arena_alloc(a, n * sizeof *d->usd);
    *known = arena_alloc(a, n * sizeof **known);
    return d->volume && d->calls && d->usd && *known ? ST_OK : ST_NOMEM;
}

/* Days on which somebody reported anything, of this workload or not. */
struct reported {
    int64_t from;
    bool *day;
    int64_t first, last; /* from - DAY_S: none */
};

static enum status mark_day(void *arg, int64_t day)
{
    struct reported *r = arg;

    r->day[(day - r->from) / DAY_S] = true;
    r->first = r->last < r->from ? day : r->first;
    r->last = day;
    return ST_OK;
}

/* The days before the first call of the workload are not of its history. */
static void cut_head(struct reading *r, int64_t first, struct reported *days)
{
    struct demand *d = r->d;
    int64_t n = (first - d->first_day) / DAY_S;

    d->volume += n;
    d->calls += n;
    d->usd += n;
    r->known += n;
    days->day += (first - days->from) / DAY_S;
    d->first_day = first;
    d->days -= (int)n;
}

enum status demand_read(struct store *s, const struct price_book *book,
                        const struct workload *w, int64_t now, int64_t history_days,
                        struct arena *a, struct demand *out)
{
    int64_t today = now - now % DAY_S;
    struct store_query q = { .from = today - history_days * DAY_S,
                             .to = today,
                             .grain = STORE_DAY };
    struct reported days = { .from = q.from, .last = q.from - DAY_S };
    enum status st;

    *out = (struct demand){ 0 };
    hosted_load_flat(&out->load);
    q.group = store_bit(STORE_provider) | store_bit(STORE_model) | store_bit(STORE_tier) |
              store_bit(STORE_region) | store_bit(STORE_OUTCOME) |
              store_bit(STORE_CONTEXT);
    if (!(days.day = arena_alloc(a, (size_t)history_days * sizeof *days.day)))
        return ST_NOMEM;
    if ((st = demand_filter(w, a, &q)) ||
        (st = store_days(s, q.from, q.to, mark_day, &days)) || days.last < days.from)
        return st;
    struct reading r = { .book = book,
                         .shape = { .group = q.group },
                         .now = now,
                         .d = out,
                         .arena = a,
                         .first = INT64_MAX,
                         .recent_from = days.last - (DEMAND_RECENT_DAYS - 1) * DAY_S };
    out->first_day = days.first;
    out->last_day = days.last; /* days without calls after the last one are zeros */
    out->days = (int)((days.last - days.first) / DAY_S) + 1;
    if ((st = days_alloc(out, a, &r.known)) ||
        (st = query_groups(s, book, &q, a, add_row, &r)))
        return st;
    if (r.first == INT64_MAX) {
        out->days = 0;
        return ST_OK;
    }
    cut_head(&r, r.first, &days);
    settle_days(&r, days.day);
    settle_recent(&r);
    q.to = out->last_day + DAY_S;
    q.group = 0;
    q.grain = STORE_HOUR;
    return read_load(s, q, out);
}

static double *copy_days(const double *v, int days, struct arena *a)
{
    return more_room(a, v, (size_t)days, (size_t)days + 1, sizeof *v);
}

enum status demand_copy(const struct demand *d, struct arena *a, struct demand *out)
{
    *out = *d;
    out->volume = copy_days(d->volume, d->days, a);
    out->calls = copy_days(d->calls, d->days, a);
    out->usd = copy_days(d->usd, d->days, a);
    out->mix = more_room(a, d->mix, d->mixes, d->mixes + 1, sizeof *d->mix);
    if (!out->volume || !out->calls || !out->usd || !out->mix)
        return ST_NOMEM;
    for (size_t i = 0; i < d->mixes; i++) {
        struct demand_mix *m = &out->mix[i];
        m->provider = arena_dup(a, m->provider);
        m->model = arena_dup(a, m->model);
        m->tier = arena_dup(a, m->tier);
        m->region = arena_dup(a, m->region);
        if (!m->provider.p || !m->model.p || !m->tier.p || !m->region.p)
            return ST_NOMEM;
    }
    return ST_OK;
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
