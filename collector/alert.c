/* Alert states: see alert.h. */
#include "collector/alert.h"

#include <assert.h>

enum { RETRY_FIRST_MS = 10000, RETRY_MOST_MS = 600000 };

static void enter(struct alert *a, enum alert_phase phase, int64_t now_ms)
{
    a->phase = phase;
    a->since_ms = now_ms;
    a->clear_ms = 0;
}

static enum alert_change fire(struct alert *a, int64_t now_ms)
{
    enter(a, ALERT_FIRING, now_ms);
    a->fired_ms = now_ms;
    return ALERT_FIRED;
}

static enum alert_change step_firing(struct alert *a, const struct alert_rule *rule,
                                     bool condition, int64_t now_ms)
{
    if (condition) {
        a->clear_ms = 0;
        return ALERT_NONE;
    }
    if (!a->clear_ms)
        a->clear_ms = now_ms;
    if (now_ms - a->clear_ms < rule->resolve_ms)
        return ALERT_NONE;
    enter(a, ALERT_INACTIVE, now_ms);
    return ALERT_RESOLVED;
}

enum alert_change alert_step(struct alert *a, const struct alert_rule *rule,
                             bool condition, int64_t now_ms)
{
    switch (a->phase) {
    case ALERT_INACTIVE:
        if (!condition)
            return ALERT_NONE;
        if (rule->pending_ms <= 0)
            return fire(a, now_ms);
        enter(a, ALERT_PENDING, now_ms);
        return ALERT_NONE;
    case ALERT_PENDING:
        if (!condition)
            enter(a, ALERT_INACTIVE, now_ms);
        else if (now_ms - a->since_ms >= rule->pending_ms)
            return fire(a, now_ms);
        return ALERT_NONE;
    case ALERT_FIRING:
        return step_firing(a, rule, condition, now_ms);
    }
    assert(0); /* a phase outside the enum */
    return ALERT_NONE;
}

void alert_queue(struct alert *a, enum alert_change change, unsigned channels)
{
    assert(channels <= 64);
    if (change == ALERT_NONE)
        return;
    uint64_t all = channels == 64 ? UINT64_MAX : ((uint64_t)1 << channels) - 1;
    /* Who has not heard of the firing need not hear of its end. */
    uint64_t unaware = change == ALERT_RESOLVED ? a->unsent : 0;
    a->revision++;
    a->unsent = all & ~unaware;
    a->attempts = 0;
    a->retry_ms = 0;
    if (!a->unsent)
        a->delivered = a->revision;
}

bool alert_due(const struct alert *a, unsigned c, int64_t now_ms)
{
    return (a->unsent >> c & 1) && now_ms >= a->retry_ms;
}

void alert_sent(struct alert *a, unsigned c)
{
    a->unsent &= ~((uint64_t)1 << c);
    a->attempts = 0;
    if (!a->unsent)
        a->delivered = a->revision;
}

void alert_failed(struct alert *a, int64_t now_ms, double random01)
{
    int64_t wait = RETRY_FIRST_MS;
    for (unsigned i = 0; i < a->attempts && wait < RETRY_MOST_MS; i++)
        wait *= 2;
    if (wait > RETRY_MOST_MS)
        wait = RETRY_MOST_MS;
    a->attempts++;
    a->retry_ms = now_ms + wait / 2 + (int64_t)(random01 * (double)(wait / 2));
}

const char *alert_phase_name(enum alert_phase p)
{
    static const char *const names[] = { "inactive", "pending", "firing" };
    return p < sizeof names / sizeof *names ? names[p] : "";
}

void alert_encode(const struct alert *a, struct buf *out)
{
    struct json_out o = { .b = out };
    json_open(&o, '{');
    json_key(&o, "phase");
    json_str(&o, slice_str(alert_phase_name(a->phase)));
    json_key(&o, "since_ms");
    json_i64(&o, a->since_ms);
    json_key(&o, "fired_ms");
    json_i64(&o, a->fired_ms);
    json_key(&o, "clear_ms");
    json_i64(&o, a->clear_ms);
    json_key(&o, "revision");
    json_u64(&o, a->revision);
    json_key(&o, "delivered");
    json_u64(&o, a->delivered);
    json_key(&o, "unsent");
    json_u64(&o, a->unsent);
    json_close(&o, '}');
}

static bool read_phase(struct slice text, enum alert_phase *out)
{
    for (int p = ALERT_INACTIVE; p <= ALERT_FIRING; p++) {
        if (slice_eq(text, slice_str(alert_phase_name((enum alert_phase)p)))) {
            *out = (enum alert_phase)p;
            return true;
        }
    }
    return false;
}

static bool read_number(struct alert *a, struct slice key, struct slice text)
{
    const struct {
        const char *key;
        int64_t *i;
        uint64_t *u;
    } fields[] = {
        { "since_ms", &a->since_ms, NULL },   { "fired_ms", &a->fired_ms, NULL },
        { "clear_ms", &a->clear_ms, NULL },   { "revision", NULL, &a->revision },
        { "delivered", NULL, &a->delivered }, { "unsent", NULL, &a->unsent },
    };
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        if (slice_eq(key, slice_str(fields[f].key)))
            return fields[f].i ? slice_i64(text, fields[f].i)
                               : slice_u64(text, fields[f].u);
    return true; /* a field of a later version */
}

enum status alert_decode(struct alert *a, struct slice json)
{
    struct json j;
    struct slice text, key = { 0 };
    char name[32];
    json_init(&j, JSON_ONE);
    json_feed(&j, json);
    json_finish(&j);
    *a = (struct alert){ 0 };
    if (json_next(&j, &text) != JSON_OBJECT)
        return ST_BAD;
    for (;;) {
        switch (json_next(&j, &text)) {
        case JSON_KEY:
            key = slice_of(name, text.n < sizeof name ? text.n : 0);
            memcpy(name, text.p, key.n);
            break;
        case JSON_STRING:
            if (slice_eq(key, SLICE("phase")) && !read_phase(text, &a->phase))
                return ST_BAD;
            break;
        case JSON_NUMBER:
            if (!read_number(a, key, text))
                return ST_BAD;
            break;
        case JSON_END:
            return ST_OK;
        case JSON_BAD:
        case JSON_MORE:
            return ST_BAD;
        default:
            break;
        }
    }
}
