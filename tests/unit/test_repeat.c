/*
 * Events that repeat each other say the same whether they are parsed or recognised: the
 * same stream in whole events, and in single bytes, which are never recognised.
 */
#include "testing.h"

#include "agent/engine.h"
#include "agent/exchange.h"
#include "common/buf.h"

/* $t: a text that counts, $x: one that nobody wants, $n: a number. */
static const char *const shapes[] = {
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":17000,"
    "\"model\":\"gpt-4o\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
    "\"delta\":{\"content\":\"$t\"},\"logprobs\":null,\"finish_reason\":null}],"
    "\"usage\":null,\"obfuscation\":\"$x\"}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o\",\"choices\":[{\"delta\":{"
    "\"content\": \"$t\"}}],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":$n,"
    "\"total_tokens\":$n}}\n\n",
    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":$n,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"$t\"}}\r\n\r\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,"
    "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"$t\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":$n}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
    "\"sequence_number\":$n,\"item_id\":\"msg_1\",\"output_index\":0,\"delta\":\"$t\","
    "\"logprobs\":[],\"obfuscation\":\"$x\"}\n\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"$t\"}],\"role\":"
    "\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":8,"
    "\"candidatesTokenCount\":$n,\"totalTokenCount\":$n,\"promptTokensDetails\":[{"
    "\"modality\":\"TEXT\",\"tokenCount\":8}]},\"modelVersion\":\"gemini-x\"}\r\n\r\n",
};

/* These never do: lists that add up, text in a place of its own, several lines. */
static const char *const odd[] = {
    "data: {\"type\":\"message_delta\",\"usage\":{\"iterations\":[{\"type\":\"message\","
    "\"input_tokens\":$n,\"output_tokens\":2}]}}\n\n",
    "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":"
    "\"web_search_call\",\"action\":{\"type\":\"search\"}}],\"usage\":{\"input_tokens\":$"
    "n,"
    "\"output_tokens\":1}}}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"$t\"},"
    "\"logprobs\":{\"content\":[{\"token\":\"secret\"}]}}]}\n\n",
    "data: {\"model\":\"gpt-4o\",\ndata: \"choices\":[{\"delta\":{\"content\":\"$t\"}}]}"
    "\n\n",
    "data: {\"cost\":0.5,\"usage\":{\"prompt_tokens\":1,\"cost\":0.$n}}\n\n",
    "data: [[{\"text\":\"$t\"}],{\"text\":\"$t\"}]\n\n",
    "data: [DONE]\n\n",
    "data: {\"broken\":\n\n",
    ": a comment\n\n",
};

static const char *const texts[] = {
    "",
    "a",
    " token",
    "\\\"",
    "\\\\",
    "\xc3\xa9t\xc3\xa9",
    "\\u00e9\\ud83d\\ude00",
    "line\\n2",
    "x",
    "a longer text than the others, with more than thirty-two bytes",
};

static void write_event(struct rng *r, const char *shape, struct buf *to)
{
    static const char *const numbers[] = { "0", "1", "7", "12345", "00", "-3", "1e3" };
    for (const char *p = shape; *p; p++) {
        if (*p != '$') {
            buf_addc(to, *p);
            continue;
        }
        p++;
        bool strange = !rng_below(r, 40);
        if (*p == 'n')
            buf_adds(to, numbers[rng_below(r, strange ? COUNT_OF(numbers) : 4)]);
        else
            buf_adds(to, texts[rng_below(r, COUNT_OF(texts))]);
    }
}

static struct exchange *open_stream_of(struct extract *x, const char *target)
{
    struct extract_header type = { SLICE("content-type"), SLICE("text/event-stream") };
    extract_begin(x, SLICE("https"), SLICE("api.openai.com"), 0, SLICE("POST"),
                  slice_str(target));
    extract_response_head(x, 200, &type, 1);
    return x->exchange;
}

static struct exchange *open_stream(struct extract *x)
{
    return open_stream_of(x, "/v1/chat/completions");
}

static void same(const struct exchange *a, const struct exchange *b, const char *what)
{
    const struct raw *r = &a->reply, *s = &b->reply;
    CHECK(r->have[0] == s->have[0] && r->have[1] == s->have[1], "%s", what);
    for (unsigned n = 0; n < RAW_NUMS; n++)
        CHECK(!raw_has(r, n) || r->num[n] == s->num[n], "number %u: %s", n, what);
    CHECK(r->have_str == s->have_str, "%s", what);
    CHECK(r->flags == s->flags, "%x %x: %s", r->flags, s->flags, what);
    for (unsigned n = 0; n < RAW_STRS; n++)
        CHECK(slice_eq(raw_str(r, n), raw_str(s, n)), "name %u: %s", n, what);
    CHECK(r->text_out == s->text_out, "%lu %lu: %s", (unsigned long)r->text_out,
          (unsigned long)s->text_out, what);
    CHECK(r->text_in == s->text_in && r->pieces == s->pieces && r->items == s->items &&
              r->searches == s->searches && r->passes == s->passes,
          "%s", what);
    CHECK(a->text_out == b->text_out && a->pieces == b->pieces, "%s", what);
    CHECK(a->answer.documents == b->answer.documents && a->settled == b->settled &&
              a->token == b->token && a->searches == b->searches && a->id_n == b->id_n,
          "%s", what);
}

