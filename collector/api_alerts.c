/* See api_alerts.h; alert_job.h and silence.h do the work. */
#include "collector/api_alerts.h"

#include "collector/alert_job.h"
#include "collector/metrics.h"
#include "common/instant.h"
#include "common/json.h"

void alert_subject(const struct alert_entry *e, struct buf *out)
{
    for (size_t i = 0; i < e->labels; i++) {
        buf_adds(out, i ? "/" : "");
        buf_add(out, e->label[i].value);
    }
}

bool alert_duration(struct slice text, int64_t *ms)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
    uint64_t n;
    if (text.n < 2 || !slice_u64(slice_head(text, text.n - 1), &n) || n == 0 ||
        n > 400 * 86400)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (text.p[text.n - 1] != units[i].letter)
            continue;
        *ms = (int64_t)n * units[i].ms;
        return *ms <= INT64_C(400) * 86400000;
    }
    return false;
}

enum status alerts_each(struct store *store, const struct alert_config *config,
                        const struct silences *silences, int64_t now_ms, struct arena *a,
                        alert_row_fn *fn, void *arg)
{
    static const enum alert_phase order[] = { ALERT_FIRING, ALERT_PENDING,
                                              ALERT_INACTIVE };
    const struct alert_names names = alert_job_names(config);
    struct alert_set set[ALERT_RULES];
    int64_t at_s;
    for (size_t i = 0; i < ALERT_RULES; i++) {
        alert_set_init(&set[i], a);
        enum status st =
            alert_job_load(store, alert_rules[i].name, &names, NULL, &set[i], &at_s);
        if (st != ST_OK)
            return st;
    }
    for (size_t p = 0; p < sizeof order / sizeof *order; p++)
        for (size_t i = 0; i < ALERT_RULES; i++)
            for (size_t k = 0; k < set[i].n; k++) {
                const struct alert_entry *e = set[i].at[k];
                struct alert_row row = {
                    .rule = alert_rules[i].name,
                    .severity =
                        notify_severities[alert_rule_config(config, &alert_rules[i])
                                              ->severity],
                    .entry = e,
                };
                if (e->a.phase != order[p] ||
                    (order[p] == ALERT_INACTIVE && e->a.fired_ms == 0))
                    continue;
                row.held = silence_find(silences, row.rule, row.severity, e, now_ms);
                fn(arg, &row);
            }
    return ST_OK;
}

/* --- lists ----------------------------------------------------------------------------
 */

static void put_text(struct json_out *o, const char *key, struct slice v)
{
    json_key(o, key);
    json_str(o, v);
}

static void put_time(struct json_out *o, const char *key, int64_t ms)
{
    struct buf b = { 0 };
    json_key(o, key);
    instant_format(ms * 1000000, &b);
    if (ms)
        json_str(o, buf_slice(&b));
    else
        json_null(o);
    buf_release(&b);
}

struct listing {
    struct json_out o;
    struct slice phase, rule;
};

static void put_held(struct json_out *o, const struct silence *s)
{
    json_key(o, "silenced");
    json_bool(o, s && !s->ack);
    json_key(o, "acknowledged");
    json_bool(o, s && s->ack);
    put_text(o, "silence_id", s ? s->id : SLICE(""));
    put_text(o, "comment", s ? s->comment : SLICE(""));
    put_time(o, "silenced_until", s && !s->ack ? s->until_ms : 0);
}

static void put_alert(void *arg, const struct alert_row *row)
{
    static const char *const labels[] = { "workload", "threshold", "agent",
                                          "app",      "provider",  "model" };
    struct listing *l = arg;
    const struct alert_entry *e = row->entry;
    const char *phase =
        e->a.phase == ALERT_INACTIVE ? "resolved" : alert_phase_name(e->a.phase);
    struct buf subject = { 0 };
    if ((l->phase.p && !slice_eq(l->phase, slice_str(phase))) ||
        (l->rule.p && !slice_eq(l->rule, slice_str(row->rule))))
        return;
    alert_subject(e, &subject);
    json_open(&l->o, '{');
    put_text(&l->o, "rule", slice_str(row->rule));
    put_text(&l->o, "subject", buf_slice(&subject));
    put_text(&l->o, "severity", slice_str(row->severity));
    put_text(&l->o, "phase", slice_str(phase));
    put_time(&l->o, "time", e->a.since_ms);
    put_time(&l->o, "fired", e->a.fired_ms);
    put_text(&l->o, "summary", e->summary);
    put_held(&l->o, row->held);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        put_text(&l->o, labels[i], alert_entry_label(e, labels[i]));
    json_close(&l->o, '}');
    buf_release(&subject);
}

