/* Prometheus text of the collector: see metrics.h. */
#include "collector/metrics.h"

#include "collector/api_alerts.h"
#include "collector/metrics_agent.h"
#include "collector/projection/gauges.h"
#include "collector/writer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Commit times: upper bounds in microseconds; the last bucket has none. */
static const uint64_t commit_us[] = { 1000,   2500,   5000,   10000,   25000,  50000,
                                      100000, 250000, 500000, 1000000, 2500000 };
enum { COMMIT_BUCKETS = sizeof commit_us / sizeof *commit_us + 1, HTTP_CODES = 600 };

enum row_result {
    ROWS_WRITTEN,
    ROWS_NEWER_KEPT,
    ROWS_TOO_OLD,
    ROWS_IN_FUTURE,
    ROWS_OVER_LIMIT,
    ROWS_N
};

typedef _Atomic uint64_t counter;

struct metrics {
    counter batch[METRICS_BATCHES], bytes, row[ROWS_N], unknown;
    counter commit_ok, commit_failed, commit_sum_us, commit[COMMIT_BUCKETS];
    counter http[HTTP_CODES], reaped;
    counter notify[ALERT_CHANNELS_MAX][METRICS_NOTIFIES];
};

struct metrics *metrics_new(void)
{
    return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
    free(m);
}

static void raise(counter *c, uint64_t by)
{
    atomic_fetch_add_explicit(c, by, memory_order_relaxed);
}

static uint64_t value(counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void metrics_ingest(struct metrics *m, enum metrics_batch result, uint64_t bytes)
{
    if (!m)
        return;
    raise(&m->batch[result], 1);
    raise(&m->bytes, bytes);
}

void metrics_rows(struct metrics *m, const struct store_put *put, uint64_t unknown)
{
    if (!m)
        return;
    raise(&m->row[ROWS_WRITTEN], put->rows);
    raise(&m->row[ROWS_NEWER_KEPT], put->newer_kept);
    raise(&m->row[ROWS_TOO_OLD], put->too_old);
    raise(&m->row[ROWS_IN_FUTURE], put->in_future);
    raise(&m->row[ROWS_OVER_LIMIT], put->over_limit);
    raise(&m->unknown, unknown);
}

void metrics_commit(struct metrics *m, bool ok, double seconds)
{
    uint64_t us = (uint64_t)(seconds * 1e6);
    size_t b = 0;
    if (!m)
        return;
    while (b < COMMIT_BUCKETS - 1 && us > commit_us[b])
        b++;
    raise(ok ? &m->commit_ok : &m->commit_failed, 1);
    raise(&m->commit_sum_us, us);
    raise(&m->commit[b], 1);
}

void metrics_http(struct metrics *m, unsigned status)
{
    if (m && status < HTTP_CODES)
        raise(&m->http[status], 1);
}

void metrics_notified(struct metrics *m, unsigned channel, enum metrics_notify result)
{
    if (m && channel < ALERT_CHANNELS_MAX)
        raise(&m->notify[channel][result], 1);
}

void metrics_reaped(struct metrics *m)
{
    if (m)
        raise(&m->reaped, 1);
}

/* --- text -----------------------------------------------------------------------------
 */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label value: quotes, backslashes and newlines escaped, other control bytes dropped.
 */
static void put_label(struct buf *b, const char *name, struct slice v, bool first)
{
    buf_addf(b, "%s%s=\"", first ? "{" : ",", name);
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c == '\n')
            buf_adds(b, "\\n");
        else if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c >= 0x20 && c != 0x7f)
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

static void put_counter(struct buf *b, const char *name, const char *help, uint64_t v)
{
    head(b, name, "counter", help);
    buf_addf(b, "%s %llu\n", name, (unsigned long long)v);
}

static void put_gauge(struct buf *b, const char *name, const char *help, double v)
{
    head(b, name, "gauge", help);
    buf_addf(b, "%s %.15g\n", name, v);
}

static void put_set(struct buf *b, const char *name, const char *help, const char *label,
                    const char *const *values, counter *c, size_t n)
{
    head(b, name, "counter", help);
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%s{%s=\"%s\"} %llu\n", name, label, values[i],
                 (unsigned long long)value(&c[i]));
}

