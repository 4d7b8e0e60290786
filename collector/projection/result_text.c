/* The result for a terminal: sentences, then one line a month with a chart of its own. */
#include "collector/projection/result.h"

#include <math.h>

#include "common/instant.h"

enum { CHART_LEAST = 20, CHART_MOST = 80, TABLE_WIDTH = 54 };

#define NS_PER_S INT64_C(1000000000)

/* $12, $1,234, $12.3k, $4.56M: at most 7 columns. */
static void usd(double v, struct buf *out)
{
    const char *sign = v < 0 ? "-" : "";
    double x = fabs(v);

    if (x < 9.995)
        buf_addf(out, "%s$%.2f", sign, x);
    else if (x < 9999.5)
        buf_addf(out, "%s$%.0f", sign, x);
    else if (x < 999500)
        buf_addf(out, "%s$%.*fk", sign, x < 99950 ? 1 : 0, x / 1e3);
    else
        buf_addf(out, "%s$%.*fM", sign, x < 99.95e6 ? 2 : 0, x / 1e6);
}

static void usd_padded(double v, int width, struct buf *out)
{
    struct buf b = { 0 };

    usd(v, &b);
    buf_addf(out, "%*s", width, buf_cstr(&b));
    buf_release(&b);
}

static void day(int64_t at, size_t n, struct buf *out)
{
    struct buf b = { 0 };

    instant_format_day(at * NS_PER_S, &b);
    buf_add(out, slice_head(buf_slice(&b), n));
    buf_release(&b);
}

static void when(const char *what, const struct projection_dates *d, struct buf *out)
{
    buf_addf(out, "  %-10s", what);
    if (d->q50 == 0) {
        buf_adds(out, "not within the horizon in most futures");
    } else {
        day(d->q50, 10, out);
        buf_adds(out, " (80 %: ");
        if (d->q10)
            day(d->q10, 10, out);
        buf_adds(out, " to ");
        if (d->q90)
            day(d->q90, 10, out);
        else
            buf_adds(out, "beyond the horizon");
        buf_adds(out, ")");
    }
    const struct {
        const char *name;
        double p;
    } by[] = { { "6", d->p6 }, { "9", d->p9 }, { "12", d->p12 } };
    const char *sep = "; P within";
    for (int i = 0; i < 3; i++) {
        if (by[i].p < 0)
            continue;
        buf_addf(out, "%s %s mo %.0f %%", sep, by[i].name, 100 * by[i].p);
        sep = ",";
    }
    buf_addf(out, "; never %.0f %%\n", 100 * d->never);
}

/* --- chart: API band ░, API median ●, hosted │ --- */

struct chart {
    double most;
    unsigned width;
};

static unsigned column(const struct chart *c, double v)
{
    double at = v / c->most * (c->width - 1);

    return at <= 0 ? 0 : at >= c->width - 1 ? c->width - 1 : (unsigned)(at + 0.5);
}

static void chart_row(const struct chart *c, const struct projection_month *m,
                      struct buf *out)
{
    unsigned lo = column(c, m->api.lo80), hi = column(c, m->api.hi80);
    unsigned api = column(c, m->api.median), hosted = column(c, m->hosted.median);
    unsigned last = hi > hosted ? hi : hosted;

    for (unsigned x = 0; x <= last; x++) {
        if (x == api)
            buf_adds(out, x == hosted ? "╪" : "●");
        else if (x == hosted)
            buf_adds(out, "│");
        else
            buf_adds(out, x >= lo && x <= hi ? "░" : " ");
    }
}

