/*
 * Price lists that others publish, as facts in our terms: LiteLLM's
 * model_prices_and_context_window.json, models.dev's api.json, genai-prices' data.json.
 * One streaming pass over common/json, the format told by its shape. Feeds price_import;
 * pure.
 *
 * Refuses: guessing. An entry without a provider, a name outside printable ASCII, a price
 * that depends on the hour, all zeros (free, or by subscription): passed over and
 * counted.
 */
#ifndef BREAKEVEN_PRICE_LIST_H
#define BREAKEVEN_PRICE_LIST_H

#include "common/price_book.h"

enum { PRICE_VARIANTS_MAX = 16, PRICE_DATED_MAX = 8 };

/* A price under a condition. v[0] of a fact is the standard one. */
struct price_variant {
    uint32_t above; /* inputs of more than this many tokens; 0: any */
    char tier[24];  /* "" standard */
    uint32_t ppm;   /* not 0: a factor instead of prices */
    uint64_t has;   /* bit f: pico[f] is given */
    uint64_t pico[PRICE_FIELDS];
};

struct price_fact {
    char provider[64], model[PRICE_NAME_MAX + 1]; /* lower case */
    bool dated;                                   /* `day` is given */
    int32_t day;                                  /* since 1970-01-01 */
    unsigned n;
    struct price_variant v[PRICE_VARIANTS_MAX];
};

/* The variant for that condition, made if need be; NULL when there are too many. */
struct price_variant *price_fact_variant(struct price_fact *f, uint32_t above,
                                         struct slice tier);

enum price_list_format {
    PRICE_LIST_UNKNOWN,
    PRICE_LIST_LITELLM,
    PRICE_LIST_MODELS_DEV,
    PRICE_LIST_GENAI
};

const char *price_list_format_name(enum price_list_format f);

/* The prices of one model, oldest first; only the first may be undated. */
typedef void price_list_fn(void *arg, const struct price_fact *facts, unsigned n);

/* More bytes into buf; 0 at the end. */
typedef size_t price_list_read_fn(void *arg, char *buf, size_t size);

struct price_list_source {
    price_list_read_fn *read;
    price_list_fn *fact;
    void *arg; /* of both */
};

struct price_list_stats {
    enum price_list_format format;
    unsigned entries, skipped;
};

/* Read it all. ST_BAD with offset and reason in `why`; facts before it stand. */
enum status price_list_read(const struct price_list_source *s,
                            struct price_list_stats *stats, struct buf *why);

#endif
