/*
 * Every log format by made-up files: tests/unit/logs.txt, read in one go, with a restart
 * of the agent behind every line, and out of Docker's and CRI's wrapping ("stopped at"
 * 1000 and 2000).
 */
#include "agent/logline.h"
#include "common/json.h"
#include "describe.h"
#include "testing.h"

struct log_case {
    unsigned line; /* of logs.txt */
    struct slice name, text, want;
    enum logformat format; /* found by looking */
    uint64_t skipped;      /* lines of broken JSON */
};

/* The next case of the file; false at its end. */
static bool case_next(struct log_case *c, struct slice *file, unsigned *at)
{
    struct slice line, format;
    memset(c, 0, sizeof *c);
    while (file->n && !c->want.p) {
        const char *begin = file->p;
        slice_cut(*file, '\n', &line, file);
        ++*at;
        if (slice_starts(line, SLICE("@ "))) {
            slice_cut(slice_from(line, 2), ' ', &format, &c->name);
            assert_true(logformat_parse(format, &c->format));
            c->line = *at;
            c->text = slice_of(file->p, 0);
        } else if (slice_starts(line, SLICE("!"))) {
            c->skipped = strtoull(line.p + 1, NULL, 10);
            c->text.n = c->text.n ? c->text.n : (size_t)(begin - c->text.p);
        } else if (slice_starts(line, SLICE("="))) {
            c->text.n = c->text.n ? c->text.n : (size_t)(begin - c->text.p);
            c->want = slice_trim(slice_from(line, 1));
            c->want.p = c->want.n ? c->want.p : line.p;
        }
    }
    return c->want.p != NULL;
}

static struct logline *open_file(struct extract *x, struct slice file,
                                 enum lines_need *need)
{
    struct logline_options opt = { .mtime_ns = 1700000000000000000 };
    struct logline *l = logline_new(x, &opt);
    const char *reason;
    *need = logline_sniff(l, file, &reason);
    assert_null(reason);
    return l;
}

/* Lines `from` to `to`. */
static void feed(struct logline *l, struct slice file, size_t from, size_t to,
                 struct buf *out)
{
    struct slice line;
    uint64_t at = 0;
    for (size_t i = 0; file.n && i < to; i++) {
        slice_cut(file, '\n', &line, &file);
        if (i >= from)
            logline_feed(l, line, at, i + 1, describe, out);
        at += line.n + 1;
    }
}

/* The line at which the agent that was stopped before line `stop` reads on. */
static size_t resume(const struct logline *l, struct slice file, size_t stop)
{
    struct slice line, rest = file;
    uint64_t at = 0;
    size_t n = 0;
    for (size_t i = 0; rest.n && i < stop; i++) {
        slice_cut(rest, '\n', &line, &rest);
        at += line.n + 1;
    }
    at = logline_resume(l, at);
    for (size_t i = 0; i < at && i < file.n; i++)
        n += file.p[i] == '\n';
    return n;
}

static void check(const struct log_case *c, const struct buf *got, size_t stop,
                  size_t *wrong)
{
    if (slice_eq(c->want, buf_slice(got)))
        return;
    print_error("logs.txt:%u: %.*s, stopped at %zu\n  got  %.*s\n  want %.*s\n", c->line,
                SLICE_FMT(c->name), stop, SLICE_FMT(buf_slice(got)), SLICE_FMT(c->want));
    ++*wrong;
}

static void run(struct extract *x, const struct log_case *c, size_t *wrong)
{
    struct buf out = { 0 }, saved = { 0 };
    enum lines_need need;
    for (size_t stop = 0, before = *wrong; stop < 6 && *wrong == before; stop++) {
        buf_reset(&out);
        buf_reset(&saved);
        struct logline *l = open_file(x, c->text, &need);
        if (!stop)
            CHECK(logline_format(l) == c->format, "%.*s: %s", SLICE_FMT(c->name),
                  logformat_name(logline_format(l)));
        feed(l, c->text, 0, stop, &out);
        size_t from = resume(l, c->text, stop);
        uint64_t skipped = logline_stats(l)->not_json;
        logline_save(l, &saved);
        assert_true(saved.n <= LOGLINE_STATE_MAX);
        logline_free(l);
        l = logline_new(x, &(struct logline_options){ .mtime_ns = 1700000000000000000 });
        assert_int_equal(logline_load(l, buf_slice(&saved)), ST_OK);
        feed(l, c->text, from, SIZE_MAX, &out);
        logline_finish(l, describe, &out);
        check(c, &out, stop, wrong);
        skipped += logline_stats(l)->not_json;
        CHECK(skipped == c->skipped, "%.*s: %llu skipped", SLICE_FMT(c->name),
              (unsigned long long)skipped);
        logline_free(l);
    }
    buf_release(&out);
    buf_release(&saved);
}

/* The lines of a file as a container runtime keeps them. */
static void wrap(const struct log_case *c, bool docker, struct buf *out)
{
    struct slice line, rest = c->text;
    while (rest.n) {
        slice_cut(rest, '\n', &line, &rest);
        if (docker) {
            struct json_out o = { .b = out };
            struct buf text = { 0 };
            buf_add(&text, line);
            buf_addc(&text, '\n');
            json_open(&o, '{');
            json_key(&o, "log");
            json_str(&o, buf_slice(&text));
            buf_adds(out, ",\"stream\":\"stdout\",\"time\":\"2026-11-02T10:00:00.1Z\"}");
            buf_release(&text);
        } else {
            buf_adds(out, "2026-11-02T10:00:00.1Z stdout F ");
            buf_add(out, line);
        }
        buf_addc(out, '\n');
    }
}

static void run_wrapped(struct extract *x, const struct log_case *c, bool docker,
                        size_t *wrong)
{
    struct buf file = { 0 }, out = { 0 };
    enum lines_need need;
    wrap(c, docker, &file);
    struct logline *l = open_file(x, buf_slice(&file), &need);
    assert_int_equal(need, LINES_ALL);
    feed(l, buf_slice(&file), 0, SIZE_MAX, &out);
    logline_finish(l, describe, &out);
    check(c, &out, docker ? 1000 : 2000, wrong);
    logline_free(l);
    buf_release(&file);
    buf_release(&out);
}

static void files(void **state)
{
    FILE *f = fopen(BREAKEVEN_LOGS, "rb");
    char *text = calloc(1, 1 << 20);
    (void)state;
    assert_non_null(f);
    struct slice file = slice_of(text, fread(text, 1, 1 << 20, f));
    fclose(f);
    struct extract *x = extract_new();
    struct log_case c;
    unsigned at = 0;
    size_t n = 0, wrong = 0;
    for (; case_next(&c, &file, &at); n++) {
        run(x, &c, &wrong);
        bool wraps = c.format == LOGFORMAT_csv || c.format == LOGFORMAT_docker ||
                     c.format == LOGFORMAT_journal;
        for (int docker = 0; docker < 2 && !wraps; docker++)
            run_wrapped(x, &c, docker, &wrong);
    }
    print_message("%zu files\n", n);
    assert_int_equal(wrong, 0);
    extract_free(x);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(files) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