static void failed(struct api_reply *r, enum status st, struct buf *why)
{
    api_error(r, 503, "alerts cannot be read: %s",
              why->n ? buf_cstr(why) : status_name(st));
}

void api_alerts(const struct collector *c, const struct api_request *q,
                struct api_reply *r)
{
    struct listing l = { .o = { .b = &r->body },
                         .phase = api_param(q, "phase"),
                         .rule = api_param(q, "rule") };
    struct silences silences;
    struct buf why = { 0 };
    enum status st = silences_load(c->config->data_dir, &silences, &why);
    json_open(&l.o, '[');
    if (st == ST_OK)
        st = alerts_each(c->store, &c->config->alerts, &silences, q->now_s * 1000,
                         q->arena, put_alert, &l);
    json_close(&l.o, ']');
    if (st != ST_OK)
        failed(r, st, &why);
    silences_release(&silences);
    buf_release(&why);
}

struct counts {
    size_t phase[ALERT_RULES][3];
};

static void count_row(void *arg, const struct alert_row *row)
{
    struct counts *n = arg;
    for (size_t i = 0; i < ALERT_RULES; i++)
        n->phase[i][row->entry->a.phase] += row->rule == alert_rules[i].name;
}

void api_alert_rules(const struct collector *c, const struct api_request *q,
                     struct api_reply *r)
{
    struct json_out o = { .b = &r->body };
    struct counts n = { 0 };
    struct buf none = { 0 };
    enum status st = alerts_each(c->store, &c->config->alerts, NULL, q->now_s * 1000,
                                 q->arena, count_row, &n);
    if (st != ST_OK)
        return failed(r, st, &none);
    json_open(&o, '[');
    for (size_t i = 0; i < ALERT_RULES; i++) {
        const struct alert_rule_config *rc =
            alert_rule_config(&c->config->alerts, &alert_rules[i]);
        json_open(&o, '{');
        put_text(&o, "rule", slice_str(alert_rules[i].name));
        json_key(&o, "enabled");
        json_bool(&o, rc->enabled);
        put_text(&o, "severity", slice_str(notify_severities[rc->severity]));
        json_key(&o, "for_s");
        json_i64(&o, rc->for_ms / 1000);
        json_key(&o, "resolve_after_s");
        json_i64(&o, rc->resolve_ms / 1000);
        json_key(&o, "firing");
        json_u64(&o, n.phase[i][ALERT_FIRING]);
        json_key(&o, "pending");
        json_u64(&o, n.phase[i][ALERT_PENDING]);
        json_close(&o, '}');
    }
    json_close(&o, ']');
}

/* The retry of each channel that is furthest off, over all rules. */
static enum status read_retries(const struct collector *c, struct arena *a,
                                struct alert_retry out[static ALERT_CHANNELS_MAX])
{
    const struct alert_names names = alert_job_names(&c->config->alerts);
    enum status st = ST_OK;
    for (size_t i = 0; i < ALERT_RULES && st == ST_OK; i++) {
        struct alert_set set;
        int64_t at_s;
        alert_set_init(&set, a);
        st = alert_job_load(c->store, alert_rules[i].name, &names, NULL, &set, &at_s);
        for (size_t k = 0; k < names.n; k++)
            if (set.retry[k].attempts && set.retry[k].next_ms > out[k].next_ms)
                out[k] = set.retry[k];
    }
    return st;
}

void api_alert_channels(const struct collector *c, const struct api_request *q,
                        struct api_reply *r)
{
    static const char *const counts[] = { "taken", "failed", "given_up" };
    const struct notify_channel *ch = c->config->alerts.channels.at;
    struct alert_retry retry[ALERT_CHANNELS_MAX] = { 0 };
    struct json_out o = { .b = &r->body };
    struct buf none = { 0 };
    enum status st = read_retries(c, q->arena, retry);
    if (st != ST_OK)
        return failed(r, st, &none);
    json_open(&o, '[');
    for (size_t i = 0; i < c->config->alerts.channels.n; i++) {
        json_open(&o, '{');
        put_text(&o, "name", slice_str(ch[i].name));
        put_text(&o, "type", slice_str(notify_kind_name(ch[i].kind)));
        for (int k = 0; k < METRICS_NOTIFIES; k++) {
            json_key(&o, counts[k]);
            json_u64(&o, metrics_notifications(c->metrics, (unsigned)i,
                                               (enum metrics_notify)k));
        }
        json_key(&o, "attempts");
        json_u64(&o, retry[i].attempts);
        put_time(&o, "failing_since", retry[i].first_ms);
        put_time(&o, "next_try", retry[i].next_ms);
        json_close(&o, '}');
    }
    json_close(&o, ']');
}

