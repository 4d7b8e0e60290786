/*
 * The price book as tables: what config/prices.yaml becomes. price_load.c builds them
 * from a file; price_compile.c does that at build time and writes them out as constants,
 * so the built-in book costs no parse and no memory of its own; price.c reads them.
 * Everything refers to everything by index or by offset into one text, so nothing needs
 * relocation.
 *
 * For price*.c, the `prices` commands and tests; others use common/price.h.
 */
#ifndef BREAKEVEN_PRICE_BOOK_H
#define BREAKEVEN_PRICE_BOOK_H

#include "common/arena.h"
#include "common/price.h"

enum {
    PRICE_CALL = USAGE_N,  /* the "field" of a fee per request */
    PRICE_FIELDS,          /* how many fields can have a price */
    PRICE_NONE = 0xffff,   /* no model, no provider, an empty slot */
    PRICE_SAME_AS_MAX = 8, /* providers whose prices another one may borrow */
    PRICE_NAME_MAX = 255,  /* longest model name that is looked up */
    PRICE_PPM = 1000000,   /* a factor of one */
};

#define PRICE_DAY_NS (86400 * INT64_C(1000000000))

struct price_value {
    uint64_t field : 6, pico : 58;
};

/*
 * One dated price. Rows of one model stand together by ascending day; those of one day
 * are the standard price (no tier, above 0) and its variants.
 */
struct price_row {
    int32_t day;    /* first day it is in force, days since 1970-01-01 */
    uint32_t above; /* for calls whose input exceeds this many tokens; 0: any */
    uint32_t tier;  /* name in text; 0: standard */
    uint32_t ppm;   /* not 0: a factor on the standard price instead of values */
    uint32_t value, n_values;
    uint32_t source; /* note in text, or 0 */
    uint32_t line;
};

/* A factor on token prices for a region or an endpoint kind. */
struct price_region {
    uint32_t name;
    uint32_t ppm;
};

struct price_model {
    uint32_t name; /* canonical; "*": defaults of the provider */
    uint32_t row, n_rows;
    uint32_t region, n_regions;
    uint32_t line;
    uint16_t provider;
};

struct price_provider {
    uint32_t name;
    uint16_t defaults; /* its "*" model, or PRICE_NONE */
    uint16_t same_as[PRICE_SAME_AS_MAX];
};

/* A canonical name or an alias. */
struct price_name {
    uint32_t name;
    uint16_t provider, model;
};

struct price_tables {
    const char *file; /* where it was read, for messages */
    const char *text; /* NUL-terminated strings; offset 0 is "" */
    const struct price_provider *provider;
    const struct price_model *model;
    const struct price_row *row;
    const struct price_value *value;
    const struct price_region *region;
    const struct price_name *name;
    const uint16_t *slot; /* open-addressing hash -> name; PRICE_NONE: empty */
    int32_t checked;      /* day the whole book was last looked over; 0: not told */
    uint32_t n_text, n_providers, n_models, n_rows, n_values, n_regions, n_names, n_slots;
};

/* The built-in book, made from config/prices.yaml by price_compile. */
extern const struct price_tables price_builtin;

/* The tables of an open book: the prices, and the overrides (n_models 0 if none). */
const struct price_tables *price_book_prices(const struct price_book *b);
const struct price_tables *price_book_overrides(const struct price_book *b);

/*
 * Tables from the text of a book; they live in `a` (whose ceiling bounds them). ST_CONFIG
 * with file:line and reason in `why`; ST_NOMEM at the ceiling.
 */
enum status price_tables_parse(struct slice text, const char *file, struct arena *a,
                               struct price_tables *out, struct buf *why);

/* Index of the provider of that name, or PRICE_NONE. */
unsigned price_provider_find(const struct price_tables *t, struct slice name);
/* The model whose name or alias is exactly `name` (lower case), or NULL. */
const struct price_model *price_model_find(const struct price_tables *t,
                                           unsigned provider, struct slice name);

/* Where a name hangs in the hash; price_load.c fills the slots with it. */
static inline uint64_t price_name_hash(unsigned provider, struct slice name)
{
    return slice_hash(name, provider);
}

/* A price as books write it: key, field, and how many units the dollars are for. */
struct price_key {
    const char *key;
    unsigned field;
    uint32_t per;
};
extern const struct price_key price_keys[];
extern const unsigned price_keys_n;

#endif
