/* The exchange door: traps of streams, at every split of the body; verdicts. */
#include "agent/extract.h"
#include "testing.h"

struct got {
    struct usage u[8];
    char text[8][256]; /* provider|surface|model|id */
    size_t n;
};

static void keep(void *arg, struct usage *u)
{
    struct got *g = arg;
    if (g->n == COUNT_OF(g->u))
        return;
    g->u[g->n] = *u;
    snprintf(g->text[g->n], sizeof g->text[0], "%.*s|%.*s|%.*s|%.*s",
             SLICE_FMT(u->provider), SLICE_FMT(u->surface), SLICE_FMT(u->model),
             SLICE_FMT(u->response_id));
    g->n++;
}

struct row {
    const char *host, *path, *request, *type, *body;
    uint16_t status;
    const char *text;
    enum accounting accounting;
    enum outcome outcome;
    enum quality quality;
    int64_t v[6]; /* input, read, 5m, other, output, reasoning; -1 not reported */
};

#define OPENAI    "api.openai.com", "/v1/chat/completions"
#define ANTHROPIC "api.anthropic.com", "/v1/messages"
#define SSE       "text/event-stream"
#define JSON      "application/json"

static const struct row rows[] = {
    /* trap 1: a moderation chunk behind the usage */
    { OPENAI,
      "{\"model\":\"m\",\"stream\":true}",
      SSE,
      "data: "
      "{\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}],"
      "\"usage\":null}\n\n"
      "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
      "\"completion_tokens\":4,\"total_tokens\":13}}\n\n"
      "data: {\"id\":\"c1\",\"choices\":[],\"moderation\":{}}\n\ndata: [DONE]\n\n",
      200,
      "openai|openai.chat|m-1|c1",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 9, -1, -1, -1, 4, -1 } },
    /* trap 2: no include_usage */
    { OPENAI,
      "{\"model\":\"m\",\"messages\":[{\"content\":\"what is this thing?\"}]}",
      SSE,
      "data: "
      "{\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"hello\"}}]"
      "}"
      "\n\ndata: [DONE]\n\n",
      200,
      "openai|openai.chat|m-1|c1",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_ESTIMATED,
      { 8, -1, -1, -1, 3, -1 } },
    /* trap 3: Azure's first chunk has no choices and no usage */
    { "r.openai.azure.com",
      "/openai/deployments/d/chat/completions?api-version=1",
      "{}",
      SSE,
      "data: "
      "{\"choices\":[],\"prompt_filter_results\":[{}],\"id\":\"\",\"model\":\"\"}\n\n"
      "data: "
      "{\"id\":\"c2\",\"model\":\"b\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
      "\"completion_tokens\":1,\"total_tokens\":4}}\n\n",
      200,
      "azure_openai|openai.chat|b|c2",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 3, -1, -1, -1, 1, -1 } },
    /* traps 4 and 5: message_delta replaces message_start, input too */
    { ANTHROPIC,
      "{\"model\":\"claude\"}",
      SSE,
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
      "\"model\":\"claude-1\",\"usage\":{\"input_tokens\":2068,\"cache_read_input_"
      "tokens\":5,"
      "\"output_tokens\":2}}}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"delta\":{\"type\":"
      "\"text_delta\",\"text\":\"{\\\"usage\\\":{\\\"input_tokens\\\":99}}\"}}\n\n"
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"usage\":{\"input_tokens\":22397,"
      "\"cache_read_input_tokens\":null,\"output_tokens\":310}}\n\n",
      200,
      "anthropic|anthropic.messages|claude-1|msg_1",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 22397, 5, -1, -1, 310, -1 } },
    /* trap 7: every chunk of Gemini has a running total */
    { "generativelanguage.googleapis.com",
      "/v1beta/models/g:streamGenerateContent",
      "{}",
      JSON,
      "[{\"candidates\":[{}],\"usageMetadata\":{\"promptTokenCount\":15,"
      "\"totalTokenCount\":15}}\n"
      ",\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}],"
      "\"usageMetadata\":{"
      "\"promptTokenCount\":13,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7,"
      "\"totalTokenCount\":25},\"modelVersion\":\"g-1\",\"responseId\":\"r\"}]",
      200,
      "gemini|gemini.generate_stream|g-1|r",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 13, -1, -1, -1, 12, 7 } },
    /* trap 10: Groq says it twice */
    { "api.groq.com",
      "/openai/v1/chat/completions",
      "{}",
      SSE,
      "data: {\"id\":\"c\",\"choices\":[],\"x_groq\":{\"id\":\"req_1\",\"usage\":{"
      "\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}},\"usage\":{"
      "\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n",
      200,
      "groq|openai.chat||c",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 8, -1, -1, -1, 2, -1 } },
    /* trap 16: a background response is accepted, a poll repeats it */
    { "api.openai.com",
      "/v1/responses",
      "{\"background\":true}",
      JSON,
      "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"queued\",\"usage\":null}",
      200,
      "openai|openai.responses||resp_1",
      ACCOUNTING_DEFERRED,
      OUTCOME_PENDING,
      QUALITY_EXACT,
      { -1, -1, -1, -1, -1, -1 } },
    /* traps 18 and 19: Ollama streams NDJSON by default */
    { "localhost:11434",
      "/api/chat",
      "{\"model\":\"l\"}",
      "application/x-ndjson",
      "{\"model\":\"l:1\",\"message\":{\"content\":\"a\"},\"done\":false}\n"
      "{\"model\":\"l:1\",\"done\":true,\"prompt_eval_count\":7,\"eval_count\":3}\n",
      200,
      "ollama|ollama.generate|l:1|",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 7, -1, -1, -1, 3, -1 } },
    /* trap 22: any line end, data before event, comments */
    { OPENAI,
      "{}",
      SSE,
      ": keep-alive\r\n\r\ndata: {\"id\":\"c\",\"usage\":{\"prompt_tokens\":1,\r\n"
      "data: \"completion_tokens\":2}}\r\nevent: x\r\n\r\n",
      200,
      "openai|openai.chat||c",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 1, -1, -1, -1, 2, -1 } },
    /* trap 24: what answers and prompts say does not count */
    { OPENAI,
      "{\"messages\":[{\"content\":\"\\\"usage\\\":{\"}],\"usage\":{\"prompt_tokens\":7}"
      "}",
      JSON,
      "{\"choices\":[{\"message\":{\"content\":\"x\",\"usage\":{\"prompt_tokens\":999}}}]"
      ","
      "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}",
      200,
      "openai|openai.chat||",
      ACCOUNTING_CALL,
      OUTCOME_OK,
      QUALITY_EXACT,
      { 1, -1, -1, -1, 2, -1 } },
    /* errors: by status, after a 200, in a stream */
    { OPENAI,
      "{\"model\":\"m\"}",
      JSON,
      "{\"error\":{\"type\":\"x\"}}",
      429,
      "openai|openai.chat|m|",
      ACCOUNTING_ERROR,
      OUTCOME_ERROR,
      QUALITY_EXACT,
      { -1, -1, -1, -1, -1, -1 } },
    { ANTHROPIC,
      "{\"model\":\"c\"}",
      SSE,
      "event: error\ndata: "
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
      200,
      "anthropic|anthropic.messages|c|",
      ACCOUNTING_CALL,
      OUTCOME_ERROR_IN_STREAM,
      QUALITY_ESTIMATED,
      { -1, -1, -1, -1, -1, -1 } },
    /* no API */
    { "example.com",
      "/v1/traces",
      "{}",
      JSON,
      "{\"usage\":{\"prompt_tokens\":5}}",
      200,
      "other|none||",
      ACCOUNTING_NONE,
      OUTCOME_NA,
      QUALITY_EXACT,
      { -1, -1, -1, -1, -1, -1 } },
};

