/* Names and sums of a metered call: see usage.h. */
#include "common/usage.h"

_Static_assert(USAGE_N <= 32, "usage.have is 32 bits");

const struct usage_field_info usage_fields[USAGE_N] = {
#define USAGE_CLASS(n, w, h)                                                             \
    [USAGE_##n] = { #n, w, "tokens", h, USAGE_KIND_CLASS, USAGE_##n },
#define USAGE_SUBSET(n, w, o, h)                                                         \
    [USAGE_##n] = { #n, w, "tokens", h, USAGE_KIND_SUBSET, USAGE_##o },
#define USAGE_UNIT(n, w, u, h) [USAGE_##n] = { #n, w, u, h, USAGE_KIND_UNIT, USAGE_##n },
#include "common/usage_fields.def"
};

const uint64_t usage_context_from[USAGE_CONTEXTS] = { 0,      32000,  128000, 199999,
                                                      200000, 256000, 272000, 512000 };

static const char *const accountings[] = { "none",   "call", "deferred",
                                           "report", "free", "error" };
static const char *const outcomes[] = { "ok",           "error",   "error_in_stream",
                                        "failed",       "blocked", "pending",
                                        "rate_limited", "aborted", "n/a" };
static const char *const qualities[] = { "exact", "estimated", "missing" };
static const char *const sources[] = { "none",        "json",       "sse",     "ndjson",
                                       "eventstream", "json_array", "headers", "log",
                                       "partial",     "estimated" };
static const char *const seens[] = { "log", "capture" };
static const char *const checks[] = { "no_total", "ok", "mismatch" };

static const char *name_of(const char *const *names, size_t n, size_t i)
{
    return i < n ? names[i] : "";
}

static bool parse(const char *const *names, size_t n, struct slice s, size_t *out)
{
    for (*out = 0; *out < n; ++*out)
        if (slice_eq(s, slice_str(names[*out])))
            return true;
    return false;
}

#define COUNT(names) (sizeof(names) / sizeof *(names))

const char *usage_accounting_name(enum accounting a)
{
    return name_of(accountings, COUNT(accountings), a);
}

const char *usage_outcome_name(enum outcome o)
{
    return name_of(outcomes, COUNT(outcomes), o);
}

const char *usage_quality_name(enum quality q)
{
    return name_of(qualities, COUNT(qualities), q);
}

const char *usage_source_name(enum usage_source s)
{
    return name_of(sources, COUNT(sources), s);
}

const char *usage_seen_name(enum seen s)
{
    return name_of(seens, COUNT(seens), s);
}

const char *usage_check_name(enum usage_check c)
{
    return name_of(checks, COUNT(checks), c);
}

bool usage_outcome_parse(struct slice s, enum outcome *out)
{
    size_t i;
    bool ok = parse(outcomes, COUNT(outcomes), s, &i);
    *out = ok ? (enum outcome)i : OUTCOME_OK;
    return ok;
}

bool usage_quality_parse(struct slice s, enum quality *out)
{
    size_t i;
    bool ok = parse(qualities, COUNT(qualities), s, &i);
    *out = ok ? (enum quality)i : QUALITY_MISSING;
    return ok;
}

bool usage_seen_parse(struct slice s, enum seen *out)
{
    size_t i;
    bool ok = parse(seens, COUNT(seens), s, &i);
    *out = ok ? (enum seen)i : SEEN_LOG;
    return ok;
}

void usage_init(struct usage *u)
{
    static const struct usage empty = { .ts_ns = USAGE_NO_TIME,
                                        .agg_n = 1,
                                        .total_reported = UINT64_MAX,
                                        .ttfb_us = -1,
                                        .ttft_us = -1,
                                        .total_us = -1 };
    memcpy(u, &empty, sizeof *u); /* a compound literal is a slow rep stos here */
}

static uint64_t sum(const struct usage *u, enum usage_field last)
{
    uint64_t total = 0;
    for (unsigned f = 0; f <= last; f++)
        if (__builtin_add_overflow(total, u->v[f], &total))
            return UINT64_MAX;
    return total;
}

uint64_t usage_input_total(const struct usage *u)
{
    return sum(u, USAGE_cache_write);
}

uint64_t usage_total(const struct usage *u)
{
    return sum(u, USAGE_output);
}

unsigned usage_context(uint64_t input_total)
{
    unsigned b = 0;
    while (b + 1 < USAGE_CONTEXTS && input_total > usage_context_from[b + 1])
        b++;
    return b;
}

unsigned usage_call_context(const struct usage *u)
{
    return usage_context(usage_input_total(u) / (u->agg_n > 1 ? u->agg_n : 1));
}
