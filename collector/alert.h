/*
 * Alert states: from "is the condition true now" to one message a change. Pure: the
 * caller brings the time, evaluates the conditions (alert_rules.c) and delivers the
 * messages (notify.c); alert_set.c keeps many of them as one JSON document.
 *
 *   inactive --true--> pending --true for `pending_ms`--> firing
 *   firing --false for `resolve_ms`--> inactive
 *
 * Hysteresis is in both directions: a condition that flickers neither fires nor resolves.
 * What a channel has been told is kept as a bit; a message is due while that bit and the
 * phase disagree. So nothing is said twice, and a change that nobody could be told of and
 * that is over again is not said at all.
 */
#ifndef BREAKEVEN_ALERT_H
#define BREAKEVEN_ALERT_H

#include <stdbool.h>
#include <stdint.h>

enum alert_phase { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

enum alert_change { ALERT_NONE, ALERT_FIRED, ALERT_RESOLVED };

enum { ALERT_CHANNELS_MAX = 64 };

struct alert_rule {
    int64_t pending_ms, resolve_ms;
};

struct alert {
    enum alert_phase phase;
    int64_t since_ms; /* of this phase */
    int64_t fired_ms; /* of the last firing; 0: never */
    int64_t clear_ms; /* while firing: since when the condition is false; 0: it holds */
    uint64_t told;    /* bit per channel that takes it for firing */
    uint64_t acked;   /* bit per channel that heard of this firing's acknowledgement */
    uint64_t mark;    /* a counter as a rule last saw it grow, and when */
    int64_t mark_ms;  /* 0: never seen */
};

/* Advance by one evaluation at now_ms. */
enum alert_change alert_step(struct alert *a, const struct alert_rule *rule,
                             bool condition, int64_t now_ms);

/* What channel c has yet to hear: ALERT_FIRED, ALERT_RESOLVED or ALERT_NONE. */
enum alert_change alert_owed(const struct alert *a, unsigned c);
/* Channel c has heard of the phase as it is. */
void alert_told(struct alert *a, unsigned c);

/* Tries to reach one channel about one rule. A zeroed struct has not failed yet. */
struct alert_retry {
    uint64_t attempts; /* failed ones since the last success */
    int64_t first_ms;  /* of these */
    int64_t next_ms;   /* not before */
};

/*
 * A try has failed: wait 10 s, doubled up to 10 min, 50-100 % of it by random01. False:
 * it has failed for longer than give_up_ms, and the retry starts afresh.
 */
bool alert_failed(struct alert_retry *r, int64_t now_ms, int64_t give_up_ms,
                  double random01);

const char *alert_phase_name(enum alert_phase p);

#endif
