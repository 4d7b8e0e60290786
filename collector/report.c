/* The readable report: see report.h. */
#include "collector/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_S = 86400, MODEL_COLUMNS = 30, PROVIDER_COLUMNS = 12 };

void report_sparkline(const double *v, size_t n, struct buf *out)
{
    static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]) && v[i] > most)
            most = v[i];
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]) || v[i] <= 0) {
            buf_addc(out, ' ');
            continue;
        }
        int level = (int)(v[i] / most * 8);
        buf_adds(out, blocks[level > 7 ? 7 : level]);
    }
}

void report_count(uint64_t v, struct buf *out)
{
    static const char units[] = "kMGTPE";
    if (v < 1000) {
        buf_addu(out, v);
        return;
    }
    double x = (double)v;
    int unit = -1;
    while (x >= 999.5 && unit < 5) {
        x /= 1000;
        unit++;
    }
    buf_addf(out, "%.*f%c", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, units[unit]);
}

void report_money(price_pico pico, struct buf *out)
{
    struct buf plain = { 0 };
    price_format(pico, 2, &plain);
    struct slice s = buf_slice(&plain), whole, cents;
    if (pico && slice_eq(s, SLICE("0.00"))) {
        buf_adds(out, "<$0.01");
    } else {
        slice_cut(s, '.', &whole, &cents);
        buf_addc(out, '$');
        for (size_t i = 0; i < whole.n; i++) {
            if (i && (whole.n - i) % 3 == 0)
                buf_addc(out, ',');
            buf_addc(out, whole.p[i]);
        }
        buf_addf(out, ".%.*s", SLICE_FMT(cents));
    }
    buf_release(&plain);
}

void report_name(struct slice s, unsigned columns, struct buf *out)
{
    unsigned used = 0;
    size_t last = 0; /* length of the output before the newest column */
    while (s.n && used < columns) {
        size_t n = slice_printable(s), whole = slice_utf8(s);
        last = out->n;
        if (n)
            buf_add(out, slice_head(s, n));
        else
            buf_addc(out, '?');
        s = slice_from(s, whole ? whole : 1);
        used++;
    }
    if (s.n && used == columns && columns && out->st == ST_OK) {
        out->n = last;
        buf_adds(out, "…");
    }
    for (; used < columns; used++)
        buf_addc(out, ' ');
}

/* One model over the whole window. */
struct line {
    struct slice provider, model;
    uint64_t calls, input, cached, output, unpriced_calls, missing, estimated, failed;
    price_pico cost;
    struct price_stated stated;
    bool lower_bound;
    double *cost_by_day, *calls_by_day;
};

static int dearest_first(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return (x->calls < y->calls) - (x->calls > y->calls);
}

static uint64_t input_tokens(const struct query_row *r)
{
    return r->v[USAGE_input] + r->v[USAGE_cache_write_5m] + r->v[USAGE_cache_write_1h] +
           r->v[USAGE_cache_write];
}

static void add_row(struct line *l, const struct query_row *r, size_t day)
{
    l->calls += r->calls;
    l->input += input_tokens(r);
    l->cached += r->v[USAGE_cache_read];
    l->output += r->v[USAGE_output];
    l->unpriced_calls += r->calls_unpriced;
    l->missing += r->calls_missing;
    l->estimated += r->calls_estimated;
    l->failed += r->calls_failed;
    l->cost += r->cost;
    l->stated.calls += r->stated.calls;
    l->stated.theirs += r->stated.theirs;
    l->stated.ours += r->stated.ours;
    l->lower_bound |= !query_priced(r);
    l->cost_by_day[day] += price_dollars(r->cost);
    l->calls_by_day[day] += (double)r->calls;
}

static bool line_init(struct line *l, struct arena *a, unsigned days)
{
    l->cost_by_day = arena_alloc(a, days * sizeof(double));
    l->calls_by_day = arena_alloc(a, days * sizeof(double));
    return l->cost_by_day && l->calls_by_day;
}

