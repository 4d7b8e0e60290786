/* What to send, wait for or drop next: see ship.h. Pure. */
#include "agent/ship.h"

#include "common/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { RETRY_AFTER_MAX_S = 3600, BYTES_CAP_MIN = 64 * 1024, WIRE_SCHEMA = 1 };

struct ship_limits ship_limits_default(void)
{
    return (struct ship_limits){ .max_rows = 2000,
                                 .max_bytes = 512 << 10,
                                 .interval_ms = 10 * 1000,
                                 .heartbeat_ms = 60 * 1000,
                                 .backoff_min_ms = 1000,
                                 .backoff_max_ms = 300 * 1000 };
}

void ship_init(struct ship *s, const struct ship_limits *limits, int64_t now_ms)
{
    *s = (struct ship){ .limits = *limits,
                        .rows_cap = limits->max_rows,
                        .bytes_cap = limits->max_bytes,
                        .due_ms = now_ms,
                        .sent_ms = now_ms - limits->heartbeat_ms };
}

const char *ship_health_name(enum ship_health h)
{
    static const char *const names[] = {
        [SHIP_UNTRIED] = "untried",         [SHIP_OK] = "ok",
        [SHIP_UNREACHABLE] = "unreachable", [SHIP_UNAUTHORISED] = "unauthorised",
        [SHIP_OVERLOADED] = "overloaded",   [SHIP_MISUNDERSTOOD] = "misunderstood",
    };
    return (size_t)h < sizeof names / sizeof *names ? names[h] : "unknown";
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct ship_step ship_next(const struct ship *s, int64_t now_ms, bool waiting)
{
    const int64_t rows_at = s->eager ? s->due_ms : s->sent_ms + s->limits.interval_ms;
    const int64_t heartbeat_at = s->sent_ms + s->limits.heartbeat_ms;
    struct ship_step step = { .max_rows = s->rows_cap, .max_bytes = s->bytes_cap };
    if (s->phase == SHIP_PROBE && now_ms >= s->due_ms) {
        step.what = SHIP_SEND_HEARTBEAT;
    } else if (s->phase == SHIP_PROBE) {
        step.wait_until_ms = s->due_ms;
    } else if (waiting && now_ms >= later(rows_at, s->due_ms)) {
        step.what = SHIP_SEND_ROWS;
    } else if (now_ms >= later(heartbeat_at, s->due_ms)) {
        step.what = SHIP_SEND_HEARTBEAT;
    } else {
        step.wait_until_ms =
            later(waiting && rows_at < heartbeat_at ? rows_at : heartbeat_at, s->due_ms);
    }
    return step;
}

/* --- Judging answers --------------------------------------------------------------- */

static void set_health(struct ship *s, struct ship_verdict *v, enum ship_health h)
{
    v->changed = s->health != h;
    s->health = h;
}

/* Full jitter: uniform over 1 ms .. ceiling, which doubles from failure to failure. */
static int64_t backoff(const struct ship *s, uint64_t random)
{
    int64_t ceiling = s->limits.backoff_min_ms;
    for (unsigned i = 1; i < s->failures && ceiling < s->limits.backoff_max_ms; i++)
        ceiling *= 2;
    if (ceiling > s->limits.backoff_max_ms)
        ceiling = s->limits.backoff_max_ms;
    return 1 + (int64_t)(random % (uint64_t)ceiling);
}

/* Time heals it: back off, or do as Retry-After says (spread over backoff_min more). */
static void retry_soon(struct ship *s, int64_t now_ms, uint64_t random, int64_t after_ms)
{
    s->failures++;
    s->due_ms =
        now_ms + (after_ms > 0
                      ? after_ms + (int64_t)(random % (uint64_t)s->limits.backoff_min_ms)
                      : backoff(s, random));
}

/* Somebody must do something: the upper half of the longest back-off. */
static void retry_slowly(struct ship *s, int64_t now_ms, uint64_t random,
                         int64_t after_ms)
{
    const int64_t half = s->limits.backoff_max_ms / 2;
    s->failures++;
    s->due_ms = now_ms + later(after_ms, half + (int64_t)(random % (uint64_t)half));
}

static void grow(struct ship *s)
{
    s->rows_cap =
        s->rows_cap < s->limits.max_rows / 2 ? s->rows_cap * 2 : s->limits.max_rows;
    s->bytes_cap =
        s->bytes_cap < s->limits.max_bytes / 2 ? s->bytes_cap * 2 : s->limits.max_bytes;
}

static void accepted(struct ship *s, int64_t now_ms, const struct ship_sent *sent,
                     struct ship_verdict *v)
{
    v->fate = SHIP_ACK;
    s->failures = 0;
    s->due_ms = s->sent_ms = now_ms;
    s->eager = sent->more;
    s->hinted = false;
    set_health(s, v, SHIP_OK);
    if (s->phase == SHIP_PROBE) {
        v->fate = SHIP_REFUSE;
        snprintf(v->reason, sizeof v->reason, "the collector refuses this row: %s",
                 s->refusal);
        s->phase = SHIP_NORMAL;
        s->rows_cap = s->limits.max_rows;
        s->bytes_cap = s->limits.max_bytes;
        s->eager = true;
    } else if (sent->rows) {
        grow(s);
    }
}

/*
 * 400 or 413: something in the batch, unless the header line or an empty batch is meant.
 * The next batch ends before the line that was named (believed once between acks), or is
 * half as large, down to one row; then a heartbeat tells whether it is that row or all of
 * us.
 */
static bool shrink(struct ship *s, int64_t now_ms, const struct ship_sent *sent,
                   unsigned status, const struct ship_reply *reply)
{
    if (sent->rows == 0 || reply->line == 1)
        return false;
    s->due_ms = now_ms;
    s->eager = true;
    if (sent->rows == 1) {
        s->phase = SHIP_PROBE;
        snprintf(s->refusal, sizeof s->refusal, "%u: %.180s", status,
                 reply->error[0] ? reply->error : "no reason given");
        return true;
    }
    s->rows_cap = sent->rows / 2;
    if (status == 400 && !s->hinted && reply->line >= 2 && reply->line - 2 < sent->rows)
        s->rows_cap = reply->line > 2 ? (size_t)reply->line - 2 : 1;
    s->hinted = true;
    if (status == 413 && s->bytes_cap / 2 >= BYTES_CAP_MIN)
        s->bytes_cap /= 2;
    return true;
}

static void misunderstood(struct ship *s, int64_t now_ms, uint64_t random,
                          const struct ship_answer *a, const char *error,
                          struct ship_verdict *v)
{
    if (s->phase == SHIP_PROBE) { /* it is not the row: try that one again later */
        s->phase = SHIP_NORMAL;
        s->rows_cap = 1;
    }
    retry_slowly(s, now_ms, random, a->retry_after_ms);
    set_health(s, v, SHIP_MISUNDERSTOOD);
    snprintf(v->reason, sizeof v->reason,
             "the answer is not a collector's, or it does not take this agent's batches"
             " (%u: %.100s); is the URL right?",
             a->status, error[0] ? error : "no reason given");
}

static void tell_loss(const struct ship_reply *r, struct ship_verdict *v)
{
    v->lost = r->too_old + r->in_future + r->over_limit;
    snprintf(v->loss, sizeof v->loss,
             "%" PRIu64 " older than its hourly retention, %" PRIu64
             " in its future, %" PRIu64 " over its limit of series",
             r->too_old, r->in_future, r->over_limit);
}

struct ship_verdict ship_answered(struct ship *s, int64_t now_ms, uint64_t random,
                                  const struct ship_sent *sent,
                                  const struct ship_answer *a)
{
    struct ship_verdict v = { .fate = SHIP_RETRY };
    struct ship_reply reply;
    bool readable = ship_reply_parse(a->body, &reply);
    unsigned status = a->status;
    assert(s->phase != SHIP_PROBE || sent->rows == 0);
    if (status == 0) {
        retry_soon(s, now_ms, random, -1);
        set_health(s, &v, SHIP_UNREACHABLE);
        snprintf(v.reason, sizeof v.reason, "no answer, rows wait in the spool: %.*s",
                 (int)slice_head(a->error, 200).n, a->error.n ? a->error.p : "");
    } else if (status == 200 && readable && reply.has_rows) {
        accepted(s, now_ms, sent, &v);
        tell_loss(&reply, &v);
    } else if (status == 401 || status == 403) {
        retry_slowly(s, now_ms, random, a->retry_after_ms);
        set_health(s, &v, SHIP_UNAUTHORISED);
        snprintf(v.reason, sizeof v.reason, "%s, rows wait in the spool (%u: %.180s)",
                 status == 401 ? "the token is not accepted"
                               : "the token does not speak for this agent",
                 status, reply.error[0] ? reply.error : "no reason given");
    } else if (status == 408 || status == 429 || status >= 500) {
        retry_soon(s, now_ms, random, a->retry_after_ms);
        set_health(s, &v, SHIP_OVERLOADED);
        snprintf(v.reason, sizeof v.reason,
                 "not now, rows wait in the spool (%u: %.180s)", status,
                 reply.error[0] ? reply.error : "no reason given");
    } else if ((status != 400 && status != 413) ||
               !shrink(s, now_ms, sent, status, &reply)) {
        misunderstood(s, now_ms, random, a, reply.error, &v);
    }
    return v;
}

/* --- Wire ------------------------------------------------------------------------ */

int64_t ship_retry_after(struct slice value, int64_t now_s)
{
    static const char *const formats[] = { "%a, %d %b %Y %H:%M:%S GMT",
                                           "%A, %d-%b-%y %H:%M:%S GMT",
                                           "%a %b %e %H:%M:%S %Y" };
    char text[64];
    uint64_t s;
    value = slice_trim(value);
    if (slice_u64(value, &s))
        return (int64_t)(s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
    if (value.n == 0 || value.n >= sizeof text)
        return -1;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, formats[i], &tm);
        if (end && *end == '\0') {
            int64_t wait = timegm(&tm) - now_s;
            wait = wait < 0 ? 0 : wait;
            return (wait < RETRY_AFTER_MAX_S ? wait : RETRY_AFTER_MAX_S) * 1000;
        }
    }
    return -1;
}

