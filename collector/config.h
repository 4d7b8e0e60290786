/*
 * collector.yaml as a struct, composed of sections; each section's table stands with the
 * module that reads it. `breakeven-collector check` and --help-config print from the same
 * tables.
 */
#ifndef BREAKEVEN_CONFIG_H
#define BREAKEVEN_CONFIG_H

#include "collector/alert_rules.h"
#include "collector/projection/scenario.h"
#include "common/log.h"
#include "common/yaml.h"

struct config_tls {
    const char *cert, *key; /* PEM files; both or none */
};

struct config_retention {
    int64_t hourly_ms; /* of usage_hour; usage_day stays for ever */
};

struct config_limits {
    int64_t threads;     /* of the HTTP pool */
    int64_t connections; /* in all, and from one address */
    int64_t connections_per_ip;
    uint64_t body_bytes;  /* of a batch as sent */
    uint64_t batch_bytes; /* of a batch decompressed */
    int64_t batch_ratio;  /* decompressed : sent, above 1 MiB */
    int64_t batch_rows;
    int64_t queue_batches;  /* waiting for the writer */
    uint64_t request_bytes; /* memory of one API answer */
    int64_t series;         /* that the store will know */
    int64_t metrics_series; /* label sets in /metrics; the tail folds into "other" */
    int64_t head_ms, body_ms, idle_ms; /* patience with a slow client */
};

struct config {
    const char *listen; /* host:port, [v6]:port */
    const char *data_dir;
    const char *public_url; /* where people reach it; links in alerts; "" */
    struct config_tls tls;
    bool insecure;                        /* allows what is refused beyond loopback */
    int read;                             /* enum config_read */
    const char *prices, *price_overrides; /* files; "" the built-in book, none */
    struct config_retention retention;
    struct config_limits limits;
    struct projection_config projection;
    struct yaml_list workloads; /* struct workload */
    struct alert_config alerts;
    int log_level; /* enum log_level */
};

/* Who may read without a token. */
enum config_read { CONFIG_READ_TOKEN, CONFIG_READ_LOOPBACK, CONFIG_READ_ANYONE };

extern const struct yaml_field config_fields[];

/*
 * Load and check a file (NULL: the defaults). Strings live in `a`. ST_CONFIG with
 * "file:line: reason" in `why`.
 */
enum status config_load(const char *path, struct arena *a, struct config *out,
                        struct buf *why);

/* Split "host:port" or "[v6]:port"; ST_BAD otherwise. host is NUL-terminated. */
enum status config_listen(const char *listen, char host[static 64], uint16_t *port);

/* Is this host one that only this machine reaches? */
bool config_loopback(const char *host);

#endif
