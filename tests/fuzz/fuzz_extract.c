/*
 * The exchange door: the first byte chooses the API, the second where the body is cut.
 * One cut must not change the verdict; classes that were said add up without overflow.
 */
#include "agent/extract.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *host, *path, *type;
} apis[] = {
    { "api.openai.com", "/v1/chat/completions", "text/event-stream" },
    { "api.openai.com", "/v1/responses", "application/json" },
    { "api.anthropic.com", "/v1/messages", "text/event-stream" },
    { "api.anthropic.com", "/v1/messages/batches/b/results", "application/x-jsonl" },
    { "generativelanguage.googleapis.com", "/v1/models/g:streamGenerateContent", "" },
    { "bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke-with-response-stream",
      "application/vnd.amazon.eventstream" },
    { "bedrock-agent-runtime.us-east-1.amazonaws.com",
      "/agents/a/agentAliases/b/sessions/c/text", "application/vnd.amazon.eventstream" },
    { "api.cohere.com", "/v2/chat", "" },
    { "localhost:11434", "/api/chat", "application/x-ndjson" },
    { "w.endpoints.huggingface.cloud", "/", "application/json" },
};

struct verdict {
    struct usage first;
    size_t n;
};

static void keep(void *arg, struct usage *u)
{
    struct verdict *v = arg;
    if (v->n++ == 0)
        v->first = *u;
    assert(u->model.n == 0 || u->model.p);
    assert(u->response_id.n == 0 || u->response_id.p);
}

static void run(struct extract *x, size_t api, struct slice body, size_t cut,
                struct verdict *v)
{
    struct extract_header type = { SLICE("content-type"), slice_str(apis[api].type) };
    v->n = 0;
    extract_begin(x, SLICE("https"), slice_str(apis[api].host), 0, SLICE("POST"),
                  slice_str(apis[api].path));
    extract_request_body(x, slice_head(body, cut));
    extract_request_body(x, slice_from(body, cut));
    extract_response_head(x, 200, &type, 1);
    extract_response_body(x, slice_head(body, cut));
    extract_response_body(x, slice_from(body, cut));
    extract_finish(x, EXTRACT_COMPLETE, 0, keep, v);
    assert(v->n >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice body = slice_of(data + 2, size - 2);
    size_t api = data[0] % (sizeof apis / sizeof *apis);
    struct verdict whole, cut;
    struct extract *x = extract_new(), *y = extract_new();
    assert(x && y);
    run(x, api, body, 0, &whole);
    run(y, api, body, body.n ? data[1] % body.n : 0, &cut);
    assert(whole.n == cut.n && whole.first.have == cut.first.have);
    assert(whole.first.accounting == cut.first.accounting);
    for (unsigned f = 0; f < USAGE_N; f++)
        if (whole.first.quality == QUALITY_EXACT)
            assert(whole.first.v[f] == cut.first.v[f]);
    extract_free(x);
    extract_free(y);
    return 0;
}
