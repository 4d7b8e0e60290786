/* Bodies of messages, a function a kind of receiver: see notify.h. Pure. */
#include "collector/notify.h"

#include "common/instant.h"

#include <stdio.h>

const char *const notify_severities[] = { "info", "warning", "error", "critical", NULL };

void notify_fingerprint(const char *rule, const struct alert_entry *e, char out[17])
{
    uint64_t h = slice_hash(slice_str(rule), 0);
    for (size_t i = 0; e && i < e->labels; i++)
        h = slice_hash(e->label[i].value, slice_hash(slice_str(e->label[i].name), h));
    snprintf(out, 17, "%016llx", (unsigned long long)h);
}

/* --- shared parts ---------------------------------------------------------------------
 */

void notify_title(const struct notify_message *m, struct buf *out)
{
    buf_adds(out, m->firing ? "firing: " : "resolved: ");
    if (m->n + m->more == 1)
        buf_add(out, m->at[0]->summary.n ? m->at[0]->summary : slice_str(m->rule));
    else
        buf_addf(out, "%s, %zu alerts", m->rule, m->n + m->more);
}

void notify_link(const struct notify_message *m, struct buf *out)
{
    struct slice base = slice_str(m->external_url);
    while (slice_ends(base, SLICE("/")))
        base = slice_head(base, base.n - 1);
    buf_add(out, base);
    if (base.n)
        buf_addf(out, "/#/%s", m->page ? m->page : "alerts");
}

static void put(struct json_out *o, const char *key, struct slice value)
{
    json_key(o, key);
    json_str(o, value);
}

static void put_time(struct json_out *o, const char *key, int64_t ms)
{
    struct buf b = { 0 };
    instant_format(ms * 1000000, &b);
    put(o, key, buf_slice(&b));
    buf_release(&b);
}

static void put_link(struct json_out *o, const char *key, const struct notify_message *m)
{
    struct buf b = { 0 };
    notify_link(m, &b);
    put(o, key, buf_slice(&b));
    buf_release(&b);
}

/* alertname, severity and the labels that e has; of several alerts the common ones. */
static void put_labels(struct json_out *o, const char *key,
                       const struct notify_message *m, const struct alert_entry *e)
{
    json_key(o, key);
    json_open(o, '{');
    put(o, "alertname", slice_str(m->rule));
    put(o, "severity", slice_str(m->severity));
    for (size_t i = 0; e && i < e->labels; i++)
        put(o, e->label[i].name, e->label[i].value);
    json_close(o, '}');
}

static void put_values(struct json_out *o, const struct alert_entry *e)
{
    for (size_t i = 0; i < e->values; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "%.10g", e->value[i].value);
        put(o, e->value[i].name, slice_of(text, (size_t)n));
    }
}

static void put_annotations(struct json_out *o, const char *key,
                            const struct alert_entry *e)
{
    json_key(o, key);
    json_open(o, '{');
    put(o, "summary", e->summary);
    put_values(o, e);
    json_close(o, '}');
}

/* --- Alertmanager: its webhook, version "4", and its API v2 ---------------------------
 */

static void put_webhook_alert(struct json_out *o, const struct notify_message *m,
                              const struct alert_entry *e)
{
    char fingerprint[17];
    notify_fingerprint(m->rule, e, fingerprint);
    json_open(o, '{');
    put(o, "status", m->firing ? SLICE("firing") : SLICE("resolved"));
    put_labels(o, "labels", m, e);
    put_annotations(o, "annotations", e);
    put_time(o, "startsAt", e->a.fired_ms);
    if (m->firing)
        put(o, "endsAt", SLICE("0001-01-01T00:00:00Z"));
    else
        put_time(o, "endsAt", e->a.since_ms);
    put_link(o, "generatorURL", m);
    put(o, "fingerprint", slice_str(fingerprint));
    json_close(o, '}');
}