static void random_streams(void **state)
{
    (void)state;
    struct rng r = rng_open("repeat");
    struct extract *whole = extract_new(), *bytes = extract_new();
    unsigned events = 0, repeats = 0;
    for (unsigned stream = 0; stream < 3000; stream++) {
        struct exchange *a = open_stream(whole), *b = open_stream(bytes);
        struct buf said = { .p = NULL };
        const char *shape = shapes[0];
        for (unsigned i = 0; i < 12; i++) {
            struct buf event = { .p = NULL };
            struct repeat_said ignored;
            if (!rng_below(&r, 5))
                shape = rng_below(&r, 3) ? shapes[rng_below(&r, COUNT_OF(shapes))]
                                         : odd[rng_below(&r, COUNT_OF(odd))];
            write_event(&r, shape, &event);
            events++;
            repeats += sse_between(&a->sse) &&
                       repeat_match(&a->repeat, buf_slice(&event), &ignored) == event.n;
            buf_add(&said, buf_slice(&event));
            size_t cut = rng_below(&r, 8) ? event.n : rng_below(&r, event.n + 1);
            extract_response_body(whole, slice_head(buf_slice(&event), cut));
            extract_response_body(whole, slice_from(buf_slice(&event), cut));
            for (size_t at = 0; at < event.n; at++)
                extract_response_body(bytes, slice_of(event.p + at, 1));
            same(a, b, buf_cstr(&said));
            buf_release(&event);
        }
        buf_release(&said);
    }
    printf("%u of %u events were repeats\n", repeats, events);
    CHECK(repeats > events / 3, "%u of %u", repeats, events);
    extract_free(whole);
    extract_free(bytes);
}

static void odd_events_are_not_kept(void **state)
{
    (void)state;
    struct rng r = { 1 };
    struct extract *x = extract_new();
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        struct exchange *e = open_stream(x);
        struct buf event = { .p = NULL };
        write_event(&r, odd[i], &event);
        extract_response_body(x, buf_slice(&event));
        CHECK(!e->repeat.parts, "%s", odd[i]);
        buf_release(&event);
    }
    extract_free(x);
}

/* Where a document forgets a count of the one before, a zero is one. */
static void counts_of_one_document(void **state)
{
    (void)state;
    static const char target[] = "/v1/publishers/google/models/text-bison:predict";
    struct extract *x = extract_new();
    struct exchange *e = open_stream_of(x, target);
    extract_response_body(x, SLICE("data: {\"input_token_count\":7}\n\n"));
    extract_response_body(x, SLICE("data: {\"input_token_count\":0}\n\n"));
    assert_true(raw_has(&e->reply, N_X_IN));
    assert_int_equal(e->reply.num[N_X_IN], 0);
    extract_free(x);
}

/* What may stand in the place of a text or a number, and what may not. */
static void what_repeats(void **state)
{
    (void)state;
    static const char *const first = "data: {\"choices\":[{\"index\":0,\"delta\":{"
                                     "\"content\":\"a\"}}]}\n\n";
    static const struct {
        const char *in;
        bool repeats;
    } rows[] = {
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n", true },
        { "data: {\"choices\":[{\"index\":7,\"delta\":{\"content\":\"\"}}]}\n\n", true },
        { "data: {\"choices\":[{\"index\":7,\"delta\":{\"content\":\"\\\"\"}}]}\n\n: x",
          true },
        { "data: {\"choices\":[{\"index\":7,\"delta\":{\"content\":\"\\\\\"}}]}\n\n",
          true },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n", false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a", false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\", false },
        { "data: {\"choices\":[{\"index\":1", false },
        { "data: {\"choices\":[{\"index\":01,\"delta\":{\"content\":\"a\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":1.5,\"delta\":{\"content\":\"a\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":-1,\"delta\":{\"content\":\"a\"}}]}\n\n",
          false },
        { "data: "
          "{\"choices\":[{\"index\":1234567890123,\"delta\":{\"content\":\"a\"}}]}\n"
          "\n",
          false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\nb\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\tb\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\\nb\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\\rb\"}}]}\n\n",
          false },
        { "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":null}}]}\n\n", false },
        { "", false },
    };
    struct extract *x = extract_new();
    struct exchange *e = open_stream(x);
    extract_response_body(x, slice_str(first));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice in = slice_str(rows[i].in);
        struct repeat_said said;
        size_t n = repeat_match(&e->repeat, in, &said);
        CHECK((n > 0) == rows[i].repeats && (!n || in.p[n - 1] == '\n'), "%s", in.p);
        for (size_t cut = 0; cut < n; cut++)
            CHECK(!repeat_match(&e->repeat, slice_head(in, cut), &said), "%zu of %s", cut,
                  in.p);
    }
    extract_free(x);
}

/* What is kept of an event holds nothing that was said. */
static void nothing_said_is_kept(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct exchange *e = open_stream(x);
        struct buf event = { .p = NULL };
        for (const char *p = shapes[i]; *p; p++) {
            if (*p != '$')
                buf_addc(&event, *p);
            else
                buf_adds(&event, *++p == 'n' ? "77" : "MARKER");
        }
        extract_response_body(x, buf_slice(&event));
        CHECK(e->repeat.parts, "%s", shapes[i]);
        struct slice kept = slice_of(e->repeat.text, sizeof e->repeat.text);
        CHECK(slice_find(kept, SLICE("MARKER")) == SIZE_MAX, "%s", shapes[i]);
        buf_release(&event);
    }
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_streams),
        cmocka_unit_test(what_repeats),
        cmocka_unit_test(odd_events_are_not_kept),
        cmocka_unit_test(counts_of_one_document),
        cmocka_unit_test(nothing_said_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
