/*
 * A call under construction from fields of a log record: names copied, counts as the
 * record gives them, then judged into disjoint classes. Shared by the log formats whose
 * fields stand at fixed places; provider bodies go through extract instead.
 *
 * Refuses: text longer than a name, counts that are no counts.
 */
#ifndef BREAKEVEN_LOGCALL_H
#define BREAKEVEN_LOGCALL_H

#include "common/json.h"
#include "common/usage.h"

enum logcall_text {
    CALL_PROVIDER,
    CALL_MODEL,
    CALL_MODEL_REQUEST,
    CALL_RESPONSE_ID,
    CALL_REQUEST_ID,
    CALL_TIER,
    CALL_REGION,
    CALL_SCOPE,
    CALL_APP,
    CALL_ENVIRONMENT,
    CALL_METHOD,
    CALL_PATH, /* without its query: that may hold a key */
    CALL_HOST,
    CALL_OPERATION,
    CALL_KIND,
    CALL_TEXTS,
};

enum logcall_num {
    CALL_IN,
    CALL_OUT,
    CALL_TOTAL,
    CALL_READ, /* of the input: from a cache */
    CALL_WRITE,
    CALL_WRITE_5M,
    CALL_WRITE_1H,
    CALL_REASONING, /* of the output */
    CALL_COST,      /* pico-dollars */
    CALL_STATUS,    /* HTTP */
    CALL_NUMS,
};

/* Does the input count contain what the caches hold? */
enum logcall_sense { CALL_BY_SUMS, CALL_INCLUSIVE, CALL_EXCLUSIVE };

enum { LOGCALL_TEXT = 240 /* longest name that is kept */ };

struct logcall {
    uint64_t num[CALL_NUMS];
    uint32_t have; /* bit n: num[n] was said */
    enum logcall_sense sense;
    bool failed; /* the record says so */
    bool free;   /* nothing was bought: housekeeping, or an answer of a gateway's cache */
    uint32_t agg_n;
    int64_t start_ns, end_ns, first_ns; /* USAGE_NO_TIME: not said */
    int64_t total_us;                   /* -1: from start and end, if they are known */
    size_t text_n[CALL_TEXTS];
    char text[CALL_TEXTS][LOGCALL_TEXT];
};

void logcall_init(struct logcall *c);

/* Text of at most LOGCALL_TEXT bytes; longer, empty or "-" counts as not said. */
void logcall_text(struct logcall *c, enum logcall_text t, struct slice s);
struct slice logcall_get(const struct logcall *c, enum logcall_text t);

/* A count as json_count reads it (CALL_COST: dollars); anything else is not said. */
void logcall_num(struct logcall *c, enum logcall_num n, struct slice s);
void logcall_set(struct logcall *c, enum logcall_num n, uint64_t v);

static inline bool logcall_has(const struct logcall *c, enum logcall_num n)
{
    return c->have >> n & 1;
}

/*
 * Is a span one call to a model? Agents, chains and tools around calls say the same sums
 * again (usage-formats 8.4); a record that names no operation is one if it has counts.
 */
bool logcall_is_one(const struct logcall *c);

/*
 * Judge and hand out: 1, or 0 when the record is no call to an LLM. `provider` (may be
 * empty) is for records that name none, fallback_ns for those without a time.
 */
size_t logcall_emit(const struct logcall *c, struct slice provider, int64_t fallback_ns,
                    usage_fn *emit, void *arg);

#endif