static void put_commits(struct metrics *m, struct buf *b)
{
    static const char name[] = "breakeven_store_commit_duration_seconds";
    uint64_t below = 0;
    head(b, name, "histogram", "Time of a group commit until it was durable.");
    for (size_t i = 0; i < COMMIT_BUCKETS; i++) {
        below += value(&m->commit[i]);
        if (i < COMMIT_BUCKETS - 1)
            buf_addf(b, "%s_bucket{le=\"%g\"} %llu\n", name, (double)commit_us[i] / 1e6,
                     (unsigned long long)below);
        else
            buf_addf(b, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)below);
    }
    buf_addf(b, "%s_sum %.6f\n%s_count %llu\n", name,
             (double)value(&m->commit_sum_us) / 1e6, name, (unsigned long long)below);
    head(b, "breakeven_store_commits_total", "counter", "Group commits by result.");
    buf_addf(b,
             "breakeven_store_commits_total{result=\"ok\"} %llu\n"
             "breakeven_store_commits_total{result=\"failed\"} %llu\n",
             (unsigned long long)value(&m->commit_ok),
             (unsigned long long)value(&m->commit_failed));
}

static void put_notifications(const struct collector *c, struct buf *b)
{
    static const char name[] = "breakeven_notifications_total";
    static const char *const results[] = { "ok", "failed", "given_up" };
    const struct notify_channel *ch = c->config->alerts.channels.at;
    if (!c->config->alerts.channels.n)
        return;
    head(b, name, "counter", "Tries to tell an alert channel, by result.");
    for (size_t i = 0; i < c->config->alerts.channels.n; i++)
        for (size_t r = 0; r < METRICS_NOTIFIES; r++) {
            buf_adds(b, name);
            put_label(b, "channel", slice_str(ch[i].name), true);
            buf_addf(b, ",result=\"%s\"} %llu\n", results[r],
                     (unsigned long long)value(&c->metrics->notify[i][r]));
        }
}

struct alert_counts {
    size_t pending[ALERT_RULES], firing[ALERT_RULES];
};

static void count_alert(void *arg, const struct alert_row *row)
{
    struct alert_counts *n = arg;
    for (size_t i = 0; i < ALERT_RULES; i++) {
        bool of = row->rule == alert_rules[i].name;
        n->pending[i] += of && row->entry->a.phase == ALERT_PENDING;
        n->firing[i] += of && row->entry->a.phase == ALERT_FIRING;
    }
}

static enum status put_alerts(const struct collector *c, int64_t now_s, struct arena *a,
                              struct buf *b)
{
    static const char name[] = "breakeven_alerts";
    struct alert_counts n = { 0 };
    enum status st =
        alerts_each(c->store, &c->config->alerts, NULL, now_s * 1000, a, count_alert, &n);
    head(b, name, "gauge", "Alerts of the collector by rule and phase.");
    for (size_t i = 0; i < ALERT_RULES && st == ST_OK; i++)
        buf_addf(b,
                 "%s{rule=\"%s\",phase=\"pending\"} %zu\n"
                 "%s{rule=\"%s\",phase=\"firing\"} %zu\n",
                 name, alert_rules[i].name, n.pending[i], name, alert_rules[i].name,
                 n.firing[i]);
    put_notifications(c, b);
    return st;
}

static void put_self(struct metrics *m, struct buf *b)
{
    static const char *const batches[] = { "ok", "malformed", "denied", "busy",
                                           "failed" };
    static const char *const rows[] = { "written", "newer_kept", "too_old", "in_future",
                                        "over_limit" };
    put_set(b, "breakeven_ingest_batches_total", "Batches from agents by result.",
            "result", batches, m->batch, METRICS_BATCHES);
    put_set(b, "breakeven_ingest_rows_total", "Rows of accepted batches by result.",
            "result", rows, m->row, ROWS_N);
    put_counter(b, "breakeven_ingest_bytes_total", "Body bytes of batches as received.",
                value(&m->bytes));
    put_counter(b, "breakeven_ingest_unknown_fields_total",
                "Fields of newer agents that were kept out.", value(&m->unknown));
    put_commits(m, b);
    head(b, "breakeven_http_responses_total", "counter", "HTTP answers by status code.");
    for (int i = 0; i < HTTP_CODES; i++)
        if (value(&m->http[i]))
            buf_addf(b, "breakeven_http_responses_total{code=\"%d\"} %llu\n", i,
                     (unsigned long long)value(&m->http[i]));
    put_counter(b, "breakeven_http_reaped_connections_total",
                "Connections ended because the client was too slow.", value(&m->reaped));
}

