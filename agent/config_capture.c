/* The `capture` section: see config_capture.h. */
#include "agent/config_capture.h"

#include "agent/capture_filter.h"

#include <net/if.h>
#include <pwd.h>

#define MINUTE_MS (60e3)

#define AT(member) offsetof(struct config_app, member)
static const struct yaml_field app_fields[] = {
    { .key = "header",
      .type = YAML_STRING,
      .offset = AT(header),
      .fallback = "",
      .help = "request header, \"name\" or \"name: pattern\"" },
    { .key = "path",
      .type = YAML_STRING,
      .offset = AT(path),
      .fallback = "",
      .help = "beginning of the request's path" },
    { .key = "ports",
      .type = YAML_STRINGS,
      .offset = AT(ports),
      .help = "of the server: 8080, 9000-9010" },
    { .key = "process",
      .type = YAML_STRING,
      .offset = AT(process),
      .fallback = "",
      .help = "pattern of the local process's name, where the agent may see it" },
    { .key = "owner",
      .type = YAML_STRING,
      .offset = AT(owner),
      .fallback = "",
      .help = "user that the local process runs as" },
    { .key = "app",
      .type = YAML_STRING,
      .offset = AT(app),
      .fallback = "",
      .help = "its name; empty: the value of the header, else the process's name" },
    { .key = "environment",
      .type = YAML_STRING,
      .offset = AT(environment),
      .fallback = "",
      .help = "production, staging, …" },
    { .type = YAML_LINE, .offset = AT(line) },
    { 0 },
};
#undef AT

#define AT(member) offsetof(struct config_capture_limits, member)
static const struct yaml_field limits_fields[] = {
    { .key = "connections",
      .type = YAML_INT,
      .offset = AT(connections),
      .fallback = "10000",
      .min = 16,
      .max = 1e6,
      .help = "followed at a time; beyond, the longest silent one ends" },
    { .key = "idle",
      .type = YAML_DURATION,
      .offset = AT(idle_ms),
      .fallback = "15m",
      .min = 1000,
      .max = 1440 * MINUTE_MS,
      .help = "a connection that is silent for so long ends" },
    { .key = "connection",
      .type = YAML_SIZE,
      .offset = AT(connection_bytes),
      .fallback = "1MiB",
      .min = 64 << 10,
      .max = 1e9,
      .help = "bytes of one connection that wait for an earlier segment" },
    { .key = "total",
      .type = YAML_SIZE,
      .offset = AT(total_bytes),
      .fallback = "16MiB",
      .min = 1 << 20,
      .max = 1e10,
      .help = "the same of all connections" },
    { .key = "sealed",
      .type = YAML_SIZE,
      .offset = AT(sealed_bytes),
      .fallback = "1MiB",
      .min = 1024,
      .max = 1e8,
      .help = "bytes of one TLS connection that wait for its secrets" },
    { .key = "sealed_total",
      .type = YAML_SIZE,
      .offset = AT(sealed_total),
      .fallback = "8MiB",
      .min = 64 << 10,
      .max = 1e10,
      .help = "the same of all connections" },
    { .key = "sealed_for",
      .type = YAML_DURATION,
      .offset = AT(sealed_ms),
      .fallback = "10s",
      .min = 100,
      .max = 60 * MINUTE_MS,
      .help = "how long they wait" },
    { .key = "secrets",
      .type = YAML_INT,
      .offset = AT(secrets),
      .fallback = "4096",
      .min = 16,
      .max = 1e6,
      .help = "connections whose secrets are kept; the longest unused is zeroed" },
    { .key = "exchanges",
      .type = YAML_INT,
      .offset = AT(exchanges),
      .fallback = "256",
      .min = 1,
      .max = 1e5,
      .help = "under way on one connection" },
    { .key = "exchanges_total",
      .type = YAML_INT,
      .offset = AT(exchanges_total),
      .fallback = "16384",
      .min = 1,
      .max = 1e5,
      .help = "under way on all; each takes about 2 KiB, 26 KiB up to 256" },
    { .key = "headers",
      .type = YAML_SIZE,
      .offset = AT(header_bytes),
      .fallback = "64KiB",
      .min = 1024,
      .max = 1e7,
      .help = "of one message" },
    { .key = "body",
      .type = YAML_SIZE,
      .offset = AT(body_bytes),
      .fallback = "1GiB",
      .min = 1 << 20,
      .max = 1e12,
      .help = "of one body, decoded; beyond, its call is missing" },
    { .key = "decoders",
      .type = YAML_SIZE,
      .offset = AT(decoders),
      .fallback = "256MiB",
      .min = 1 << 20,
      .max = 1e11,
      .help = "memory of all that decode bodies; beyond, their calls are missing" },
    { .key = "keylog_files",
      .type = YAML_INT,
      .offset = AT(keylog_files),
      .fallback = "64",
      .min = 1,
      .max = 1e4,
      .help = "key logs followed at a time" },
    { 0 },
};
#undef AT

