/*
 * What a live capture says of itself in the agent's health: docs/capture.md, "What is
 * said". Pure: from counters to JSON. Used by source_live.
 */
#ifndef BREAKEVEN_LIVE_REPORT_H
#define BREAKEVEN_LIVE_REPORT_H

#include "agent/keylog_follow.h"
#include "agent/traffic.h"
#include "common/json.h"

/* Of one provider: what is left until its rate limit, as it said last. */
struct live_limit {
    char provider[24];        /* as a key of health: a-z, 0-9, _ */
    int64_t requests, tokens; /* left, as said last; -1: never said */
};

struct live_report {
    const struct traffic *traffic;
    const struct keylog_follow *keylogs; /* NULL: none */
    bool attached, silent;
    uint64_t silences, losses, calls, retries;
    const struct live_limit *limit;
    size_t limits;
};

/* The members `capture`, `dark` and `rate_limit`. */
void live_report_health(const struct live_report *r, struct json_out *o);

/* Members of `drops`; `kernel`: packets that the kernel dropped. */
void live_report_drops(const struct traffic *t, uint64_t kernel, struct json_out *o);

#endif
