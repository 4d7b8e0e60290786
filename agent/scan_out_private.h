/*
 * What the two halves of scan_out share: scan_out.c writes for people, scan_json.c for
 * programs.
 */
#ifndef BREAKEVEN_SCAN_OUT_PRIVATE_H
#define BREAKEVEN_SCAN_OUT_PRIVATE_H

#include "agent/scan_out.h"

/* Then its cost is not known at all: not 0. */
static inline bool nothing_priced(const struct tally_sum *s)
{
    return s->pico == 0 && s->unpriced_calls > 0 &&
           s->unpriced_calls == s->calls - s->missing;
}

static inline uint64_t cache_writes(const uint64_t v[USAGE_CLASSES])
{
    return v[USAGE_cache_write] + v[USAGE_cache_write_5m] + v[USAGE_cache_write_1h];
}

/* Input of all classes. */
static inline uint64_t inputs(const uint64_t v[USAGE_CLASSES])
{
    return v[USAGE_input] + v[USAGE_cache_read] + cache_writes(v);
}

#endif
