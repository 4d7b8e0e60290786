/* Prometheus text of the collector: see metrics.h. */
#include "collector/metrics.h"

#include "collector/api_alerts.h"
#include "collector/metrics_parts.h"
#include "collector/metrics_text.h"
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

uint64_t metrics_notifications(struct metrics *m, unsigned channel,
                               enum metrics_notify result)
{
    return m && channel < ALERT_CHANNELS_MAX ? value(&m->notify[channel][result]) : 0;
}

void metrics_reaped(struct metrics *m)
{
    if (m)
        raise(&m->reaped, 1);
}

/* --- text -----------------------------------------------------------------------------
 */

static void put_set(struct buf *b, const char *name, const char *help, const char *label,
                    const char *const *values, counter *c, size_t n)
{
    metrics_head(b, name, "counter", help);
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%s{%s=\"%s\"} %llu\n", name, label, values[i],
                 (unsigned long long)value(&c[i]));
}

static void put_commits(struct metrics *m, struct buf *b)
{
    static const char name[] = "breakeven_store_commit_duration_seconds";
    uint64_t below = 0;
    metrics_head(b, name, "histogram", "Time of a group commit until it was durable.");
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
    metrics_head(b, "breakeven_store_commits_total", "counter",
                 "Group commits by result.");
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
    metrics_head(b, name, "counter", "Tries to tell an alert channel, by result.");
    for (size_t i = 0; i < c->config->alerts.channels.n; i++)
        for (size_t r = 0; r < METRICS_NOTIFIES; r++) {
            buf_adds(b, name);
            metrics_label(b, "channel", slice_str(ch[i].name), true);
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
    metrics_head(b, name, "gauge", "Alerts of the collector by rule and phase.");
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
    metrics_counter(b, "breakeven_ingest_bytes_total",
                    "Body bytes of batches as received.", value(&m->bytes));
    metrics_counter(b, "breakeven_ingest_unknown_fields_total",
                    "Fields of newer agents that were kept out.", value(&m->unknown));
    put_commits(m, b);
    metrics_head(b, "breakeven_http_responses_total", "counter",
                 "HTTP answers by status code.");
    for (int i = 0; i < HTTP_CODES; i++)
        if (value(&m->http[i]))
            buf_addf(b, "breakeven_http_responses_total{code=\"%d\"} %llu\n", i,
                     (unsigned long long)value(&m->http[i]));
    metrics_counter(b, "breakeven_http_reaped_connections_total",
                    "Connections ended because the client was too slow.",
                    value(&m->reaped));
}

/* --- store ---------------------------------------------------------------------------
 */

static enum status put_store(const struct collector *c, struct buf *b)
{
    struct store_status s;
    enum status st = store_get_status(c->store, &s);
    if (st != ST_OK)
        return st;
    metrics_gauge(b, "breakeven_store_size_bytes", "Size of the store.", (double)s.bytes);
    metrics_gauge(b, "breakeven_store_wal_size_bytes", "Size of its write-ahead log.",
                  (double)s.wal_bytes);
    metrics_gauge(b, "breakeven_store_series", "Series the store knows.",
                  (double)s.series);
    metrics_gauge(b, "breakeven_store_writable", "1 unless the last write failed.",
                  writer_stuck(c->writer) ? 0 : 1);
    metrics_gauge(b, "breakeven_start_time_seconds", "When the collector started.",
                  (double)c->started_s);
    metrics_head(b, "breakeven_build_info", "gauge", "Version of the collector.");
    buf_adds(b, "breakeven_build_info{version=\"" BREAKEVEN_VERSION "\"} 1\n");
    return ST_OK;
}

enum status metrics_render(const struct collector *c, int64_t now_s, struct arena *a,
                           struct buf *out)
{
    put_self(c->metrics, out);
    enum status st = put_store(c, out);
    if (st == ST_OK)
        st = metrics_agents(c, out);
    if (st == ST_OK)
        st = metrics_usage(c, now_s, a, out);
    if (st == ST_OK)
        st = put_alerts(c, now_s, a, out);
    if (st == ST_OK)
        st = projection_gauges(c->store, c->config->workloads.at, c->config->workloads.n,
                               a, out);
    return st;
}
