/* agent/unwrap, agent/logtext: the application's line out of a wrapper; JSON out of text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "agent/logtext.h"
#include "agent/unwrap.h"
#include "common/usage.h"

#define T  "\"time\":\"2026-11-02T10:00:00.5Z\""
#define NS 1793613600500000000

static const struct {
    const char *line;
    bool cri, ok;
    const char *text;
    bool partial;
    unsigned stream;
    int64_t ts;
} wrapped[] = {
    { "{\"log\":\"{\\\"a\\\":1}\\n\",\"stream\":\"stdout\"," T "}", false, true,
      "{\\\"a\\\":1}", false, 0, NS },
    { "{" T ",\"attrs\":{\"log\":\"x\"},\"stream\":\"stderr\",\"log\":\"half\"}", false,
      true, "half", true, 1, NS },
    { "{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"never\"}", false, true, "",
      false, 0, USAGE_NO_TIME },
    { "{\"log\":\"back\\\\n\",\"stream\":\"stdout\"," T "}", false, true, "back\\\\n",
      true, 0, NS },
    { "{\"log\":\"x\\n\",\"stream\":\"other\"," T "}", false, false, "", false, 0, 0 },
    { "{\"log\":5,\"stream\":\"stdout\"," T "}", false, false, "", false, 0, 0 },
    { "{\"log\":\"x\\n\",\"stream\":\"stdout\"", false, false, "", false, 0, 0 },
    { "2026-11-02T10:00:00.5+00:00 stdout F {\"a\": 1}", true, true, "{\"a\": 1}", false,
      0, NS },
    { "2026-11-02T11:00:00.5+01:00 stderr P:x half ", true, true, "half ", true, 1, NS },
    { "2026-11-02T10:00:00.5Z stdout F", true, true, "", false, 0, NS },
    { "2026-11-02T10:00:00.5Z stdout X y", true, false, "", false, 0, 0 },
    { "yesterday stdout F y", true, false, "", false, 0, 0 },
    { "plain", true, false, "", false, 0, 0 },
    { "", true, false, "", false, 0, 0 },
    { "", false, false, "", false, 0, 0 },
};

static void test_wrappers(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof wrapped / sizeof *wrapped; c++) {
        struct unwrapped u;
        struct slice line = slice_str(wrapped[c].line);
        bool ok = wrapped[c].cri ? unwrap_cri(line, &u) : unwrap_docker(line, &u);
        if (ok != wrapped[c].ok)
            fail_msg("%s", wrapped[c].line);
        if (ok && (!slice_eq(u.text, slice_str(wrapped[c].text)) ||
                   u.partial != wrapped[c].partial || u.stream != wrapped[c].stream ||
                   u.ts_ns != wrapped[c].ts || u.escaped == wrapped[c].cri))
            fail_msg("%s: '%.*s'", wrapped[c].line, SLICE_FMT(u.text));
    }
}

static const struct {
    const char *line, *json, *pairs; /* NULL: none */
} texts[] = {
    { "INFO reply={\"id\":1} done", "{\"id\":1}", NULL },
    { "INFO reply=\"{\\\"id\\\":\\\"m\\\"}\" x", "{\"id\":\"m\"}", NULL },
    { "no braces", NULL, NULL },
    { "a={\"s\":\"}{\\\"}\"} b={}", "{\"s\":\"}{\\\"}\"}", NULL },
    { "usage: Usage(a=1) b=[c=2]", NULL, "{\"usage\":\"Usage\",\"a\":1,\"c\":2}" },
    { "} wrong {", NULL, NULL },
    { "ts=2026-11-02T10:00:00Z level=info msg=\"a \\\"b\\\"\" prompt_tokens=50 x= y",
      NULL,
      "{\"ts\":\"2026-11-02T10:00:00Z\",\"level\":\"info\",\"msg\":\"a "
      "\\\\\\\"b\\\\\\\"\",\"prompt_tokens\":50}" },
    { "CompletionUsage(completion_tokens=7, prompt_tokens=50, details=None)", NULL,
      "{\"completion_tokens\":7,\"prompt_tokens\":50,\"details\":\"None\"}" },
    { "{PromptTokens:50 CompletionTokens:7}", "{PromptTokens:50 CompletionTokens:7}",
      "{\"PromptTokens\":50,\"CompletionTokens\":7}" },
    { "{'prompt_tokens': 50, 'model': 'm x'}", "{'prompt_tokens': 50, 'model': 'm x'}",
      "{\"prompt_tokens\":50,\"model\":\"m x\"}" },
    { "a=007 b=1.5 c=.5 d=1.2.3", NULL,
      "{\"a\":\"007\",\"b\":1.5,\"c\":\".5\",\"d\":\"1.2.3\"}" },
    { "a='open", NULL, "{\"a\":\"open\"}" },
    { "a=\"open", NULL, "{\"a\":\"\\\"open\"}" },
    { "=5 :6", NULL, NULL },
};

static void test_text(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof texts / sizeof *texts; c++) {
        struct buf b = { 0 };
        struct slice json, line = slice_str(texts[c].line);
        size_t at = 0, first;
        bool found = logtext_json(line, &at, &b, &json, &first);
        if (found != (texts[c].json != NULL) ||
            (found && !slice_eq(json, slice_str(texts[c].json))))
            fail_msg("%s", texts[c].line);
        bool pairs = logtext_pairs(line, &b);
        if (texts[c].pairs &&
            (!pairs || !slice_eq(buf_slice(&b), slice_str(texts[c].pairs))))
            fail_msg("%s: %s", texts[c].line, buf_cstr(&b));
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrappers),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