#define AT(member) offsetof(struct config_capture, member)
const struct yaml_field config_capture_fields[] = {
    { .key = "interface",
      .type = YAML_STRING,
      .offset = AT(interface),
      .fallback = "",
      .required = true,
      .help = "eth0, lo, … or any" },
    { .key = "ports",
      .type = YAML_STRINGS,
      .offset = AT(ports),
      .help = "TCP ports, 443 or 8000-8010; none: every port" },
    { .key = "hosts",
      .type = YAML_STRINGS,
      .offset = AT(hosts),
      .help = "addresses and networks; none: every host" },
    { .key = "filter",
      .type = YAML_STRING,
      .offset = AT(filter),
      .fallback = "",
      .help = "and this expression of pcap-filter(7)" },
    { .key = "ring",
      .type = YAML_SIZE,
      .offset = AT(ring_bytes),
      .fallback = "2MiB",
      .min = 512 << 10,
      .max = 1e9,
      .help = "of the kernel, for packets that wait to be read; counts as our memory" },
    { .key = "snap_length",
      .type = YAML_INT,
      .offset = AT(snap_bytes),
      .fallback = "262144",
      .min = 128,
      .max = 262144,
      .help = "captured of one packet; segmentation offload makes packets of 64 KiB" },
    { .key = "promiscuous",
      .type = YAML_BOOL,
      .offset = AT(promiscuous),
      .fallback = "no",
      .help = "traffic of others too (a mirror port)" },
    { .key = "user",
      .type = YAML_STRING,
      .offset = AT(user),
      .fallback = "",
      .help = "to become, without a capability, once the capture is open" },
    { .key = "keylogs",
      .type = YAML_STRINGS,
      .offset = AT(keylogs),
      .help = "patterns of TLS key logs (SSLKEYLOGFILE), followed" },
    { .key = "keylog_exclude",
      .type = YAML_STRINGS,
      .offset = AT(keylog_exclude),
      .help = "patterns to leave out" },
    { .key = "app",
      .type = YAML_STRING,
      .offset = AT(app),
      .fallback = "",
      .help = "of calls that no row of `apps` fits" },
    { .key = "environment",
      .type = YAML_STRING,
      .offset = AT(environment),
      .fallback = "",
      .help = "of calls whose row of `apps` names none" },
    { .key = "apps",
      .type = YAML_LIST,
      .offset = AT(apps),
      .max = 256,
      .table = app_fields,
      .size = sizeof(struct config_app),
      .help = "whose calls these are: the first row that fits" },
    { .key = "dark_calls",
      .type = YAML_BOOL,
      .offset = AT(dark_calls),
      .fallback = "yes",
      .help = "calls estimated from TLS without keys become rows of quality missing" },
    { .key = "silence",
      .type = YAML_DURATION,
      .offset = AT(silence_ms),
      .fallback = "1m",
      .min = 100,
      .max = 1440 * MINUTE_MS,
      .help = "no packet for so long is said and counted" },
    { .key = "limits",
      .type = YAML_STRUCT,
      .offset = AT(limits),
      .table = limits_fields,
      .help = "of memory" },
    { .type = YAML_LINE, .offset = AT(line) },
    { 0 },
};
#undef AT

static enum status refuse(const char *file, int line, struct buf *why, const char *text)
{
    buf_addf(why, "%s:%d: capture: %s", file, line, text);
    return ST_CONFIG;
}

/* "name: pattern", taken apart. */
static enum status check_header(struct config_app *r, const char *file, struct arena *a,
                                struct buf *why)
{
    struct slice name, value;
    slice_cut(slice_str(r->header), ':', &name, &value);
    r->header_name = arena_dup(a, slice_trim(name)).p;
    r->header_value = arena_dup(a, slice_trim(value)).p;
    if (!r->header_name || !r->header_value)
        return ST_NOMEM;
    static const char *const secret[] = { "authorization", "x-api-key", "api-key",
                                          "x-goog-api-key", "cookie" };
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        if (slice_ieq(slice_str(r->header_name), slice_str(secret[i])) && !*r->app)
            return refuse(file, r->line, why,
                          "apps: a header that holds a key cannot name an application");
    return ST_OK;
}

static enum status check_app(struct config_app *r, const char *file, struct arena *a,
                             struct buf *why)
{
    unsigned low, high;
    if (!*r->header && !*r->path && !r->ports.n && !*r->process && !*r->owner)
        return refuse(file, r->line, why,
                      "apps: a row needs header, path, ports, process or owner");
    if (!*r->app && !*r->header && !*r->process)
        return refuse(file, r->line, why,
                      "apps: app is missing (only header and process name one)");
    for (size_t i = 0; i < r->ports.n; i++)
        if (!capture_filter_port(r->ports.at[i], &low, &high))
            return refuse(file, r->line, why,
                          "apps: ports are 443 or a range, 8000-8010");
    if (*r->owner) {
        uint64_t number;
        const struct passwd *p = getpwnam(r->owner);
        if (!p && (!slice_u64(slice_str(r->owner), &number) || number >= UINT32_MAX))
            return refuse(file, r->line, why, "apps: owner: there is no such user");
        r->owner_id = p ? p->pw_uid : (uint32_t)number;
    }
    return check_header(r, file, a, why);
}

enum status config_capture_check(struct config_capture *c, const char *file,
                                 struct arena *a, struct buf *why)
{
    struct buf text = { 0 };
    if (!c->line)
        return ST_OK;
    if (!*c->interface || strlen(c->interface) >= IF_NAMESIZE)
        return refuse(file, c->line, why, "interface: a name (eth0, lo) or any");
    size_t before = why->n;
    buf_addf(why, "%s:%d: capture: ", file, c->line);
    struct capture_filter f = { c->ports, c->hosts, c->filter, false };
    enum status st = capture_filter_build(&f, &text, why);
    buf_release(&text);
    if (st != ST_OK)
        return st;
    why->n = before;
    for (size_t i = 0; st == ST_OK && i < c->apps.n; i++)
        st = check_app((struct config_app *)c->apps.at + i, file, a, why);
    return st;
}