static void months(const struct projection_result *r, unsigned width, struct buf *out)
{
    struct chart c = { .most = 1e-9 };
    bool marked = false;

    c.width = width > TABLE_WIDTH + CHART_LEAST ? width - TABLE_WIDTH : CHART_LEAST;
    c.width = c.width > CHART_MOST ? CHART_MOST : c.width;
    for (int m = 0; m < r->months; m++)
        c.most = fmax(c.most, fmax(r->month[m].api.hi80, r->month[m].hosted.median));
    buf_adds(out, "\n  month        API   (80 %)            hosted  cheaper  ");
    buf_adds(out, "● API  ░ its 80 %  │ hosted\n");
    for (int i = 0; i < r->months; i++) {
        const struct projection_month *m = &r->month[i];
        buf_adds(out, "  ");
        day(m->start, 7, out);
        buf_addc(out, i == 0 ? '*' : ' ');
        usd_padded(m->api.median, 9, out);
        usd_padded(m->api.lo80, 9, out);
        buf_adds(out, " -");
        usd_padded(m->api.hi80, 8, out);
        usd_padded(m->hosted.median, 9, out);
        buf_addf(out, "  %4.0f %% ", 100 * m->p_cheaper);
        chart_row(&c, m, out);
        if (!marked && m->p_crossed >= 0.5) {
            buf_adds(out, "  <- crossed");
            marked = true;
        }
        buf_addc(out, '\n');
    }
    buf_adds(out, "  * the current month, its known days included\n");
}

static void input(const char *name, const struct input *i, const char *unit,
                  struct buf *out)
{
    int decimals = i->v >= 1e5 ? 0 : i->v >= 100 ? 1 : 4;

    buf_addf(out, "    %-22s %12.*f %-12s %s\n", name, decimals, i->v, unit,
             input_origin_name(i->origin));
}

