/* Facts for the rules: see alert_facts.h. */
#include "collector/alert_facts.h"

enum { DAY_S = 86400 };

struct reading {
    const struct alert_source *from;
    struct arena *arena;
    struct alert_projection *projection;
    struct alert_agent *agent;
    size_t projections, agents, cap;
};

/* Room for one more of `size` bytes behind n; what stood there is copied. */
static void *grow(struct reading *r, void *at, size_t n, size_t size)
{
    if (n < r->cap)
        return at;
    r->cap = r->cap ? 2 * r->cap : 16;
    void *more = arena_alloc(r->arena, r->cap * size);
    if (more && n)
        memcpy(more, at, n * size);
    return more;
}

static bool configured(const struct alert_source *from, const char *name)
{
    for (size_t i = 0; i < from->workloads; i++)
        if (strcmp(from->workload[i].name, name) == 0)
            return true;
    return false;
}

static enum status take_projection(void *arg, const struct store_record *rec)
{
    struct reading *r = arg;
    if (!configured(r->from, rec->key))
        return ST_OK;
    r->projection = grow(r, r->projection, r->projections, sizeof *r->projection);
    if (!r->projection)
        return ST_NOMEM;
    struct alert_projection *p = &r->projection[r->projections++];
    p->workload = arena_dup(r->arena, slice_str(rec->key));
    p->json = arena_dup(r->arena, slice_str(rec->json));
    return p->workload.p && p->json.p ? ST_OK : ST_NOMEM;
}

static enum status take_agent(void *arg, const struct store_agent *a)
{
    struct reading *r = arg;
    r->agent = grow(r, r->agent, r->agents, sizeof *r->agent);
    if (!r->agent)
        return ST_NOMEM;
    struct alert_agent *to = &r->agent[r->agents++];
    *to = (struct alert_agent){ .name = arena_dup(r->arena, slice_str(a->name)),
                                .version = arena_dup(r->arena, slice_str(a->version)),
                                .health = arena_dup(r->arena, slice_str(a->health)),
                                .last_seen = a->last_seen };
    return to->name.p && to->version.p && to->health.p ? ST_OK : ST_NOMEM;
}

static enum status read_usage(const struct alert_source *from, enum store_grain grain,
                              uint32_t group, int64_t first, int64_t now_s,
                              struct arena *a, struct query_result *out)
{
    const struct store_query q = {
        .from = first, .to = now_s + 1, .grain = grain, .group = group
    };
    return query_usage(from->store, from->prices, &q, a, out);
}

enum status alert_facts_read(const struct alert_source *from, unsigned needs,
                             int64_t now_ms, struct arena *a, struct alert_facts *out)
{
    struct reading r = { .from = from, .arena = a };
    int64_t now_s = now_ms / 1000, today = now_s / DAY_S * DAY_S;
    *out = (struct alert_facts){ .now_ms = now_ms, .config = from->config };
    enum status st =
        store_record_list(from->store, "projection", NULL, 1, take_projection, &r);
    r.cap = 0;
    if (st == ST_OK && needs & ALERT_NEEDS_AGENTS)
        st = store_agents(from->store, take_agent, &r);
    if (st == ST_OK && needs & ALERT_NEEDS_RECENT)
        st = read_usage(from, STORE_TOTAL,
                        store_bit(STORE_app) | store_bit(STORE_provider) |
                            store_bit(STORE_model),
                        today - DAY_S, now_s, a, &out->recent);
    if (st == ST_OK && needs & ALERT_NEEDS_HISTORY)
        st = read_usage(from, STORE_DAY, store_bit(STORE_app),
                        today - (int64_t)(ALERT_HISTORY_DAYS - 1) * DAY_S, now_s, a,
                        &out->history);
    out->projection = r.projection;
    out->projections = r.projections;
    out->agent = r.agent;
    out->agents = r.agents;
    return st;
}
