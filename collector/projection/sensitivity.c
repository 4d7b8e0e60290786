/*
 * Each input moved by a fifth (replicas by one) while the others stay, on the central
 * path (the point forecast): cheap, and enough to say which number deserves a better
 * measurement.
 */
#include "collector/projection/breakeven.h"

#include <math.h>
#include <string.h>

#define FIFTH 0.2

/* What is moved: a member of the scenario, or (offset SIZE_MAX) volume or API price. */
enum lever_kind {
    AMOUNT, /* moved by a fifth */
    SHARE,  /* the same, never above 1 */
    COUNT,  /* by one */
};

static const struct lever {
    const char *name;
    size_t offset;
    enum lever_kind kind;
} levers[] = {
    { "volume", SIZE_MAX, AMOUNT },
    { "API price", SIZE_MAX, AMOUNT },
    { "GPU price", offsetof(struct scenario, gpu_hour), AMOUNT },
    { "output rate", offsetof(struct scenario, output_tokens_per_s), AMOUNT },
    { "monthly fixed", offsetof(struct scenario, monthly_fixed), AMOUNT },
    { "setup", offsetof(struct scenario, setup), AMOUNT },
    { "minimum replicas", offsetof(struct scenario, min_replicas), COUNT },
    { "headroom", offsetof(struct scenario, headroom), AMOUNT },
    { "coverage", offsetof(struct scenario, coverage), SHARE },
    { "escalation", offsetof(struct scenario, escalation), SHARE },
};

enum { VOLUME, API_PRICE, LEVERS = sizeof levers / sizeof *levers };

_Static_assert((int)LEVERS <= (int)PROJECTION_SENSITIVITIES, "room for every lever");

struct answer {
    double value, saving, payback, threshold;
};

static double now_value(const struct breakeven_case *c, int lever)
{
    if (lever == VOLUME)
        return c->calls_per_day;
    if (lever == API_PRICE)
        return 1000 * c->unit_price / c->calls_per_unit; /* USD per 1,000 calls */
    const char *base = (const char *)c->scenario;
    return ((const struct input *)(base + levers[lever].offset))->v;
}

static enum status try_lever(const struct breakeven_case *c, int lever, double factor,
                             struct arena *a, struct answer *out)
{
    struct breakeven_case k = *c;
    struct scenario s = *c->scenario;
    struct breakeven_month month[PROJECTION_MONTHS_MAX];
    struct paths one = { .n = 1, .h = c->outlook->f.h };
    struct projection_result *r = arena_alloc(a, sizeof *r);

    one.y = arena_alloc(a, (size_t)one.h * sizeof *one.y);
    if (!r || !one.y)
        return ST_NOMEM;
    memcpy(month, c->month, (size_t)c->months * sizeof *month);
    for (int i = 0; i < one.h; i++)
        one.y[i] = c->outlook->f.point[i] * (lever == VOLUME ? factor : 1);
    for (int m = 0; m < c->months && lever == API_PRICE; m++)
        month[m].api_price *= factor;
    out->value = now_value(c, lever) * factor;
    if (levers[lever].kind == SHARE)
        out->value = fmin(1, out->value);
    if (levers[lever].kind == COUNT)
        out->value = now_value(c, lever) + (factor > 1 ? 1 : -1);
    if (levers[lever].offset != SIZE_MAX)
        ((struct input *)((char *)&s + levers[lever].offset))->v = out->value;
    k.scenario = &s;
    k.month = month;
    k.paths = &one;
    enum status st = breakeven_compute(&k, a, r);
    out->saving = r->saving12.median;
    out->payback = r->payback.months50;
    double usd = (lever == API_PRICE ? factor : 1) * c->unit_price / c->calls_per_unit;
    out->threshold = breakeven_threshold(&s, c->load, usd);
    return st;
}

static void sort_by_reach(struct projection_sensitivity *s, int n)
{
    for (int i = 1; i < n; i++) {
        struct projection_sensitivity x = s[i];
        double reach = fabs(x.saving_high - x.saving_low);
        int j = i;
        for (; j > 0 && fabs(s[j - 1].saving_high - s[j - 1].saving_low) < reach; j--)
            s[j] = s[j - 1];
        s[j] = x;
    }
}

enum status breakeven_sensitivity(const struct breakeven_case *c, struct arena *a,
                                  struct projection_result *out)
{
    out->sensitivities = 0;
    for (int i = 0; i < LEVERS; i++) {
        struct answer low, high;
        enum status st;
        if (now_value(c, i) <= 0)
            continue;
        if ((st = try_lever(c, i, 1 - FIFTH, a, &low)) ||
            (st = try_lever(c, i, 1 + FIFTH, a, &high)))
            return st;
        if (low.saving == high.saving && low.threshold == high.threshold)
            continue; /* moves nothing: headroom of no GPU */
        out->sensitivity[out->sensitivities++] = (struct projection_sensitivity){
            .input = levers[i].name,
            .low = low.value,
            .high = high.value,
            .saving_low = low.saving,
            .saving_high = high.saving,
            .payback_low = low.payback,
            .payback_high = high.payback,
            .threshold_low = low.threshold,
            .threshold_high = high.threshold,
        };
    }
    sort_by_reach(out->sensitivity, out->sensitivities);
    return ST_OK;
}