static void feed(struct extract *x, void (*door)(struct extract *, struct slice),
                 struct slice s, size_t cut)
{
    struct guarded a = guard_copy(slice_head(s, cut)), b = guard_copy(slice_from(s, cut));
    door(x, a.s);
    door(x, b.s);
    guard_release(&a);
    guard_release(&b);
}

static void run(struct extract *x, const struct row *r, size_t cut, enum extract_end end,
                struct got *g)
{
    struct extract_header type = { SLICE("Content-Type"), slice_str(r->type) };
    struct slice request = slice_str(r->request), body = slice_str(r->body);
    g->n = 0;
    extract_begin(x, SLICE("https"), slice_str(r->host), 0, SLICE("POST"),
                  slice_str(r->path));
    feed(x, extract_request_body, request, request.n ? cut % request.n : 0);
    extract_response_head(x, r->status, &type, 1);
    feed(x, extract_response_body, body, cut);
    extract_finish(x, end, 5, keep, g);
}

static void check(const struct row *r, const struct got *g, size_t cut)
{
    static const enum usage_field field[] = { USAGE_input,          USAGE_cache_read,
                                              USAGE_cache_write_5m, USAGE_cache_write,
                                              USAGE_output,         USAGE_reasoning };
    const struct usage *u = &g->u[0];
    CHECK(g->n == 1 && !strcmp(g->text[0], r->text), "%s: cut %zu: %s", r->body, cut,
          g->text[0]);
    CHECK(u->accounting == r->accounting && u->outcome == r->outcome &&
              u->quality == r->quality,
          "%s: cut %zu: %s %s %s", r->body, cut, usage_accounting_name(u->accounting),
          usage_outcome_name(u->outcome), usage_quality_name(u->quality));
    for (size_t i = 0; i < COUNT_OF(field); i++) {
        int64_t v = usage_has(u, field[i]) ? (int64_t)u->v[field[i]] : -1;
        CHECK(v == r->v[i] || (u->quality == QUALITY_ESTIMATED && r->v[i] < 0),
              "%s: cut %zu: %s is %ld", r->body, cut, usage_fields[field[i]].name,
              (long)v);
    }
}

