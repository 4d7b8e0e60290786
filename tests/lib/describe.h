/*
 * A judged call on one line, as tests/unit/surfaces.txt and logs.txt spell it: provider,
 * surface, accounting, what is not as usual (outcome, quality), names, then counts by
 * their wire names. Unknown names are "-".
 */
#ifndef BREAKEVEN_DESCRIBE_H
#define BREAKEVEN_DESCRIBE_H

#include "common/buf.h"
#include "common/usage.h"

static inline void describe_name(struct buf *b, const char *key, struct slice v)
{
    if (v.n)
        buf_addf(b, " %s=%.*s", key, SLICE_FMT(v));
}

static inline void describe(void *arg, struct usage *u)
{
    struct buf *b = arg;
    if (b->n)
        buf_adds(b, "; ");
    struct slice provider = u->provider.n ? u->provider : SLICE("-");
    struct slice surface = u->surface.n ? u->surface : SLICE("-");
    buf_addf(b, "%.*s %.*s %s", SLICE_FMT(provider), SLICE_FMT(surface),
             usage_accounting_name(u->accounting));
    if (u->outcome != OUTCOME_OK && u->outcome != OUTCOME_NA)
        buf_addf(b, " %s", usage_outcome_name(u->outcome));
    if (u->quality != QUALITY_EXACT)
        buf_addf(b, " %s", usage_quality_name(u->quality));
    describe_name(b, "model", u->model);
    describe_name(b, "id", u->response_id);
    describe_name(b, "tier", u->tier);
    describe_name(b, "region", u->region);
    for (unsigned f = 0; f < USAGE_N; f++)
        if (usage_has(u, f) && f != USAGE_bytes_up && f != USAGE_bytes_down &&
            f != USAGE_cost_calls)
            buf_addf(b, " %s=%llu", usage_fields[f].wire, (unsigned long long)u->v[f]);
    if (u->total_reported != UINT64_MAX)
        buf_addf(b, " total=%llu", (unsigned long long)u->total_reported);
    if (u->check == CHECK_MISMATCH)
        buf_adds(b, " mismatch");
}

#endif
