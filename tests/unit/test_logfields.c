/* agent/logfields, agent/jsonwalk: records with fields at fixed places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/jsonwalk.h"
#include "agent/logfields.h"
#include "common/instant.h"

static void put_path(void *arg, struct slice path, enum json_type type, struct slice text)
{
    if (type == JSON_OBJECT_END)
        buf_addf(arg, "%.*s} ", SLICE_FMT(path));
    else
        buf_addf(arg, "%.*s=%.*s ", SLICE_FMT(path), SLICE_FMT(text));
}

static const struct {
    const char *json, *want;
    bool ok;
} walks[] = {
    { "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":null},\"e\":true}", "/a=1 /b/c=x /b} /e= } ",
      true },
    { "[1,[2,{\"a\":3}],4]", "/-=1 /-/-=2 /-/-/a=3 /-/-} /-=4 ", true },
    { "{\"l\":[{\"a\":1},{\"b\":2}],\"z\":0}", "/l/-/a=1 /l/-} /l/-/b=2 /l/-} /z=0 } ",
      true },
    { "{\"messages\":[{\"a\":1}],\"b\":{\"prompt\":{\"x\":1},\"y\":2}}", "/b/y=2 /b} } ",
      true },
    { "5", "=5 ", true },
    { "{\"a\":1", "/a=1 ", false },
    { "", "", false },
};

static void test_walk(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof walks / sizeof *walks; c++) {
        struct buf b = { 0 };
        bool ok = jsonwalk(slice_str(walks[c].json), put_path, &b);
        if (ok != walks[c].ok || strcmp(buf_cstr(&b), walks[c].want) != 0)
            fail_msg("%s: %s", walks[c].json, buf_cstr(&b));
        buf_release(&b);
    }
}

/* Deep and long paths are passed over, and what follows is found again. */
static void test_walk_deep(void **state)
{
    (void)state;
    struct buf doc = { 0 }, got = { 0 };
    for (int kind = 0; kind < 2; kind++) {
        buf_reset(&doc);
        buf_reset(&got);
        buf_adds(&doc, "{\"a\":");
        for (int i = 0; i < 600; i++)
            buf_adds(&doc, kind ? "[" : "{\"k\":");
        buf_adds(&doc, "1");
        for (int i = 0; i < 600; i++)
            buf_addc(&doc, kind ? ']' : '}');
        buf_adds(&doc, ",\"z\":2}");
        assert_true(jsonwalk(buf_slice(&doc), put_path, &got));
        assert_true(slice_ends(buf_slice(&got), SLICE("/z=2 } ")));
    }
    buf_release(&doc);
    buf_release(&got);
}

static void note(void *arg, const struct usage *u)
{
    static const char *const names[USAGE_CLASSES] = {
        "in", "cr", "5m", "1h", "cw", "out"
    };
    struct buf *b = arg;
    buf_addf(b, "%s %.*s/%.*s", usage_accounting_name(u->accounting),
             SLICE_FMT(u->provider), SLICE_FMT(u->model));
    for (unsigned f = 0; f < USAGE_CLASSES; f++)
        if (usage_has(u, (enum usage_field)f))
            buf_addf(b, " %s%llu", names[f], (unsigned long long)u->v[f]);
    if (usage_has(u, USAGE_reasoning))
        buf_addf(b, " rs%llu", (unsigned long long)u->v[USAGE_reasoning]);
    if (u->app.n)
        buf_addf(b, " app=%.*s", SLICE_FMT(u->app));
    buf_addf(b, " %s;", usage_check_name(u->check));
}

#define LITELLM(more)                                                                    \
    "{\"litellm_call_id\":\"c-1\",\"id\":\"chatcmpl-L1\",\"custom_llm_provider\":"       \
    "\"anthropic\",\"model\":\"claude-x\",\"endTime\":1793613602.4," more "}"
#define SPAN(attributes)                                                                 \
    "{\"spanId\":\"e1\",\"endTimeUnixNano\":\"1793613601000000000\",\"attributes\":"     \
    "[" attributes "]}"
#define OTLP(spans)                                                                      \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","      \
    "\"value\":{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"spans\":[" spans         \
    "]}]}]}"
#define S(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define I(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"

