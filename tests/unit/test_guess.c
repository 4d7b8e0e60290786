/*
 * What was read before never changes what is read: an engine that has seen many lines,
 * whole and broken ones, against a fresh one that has no guess to offer.
 */
#include "testing.h"

#include "agent/extract.h"
#include "common/buf.h"

static const char *const lines[] = {
    "{\"ts\":\"2026-11-23T17:45:00.013Z\",\"provider\":\"openai\",\"model\":\"o4-mini\","
    "\"request_id\":\"89297e75d1bea2ec\",\"latency_ms\":5794,\"status\":200,"
    "\"prompt_preview\":\"that (see \\u00e9t\\u00e9 \\\"usage\\\"\",\"usage\":{"
    "\"prompt_tokens\":23267,\"completion_tokens\":611,\"total_tokens\":23878,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0}}}",
    "{\"ts\":\"2026-11-23T17:45:00.023Z\",\"provider\":\"anthropic\",\"model\":\"claude-"
    "x\","
    "\"request_id\":\"b6a05b8b36cd3415\",\"latency_ms\":15176,\"status\":200,"
    "\"usage\":{\"input_tokens\":8274,\"cache_creation_input_tokens\":0,"
    "\"cache_read_input_tokens\":8274,\"output_tokens\":2881}}",
    "{\"time\": 1700000000.5, \"response\": {\"id\": \"chatcmpl-1\", \"object\": "
    "\"chat.completion\", \"choices\": [{\"message\": {\"content\": "
    "\"{\\\"a\\\":1}\"}}], "
    "\"usage\": {\"prompt_tokens\": 1e3, \"completion_tokens\": 12345678}}}",
    "[{\"model\":\"m\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}},7,\"x\",[],"
    "{\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":"
    "18446744073709551616}}]",
    "{\"msg\":\"{\\\"model\\\":\\\"gpt\\\",\\\"usage\\\":{\\\"prompt_tokens\\\":5,"
    "\\\"completion_tokens\\\":6}}\",\"level\":\"info\"}",
    "{\"a_key_that_is_longer_than_what_a_guess_can_hold\":1,\"usage\":{\"inputTokens\":3,"
    "\"outputTokens\":40,\"totalTokens\":43,\"cacheDetails\":[{\"ttl\":\"1h\","
    "\"inputTokens\":40}]}}",
};

static const char *const pieces[] = {
    "\"", "\\",  "{",    "}",    "[",          "]",         ",",       ":",
    " ",  "\t",  "\\\"", "null", "-1",         "00",        "1.5",     "1234567",
    ",,", "\":", "{,",   "[,",   "\"usage\":", "\"u\" : {", "\\u0022", "12345678",
};

/* A line with up to five changes: bytes, pieces of JSON, cuts, repeats. */
static void mutate(struct rng *r, struct buf *b)
{
    for (uint64_t n = rng_below(r, 6); n && b->n; n--) {
        struct buf was = { 0 };
        size_t at = rng_below(r, b->n), from = rng_below(r, b->n);
        buf_add(&was, buf_slice(b));
        struct slice old = buf_slice(&was);
        buf_reset(b);
        buf_add(b, slice_head(old, at));
        switch (rng_below(r, 5)) {
        case 0:
            buf_addc(b, (char)rng_next(r));
            buf_add(b, slice_from(old, at + 1));
            break;
        case 1:
            buf_add(b, slice_str(pieces[rng_below(r, COUNT_OF(pieces))]));
            buf_add(b, slice_from(old, at));
            break;
        case 2:
            buf_add(b, slice_from(old, at + 1 + rng_below(r, 20)));
            break;
        case 3:
            buf_add(b, slice_head(slice_from(old, from), 1 + rng_below(r, 40)));
            buf_add(b, slice_from(old, at));
            break;
        default:
            if (rng_below(r, 4))
                buf_add(b, slice_from(old, at));
        }
        buf_release(&was);
    }
}

static void write_call(void *arg, struct usage *u)
{
    const struct slice names[] = { u->app,         u->environment, u->provider,
                                   u->surface,     u->model,       u->model_request,
                                   u->response_id, u->request_id,  u->tier,
                                   u->region,      u->scope };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        buf_addf(arg, "%.*s|", SLICE_FMT(names[i]));
    buf_addf(arg, "%lld %d %d %d %d %d %u %x %llu %lld", (long long)u->ts_ns,
             (int)u->accounting, (int)u->outcome, (int)u->quality, (int)u->usage_source,
             (int)u->check, u->status, u->have, (unsigned long long)u->total_reported,
             (long long)u->total_us);
    for (unsigned f = 0; f < USAGE_N; f++)
        buf_addf(arg, " %llu", (unsigned long long)u->v[f]);
    buf_addc(arg, '\n');
}

static void judge(struct extract *x, struct slice line, struct buf *out)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 7 };
    const char *why;
    extract_record(x, line, &hint, write_call, out, &why);
    buf_adds(out, why ? why : "read");
}

static void test_reads_as_if_for_the_first_time(void **state)
{
    (void)state;
    struct rng r = rng_open("guess");
    struct extract *seasoned = extract_new();
    struct buf line = { 0 }, got = { 0 }, want = { 0 };
    for (unsigned round = 0; round < 6000; round++) {
        struct extract *fresh = extract_new();
        assert_non_null(seasoned);
        assert_non_null(fresh);
        buf_reset(&line);
        buf_adds(&line, lines[rng_below(&r, COUNT_OF(lines))]);
        mutate(&r, &line);
        struct guarded g = guard_copy(buf_slice(&line));
        buf_reset(&got);
        buf_reset(&want);
        judge(seasoned, g.s, &got);
        judge(fresh, g.s, &want);
        CHECK(slice_eq(buf_slice(&got), buf_slice(&want)), "%.*s\n%.*s\nnot\n%.*s",
              SLICE_FMT(g.s), SLICE_FMT(buf_slice(&got)), SLICE_FMT(buf_slice(&want)));
        guard_release(&g);
        extract_free(fresh);
    }
    extract_free(seasoned);
    buf_release(&line);
    buf_release(&got);
    buf_release(&want);
}

/* Every cut of a line that the engine knows by heart, before a page that it must not
 * read. */
static void test_every_cut(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    struct buf out = { 0 };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct slice whole = slice_str(lines[i]);
        judge(x, whole, &out);
        for (size_t cut = 0; cut < whole.n; cut++) {
            struct guarded g = guard_copy(slice_head(whole, cut));
            buf_reset(&out);
            judge(x, g.s, &out);
            CHECK(!slice_eq(buf_slice(&out), SLICE("read")) &&
                      slice_chr(buf_slice(&out), '\n') == SIZE_MAX,
                  "line %zu cut at %zu", i, cut);
            guard_release(&g);
        }
    }
    extract_free(x);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_as_if_for_the_first_time),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
