/* agent/needle: what makes a line worth a parse, on every engine, at exact bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/needle.h"

static const struct {
    const char *line;
    bool match;
} cases[] = {
    { "{\"usage\":{\"prompt_tokens\":5}}", true },
    { "{\"prompt_tokens\" : 5}", true },
    { "{\"total_tokens\":\"57\"}", true },
    { "{\"promptTokenCount\":7}", true },
    { "{\"llm.token_count.prompt\":7}", true },
    { "{\"tokens_in\":7}", true },
    { "{\"tokensOut\":7}", true },
    { "{\"cached_tokens_details\":{\"a\":1}}", true },
    { "{\"generatedTokens\":[3]}", true },
    { "{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":\"1\"}}", true },
    { "reply=\"{\\\"usage\\\":{\\\"input_tokens\\\":5}}\"", true },
    { "{\"m\":\"{\\\"a\\\":\\\"{\\\\\\\"input_tokens\\\\\\\":5}\\\"}\"}", true },
    { "level=info prompt_tokens=50 completion_tokens=7", true },
    { "Usage(completion_tokens=7)", true },
    { "completion_tokens = 7", true },
    { "tokens = none", false },
    { "{'prompt_tokens': 50}", true },
    { "{\"usageMetadata\":{}}", true },
    { "{\"usage\": {\"seconds\":9}}", true },
    { "{\"prompt_eval_count\":26}", true },
    { "{\"error\":{\"message\":\"no\"}}", true },
    { "{\"error\": {\"code\":429}}", true },
    { "{\"host\":\"api.openai.com\"}", true },
    { "{\"id\":\"resp_1\",\"status\":\"queued\"}", true },
    { "x\n{\n", true },
    { "x\n{", false },
    { "x {\r\n", true },
    { "x {\r", false },
    { "x {\ra", false },
    { "x { \n[\n}\n", false },
    { "{\n  \"a\": 1\n", true },
    { "       eval time =    1000.00 ms /   309 tokens", true },
    { "[GIN] 2026/11/02 - 10:00:00 | 200 |", true },
    { "the model used 57 tokens, its usage was high", false },
    { "{\"msg\":\"all tokens\"}", false },
    { "{\"msg\":\"no usage\",\"n\":1}", false },
    { "{\"level\":\"error\",\"msg\":\"x\"}", false },
    { "{\"error\":\"connection refused\"}", false },
    { "{\"usage\":null}", false },
    { "{\"total_tokens\":null}", false },
    { "{\"token\":\"abc\"}", false },
    { "{\"message\":{\"a\":1}}", false },
    { "", false },
    { "tokens", false },
    { "tokens\"", false },
    { "tokens\":", false },
};

/* A copy of s that ends where unmapped memory begins. */
static char *guarded(struct slice s, char **map)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (s.n / page + 1) * page;
    *map = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    assert_true(*map != MAP_FAILED);
    assert_int_equal(mprotect(*map + size, page, PROT_NONE), 0);
    char *p = *map + size - s.n;
    memcpy(p, s.p, s.n);
    return p;
}

static void release(char *map, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(map, (n / page + 1) * page + page);
}

/* Every case behind 0..70 bytes of filler: each lane of a vector, the last bytes too. */
static void test_cases(void **state)
{
    (void)state;
    for (enum needle_engine e = NEEDLE_SCALAR; e <= NEEDLE_AVX2; e++) {
        struct needle n;
        if (!needle_init_engine(&n, e))
            continue;
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            for (size_t pad = 0; pad <= 70; pad++) {
                char text[256], *map;
                memset(text, 'x', pad);
                strcpy(text + pad, cases[c].line);
                struct slice s = slice_str(text);
                s.p = guarded(s, &map);
                size_t at = needle_find(&n, s, 0);
                if ((at != SIZE_MAX) != cases[c].match)
                    fail_msg("engine %d, pad %zu: %s", (int)e, pad, cases[c].line);
                release(map, s.n);
            }
        }
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Random text out of the literals' own bytes: all engines agree, on matches and lines. */
static void test_engines_agree(void **state)
{
    (void)state;
    static const char *const bits[] = { "oken",      "s",    "\"",        ":",     "5",
                                        "usage",     "{",    "\\",        "error", "\n",
                                        " ",         "e",    "val_count", "=",     ",",
                                        "\"value\"", "x.ai", "ns",        "or\"",  "ge" };
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        char text[400];
        size_t n = 0;
        for (size_t want = next(&seed) % 300; n < want;) {
            const char *bit = bits[next(&seed) % (sizeof bits / sizeof *bits)];
            memcpy(text + n, bit, strlen(bit));
            n += strlen(bit);
        }
        size_t found[3], from = n ? next(&seed) % n : 0;
        uint64_t lines[3];
        for (enum needle_engine e = NEEDLE_SCALAR; e <= NEEDLE_AVX2; e++) {
            struct needle needle;
            needle_init_engine(&needle, e);
            found[e] = needle_find(&needle, slice_of(text, n), from);
            lines[e] = needle_newlines(&needle, slice_of(text, n));
        }
        if (found[1] != found[0] || found[2] != found[0] || lines[1] != lines[0] ||
            lines[2] != lines[0])
            fail_msg("seed 42, round %d: %.*s", round, (int)n, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_engines_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
