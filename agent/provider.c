/* Rows of provider.def and the two matchers: host globs and path suffixes. */
#include "agent/provider.h"

enum { OTHER_ADMIN, OTHER_NONE };
enum { WHERE_KNOWN, WHERE_ANY, WHERE_SHAPED };
enum { METHOD_POST, METHOD_GET, METHOD_DELETE, METHOD_WEBSOCKET, METHOD_ANY };

static const struct host {
    const char *pattern, *provider;
    uint8_t provider_n, other;
} hosts[] = {
#define HOST(pattern, provider, other)                                                   \
    { pattern, provider, sizeof(provider) - 1, OTHER_##other },
#include "agent/provider.def"
};

static const struct surface {
    const char *path, *provider, *surface;
    uint8_t method, where, accounting;
} surfaces[] = {
#define SURFACE(method, where, path, provider, surface, accounting)                      \
    { path, provider, surface, METHOD_##method, WHERE_##where, ACCOUNTING_##accounting },
#include "agent/provider.def"
};

enum { SEGMENTS = 32 };

struct path {
    struct slice seg[SEGMENTS]; /* the last ones, in order */
    size_t n;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* '*' stands for any bytes; ASCII case is folded. */
static bool glob(const char *pattern, struct slice s)
{
    const char *star = NULL;
    size_t at = 0, mark = 0;
    while (at < s.n) {
        if (*pattern == '*') {
            star = ++pattern;
            mark = at;
        } else if (*pattern && *pattern == lower(s.p[at])) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* "host:port" -> host, and the port if it was not known. */
static struct slice without_port(struct slice host, uint16_t *port)
{
    if (host.n && host.p[host.n - 1] == '.') /* of the root, after a name that is whole */
        host.n--;
    size_t at = slice_chr(host, ':');
    uint64_t v;
    if (at == SIZE_MAX || (host.n && host.p[0] == '['))
        return host;
    if (slice_u64(slice_from(host, at + 1), &v) && v < 65536 && !*port)
        *port = (uint16_t)v;
    return slice_head(host, at);
}

static const struct host *find_host(struct slice host)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (glob(hosts[i].pattern, host))
            return &hosts[i];
    return NULL;
}

enum { OLLAMA_PORT = 11434 };

const char *provider_of_host(struct slice host, uint16_t port)
{
    host = without_port(host, &port);
    const struct host *h = find_host(host);
    return h ? h->provider : port == OLLAMA_PORT ? "ollama" : NULL;
}

/* Path of a target: scheme, host, query and fragment cut off; *host set from a URL. */
static struct slice path_of(struct slice target, struct slice *host)
{
    size_t at = slice_find(target, SLICE("://"));
    if (at != SIZE_MAX && at < 8) {
        struct slice rest = slice_from(target, at + 3);
        size_t slash = slice_chr(rest, '/');
        if (!host->n)
            *host = slice_head(rest, slash);
        target = slash == SIZE_MAX ? SLICE("/") : slice_from(rest, slash);
    }
    slice_cut(target, '?', &target, &(struct slice){ 0 });
    slice_cut(target, '#', &target, &(struct slice){ 0 });
    return target;
}

/* Non-empty segments; a long path keeps its last ones. */
static void split(struct slice path, struct path *out)
{
    out->n = 0;
    for (bool more = true; more;) {
        struct slice seg;
        more = slice_cut(path, '/', &seg, &path);
        if (!seg.n)
            continue;
        if (out->n == SEGMENTS) {
            memmove(out->seg, out->seg + 1, sizeof out->seg - sizeof *out->seg);
            out->n--;
        }
        out->seg[out->n++] = seg;
    }
}

/* One segment against one of a row: "*", "*end", "{m}", "{m}:verb" or the text itself. */
static bool segment_fits(struct slice want, struct slice seg, struct slice *model)
{
    if (slice_starts(want, SLICE("*")))
        return slice_ends(seg, slice_from(want, 1));
    if (!slice_starts(want, SLICE("{m}")))
        return slice_eq(want, seg);
    struct slice verb = slice_from(want, 3);
    if (!slice_ends(seg, verb) || seg.n <= verb.n)
        return false;
    *model = slice_head(seg, seg.n - verb.n);
    return true;
}

/* "/models/{rest}": the segments before {rest} anywhere, the model all behind them. */
static bool rest_fits(const struct path *want, const struct path *p, struct slice *model)
{
    size_t n = want->n - 1;
    for (size_t at = 0; at + n < p->n; at++) {
        size_t i = 0;
        while (i < n && slice_eq(want->seg[i], p->seg[at + i]))
            i++;
        if (i == n) {
            const char *first = p->seg[at + n].p;
            struct slice last = p->seg[p->n - 1];
            *model = slice_of(first, (size_t)(last.p + last.n - first));
            return true;
        }
    }
    return false;
}

static bool path_fits(const char *pattern, const struct path *p, struct slice *model)
{
    struct path want;
    split(slice_str(pattern), &want);
    if (want.n && slice_eq(want.seg[want.n - 1], SLICE("{rest}")))
        return rest_fits(&want, p, model);
    if (want.n > p->n || (!want.n && p->n))
        return false;
    for (size_t i = 0; i < want.n; i++)
        if (!segment_fits(want.seg[i], p->seg[p->n - want.n + i], model))
            return false;
    return true;
}

static unsigned method_of(struct slice name)
{
    static const char *const names[] = { "POST", "GET", "DELETE", "WEBSOCKET" };
    unsigned m = 0;
    while (m < METHOD_ANY && !slice_ieq(name, slice_str(names[m])))
        m++;
    return m;
}

static const struct surface *find_surface(struct slice method, const struct path *p,
                                          struct slice provider, bool known,
                                          struct slice *model)
{
    unsigned m = method_of(method);
    for (size_t i = 0; i < sizeof surfaces / sizeof *surfaces; i++) {
        const struct surface *s = &surfaces[i];
        *model = (struct slice){ NULL, 0 };
        if (s->where == (known ? WHERE_SHAPED : WHERE_KNOWN) ||
            (s->method != METHOD_ANY && s->method != m) ||
            (*s->provider && !slice_eq(slice_str(s->provider), provider)))
            continue;
        if (path_fits(s->path, p, model))
            return s;
    }
    *model = (struct slice){ NULL, 0 };
    return NULL;
}

/* Azure's deployment stands in the middle of the path. */
static struct slice deployment(const struct path *p)
{
    for (size_t i = 0; i + 1 < p->n; i++)
        if (slice_eq(p->seg[i], SLICE("deployments")))
            return p->seg[i + 1];
    return (struct slice){ NULL, 0 };
}

/* A realtime session names its model, or its deployment, in the query. */
static struct slice model_of_query(struct slice target)
{
    struct slice one, name, value, none = { NULL, 0 };
    slice_cut(target, '?', &one, &target);
    while (target.n) {
        slice_cut(target, '&', &one, &target);
        slice_cut(one, '=', &name, &value);
        if (slice_eq(name, SLICE("model")) || slice_eq(name, SLICE("deployment")))
            return value;
    }
    return none;
}

static struct provider_hit hit(const struct surface *s, const char *provider,
                               struct slice model, const struct path *p)
{
    struct provider_hit h = { .provider = provider,
                              .surface = s->surface,
                              .accounting = (enum accounting)s->accounting,
                              .model = model.n ? model : deployment(p),
                              .if_shaped = s->where == WHERE_SHAPED };
    if (!strcmp(h.surface, "bedrock.invoke") &&
        slice_find(h.model, SLICE("rerank")) != SIZE_MAX)
        h.surface = "bedrock.invoke_rerank";
    return h;
}

/* "us-east-1", "europe-west4-aiplatform", "eu" of eu.api.openai.com. */
static struct slice region_of(struct slice host, const struct path *p)
{
    static const char *const areas[] = { "us-", "eu-", "ap-", "ca-", "sa-",
                                         "me-", "af-", "il-", "mx-", "cn-" };
    struct slice label;
    while (slice_cut(host, '.', &label, &host) || label.n) {
        if (slice_ends(label, SLICE("-aiplatform")))
            return slice_head(label, label.n - sizeof "-aiplatform" + 1);
        if (slice_eq(label, SLICE("eu")) || slice_eq(label, SLICE("us")))
            return label;
        for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
            if (slice_starts(label, slice_str(areas[i])))
                return label;
        if (!host.n)
            break;
    }
    for (size_t i = 0; i + 1 < p->n; i++) /* Vertex' host for all */
        if (slice_eq(p->seg[i], SLICE("locations")))
            return p->seg[i + 1];
    return (struct slice){ NULL, 0 };
}

static struct provider_hit unlisted(const char *provider, bool admin, struct slice host)
{
    struct provider_hit h = { .provider = admin ? provider : "other",
                              .surface = admin ? "admin" : "none",
                              .accounting = admin ? ACCOUNTING_FREE : ACCOUNTING_NONE };
    if (admin && slice_starts(host, SLICE("bedrock-agent")))
        h.surface = "bedrock.agent_admin";
    return h;
}

struct provider_hit provider_match(struct slice method, struct slice host, uint16_t port,
                                   struct slice target)
{
    struct slice path = path_of(target, &host), model;
    struct path p;
    host = without_port(host, &port);
    const struct host *known = find_host(host);
    const char *provider = known                 ? known->provider
                           : port == OLLAMA_PORT ? "ollama"
                                                 : "compat";
    bool listed = known || port == OLLAMA_PORT;
    split(path, &p);
    const struct surface *s =
        find_surface(method, &p, slice_str(provider), listed, &model);
    struct provider_hit h;
    if (s)
        h = hit(s, provider, model, &p);
    else
        h = unlisted(provider, listed && (!known || known->other == OTHER_ADMIN), host);
    if (!h.model.n && slice_eq(method, SLICE("WEBSOCKET")))
        h.model = model_of_query(target);
    h.region = region_of(host, &p);
    return h;
}

struct provider_hit provider_match_named(struct slice method, struct slice provider,
                                         struct slice target)
{
    struct slice host = { NULL, 0 }, path = path_of(target, &host), model;
    struct path p;
    const char *name = provider_canonical(provider);
    if (host.n)
        return provider_match(method, host, 0, path);
    split(path, &p);
    const struct surface *s =
        find_surface(method, &p, slice_str(name ? name : ""), name != NULL, &model);
    if (s)
        return hit(s, name ? name : "compat", model, &p);
    return unlisted(name ? name : "other", name != NULL && p.n, host);
}

/* Spellings of logs, OTel and LiteLLM beside the names of the host list. */
static const struct {
    const char *spelling, *name;
} aliases[] = {
    { "azure", "azure_openai" },
    { "azure-openai", "azure_openai" },
    { "azure.ai.inference", "azure_ai" },
    { "aws", "bedrock" }, /* aws.bedrock, aws.anthropic … */
    { "aws_bedrock", "bedrock" },
    { "amazon", "bedrock" },
    { "amazon-bedrock", "bedrock" },
    { "bedrock_converse", "bedrock" },
    { "google", "gemini" },
    { "gcp.gemini", "gemini" },
    { "gcp.gen_ai", "gemini" },
    { "google-gemini", "gemini" },
    { "gcp", "vertex" }, /* gcp.vertex_ai, gcp.anthropic … */
    { "google.vertex", "vertex" },
    { "vertex_ai", "vertex" },
    { "vertexai", "vertex" },
    { "google-vertex", "vertex" },
    { "mistral_ai", "mistral" },
    { "mistralai", "mistral" },
    { "moonshot_ai", "moonshot" },
    { "x_ai", "xai" },
    { "x.ai", "xai" },
    { "grok", "xai" },
    { "together_ai", "together" },
    { "togetherai", "together" },
    { "fireworks_ai", "fireworks" },
    { "ibm.watsonx.ai", "watsonx" },
    { "cohere_chat", "cohere" },
    { "openai_compatible", "compat" },
    { "claude", "anthropic" },
};

static const char *canonical(struct slice name)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (slice_ieq(name, slice_of(hosts[i].provider, hosts[i].provider_n)))
            return hosts[i].provider;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (slice_ieq(name, slice_str(aliases[i].spelling)))
            return aliases[i].name;
    return NULL;
}

/* The AI SDK and gateways put the API behind a dot: openai.chat, azure.ai.openai. */
const char *provider_canonical(struct slice name)
{
    const char *found = canonical(name), *dot;
    while (!found && name.n && (dot = memrchr(name.p, '.', name.n))) {
        name = slice_head(name, (size_t)(dot - name.p));
        found = canonical(name);
    }
    return found;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10
                                                : -1;
}

size_t provider_decode(struct slice in, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n && n < cap; i++) {
        char c = in.p[i];
        if (c == '%' && i + 2 < in.n && hex(in.p[i + 1]) >= 0 && hex(in.p[i + 2]) >= 0) {
            c = (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return n;
}
