/* Recursive descent over the pull scanner, a function for each object of the formats. */
#include "collector/price_list.h"

#include <stdlib.h>

#include "common/instant.h"
#include "common/json.h"

enum { KEY_MAX = 128, CHUNK = 1 << 16 };

struct reader {
    const struct price_list_source *source;
    struct price_list_stats *stats;
    struct json json;
    bool failed;
    unsigned n; /* facts in hand */
    struct price_fact fact[PRICE_DATED_MAX];
    char chunk[CHUNK];
};

const char *price_list_format_name(enum price_list_format f)
{
    static const char *const names[] = { "unknown", "LiteLLM", "models.dev",
                                         "genai-prices" };
    return f < sizeof names / sizeof *names ? names[f] : "";
}

/* --- tokens ------------------------------------------------------------------------- */

static enum json_type next(struct reader *r, struct slice *text)
{
    for (;;) {
        enum json_type t = json_next(&r->json, text);
        if (t == JSON_BAD)
            r->failed = true;
        if (t != JSON_MORE)
            return t;
        size_t n = r->source->read(r->source->arg, r->chunk, sizeof r->chunk);
        if (n)
            json_feed(&r->json, slice_of(r->chunk, n));
        else
            json_finish(&r->json);
    }
}

static void copy(char *out, size_t size, struct slice s)
{
    size_t n = s.n < size ? s.n : 0; /* what does not fit is no name of ours */
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* The next key of the open object; false at its end. */
static bool member(struct reader *r, char key[KEY_MAX])
{
    struct slice text;
    if (next(r, &text) != JSON_KEY)
        return false;
    copy(key, KEY_MAX, text);
    return true;
}

/* Into the next object of the open array, past whatever else stands there; false at its
 * end. */
static bool element(struct reader *r)
{
    struct slice text;
    for (;;) {
        enum json_type t = next(r, &text);
        if (t == JSON_OBJECT || t == JSON_ARRAY_END || t <= JSON_BAD)
            return t == JSON_OBJECT;
        if (t == JSON_ARRAY)
            json_skip(&r->json);
    }
}

/* Pass over the container that t opened; nothing for a scalar. */
static void skip_rest(struct reader *r, enum json_type t)
{
    if (t == JSON_OBJECT || t == JSON_ARRAY)
        json_skip(&r->json);
}

static bool scalar(enum json_type t)
{
    return t == JSON_NUMBER || t == JSON_STRING; /* lists spell numbers both ways */
}

/* --- facts -------------------------------------------------------------------------- */

struct price_variant *price_fact_variant(struct price_fact *f, uint32_t above,
                                         struct slice tier)
{
    for (unsigned i = 0; i < f->n; i++)
        if (f->v[i].above == above && slice_eq(slice_str(f->v[i].tier), tier))
            return &f->v[i];
    if (f->n == PRICE_VARIANTS_MAX || tier.n >= sizeof f->v->tier)
        return NULL;
    struct price_variant *v = &f->v[f->n++];
    *v = (struct price_variant){ .above = above };
    copy(v->tier, sizeof v->tier, tier);
    return v;
}

static struct price_fact *fact_begin(struct reader *r)
{
    if (r->n == PRICE_DATED_MAX)
        return NULL;
    struct price_fact *f = &r->fact[r->n++];
    memset(f, 0, offsetof(struct price_fact, v));
    price_fact_variant(f, 0, SLICE(""));
    return f;
}

static void set(struct price_variant *v, unsigned field, uint64_t pico)
{
    if (!v || pico >= (uint64_t)1 << 56)
        return;
    v->pico[field] = pico;
    v->has |= (uint64_t)1 << field;
}

/* A number of dollars times 10^scale, divided by `per`, as pico-dollars. */
static bool dollars(struct slice text, unsigned scale, uint64_t per, uint64_t *pico)
{
    uint64_t v;
    if (!json_decimal(text, scale, &v))
        return false;
    *pico = v / per + (v % per * 2 >= per && per > 1);
    return true;
}

/* The names of others for the providers that we know by another one. */
static struct slice provider_name(struct slice theirs)
{
    static const char *const names[][2] = {
        { "amazon-bedrock", "bedrock" },
        { "aws", "bedrock" },
        { "azure", "azure_openai" },
        { "azure_text", "azure_openai" },
        { "bedrock_converse", "bedrock" },
        { "cloudflare-workers-ai", "cloudflare" },
        { "codestral", "mistral" },
        { "cohere_chat", "cohere" },
        { "fireworks-ai", "fireworks" },
        { "fireworks_ai", "fireworks" },
        { "google", "gemini" },
        { "google-vertex", "vertex" },
        { "google-vertex-anthropic", "vertex" },
        { "moonshotai", "moonshot" },
        { "text-completion-openai", "openai" },
        { "together_ai", "together" },
        { "togetherai", "together" },
        { "voyageai", "voyage" },
        { "x-ai", "xai" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(theirs, slice_str(names[i][0])))
            return slice_str(names[i][1]);
    return slice_istarts(theirs, SLICE("vertex_ai")) ? SLICE("vertex") : theirs;
}

/* Lower case; false for what no name of ours may have. */
static bool clean(char *s)
{
    for (; *s; s++) {
        if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\')
            return false;
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s + ('a' - 'A'));
    }
    return true;
}

/* Cache writes are of 5 minutes with Claude, of another lifetime elsewhere. */
static void settle_cache_writes(struct price_fact *f)
{
    if (slice_find(slice_str(f->model), SLICE("claude")) != SIZE_MAX)
        return;
    for (unsigned i = 0; i < f->n; i++) {
        struct price_variant *v = &f->v[i];
        if (v->has >> USAGE_cache_write_5m & 1)
            set(v, USAGE_cache_write, v->pico[USAGE_cache_write_5m]);
        v->has &=
            ~((uint64_t)1 << USAGE_cache_write_5m | (uint64_t)1 << USAGE_cache_write_1h);
    }
}

/* A condition without a price of ours says nothing. */
static void drop_empty(struct price_fact *f)
{
    unsigned n = 1;
    for (unsigned i = 1; i < f->n; i++)
        if (f->v[i].has)
            f->v[n++] = f->v[i];
    f->n = n;
}

static bool charges(const struct price_fact *f)
{
    for (unsigned k = 0; k < PRICE_FIELDS; k++)
        if (f->v[0].has >> k & 1 && f->v[0].pico[k] > 0)
            return true;
    return false;
}

/* Hand over what is in hand under these names. */
static void emit(struct reader *r, struct slice provider, struct slice model)
{
    unsigned n = r->n;
    r->n = 0;
    r->stats->entries++;
    for (unsigned i = 0; i < n; i++) {
        struct price_fact *f = &r->fact[i];
        copy(f->provider, sizeof f->provider, provider_name(provider));
        copy(f->model, sizeof f->model, model);
        if (!*f->provider || !*f->model || !clean(f->provider) || !clean(f->model) ||
            !charges(f) ||
            (f->dated && i > 0 && r->fact[i - 1].dated && f->day <= r->fact[i - 1].day)) {
            r->stats->skipped++;
            return;
        }
        settle_cache_writes(f);
        drop_empty(f);
    }
    if (n && !r->failed)
        r->source->fact(r->source->arg, r->fact, n);
    else
        r->stats->skipped++;
}

/* --- LiteLLM ------------------------------------------------------------------------ */

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
            dollars(text, 12, litellm_keys[i].per, &pico)) {
            set(price_fact_variant(f, above, tier), litellm_keys[i].field, pico);
            return;
        }
    }
}

