/* collector.yaml: tables and checks; see config.h. */
#include "collector/config.h"

#include <string.h>

#define AT(field) offsetof(struct config, field)

static const char *const read_names[] = { "token", "loopback", "anyone", NULL };
static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

static const struct yaml_field tls_fields[] = {
    { .key = "cert",
      .type = YAML_STRING,
      .offset = offsetof(struct config_tls, cert),
      .fallback = "",
      .help = "certificate chain, PEM file" },
    { .key = "key",
      .type = YAML_STRING,
      .offset = offsetof(struct config_tls, key),
      .fallback = "",
      .help = "its private key, PEM file" },
    { 0 },
};

static const struct yaml_field retention_fields[] = {
    { .key = "hourly",
      .type = YAML_DURATION,
      .offset = offsetof(struct config_retention, hourly_ms),
      .fallback = "400d",
      .min = 2.0 * 86400e3,
      .max = 36500.0 * 86400e3,
      .help = "age at which hourly rows are dropped; daily totals are kept for ever" },
    { 0 },
};

#define LIMIT(k, t, field, value, least, most, text)                                     \
    {                                                                                    \
        .key = k, .type = t, .offset = offsetof(struct config_limits, field),            \
        .fallback = value, .min = least, .max = most, .help = text                       \
    }

static const struct yaml_field limit_fields[] = {
    LIMIT("threads", YAML_INT, threads, "4", 1, 64, "HTTP threads"),
    LIMIT("connections", YAML_INT, connections, "1000", 16, 100000,
          "open connections; more wait in the backlog"),
    LIMIT("connections_per_ip", YAML_INT, connections_per_ip, "200", 1, 100000,
          "of these from one address"),
    LIMIT("body", YAML_SIZE, body_bytes, "16MiB", 65536, 1073741824,
          "largest batch as sent"),
    LIMIT("batch", YAML_SIZE, batch_bytes, "64MiB", 65536, 1073741824,
          "largest batch decompressed"),
    LIMIT("batch_ratio", YAML_INT, batch_ratio, "200", 10, 100000,
          "decompressed : sent size of a batch over 1 MiB"),
    LIMIT("batch_rows", YAML_INT, batch_rows, "20000", 1, 1000000, "rows in a batch"),
    LIMIT("queue", YAML_INT, queue_batches, "64", 1, 10000,
          "batches waiting for the writer; more are answered 503"),
    LIMIT("answer", YAML_SIZE, request_bytes, "64MiB", 1048576, 4294967296.0,
          "memory of one API answer"),
    LIMIT("series", YAML_INT, series, "200000", 1, 16000000,
          "series in the store; rows of further ones are refused and counted"),
    LIMIT("metrics_series", YAML_INT, metrics_series, "2000", 1, 100000,
          "label sets in /metrics; the tail folds into \"other\""),
    LIMIT("head_timeout", YAML_DURATION, head_ms, "10s", 100, 3600e3,
          "from connect to the end of the request's head"),
    LIMIT("body_timeout", YAML_DURATION, body_ms, "60s", 100, 3600e3,
          "from there to the end of its body"),
    LIMIT("idle_timeout", YAML_DURATION, idle_ms, "75s", 100, 3600e3,
          "from an answer to the end of the next head"),
    { 0 },
};