static const struct {
    const char *name, *line, *want;
    enum logfields_format format;
} records[] = {
    { "LiteLLM, cache split only in the usage object",
      LITELLM("\"prompt_tokens\":900,\"completion_tokens\":40,\"total_tokens\":940,"
              "\"metadata\":{\"usage_object\":{\"prompt_tokens\":900,"
              "\"prompt_tokens_details\":{\"cached_tokens\":800},"
              "\"cache_creation_input_tokens\":50}},"
              "\"response\":{\"usage\":{\"prompt_tokens\":900}}"),
      "call anthropic/claude-x in50 cr800 5m50 out40 ok;", LOGFIELDS_litellm },
    { "LiteLLM, older wrapping",
      "{\"kwargs\":{\"standard_logging_object\":" LITELLM("\"prompt_tokens\":9,"
                                                          "\"completion_tokens\":4") "}}",
      "call anthropic/claude-x in9 out4 no_total;", LOGFIELDS_litellm },
    { "LiteLLM, a failure with estimates",
      LITELLM("\"status\":\"failure\",\"prompt_tokens\":900"),
      "error anthropic/claude-x no_total;", LOGFIELDS_litellm },
    { "LiteLLM, answered by its own cache",
      LITELLM("\"cache_hit\":\"True\",\"prompt_tokens\":900"),
      "free anthropic/claude-x no_total;", LOGFIELDS_litellm },
    { "LiteLLM, not answered by its cache",
      LITELLM("\"cache_hit\":false,\"prompt_tokens\":900"),
      "call anthropic/claude-x in900 no_total;", LOGFIELDS_litellm },
    { "LiteLLM spend log",
      "{\"request_id\":\"chatcmpl-1\",\"call_type\":\"acompletion\",\"spend\":0.01,"
      "\"model\":\"m\",\"prompt_tokens\":5,\"completion_tokens\":2,"
      "\"startTime\":\"2026-11-02T10:00:00Z\"}",
      "call /m in5 out2 no_total;", LOGFIELDS_litellm },
    { "Bedrock, bodies not entered",
      "{\"schemaType\":\"ModelInvocationLog\",\"timestamp\":\"2026-11-02T10:00:00Z\","
      "\"requestId\":\"7f\",\"operation\":\"ConverseStream\",\"modelId\":"
      "\"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x\","
      "\"input\":{\"inputTokenCount\":3,\"cacheReadInputTokenCount\":9511,"
      "\"cacheWriteInputTokenCount\":7,\"inputBodyJson\":{\"inputTokenCount\":5}},"
      "\"output\":{\"outputTokenCount\":40,\"outputBodyJson\":[{\"outputTokenCount\":1}]}"
      "}",
      "call bedrock/us.anthropic.claude-x in3 cr9511 5m7 out40 no_total;",
      LOGFIELDS_bedrock },
    { "Bedrock, refused",
      "{\"schemaType\":\"ModelInvocationLog\",\"modelId\":\"m\",\"errorCode\":"
      "\"ThrottlingException\",\"input\":{}}",
      "error bedrock/m no_total;", LOGFIELDS_bedrock },
    { "OTLP, an agent's span repeats its children",
      OTLP(SPAN(S("gen_ai.operation.name", "invoke_agent") "," I(
          "gen_ai.usage.input_tokens",
          "500")) "," SPAN(S("gen_ai.operation.name",
                             "chat") "," S("gen_ai.provider.name",
                                           "aws.bedrock") "," S("gen_ai.request.model",
                                                                "m1") "," I("gen_ai."
                                                                            "usage.input_"
                                                                            "tokens",
                                                                            "120") "," I("gen_ai.usage.cache_read.input_tokens",
                                                                                         "20") "," I("gen_ai.usage.output_tokens",
                                                                                                     "30"))),
      "call bedrock/m1 in100 cr20 out30 app=shop no_total;", LOGFIELDS_otlp },
    { "OTLP, input that excludes the cache",
      OTLP(SPAN(
          S("gen_ai.operation.name", "chat") "," S("gen_ai.system", "anthropic") "," I(
              "gen_ai.usage.input_tokens",
              "12") "," I("gen_ai.usage.cache_read_input_tokens", "2000"))),
      "call anthropic/ in12 cr2000 app=shop no_total;", LOGFIELDS_otlp },
    { "OTLP, OpenInference and Vercel spans",
      OTLP(SPAN(S("openinference.span.kind", "LLM") "," S("llm.model_name", "m") "," I(
          "llm.token_count.prompt",
          "5") "," I("llm.token_count.completion",
                     "6") "," I("llm.token_count.total",
                                "11")) "," SPAN(S("openinference.span.kind",
                                                  "CHAIN") "," I("llm.token_count.prompt",
                                                                 "5")) "," SPAN(S("ai."
                                                                                  "operat"
                                                                                  "ionId",
                                                                                  "ai."
                                                                                  "genera"
                                                                                  "teText"
                                                                                  ".doGen"
                                                                                  "erate") "," S("ai.model.provider",
                                                                                                 "openai.chat") "," I("ai.usage.inputTokens",
                                                                                                                      "7")) "," SPAN(S("ai.operationId",
                                                                                                                                       "ai.generateText") "," I("ai.usage.inputTokens",
                                                                                                                                                                "7"))),
      "call /m in5 out6 app=shop ok;call openai/ in7 app=shop no_total;",
      LOGFIELDS_otlp },
    { "a gateway's access log",
      "{\"start_time\":\"2026-11-02T10:00:00.1Z\",\"x-envoy-origin-path\":"
      "\"/v1/chat/"
      "completions\",\"response_code\":200,\"gen_ai.response.model\":\"gpt-x\","
      "\"gen_ai.provider.name\":\"ns/openai/route/0\",\"gen_ai.usage.input_tokens\":120,"
      "\"gen_ai.usage.output_tokens\":30}",
      "call openai/gpt-x in120 out30 no_total;", LOGFIELDS_gen_ai },
    { "a gateway counting tokens is no call",
      "{\"path\":\"/v1/messages/count_tokens\",\"gen_ai.usage.input_tokens\":120}",
      "free / no_total;", LOGFIELDS_gen_ai },
};

