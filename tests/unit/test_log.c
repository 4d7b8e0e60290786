/* One line, one write; levels; no forged lines. */
#include "common/log.h"

#include "testing.h"

#include <errno.h>
#include <fcntl.h>

/* Log through a pipe and give back what was written. */
struct pipe_log {
    struct log log;
    int fd[2];
    char text[8192];
};

static void open_log(struct pipe_log *p, enum log_level level, int prefix)
{
    assert_int_equal(pipe2(p->fd, O_NONBLOCK), 0);
    p->log = (struct log){ "agent", level, p->fd[1], prefix };
}

static const char *written(struct pipe_log *p)
{
    ssize_t n = read(p->fd[0], p->text, sizeof p->text - 1);
    p->text[n > 0 ? n : 0] = '\0';
    return p->text;
}

static void close_log(struct pipe_log *p)
{
    close(p->fd[0]);
    close(p->fd[1]);
}

static void lines_have_a_priority_or_a_time(void **state)
{
    (void)state;
    struct pipe_log p;
    open_log(&p, LOG_LEVEL_DEBUG, 1);
    log_error(&p.log, "a %d", 1);
    log_warn(&p.log, "b");
    log_info(&p.log, "c");
    log_debug(&p.log, "d");
    assert_string_equal(written(&p), "<3>a 1\n<4>b\n<6>c\n<7>d\n");
    p.log.priority_prefix = 0;
    log_warn(&p.log, "b");
    int n = 0;
    assert_int_equal(sscanf(written(&p), "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ%n", &n), 0);
    assert_int_equal(n, 24);
    assert_string_equal(p.text + n, " agent warn: b\n");
    close_log(&p);
}

static void levels_cut_the_details(void **state)
{
    (void)state;
    struct pipe_log p;
    open_log(&p, LOG_LEVEL_WARN, 1);
    log_info(&p.log, "no");
    log_debug(&p.log, "no");
    log_error(&p.log, "yes");
    assert_string_equal(written(&p), "<3>yes\n");
    log_error(NULL, "nowhere");
    close_log(&p);
}

static void foreign_text_cannot_forge_a_line(void **state)
{
    (void)state;
    struct pipe_log p;
    open_log(&p, LOG_LEVEL_INFO, 1);
    log_info(&p.log, "model %s", "x\n<3>fake\x1b[2J\x7f");
    assert_string_equal(written(&p), "<6>model x\\x0a<3>fake\\x1b[2J\\x7f\n");
    close_log(&p);
}

static void long_lines_are_cut_to_one(void **state)
{
    (void)state;
    struct pipe_log p;
    char text[5000];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    open_log(&p, LOG_LEVEL_INFO, 1);
    log_info(&p.log, "%s", text);
    size_t n = strlen(written(&p));
    assert_true(n > 4000 && n <= 4096);
    assert_ptr_equal(strchr(p.text, '\n'), p.text + n - 1);
    memset(text, 'a', sizeof text - 1);
    log_info(&p.log, "%s", text);
    n = strlen(written(&p));
    assert_true(n > 2000 && n < 2100);
    close_log(&p);
}

static void errno_survives(void **state)
{
    (void)state;
    struct log closed = { "agent", LOG_LEVEL_INFO, -1, 1 };
    errno = ENOENT;
    log_info(&closed, "x");
    assert_int_equal(errno, ENOENT);
}

static void level_names(void **state)
{
    (void)state;
    static const char *const names[] = { "error", "warn", "info", "debug" };
    enum log_level level;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(log_level_parse(names[i], &level), ST_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("warning", &level), ST_BAD);
    assert_int_equal(log_level_parse("", &level), ST_BAD);
}

static void the_journal_chooses_the_prefix(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_false(log_open("x").priority_prefix);
    setenv("JOURNAL_STREAM", "8:1", 1);
    assert_true(log_open("x").priority_prefix);
    unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_a_priority_or_a_time),
        cmocka_unit_test(levels_cut_the_details),
        cmocka_unit_test(foreign_text_cannot_forge_a_line),
        cmocka_unit_test(long_lines_are_cut_to_one),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(level_names),
        cmocka_unit_test(the_journal_chooses_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