const struct yaml_field config_fields[] = {
    { .key = "listen",
      .type = YAML_STRING,
      .offset = AT(listen),
      .fallback = "127.0.0.1:8420",
      .help = "host:port; beyond loopback it takes tls, a token, or insecure" },
    { .key = "data_dir",
      .type = YAML_STRING,
      .offset = AT(data_dir),
      .fallback = "/var/lib/breakeven",
      .help = "folder of the store and the tokens" },
    { .key = "public_url",
      .type = YAML_STRING,
      .offset = AT(public_url),
      .fallback = "",
      .help = "address under which people reach the collector, for links" },
    { .key = "tls",
      .type = YAML_STRUCT,
      .offset = AT(tls),
      .table = tls_fields,
      .help = "serve HTTPS" },
    { .key = "insecure",
      .type = YAML_BOOL,
      .offset = AT(insecure),
      .fallback = "no",
      .help = "allow plain HTTP beyond loopback" },
    { .key = "read",
      .type = YAML_ENUM,
      .offset = AT(read),
      .fallback = "loopback",
      .names = read_names,
      .help = "who reads without a token: nobody (token), this machine when it listens "
              "on loopback only (loopback), anyone" },
    { .key = "prices",
      .type = YAML_STRING,
      .offset = AT(prices),
      .fallback = "",
      .help = "price book; empty: the built-in one" },
    { .key = "price_overrides",
      .type = YAML_STRING,
      .offset = AT(price_overrides),
      .fallback = "",
      .help = "second price file whose rows win (negotiated prices)" },
    { .key = "retention",
      .type = YAML_STRUCT,
      .offset = AT(retention),
      .table = retention_fields,
      .help = "how long usage is kept" },
    { .key = "limits",
      .type = YAML_STRUCT,
      .offset = AT(limits),
      .table = limit_fields,
      .help = "protection against clients out of control" },
    { .key = "projection",
      .type = YAML_STRUCT,
      .offset = AT(projection),
      .table = projection_fields,
      .help = "forecast of the bill and the breakeven" },
    { .key = "workloads",
      .type = YAML_MAP,
      .offset = AT(workloads),
      .table = workload_fields,
      .size = sizeof(struct workload),
      .help = "by name: metered calls that one hosted model could take over" },
    { .key = "alerts",
      .type = YAML_STRUCT,
      .offset = AT(alerts),
      .table = alert_fields,
      .help = "what is worth a message, and where messages go" },
    { .key = "log_level",
      .type = YAML_ENUM,
      .offset = AT(log_level),
      .fallback = "info",
      .names = level_names,
      .help = "least important lines to log" },
    { 0 },
};

enum status config_listen(const char *listen, char host[static 64], uint16_t *port)
{
    struct slice s = slice_str(listen), name, digits;
    uint64_t n;
    if (s.n && s.p[0] == '[') {
        if (!slice_cut(slice_from(s, 1), ']', &name, &digits) || digits.n == 0 ||
            digits.p[0] != ':')
            return ST_BAD;
        digits = slice_from(digits, 1);
    } else if (!slice_cut(s, ':', &name, &digits)) {
        return ST_BAD;
    }
    if (name.n == 0 || name.n > 63 || !slice_u64(digits, &n) || n > UINT16_MAX)
        return ST_BAD;
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    *port = (uint16_t)n;
    return ST_OK;
}

bool config_loopback(const char *host)
{
    struct slice h = slice_str(host);
    return slice_starts(h, SLICE("127.")) || slice_eq(h, SLICE("::1")) ||
           slice_ieq(h, SLICE("localhost"));
}

static enum status check(const char *file, const struct config *c, struct buf *why)
{
    char host[64];
    uint16_t port;
    if (config_listen(c->listen, host, &port) != ST_OK)
        buf_addf(why, "%s: listen: found '%s', allowed host:port or [v6 address]:port",
                 file, c->listen);
    else if (!*c->data_dir)
        buf_addf(why, "%s: data_dir: must not be empty", file);
    else if (!*c->tls.cert != !*c->tls.key)
        buf_addf(why, "%s: tls: cert and key go together", file);
    else if (c->limits.connections_per_ip > c->limits.connections)
        buf_addf(why, "%s: limits: connections_per_ip is above connections", file);
    else
        return ST_OK;
    return ST_CONFIG;
}

/* Budgets name workloads; the rest of `alerts:` is its own affair. */
static enum status check_alerts(const char *file, const struct config *c, struct buf *why)
{
    const struct alert_budget *b = c->alerts.budgets.at;
    const struct workload *w = c->workloads.at;
    for (size_t i = 0; i < c->alerts.budgets.n; i++) {
        size_t k = 0;
        while (k < c->workloads.n && strcmp(w[k].name, b[i].workload) != 0)
            k++;
        if (k < c->workloads.n)
            continue;
        buf_addf(why,
                 "%s:%d: alerts.budgets: found '%s', allowed a name of workloads:", file,
                 b[i].line, b[i].workload);
        return ST_CONFIG;
    }
    return alert_config_check(&c->alerts, file, why);
}

enum status config_load(const char *path, struct arena *a, struct config *out,
                        struct buf *why)
{
    *out = (struct config){ 0 };
    enum status st =
        path ? yaml_load(path, config_fields, out, a, why)
             : yaml_parse(SLICE("{}"), "defaults", config_fields, out, a, why);
    const char *file = path ? path : "defaults";
    if (st == ST_OK)
        st = check(file, out, why);
    return st == ST_OK ? check_alerts(file, out, why) : st;
}
