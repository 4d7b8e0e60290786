/*
 * One metered call: what the agent knows after judging an exchange or a log record. Made
 * by extract and logline, changed by dedup and estimate, folded away by rollup. Holds
 * counts and names only, never text of a prompt or an answer.
 */
#ifndef BREAKEVEN_USAGE_H
#define BREAKEVEN_USAGE_H

#include "common/slice.h"

enum usage_field {
#define USAGE_CLASS(name, wire, help)      USAGE_##name,
#define USAGE_SUBSET(name, wire, of, help) USAGE_##name,
#define USAGE_UNIT(name, wire, unit, help) USAGE_##name,
#include "common/usage_fields.def"
    USAGE_N,
    USAGE_CLASSES = USAGE_output + 1, /* the first six are the billable classes */
};

enum usage_kind { USAGE_KIND_CLASS, USAGE_KIND_SUBSET, USAGE_KIND_UNIT };

struct usage_field_info {
    const char *name, *wire, *unit, *help;
    enum usage_kind kind;
    enum usage_field of; /* the class a subset is part of; itself otherwise */
};

extern const struct usage_field_info usage_fields[USAGE_N];

/* What a request is to the bill. Names as in `scan --calls`: usage_accounting_name. */
enum accounting {
    ACCOUNTING_NONE,     /* no LLM API at all */
    ACCOUNTING_CALL,     /* one billable call, its usage is here or must be estimated */
    ACCOUNTING_DEFERRED, /* accepted; usage shows up elsewhere (batch, background) */
    ACCOUNTING_REPORT,   /* repeats or delivers usage of a call made elsewhere */
    ACCOUNTING_FREE,     /* count tokens, model lists, files, moderation */
    ACCOUNTING_ERROR,    /* refused or failed, nothing billed */
};

enum outcome {
    OUTCOME_OK,
    OUTCOME_ERROR,           /* HTTP error */
    OUTCOME_ERROR_IN_STREAM, /* error event after a 200 */
    OUTCOME_FAILED,
    OUTCOME_BLOCKED, /* refused by a content filter */
    OUTCOME_PENDING,
    OUTCOME_RATE_LIMITED,
    OUTCOME_ABORTED, /* the client or the network left before the end */
    OUTCOME_NA,      /* "n/a": not an LLM exchange */
};

enum quality { QUALITY_EXACT, QUALITY_ESTIMATED, QUALITY_MISSING };

/* Where the numbers were found. */
enum usage_source {
    SOURCE_NONE,
    SOURCE_JSON,
    SOURCE_SSE,
    SOURCE_NDJSON,
    SOURCE_EVENTSTREAM,
    SOURCE_JSON_ARRAY,
    SOURCE_HEADERS,
    SOURCE_LOG,       /* fields of a log record that is not a provider's body */
    SOURCE_PARTIAL,   /* running totals of a stream that did not end */
    SOURCE_ESTIMATED, /* bytes -> tokens */
};

/* Which kind of source saw the call. */
enum seen { SEEN_LOG, SEEN_CAPTURE };

enum usage_check { CHECK_NO_TOTAL, CHECK_OK, CHECK_MISMATCH };

/*
 * Slices borrow from whoever made the call (line, flow arena): valid during the callback
 * that hands it out. An empty slice means unknown.
 */
struct usage {
    int64_t ts_ns; /* Unix time of the response's end; USAGE_NO_TIME if unknown */
    struct slice app, environment;
    struct slice provider, surface; /* values of usage-formats: "openai", "openai.chat" */
    struct slice model;             /* the response's name, else the request's */
    struct slice model_request;
    struct slice response_id; /* dedup key 1 */
    struct slice request_id;  /* dedup key 2: request-id header, proxy id */
    struct slice tier;        /* service tier really used: batch, flex, priority, … */
    struct slice region;
    struct slice scope; /* keyed fingerprint in hex, or organisation id; never a key */
    enum accounting accounting;
    enum outcome outcome;
    enum quality quality;
    enum usage_source usage_source;
    enum seen seen;
    enum usage_check check;
    uint16_t status;          /* HTTP; 0 unknown */
    uint16_t pass;            /* 0; or n: extra pass of the call of this id */
    uint32_t agg_n;           /* calls in here: 1, or n for an aggregated source */
    uint32_t have;            /* bit f: v[f] was reported */
    uint64_t v[USAGE_N];      /* 0 where not reported */
    uint64_t total_reported;  /* the provider's own total; UINT64_MAX = none */
    int64_t ttfb_us, ttft_us; /* from the last request byte; -1 unknown */
    int64_t total_us;         /* from the first request byte; -1 unknown */
};

#define USAGE_NO_TIME INT64_MIN

/* Receives one judged call, to change as it likes; `u` and its slices are valid during
 * the call. */
typedef void usage_fn(void *arg, struct usage *u);

/* An empty call: nothing reported, no time, agg_n 1, no total, latencies unknown. */
void usage_init(struct usage *u);

static inline void usage_set(struct usage *u, enum usage_field f, uint64_t v)
{
    u->v[f] = v;
    u->have |= (uint32_t)1 << f;
}

static inline bool usage_has(const struct usage *u, enum usage_field f)
{
    return u->have >> f & 1;
}

/* Sum of the input classes, and of all six; saturates at UINT64_MAX. */
uint64_t usage_input_total(const struct usage *u);
uint64_t usage_total(const struct usage *u);

/*
 * The context bucket of a call by its whole input: long-context prices depend on it and a
 * sum over calls would lose it. Bucket b holds inputs in (usage_context_from[b],
 * usage_context_from[b + 1]]; 199,999 stands beside 200,000 for "200k and more" rules.
 */
enum { USAGE_CONTEXTS = 8 };
extern const uint64_t usage_context_from[USAGE_CONTEXTS];
unsigned usage_context(uint64_t input_total);
/* Of a call; of several in one record, of their mean. */
unsigned usage_call_context(const struct usage *u);

/* Wire and JSON names; "" or false for a value or name outside the enum. */
const char *usage_accounting_name(enum accounting a);
const char *usage_outcome_name(enum outcome o);
const char *usage_quality_name(enum quality q);
const char *usage_source_name(enum usage_source s);
const char *usage_seen_name(enum seen s);
const char *usage_check_name(enum usage_check c);
bool usage_outcome_parse(struct slice s, enum outcome *out);
bool usage_quality_parse(struct slice s, enum quality *out);
bool usage_seen_parse(struct slice s, enum seen *out);

#endif
