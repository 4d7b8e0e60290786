/* The API's list of contents: see route.h. */
#include "collector/route.h"

static const struct route routes[] = {
    { ROUTE_INGEST, "POST", "/api/v1/usage", SCOPE_INGEST },
    { ROUTE_USAGE_DAILY, "GET", "/api/v1/usage/daily", SCOPE_READ },
    { ROUTE_USAGE_HOURLY, "GET", "/api/v1/usage/hourly", SCOPE_READ },
    { ROUTE_BREAKDOWN, "GET", "/api/v1/usage/breakdown", SCOPE_READ },
    { ROUTE_PROFILE, "GET", "/api/v1/usage/profile", SCOPE_READ },
    { ROUTE_UNPRICED, "GET", "/api/v1/unpriced", SCOPE_READ },
    { ROUTE_DIMENSION, "GET", "/api/v1/dimensions/*", SCOPE_READ },
    { ROUTE_AGENTS, "GET", "/api/v1/agents", SCOPE_READ },
    { ROUTE_STATUS, "GET", "/api/v1/status", SCOPE_READ },
    { ROUTE_PROJECTIONS, "GET", "/api/v1/projections", SCOPE_READ },
    { ROUTE_PROJECTION, "GET", "/api/v1/projections/**", SCOPE_READ },
    { ROUTE_PROJECTIONS, "GET", "/api/v1/projection", SCOPE_READ },
    { ROUTE_PROJECTION, "GET", "/api/v1/projection/**", SCOPE_READ },
    { ROUTE_WORKLOADS, "GET", "/api/v1/workloads", SCOPE_READ },
    { ROUTE_WHATIF, "GET", "/api/v1/whatif/**", SCOPE_READ },
    { ROUTE_DECISIONS, "GET", "/api/v1/decision", SCOPE_READ },
    { ROUTE_DECISION, "GET", "/api/v1/decision/**", SCOPE_READ },
    { ROUTE_FORECAST, "GET", "/api/v1/forecast", SCOPE_READ },
    { ROUTE_BREAKEVEN, "GET", "/api/v1/breakeven", SCOPE_READ },
    { ROUTE_ALERTS, "GET", "/api/v1/alerts", SCOPE_READ },
    { ROUTE_ALERT_RULES, "GET", "/api/v1/alerts/rules", SCOPE_READ },
    { ROUTE_ALERT_CHANNELS, "GET", "/api/v1/alerts/channels", SCOPE_READ },
    { ROUTE_SILENCES, "GET", "/api/v1/alerts/silences", SCOPE_READ },
    { ROUTE_SILENCE, "POST", "/api/v1/alerts/silence", SCOPE_ADMIN },
    { ROUTE_ACK, "POST", "/api/v1/alerts/ack", SCOPE_ADMIN },
    { ROUTE_UNSILENCE, "POST", "/api/v1/alerts/unsilence", SCOPE_ADMIN },
    { ROUTE_SCORES, "POST", "/api/v1/scores", SCOPE_INGEST | SCOPE_ADMIN },
    { ROUTE_COMPARISONS, "GET", "/api/v1/compare", SCOPE_READ },
    { ROUTE_COMPARISON, "GET", "/api/v1/compare/**", SCOPE_READ },
    { ROUTE_METRICS, "GET", "/metrics", SCOPE_READ },
    { ROUTE_HEALTHZ, "GET", "/healthz", SCOPE_NONE },
    { ROUTE_READYZ, "GET", "/readyz", SCOPE_NONE },
    { ROUTE_INDEX, "GET", "/api/v1", SCOPE_NONE },
    { ROUTE_PAGE, "GET", "/", SCOPE_NONE },
    { ROUTE_WEB, "GET", "/web/*", SCOPE_NONE },
};

static const struct route none = { ROUTE_NONE, "", "", SCOPE_NONE };
static const struct route bad_method = { ROUTE_BAD_METHOD, "", "", SCOPE_NONE };

/* Does the path fit the pattern? '*' at its end stands for one non-empty segment, "**"
 * for one or more. */
static bool fits(struct slice pattern, struct slice path, struct slice *rest)
{
    *rest = (struct slice){ 0 };
    if (!slice_ends(pattern, SLICE("*")))
        return slice_eq(pattern, path);
    bool deep = slice_ends(pattern, SLICE("**"));
    struct slice head = slice_head(pattern, pattern.n - (deep ? 2 : 1));
    if (!slice_starts(path, head))
        return false;
    *rest = slice_from(path, head.n);
    return rest->n > 0 && (deep || slice_chr(*rest, '/') == SIZE_MAX);
}

const struct route *route_find(struct slice method, struct slice path, struct slice *rest,
                               const char **allow)
{
    const struct route *other = NULL;
    struct slice wanted = slice_eq(method, SLICE("HEAD")) ? SLICE("GET") : method;
    *allow = "";
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!fits(slice_str(routes[i].path), path, rest))
            continue;
        if (slice_eq(slice_str(routes[i].method), wanted))
            return &routes[i];
        other = &routes[i];
    }
    if (!other)
        return &none;
    *allow = slice_eq(slice_str(other->method), SLICE("GET")) ? "GET, HEAD" : "POST";
    return &bad_method;
}

const struct route *route_at(size_t n)
{
    return n < sizeof routes / sizeof *routes ? &routes[n] : NULL;
}
