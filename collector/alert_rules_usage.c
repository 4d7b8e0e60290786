/* The rules that read usage and agents: see alert_rules.h. */
#include "collector/alert_rules.h"

#include "common/json_pointer.h"

#include <math.h>
#include <stdlib.h>

enum {
    DAY_S = 86400,
    LATE_S = 3600,
    ANOMALY_DAYS_MIN = 14, /* history of an app before its volume is judged */
    EXPECT_DAYS_MIN = 4,   /* days of the same kind among them */
};

static enum alert_condition truth(bool v)
{
    return v ? ALERT_TRUE : ALERT_FALSE;
}

static struct alert_entry *of(struct alert_set *s, const struct alert_label *l, size_t n)
{
    struct alert_entry *e = alert_set_get(s, l, n);
    if (e)
        e->values = 0;
    return e;
}

/* --- agents ---------------------------------------------------------------------------
 */

void alert_judge_silent(const struct alert_rule_config *c, const struct alert_facts *f,
                        struct alert_set *s)
{
    for (size_t i = 0; i < f->agents; i++) {
        const struct alert_agent *a = &f->agent[i];
        int64_t silent_ms = f->now_ms - a->last_seen * 1000;
        if (silent_ms >= c->forget_ms)
            continue; /* it has left for good */
        bool silent = silent_ms >= c->after_ms;
        struct alert_label l = { "agent", a->name };
        struct alert_entry *e = silent || s->n ? of(s, &l, 1) : NULL;
        if (!e)
            continue;
        e->condition = truth(silent);
        alert_entry_value(e, "silent_seconds", (double)silent_ms / 1000);
        alert_entry_say(s, e,
                        "agent %.*s (version %.*s) has sent nothing for %lld minutes",
                        SLICE_FMT(e->label[0].value), SLICE_FMT(a->version),
                        (long long)(silent_ms / 60000));
        if (!silent)
            alert_entry_say(s, e, "agent %.*s sends again", SLICE_FMT(e->label[0].value));
    }
}

/* Calls that an agent could not count, all its life; what is no loss of calls is left
 * out.
 */
static uint64_t drops_of(const struct alert_agent *a)
{
    static const char *const pointers[] = {
        "/drops/line_too_long",     "/drops/torn",
        "/drops/no_memory",         "/drops/rows_refused",
        "/drops/unread_gone_bytes", "/drops/capture_kernel",
        "/drops/capture_spoiled",   "/drops/capture_over_limit",
        "/drops/capture_evicted",   "/drops/capture_no_memory",
        "/drops/spool_full_calls",
    };
    double sum = 0;
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        sum += json_pointer_double(a->health, pointers[i], 0);
    return sum > 0 && sum < 0x1p62 ? (uint64_t)sum : 0;
}

/*
 * A counter that grew since the last look. A first look proves nothing, except about an
 * agent that has just started; a counter that shrank is of a restarted agent.
 */
static bool grew(struct alert *a, uint64_t count, bool young, int64_t now_ms)
{
    bool first = a->mark_ms == 0, more = count > a->mark;
    bool fresh = first ? young && count > 0 : count < a->mark ? count > 0 : more;
    if (first || fresh || count != a->mark) {
        a->mark = count;
        a->mark_ms = fresh ? now_ms : first ? 1 : a->mark_ms;
    }
    return fresh;
}

void alert_judge_drops(const struct alert_rule_config *c, const struct alert_facts *f,
                       struct alert_set *s)
{
    for (size_t i = 0; i < f->agents; i++) {
        const struct alert_agent *agent = &f->agent[i];
        struct alert_label l = { "agent", agent->name };
        struct alert_entry *e = agent->health.n ? of(s, &l, 1) : NULL;
        if (!e)
            continue;
        uint64_t before = e->a.mark, count = drops_of(agent);
        double uptime = json_pointer_double(agent->health, "/uptime_s", 1e9);
        bool more = grew(&e->a, count, uptime * 1000 < (double)c->after_ms, f->now_ms);
        bool recent = e->a.mark_ms > 1 && f->now_ms - e->a.mark_ms < c->after_ms;
        e->condition = truth(more || recent);
        alert_entry_value(e, "drops", (double)count);
        if (more || !e->summary.n)
            alert_entry_say(
                s, e,
                "agent %.*s lost what it should have counted: %llu "
                "drops, %llu more than before; see its health",
                SLICE_FMT(e->label[0].value), (unsigned long long)count,
                (unsigned long long)(count > before ? count - before : count));
    }
}

