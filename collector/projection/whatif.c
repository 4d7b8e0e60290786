/* A change is written into a copy of what was declared, so every check sees it. */
#include "collector/projection/whatif.h"

#include <math.h>
#include <stdlib.h>

#define FIELD(member, lo, hi, text)                                                      \
    {                                                                                    \
        .name = #member, .offset = offsetof(struct whatif, member), .least = lo,         \
        .most = hi, .help = text                                                         \
    }

const struct whatif_field whatif_fields[] = {
    FIELD(volume, 0, 1000, "factor on the calls from today on"),
    FIELD(volume_growth, -0.99, 100, "a year, beyond the forecast: 0.5 = half again"),
    FIELD(api_price, 0, 1000, "factor on API prices"),
    FIELD(gpu_price, 0, 1000, "factor on the GPU's hourly price"),
    FIELD(api_price_change, -0.99, 10, "of API prices a year"),
    FIELD(gpu_price_change, -0.99, 10, "of the GPU price a year"),
    FIELD(coverage, 0, 1, "share of calls the specialist takes"),
    FIELD(escalation, 0, 1, "share of those paid twice"),
    FIELD(output_tokens_per_s, 1, 1e7, "of a replica, at the latency target"),
    FIELD(min_replicas, 0, 10000, "replicas at least"),
    FIELD(headroom, 0, 10, "capacity above the peak"),
    FIELD(monthly_fixed, 0, 1e9, "USD a month"),
    FIELD(setup, 0, 1e9, "USD once, engineering days included"),
    { 0 },
};

static double *member(struct whatif *w, const struct whatif_field *f)
{
    return (double *)((char *)w + f->offset);
}

struct whatif whatif_none(void)
{
    struct whatif w;

    for (const struct whatif_field *f = whatif_fields; f->name; f++)
        *member(&w, f) = NAN;
    return w;
}

bool whatif_is_none(const struct whatif *w)
{
    for (const struct whatif_field *f = whatif_fields; f->name; f++)
        if (!isnan(*(const double *)((const char *)w + f->offset)))
            return false;
    return true;
}

enum status whatif_set(struct whatif *w, struct slice name, struct slice value,
                       struct buf *why)
{
    const struct whatif_field *f = whatif_fields;
    char text[32], *end = text;

    while (f->name && !slice_eq(slice_str(f->name), name))
        f++;
    if (!f->name) {
        buf_addf(why, "no input '%.*s'; known are", SLICE_FMT(name));
        for (f = whatif_fields; f->name; f++)
            buf_addf(why, "%s %s", f == whatif_fields ? "" : ",", f->name);
        return ST_NOT_FOUND;
    }
    double v = NAN;
    if (value.n > 0 && value.n < sizeof text) {
        memcpy(text, value.p, value.n);
        text[value.n] = '\0';
        v = strtod(text, &end);
    }
    if (end == text || *end || !(v >= f->least && v <= f->most)) {
        buf_addf(why, "%s: '%.*s' is no number from %g to %g", f->name, SLICE_FMT(value),
                 f->least, f->most);
        return ST_BAD;
    }
    *member(w, f) = v;
    return ST_OK;
}

/* --- resolve --- */

static void declare(double *out, double v)
{
    if (!isnan(v))
        *out = v;
}

/* Money of 0 means "not declared", so what was changed is set after the checks. */
static void set(struct input *out, double v)
{
    if (!isnan(v))
        *out = (struct input){ v, INPUT_WHATIF };
}

enum status whatif_resolve(const struct workload *w, const struct whatif *change,
                           const struct scenario_sources *from, struct scenario *out,
                           struct buf *why)
{
    if (!change)
        return scenario_resolve(w, from, out, why);
    struct workload changed = *w;
    struct hosted_declared *h = &changed.hosted;
    declare(&h->coverage, change->coverage);
    declare(&h->escalation, change->escalation);
    declare(&h->output_tokens_per_s, change->output_tokens_per_s);
    declare(&h->min_replicas, change->min_replicas);
    declare(&h->headroom, change->headroom);
    declare(&h->api_price_change, change->api_price_change);
    declare(&h->gpu_price_change, change->gpu_price_change);
    enum status st = scenario_resolve(&changed, from, out, why);
    if (st)
        return st;
    set(&out->coverage, change->coverage);
    set(&out->escalation, change->escalation);
    set(&out->output_tokens_per_s, change->output_tokens_per_s);
    set(&out->min_replicas, change->min_replicas);
    set(&out->headroom, change->headroom);
    set(&out->api_price_change, change->api_price_change);
    set(&out->gpu_price_change, change->gpu_price_change);
    set(&out->monthly_fixed, change->monthly_fixed);
    set(&out->setup, change->setup);
    if (out->gpu && !isnan(change->gpu_price))
        set(&out->gpu_hour, out->gpu_hour.v * change->gpu_price);
    return ST_OK;
}

double whatif_volume(const struct whatif *change, double years)
{
    double factor = 1;

    if (!change)
        return 1;
    if (!isnan(change->volume))
        factor *= change->volume;
    if (!isnan(change->volume_growth))
        factor *= pow(1 + change->volume_growth, years);
    return factor;
}
