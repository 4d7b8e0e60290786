/* agent/lines: the same candidate lines, offsets and numbers however the bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/lines.h"
#include "common/buf.h"

#define HIT "{\"total_tokens\":5}"

static bool note(void *arg, const struct line *line)
{
    buf_addf(arg, "%llu@%llu%s:%.*s\n", (unsigned long long)line->number,
             (unsigned long long)line->offset, line->squeezed ? "!" : "",
             SLICE_FMT(line->text));
    return slice_ends(line->text, SLICE("{"));
}

static void feed(struct lines *l, struct slice s, struct buf *out)
{
    while (s.n) {
        size_t room;
        char *p = lines_room(l, &room);
        assert_true(room >= LINES_BLOCK / 4 && p);
        size_t n = s.n < room ? s.n : room;
        memcpy(p, s.p, n);
        lines_take(l, n, note, out);
        s = slice_from(s, n);
    }
}

static const struct {
    const char *in, *usage, *all;
} cases[] = {
    { "", "", "" },
    { "\n\n\n", "", "" },
    { HIT, "1@0:" HIT "\n", "1@0:" HIT "\n" },
    { "plain\n" HIT "\nplain\n", "2@6:" HIT "\n",
      "1@0:plain\n2@6:" HIT "\n3@25:plain\n" },
    { HIT "\r\n\r\n" HIT "\r\n", "1@0:" HIT "\n3@22:" HIT "\n",
      "1@0:" HIT "\n3@22:" HIT "\n" },
    { "\n" HIT HIT "\n" HIT, "2@1:" HIT HIT "\n3@38:" HIT "\n",
      "2@1:" HIT HIT "\n3@38:" HIT "\n" },
    { "a tokens\n:5\nb\n", "", "1@0:a tokens\n2@9::5\n3@12:b\n" },
    { "a\nb {\n\nc\nd\n{\r\ne\n{", "2@2:b {\n4@7:c\n6@11:{\n7@14:e\n",
      "1@0:a\n2@2:b {\n4@7:c\n5@9:d\n6@11:{\n7@14:e\n8@16:{\n" },
    { HIT "\na {\n" HIT "\n{\n", "1@0:" HIT "\n2@19:a {\n3@23:" HIT "\n4@42:{\n",
      "1@0:" HIT "\n2@19:a {\n3@23:" HIT "\n4@42:{\n" },
};

static void test_every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct slice in = slice_str(cases[c].in);
        for (int all = 0; all < 2; all++) {
            enum lines_need need = all ? LINES_ALL : LINES_USAGE;
            const char *want = all ? cases[c].all : cases[c].usage;
            for (size_t cut = 0; cut <= in.n; cut++) {
                struct buf out = { 0 };
                struct lines *l = lines_new();
                lines_begin(l, need, 0, 1);
                feed(l, slice_head(in, cut), &out);
                feed(l, slice_from(in, cut), &out);
                lines_finish(l, note, &out);
                if (strcmp(buf_cstr(&out), want) != 0)
                    fail_msg("case %zu, cut %zu: %s", c, cut, buf_cstr(&out));
                assert_int_equal(lines_offset(l), in.n);
                lines_free(l);
                buf_release(&out);
            }
        }
    }
}

static void test_begin_in_the_middle(void **state)
{
    (void)state;
    struct buf out = { 0 };
    struct lines *l = lines_new();
    feed(l, SLICE("pending"), &out);
    assert_int_equal(lines_offset(l), 0);
    lines_begin(l, LINES_USAGE, 1000, 77);
    feed(l, SLICE("x\n" HIT "\nrest"), &out);
    assert_string_equal(buf_cstr(&out), "78@1002:" HIT "\n");
    assert_int_equal(lines_offset(l), 1020 + 1);
    assert_int_equal(lines_number(l), 79);
    lines_begin(l, LINES_NEXT, 1000, 77); /* inside of a record */
    feed(l, SLICE("\nx\ny\n"), &out);
    assert_string_equal(buf_cstr(&out), "78@1002:" HIT "\n78@1001:x\n");
    lines_free(l);
    buf_release(&out);
}

/* One line of `bytes` bytes: text in one long string, or in many short ones. */
static void put_long_line(struct buf *b, size_t bytes, bool one_string)
{
    buf_adds(b, "{\"content\":[\"");
    for (size_t first = b->n; b->n - first < bytes;)
        buf_adds(b, one_string ? "caf\xc3\xa9 \\\"x\\u00e9" : "abcd\",\"efg");
    buf_adds(b, "\"],\"usage\":" HIT "}\n");
}

static const struct {
    size_t bytes;
    bool one_string;
    int records; /* lines handed out of: the long one, a short one */
    bool squeezed;
    unsigned too_long;
} longs[] = {
    { 100000, true, 2, false, 0 },   { 900000, true, 2, false, 0 },
    { 3000000, true, 2, true, 0 },   { 10000000, true, 2, true, 0 },
    { 20000000, true, 1, false, 1 }, { 900000, false, 2, false, 0 },
    { 3000000, false, 1, false, 1 },
};

struct counted {
    int lines;
    bool squeezed;
    uint64_t last;
};

static bool count(void *arg, const struct line *line)
{
    struct counted *c = arg;
    c->lines++;
    c->squeezed |= line->squeezed;
    c->last = line->offset;
    assert_true(slice_ends(line->text, SLICE("}")));
    if (line->squeezed) { /* strings keep their head and end in one piece */
        assert_true(line->text.n < 1000);
        assert_true(slice_find(line->text, SLICE("\"],\"usage\":" HIT "}")) != SIZE_MAX);
    }
    return false;
}

static void test_long_lines(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof longs / sizeof *longs; c++) {
        static const size_t pieces[] = { 1 << 20, 70001, 4099 };
        for (size_t k = 0; k < 3; k++) {
            struct buf text = { 0 };
            put_long_line(&text, longs[c].bytes, longs[c].one_string);
            size_t second = text.n;
            buf_adds(&text, HIT "\n");
            struct lines *l = lines_new();
            struct counted got = { 0 };
            for (struct slice in = buf_slice(&text); in.n;) {
                size_t room;
                char *p = lines_room(l, &room);
                size_t n = in.n < room ? in.n : room;
                n = n < pieces[k] ? n : pieces[k];
                memcpy(p, in.p, n);
                lines_take(l, n, count, &got);
                in = slice_from(in, n);
            }
            lines_finish(l, count, &got);
            assert_int_equal(got.lines, longs[c].records);
            assert_int_equal(got.squeezed, longs[c].squeezed);
            assert_int_equal(got.last, second);
            assert_int_equal(lines_stats(l)->too_long, longs[c].too_long);
            assert_int_equal(lines_stats(l)->lines, 2);
            assert_int_equal(lines_offset(l), text.n);
            lines_free(l);
            buf_release(&text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_begin_in_the_middle),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
