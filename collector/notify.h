/*
 * Messages about alerts, to the channels of the configuration. A channel kind is a row of
 * the table in notify.c: how its body looks. What to say and when comes from alert_job;
 * sending is one HTTP POST with libcurl, retried by the alert's own back-off.
 *
 * Refuses: to follow redirects, to speak anything but http and https, to log a URL's
 * query or user part (webhook URLs are secrets).
 */
#ifndef BREAKEVEN_NOTIFY_H
#define BREAKEVEN_NOTIFY_H

#include "common/buf.h"
#include "common/yaml.h"

enum notify_kind { NOTIFY_WEBHOOK };

/* One entry of `alerts.channels` in collector.yaml. */
struct notify_channel {
    const char *name;
    int kind; /* enum notify_kind */
    const char *url;
    const char *token_file; /* bearer token; may be NULL */
    int64_t timeout_ms;
    bool send_resolved;
    int line;
};

extern const struct yaml_field notify_channel_fields[];

/* One change of one alert. Strings are borrowed. */
struct notify_message {
    const char *rule, *severity, *workload;
    bool firing; /* false: resolved */
    uint64_t revision;
    int64_t starts_ms, ends_ms; /* ends_ms 0 while firing */
    struct slice summary;       /* one sentence with the numbers that matter */
    struct slice description;
    const char *external_url; /* of the collector's page; may be NULL */
    struct notify_value {
        const char *name;
        double value;
    } values[8]; /* the numbers, for templates of the receiver */
    size_t nvalues;
};

/*
 * Stable identity of an alert: 16 hex digits of (rule, workload), the same for its firing
 * and its end; receivers group and deduplicate by it.
 */
void notify_fingerprint(const struct notify_message *m, char out[17]);

/* The request body for this kind. Webhook: Alertmanager's webhook JSON, version 4. */
void notify_body(enum notify_kind kind, const char *receiver,
                 const struct notify_message *m, struct buf *out);

/*
 * POST the message. ST_OK on 2xx; ST_BUSY for what is worth another try (no connection,
 * 408, 429, 5xx); ST_BAD for what is not (other answers). `why` says it without secrets.
 */
enum status notify_send(const struct notify_channel *c, const struct notify_message *m,
                        struct buf *why);

/* notify_send with the signature of alert_job's sender; `arg` is unused. */
enum status notify_deliver(void *arg, const struct notify_channel *c,
                           const struct notify_message *m, struct buf *why);

#endif
