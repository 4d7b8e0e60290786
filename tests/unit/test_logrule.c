/* agent/logrule: logs read by expressions and field names of the user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/logrule.h"
#include "common/instant.h"

static void note(void *arg, struct usage *u)
{
    struct buf *b = arg;
    buf_addf(b, "%s %.*s %llu+%llu/%llu", usage_accounting_name(u->accounting),
             SLICE_FMT(u->model), (unsigned long long)u->v[USAGE_input],
             (unsigned long long)u->v[USAGE_cache_read],
             (unsigned long long)u->v[USAGE_output]);
    if (usage_has(u, USAGE_cost_pico))
        buf_addf(b, " $%llu", (unsigned long long)u->v[USAGE_cost_pico]);
    if (u->total_us >= 0)
        buf_addf(b, " %lldus", (long long)u->total_us);
    if (u->status)
        buf_addf(b, " %u", u->status);
    if (u->request_id.n)
        buf_addf(b, " id=%.*s", SLICE_FMT(u->request_id));
    if (u->ts_ns != 7) {
        buf_addc(b, ' ');
        instant_format(u->ts_ns, b);
    }
    buf_addc(b, ';');
}

#define USED                                                                             \
    "used (?<in>[\\d,]+) prompt \\+ (?<out>[\\d,]+) completion.*\\((?<model>\\S+)\\)"

static const struct {
    const char *name, *regex, *fields;
    struct logrule_options o;
    const char *file, *want;
} rules[] = {
    { "text",
      USED,
      "",
      { 0 },
      "INFO used 50 prompt + 7 completion = 57 tokens (gpt-x)\nINFO used nothing\n",
      "call gpt-x 50+0/7;" },
    { "colours of a terminal",
      USED,
      "",
      { 0 },
      "\033[32mINFO\033[0m used \033[1;31m50\033[0m prompt + 7 completion (gpt-x)\n",
      "call gpt-x 50+0/7;" },
    { "separators are no digits, unless asked for",
      USED,
      "",
      { 0 },
      "used 1,050 prompt + 7 completion (m)\n",
      "call m 0+0/7;" },
    { "thousands",
      USED,
      "",
      { .thousands = true },
      "used 1,050 prompt + 7 completion (m)\n",
      "call m 1050+0/7;" },
    { "what is cached is inside",
      "in=(?<in>\\d+) hit=(?<cached>\\d+)",
      "",
      { .sense = CALL_INCLUSIVE },
      "in=50 hit=20\n",
      "call  30+20/0;" },
    { "what is cached is besides",
      "in=(?<in>\\d+) hit=(?<cached>\\d+)",
      "",
      { .sense = CALL_EXCLUSIVE },
      "in=50 hit=20\n",
      "call  50+20/0;" },
    { "by the sums",
      "in=(?<in>\\d+) hit=(?<cached>\\d+) all=(?<total>\\d+)",
      "",
      { 0 },
      "in=50 hit=20 all=70\nin=50 hit=20 all=50\n",
      "call  50+20/0;call  30+20/0;" },
    { "counters that go on",
      "in=(?<in>\\d+) out=(?<out>\\d+)",
      "",
      { .cumulative = true },
      "in=50 out=20\nin=50 out=20\nin=80 out=25\nin=5 out=1\n",
      "call  50+0/20;call  30+0/5;call  5+0/1;" },
    { "time, id, latency, a group that took no part",
      "(?<ts>\\S+) (?<id>r\\S+) (?<latency_ms>[\\d.]+)ms (?<in>\\d+)(?: "
      "c=(?<cached>\\d+))?",
      "",
      { 0 },
      "2026-11-02T10:00:00Z r-1 81.5ms 50\n",
      "call  50+0/0 81500us id=r-1 2026-11-02T10:00:00.000Z;" },
    { "an expression that runs away gives nothing",
      "(a+)+$(?<in>b)",
      "",
      { 0 },
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\n",
      "" },
    { "an access log, retried upstream",
      "",
      "ts=t,host=host,method=m,path=uri,status=st,latency_s=rt,id=rid,in=it,cost=cost",
      { 0 },
      "{\"t\":\"2026-11-02T10:00:00+01:00\",\"host\":\"api.openai.com\",\"m\":\"POST\","
      "\"uri\":\"/v1/chat/completions?api_key=x\",\"st\":\"502, "
      "200\",\"rt\":0.812,\"rid\":"
      "\"r9\",\"it\":\"31\",\"cost\":\"0.002\"}\n",
      "call  31+0/0 $2000000000 812000us 200 id=r9 2026-11-02T09:00:00.000Z;" },
    { "an access log without counts; counting tokens; other pages",
      "",
      "method=m,path=uri,status=st,in=it",
      { 0 },
      "{\"m\":\"POST\",\"uri\":\"/v1/chat/completions\",\"st\":429,\"it\":\"-\"}\n"
      "{\"m\":\"POST\",\"uri\":\"/v1/messages/count_tokens\",\"st\":200,\"it\":\"12\"}\n"
      "{\"m\":\"GET\",\"uri\":\"/index.html\",\"st\":200,\"it\":\"\"}\n",
      "error  0+0/0 429;free  0+0/0 200;" },
    { "the model in a path",
      "",
      "host=h,path=u,in=it",
      { 0 },
      "{\"h\":\"bedrock-runtime.eu-west-1.amazonaws.com\",\"u\":\"/model/a.b-v1%3A0/"
      "invoke\","
      "\"it\":3}\n",
      "call a.b-v1:0 3+0/0;" },
    { "nested names",
      "",
      "in=llm/usage/i,out=llm/usage/o,model=llm/m",
      { 0 },
      "{\"llm\":{\"m\":\"x\",\"usage\":{\"i\":5,\"o\":6},\"text\":{\"i\":9}},\"usage\":{"
      "\"i\":8}}\n",
      "call x 5+0/6;" },
    { "logfmt with names of its own",
      "",
      "in=it,out=ot,model=engine",
      { 0 },
      "level=info msg=\"done it=9\" engine=gpt-x it=50 ot=7\nlevel=info msg=x\n",
      "call gpt-x 50+0/7;" },
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct logrule *make(struct arena *a, const char *regex, const char *fields,
                            struct logrule_options o, struct buf *why)
{
    struct logrule *r = NULL;
    o.regex = regex;
    if (logrule_parse_fields(slice_str(fields), a, &o, why) == ST_OK)
        logrule_new(&o, a, &r, why);
    return r;
}

/* Through logline, with a restart behind each line. */
static void test_rules(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < COUNT(rules); c++) {
        struct arena a;
        struct buf why = { 0 };
        arena_init(&a, 1 << 20);
        struct logrule *r = make(&a, rules[c].regex, rules[c].fields, rules[c].o, &why);
        if (!r)
            fail_msg("%s: %s", rules[c].name, buf_cstr(&why));
        for (size_t stop = 0; stop < 4; stop++) {
            struct logline_options opt = { .rule = r, .mtime_ns = 7 };
            struct buf got = { 0 }, saved = { 0 };
            struct logline *l = logline_new(x, &opt);
            assert_int_equal(logline_need(l), LINES_ALL);
            struct slice line, rest = slice_str(rules[c].file);
            for (size_t n = 0; rest.n; n++) {
                slice_cut(rest, '\n', &line, &rest);
                logline_feed(l, line, n, n + 1, note, &got);
                if (n != stop)
                    continue;
                logline_save(l, &saved);
                assert_true(saved.n < LOGLINE_STATE_MAX);
                logline_free(l);
                l = logline_new(x, &opt);
                assert_int_equal(logline_load(l, buf_slice(&saved)), ST_OK);
            }
            if (strcmp(buf_cstr(&got), rules[c].want) != 0)
                fail_msg("%s: %s", rules[c].name, buf_cstr(&got));
            logline_free(l);
            buf_release(&got);
            buf_release(&saved);
        }
        buf_release(&why);
        arena_release(&a);
    }
    extract_free(x);
}

static const struct {
    const char *regex, *fields, *why;
} refused[] = {
    { "(?<in>\\d+", "", "expression, byte 10: missing closing parenthesis" },
    { "\\d+", "", "names no group" },
    { "(?<tokens>\\d+)", "", "group 'tokens' is not known; one of ts, model, in" },
    { "(?<in>\\d+)", "in=it", "exclude each other" },
    { "", "tokens=x", "field 'tokens' is not known; one of ts, model, in" },
    { "", "in=", "field 'in' needs a name of yours" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT(refused); c++) {
        struct arena a;
        struct buf why = { 0 };
        arena_init(&a, 1 << 20);
        assert_null(make(&a, refused[c].regex, refused[c].fields,
                         (struct logrule_options){ 0 }, &why));
        if (!strstr(buf_cstr(&why), refused[c].why))
            fail_msg("%s%s: %s", refused[c].regex, refused[c].fields, buf_cstr(&why));
        buf_release(&why);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