/* Gather rows into lines; the last line is the total. NULL: arena full. */
static struct line *gather(const struct query_result *q, int64_t first, unsigned days,
                           struct arena *a, size_t *lines)
{
    struct line *all = arena_alloc(a, (q->rows + 1) * sizeof *all);
    struct line *total = all ? &all[q->rows] : NULL;
    if (!all || !line_init(total, a, days))
        return NULL;
    *lines = 0;
    for (size_t i = 0; i < q->rows; i++) {
        const struct query_row *r = &q->row[i];
        int64_t day = r->time / DAY_S - first;
        if (day < 0 || day >= (int64_t)days)
            continue;
        struct slice provider = query_dim(q, r, (enum store_dim)ROLLUP_provider);
        struct slice model = query_dim(q, r, (enum store_dim)ROLLUP_model);
        size_t at = 0;
        while (at < *lines &&
               !(slice_eq(all[at].provider, provider) && slice_eq(all[at].model, model)))
            at++;
        if (at == *lines) {
            all[at] = (struct line){ .provider = provider, .model = model };
            if (!line_init(&all[at], a, days))
                return NULL;
            ++*lines;
        }
        add_row(&all[at], r, (size_t)day);
        add_row(total, r, (size_t)day);
    }
    qsort(all, *lines, sizeof *all, dearest_first);
    all[*lines] = *total;
    return all;
}

/* Right-align what `b` holds in `columns` and empty it. */
static void put_right(struct buf *b, unsigned columns, struct buf *out)
{
    buf_addf(out, " %*s", (int)columns, buf_cstr(b));
    buf_reset(b);
}

static void put_line(const struct line *l, unsigned days, struct buf *out)
{
    struct buf cell = { 0 };
    report_name(l->provider.n ? l->provider : SLICE("-"), PROVIDER_COLUMNS, out);
    buf_addc(out, ' ');
    report_name(l->model.n ? l->model : SLICE("(model unknown)"), MODEL_COLUMNS, out);
    const uint64_t counts[] = { l->calls, l->input, l->cached, l->output };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        report_count(counts[i], &cell);
        put_right(&cell, 7, out);
    }
    if (l->calls && l->unpriced_calls == l->calls) {
        buf_adds(&cell, "unpriced");
    } else {
        if (l->lower_bound)
            buf_adds(&cell, ">= ");
        report_money(l->cost, &cell);
    }
    put_right(&cell, 14, out);
    buf_adds(out, "  ");
    report_sparkline(l->cost ? l->cost_by_day : l->calls_by_day, days, out);
    buf_addc(out, '\n');
    buf_release(&cell);
}

static void put_note(uint64_t calls, const struct line *total, const char *what,
                     struct buf *out)
{
    if (calls)
        buf_addf(out, "  %llu of %llu calls %s\n", (unsigned long long)calls,
                 (unsigned long long)total->calls, what);
}

static void put_day(int64_t day, struct buf *out)
{
    char text[16];
    struct tm tm;
    time_t s = (time_t)(day * DAY_S);
    gmtime_r(&s, &tm);
    strftime(text, sizeof text, "%Y-%m-%d", &tm);
    buf_adds(out, text);
}

enum status report_usage(const struct query_result *daily, int64_t first, unsigned days,
                         struct arena *a, struct buf *out)
{
    size_t lines;
    if (days > REPORT_DAYS_MAX)
        days = REPORT_DAYS_MAX;
    struct line *line = gather(daily, first, days, a, &lines);
    if (!line)
        return ST_NOMEM;
    buf_adds(out, "Usage, ");
    put_day(first, out);
    buf_adds(out, " to ");
    put_day(first + days - 1, out);
    buf_adds(out, " (UTC days)\n\n");
    if (lines == 0) {
        buf_adds(out,
                 "  nothing was metered in these days: see `breakeven-agent check` and\n"
                 "  the agents in /api/v1/agents\n");
        return out->st;
    }
    buf_addf(out, "%-*s %-*s %7s %7s %7s %7s %14s  %s\n", PROVIDER_COLUMNS, "provider",
             MODEL_COLUMNS, "model", "calls", "input", "cached", "output", "cost",
             "cost by day");
    for (size_t i = 0; i < lines; i++)
        put_line(&line[i], days, out);
    struct line *total = &line[lines];
    total->provider = SLICE("total");
    total->model = SLICE(" ");
    put_line(total, days, out);
    put_note(total->unpriced_calls, total,
             "have a model without a price: cost unknown, not 0", out);
    put_note(total->missing, total, "reported no usage: their tokens are missing above",
             out);
    put_note(total->estimated, total, "have estimated tokens", out);
    put_note(total->failed, total, "failed", out);
    if (total->stated.calls) {
        buf_adds(out, "  providers' own cost: ");
        price_stated_text(&total->stated, out);
        buf_addc(out, '\n');
    }
    return out->st;
}
