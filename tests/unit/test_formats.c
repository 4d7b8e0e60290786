/* The log formats of agent/logparse.h, each as lines of a file through logline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/logline.h"
#include "agent/logwalk.h"
#include "common/instant.h"

/* --- logwalk --------------------------------------------------------------------------
 */

static enum logwalk_want want_most(void *arg, struct slice path)
{
    (void)arg;
    return slice_ends(path, SLICE("/skip"))   ? LOGWALK_SKIP
           : slice_ends(path, SLICE("/json")) ? LOGWALK_NEST
                                              : LOGWALK_TAKE;
}

static void put_scalar(void *arg, struct slice path, enum json_type type,
                       struct slice text)
{
    (void)type;
    buf_addf(arg, "%.*s=%.*s ", SLICE_FMT(path), SLICE_FMT(text));
}

static void put_end(void *arg, struct slice path)
{
    buf_addf(arg, "%.*s} ", SLICE_FMT(path));
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
    { "{\"skip\":[{\"a\":1}],\"b\":{\"skip\":{\"x\":1},\"y\":2}}", "/b/y=2 /b} } ",
      true },
    { "{\"json\":\"{\\\"a\\\":[1],\\\"json\\\":\\\"{}\\\"}\",\"b\":2}",
      "/json/a/-=1 /json/json={} /json} /b=2 } ", true },
    { "{\"json\":\"not {\",\"b\":2}", "/b=2 } ", true },
    { "{\"json\":{\"a\":1}}", "/json/a=1 /json} } ", true },
    { "5", "=5 ", true },
    { "{\"a\":1", "/a=1 ", false },
    { "", "", false },
};

static const char *walk(const char *json, struct buf *got, struct buf *scratch)
{
    struct logwalk w = { want_most, put_scalar, put_end, got, scratch, false };
    buf_reset(got);
    return logwalk(&w, slice_str(json));
}

static void test_walk(void **state)
{
    (void)state;
    struct buf got = { 0 }, scratch = { 0 };
    for (size_t c = 0; c < sizeof walks / sizeof *walks; c++)
        if (!walk(walks[c].json, &got, &scratch) != walks[c].ok ||
            strcmp(buf_cstr(&got), walks[c].want) != 0)
            fail_msg("%s: %s", walks[c].json, buf_cstr(&got));
    buf_release(&got);
    buf_release(&scratch);
}

/* Deep and long paths are passed over, and what follows is found again. */
static void test_walk_deep(void **state)
{
    (void)state;
    struct buf doc = { 0 }, got = { 0 }, scratch = { 0 };
    for (int kind = 0; kind < 2; kind++) {
        buf_reset(&doc);
        buf_adds(&doc, "{\"a\":");
        for (int i = 0; i < 600; i++)
            buf_adds(&doc, kind ? "[" : "{\"k\":");
        buf_adds(&doc, "1");
        for (int i = 0; i < 600; i++)
            buf_addc(&doc, kind ? ']' : '}');
        buf_adds(&doc, ",\"z\":2}");
        assert_null(walk(buf_cstr(&doc), &got, &scratch));
        assert_true(slice_ends(buf_slice(&got), SLICE("/z=2 } ")));
    }
    buf_release(&doc);
    buf_release(&got);
    buf_release(&scratch);
}

/* --- the formats ----------------------------------------------------------------------
 */