void api_silences(const struct collector *c, const struct api_request *q,
                  struct api_reply *r)
{
    struct json_out o = { .b = &r->body };
    struct silences s;
    struct buf why = { 0 };
    enum status st = silences_load(c->config->data_dir, &s, &why);
    json_open(&o, '[');
    for (size_t i = 0; st == ST_OK && i < s.n; i++) {
        if (!s.at[i].ack && s.at[i].until_ms <= q->now_s * 1000)
            continue;
        json_open(&o, '{');
        put_text(&o, "id", s.at[i].id);
        put_text(&o, "kind", s.at[i].ack ? SLICE("ack") : SLICE("silence"));
        put_text(&o, "match", s.at[i].match);
        put_text(&o, "comment", s.at[i].comment);
        put_time(&o, "time", s.at[i].at_ms);
        put_time(&o, "until", s.at[i].ack ? 0 : s.at[i].until_ms);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    if (st != ST_OK)
        failed(r, st, &why);
    silences_release(&s);
    buf_release(&why);
}

/* --- changes --------------------------------------------------------------------------
 */

struct order {
    struct slice match, lasts, comment, id; /* memory of the request */
};

static const char *read_order(struct slice body, struct arena *a, struct order *out)
{
    struct json j;
    struct slice text;
    enum json_type t;
    json_init(&j, JSON_ONE);
    json_feed(&j, body);
    json_finish(&j);
    if (json_next(&j, &text) != JSON_OBJECT)
        return "the body must be a JSON object";
    while ((t = json_next(&j, &text)) == JSON_KEY) {
        struct slice *to = slice_eq(text, SLICE("match"))     ? &out->match
                           : slice_eq(text, SLICE("for"))     ? &out->lasts
                           : slice_eq(text, SLICE("comment")) ? &out->comment
                           : slice_eq(text, SLICE("id"))      ? &out->id
                                                              : NULL;
        if (!to)
            return "allowed are match, for, comment and id";
        if (json_next(&j, &text) != JSON_STRING || j.truncated)
            return "match, for, comment and id are strings of up to 400 bytes";
        *to = arena_dup(a, text);
    }
    return t == JSON_OBJECT_END ? NULL : "the body is no JSON";
}

static void refused(struct api_reply *r, enum status st, struct buf *why)
{
    unsigned code = st == ST_BAD         ? 400
                    : st == ST_NOT_FOUND ? 404
                    : st == ST_LIMIT     ? 409
                                         : 503;
    api_error(r, code, "%s", why->n ? buf_cstr(why) : status_name(st));
}

void api_silence(const struct collector *c, const struct api_request *q,
                 struct api_reply *r)
{
    struct order order = { 0 };
    struct silence add = { .ack = q->route == ROUTE_ACK };
    struct buf id = { 0 }, why = { 0 };
    int64_t now_ms = q->now_s * 1000 + 999, lasts = 0;
    const char *bad = read_order(q->body, q->arena, &order);
    enum status st;
    if (bad)
        return api_error(r, 400, "%s", bad);
    if (q->route == ROUTE_SILENCE && !alert_duration(order.lasts, &lasts))
        return api_error(r, 400,
                         "for: found '%.*s', allowed a duration like 30m, 2h or "
                         "7d",
                         SLICE_FMT(slice_head(order.lasts, 40)));
    add.match = order.match;
    add.comment = order.comment;
    add.until_ms = add.ack ? 0 : now_ms + lasts;
    if (q->route == ROUTE_UNSILENCE) {
        buf_add(&id, order.id);
        st = silences_remove(c->config->data_dir, order.id, &why);
    } else {
        st = silences_add(c->config->data_dir, &add, now_ms, &id, &why);
    }
    if (st == ST_OK) {
        struct json_out o = { .b = &r->body };
        json_open(&o, '{');
        put_text(&o, "id", buf_slice(&id));
        json_close(&o, '}');
    } else {
        refused(r, st, &why);
    }
    buf_release(&id);
    buf_release(&why);
}
