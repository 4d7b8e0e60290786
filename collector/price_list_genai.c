/* genai-prices: an array of providers; prices may have tiers and start dates. */
#include "collector/price_list_read.h"

#include "common/instant.h"

static const struct {
    const char *key;
    unsigned field, scale; /* digits from dollars to pico-dollars a unit */
    uint64_t per;
} genai_keys[] = {
    { "input_mtok", USAGE_input, 6, 1 },
    { "output_mtok", USAGE_output, 6, 1 },
    { "output_reasoning_mtok", USAGE_reasoning, 6, 1 },
    { "cache_read_mtok", USAGE_cache_read, 6, 1 },
    { "cache_write_mtok", USAGE_cache_write_5m, 6, 1 },
    { "cache_write_1h_mtok", USAGE_cache_write_1h, 6, 1 },
    { "input_audio_mtok", USAGE_audio_in, 6, 1 },
    { "output_audio_mtok", USAGE_audio_out, 6, 1 },
    { "cache_audio_read_mtok", USAGE_audio_cached, 6, 1 },
    { "input_image_mtok", USAGE_image_in, 6, 1 },
    { "output_image_mtok", USAGE_image_out, 6, 1 },
    { "input_video_mtok", USAGE_video_in, 6, 1 },
    { "requests_kcount", PRICE_CALL, 9, 1 },
    { "web_searches_kcount", USAGE_web_searches, 9, 1 },
    { "input_document_kpages", USAGE_pages, 9, 1 },
    { "audio_hours", USAGE_audio_ms, 12, 3600000 },
};

enum { GENAI_KEYS = sizeof genai_keys / sizeof *genai_keys };

static void genai_set(struct price_fact *f, size_t key, uint32_t above, struct slice text)
{
    uint64_t pico;
    if (price_list_dollars(text, genai_keys[key].scale, genai_keys[key].per, &pico))
        price_list_set(price_fact_variant(f, above, SLICE("")), genai_keys[key].field,
                       pico);
}

/* {"start":200000,"price":4} */
static void genai_step(struct price_list_reader *r, struct price_fact *f, size_t at)
{
    char key[PRICE_LIST_KEY], price[64] = "";
    struct slice text;
    uint64_t start = 0;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (price_list_scalar(t) && strcmp(key, "price") == 0)
            price_list_copy(price, sizeof price, text);
        if (price_list_scalar(t) && strcmp(key, "start") == 0 &&
            !json_count(text, &start))
            start = 0;
        price_list_skip(r, t);
    }
    if (start > 0 && start <= UINT32_MAX)
        genai_set(f, at, (uint32_t)start, slice_str(price));
}

/* {"base":2,"tiers":[{"start":200000,"price":4}]} */
static void genai_tiers(struct price_list_reader *r, struct price_fact *f, size_t at)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (price_list_scalar(t) && strcmp(key, "base") == 0)
            genai_set(f, at, 0, text);
        else if (t == JSON_ARRAY && strcmp(key, "tiers") == 0)
            while (price_list_element(r))
                genai_step(r, f, at);
        else
            price_list_skip(r, t);
    }
}

static void genai_prices(struct price_list_reader *r, struct price_fact *f)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        size_t at = 0;
        while (at < GENAI_KEYS && strcmp(key, genai_keys[at].key) != 0)
            at++;
        if (at < GENAI_KEYS && price_list_scalar(t))
            genai_set(f, at, 0, text);
        else if (at < GENAI_KEYS && t == JSON_OBJECT)
            genai_tiers(r, f, at);
        else
            price_list_skip(r, t);
    }
}

/* {"type":"start_date","start_date":"2026-08-21"}; false for any other constraint. */
static bool genai_constraint(struct price_list_reader *r, struct price_fact *f)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    int64_t ns;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_STRING && strcmp(key, "start_date") == 0 &&
            instant_day(text, &ns)) {
            f->dated = true;
            f->day = (int32_t)(ns / PRICE_DAY_NS);
        }
        price_list_skip(r, t);
    }
    return f->dated;
}

/* One of [{"constraint":{…},"prices":{…}}]; false when it depends on the hour. */
static bool genai_conditional(struct price_list_reader *r)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    struct price_fact *f = price_list_begin(r);
    bool ours = f != NULL;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (f && t == JSON_OBJECT && strcmp(key, "constraint") == 0)
            ours &= genai_constraint(r, f);
        else if (f && t == JSON_OBJECT && strcmp(key, "prices") == 0)
            genai_prices(r, f);
        else
            price_list_skip(r, t);
    }
    return ours;
}

static void genai_model(struct price_list_reader *r, const char *provider)
{
    char key[PRICE_LIST_KEY], model[PRICE_LIST_KEY] = "";
    struct slice text;
    bool ours = true;
    r->n = 0;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_STRING && strcmp(key, "id") == 0) {
            price_list_copy(model, sizeof model, text);
        } else if (t == JSON_OBJECT && strcmp(key, "prices") == 0 && r->n == 0) {
            genai_prices(r, price_list_begin(r));
        } else if (t == JSON_ARRAY && strcmp(key, "prices") == 0) {
            while (price_list_element(r))
                ours &= genai_conditional(r);
        } else {
            price_list_skip(r, t);
        }
    }
    r->n = ours ? r->n : 0;
    price_list_emit(r, slice_str(provider), slice_str(model));
}

void price_list_genai(struct price_list_reader *r)
{
    char key[PRICE_LIST_KEY], provider[64] = "";
    struct slice text;
    r->stats->format = PRICE_LIST_GENAI;
    while (price_list_member(r, key)) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_STRING && strcmp(key, "id") == 0)
            price_list_copy(provider, sizeof provider, text);
        else if (t == JSON_ARRAY && strcmp(key, "models") == 0)
            while (price_list_element(r))
                genai_model(r, provider);
        else
            price_list_skip(r, t);
    }
}
