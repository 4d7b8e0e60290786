/* The record door: what a log line is judged to be. */
#include "agent/extract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS = 16 };

struct calls {
    struct usage u[CALLS];
    char text[CALLS][512]; /* provider|surface|model|id, kept behind the callback */
    size_t n;
};

static void keep(void *arg, struct usage *u)
{
    struct calls *c = arg;
    assert_true(c->n < CALLS);
    c->u[c->n] = *u;
    snprintf(c->text[c->n], sizeof c->text[0], "%.*s|%.*s|%.*s|%.*s",
             SLICE_FMT(u->provider), SLICE_FMT(u->surface), SLICE_FMT(u->model),
             SLICE_FMT(u->response_id));
    c->n++;
}

static size_t feed(struct extract *x, const char *line, struct calls *c)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 7 };
    const char *why;
    c->n = 0;
    size_t n = extract_record(x, slice_str(line), &hint, keep, c, &why);
    assert_int_equal(n, c->n);
    return n;
}

/* input, cache_read, 5m, 1h, other, output, reasoning; -1 not reported */
struct row {
    const char *line, *names;
    enum accounting accounting;
    int64_t v[7];
};

static const struct row rows[] = {
#include "record_rows.h"
};

static void check_row(const struct row *row, const struct calls *c)
{
    static const enum usage_field field[] = { USAGE_input,          USAGE_cache_read,
                                              USAGE_cache_write_5m, USAGE_cache_write_1h,
                                              USAGE_cache_write,    USAGE_output,
                                              USAGE_reasoning };
    assert_string_equal(c->text[0], row->names);
    assert_string_equal(usage_accounting_name(c->u[0].accounting),
                        usage_accounting_name(row->accounting));
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        int64_t got = usage_has(&c->u[0], field[i]) ? (int64_t)c->u[0].v[field[i]] : -1;
        if (got != row->v[i])
            fail_msg("%s: %s is %ld, not %ld", row->line, usage_fields[field[i]].name,
                     (long)got, (long)row->v[i]);
    }
}

static void record_rows(void **state)
{
    struct extract *x = extract_new();
    struct calls c;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = feed(x, rows[i].line, &c);
        if (n != (rows[i].names != NULL))
            fail_msg("%s: %zu calls (%s)", rows[i].line, n, n ? c.text[0] : "");
        if (n)
            check_row(&rows[i], &c);
    }
    extract_free(x);
}

static void envelope(void **state)
{
    struct extract *x = extract_new();
    struct calls c;
    (void)state;
    assert_int_equal(
        feed(x,
             "{\"time\":\"2026-11-02T10:00:00Z\",\"app\":\"shop\",\"env\":\"prod\","
             "\"request_id\":\"r1\",\"latency_ms\":812,\"model\":\"alias\",\"data\":{"
             "\"response\":{\"created\":1700000000,\"usage\":{\"prompt_tokens\":1,"
             "\"completion_tokens\":2,\"total_tokens\":3},\"model\":\"m-1\","
             "\"object\":\"chat.completion\",\"id\":\"c\\u0031\"}}}",
             &c),
        1);
    assert_true(c.u[0].ts_ns == INT64_C(1793613600) * 1000000000);
    assert_int_equal(c.u[0].total_us, 812000);
    assert_string_equal(c.text[0], "|openai.chat|m-1|c1");
    assert_int_equal(c.u[0].check, CHECK_OK);
    assert_int_equal(c.u[0].usage_source, SOURCE_JSON);
    extract_free(x);
}