/* --- prices and quality ---------------------------------------------------------------
 */

void alert_judge_unpriced(const struct alert_rule_config *c, const struct alert_facts *f,
                          struct alert_set *s)
{
    const struct query_result *r = &f->recent;
    (void)c;
    for (size_t i = 0; i < r->rows; i++) {
        const struct query_row *row = &r->row[i];
        if (query_priced(row) || row->calls == 0)
            continue;
        struct alert_label l[] = { { "provider", query_dim(r, row, STORE_provider) },
                                   { "model", query_dim(r, row, STORE_model) } };
        struct alert_entry *e = alert_set_get(s, l, 2);
        if (!e)
            continue;
        if (e->condition != ALERT_TRUE) /* else of another app in this look */
            e->values = 0;
        e->condition = ALERT_TRUE;
        double calls = alert_entry_number(e, "calls", 0) + (double)row->calls;
        double tokens = alert_entry_number(e, "tokens", 0) + (double)row->tokens_unpriced;
        e->values = 0;
        alert_entry_value(e, "calls", calls);
        alert_entry_value(e, "tokens", tokens);
        alert_entry_say(s, e,
                        "%.*s/%.*s has %s: %.0f %s since yesterday missing from the "
                        "cost, in whole or in part; see docs/prices.md",
                        SLICE_FMT(e->label[0].value), SLICE_FMT(e->label[1].value),
                        row->calls_unpriced ? "no price" : "no price for all it used",
                        calls, calls == 1 ? "call" : "calls");
    }
}

static void judge_app_quality(const struct alert_rule_config *c, struct slice app,
                              const struct query_row *sum, struct alert_set *s)
{
    double estimated = (double)sum->calls_estimated / (double)sum->calls;
    double missing = (double)sum->calls_missing / (double)sum->calls;
    struct alert_label l = { "app", app };
    bool over = estimated + missing > c->share;
    struct alert_entry *e = over || s->n ? of(s, &l, 1) : NULL;
    if (!e)
        return;
    if (e->a.phase == ALERT_FIRING) /* it stays until the share is clearly below */
        over = estimated + missing > 0.9 * c->share;
    e->condition = truth(over);
    alert_entry_value(e, "estimated_share", estimated);
    alert_entry_value(e, "missing_share", missing);
    alert_entry_value(e, "calls", (double)sum->calls);
    alert_entry_say(s, e,
                    "%.*s: of %llu calls since yesterday %.0f %% have estimated and %.0f "
                    "%% missing usage (allowed: %.0f %%)",
                    SLICE_FMT(e->label[0].value), (unsigned long long)sum->calls,
                    100 * estimated, 100 * missing, 100 * c->share);
}

/* The rows of an app stand together: the answer is sorted by its dimensions. */
void alert_judge_quality(const struct alert_rule_config *c, const struct alert_facts *f,
                         struct alert_set *s)
{
    const struct query_result *r = &f->recent;
    for (size_t i = 0; i < r->rows;) {
        struct slice app = query_dim(r, &r->row[i], STORE_app);
        struct query_row sum = { 0 };
        for (; i < r->rows && slice_eq(query_dim(r, &r->row[i], STORE_app), app); i++) {
            sum.calls += r->row[i].calls;
            sum.calls_estimated += r->row[i].calls_estimated;
            sum.calls_missing += r->row[i].calls_missing;
        }
        if (sum.calls >= (uint64_t)c->min_calls && sum.calls)
            judge_app_quality(c, app, &sum, s);
    }
}

/* --- volume ---------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/*
 * What day `at` should look like: median and spread (1.4826 x median absolute deviation)
 * of the logarithms of the days before it that share its kind, working day or weekend.
 * Logarithms, as traffic grows and swings by factors. Returns the days used.
 */
static int expect(const double *calls, int at, int first_weekday, double *centre,
                  double *spread)
{
    double v[ALERT_HISTORY_DAYS];
    bool weekend = (first_weekday + at) % 7 >= 5;
    int n = 0;
    for (int d = at - 28 > 0 ? at - 28 : 0; d < at; d++)
        if (calls[d] >= 0 && ((first_weekday + d) % 7 >= 5) == weekend)
            v[n++] = log(calls[d] + 1);
    if (n == 0)
        return 0;
    *centre = median(v, n);
    for (int i = 0; i < n; i++)
        v[i] = fabs(v[i] - *centre);
    *spread = 1.4826 * median(v, n);
    return n;
}

