/* The price book: names to rows, rows to money. */
#include "common/price.h"

#include "testing.h"

#include <stdio.h>
#include <unistd.h>

#include "common/instant.h"
#include "common/price_book.h"

static const char book_text[] =
    "providers:\n"
    "  openai:\n"
    "    prices:\n"
    "      - {from: 2020-01-01, web_searches: 10, tiers: {batch: 0.5}}\n"
    "    models:\n"
    "      gpt-big:\n"
    "        aliases: [gpt-big-preview]\n"
    "        regions: {eu: 1.1}\n"
    "        prices:\n"
    "          - {from: 2026-01-01, input: 4, cache_read: 0.40, output: 20}\n"
    "          - from: 2026-06-15\n"
    "            input: 2\n"
    "            cache_read: 0.20\n"
    "            output: 10\n"
    "            above: {272000: {input: 4, cache_read: 0.40, output: 15}}\n"
    "            tiers: {priority: {input: 4, cache_read: 0.40, output: 20}, flex: 0.5}\n"
    "      gpt-voice:\n"
    "        prices:\n"
    "          - {from: 2026-01-01, input: 1, output: 2, audio_in: 10, audio_out: 20, "
    "audio_cached: 0.30, calls: 5}\n"
    "  anthropic:\n"
    "    models:\n"
    "      claude-x-1:\n"
    "        prices:\n"
    "          - {from: 2026-01-01, input: 3, cache_read: 0.30, cache_write_5m: 3.75, "
    "cache_write_1h: 6, output: 15}\n"
    "  azure_openai: {same_as: openai}\n"
    "  vertex: {same_as: [gemini, anthropic]}\n";

static struct price_book *open_text(const char *text)
{
    char path[] = "/tmp/breakeven-price-XXXXXX";
    struct price_book *b = NULL;
    struct buf why = { 0 };
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    if (price_book_open(path, NULL, &b, &why) != ST_OK)
        fail_msg("%s", buf_cstr(&why));
    unlink(path);
    buf_release(&why);
    return b;
}

/* 2026-MM-DD at noon, in Unix seconds. */
static int64_t noon(const char *date)
{
    int64_t ns;
    assert_true(instant_day(slice_str(date), &ns));
    return ns / 1000000000 + 43200;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *model, *want; /* NULL: unpriced */
    } rows[] = {
        { "openai", "gpt-big", "gpt-big" },
        { "openai", "GPT-Big", "gpt-big" },
        { "openai", "gpt-big-preview", "gpt-big" },
        { "openai", "gpt-big-2026-06-15", "gpt-big" },
        { "openai", "gpt-big-latest", "gpt-big" },
        { "openai", "openai/gpt-big", "gpt-big" },
        { "openai", "gpt-bigger", NULL },
        { "openai", "gpt-big-0613", NULL },
        { "openai", "gpt-big-preview-05-06", NULL },
        { "openai", "ft:gpt-big:acme::x1", NULL },
        { "openai", "", NULL },
        { "azure_openai", "gpt-big", "gpt-big" },
        { "anthropic", "claude-x-1-20250929", "claude-x-1" },
        { "anthropic", "anthropic.claude-x-1-20250929-v1:0", "claude-x-1" },
        { "anthropic", "us.anthropic.claude-x-1-20250929-v1:0", "claude-x-1" },
        { "anthropic",
          "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
          "eu.anthropic.claude-x-1-20250929-v1:0",
          "claude-x-1" },
        { "vertex", "claude-x-1@20250929", "claude-x-1" },
        { "vertex", "publishers/anthropic/models/claude-x-1", "claude-x-1" },
        { "compat", "gpt-big", NULL },
        { "ollama", "gpt-big", NULL },
        { "", "gpt-big", NULL },
    };
    struct price_book *b = open_text(book_text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct price p;
        struct price_query q = { .provider = slice_str(rows[i].provider),
                                 .model = slice_str(rows[i].model),
                                 .day = noon("2026-07-01") };
        bool found = price_find(b, &q, &p);
        if (found != (rows[i].want != NULL) ||
            (found && strcmp(p.model, rows[i].want) != 0))
            fail_msg("%s %s: %s", rows[i].provider, rows[i].model,
                     found ? p.model : "unpriced");
    }
    price_book_free(b);
}

