/* A table of pointers into the document; samples of one gauge stand together. */
#include "collector/projection/gauges.h"

#include <math.h>

#include "common/json_pointer.h"

#define QUANTILES(base, lo, mid, hi)                                                     \
    {                                                                                    \
        { base lo, "percentile=\"10\"" }, { base mid, "percentile=\"50\"" },             \
            { base hi, "percentile=\"90\"" },                                            \
    }
#define WITHIN(base)                                                                     \
    {                                                                                    \
        { base "/p6", "months=\"6\"" }, { base "/p9", "months=\"9\"" },                  \
            { base "/p12", "months=\"12\"" },                                            \
    }

static const struct gauge {
    const char *name, *help;
    struct {
        const char *pointer, *label;
    } sample[3];
} gauges[] = {
    { "calls_per_day",
      "Calls a day, mean of the last 28 days",
      { { "/calls_per_day", "" } } },
    { "usd_per_day", "API cost a day at today's prices", { { "/usd_per_day", "" } } },
    { "threshold_ratio",
      "Today's calls over those at which hosting costs the same",
      { { "/threshold_ratio", "" } } },
    { "api_usd", "API cost of the next calendar month",
      QUANTILES("/month/1/api", "/lo80", "/median", "/hi80") },
    { "hosted_usd", "Cost of hosting in the next calendar month",
      QUANTILES("/month/1/hosted", "/lo80", "/median", "/hi80") },
    { "saving_12_months_usd", "Saving of hosting after 12 months, setup paid",
      QUANTILES("/saving12", "/lo80", "/median", "/hi80") },
    { "months_to_crossing", "Months until hosting costs less a month than the API",
      QUANTILES("/crossing", "/months10", "/months50", "/months90") },
    { "months_to_payback", "Months until the savings have earned the setup back",
      QUANTILES("/payback", "/months10", "/months50", "/months90") },
    { "crossing_probability", "P(hosting becomes cheaper within so many months)",
      WITHIN("/crossing") },
    { "payback_probability", "P(the setup is earned back within so many months)",
      WITHIN("/payback") },
};

struct document {
    struct slice workload, json;
    int64_t at;
    struct document *next;
};

struct list {
    const struct workload *declared;
    size_t n;
    struct arena *arena;
    struct document *first, **end;
};

static enum status collect(void *arg, const struct store_record *r)
{
    struct list *l = arg;
    size_t i = 0;
    while (i < l->n && strcmp(l->declared[i].name, r->key) != 0)
        i++;
    if (i == l->n)
        return ST_OK;
    struct document *d = arena_alloc(l->arena, sizeof *d);
    if (!d)
        return ST_NOMEM;
    *d = (struct document){ .workload = arena_dup(l->arena, slice_str(r->key)),
                            .json = arena_dup(l->arena, slice_str(r->json)),
                            .at = r->at };
    *l->end = d;
    l->end = &d->next;
    return d->workload.p && d->json.p ? ST_OK : ST_NOMEM;
}

static void head(const char *name, const char *help, struct buf *out)
{
    buf_addf(out,
             "# HELP breakeven_projection_%s %s\n# TYPE breakeven_projection_%s gauge\n",
             name, help, name);
}

static void sample(const char *name, struct slice workload, const char *label, double v,
                   struct buf *out)
{
    buf_addf(out, "breakeven_projection_%s{workload=\"", name);
    for (size_t i = 0; i < workload.n; i++) {
        unsigned char c = (unsigned char)workload.p[i];
        if (c == '"' || c == '\\')
            buf_addc(out, '\\');
        if (c >= 0x20 && c != 0x7f)
            buf_addc(out, (char)c);
    }
    buf_addf(out, "\"%s%s} %.12g\n", *label ? "," : "", label, v);
}

static void put_gauge(const struct gauge *g, const struct document *first,
                      struct buf *out)
{
    head(g->name, g->help, out);
    for (const struct document *d = first; d; d = d->next) {
        for (int i = 0; i < 3 && g->sample[i].pointer; i++) {
            double v = json_pointer_double(d->json, g->sample[i].pointer, NAN);
            if (!isnan(v))
                sample(g->name, d->workload, g->sample[i].label, v, out);
        }
    }
}

enum status projection_gauges(struct store *s, const struct workload *declared, size_t n,
                              struct arena *a, struct buf *out)
{
    struct list l = { .declared = declared, .n = n, .arena = a, .end = &l.first };
    enum status st = store_record_list(s, "projection", NULL, 1, collect, &l);

    if (st || !l.first)
        return st;
    head("timestamp_seconds", "When the workload was projected", out);
    for (const struct document *d = l.first; d; d = d->next)
        sample("timestamp_seconds", d->workload, "", (double)d->at, out);
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        put_gauge(&gauges[i], l.first, out);
    return out->st;
}
