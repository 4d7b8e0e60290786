/* models.dev: providers, models, cost in dollars per million. */
#include "collector/price_list_read.h"

static const struct {
    const char *key;
    unsigned field;
} dev_keys[] = {
    { "input", USAGE_input },
    { "output", USAGE_output },
    { "reasoning", USAGE_reasoning },
    { "cache_read", USAGE_cache_read },
    { "cache_write", USAGE_cache_write_5m },
    { "input_audio", USAGE_audio_in },
    { "output_audio", USAGE_audio_out },
};

static void dev_price(struct price_variant *v, const char *key, struct slice text)
{
    uint64_t pico;
    for (size_t i = 0; i < sizeof dev_keys / sizeof *dev_keys; i++)
        if (strcmp(key, dev_keys[i].key) == 0 && price_list_dollars(text, 6, 1, &pico))
            price_list_set(v, dev_keys[i].field, pico);
}

/* {"type":"context","size":200000}: the threshold, 0 for another type. */
static uint32_t dev_threshold(struct price_list_reader *r)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    uint64_t size = 0;
    bool context = true;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_NUMBER && strcmp(key, "size") == 0 && !json_count(text, &size))
            size = 0;
        if (t == JSON_STRING && strcmp(key, "type") == 0)
            context = slice_eq(text, SLICE("context"));
        price_list_skip(r, t);
    }
    return context && size <= UINT32_MAX ? (uint32_t)size : 0;
}

/* Prices for inputs above a threshold: given, or in its key "tier". */
static void dev_tier(struct price_list_reader *r, struct price_fact *f, uint32_t above)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    struct price_variant v = { .above = above };
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_OBJECT && strcmp(key, "tier") == 0)
            v.above = dev_threshold(r);
        else if (price_list_scalar(t))
            dev_price(&v, key, text);
        else
            price_list_skip(r, t);
    }
    struct price_variant *to = v.above ? price_fact_variant(f, v.above, SLICE("")) : NULL;
    if (to)
        *to = v;
}

static void dev_cost(struct price_list_reader *r, struct price_fact *f)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (price_list_scalar(t))
            dev_price(&f->v[0], key, text);
        else if (t == JSON_OBJECT && strcmp(key, "context_over_200k") == 0)
            dev_tier(r, f, 200000);
        else if (t == JSON_ARRAY && strcmp(key, "tiers") == 0)
            while (price_list_element(r))
                dev_tier(r, f, 0);
        else
            price_list_skip(r, t);
    }
    /* The legacy key means the first threshold wherever `tiers` says another. */
    struct price_variant *legacy =
        f->n > 2 ? price_fact_variant(f, 200000, SLICE("")) : NULL;
    for (unsigned i = 1; legacy && i < f->n; i++)
        if (&f->v[i] != legacy &&
            f->v[i].pico[USAGE_input] == legacy->pico[USAGE_input]) {
            *legacy = f->v[--f->n];
            break;
        }
}

void price_list_models_dev(struct price_list_reader *r, const char *provider)
{
    char key[PRICE_LIST_KEY], model[PRICE_LIST_KEY];
    struct slice text;
    while (price_list_member(r, model)) {
        enum json_type t = price_list_next(r, &text);
        if (t != JSON_OBJECT) {
            price_list_skip(r, t);
            continue;
        }
        while (price_list_member(r, key)) {
            t = price_list_next(r, &text);
            struct price_fact *f =
                t == JSON_OBJECT && strcmp(key, "cost") == 0 ? price_list_begin(r) : NULL;
            if (f)
                dev_cost(r, f);
            else
                price_list_skip(r, t);
        }
        r->n = r->n > 1 ? 1 : r->n;
        price_list_emit(r, slice_str(provider), slice_str(model));
    }
}