/* Arithmetic by hand, in micro-dollars of the rounded cost. */
static void test_costs(void **state)
{
    (void)state;
    static const struct {
        const char *model, *date, *tier, *region;
        unsigned context;
        uint64_t calls;
        struct {
            unsigned field;
            uint64_t n;
        } v[5];
        const char *want;
    } rows[] = {
        /* 1,000 x 4 + 200 x 20, then the price of 15 June: 1,000 x 2 + 200 x 10 */
        { "gpt-big",
          "2026-06-14",
          "",
          "",
          0,
          1,
          { { USAGE_input, 1000 }, { USAGE_output, 200 } },
          "0.008000" },
        { "gpt-big",
          "2026-06-15",
          "",
          "",
          0,
          1,
          { { USAGE_input, 1000 }, { USAGE_output, 200 } },
          "0.004000" },
        { "gpt-big",
          "2026-07-01",
          "default",
          "",
          0,
          1,
          { { USAGE_input, 1000 }, { USAGE_cache_read, 5000 } },
          "0.003000" },
        { "gpt-big",
          "2026-07-01",
          "batch",
          "",
          0,
          1,
          { { USAGE_input, 1000 }, { USAGE_web_searches, 3 } },
          "0.031000" },
        { "gpt-big",
          "2026-07-01",
          "priority",
          "",
          0,
          1,
          { { USAGE_input, 1000 }, { USAGE_output, 200 } },
          "0.008000" },
        { "gpt-big",
          "2026-07-01",
          "",
          "eu",
          0,
          1,
          { { USAGE_input, 1000 } },
          "0.002200" },
        /* 1,000 audio of 4,000 input at their own price; cached audio too */
        { "gpt-voice",
          "2026-07-01",
          "",
          "",
          0,
          2,
          { { USAGE_input, 4000 },
            { USAGE_audio_in, 1000 },
            { USAGE_cache_read, 100 },
            { USAGE_audio_cached, 60 },
            { USAGE_output, 0 } },
          "0.023058" },
    };
    struct price_book *b = open_text(book_text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t v[USAGE_N] = { 0 };
        struct buf text = { 0 };
        for (size_t k = 0; k < 5; k++)
            v[rows[i].v[k].field] += rows[i].v[k].n;
        struct price_query q = { SLICE("openai"),         slice_str(rows[i].model),
                                 slice_str(rows[i].tier), slice_str(rows[i].region),
                                 noon(rows[i].date),      rows[i].context };
        struct price_cost c = price_usage(b, &q, rows[i].calls, v);
        assert_true(c.priced);
        price_format(c.pico, 6, &text);
        if (strcmp(buf_cstr(&text), rows[i].want) != 0)
            fail_msg("row %zu: %s, not %s", i, buf_cstr(&text), rows[i].want);
        assert_int_equal(c.unpriced, 0);
        buf_release(&text);
    }
    price_book_free(b);
}

static struct price_query query(const char *provider, const char *model, const char *date)
{
    return (struct price_query){ .provider = slice_str(provider),
                                 .model = slice_str(model),
                                 .day = noon(date) };
}

/* The whole request is re-priced; a tier without a price up there gives the standard one.
 */
static void test_context_and_tiers(void **state)
{
    (void)state;
    static const struct {
        uint64_t input;
        const char *tier;
        uint64_t pico;
        bool known;
    } rows[] = {
        { 272000, "", 2000000, true },         { 272001, "", 4000000, true },
        { 272000, "priority", 4000000, true }, { 272001, "priority", 4000000, false },
        { 272001, "flex", 2000000, true },     { 272001, "Batch", 2000000, true },
        { 1000, "scale", 2000000, false },     { 1000, "standard", 2000000, true },
    };
    struct price_book *b = open_text(book_text);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct price p;
        struct price_query q = query("openai", "gpt-big", "2026-07-01");
        q.tier = slice_str(rows[i].tier);
        q.context = usage_context(rows[i].input);
        assert_true(price_find(b, &q, &p));
        CHECK(p.pico[USAGE_input] == rows[i].pico && p.tier_known == rows[i].known,
              "row %zu: %llu %d", i, (unsigned long long)p.pico[USAGE_input],
              p.tier_known);
    }
    price_book_free(b);
}

/* What has no price is told, field by field; what measures the same content is not. */
static void test_unpriced(void **state)
{
    (void)state;
    struct price_book *b = open_text(book_text);
    struct price_query q = query("openai", "gpt-big", "2026-07-01");
    uint64_t v[USAGE_N] = { [USAGE_input] = 10,
                            [USAGE_images] = 1,
                            [USAGE_bytes_up] = 9,
                            [USAGE_search_units] = 2,
                            [USAGE_cost_pico] = 5 };
    struct price_cost c = price_usage(b, &q, 1, v);
    assert_true(c.priced);
    assert_int_equal(c.unpriced, (uint32_t)1 << USAGE_search_units);
    v[USAGE_input] = 0;
    c = price_usage(b, &q, 1, v);
    assert_int_equal(c.unpriced,
                     (uint32_t)1 << USAGE_search_units | (uint32_t)1 << USAGE_images);
    q.day = noon("2025-12-31"); /* before the first row */
    assert_false(price_usage(b, &q, 1, v).priced);
    price_book_free(b);
}