static void note(void *arg, struct usage *u)
{
    static const char *const names[USAGE_CLASSES] = {
        "in", "cr", "5m", "1h", "cw", "out"
    };
    struct buf *b = arg;
    buf_addf(b, "%s %.*s/%.*s", usage_accounting_name(u->accounting),
             SLICE_FMT(u->provider), SLICE_FMT(u->model));
    if (u->agg_n != 1)
        buf_addf(b, " x%u", u->agg_n);
    for (unsigned f = 0; f < USAGE_CLASSES; f++)
        if (usage_has(u, (enum usage_field)f))
            buf_addf(b, " %s%llu", names[f], (unsigned long long)u->v[f]);
    if (usage_has(u, USAGE_reasoning))
        buf_addf(b, " rs%llu", (unsigned long long)u->v[USAGE_reasoning]);
    if (usage_has(u, USAGE_cost_pico))
        buf_addf(b, " $%llu", (unsigned long long)u->v[USAGE_cost_pico]);
    if (u->quality == QUALITY_MISSING)
        buf_adds(b, " missing");
    if (u->check == CHECK_MISMATCH)
        buf_adds(b, " mismatch");
    buf_addc(b, ';');
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

#define EVENT(attributes)                                                                \
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":"             \
    "\"1793613601000000000\",\"attributes\":[" attributes "]}]}]}]}\n"
#define METRIC(name, kind, points, temporality)                                          \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"" name           \
    "\",\"" kind "\":{\"dataPoints\":[" points                                           \
    "],\"aggregationTemporality\":" temporality "}}]}]}]}\n"
#define POINT(type, time, sum, count)                                                    \
    "{\"attributes\":[" S("gen_ai.token.type", type) "," S(                              \
        "gen_ai.request.model", "m") "],\"startTimeUnixNano\":\"1793613600000000000\","  \
                                     "\"timeUnixNano\":\"17936136" time                  \
                                     "000000000\",\"sum\":" sum ",\"count\":\"" count    \
                                     "\"}"
#define CODEX(time, in, cached, out, lin, lcached, lout)                                 \
    "{\"timestamp\":\"2026-11-02T10:00:" time "Z\",\"type\":\"event_msg\",\"payload\":{" \
    "\"type\":\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":" #in    \
    ",\"cached_input_tokens\":" #cached ",\"output_tokens\":" #out                       \
    "},\"last_token_usage\":{\"input_tokens\":" #lin                                     \
    ",\"cached_input_tokens\":" #lcached ",\"output_tokens\":" #lout "}}}}\n"
#define META                                                                             \
    "{\"timestamp\":\"2026-11-02T10:00:00.1Z\",\"type\":\"session_meta\",\"payload\":{"  \
    "\"id\":\"s1\"}}\n"
#define TURN                                                                             \
    "{\"timestamp\":\"2026-11-02T10:00:00.2Z\",\"type\":\"turn_context\",\"payload\":{"  \
    "\"model\":\"gpt-x-codex\"}}\n"
#define AZURE(category, operation, more)                                                 \
    "{\"time\":\"2026-11-02T10:00:00Z\",\"resourceId\":\"/S/"                            \
    "1\",\"category\":\"" category "\",\"operationName\":\"" operation                   \
    "\",\"correlationId\":\"a1-b2\"" more "}\n"
#define CHAT_SPAN(in, out)                                                               \
    SPAN(S("gen_ai.operation.name", "chat") "," S("gen_ai.request.model", "m") "," I(    \
        "gen_ai.usage.input_tokens", in) "," I("gen_ai.usage.output_tokens", out))

static const struct {
    const char *name, *file, *want, *format; /* found by looking */
} files[] = {
    { "LiteLLM, cache split only in the usage object, response not counted again",
      LITELLM("\"prompt_tokens\":900,\"completion_tokens\":40,\"total_tokens\":940,"
              "\"response_cost\":0.0021,"
              "\"metadata\":{\"usage_object\":{\"prompt_tokens\":900,"
              "\"prompt_tokens_details\":{\"cached_tokens\":800},"
              "\"cache_creation_input_tokens\":50}},"
              "\"response\":{\"id\":\"x\",\"usage\":{\"prompt_tokens\":900,"
              "\"completion_tokens\":40}}") "\n",
      "call anthropic/claude-x in50 cr800 5m50 out40 $2100000000;", "litellm" },
    { "LiteLLM, older wrapping",
      "{\"kwargs\":{\"standard_logging_object\":" LITELLM("\"prompt_tokens\":9,"
                                                          "\"completion_tokens\":4") "}}",
      "call anthropic/claude-x in9 out4;", "litellm" },
    { "LiteLLM, a failure with estimates",
      LITELLM("\"status\":\"failure\",\"prompt_tokens\":900"),
      "error anthropic/claude-x;", "litellm" },
    { "LiteLLM, answered by its own cache",
      LITELLM("\"cache_hit\":\"True\",\"prompt_tokens\":900"), "free anthropic/claude-x;",
      "litellm" },
    { "LiteLLM, not answered by its cache",
      LITELLM("\"cache_hit\":\"False\",\"prompt_tokens\":900"),
      "call anthropic/claude-x in900 out0;", "litellm" },
    { "LiteLLM spend log, metadata as text",
      "{\"request_id\":\"chatcmpl-1\",\"call_type\":\"acompletion\",\"spend\":0.01,"
      "\"model\":\"m\",\"prompt_tokens\":5,\"completion_tokens\":2,\"metadata\":"
      "\"{\\\"usage_object\\\":{\\\"prompt_tokens_details\\\":{\\\"cached_tokens\\\":3}}}"
      "\","
      "\"startTime\":\"2026-11-02T10:00:00Z\"}",
      "call /m in2 cr3 out2 $10000000000;", "litellm" },
    { "Bedrock, bodies not entered",
      "{\"schemaType\":\"ModelInvocationLog\",\"timestamp\":\"2026-11-02T10:00:00Z\","
      "\"requestId\":\"7f\",\"operation\":\"ConverseStream\",\"modelId\":"
      "\"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x\","
      "\"input\":{\"inputTokenCount\":3,\"cacheReadInputTokenCount\":9511,"
      "\"cacheWriteInputTokenCount\":7,\"inputBodyJson\":{\"inputTokenCount\":5}},"
      "\"output\":{\"outputTokenCount\":40,\"outputBodyJson\":[{\"usage\":"
      "{\"output_tokens\":1}}]}}",
      "call bedrock/us.anthropic.claude-x in3 cr9511 5m7 out40;", "bedrock" },
    { "Bedrock, refused",
      "{\"schemaType\":\"ModelInvocationLog\",\"modelId\":\"m\",\"errorCode\":"
      "\"ThrottlingException\",\"input\":{}}",
      "error bedrock/m;", "bedrock" },
    { "OTLP, an agent's span repeats its children, a metric both",
      OTLP(SPAN(S("gen_ai.operation.name", "invoke_agent") "," I(
          "gen_ai.usage.input_tokens",
          "150")) "," CHAT_SPAN("100",
                                "9") "," CHAT_SPAN("50",
                                                   "3")) "\n" METRIC("gen_ai.client."
                                                                     "token.usage",
                                                                     "histogram",
                                                                     POINT("input", "10",
                                                                           "150", "2"),
                                                                     "1"),
      "call /m in100 out9;call /m in50 out3;", "otlp" },
    { "OTLP, the metric before the spans",
      METRIC("gen_ai.client.token.usage", "histogram", POINT("input", "10", "150", "2"),
             "1") OTLP(CHAT_SPAN("100", "9")) "\n",
      "call /m in100 out9;", "otlp" },
    { "OTLP, input that excludes the cache",
      OTLP(SPAN(
          S("gen_ai.operation.name", "chat") "," S("gen_ai.system", "anthropic") "," I(
              "gen_ai.usage.input_tokens",
              "12") "," I("gen_ai.usage.cache_read_input_tokens", "2000"))),
      "call anthropic/ in12 cr2000 out0;", "otlp" },
    { "OTLP, both spellings at once, the newer counts",
      OTLP(SPAN(S("gen_ai.operation.name", "chat") "," I(
          "gen_ai.usage.prompt_tokens",
          "12") "," I("gen_ai.usage.input_tokens",
                      "13") "," I("gen_ai.usage.prompt_tokens", "14"))),
      "call / in13 out0;", "otlp" },
    { "OTLP, OpenInference spans",
      OTLP(SPAN(S("openinference.span.kind", "LLM") "," S("llm.model_name", "m") "," I(
          "llm.token_count.prompt",
          "5") "," I("llm.token_count.completion",
                     "6") "," I("llm.token_count.total",
                                "11")) "," SPAN(S("openinference.span.kind",
                                                  "CHAIN") "," I("llm.token_count.prompt",
                                                                 "5"))),
      "call /m in5 out6;", "otlp" },
    { "OTLP, spans of the AI SDK",
      OTLP(SPAN(S("ai.operationId", "ai.generateText.doGenerate") "," S(
          "ai.model.provider",
          "openai") "," I("ai.usage.inputTokens",
                          "7") "," S("gen_ai.system",
                                     "openai")) "," SPAN(S("ai.operationId",
                                                           "ai.generateText") "," I("ai."
                                                                                    "usag"
                                                                                    "e."
                                                                                    "inpu"
                                                                                    "tTok"
                                                                                    "ens",
                                                                                    "7"))),
      "call openai/ in7 out0;", "otlp" },
    { "OTLP, a span that failed",
      OTLP(SPAN(S("gen_ai.operation.name", "chat") "," S("error.type", "timeout"))),
      "error /;", "otlp" },
    { "OTLP, sums of the time between two exports",
      METRIC("gen_ai.client.token.usage", "histogram",
             POINT("input", "10", "150", "2") "," POINT("output", "10", "30.0", "2"), "1")
          METRIC("gen_ai.client.token.usage", "histogram",
                 POINT("input", "20", "50", "1") "," POINT("output", "20", "5", "1"),
                 "1"),
      "call /m x2 in150 out30;call /m in50 out5;", "otlp" },
    { "OTLP, sums since the start",
      METRIC("gen_ai.client.token.usage", "histogram",
             POINT("input", "10", "150", "2") "," POINT("output", "10", "30", "2"), "2")
          METRIC("gen_ai.client.token.usage", "histogram",
                 POINT("input", "20", "200", "3") "," POINT("output", "20", "35", "3"),
                 "2") METRIC("gen_ai.client.token.usage", "histogram",
                             POINT("input", "30", "200", "3") "," POINT("output", "30",
                                                                        "35", "3"),
                             "2"),
      "call /m x2 in150 out30;call /m in50 out5;", "otlp" },
    { "OTLP, a series that began in an earlier file: its growth",
      METRIC("gen_ai.client.token.usage", "histogram", POINT("input", "99", "100", "2"),
             "2")
          METRIC("gen_ai.client.token.usage", "histogram",
                 "{\"attributes\":[],\"startTimeUnixNano\":\"1793600000000000000\","
                 "\"timeUnixNano\":\"1793613600000000000\",\"sum\":5000}",
                 "2"),
      "call /m x2 in100 out0;", "otlp" },
    { "OTLP, requests of Claude Code; values as text",
      EVENT(S("event.name", "api_request") "," S("model", "claude-x") "," S(
          "input_tokens", "4") "," S("output_tokens",
                                     "9") "," S("cache_read_tokens",
                                                "700") "," S("cost_usd",
                                                             "0.01") "," S("request_id",
                                                                           "req_1"))
          METRIC("claude_code.token.usage", "sum",
                 "{\"attributes\":[" S("type", "input") "],\"asInt\":\"4\"}", "1"),
      "call anthropic/claude-x in4 cr700 out9 $10000000000;", "otlp" },
    { "OTLP, metrics of Claude Code alone",
      METRIC("claude_code.token.usage", "sum",
             "{\"attributes\":[" S(
                 "type", "input") "],\"asInt\":\"4\"},"
                                  "{\"attributes\":[" S(
                                      "type",
                                      "cacheRead") "],\"asInt\":\"70\"},"
                                                   "{\"attributes\":[" S(
                                                       "type",
                                                       "output") "],\"asInt\":\"6\"}",
             "1"),
      "call anthropic/ x0 in4 cr70 out6;", "otlp" },
    { "a gateway's access log, its own empty value",
      "{\"start_time\":\"2026-11-02T10:00:00.1Z\",\"x-envoy-origin-path\":"
      "\"/v1/chat/"
      "completions\",\"response_code\":200,\"gen_ai.response.model\":\"gpt-x\","
      "\"gen_ai.provider.name\":\"ns/openai/route/0\",\"gen_ai.usage.input_tokens\":120,"
      "\"gen_ai.usage.cache_read.input_tokens\":\"-\",\"gen_ai.usage.output_tokens\":30}",
      "call openai/gpt-x in120 out30;", "gen-ai" },
    { "a gateway counting tokens is no call",
      "{\"path\":\"/v1/messages/count_tokens?beta=true\",\"method\":\"POST\","
      "\"gen_ai.provider.name\":\"anthropic\",\"gen_ai.usage.input_tokens\":120}",
      "free anthropic/;", "gen-ai" },
    { "Azure, a call without counts, then its usage",
      AZURE("RequestResponse", "ChatCompletions_Create",
            ",\"resultSignature\":\"200\",\"durationMs\":812,\"properties\":"
            "\"{\\\"modelName\\\":\\\"gpt-x\\\"}\"")
          AZURE("AzureOpenAIRequestUsage", "ChatCompletions_Create",
                ",\"properties\":{\"promptTokens\":[50],\"cachedTokens\":[40],"
                "\"generatedTokens\":[7],\"modelName\":\"gpt-x\"}"),
      "call azure_openai/gpt-x missing;call azure_openai/gpt-x in10 cr40 out7;",
      "azure" },
    { "Azure, a list of rows; audits and deployments are no calls",
      "{\"records\":[{\"category\":\"Audit\",\"operationName\":\"ListKeys\"},"
      "{\"category\":\"RequestResponse\",\"operationName\":\"ListDeployments\"},"
      "{\"category\":\"RequestResponse\",\"operationName\":\"Embeddings_Create\","
      "\"resultSignature\":\"429\"}]}",
      "error azure_openai/;", "azure" },
    { "Codex: differences of the running total, repeats give none",
      META TURN CODEX("05", 100, 60, 10, 100, 60, 10)
          CODEX("05", 100, 60, 10, 100, 60, 10) CODEX("09", 300, 160, 25, 200, 100, 15),
      "call openai/gpt-x-codex in40 cr60 out10;call openai/gpt-x-codex in100 cr100 "
      "out15;",
      "codex" },
    { "Codex: a fork replays its parent in its first second",
      META TURN CODEX("00", 100, 60, 10, 100, 60, 10)
          CODEX("00", 300, 160, 25, 200, 100, 15) CODEX("07", 350, 160, 30, 50, 0, 5),
      "call openai/gpt-x-codex in50 cr0 out5;", "codex" },
    { "Codex: a smaller total begins anew",
      META TURN CODEX("05", 100, 60, 10, 100, 60, 10) CODEX("08", 40, 0, 4, 30, 0, 3)
          CODEX("09", 50, 0, 6, 10, 0, 2),
      "call openai/gpt-x-codex in40 cr60 out10;call openai/gpt-x-codex in30 cr0 out3;"
      "call openai/gpt-x-codex in10 cr0 out2;",
      "codex" },
    { "Codex: joined in the middle, the last call only",
      TURN CODEX("05", 9000, 7000, 400, 3000, 2500, 100),
      "call openai/gpt-x-codex in500 cr2500 out100;", "codex" },
    { "Codex: rate limits alone, other events",
      META "{\"timestamp\":\"2026-11-02T10:00:05Z\",\"type\":\"event_msg\",\"payload\":{"
           "\"type\":\"token_count\",\"info\":null}}\n"
           "{\"type\":\"response_item\",\"payload\":{\"type\":\"message\",\"content\":["
           "{\"text\":\"token_count\"}]}}\n",
      "", "codex" },
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct logline *open_file(struct extract *x, struct slice file)
{
    struct logline_options opt = { .mtime_ns = 1700000000000000000 };
    struct logline *l = logline_new(x, &opt);
    const char *reason;
    logline_sniff(l, file, &reason);
    assert_null(reason);
    return l;
}

/* Feed the lines from number `from` on, at most n of them. */
static void feed(struct logline *l, struct slice file, size_t from, size_t n,
                 struct buf *b)
{
    struct slice line;
    uint64_t at = 0;
    for (size_t i = 0; file.n && i < from + n; i++) {
        slice_cut(file, '\n', &line, &file);
        if (i >= from)
            logline_feed(l, line, at, i + 1, note, b);
        at += line.n + 1;
    }
}

/* Looked at, read in one go, and with a restart behind every line. */
static void test_files(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < COUNT(files); c++) {
        struct slice file = slice_str(files[c].file);
        for (size_t stop = 0; stop < 5; stop++) {
            struct buf b = { 0 }, saved = { 0 };
            struct logline *l = open_file(x, file);
            if (stop == 0 &&
                strcmp(logformat_name(logline_format(l)), files[c].format) != 0)
                fail_msg("%s: taken for %s", files[c].name,
                         logformat_name(logline_format(l)));
            feed(l, file, 0, stop, &b);
            logline_save(l, &saved);
            assert_true(saved.n <= LOGLINE_STATE_MAX);
            logline_free(l);
            l = logline_new(x, &(struct logline_options){ .mtime_ns = 0 });
            assert_int_equal(logline_load(l, buf_slice(&saved)), ST_OK);
            assert_int_equal(logline_need(l), LINES_ALL);
            feed(l, file, stop, 99, &b);
            if (strcmp(buf_cstr(&b), files[c].want) != 0)
                fail_msg("%s, stopped at %zu: %s", files[c].name, stop, buf_cstr(&b));
            logline_free(l);
            buf_release(&b);
            buf_release(&saved);
        }
    }
    extract_free(x);
}

/* The same lines inside a container's log. */
static void test_wrapped(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < COUNT(files); c++) {
        struct buf cri = { 0 }, docker = { 0 };
        struct slice line, rest = slice_str(files[c].file);
        while (rest.n) {
            slice_cut(rest, '\n', &line, &rest);
            buf_addf(&cri, "2026-11-02T10:00:00Z stdout F %.*s\n", SLICE_FMT(line));
            buf_adds(&docker, "{\"log\":");
            struct buf text = { 0 };
            buf_add(&text, line);
            buf_addc(&text, '\n');
            struct json_out o = { .b = &docker };
            json_str(&o, buf_slice(&text));
            buf_release(&text);
            buf_adds(&docker,
                     ",\"stream\":\"stdout\",\"time\":\"2026-11-02T10:00:00Z\"}\n");
        }
        struct buf *wrapped[] = { &cri, &docker };
        for (size_t w = 0; w < 2; w++) {
            struct buf b = { 0 };
            struct logline *l = open_file(x, buf_slice(wrapped[w]));
            feed(l, buf_slice(wrapped[w]), 0, 99, &b);
            if (strcmp(buf_cstr(&b), files[c].want) != 0)
                fail_msg("%s, wrapped: %s", files[c].name, buf_cstr(&b));
            logline_free(l);
            buf_release(&b);
            buf_release(wrapped[w]);
        }
    }
    extract_free(x);
}

/* Cut anywhere, a line gives what it gave before the cut or nothing; never a crash. */
static void test_truncated(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < COUNT(files); c++) {
        struct slice file = slice_str(files[c].file);
        for (size_t n = 0; n < file.n; n++) {
            struct buf b = { 0 };
            struct logline *l = open_file(x, file);
            feed(l, slice_head(file, n), 0, 99, &b);
            logline_free(l);
            buf_release(&b);
        }
    }
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),      cmocka_unit_test(test_walk_deep),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