/* {"search_context_size_medium": 0.01, …}: the default of the three. */
static void litellm_search(struct reader *r, struct price_fact *f)
{
    char key[KEY_MAX];
    struct slice text;
    uint64_t pico;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (scalar(t) && strcmp(key, "search_context_size_medium") == 0 &&
            dollars(text, 12, 1, &pico))
            set(&f->v[0], USAGE_web_searches, pico);
        skip_rest(r, t);
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
         slice_eq(provider_name(head), provider_name(provider))))
        return slice_eq(provider_name(head), SLICE("bedrock")) ? SLICE("") : rest;
    return key;
}

/* One entry; `key` and the opening brace are read. */
static void litellm_entry(struct reader *r, const char *name, const char *first)
{
    char key[KEY_MAX], provider[64] = "";
    struct slice text;
    struct price_fact *f = fact_begin(r);
    copy(key, sizeof key, slice_str(first));
    do {
        enum json_type t = next(r, &text);
        if (t == JSON_STRING && strcmp(key, "litellm_provider") == 0)
            copy(provider, sizeof provider, text);
        else if (scalar(t))
            litellm_price(f, slice_str(key), text);
        else if (t == JSON_OBJECT && strcmp(key, "search_context_cost_per_query") == 0)
            litellm_search(r, f);
        else
            skip_rest(r, t);
    } while (member(r, key));
    r->stats->format = PRICE_LIST_LITELLM;
    emit(r, slice_str(provider), litellm_model(slice_str(name), slice_str(provider)));
}