/* A provider's own cost beside ours: only of calls that all have both, whole. */
static void test_stated(void **state)
{
    (void)state;
    struct price_stated s = { 0 };
    struct price_cost whole = { .pico = 900000000, .priced = true },
                      part = { .pico = 1, .priced = true, .unpriced = 1 },
                      none = { .priced = false };
    uint64_t v[USAGE_N] = { [USAGE_cost_pico] = 1000000000, [USAGE_cost_calls] = 2 };
    struct buf text = { 0 };
    price_stated_text(&s, &text);
    assert_int_equal(text.n, 0);
    price_stated_add(&s, 2, v, &whole);
    price_stated_add(&s, 3, v, &whole); /* one of them states nothing */
    price_stated_add(&s, 2, v, &part);
    price_stated_add(&s, 2, v, &none);
    price_stated_text(&s, &text);
    assert_string_equal(buf_cstr(&text), "$0.0010 as stated for 2 calls, $0.0009 by our "
                                         "prices (-10.0 %)");
    buf_release(&text);
}

static void test_sums_and_rounding(void **state)
{
    (void)state;
    static const struct {
        price_pico pico;
        unsigned digits;
        const char *want;
    } rows[] = {
        { 0, 2, "0.00" },
        { 4999999999, 2, "0.00" },
        { 5000000000, 2, "0.01" },
        { 995000000000, 2, "1.00" },
        { 1, 12, "0.000000000001" },
        { 499999999999, 0, "0" },
        { 500000000000, 0, "1" },
        { (price_pico)1 << 100, 2, "1267650600228229401.50" },
    };
    struct buf text = { 0 };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_reset(&text);
        price_format(rows[i].pico, rows[i].digits, &text);
        assert_string_equal(buf_cstr(&text), rows[i].want);
    }
    /* 2^62 tokens at 20 $ per million: beyond 64 bits of pico-dollars */
    struct price_book *b = open_text(book_text);
    struct price_query q = query("openai", "gpt-big", "2026-06-01");
    uint64_t v[USAGE_N] = { [USAGE_output] = (uint64_t)1 << 62 };
    buf_reset(&text);
    price_format(price_usage(b, &q, 1, v).pico, 6, &text);
    assert_string_equal(buf_cstr(&text), "92233720368547.758080");
    price_book_free(b);
    buf_release(&text);
}