/* --- agents and store -----------------------------------------------------------------
 */

struct agent_lines {
    struct buf *seen, *skew, *info;
    struct metrics_agent health;
};

static enum status put_agent(void *arg, const struct store_agent *a)
{
    struct agent_lines *l = arg;
    struct slice name = slice_str(a->name);
    buf_adds(l->seen, "breakeven_agent_last_seen_timestamp_seconds");
    put_label(l->seen, "agent", name, true);
    buf_addf(l->seen, "} %lld\n", (long long)a->last_seen);
    buf_adds(l->skew, "breakeven_agent_clock_skew_seconds");
    put_label(l->skew, "agent", name, true);
    buf_addf(l->skew, "} %.3f\n", (double)a->skew_ms / 1000);
    buf_adds(l->info, "breakeven_agent_info");
    put_label(l->info, "agent", name, true);
    put_label(l->info, "version", slice_str(a->version), false);
    buf_adds(l->info, "} 1\n");
    metrics_agent_add(&l->health, a->name, a->health);
    return ST_OK;
}

static enum status put_agents(struct store *s, struct buf *out)
{
    struct buf skew = { 0 }, info = { 0 };
    struct agent_lines l = { .seen = out, .skew = &skew, .info = &info };
    head(out, "breakeven_agent_last_seen_timestamp_seconds", "gauge",
         "When the agent's last batch came in.");
    head(&skew, "breakeven_agent_clock_skew_seconds", "gauge",
         "The agent's clock minus the collector's.");
    head(&info, "breakeven_agent_info", "gauge", "Version of the agent.");
    enum status st = store_agents(s, put_agent, &l);
    buf_add(out, buf_slice(&skew));
    buf_add(out, buf_slice(&info));
    metrics_agent_put(&l.health, out);
    buf_release(&skew);
    buf_release(&info);
    return st;
}

static enum status put_store(const struct collector *c, struct buf *b)
{
    struct store_status s;
    enum status st = store_get_status(c->store, &s);
    if (st != ST_OK)
        return st;
    put_gauge(b, "breakeven_store_size_bytes", "Size of the store.", (double)s.bytes);
    put_gauge(b, "breakeven_store_wal_size_bytes", "Size of its write-ahead log.",
              (double)s.wal_bytes);
    put_gauge(b, "breakeven_store_series", "Series the store knows.", (double)s.series);
    put_gauge(b, "breakeven_store_writable", "1 unless the last write failed.",
              writer_stuck(c->writer) ? 0 : 1);
    put_gauge(b, "breakeven_start_time_seconds", "When the collector started.",
              (double)c->started_s);
    head(b, "breakeven_build_info", "gauge", "Version of the collector.");
    buf_adds(b, "breakeven_build_info{version=\"" BREAKEVEN_VERSION "\"} 1\n");
    return ST_OK;
}

/* --- usage ----------------------------------------------------------------------------
 */

/* First come, first kept: a set never moves into "other" and back, so counters of the
 * kept ones only grow. */
static int by_arrival(const void *a, const void *b)
{
    const struct query_row *x = a, *y = b;
    return x->series < y->series ? -1 : x->series > y->series;
}

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

static void fold(struct query_row *into, const struct query_row *r)
{
    add(&into->calls, r->calls);
    for (int f = 0; f < USAGE_N; f++)
        add(&into->v[f], r->v[f]);
    into->cost += r->cost;
    add(&into->calls_failed, r->calls_failed);
    add(&into->calls_estimated, r->calls_estimated);
    add(&into->calls_missing, r->calls_missing);
    add(&into->calls_unpriced, r->calls_unpriced);
    add(&into->tokens_unpriced, r->tokens_unpriced);
}

/* Keep `most` rows; the rest becomes the last one, named "other". How many folded. */
static size_t cap_rows(struct query_result *r, size_t most)
{
    static const struct slice other[3] = { { "other", 5 },
                                           { "other", 5 },
                                           { "other", 5 } };
    if (r->rows <= most)
        return 0;
    size_t folded = r->rows - most + 1;
    struct query_row tail = { .dim = other };
    for (size_t i = most - 1; i < r->rows; i++)
        fold(&tail, &r->row[i]);
    r->row[most - 1] = tail;
    r->rows = most;
    return folded;
}