static void webhook_body(const char *receiver, const struct notify_message *m,
                         struct buf *out)
{
    struct buf group = { 0 };
    struct json_out o = { .b = out };
    const struct alert_entry *only = m->n + m->more == 1 ? m->at[0] : NULL;
    buf_addf(&group, "{}:{alertname=\"%s\"}", m->rule);
    json_open(&o, '{');
    put(&o, "version", SLICE("4"));
    put(&o, "groupKey", buf_slice(&group));
    json_key(&o, "truncatedAlerts");
    json_u64(&o, m->more);
    put(&o, "status", m->firing ? SLICE("firing") : SLICE("resolved"));
    put(&o, "receiver", slice_str(receiver));
    json_key(&o, "groupLabels");
    json_open(&o, '{');
    put(&o, "alertname", slice_str(m->rule));
    json_close(&o, '}');
    put_labels(&o, "commonLabels", m, only);
    json_key(&o, "commonAnnotations");
    json_open(&o, '{');
    if (only) {
        put(&o, "summary", only->summary);
        put_values(&o, only);
    }
    json_close(&o, '}');
    put(&o, "externalURL", slice_str(m->external_url));
    json_key(&o, "alerts");
    json_open(&o, '[');
    for (size_t i = 0; i < m->n; i++)
        put_webhook_alert(&o, m, m->at[i]);
    json_close(&o, ']');
    json_close(&o, '}');
    buf_release(&group);
}

static void alertmanager_body(const struct notify_message *m, struct buf *out)
{
    struct json_out o = { .b = out };
    json_open(&o, '[');
    for (size_t i = 0; i < m->n; i++) {
        json_open(&o, '{');
        put_labels(&o, "labels", m, m->at[i]);
        put_annotations(&o, "annotations", m->at[i]);
        put_time(&o, "startsAt", m->at[i]->a.fired_ms);
        put_time(&o, "endsAt", m->firing ? m->ends_ms : m->at[i]->a.since_ms);
        if (m->external_url && *m->external_url)
            put_link(&o, "generatorURL", m);
        json_close(&o, '}');
    }
    json_close(&o, ']');
}

/* --- Slack ----------------------------------------------------------------------------
 */

/* Text that mrkdwn does not act on: api.slack.com/reference/surfaces/formatting. */
static void mrkdwn(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&')
            buf_adds(out, "&amp;");
        else if (s.p[i] == '<')
            buf_adds(out, "&lt;");
        else if (s.p[i] == '>')
            buf_adds(out, "&gt;");
        else
            buf_addc(out, s.p[i]);
    }
}

enum { SLACK_SECTION = 2800 /* of 3,000 characters that a section may have */ };

static void slack_text(const struct notify_message *m, struct buf *out)
{
    size_t shown = 0;
    buf_addf(out, "*%s %s* (%s)", m->firing ? "Firing:" : "Resolved:", m->rule,
             m->severity);
    for (; shown < m->n && shown < NOTIFY_LINES; shown++) {
        struct buf line = { 0 };
        mrkdwn(&line, m->at[shown]->summary);
        bool fits = out->n + line.n + 200 < SLACK_SECTION;
        if (fits)
            buf_addf(out, "\n• %s", buf_cstr(&line));
        buf_release(&line);
        if (!fits)
            break;
    }
    if (m->n + m->more > shown)
        buf_addf(out, "\n• and %zu more", m->n + m->more - shown);
    if (!m->firing && m->still)
        buf_addf(out, "\n%zu more of %s still firing", m->still, m->rule);
}

static void slack_section(struct json_out *o, struct slice text)
{
    json_open(o, '{');
    put(o, "type", SLICE("section"));
    json_key(o, "text");
    json_open(o, '{');
    put(o, "type", SLICE("mrkdwn"));
    put(o, "text", text);
    json_close(o, '}');
    json_close(o, '}');
}

