/* Tokens, facts, and which format it is; the formats have files of their own. */
#include "collector/price_list.h"

#include <stdlib.h>

#include "collector/price_list_read.h"

const char *price_list_format_name(enum price_list_format f)
{
    static const char *const names[] = { "unknown", "LiteLLM", "models.dev",
                                         "genai-prices" };
    return f < sizeof names / sizeof *names ? names[f] : "";
}

/* --- tokens ------------------------------------------------------------------------- */

enum json_type price_list_next(struct price_list_reader *r, struct slice *text)
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

void price_list_copy(char *out, size_t size, struct slice s)
{
    size_t n = s.n < size ? s.n : 0; /* what does not fit is no name of ours */
    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* The next key of the open object; false at its end. */
bool price_list_member(struct price_list_reader *r, char key[PRICE_LIST_KEY])
{
    struct slice text;
    if (price_list_next(r, &text) != JSON_KEY)
        return false;
    price_list_copy(key, PRICE_LIST_KEY, text);
    return true;
}

/* Into the next object of the open array, past whatever else stands there; false at its
 * end. */
bool price_list_element(struct price_list_reader *r)
{
    struct slice text;
    for (;;) {
        enum json_type t = price_list_next(r, &text);
        if (t == JSON_OBJECT || t == JSON_ARRAY_END || t <= JSON_BAD)
            return t == JSON_OBJECT;
        if (t == JSON_ARRAY)
            json_skip(&r->json);
    }
}

/* Pass over the container that t opened; nothing for a scalar. */
void price_list_skip(struct price_list_reader *r, enum json_type t)
{
    if (t == JSON_OBJECT || t == JSON_ARRAY)
        json_skip(&r->json);
}

bool price_list_scalar(enum json_type t)
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
    price_list_copy(v->tier, sizeof v->tier, tier);
    return v;
}

struct price_fact *price_list_begin(struct price_list_reader *r)
{
    if (r->n == PRICE_DATED_MAX)
        return NULL;
    struct price_fact *f = &r->fact[r->n++];
    memset(f, 0, offsetof(struct price_fact, v));
    price_fact_variant(f, 0, SLICE(""));
    return f;
}

void price_list_set(struct price_variant *v, unsigned field, uint64_t pico)
{
    /* Ten dollars a token is no price, and more per million than a book can hold. */
    if (!v || pico >= UINT64_C(10000000000000))
        return;
    v->pico[field] = pico;
    v->has |= (uint64_t)1 << field;
}

/* A number of dollars times 10^scale, divided by `per`, as pico-dollars. */
bool price_list_dollars(struct slice text, unsigned scale, uint64_t per, uint64_t *pico)
{
    uint64_t v;
    if (!json_decimal(text, scale, &v))
        return false;
    *pico = v / per + (v % per * 2 >= per && per > 1);
    return true;
}

/* The names of others for the providers that we know by another one. */
struct slice price_list_provider(struct slice theirs)
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
            price_list_set(v, USAGE_cache_write, v->pico[USAGE_cache_write_5m]);
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
void price_list_emit(struct price_list_reader *r, struct slice provider,
                     struct slice model)
{
    unsigned n = r->n;
    r->n = 0;
    r->stats->entries++;
    for (unsigned i = 0; i < n; i++) {
        struct price_fact *f = &r->fact[i];
        price_list_copy(f->provider, sizeof f->provider, price_list_provider(provider));
        price_list_copy(f->model, sizeof f->model, model);
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

/* --- the whole ---------------------------------------------------------------------- */

/* An entry of either format with an object at its top: told by the key "models". */
static void object_entry(struct price_list_reader *r, const char *name)
{
    char key[PRICE_LIST_KEY];
    struct slice text;
    bool dev = false;
    while (price_list_member(r, key)) {
        static const char *const dev_only[] = {
            "id", "name", "env", "npm", "doc", "api"
        };
        for (size_t i = 0; i < sizeof dev_only / sizeof *dev_only; i++)
            dev |= strcmp(key, dev_only[i]) == 0;
        if (strcmp(key, "models") == 0 && price_list_next(r, &text) == JSON_OBJECT) {
            r->stats->format = PRICE_LIST_MODELS_DEV;
            price_list_models_dev(r, name);
        } else if (dev) {
            price_list_skip(r, price_list_next(r, &text));
        } else {
            price_list_litellm(r, name, key);
            return;
        }
    }
}

static void read_top(struct price_list_reader *r)
{
    char name[PRICE_LIST_KEY];
    struct slice text;
    enum json_type t = price_list_next(r, &text);
    if (t == JSON_ARRAY) {
        while (price_list_element(r))
            price_list_genai(r);
    } else if (t == JSON_OBJECT) {
        while (price_list_member(r, name)) {
            t = price_list_next(r, &text);
            if (t == JSON_OBJECT && strcmp(name, "sample_spec") != 0)
                object_entry(r, name);
            else
                price_list_skip(r, t);
        }
    }
}

enum status price_list_read(const struct price_list_source *s,
                            struct price_list_stats *stats, struct buf *why)
{
    struct price_list_reader *r = calloc(1, sizeof *r);
    struct slice text;
    enum status st = ST_OK;
    *stats = (struct price_list_stats){ PRICE_LIST_UNKNOWN, 0, 0 };
    if (!r)
        return ST_NOMEM;
    r->source = s;
    r->stats = stats;
    json_init(&r->json, JSON_ONE);
    read_top(r);
    if (!r->failed && price_list_next(r, &text) != JSON_END && !r->failed) {
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