static void lists_and_nesting(void **state)
{
    struct extract *x = extract_new();
    struct calls c;
    (void)state;
    assert_int_equal(feed(x,
                          "[{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}},"
                          "{\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1}},7]",
                          &c),
                     2);
    assert_int_equal(c.u[1].v[USAGE_input], 2);
    assert_int_equal(feed(x, "[]", &c), 0);
    assert_int_equal(feed(x, "[[[1],\"a\"],null]", &c), 0);
    assert_int_equal(
        feed(x,
             "{\"log\":\"{\\\"msg\\\":\\\"{\\\\\\\"usage\\\\\\\":{\\\\\\\"prompt_tokens"
             "\\\\\\\":4,\\\\\\\"completion_tokens\\\\\\\":5}}\\\"}\"}",
             &c),
        1);
    assert_int_equal(c.u[0].v[USAGE_output], 5);
    extract_free(x);
}

/* A string that only begins like JSON is text. */
/* A counter that is no count: the others are shown, but nobody may call them exact. */
static void bad_counters(void **state)
{
    static const char *const lines[] = {
        "{\"model\":\"m\",\"prompt_tokens\":-3,\"completion_tokens\":5}",
        "{\"model\":\"m\",\"prompt_tokens\":1e400,\"completion_tokens\":5}",
        "{\"model\":\"m\",\"prompt_tokens\":9007199254740993,\"completion_tokens\":5}",
        "{\"model\":\"m\",\"usage\":{\"prompt_tokens\":1.5,\"completion_tokens\":5}}",
    };
    struct extract *x = extract_new();
    struct calls c;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(feed(x, lines[i], &c), 1);
        assert_int_equal(c.u[0].quality, QUALITY_MISSING);
        assert_int_equal(c.u[0].check, CHECK_MISMATCH);
        assert_true(c.u[0].v[USAGE_output] == 5);
    }
    extract_free(x);
}

static void broken_json_in_a_string(void **state)
{
    struct extract *x = extract_new();
    struct calls c;
    (void)state;
    assert_int_equal(feed(x,
                          "{\"msg\":\"{\\\"usage\\\":{\\\"prompt_tokens\\\":5,"
                          "\\\"completion_tokens\\\":5},\\\"cut",
                          &c),
                     0);
    assert_int_equal(feed(x,
                          "{\"msg\":\"{\\\"usage\\\":{\\\"prompt_tokens\\\":5,"
                          "\\\"completion_tokens\\\":5},\\\"cut\"}",
                          &c),
                     0);
    extract_free(x);
}

static void count(void *arg, struct usage *u)
{
    (void)u;
    ++*(size_t *)arg;
}

/* Thousands of calls in a record are judged; without end they are refused as a whole. */
static void many_calls_in_a_record(void **state)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 7 };
    struct extract *x = extract_new();
    (void)state;
    for (size_t calls = 3000; calls <= 6000; calls += 3000) {
        struct buf line = { .p = NULL };
        const char *why;
        size_t n = 0;
        buf_adds(&line, "[");
        for (size_t i = 0; i < calls; i++)
            buf_addf(&line, "%s{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
                     i ? "," : "");
        buf_adds(&line, "]");
        extract_record(x, buf_slice(&line), &hint, count, &n, &why);
        assert_int_equal(n, calls < 4096 ? calls : 0);
        assert_int_equal(why != NULL, calls > 4096);
        buf_release(&line);
    }
    extract_free(x);
}

/* Any cut of a line is refused with a reason and without a verdict, never misread. */
static void cut_lines(void **state)
{
    struct extract *x = extract_new();
    struct calls c;
    static const struct extract_hint hint = { .fallback_ts_ns = 7 };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].line);
        for (size_t cut = 0; cut < n; cut++) {
            const char *why;
            char *exact = malloc(cut + 1);
            memcpy(exact, rows[i].line, cut);
            c.n = 0;
            assert_int_equal(
                extract_record(x, slice_of(exact, cut), &hint, keep, &c, &why), 0);
            assert_non_null(why);
            free(exact);
        }
    }
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_rows),
        cmocka_unit_test(envelope),
        cmocka_unit_test(lists_and_nesting),
        cmocka_unit_test(bad_counters),
        cmocka_unit_test(broken_json_in_a_string),
        cmocka_unit_test(many_calls_in_a_record),
        cmocka_unit_test(cut_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