static void inputs(const struct projection_result *r, struct buf *out)
{
    const struct scenario *s = &r->scenario;
    const struct {
        const char *name;
        struct input in;
        const char *unit;
    } rows[] = {
        { "calls", { r->calls_per_day, INPUT_MEASURED }, "a day" },
        { "API price", { r->usd_per_call * 1000, INPUT_MEASURED }, "USD/1k calls" },
        { "monthly fixed", s->monthly_fixed, "USD" },
        { "setup", s->setup, "USD once" },
        { "coverage", s->coverage, "" },
        { "escalation", s->escalation, "" },
        { "API price change", s->api_price_change, "a year" },
    };
    const struct {
        const char *name;
        struct input in;
        const char *unit;
    } gpu[] = {
        { "GPU price", s->gpu_hour, "USD an hour" },
        { "GPUs per replica", s->gpus_per_replica, "" },
        { "output rate", s->output_tokens_per_s, "tokens/s" },
        { "latency target", s->latency_target, "s, p95" },
        { "request rate", s->requests_per_s, "a second" },
        { "headroom", s->headroom, "" },
        { "minimum replicas", s->min_replicas, "" },
    };

    buf_adds(out, "\n  computed with\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        input(rows[i].name, &rows[i].in, rows[i].unit, out);
    for (size_t i = 0; i < sizeof gpu / sizeof *gpu && s->gpu; i++)
        if (gpu[i].in.v > 0)
            input(gpu[i].name, &gpu[i].in, gpu[i].unit, out);
    for (int i = 1; i < s->gpu_path.n; i++) {
        buf_addf(out, "    %-22s %12.4f USD from ", "GPU price", s->gpu_path.step[i].usd);
        day(s->gpu_path.step[i].from, 10, out);
        buf_addc(out, '\n');
    }
    const struct throughput *t = &r->throughput;
    if (t->hours)
        buf_addf(out, "    %-22s %12.1f tokens/s     measured%s\n", "sustained so far",
                 t->sustained, t->missed > 0 ? "" : "; the limit was not reached");
    if (s->gpu)
        buf_addf(out, "    %-22s %12s %-12s declared\n", "GPU", s->gpu,
                 hosted_capacity_name(s->capacity));
}

static void sensitivity(const struct projection_result *r, struct buf *out)
{
    enum { SHOWN = 5 };

    if (r->sensitivities)
        buf_adds(out, "\n  what moves it: saving in 12 months if one input were\n");
    for (int i = 0; i < r->sensitivities && i < SHOWN; i++) {
        const struct projection_sensitivity *s = &r->sensitivity[i];
        int decimals = s->high >= 1e5 ? 0 : s->high >= 100 ? 1 : 4;
        buf_addf(out, "    %-18s %12.*f", s->input, decimals, s->low);
        usd_padded(s->saving_low, 9, out);
        buf_addf(out, "   %12.*f", decimals, s->high);
        usd_padded(s->saving_high, 9, out);
        buf_addc(out, '\n');
    }
    for (int i = 0; i < r->alternatives; i++) {
        const struct projection_alternative *a = &r->alternative[i];
        buf_adds(out, i == 0 ? "\n  without a model of your own, a day now\n" : "");
        buf_addf(out, "    %-30s ", a->name);
        if (a->usd_per_day < 0)
            buf_adds(out, "not in the price book");
        else
            usd(a->usd_per_day, out);
        if (a->usd_per_day >= 0 && r->usd_per_day > 0)
            buf_addf(out, " (%+.0f %%)", 100 * (a->usd_per_day / r->usd_per_day - 1));
        if (a->saving12 > 0) {
            buf_adds(out, ", saves ");
            usd(a->saving12, out);
            buf_adds(out, " in 12 months");
        }
        buf_addc(out, '\n');
    }
}

static void threshold(const struct projection_result *r, struct buf *out)
{
    if (r->threshold_calls_per_day < 0) {
        buf_adds(out, "  threshold no volume makes hosting cheaper with these inputs\n");
        return;
    }
    buf_addf(out, "  threshold %.0f calls a day at today's mix",
             r->threshold_calls_per_day);
    if (r->threshold_ratio >= 0)
        buf_addf(out, "; today is %.0f %% of it", 100 * r->threshold_ratio);
    buf_addc(out, '\n');
}

void projection_text(const struct projection_result *r, unsigned width, struct buf *out)
{
    buf_addf(out, "%s: %s\n", r->workload, projection_verdict_name(r->verdict));
    if (r->reason)
        buf_addf(out, "  %s\n", r->reason);
    if (r->days > 0) {
        buf_addf(out, "  run rate  %.0f calls, %.0f tokens, ", r->calls_per_day,
                 r->tokens_per_day);
        if (r->unpriced_share >= 1) {
            buf_adds(out, "unpriced");
        } else {
            buf_adds(out, r->unpriced_share > 0 ? ">= " : "");
            usd(r->usd_per_day, out);
        }
        buf_addf(out, " a day (last %d of %d days, to ", r->days < 28 ? r->days : 28,
                 r->days);
        day(r->last_day, 10, out);
        buf_adds(out, ")\n");
    }
    for (int i = 0; r->warning[i]; i++)
        buf_addf(out, "  warning   %s\n", r->warning[i]);
    if (r->verdict == PROJECTION_REFUSED)
        return;
    when("crossing", &r->crossing, out);
    when("payback", &r->payback, out);
    threshold(r, out);
    buf_adds(out, "  saving    ");
    usd(r->saving12.median, out);
    buf_adds(out, " in 12 months, setup paid (80 %: ");
    usd(r->saving12.lo80, out);
    buf_adds(out, " to ");
    usd(r->saving12.hi80, out);
    buf_adds(out, ")\n");
    if (r->p_multiple >= 0.05)
        buf_addf(out,
                 "  note      in %.0f %% of the futures the lines cross back again\n",
                 100 * r->p_multiple);
    if (r->backtest_origins)
        buf_addf(out,
                 "  backtest  28-day totals missed by %.0f %% on average; %.0f %% lay "
                 "inside the 80 %% interval (%d origins)\n",
                 100 * r->backtest_mape, 100 * r->backtest_cover80, r->backtest_origins);
    months(r, width, out);
    inputs(r, out);
    sensitivity(r, out);
}
