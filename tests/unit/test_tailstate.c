/* agent/tailstate: what a look at a file says about a known one; the state in the spool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/tailstate.h"

/* A mark of `text` read to `read`, as a file of inode 7. */
static struct tail_mark mark_of(const char *text, size_t read)
{
    struct slice s = slice_str(text);
    size_t seam = read < 4 ? read : 4;
    return (struct tail_mark){
        .dev = 1,
        .ino = 7,
        .head = tail_print_of(slice_head(s, 8)),
        .seam = tail_print_of(slice_of(text + read - seam, seam)),
        .read = read,
        .telling = true,
    };
}

static struct tail_look look_at(const char *text, const struct tail_mark *m, uint64_t ino)
{
    struct slice s = slice_str(text);
    size_t at = (size_t)(m->read - m->seam.n);
    return (struct tail_look){
        .dev = 1,
        .ino = ino,
        .size = s.n,
        .head = slice_head(s, TAIL_HEAD_MAX),
        .seam = slice_head(slice_from(s, at), m->seam.n),
    };
}

static const struct {
    const char *what, *was;
    size_t read;
    const char *is;
    uint64_t ino;
    enum tail_verdict verdict;
    bool same_content;
} looks[] = {
    { "nothing new", "line one\n", 9, "line one\n", 7, TAIL_SAME, true },
    { "grown", "line one\n", 9, "line one\nli", 7, TAIL_GROWN, true },
    { "a half line was not read", "line one\nli", 9, "line one\nli", 7, TAIL_GROWN,
      true },
    { "shrunk", "line one\n", 9, "line", 7, TAIL_TRUNCATED, false },
    { "emptied", "line one\n", 9, "", 7, TAIL_TRUNCATED, false },
    { "emptied before a byte was read", "", 0, "", 7, TAIL_SAME, false },
    { "other first bytes, same size", "line one\n", 9, "LINE one\n", 7, TAIL_TRUNCATED,
      false },
    { "other first bytes, larger", "line one\n", 9, "LINE one\nline two\n", 7,
      TAIL_TRUNCATED, false },
    { "same first bytes, other bytes before the position", "line one and two\n", 17,
      "line one AND TWO\nand more\n", 7, TAIL_TRUNCATED, false },
    { "another inode, a copy", "line one\n", 9, "line one\nmore\n", 8, TAIL_OTHER, true },
    { "another inode, a short copy", "line one\nmore\n", 14, "line one\n", 8, TAIL_OTHER,
      false },
    { "another file", "line one\n", 9, "other stuff\n", 8, TAIL_OTHER, false },
    { "nothing was read: no copy of it", "", 0, "line one\n", 8, TAIL_OTHER, false },
};

static void test_looks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        struct tail_mark m = mark_of(looks[i].was, looks[i].read);
        struct tail_look l = look_at(looks[i].is, &m, looks[i].ino);
        if (tail_judge(&m, &l) != looks[i].verdict ||
            tail_same_content(&m, &l) != looks[i].same_content)
            fail_msg("%s: verdict %d", looks[i].what, (int)tail_judge(&m, &l));
    }
}

/* A file that only grows is never taken for another, wherever it was read to. */
static void test_growth(void **state)
{
    static const char text[] = "one\ntwo\nthree, which is longer\nfour\nfive\n";
    char start[sizeof text];
    (void)state;
    for (size_t read = 0; read < sizeof text; read++) {
        struct tail_mark m = mark_of(text, read);
        m.head = tail_print_of(slice_of(text, read));
        for (size_t n = read; n < sizeof text; n++) {
            memcpy(start, text, n);
            start[n] = '\0';
            struct tail_look l = look_at(start, &m, 7);
            assert_int_equal(tail_judge(&m, &l), n == read ? TAIL_SAME : TAIL_GROWN);
            tail_grow_head(&m, l.head);
        }
        assert_int_equal(m.head.n, read < sizeof text - 1 ? sizeof text - 1 : read);
    }
}

static void test_telling(void **state)
{
    (void)state;
    assert_true(tail_telling(SLICE("")));
    assert_true(tail_telling(SLICE("one line only\n")));
    assert_true(tail_telling(SLICE("line 1\nline 2\n")));
    assert_false(tail_telling(SLICE("line\nline\n")));
    assert_true(tail_telling(SLICE("line\nlin")));
}

static void test_copies(void **state)
{
    static const struct {
        enum tail_fate fate;
        bool telling, gz, waited;
        enum tail_copy is;
    } rows[] = {
        { TAIL_HERE, true, false, false, TAIL_WAIT },
        { TAIL_HERE, true, false, true, TAIL_WAIT },
        { TAIL_HERE, true, true, true, TAIL_WAIT },
        { TAIL_HERE, false, false, false, TAIL_WAIT },
        { TAIL_HERE, false, false, true, TAIL_NEW },
        { TAIL_CUT, true, false, false, TAIL_TAKEN },
        { TAIL_CUT, false, false, false, TAIL_TAKEN },
        { TAIL_GONE, true, false, false, TAIL_TAKEN },
        { TAIL_GONE, true, true, false, TAIL_TAKEN },
        { TAIL_GONE, false, true, false, TAIL_TAKEN },
        { TAIL_GONE, false, false, false, TAIL_NEW },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tail_mark m = { .fate = rows[i].fate, .telling = rows[i].telling };
        if (tail_copy_of(&m, rows[i].gz, rows[i].waited) != rows[i].is)
            fail_msg("row %zu", i);
    }
}

static void test_codec(void **state)
{
    struct tail_state s = {
        .mark = { .dev = UINT64_MAX,
                  .ino = 2,
                  .head = { 256, UINT64_MAX - 1 },
                  .seam = { 64, 5 },
                  .read = 1000,
                  .fate = TAIL_CUT,
                  .telling = true },
        .number = 17,
        .left_s = 1795000000,
        .gz_size = 99,
        .gz_mtime_ns = 1795000000000000000,
        .gz = true,
        .rotated = true,
        .logline = SLICE("any \n bytes"),
    };
    struct tail_state back;
    struct buf b = { 0 };
    (void)state;
    tail_state_encode(&s, &b);
    assert_int_equal(tail_state_decode(buf_slice(&b), &back), ST_OK);
    assert_int_equal(back.mark.dev, UINT64_MAX);
    assert_int_equal(back.mark.head.n, 256);
    assert_int_equal(back.mark.head.hash, UINT64_MAX - 1);
    assert_int_equal(back.mark.fate, TAIL_CUT);
    assert_int_equal(back.gz_mtime_ns, s.gz_mtime_ns);
    assert_true(back.mark.telling && back.gz && back.rotated && !back.done);
    assert_true(slice_eq(back.logline, s.logline));
    /* Any cut before the logline state is refused, and so is any other byte there. */
    size_t numbers = b.n - s.logline.n;
    for (size_t n = 0; n < numbers; n++)
        assert_int_equal(tail_state_decode(slice_of(b.p, n), &back), ST_BAD);
    for (size_t i = 0; i < numbers; i++) {
        char keep = b.p[i];
        b.p[i] = 'x';
        assert_int_equal(tail_state_decode(buf_slice(&b), &back), ST_BAD);
        b.p[i] = keep;
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks),   cmocka_unit_test(test_growth),
        cmocka_unit_test(test_telling), cmocka_unit_test(test_copies),
        cmocka_unit_test(test_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