static void test_records(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof records / sizeof *records; c++) {
        struct buf b = { 0 };
        struct slice line = slice_str(records[c].line);
        const char *why;
        if (logfields_detect(line) != records[c].format)
            fail_msg("%s: not detected", records[c].name);
        logfields_judge(records[c].format, line, NULL, note, &b, &why);
        if (why || strcmp(buf_cstr(&b), records[c].want) != 0)
            fail_msg("%s: %s", records[c].name, buf_cstr(&b));
        for (size_t n = 0; n < line.n; n++) /* every truncation is refused or partial */
            logfields_judge(records[c].format, slice_head(line, n), NULL, note, &b, &why);
        buf_release(&b);
    }
    const char *why;
    struct buf none = { 0 };
    assert_int_equal(
        logfields_judge(LOGFIELDS_bedrock, SLICE("{}"), NULL, note, &none, &why), -1);
}

#define CODEX(time, in, cached, out, lin, lcached, lout)                                 \
    "{\"timestamp\":\"2026-11-02T10:00:" time "Z\",\"type\":\"event_msg\",\"payload\":{" \
    "\"type\":\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":" #in    \
    ",\"cached_input_tokens\":" #cached ",\"output_tokens\":" #out                       \
    "},\"last_token_usage\":{\"input_tokens\":" #lin                                     \
    ",\"cached_input_tokens\":" #lcached ",\"output_tokens\":" #lout "}}}}"
#define META                                                                             \
    "{\"timestamp\":\"2026-11-02T10:00:00.1Z\",\"type\":\"session_meta\",\"payload\":{"  \
    "\"id\":\"s1\"}}"
#define TURN                                                                             \
    "{\"timestamp\":\"2026-11-02T10:00:00.2Z\",\"type\":\"turn_context\",\"payload\":{"  \
    "\"model\":\"gpt-x-codex\"}}"

static const struct {
    const char *name, *lines[8], *want;
} sessions[] = {
    { "differences of the running total, repeats give none",
      { META, TURN, CODEX("05", 100, 60, 10, 100, 60, 10),
        CODEX("05", 100, 60, 10, 100, 60, 10), CODEX("09", 300, 160, 25, 200, 100, 15) },
      "call openai/gpt-x-codex in40 cr60 out10 rs0 no_total;"
      "call openai/gpt-x-codex in100 cr100 out15 rs0 no_total;" },
    { "a fork replays its parent in its first second",
      { META, TURN, CODEX("00", 100, 60, 10, 100, 60, 10),
        CODEX("00", 300, 160, 25, 200, 100, 15), CODEX("07", 350, 160, 30, 50, 0, 5) },
      "call openai/gpt-x-codex in50 cr0 out5 rs0 no_total;" },
    { "a smaller total begins anew",
      { META, TURN, CODEX("05", 100, 60, 10, 100, 60, 10),
        CODEX("08", 40, 0, 4, 30, 0, 3), CODEX("09", 50, 0, 6, 10, 0, 2) },
      "call openai/gpt-x-codex in40 cr60 out10 rs0 no_total;"
      "call openai/gpt-x-codex in30 cr0 out3 rs0 no_total;"
      "call openai/gpt-x-codex in10 cr0 out2 rs0 no_total;" },
    { "joined in the middle: the last call only",
      { TURN, CODEX("05", 9000, 7000, 400, 3000, 2500, 100) },
      "call openai/gpt-x-codex in500 cr2500 out100 rs0 no_total;" },
    { "rate limits alone, other events",
      { META,
        "{\"timestamp\":\"2026-11-02T10:00:05Z\",\"type\":\"event_msg\",\"payload\":{"
        "\"type\":\"token_count\",\"info\":null}}",
        "{\"type\":\"response_item\",\"payload\":{\"type\":\"message\",\"content\":["
        "{\"text\":\"token_count\"}]}}" },
      "" },
};

static void test_codex(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof sessions / sizeof *sessions; c++) {
        struct logfields_codex codex = { .any = false };
        struct buf b = { 0 };
        const char *why;
        for (size_t i = 0; sessions[c].lines[i]; i++)
            logfields_judge(LOGFIELDS_codex, slice_str(sessions[c].lines[i]), &codex,
                            note, &b, &why);
        if (strcmp(buf_cstr(&b), sessions[c].want) != 0)
            fail_msg("%s: %s", sessions[c].name, buf_cstr(&b));
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_walk_deep),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_codex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
