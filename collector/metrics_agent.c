/* Health of agents in /metrics: see metrics_agent.h. */
#include "collector/metrics_agent.h"

#include "common/json.h"

static const struct {
    const char *object, *name, *label, *type, *help;
} kinds[METRICS_AGENT_KINDS] = {
    { "drops", "breakeven_agent_drops_total", "reason", "counter",
      "What the agent did not count since its start, by reason." },
    { "capture", "breakeven_agent_capture", "what", "gauge",
      "State and counts of the agent's live capture since its start." },
    { "dark", "breakeven_agent_dark_total", "what", "counter",
      "TLS that the agent could not read since its start." },
    { "rate_limit", "breakeven_agent_rate_limit_remaining", "limit", "gauge",
      "What the provider said last is left until a rate limit." },
};

/* The counts of one object whose begin was read. */
static void put_object(struct json *j, unsigned k, const char *agent, struct buf *out)
{
    struct slice text;
    char key[65];
    while (json_next(j, &text) == JSON_KEY) {
        uint64_t v;
        struct slice name = slice_head(text, sizeof key - 1);
        memcpy(key, name.p, name.n);
        key[name.n] = '\0';
        if (json_next(j, &text) != JSON_NUMBER || !slice_u64(text, &v))
            return;
        buf_addf(out, "%s{agent=\"%s\",%s=\"%s\"} %llu\n", kinds[k].name, agent,
                 kinds[k].label, key, (unsigned long long)v);
    }
}

void metrics_agent_add(struct metrics_agent *m, const char *agent, const char *health)
{
    struct json j;
    struct slice text;
    if (!health || !*health)
        return;
    json_init(&j, JSON_ONE);
    json_feed(&j, slice_str(health));
    if (json_next(&j, &text) != JSON_OBJECT)
        return;
    while (json_next(&j, &text) == JSON_KEY) {
        unsigned k = 0;
        while (k < METRICS_AGENT_KINDS && !slice_eq(text, slice_str(kinds[k].object)))
            k++;
        if (k == METRICS_AGENT_KINDS)
            json_skip(&j);
        else if (json_next(&j, &text) == JSON_OBJECT)
            put_object(&j, k, agent, &m->lines[k]);
        else
            return;
    }
}

void metrics_agent_put(struct metrics_agent *m, struct buf *out)
{
    for (unsigned k = 0; k < METRICS_AGENT_KINDS; k++) {
        if (m->lines[k].n) {
            buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", kinds[k].name, kinds[k].help,
                     kinds[k].name, kinds[k].type);
            buf_add(out, buf_slice(&m->lines[k]));
        }
        buf_release(&m->lines[k]);
    }
}