/* --- models.dev --------------------------------------------------------------------- */

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
        if (strcmp(key, dev_keys[i].key) == 0 && dollars(text, 6, 1, &pico))
            set(v, dev_keys[i].field, pico);
}

/* {"type":"context","size":200000}: the threshold, 0 for another type. */
static uint32_t dev_threshold(struct reader *r)
{
    char key[KEY_MAX];
    struct slice text;
    uint64_t size = 0;
    bool context = true;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (t == JSON_NUMBER && strcmp(key, "size") == 0 && !json_count(text, &size))
            size = 0;
        if (t == JSON_STRING && strcmp(key, "type") == 0)
            context = slice_eq(text, SLICE("context"));
        skip_rest(r, t);
    }
    return context && size <= UINT32_MAX ? (uint32_t)size : 0;
}

/* Prices for inputs above a threshold: given, or in its key "tier". */
static void dev_tier(struct reader *r, struct price_fact *f, uint32_t above)
{
    char key[KEY_MAX];
    struct slice text;
    struct price_variant v = { .above = above };
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (t == JSON_OBJECT && strcmp(key, "tier") == 0)
            v.above = dev_threshold(r);
        else if (scalar(t))
            dev_price(&v, key, text);
        else
            skip_rest(r, t);
    }
    struct price_variant *to = v.above ? price_fact_variant(f, v.above, SLICE("")) : NULL;
    if (to)
        *to = v;
}

static void dev_cost(struct reader *r, struct price_fact *f)
{
    char key[KEY_MAX];
    struct slice text;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (scalar(t))
            dev_price(&f->v[0], key, text);
        else if (t == JSON_OBJECT && strcmp(key, "context_over_200k") == 0)
            dev_tier(r, f, 200000);
        else if (t == JSON_ARRAY && strcmp(key, "tiers") == 0)
            while (element(r))
                dev_tier(r, f, 0);
        else
            skip_rest(r, t);
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

static void dev_models(struct reader *r, const char *provider)
{
    char key[KEY_MAX], model[KEY_MAX];
    struct slice text;
    while (member(r, model)) {
        enum json_type t = next(r, &text);
        if (t != JSON_OBJECT) {
            skip_rest(r, t);
            continue;
        }
        while (member(r, key)) {
            t = next(r, &text);
            struct price_fact *f =
                t == JSON_OBJECT && strcmp(key, "cost") == 0 ? fact_begin(r) : NULL;
            if (f)
                dev_cost(r, f);
            else
                skip_rest(r, t);
        }
        r->n = r->n > 1 ? 1 : r->n;
        emit(r, slice_str(provider), slice_str(model));
    }
}

/* An entry of either format with an object at its top: told by the key "models". */
static void object_entry(struct reader *r, const char *name)
{
    char key[KEY_MAX];
    struct slice text;
    bool dev = false;
    while (member(r, key)) {
        static const char *const dev_only[] = {
            "id", "name", "env", "npm", "doc", "api"
        };
        for (size_t i = 0; i < sizeof dev_only / sizeof *dev_only; i++)
            dev |= strcmp(key, dev_only[i]) == 0;
        if (strcmp(key, "models") == 0 && next(r, &text) == JSON_OBJECT) {
            r->stats->format = PRICE_LIST_MODELS_DEV;
            dev_models(r, name);
        } else if (dev) {
            skip_rest(r, next(r, &text));
        } else {
            litellm_entry(r, name, key);
            return;
        }
    }
}

/* --- genai-prices ------------------------------------------------------------------- */

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
    if (dollars(text, genai_keys[key].scale, genai_keys[key].per, &pico))
        set(price_fact_variant(f, above, SLICE("")), genai_keys[key].field, pico);
}

/* {"start":200000,"price":4} */
static void genai_step(struct reader *r, struct price_fact *f, size_t at)
{
    char key[KEY_MAX], price[64] = "";
    struct slice text;
    uint64_t start = 0;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (scalar(t) && strcmp(key, "price") == 0)
            copy(price, sizeof price, text);
        if (scalar(t) && strcmp(key, "start") == 0 && !json_count(text, &start))
            start = 0;
        skip_rest(r, t);
    }
    if (start > 0 && start <= UINT32_MAX)
        genai_set(f, at, (uint32_t)start, slice_str(price));
}

/* {"base":2,"tiers":[{"start":200000,"price":4}]} */
static void genai_tiers(struct reader *r, struct price_fact *f, size_t at)
{
    char key[KEY_MAX];
    struct slice text;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (scalar(t) && strcmp(key, "base") == 0)
            genai_set(f, at, 0, text);
        else if (t == JSON_ARRAY && strcmp(key, "tiers") == 0)
            while (element(r))
                genai_step(r, f, at);
        else
            skip_rest(r, t);
    }
}