/* Splitting counts over rows changes nothing, and more tokens never cost less. */
static void test_additive_and_monotone(void **state)
{
    (void)state;
    struct rng rng = rng_open("additive");
    const struct price_tables *t = &price_builtin;
    struct price_book *b = NULL;
    struct buf why = { 0 };
    assert_int_equal(price_book_open(NULL, NULL, &b, &why), ST_OK);
    for (unsigned round = 0; round < 20000; round++) {
        const struct price_model *m = &t->model[rng_below(&rng, t->n_models)];
        struct price_query q = query(t->text + t->provider[m->provider].name,
                                     t->text + m->name, "2026-11-23");
        q.context = (unsigned)rng_below(&rng, USAGE_CONTEXTS);
        uint64_t x[USAGE_N] = { 0 }, y[USAGE_N] = { 0 }, sum[USAGE_N] = { 0 };
        for (unsigned f = 0; f < USAGE_N; f++) {
            x[f] = rng_below(&rng, 1000000);
            y[f] = rng_below(&rng, 1000000);
            if (usage_fields[f].kind == USAGE_KIND_SUBSET)
                x[f] = y[f] = 0;
        }
        if (rng_below(&rng, 2)) { /* subsets inside their class, in both parts */
            x[USAGE_audio_in] = x[USAGE_input] / 3;
            y[USAGE_audio_in] = y[USAGE_input] / 2;
            x[USAGE_reasoning] = x[USAGE_output] / 2;
            y[USAGE_image_in] = y[USAGE_input] / 4;
        }
        for (unsigned f = 0; f < USAGE_N; f++)
            sum[f] = x[f] + y[f];
        struct price_cost cx = price_usage(b, &q, 3, x), cy = price_usage(b, &q, 4, y),
                          cs = price_usage(b, &q, 7, sum);
        CHECK(cx.pico + cy.pico == cs.pico && cs.pico >= cx.pico && cs.pico >= cy.pico,
              "%s", t->text + m->name);
    }
    price_book_free(b);
    buf_release(&why);
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Own prices win, discounts come off the list price of whoever bills, from their day. */
static void test_overrides(void **state)
{
    (void)state;
    static const char over_text[] =
        "providers:\n"
        "  openai:\n"
        "    prices: [{from: 2026-01-01, discount: 10}]\n"
        "    models:\n"
        "      gpt-voice: {prices: [{from: 2026-05-01, discount: 12.5}]}\n"
        "  ollama:\n"
        "    models:\n"
        "      llama3: {prices: [{from: 2026-01-01, input: 0.05, output: 0.05}]}\n"
        "  compat: {same_as: [openai, ollama]}\n";
    static const struct {
        const char *provider, *model, *date;
        uint64_t pico; /* of an input token; UINT64_MAX: unpriced */
    } rows[] = {
        { "openai", "gpt-big", "2026-07-01", 1800000 },
        { "openai", "gpt-voice", "2026-04-30", 900000 },
        { "openai", "gpt-voice", "2026-05-01", 875000 },
        { "azure_openai", "gpt-big", "2026-07-01", 2000000 },
        { "ollama", "llama3:latest", "2026-07-01", UINT64_MAX },
        { "ollama", "llama3", "2026-07-01", 50000 },
        { "compat", "llama3", "2026-07-01", 50000 },
    };
    char base[] = "/tmp/breakeven-price-XXXXXX", over[] = "/tmp/breakeven-price-XXXXXX";
    struct price_book *b = NULL;
    struct buf why = { 0 };
    write_text(mkstemp(base), book_text);
    write_text(mkstemp(over), over_text);
    if (price_book_open(base, over, &b, &why) != ST_OK)
        fail_msg("%s", buf_cstr(&why));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct price p;
        struct price_query q = query(rows[i].provider, rows[i].model, rows[i].date);
        uint64_t pico = price_find(b, &q, &p) ? p.pico[USAGE_input] : UINT64_MAX;
        CHECK(pico == rows[i].pico, "row %zu: %llu", i, (unsigned long long)pico);
    }
    price_book_free(b);
    unlink(base);
    unlink(over);
    buf_release(&why);
}

/* Names as seen in the wild against the built-in book. */
static void test_built_in_names(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *model, *want; /* NULL: unpriced */
        uint64_t pico;                       /* of an input token; 0: not looked at */
    } rows[] = {
        { "openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini", 150000 },
        { "openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13", 5000000 },
        { "openai", "gpt-3.5-turbo-instruct:20230824-v2", "gpt-3.5-turbo-instruct", 0 },
        { "openai", "davinci:2023-07-21-v2", "davinci-002", 2000000 },
        { "openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini", 300000 },
        { "openai", "gpt-5.6-sol", "gpt-5.6-sol", 4000000 },
        { "openai", "gpt-9", NULL, 0 },
        { "azure_openai", "gpt-35-turbo", "gpt-3.5-turbo", 0 },
        { "azure_openai", "ada", "ada", 100000 },
        { "azure_ai", "grok-4-1-fast-non-reasoning", "grok-4-1-fast-non-reasoning", 0 },
        { "anthropic", "claude-3-5-haiku-20241022", "claude-3-5-haiku", 800000 },
        { "anthropic", "claude-sonnet-4-0", "claude-sonnet-4", 3000000 },
        { "vertex", "claude-3-7-sonnet@20250219", "claude-3-7-sonnet", 3000000 },
        { "vertex", "gemini-2.5-flash", "gemini-2.5-flash", 300000 },
        { "gemini", "models/gemini-2.0-flash-001", "gemini-2.0-flash", 100000 },
        { "gemini", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro", 1250000 },
        { "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5",
          3300000 },
        { "bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
          "claude-sonnet-4-5", 3000000 },
        { "bedrock", "claude-3-5-sonnet-20240620", "claude-3-5-sonnet", 3000000 },
        { "bedrock", "amazon.nova-lite-v1:0", "nova-lite", 60000 },
        { "bedrock", "us.amazon.nova-2-lite-v1:0", "nova-2-lite", 330000 },
        { "bedrock", "openai.gpt-5.6-luna", "gpt-5.6-luna", 220000 },
        { "bedrock",
          "arn:aws:sagemaker:us-east-1:123456789012:endpoint/endpoint-quick-start", NULL,
          0 },
        { "mistral", "mistral-large-latest", "mistral-large", 500000 },
        { "groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b", 150000 },
        { "together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
          "meta-llama/meta-llama-3.1-70b-instruct-turbo", 880000 },
        { "fireworks", "accounts/fireworks/models/gpt-oss-20b", "gpt-oss-20b", 70000 },
        { "openrouter", "anthropic/claude-4.5-haiku-20251001",
          "anthropic/claude-haiku-4.5", 1000000 },
        { "openrouter", "minimax/minimax-m2:free", "*:free", 0 },
        { "openrouter", "openai/gpt-oss-20b", NULL, 0 },
        { "vercel_gateway", "anthropic/claude-sonnet-4", "claude-sonnet-4", 3000000 },
        { "ollama", "llama3", NULL, 0 },
        { "compat", "gpt-4o", NULL, 0 },
    };
    struct price_book *b = NULL;
    struct buf why = { 0 };
    assert_int_equal(price_book_open(NULL, NULL, &b, &why), ST_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct price p;
        struct price_query q = query(rows[i].provider, rows[i].model, "2026-11-23");
        bool found = price_find(b, &q, &p);
        CHECK(found == (rows[i].want != NULL) &&
                  (!found || strcmp(p.model, rows[i].want) == 0) &&
                  (!rows[i].pico || p.pico[USAGE_input] == rows[i].pico),
              "%s %s: %s", rows[i].provider, rows[i].model, found ? p.model : "unpriced");
    }
    price_book_free(b);
    buf_release(&why);
}

