/*
 * Messages about alerts, to the channels of the configuration. What a message looks like
 * for each kind of receiver is pure (notify_body.c, notify_mail.c); sending is one HTTP
 * POST or one mail with libcurl (notify.c, a shell file). What to say and when comes from
 * alert_job.
 *
 * Refuses: to follow redirects, to speak anything but http(s) and smtp(s), to log or
 * answer with a URL or a secret. Names in messages are shown, never interpreted: JSON
 * strings, escaped mrkdwn, encoded mail headers.
 */
#ifndef BREAKEVEN_NOTIFY_H
#define BREAKEVEN_NOTIFY_H

#include "collector/alert_set.h"
#include "common/buf.h"
#include "common/yaml.h"

enum notify_kind {
    NOTIFY_WEBHOOK,      /* Alertmanager's webhook_config JSON, version "4" */
    NOTIFY_SLACK,        /* incoming webhook with blocks */
    NOTIFY_ALERTMANAGER, /* POST /api/v2/alerts */
    NOTIFY_PAGERDUTY,    /* Events API v2 */
    NOTIFY_EMAIL,        /* SMTP */
    NOTIFY_KINDS
};

enum notify_tls { NOTIFY_TLS_REQUIRED, NOTIFY_TLS_TRY, NOTIFY_TLS_NONE };

/* PagerDuty's words; the labels of every channel use them. */
enum notify_severity {
    SEVERITY_INFO,
    SEVERITY_WARNING,
    SEVERITY_ERROR,
    SEVERITY_CRITICAL
};
extern const char *const notify_severities[]; /* NULL-terminated */

/* One entry of `alerts.channels` in collector.yaml. */
struct notify_channel {
    const char *name;
    int kind;                             /* enum notify_kind */
    const char *url, *url_file, *url_env; /* one of them */
    const char *token_file, *token_env;   /* the receiver's secret */
    const char *username, *from;          /* email */
    struct yaml_strings to;               /* email */
    int tls;                              /* email: enum notify_tls */
    const char *ca_file;
    int64_t timeout_ms;
    bool send_resolved;
    int line;
};

const char *notify_kind_name(int kind); /* "webhook", … */

extern const struct yaml_field notify_channel_fields[];

/* What this kind of channel needs and does not need; ST_CONFIG with file:line in `why`.
 */
enum status notify_channel_check(const struct notify_channel *c, const char *file,
                                 struct buf *why);

/* --- a message ------------------------------------------------------------------------
 */

enum { NOTIFY_ALERTS_MAX = 100, NOTIFY_LINES = 20 };

/* Alerts of one rule that have changed the same way. Everything is borrowed. */
struct notify_message {
    const char *rule, *severity;
    bool firing;  /* false: resolved */
    bool acked;   /* firing, and somebody knows: PagerDuty's `acknowledge` */
    bool grouped; /* all alerts of the rule are one incident */
    const struct alert_entry *const *at;
    size_t n;        /* 1..NOTIFY_ALERTS_MAX */
    size_t more;     /* further ones that are not shown */
    size_t still;    /* alerts of the rule that go on firing, these left out */
    int64_t now_ms;  /* when it is said */
    int64_t ends_ms; /* Alertmanager: what fires is over then, unless said again */
    const char *external_url; /* of the collector's page; "" or NULL: unknown */
    const char *page;         /* its view about this rule; may be NULL */
};

/*
 * Stable identity of an alert: 16 hex digits of rule and labels, the same for its firing
 * and its end; receivers group and deduplicate by it. With e == NULL of the whole rule.
 */
void notify_fingerprint(const char *rule, const struct alert_entry *e, char out[17]);

/* The JSON to POST; for NOTIFY_PAGERDUTY one event, of m->at[0] unless grouped, with
 * `secret` as its routing key. Nothing for NOTIFY_EMAIL. */
void notify_body(enum notify_kind kind, const char *receiver, struct slice secret,
                 const struct notify_message *m, struct buf *out);

/* "firing: …": the summary, or rule and count of several. One line. */
void notify_title(const struct notify_message *m, struct buf *out);
/* Address of the page about it; nothing without external_url. */
void notify_link(const struct notify_message *m, struct buf *out);

/*
 * A whole mail: header fields (RFC 5322; the subject by RFC 2047, one field whatever the
 * names hold), a blank line, the text in base64. Lines end in CRLF. The Message-ID is the
 * same for every try of one change.
 */
void notify_mail(const struct notify_message *m, const char *from,
                 const struct yaml_strings *to, struct buf *out);

/* --- sending --------------------------------------------------------------------------
 */

/*
 * Send the message. ST_OK when the receiver took it; ST_BUSY for what is worth another
 * try: no connection, 408, 429, 5xx, SMTP 4xx, and what somebody can put right meanwhile
 * (a secret, which is read at each use, or the receiver's side: 401, 403, 404, 407, a
 * refused login); ST_CONFIG: a secret cannot be read, likewise; ST_BAD for what no
 * further try changes. `why` says it without secrets, *wait_ms how long the receiver
 * asked to be left alone (Retry-After, RFC 9110 10.2.3), 0 if it did not. `arg` is
 * unused: the signature is alert_job's sender.
 */
enum status notify_send(void *arg, const struct notify_channel *c,
                        const struct notify_message *m, struct buf *why,
                        int64_t *wait_ms);

#endif
