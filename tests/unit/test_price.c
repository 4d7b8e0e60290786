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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