static bool reply_count(struct json *j, uint64_t *out)
{
    struct slice text;
    return json_next(j, &text) == JSON_NUMBER && json_count(text, out);
}

static bool reply_field(struct json *j, struct slice key, struct ship_reply *out)
{
    struct slice text;
    if (slice_eq(key, SLICE("rows"))) {
        out->has_rows = true;
        return reply_count(j, &out->rows);
    }
    if (slice_eq(key, SLICE("newer_kept")))
        return reply_count(j, &out->newer_kept);
    if (slice_eq(key, SLICE("too_old")))
        return reply_count(j, &out->too_old);
    if (slice_eq(key, SLICE("in_future")))
        return reply_count(j, &out->in_future);
    if (slice_eq(key, SLICE("over_limit")))
        return reply_count(j, &out->over_limit);
    if (slice_eq(key, SLICE("unknown_fields")))
        return reply_count(j, &out->unknown_fields);
    if (slice_eq(key, SLICE("line")))
        return reply_count(j, &out->line);
    if (slice_eq(key, SLICE("error"))) {
        if (json_next(j, &text) != JSON_STRING)
            return false;
        snprintf(out->error, sizeof out->error, "%.*s", SLICE_FMT(text));
        return true;
    }
    json_skip(j);
    return true;
}

bool ship_reply_parse(struct slice body, struct ship_reply *out)
{
    struct json j;
    struct slice text;
    enum json_type t;
    *out = (struct ship_reply){ 0 };
    json_init(&j, JSON_ONE);
    json_feed(&j, body);
    if (json_next(&j, &text) != JSON_OBJECT)
        return false;
    while ((t = json_next(&j, &text)) == JSON_KEY) {
        if (!reply_field(&j, text, out))
            return false;
    }
    if (t != JSON_OBJECT_END)
        return false;
    json_finish(&j);
    return json_next(&j, &text) == JSON_END;
}

void ship_header_line(const struct ship_header *h, struct buf *out)
{
    struct json_out o = { .b = out };
    json_open(&o, '{');
    json_key(&o, "schema");
    json_u64(&o, WIRE_SCHEMA);
    json_key(&o, "agent");
    json_str(&o, h->agent);
    json_key(&o, "epoch");
    json_u64(&o, h->epoch);
    json_key(&o, "seq");
    json_u64(&o, h->seq);
    json_key(&o, "now");
    json_i64(&o, h->now_ms);
    json_key(&o, "version");
    json_str(&o, slice_str(BREAKEVEN_VERSION));
    json_key(&o, "rows");
    json_u64(&o, h->rows);
    if (h->health.n) {
        json_key(&o, "health");
        json_raw(&o, h->health);
    }
    json_close(&o, '}');
    buf_addc(out, '\n');
}
