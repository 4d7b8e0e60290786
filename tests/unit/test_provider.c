/* Hosts, methods and paths against the rows of provider.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/provider.h"

struct row {
    const char *method, *host, *target, *provider, *surface;
    enum accounting accounting;
    const char *model;
};

static const struct row rows[] = {
    { "POST", "api.openai.com", "/v1/chat/completions", "openai", "openai.chat",
      ACCOUNTING_CALL, "" },
    { "POST", "API.OpenAI.com.", "/v1/chat/completions", "openai", "openai.chat",
      ACCOUNTING_CALL, "" },
    { "GET", "api.openai.com", "/v1/chat/completions/c1", "openai",
      "openai.chat_retrieve", ACCOUNTING_REPORT, "" },
    { "POST", "api.openai.com:443", "/v1/responses/input_tokens", "openai",
      "openai.count_tokens", ACCOUNTING_FREE, "" },
    { "GET", "api.openai.com", "/v1/responses/r1?stream=true", "openai",
      "openai.responses_retrieve", ACCOUNTING_REPORT, "" },
    { "POST", "r.openai.azure.com", "//openai/deployments/dep1/completions?api-version=1",
      "azure_openai", "openai.completions", ACCOUNTING_CALL, "dep1" },
    { "POST", "API.Anthropic.com", "/v1/messages?beta=true", "anthropic",
      "anthropic.messages", ACCOUNTING_CALL, "" },
    { "POST", "api.anthropic.com", "/v1/messages/count_tokens", "anthropic",
      "anthropic.count_tokens", ACCOUNTING_FREE, "" },
    { "POST", "generativelanguage.googleapis.com",
      "/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=secret", "gemini",
      "gemini.generate_stream", ACCOUNTING_CALL, "gemini-x" },
    { "POST", "us-east5-aiplatform.googleapis.com",
      "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict",
      "vertex", "anthropic.messages", ACCOUNTING_CALL, "c@1" },
    { "POST", "us-east5-aiplatform.googleapis.com",
      "/v1/p/publishers/anthropic/models/count-tokens:rawPredict", "vertex",
      "anthropic.count_tokens", ACCOUNTING_FREE, "" },
    { "POST", "bedrock-runtime.us-east-1.amazonaws.com", "/model/a%3A0/converse",
      "bedrock", "bedrock.converse", ACCOUNTING_CALL, "a%3A0" },
    { "POST", "bedrock-runtime.us-east-1.amazonaws.com", "/model/cohere.rerank-v3/invoke",
      "bedrock", "bedrock.invoke_rerank", ACCOUNTING_CALL, "cohere.rerank-v3" },
    { "POST", "gateway.example", "/team/openai/v1/chat/completions", "compat",
      "openai.chat", ACCOUNTING_CALL, "" },
    { "POST", "", "https://api.groq.com/openai/v1/chat/completions?x=1", "groq",
      "openai.chat", ACCOUNTING_CALL, "" },
    { "POST", "localhost:11434", "/api/chat", "ollama", "ollama.generate",
      ACCOUNTING_CALL, "" },
    { "GET", "api.mistral.ai", "/v1/models", "mistral", "admin", ACCOUNTING_FREE, "" },
    { "POST", "telemetry.example:4319", "/v1/traces", "other", "none", ACCOUNTING_NONE,
      "" },
    { "POST", "app.example", "/api/chat", "compat", "ollama.generate", ACCOUNTING_CALL,
      "" }, /* if_shaped */
    { "POST", "api.cloudflare.com", "/client/v4/zones", "other", "none", ACCOUNTING_NONE,
      "" },
    { "OPTIONS", "api.openai.com", "/v1/chat/completions", "openai", "admin",
      ACCOUNTING_FREE, "" },
};

static void requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct provider_hit h = provider_match(slice_str(r->method), slice_str(r->host),
                                               0, slice_str(r->target));
        if (strcmp(h.provider, r->provider) != 0 || strcmp(h.surface, r->surface) != 0 ||
            h.accounting != r->accounting || !slice_eq(h.model, slice_str(r->model)))
            fail_msg("%s %s%s: %s %s %s %.*s", r->method, r->host, r->target, h.provider,
                     h.surface, usage_accounting_name(h.accounting), SLICE_FMT(h.model));
    }
}

static void named(void **state)
{
    (void)state;
    struct provider_hit h =
        provider_match_named(SLICE("POST"), SLICE("x_ai"), SLICE("/v1/tts"));
    assert_string_equal(h.provider, "xai");
    assert_string_equal(h.surface, "openai.speech");
    assert_string_equal(provider_canonical(SLICE("AWS.Bedrock")), "bedrock");
    assert_null(provider_canonical(SLICE("postgres")));
}

static void decoding(void **state)
{
    char out[8];
    (void)state;
    assert_int_equal(provider_decode(SLICE("a%3A0%2"), out, sizeof out), 5);
    assert_memory_equal(out, "a:0%2", 5);
    assert_int_equal(provider_decode(SLICE("0123456789"), out, sizeof out), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(named),
        cmocka_unit_test(decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
