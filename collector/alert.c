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
    a->acked = 0;
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

enum alert_change alert_owed(const struct alert *a, unsigned c)
{
    assert(c < ALERT_CHANNELS_MAX);
    bool firing = a->phase == ALERT_FIRING, told = a->told >> c & 1;
    return firing == told ? ALERT_NONE : firing ? ALERT_FIRED : ALERT_RESOLVED;
}

void alert_told(struct alert *a, unsigned c)
{
    uint64_t bit = (uint64_t)1 << c;
    assert(c < ALERT_CHANNELS_MAX);
    a->told = a->phase == ALERT_FIRING ? a->told | bit : a->told & ~bit;
}

bool alert_failed(struct alert_retry *r, int64_t now_ms, int64_t give_up_ms,
                  double random01)
{
    int64_t wait = RETRY_FIRST_MS;
    if (r->attempts == 0)
        r->first_ms = now_ms;
    if (now_ms - r->first_ms >= give_up_ms) {
        *r = (struct alert_retry){ 0 };
        return false;
    }
    for (uint64_t i = 0; i < r->attempts && wait < RETRY_MOST_MS; i++)
        wait *= 2;
    if (wait > RETRY_MOST_MS)
        wait = RETRY_MOST_MS;
    r->attempts++;
    r->next_ms = now_ms + wait / 2 + (int64_t)(random01 * (double)(wait / 2));
    return true;
}

const char *alert_phase_name(enum alert_phase p)
{
    static const char *const names[] = { "inactive", "pending", "firing" };
    return p < sizeof names / sizeof *names ? names[p] : "";
}