static void at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct extract *x = extract_new();
        for (size_t cut = 0; cut <= strlen(rows[i].body); cut++) {
            struct got g;
            run(x, &rows[i], cut, EXTRACT_COMPLETE, &g);
            check(&rows[i], &g, cut);
        }
        extract_free(x);
    }
}

/* Trap 12: a client that leaves early: the running total, marked. */
static void aborted(void **state)
{
    static const struct row row = {
        ANTHROPIC,
        "{\"model\":\"c\"}",
        SSE,
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{"
        "\"input_tokens\":25,\"output_tokens\":2}}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"one two three "
        "four five "
        "six seven eight nine ten eleven twelve\"}}\n\ndata: {\"type\":\"content_bl",
        200,
        "",
        ACCOUNTING_CALL,
        OUTCOME_ABORTED,
        QUALITY_ESTIMATED,
        { 0 }
    };
    struct extract *x = extract_new();
    struct got g;
    (void)state;
    run(x, &row, 10, EXTRACT_ABORTED, &g);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.u[0].outcome, OUTCOME_ABORTED);
    assert_int_equal(g.u[0].usage_source, SOURCE_PARTIAL);
    assert_int_equal(g.u[0].quality, QUALITY_ESTIMATED);
    assert_int_equal(g.u[0].v[USAGE_input], 25);
    assert_true(g.u[0].v[USAGE_output] > 10); /* two were counted before the text came */
    assert_true(extract_saw_token(x));
    extract_free(x);
}

/* Sent text is measured whole: in a list, with escapes, longer than what is held. */
static void sent_text(void **state)
{
    static const char head[] = "{\"model\":\"c\",\"prompt\":[\"",
                      tail[] = "\",\"b\"],\"suffix\":null}";
    struct row row = { .host = "api.openai.com",
                       .path = "/v1/completions",
                       .type = "application/json",
                       .body = "{\"id\":\"x\",\"choices\":[{\"text\":\"a\"}]}",
                       .status = 200 };
    char request[2048];
    struct got g;
    (void)state;
    int n = snprintf(request, sizeof request, "%s%0999dn\\n%s", head, 0, tail);
    row.request = request;
    for (size_t cut = 0; cut < (size_t)n; cut++) {
        struct extract *x = extract_new();
        run(x, &row, cut, EXTRACT_COMPLETE, &g);
        CHECK(g.n == 1 && g.u[0].quality == QUALITY_ESTIMATED &&
                  g.u[0].v[USAGE_input] == 225, /* 4 + 1003 * 0.22 */
              "cut %zu: %lu", cut, (unsigned long)g.u[0].v[USAGE_input]);
        extract_free(x);
    }
}