static void genai_prices(struct reader *r, struct price_fact *f)
{
    char key[KEY_MAX];
    struct slice text;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        size_t at = 0;
        while (at < GENAI_KEYS && strcmp(key, genai_keys[at].key) != 0)
            at++;
        if (at < GENAI_KEYS && scalar(t))
            genai_set(f, at, 0, text);
        else if (at < GENAI_KEYS && t == JSON_OBJECT)
            genai_tiers(r, f, at);
        else
            skip_rest(r, t);
    }
}

/* {"type":"start_date","start_date":"2026-08-21"}; false for any other constraint. */
static bool genai_constraint(struct reader *r, struct price_fact *f)
{
    char key[KEY_MAX];
    struct slice text;
    int64_t ns;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (t == JSON_STRING && strcmp(key, "start_date") == 0 &&
            instant_day(text, &ns)) {
            f->dated = true;
            f->day = (int32_t)(ns / PRICE_DAY_NS);
        }
        skip_rest(r, t);
    }
    return f->dated;
}

/* One of [{"constraint":{…},"prices":{…}}]; false when it depends on the hour. */
static bool genai_conditional(struct reader *r)
{
    char key[KEY_MAX];
    struct slice text;
    struct price_fact *f = fact_begin(r);
    bool ours = f != NULL;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (f && t == JSON_OBJECT && strcmp(key, "constraint") == 0)
            ours &= genai_constraint(r, f);
        else if (f && t == JSON_OBJECT && strcmp(key, "prices") == 0)
            genai_prices(r, f);
        else
            skip_rest(r, t);
    }
    return ours;
}

static void genai_model(struct reader *r, const char *provider)
{
    char key[KEY_MAX], model[KEY_MAX] = "";
    struct slice text;
    bool ours = true;
    r->n = 0;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (t == JSON_STRING && strcmp(key, "id") == 0) {
            copy(model, sizeof model, text);
        } else if (t == JSON_OBJECT && strcmp(key, "prices") == 0 && r->n == 0) {
            genai_prices(r, fact_begin(r));
        } else if (t == JSON_ARRAY && strcmp(key, "prices") == 0) {
            while (element(r))
                ours &= genai_conditional(r);
        } else {
            skip_rest(r, t);
        }
    }
    r->n = ours ? r->n : 0;
    emit(r, slice_str(provider), slice_str(model));
}

static void genai_provider(struct reader *r)
{
    char key[KEY_MAX], provider[64] = "";
    struct slice text;
    r->stats->format = PRICE_LIST_GENAI;
    while (member(r, key)) {
        enum json_type t = next(r, &text);
        if (t == JSON_STRING && strcmp(key, "id") == 0)
            copy(provider, sizeof provider, text);
        else if (t == JSON_ARRAY && strcmp(key, "models") == 0)
            while (element(r))
                genai_model(r, provider);
        else
            skip_rest(r, t);
    }
}

/* --- the whole ---------------------------------------------------------------------- */

static void read_top(struct reader *r)
{
    char name[KEY_MAX];
    struct slice text;
    enum json_type t = next(r, &text);
    if (t == JSON_ARRAY) {
        while (element(r))
            genai_provider(r);
    } else if (t == JSON_OBJECT) {
        while (member(r, name)) {
            t = next(r, &text);
            if (t == JSON_OBJECT && strcmp(name, "sample_spec") != 0)
                object_entry(r, name);
            else
                skip_rest(r, t);
        }
    }
}

enum status price_list_read(const struct price_list_source *s,
                            struct price_list_stats *stats, struct buf *why)
{
    struct reader *r = calloc(1, sizeof *r);
    struct slice text;
    enum status st = ST_OK;
    *stats = (struct price_list_stats){ PRICE_LIST_UNKNOWN, 0, 0 };
    if (!r)
        return ST_NOMEM;
    r->source = s;
    r->stats = stats;
    json_init(&r->json, JSON_ONE);
    read_top(r);
    if (!r->failed && next(r, &text) != JSON_END && !r->failed) {
        buf_addf(why, "byte %llu: a value where none belongs",
                 (unsigned long long)json_offset(&r->json));
        st = ST_BAD;
    } else if (r->failed) {
        buf_addf(why, "byte %llu: %s", (unsigned long long)json_offset(&r->json),
                 json_why(&r->json));
        st = ST_BAD;
    } else if (stats->format == PRICE_LIST_UNKNOWN) {
        buf_adds(why,
                 "none of the known price lists (LiteLLM, models.dev, genai-prices)");
        st = ST_BAD;
    }
    free(r);
    return st;
}
