/*
 * Alert states: from "is the condition true now" to one message a change. Pure: the
 * caller brings the time, evaluates the conditions (alert_job.c) and delivers the
 * messages (notify.c). A state is a small JSON document, so it survives a restart in the
 * store.
 *
 *   inactive --true--> pending --true for `pending_ms`--> firing --false for
 * `resolve_ms`--> inactive
 *
 * Hysteresis is in both directions: a condition that flickers neither fires nor resolves.
 */
#ifndef BREAKEVEN_ALERT_H
#define BREAKEVEN_ALERT_H

#include "common/buf.h"
#include "common/json.h"

enum alert_phase { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };

enum alert_change { ALERT_NONE, ALERT_FIRED, ALERT_RESOLVED };

struct alert_rule {
    const char *name; /* "breakeven_crossed" */
    const char *severity;
    int64_t pending_ms, resolve_ms;
};

struct alert {
    enum alert_phase phase;
    int64_t since_ms;   /* of this phase */
    int64_t fired_ms;   /* of the last firing; 0: never */
    int64_t clear_ms;   /* while firing: since when the condition is false; 0: it holds */
    uint64_t revision;  /* grows with each change; part of the message's dedup key */
    uint64_t delivered; /* revision that every channel has taken */
    uint64_t unsent;    /* bit per channel that has not taken `revision` yet */
    unsigned attempts;  /* failed tries since the last success */
    int64_t retry_ms;   /* not before */
};

/* Advance by one evaluation at now_ms. The result says whether a message is due. */
enum alert_change alert_step(struct alert *a, const struct alert_rule *rule,
                             bool condition, int64_t now_ms);

/*
 * A message for `channels` channels has become due: mark them all unsent. A change that
 * no channel has taken yet is replaced by the new one (fired and resolved unseen: no
 * message).
 */
void alert_queue(struct alert *a, enum alert_change change, unsigned channels);

/* Should channel c be tried now? */
bool alert_due(const struct alert *a, unsigned c, int64_t now_ms);
/* The outcome of a try. Failure backs off: 10 s doubled up to 10 min, 50-100 % of it. */
void alert_sent(struct alert *a, unsigned c);
void alert_failed(struct alert *a, int64_t now_ms, double random01);

void alert_encode(const struct alert *a, struct buf *out); /* one JSON object */
enum status alert_decode(struct alert *a, struct slice json);

const char *alert_phase_name(enum alert_phase p);

#endif