/* A client that leaves behind the last word of a stream, not waiting for the end of its
 * transport, has the whole call; cut at any byte before, the call is not whole. */
static void settled(void **state)
{
    static const struct {
        const char *host, *path, *type, *body;
        size_t last; /* bytes that may be missing: the end of the line, of the event */
        uint64_t input, output;
    } cases[] = {
        { OPENAI, SSE,
          "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
          "\"completion_tokens\":6}}\n\ndata: [DONE]\n\n",
          0, 5, 6 },
        { ANTHROPIC, SSE,
          "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
          "\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
          "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{"
          "\"output_tokens\":6}}\n\n"
          "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
          2, 5, 6 },
        { "api.openai.com", "/v1/responses", SSE,
          "data: {\"type\":\"response.output_text.delta\",\"delta\":\"[DONE]\"}\n\n"
          "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{"
          "\"input_tokens\":5,\"output_tokens\":6}}}\n\n",
          2, 5, 6 },
        { "localhost:11434", "/api/chat", "application/x-ndjson",
          "{\"message\":{\"content\":\"a\"},\"done\":false}\n"
          "{\"done\":true,\"prompt_eval_count\":5,\"eval_count\":6}\n",
          1, 5, 6 },
    };
    struct extract *x = extract_new();
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        size_t all = strlen(cases[c].body);
        for (size_t n = 0; n <= all; n++) {
            char body[512] = "";
            memcpy(body, cases[c].body, n);
            struct row row = { .host = cases[c].host,
                               .path = cases[c].path,
                               .request = "{}",
                               .type = cases[c].type,
                               .body = body,
                               .status = 200 };
            struct got g;
            run(x, &row, n / 2, EXTRACT_ABORTED, &g);
            bool whole = n + cases[c].last >= all;
            CHECK((g.u[0].quality == QUALITY_EXACT) == whole,
                  "case %zu, %zu bytes of %zu", c, n, all);
            if (whole) {
                assert_int_equal(g.u[0].outcome, OUTCOME_OK);
                assert_int_equal(g.u[0].v[USAGE_input], cases[c].input);
                assert_int_equal(g.u[0].v[USAGE_output], cases[c].output);
            }
        }
    }
    extract_free(x);
}

/* Trap 6: compaction on top at the main model, the advisor at its own. */
static void passes(void **state)
{
    static const struct row row = { ANTHROPIC,
                                    "{}",
                                    JSON,
                                    "{\"id\":\"msg_1\",\"type\":\"message\",\"model\":"
                                    "\"c\",\"usage\":{\"input_tokens\":612,"
                                    "\"output_tokens\":28,\"iterations\":[{\"type\":"
                                    "\"compaction\",\"input_tokens\":603,"
                                    "\"output_tokens\":5},{\"type\":\"message\",\"input_"
                                    "tokens\":612,\"output_tokens\":28},"
                                    "{\"model\":\"big\",\"type\":\"advisor_message\","
                                    "\"input_tokens\":7,\"output_tokens\":8,"
                                    "\"cache_read_input_tokens\":1}]}}",
                                    200,
                                    "",
                                    ACCOUNTING_CALL,
                                    OUTCOME_OK,
                                    QUALITY_EXACT,
                                    { 0 } };
    struct extract *x = extract_new();
    (void)state;
    for (size_t cut = 0; cut <= strlen(row.body); cut++) {
        struct got g;
        run(x, &row, cut, EXTRACT_COMPLETE, &g);
        assert_int_equal(g.n, 3);
        assert_int_equal(g.u[0].v[USAGE_input], 612);
        assert_int_equal(g.u[1].v[USAGE_input], 603);
        assert_string_equal(g.text[1], "anthropic|anthropic.messages|c|msg_1");
        assert_int_equal(g.u[2].v[USAGE_output], 8);
        assert_int_equal(g.u[2].v[USAGE_cache_read], 1);
        assert_string_equal(g.text[2], "anthropic|anthropic.messages|big|msg_1");
    }
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_split), cmocka_unit_test(aborted),
        cmocka_unit_test(sent_text),      cmocka_unit_test(settled),
        cmocka_unit_test(passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