/* Every mistake names its line. */
static void test_refusals(void **state)
{
    (void)state;
#define MODEL "providers:\n  a:\n    models:\n      m:\n        prices:\n"
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "b:1: a book expected" },
        { "x: 1\n", "b:1: unknown key 'x'; a book has 'checked' and 'providers'" },
        { "checked: soon\n", "b:1: 'soon' is no date; expected one such as 2026-11-23" },
        { "providers: &a {}\n", "b:1: anchors, aliases and tags are not allowed" },
        { "providers:\n  a: {colour: red}\n",
          "b:2: unknown key 'colour' of a provider; same_as, prices, models are known" },
        { MODEL "          - {input: 1}\n",
          "b:6: a price begins with its date: 'from' before 'input'" },
        { MODEL "          - {from: 2026-02-30, input: 1}\n",
          "b:6: '2026-02-30' is no date; expected one such as 2026-11-23" },
        { MODEL "          - {from: 2026-01-01, input: -1}\n",
          "b:6: '-1' is no price; expected dollars such as 2.50" },
        { MODEL "          - {from: 2026-01-01, input: 1, input: 2}\n",
          "b:6: 'input' stands here twice" },
        { MODEL "          - {from: 2026-01-01}\n", "b:6: a row without a price" },
        { MODEL "          - {from: 2026-01-01, sugar: 1}\n",
          "b:6: unknown or misplaced key 'sugar' in a price" },
        { MODEL "          - {from: 2026-01-01, input: 1, tiers: {batch: 11}}\n",
          "b:6: '11' is no factor; expected a number such as 0.5, at most 10" },
        { MODEL "          - {from: 2026-01-01, input: 1, above: {0: {input: 2}}}\n",
          "b:6: '0' is no threshold; expected tokens such as 200000" },
        { MODEL "          - {from: 2026-01-02, input: 1}\n"
                "          - {from: 2026-01-02, input: 2}\n",
          "b:7: the same day, tier and threshold as in line 6" },
        { MODEL "          - {from: 2026-01-02, input: 1}\n"
                "          - {from: 2026-01-01, input: 2}\n",
          "b:7: dates must ascend, each once" },
        { "providers: {a: {models: {m: {aliases: [n]}}}}\n", "b:1: 'm' has no prices" },
        { "providers: {a: {models: {m: {aliases: [M], prices: [{from: 2026-01-01, "
          "input: 1}]}}}}\n",
          "b:1: 'm' is already a name of the model in line 1" },
        { MODEL "          - {from: 2026-01-01, discount: 5, input: 1}\n",
          "b:6: either a discount or prices, not both" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct price_tables t;
        struct buf why = { 0 };
        struct arena a;
        struct guarded g = guard_copy(slice_str(rows[i].text));
        arena_init(&a, 1 << 20);
        assert_int_equal(price_tables_parse(g.s, "b", &a, &t, &why), ST_CONFIG);
        CHECK(strcmp(buf_cstr(&why), rows[i].why) == 0, "%s", buf_cstr(&why));
        arena_release(&a);
        buf_release(&why);
        guard_release(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_costs),
        cmocka_unit_test(test_context_and_tiers),
        cmocka_unit_test(test_unpriced),
        cmocka_unit_test(test_stated),
        cmocka_unit_test(test_sums_and_rounding),
        cmocka_unit_test(test_additive_and_monotone),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_built_in_names),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