static void slack_body(const struct notify_message *m, struct buf *out)
{
    struct buf title = { 0 }, escaped = { 0 }, text = { 0 }, link = { 0 };
    struct json_out o = { .b = out };
    notify_title(m, &title);
    mrkdwn(&escaped, buf_slice(&title));
    slack_text(m, &text);
    notify_link(m, &link);
    if (link.n) {
        buf_adds(&text, "\n<");
        mrkdwn(&text, buf_slice(&link));
        buf_adds(&text, "|Open Breakeven>");
    }
    json_open(&o, '{');
    put(&o, "text", buf_slice(&escaped)); /* of notifications */
    json_key(&o, "unfurl_links");
    json_bool(&o, false);
    json_key(&o, "blocks");
    json_open(&o, '[');
    slack_section(&o, buf_slice(&text));
    json_close(&o, ']');
    json_close(&o, '}');
    buf_release(&title);
    buf_release(&escaped);
    buf_release(&text);
    buf_release(&link);
}

/* --- PagerDuty Events API v2 ----------------------------------------------------------
 */

static void pagerduty_details(struct json_out *o, const struct notify_message *m)
{
    json_key(o, "custom_details");
    json_open(o, '{');
    if (m->n == 1)
        put_values(o, m->at[0]);
    json_key(o, "alerts");
    json_open(o, '[');
    for (size_t i = 0; i < m->n && i < NOTIFY_LINES; i++)
        json_str(o, m->at[i]->summary);
    json_close(o, ']');
    json_key(o, "count");
    json_u64(o, m->n + m->more);
    json_close(o, '}');
}

static void pagerduty_payload(struct json_out *o, const struct notify_message *m)
{
    struct buf title = { 0 };
    const struct alert_entry *e = m->at[0];
    notify_title(m, &title);
    json_key(o, "payload");
    json_open(o, '{');
    put(o, "summary", buf_slice(&title)); /* far below the 1,024 bytes it may have */
    put(o, "source",
        m->external_url && *m->external_url ? slice_str(m->external_url)
                                            : SLICE("breakeven-collector"));
    put(o, "severity", slice_str(m->severity));
    put_time(o, "timestamp", e->a.fired_ms ? e->a.fired_ms : m->now_ms);
    if (e->labels && m->n == 1)
        put(o, "component", e->label[0].value);
    put(o, "group", slice_str(m->rule));
    put(o, "class", slice_str(m->rule));
    pagerduty_details(o, m);
    json_close(o, '}');
    buf_release(&title);
}

static void pagerduty_body(struct slice key, const struct notify_message *m,
                           struct buf *out)
{
    char dedup[17];
    struct json_out o = { .b = out };
    notify_fingerprint(m->rule, m->grouped ? NULL : m->at[0], dedup);
    json_open(&o, '{');
    put(&o, "routing_key", key);
    put(&o, "event_action",
        m->acked    ? SLICE("acknowledge")
        : m->firing ? SLICE("trigger")
                    : SLICE("resolve"));
    put(&o, "dedup_key", slice_str(dedup));
    if (m->firing && !m->acked) {
        pagerduty_payload(&o, m);
        put(&o, "client", SLICE("Breakeven"));
        if (m->external_url && *m->external_url)
            put_link(&o, "client_url", m);
    }
    json_close(&o, '}');
}

void notify_body(enum notify_kind kind, const char *receiver, struct slice secret,
                 const struct notify_message *m, struct buf *out)
{
    switch (kind) {
    case NOTIFY_WEBHOOK:
        webhook_body(receiver, m, out);
        break;
    case NOTIFY_SLACK:
        slack_body(m, out);
        break;
    case NOTIFY_ALERTMANAGER:
        alertmanager_body(m, out);
        break;
    case NOTIFY_PAGERDUTY:
        pagerduty_body(secret, m, out);
        break;
    case NOTIFY_EMAIL:
    case NOTIFY_KINDS:
        break;
    }
}
