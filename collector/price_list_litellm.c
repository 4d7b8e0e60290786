/* LiteLLM: a flat object, dollars per single unit, conditions in the names of keys. */
#include "collector/price_list_read.h"

/* $ per one unit each; the longer of two keys that begin alike stands first. */
static const struct {
    const char *key;
    unsigned field, per;
} litellm_keys[] = {
    { "input_cost_per_token", USAGE_input, 1 },
    { "output_cost_per_token", USAGE_output, 1 },
    { "output_cost_per_reasoning_token", USAGE_reasoning, 1 },
    { "cache_read_input_token_cost", USAGE_cache_read, 1 },
    { "cache_creation_input_token_cost_above_1hr", USAGE_cache_write_1h, 1 },
    { "cache_creation_input_token_cost", USAGE_cache_write_5m, 1 },
    { "input_cost_per_audio_token", USAGE_audio_in, 1 },
    { "output_cost_per_audio_token", USAGE_audio_out, 1 },
    { "cache_read_input_audio_token_cost", USAGE_audio_cached, 1 },
    { "input_cost_per_image_token", USAGE_image_in, 1 },
    { "output_cost_per_image_token", USAGE_image_out, 1 },
    { "input_cost_per_character", USAGE_characters, 1 },
    { "input_cost_per_query", USAGE_search_units, 1 },
    { "ocr_cost_per_page", USAGE_pages, 1 },
    { "output_cost_per_image", USAGE_images, 1 },
    { "input_cost_per_second", USAGE_audio_ms, 1000 },
};

/* What follows a key: "_above_200k_tokens", "_flex", both, or nothing. */
static bool litellm_condition(struct slice tail, uint32_t *above, struct slice *tier)
{
    static const struct {
        const char *suffix, *tier;
    } tiers[] = { { "_flex", "flex" },
                  { "_priority", "priority" },
                  { "_batches", "batch" } };
    uint64_t k;
    *above = 0;
    *tier = SLICE("");
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if (slice_ends(tail, slice_str(tiers[i].suffix))) {
            *tier = slice_str(tiers[i].tier);
            tail.n -= strlen(tiers[i].suffix);
        }
    if (tail.n == 0)
        return true;
    if (!slice_starts(tail, SLICE("_above_")) || !slice_ends(tail, SLICE("k_tokens")) ||
        tail.n <= 15 || !slice_u64(slice_of(tail.p + 7, tail.n - 15), &k) || k == 0 ||
        k > 4000000)
        return false;
    *above = (uint32_t)k * 1000;
    return true;
}

static void litellm_price(struct price_fact *f, struct slice key, struct slice text)
{
    for (size_t i = 0; i < sizeof litellm_keys / sizeof *litellm_keys; i++) {
        struct slice base = slice_str(litellm_keys[i].key), tier;
        uint32_t above;
        uint64_t pico;
        if (!slice_starts(key, base))
            continue;
        if (litellm_condition(slice_from(key, base.n), &above, &tier) &&
            price_list_dollars(text, 12, litellm_keys[i].per, &pico)) {
            price_list_set(price_fact_variant(f, above, tier), litellm_keys[i].field,
                           pico);
            return;
        }
    }
}

/* {"search_context_size_medium": 0.01, …}: the default of the three. */
static void litellm_search(struct price_list_reader *r, struct price_fact *f)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    uint64_t pico;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (price_list_scalar(t) && strcmp(key, "search_context_size_medium") == 0 &&
            price_list_dollars(text, 12, 1, &pico))
            price_list_set(&f->v[0], USAGE_web_searches, pico);
        price_list_skip(r, t);
    }
}

/* "provider/model" without the provider; regional and per-size keys are not models. */
static struct slice litellm_model(struct slice key, struct slice provider)
{
    struct slice head, rest;
    if (slice_find(key, SLICE("-x-")) != SIZE_MAX || slice_starts(key, SLICE("hd/")))
        return SLICE("");
    if (slice_cut(key, '/', &head, &rest) &&
        (slice_eq(head, provider) ||
         slice_eq(price_list_provider(head), price_list_provider(provider))))
        return slice_eq(price_list_provider(head), SLICE("bedrock")) ? SLICE("") : rest;
    return key;
}

void price_list_litellm(struct price_list_reader *r, const char *name, const char *first)
{
    char key[PRICE_LIST_KEY], provider[64] = "";
    struct slice text;
    struct price_fact *f = price_list_begin(r);
    price_list_copy(key, sizeof key, slice_str(first));
    do {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_STRING && strcmp(key, "litellm_provider") == 0)
            price_list_copy(provider, sizeof provider, text);
        else if (price_list_scalar(t))
            litellm_price(f, slice_str(key), text);
        else if (t == JSON_OBJECT && strcmp(key, "search_context_cost_per_query") == 0)
            litellm_search(r, f);
        else
            price_list_skip(r, t);
    } while (price_list_member(r, key));
    r->stats->format = PRICE_LIST_LITELLM;
    price_list_emit(r, slice_str(provider),
                    litellm_model(slice_str(name), slice_str(provider)));
}
