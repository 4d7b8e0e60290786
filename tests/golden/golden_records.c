/*
 * Replies of the corpus as an application would log them, through the record door.
 *   full   time, level, provider, method, host, path, status, model asked for, and the
 * body bare   time, a message and the body: what the body alone can say Only openai,
 * anthropic and gemini, and only replies that are not streamed.
 */
#include "common/json.h"
#include "testing.h"
#include "tests/golden/verdict.h"

/* What a bare body cannot say, by surface, and why. "*": all of them. */
static const struct {
    const char *surface;
    const char *accounting; /* of the truth, "" for any */
    unsigned skip;
    bool silent; /* no verdict may come at all */
    const char *why;
} limits[] = {
    { "openai.responses_retrieve", "", SKIP_ACCOUNTING | SKIP_OUTCOME | SKIP_SURFACE,
      true, "a GET's answer is byte for byte that of the POST" },
    { "openai.assistants_poll", "", SKIP_ACCOUNTING | SKIP_OUTCOME | SKIP_SURFACE, true,
      "a run that is polled looks like one that was started" },
    { "openai.batches_poll", "", SKIP_ACCOUNTING | SKIP_SURFACE, true,
      "a batch that is polled looks like one that was submitted" },
    { "anthropic.batches", "", SKIP_ACCOUNTING, true,
      "a batch that is polled looks like one that was submitted" },
    { "anthropic.batch_results", "", ~0u, true, "lines of a results file are no body" },
    { "openai.batch_results", "", ~0u, true, "lines of a results file are no body" },
    { "openai.responses_compact", "", SKIP_MODEL, false, "the reply names no model" },
    { "openai.count_tokens", "", SKIP_MODEL, true, "the reply names no model" },
    { "openai.images", "", ~0u, true, "without usage nothing names the model or API" },
    { "openai.transcription", "", ~0u, true, "nothing names the model or API" },
    { "openai.moderations", "", ~0u, true, "an unnamed list of flags" },
    { "openai.video", "", ~0u, true, "a job that any API may start" },
    { "openai.responses_admin", "", ~0u, true, "a list" },
    { "openai.chat", "error", ~0u, true, "an error object names no API" },
    { "anthropic.messages", "error", SKIP_MODEL, true,
      "the error does not name a model" },
    { "anthropic.count_tokens", "", ~0u, true, "an error or a number without a name" },
    { "gemini.generate", "error", ~0u, true, "an error object names no API" },
    { "gemini.generate_stream", "", ~0u, true, "an error object names no API" },
    { "gemini.embed", "", SKIP_MODEL, true, "the reply names no model" },
    { "gemini.batch", "", ~0u, true, "a job that any API may start" },
    { "gemini.video", "", ~0u, true, "a job that any API may start" },
    { "gemini.cached_contents", "", ~0u, true, "a name and a size" },
    { "gemini.interactions", "deferred", SKIP_MODEL, false, "" },
    { "admin", "", ~0u, true, "housekeeping" },
};

static void put(struct json_out *o, const char *key, struct slice v)
{
    json_key(o, key);
    if (v.n)
        json_str(o, v);
    else
        json_null(o);
}

static void body(struct json_out *o, const struct exchange_record *e)
{
    struct slice b = slice_trim(e->response);
    json_key(o, "response");
    if (b.n && (b.p[0] == '{' || b.p[0] == '['))
        json_raw(o, b);
    else
        json_null(o);
}

static void full_line(struct buf *line, const struct exchange_record *e)
{
    struct json_out o = { .b = line };
    json_open(&o, '{');
    put(&o, "time", SLICE("2026-11-02T10:00:00.5Z"));
    put(&o, "level", SLICE("info"));
    put(&o, "provider", e->provider);
    put(&o, "method", e->method);
    put(&o, "host", e->host);
    put(&o, "path", e->path);
    json_key(&o, "status");
    json_u64(&o, e->status);
    put(&o, "model", e->truth.model_request);
    body(&o, e);
    json_close(&o, '}');
}

static void bare_line(struct buf *line, const struct exchange_record *e)
{
    struct json_out o = { .b = line };
    json_open(&o, '{');
    put(&o, "ts", SLICE("2026-11-02T10:00:00.5Z"));
    put(&o, "msg", SLICE("llm reply"));
    body(&o, e);
    json_close(&o, '}');
}

static bool one_of(struct slice s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(s, slice_str(names[i])))
            return true;
    return false;
}

static bool wanted(const struct exchange_record *e)
{
    static const char *const providers[] = { "openai", "anthropic", "gemini" };
    static const char *const framings[] = { "json", "none" };
    return one_of(e->provider, providers, COUNT_OF(providers)) &&
           one_of(e->truth.framing, framings, COUNT_OF(framings));
}

/* Judges one line; "" or what is wrong with the verdict. */
static const char *judge(struct extract *x, const struct buf *line,
                         const struct truth *truth, unsigned skip, bool silent, char *why,
                         size_t size)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 0 };
    struct verdicts got = { .n = 0 };
    const char *bad;
    extract_record(x, buf_slice(line), &hint, verdicts_keep, &got, &bad);
    if (bad)
        return bad;
    if (silent && !got.n)
        return "";
    return verdict_differs(truth, &got, skip, why, size);
}

static void check(void (*write)(struct buf *, const struct exchange_record *), bool bare)
{
    struct corpus c;
    struct extract *x = extract_new();
    struct exchange_record e;
    struct buf line = { .p = NULL };
    char why[1024];
    size_t n = 0, wrong = 0;
    if (!corpus_open(&c)) {
        extract_free(x);
        skip();
    }
    while (corpus_next(&c, &e)) {
        unsigned skip = bare ? SKIP_ID : SKIP_NOTHING;
        bool silent = false;
        if (!wanted(&e))
            continue;
        for (size_t i = 0; bare && i < COUNT_OF(limits); i++)
            if (slice_eq(e.truth.surface, slice_str(limits[i].surface)) &&
                (!*limits[i].accounting ||
                 slice_eq(e.truth.accounting, slice_str(limits[i].accounting)))) {
                skip |= limits[i].skip;
                silent = limits[i].silent;
            }
        buf_reset(&line);
        write(&line, &e);
        n++;
        const char *differs = judge(x, &line, &e.truth, skip, silent, why, sizeof why);
        if (*differs) {
            wrong++;
            print_message("%.*s %.*s %.*s: %s\n", SLICE_FMT(e.id),
                          SLICE_FMT(e.truth.provider), SLICE_FMT(e.truth.surface),
                          differs);
        }
    }
    corpus_close(&c);
    buf_release(&line);
    extract_free(x);
    print_message("%zu lines, %zu judged otherwise than the truth\n", n, wrong);
    assert_int_equal(wrong, 0);
}

static void full(void **state)
{
    (void)state;
    check(full_line, false);
}

static void bare(void **state)
{
    (void)state;
    check(bare_line, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full),
        cmocka_unit_test(bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
