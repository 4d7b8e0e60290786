/*
 * Lines that nobody means well with, through lines and logline: each is refused and
 * counted, or read for what it says; none is read beyond its end, and the next good line
 * counts as ever.
 */
#include "testing.h"

#include "agent/logline.h"
#include "common/buf.h"

enum { DEEP = 1000 };

static const char good[] =
    "{\"ts\":\"2026-11-23T17:45:00Z\",\"model\":\"gpt-x\",\"usage\":{"
    "\"prompt_tokens\":7,\"completion_tokens\":3}}";

struct tally_of {
    size_t calls, missing;
    uint64_t input;
};

static void on_usage(void *arg, struct usage *u)
{
    struct tally_of *s = arg;
    s->calls += u->accounting == ACCOUNTING_CALL;
    s->missing += u->quality == QUALITY_MISSING;
    s->input += u->v[USAGE_input];
}

/* One line in front of a page that must not be read, and a good one behind it. */
static struct logline_stats feed(struct slice line, struct tally_of *s)
{
    struct extract *x = extract_new();
    struct logline_options opt = { .mtime_ns = 1 };
    struct logline *l = logline_new(x, &opt);
    struct guarded g = guard_copy(line);
    assert_non_null(l);
    *s = (struct tally_of){ 0 };
    logline_feed(l, g.s, 0, 1, on_usage, s);
    struct logline_stats stats = *logline_stats(l);
    struct tally_of before = *s;
    logline_feed(l, slice_str(good), line.n + 1, 2, on_usage, s);
    assert_int_equal(s->calls, before.calls + 1);
    assert_int_equal(s->input, before.input + 7);
    *s = before;
    guard_release(&g);
    logline_free(l);
    extract_free(x);
    return stats;
}

static void repeat(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_adds(b, text);
}

/* Deeper than anybody nests: passed over, broken or not, and nothing is made up. */
static void test_nesting(void **state)
{
    static const struct {
        const char *open, *shut;
        size_t shuts;
        bool broken;
    } cases[] = {
        { "[", "]", DEEP, false },         { "{\"a\":", "}", DEEP, false },
        { "[{\"b\":", "}]", DEEP, false }, { "[", "]", DEEP - 1, true },
        { "{\"a\":", "}", 0, true },       { "[{\"usage\":", "}]", 1, true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf line = { 0 };
        struct tally_of s;
        repeat(&line, cases[i].open, DEEP);
        buf_adds(&line, good);
        repeat(&line, cases[i].shut, cases[i].shuts);
        struct logline_stats stats = feed(buf_slice(&line), &s);
        CHECK(s.calls == 0 && stats.records == 0 && stats.not_json == cases[i].broken &&
                  stats.no_record == !cases[i].broken,
              "case %zu: %zu calls, %llu not JSON, %llu without a record", i, s.calls,
              (unsigned long long)stats.not_json, (unsigned long long)stats.no_record);
        buf_release(&line);
    }
}

/* Numbers that are no counts make no numbers; text that is no text is passed on or over.
 */
static void test_values(void **state)
{
    static const struct {
        struct slice usage, before;
        uint64_t input;
        bool missing;
    } cases[] = {
#define V(number, input, missing)                                                        \
    { { number, sizeof(number) - 1 }, { "x", 1 }, input, missing }
        V("281474976710656", 281474976710656u, false), /* 2^48, the most that counts */
        V("281474976710657", 0, true),
        V("18446744073709551615", 0, true),
        V("18446744073709551616", 0, true),
        V("99999999999999999999999999999999999999999", 0, true),
        V("1e400", 0, true),
        V("-1", 0, true),
        V("1.5", 0, true),
        V("5.0", 5, false),
#undef V
#define T(text) { { "9", 1 }, { text, sizeof(text) - 1 }, 9, false }
        T("\xff\xfe\xc0\x80\xed\xa0\x80"),
        T("a\0b\0\0"),
        T("\\ud800 \\u0000 \\\\"),
        T("\x01\x7f\x1b[2J"),
#undef T
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf line = { 0 };
        struct tally_of s;
        buf_adds(&line, "{\"note\":\"");
        buf_add(&line, cases[i].before);
        buf_adds(&line, "\",\"model\":\"");
        buf_add(&line, cases[i].before);
        buf_adds(&line, "\",\"usage\":{\"prompt_tokens\":");
        buf_add(&line, cases[i].usage);
        buf_adds(&line, ",\"completion_tokens\":3}}");
        feed(buf_slice(&line), &s);
        CHECK(s.calls == 1 && s.input == cases[i].input && s.missing == cases[i].missing,
              "case %zu: %zu calls, input %llu, %zu missing", i, s.calls,
              (unsigned long long)s.input, s.missing);
        buf_release(&line);
    }
}

static bool count_line(void *arg, const struct line *line)
{
    ++*(size_t *)arg;
    assert_true(slice_eq(line->text, slice_str(good)));
    return false;
}

static void take(struct lines *l, struct slice s, size_t *n)
{
    while (s.n) {
        size_t room;
        char *to = lines_room(l, &room);
        struct slice piece = slice_head(s, room);
        memcpy(to, piece.p, piece.n);
        lines_take(l, piece.n, count_line, n);
        s = slice_from(s, piece.n);
    }
}

/* A string of 1 GB is never held: its line is skipped and counted, those beside it count.
 */
static void test_gigabyte(void **state)
{
    (void)state;
    struct lines *l = lines_new();
    size_t n = 0, room;
    assert_non_null(l);
    take(l, slice_str(good), &n);
    take(l, SLICE("\n{\"usage\":{\"prompt_tokens\":1},\"prompt\":\""), &n);
    for (uint64_t left = 1u << 30; left;) {
        char *to = lines_room(l, &room);
        room = room < left ? room : (size_t)left;
        memset(to, 'x', room);
        lines_take(l, room, count_line, &n);
        left -= room;
    }
    take(l, SLICE("\"}\n"), &n);
    take(l, slice_str(good), &n);
    lines_finish(l, count_line, &n);
    assert_int_equal(n, 2);
    assert_int_equal(lines_stats(l)->too_long, 1);
    assert_int_equal(lines_stats(l)->lines, 3);
    lines_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_gigabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
