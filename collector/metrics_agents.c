/* Agents in /metrics: see metrics_parts.h. */
#include "collector/metrics_parts.h"

#include "collector/metrics_agent.h"
#include "collector/metrics_text.h"
#include "common/json_pointer.h"

/* What a health report says, as a metric each. */
static const struct health_metric {
    const char *name, *type, *help, *pointer;
} health_metrics[] = {
    { "breakeven_agent_uptime_seconds", "gauge", "How long the agent has run.",
      "/uptime_s" },
    { "breakeven_agent_lag_bytes", "gauge", "Log bytes that it has yet to read.",
      "/lag_bytes" },
    { "breakeven_agent_spool_size_bytes", "gauge", "Size of its spool.", "/spool_bytes" },
    { "breakeven_agent_spool_rows_waiting", "gauge", "Rows that it has yet to ship.",
      "/spool_waiting" },
    { "breakeven_agent_read_bytes_total", "counter", "Bytes that it has read.",
      "/bytes" },
    { "breakeven_agent_calls_total", "counter", "Calls that it has counted.", "/calls" },
};
enum { HEALTH_METRICS = sizeof health_metrics / sizeof *health_metrics };

/* Samples of one metric stand together, so each has a text of its own. */
struct agent_lines {
    struct buf seen, skew, info, number[HEALTH_METRICS];
    struct metrics_agent counts; /* the objects of the report */
    size_t most, agents;
};

static void start(struct buf *b, const char *metric, struct slice agent)
{
    buf_adds(b, metric);
    metrics_label(b, "agent", agent, true);
}

static enum status put_agent(void *arg, const struct store_agent *a)
{
    struct agent_lines *l = arg;
    struct slice name = slice_str(a->name), health = slice_str(a->health);
    if (l->agents++ >= l->most)
        return ST_OK;
    start(&l->seen, "breakeven_agent_last_seen_timestamp_seconds", name);
    buf_addf(&l->seen, "} %lld\n", (long long)a->last_seen);
    start(&l->skew, "breakeven_agent_clock_skew_seconds", name);
    buf_addf(&l->skew, "} %.3f\n", (double)a->skew_ms / 1000);
    start(&l->info, "breakeven_agent_info", name);
    metrics_label(&l->info, "version", slice_str(a->version), false);
    buf_adds(&l->info, "} 1\n");
    for (size_t i = 0; i < HEALTH_METRICS; i++) {
        double v = json_pointer_double(health, health_metrics[i].pointer, -1);
        if (v < 0)
            continue; /* not said is not zero */
        start(&l->number[i], health_metrics[i].name, name);
        buf_addf(&l->number[i], "} %.15g\n", v);
    }
    metrics_agent_add(&l->counts, a->name, a->health);
    return ST_OK;
}

static void finish(struct buf *out, const char *name, const char *type, const char *help,
                   struct buf *lines)
{
    if (lines->n)
        metrics_head(out, name, type, help);
    buf_add(out, buf_slice(lines));
    if (lines->st != ST_OK)
        out->st = lines->st;
    buf_release(lines);
}

enum status metrics_agents(const struct collector *c, struct buf *out)
{
    struct agent_lines l = { .most = (size_t)c->config->limits.metrics_series };
    enum status st = store_agents(c->store, put_agent, &l);
    finish(out, "breakeven_agent_last_seen_timestamp_seconds", "gauge",
           "When the agent's last batch came in.", &l.seen);
    finish(out, "breakeven_agent_clock_skew_seconds", "gauge",
           "The agent's clock minus the collector's.", &l.skew);
    finish(out, "breakeven_agent_info", "gauge", "Version of the agent.", &l.info);
    for (size_t i = 0; i < HEALTH_METRICS; i++)
        finish(out, health_metrics[i].name, health_metrics[i].type,
               health_metrics[i].help, &l.number[i]);
    metrics_agent_put(&l.counts, out);
    metrics_gauge(out, "breakeven_metrics_agents_left_out",
                  "Agents beyond limits.metrics_series, which have no samples.",
                  l.agents > l.most ? (double)(l.agents - l.most) : 0);
    return st;
}