/* Calls by day from the n rows of an app; days before its first are -1, later ones
 * without calls 0. */
static int series_of(const struct query_row *const *row, size_t n, int64_t first,
                     double calls[ALERT_HISTORY_DAYS])
{
    int begin = ALERT_HISTORY_DAYS;
    for (int d = 0; d < ALERT_HISTORY_DAYS; d++)
        calls[d] = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t d = (row[i]->time - first) / DAY_S;
        if (d < 0 || d >= ALERT_HISTORY_DAYS)
            continue;
        calls[d] += (double)row[i]->calls;
        begin = d < begin ? (int)d : begin;
    }
    for (int d = 0; d < begin && d < ALERT_HISTORY_DAYS; d++)
        calls[d] = -1;
    return begin;
}

static void say_day(struct alert_set *s, struct alert_entry *e, bool today, double calls,
                    double centre, double reach)
{
    double usual = exp(centre) - 1, low = fmax(0, exp(centre - reach) - 1),
           high = exp(centre + reach) - 1;
    alert_entry_value(e, "calls", calls);
    alert_entry_value(e, "expected_calls", usual);
    alert_entry_value(e, "expected_calls_low", low);
    alert_entry_value(e, "expected_calls_high", high);
    alert_entry_say(s, e,
                    "%.*s: %.0f calls %s, where about %.0f are usual (%.0f to %.0f)",
                    SLICE_FMT(e->label[0].value), calls,
                    today ? "today so far" : "on the last whole day", usual, low, high);
}

/* Is day d of an app odd? False: there is nothing to say of it. */
static bool judge_day(const struct alert_rule_config *c, struct slice app,
                      const double *calls, int d, int weekday, struct alert_set *s)
{
    double centre = 0, spread = 0, reach = log1p(c->change);
    bool today = d == ALERT_HISTORY_DAYS - 1;
    int n = expect(calls, d, weekday, &centre, &spread);
    double off = log(calls[d] + 1) - centre;
    if (spread * c->deviations > reach)
        reach = spread * c->deviations;
    bool odd = n >= EXPECT_DAYS_MIN && (off > reach || (!today && off < -reach)) &&
               exp(centre) - 1 + calls[d] >= (double)c->min_calls;
    if (today && !odd)
        return false; /* it is not over yet */
    struct alert_label l = { "app", app };
    struct alert_entry *e = odd || s->n ? of(s, &l, 1) : NULL;
    if (e) {
        e->condition = n >= EXPECT_DAYS_MIN ? truth(odd) : ALERT_UNKNOWN;
        say_day(s, e, today, calls[d], centre, reach);
    }
    return odd;
}

static int by_app(const void *a, const void *b)
{
    const struct query_row *const *x = a, *const *y = b;
    return slice_cmp((*x)->dim[0], (*y)->dim[0]);
}

/* Today first: when it has more already than a whole day should, why wait for its end? */
void alert_judge_anomaly(const struct alert_rule_config *c, const struct alert_facts *f,
                         struct alert_set *s)
{
    const struct query_result *r = &f->history;
    int64_t now_s = f->now_ms / 1000;
    int64_t first = (now_s / DAY_S - (ALERT_HISTORY_DAYS - 1)) * DAY_S;
    int today = ALERT_HISTORY_DAYS - 1, weekday = (int)((first / DAY_S + 3) % 7);
    /* Late agents may still add to yesterday: judged an hour after its end. */
    int last = today - 1 - (now_s % DAY_S < LATE_S);
    const struct query_row **row = arena_alloc(s->arena, (r->rows + 1) * sizeof *row);
    if (!row) {
        s->st = ST_NOMEM;
        return;
    }
    for (size_t i = 0; i < r->rows; i++)
        row[i] = &r->row[i];
    qsort(row, r->rows, sizeof *row, by_app);
    for (size_t i = 0, n; i < r->rows; i += n) {
        double calls[ALERT_HISTORY_DAYS];
        struct slice app = row[i]->dim[0];
        n = 1;
        while (i + n < r->rows && slice_eq(row[i + n]->dim[0], app))
            n++;
        if (last - series_of(row + i, n, first, calls) < ANOMALY_DAYS_MIN)
            continue;
        if (!judge_day(c, app, calls, today, weekday, s))
            judge_day(c, app, calls, last, weekday, s);
    }
}