static void put_names(struct buf *b, const char *metric, const struct query_row *r)
{
    buf_adds(b, metric);
    put_label(b, "app", r->dim[0], true);
    put_label(b, "provider", r->dim[1], false);
    put_label(b, "model", r->dim[2], false);
}

enum row_metric {
    ROW_CALLS,
    ROW_FAILED,
    ROW_ESTIMATED,
    ROW_MISSING,
    ROW_UNPRICED,
    ROW_TOKENS_UNPRICED,
    ROW_METRICS
};

static uint64_t row_value(const struct query_row *r, enum row_metric m)
{
    const uint64_t values[ROW_METRICS] = { r->calls,           r->calls_failed,
                                           r->calls_estimated, r->calls_missing,
                                           r->calls_unpriced,  r->tokens_unpriced };
    return values[m];
}

static void put_usage_rows(const struct query_result *r, struct buf *b)
{
    static const struct {
        const char *name, *help;
    } rows[ROW_METRICS] = {
        { "breakeven_calls_total", "Calls to models." },
        { "breakeven_calls_failed_total", "Of these, calls whose outcome was not ok." },
        { "breakeven_calls_estimated_total", "Of these, calls with estimated usage." },
        { "breakeven_calls_missing_total", "Of these, calls without known usage." },
        { "breakeven_calls_unpriced_total", "Of these, calls whose model has no price." },
        { "breakeven_tokens_unpriced_total", "Tokens of models without a price." },
    };
    for (enum row_metric m = 0; m < ROW_METRICS; m++) {
        head(b, rows[m].name, "counter", rows[m].help);
        for (size_t i = 0; i < r->rows; i++) {
            put_names(b, rows[m].name, &r->row[i]);
            buf_addf(b, "} %llu\n", (unsigned long long)row_value(&r->row[i], m));
        }
    }
    head(b, "breakeven_tokens_total", "counter", "Tokens by billable class.");
    for (size_t i = 0; i < r->rows; i++) {
        for (int f = 0; f < USAGE_CLASSES; f++) {
            put_names(b, "breakeven_tokens_total", &r->row[i]);
            buf_addf(b, ",type=\"%s\"} %llu\n", usage_fields[f].name,
                     (unsigned long long)r->row[i].v[f]);
        }
    }
    head(b, "breakeven_cost_usd_total", "counter",
         "Cost of what has a price, in US dollars, at today's knowledge of past prices.");
    for (size_t i = 0; i < r->rows; i++) {
        put_names(b, "breakeven_cost_usd_total", &r->row[i]);
        buf_addf(b, "} %.9g\n", price_dollars(r->row[i].cost));
    }
}

static enum status put_usage(const struct collector *c, int64_t now_s, struct arena *a,
                             struct buf *b)
{
    struct store_query q = { .from = 0,
                             .to = now_s + 2 * 86400,
                             .group = store_bit(STORE_app) | store_bit(STORE_provider) |
                                      store_bit(STORE_model) };
    struct query_result r;
    enum status st = query_usage(c->store, c->book, &q, a, &r);
    if (st != ST_OK)
        return st;
    if (r.rows)
        qsort(r.row, r.rows, sizeof *r.row, by_arrival);
    size_t folded = cap_rows(&r, (size_t)c->config->limits.metrics_series);
    put_usage_rows(&r, b);
    put_gauge(b, "breakeven_metrics_folded_label_sets",
              "Sets of app, provider and model that are folded into other.",
              (double)folded);
    return ST_OK;
}

enum status metrics_render(const struct collector *c, int64_t now_s, struct arena *a,
                           struct buf *out)
{
    put_self(c->metrics, out);
    enum status st = put_store(c, out);
    if (st == ST_OK)
        st = put_agents(c->store, out);
    if (st == ST_OK)
        st = put_usage(c, now_s, a, out);
    if (st == ST_OK)
        st = put_alerts(c, now_s, a, out);
    if (st == ST_OK)
        st = projection_gauges(c->store, a, out);
    return st;
}
