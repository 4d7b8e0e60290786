/* The helper from the agent's side: its words, its time, its death. */
#include "agent/ship_http.h"
#include "agent/ship_pipe.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[64]; /* of a helper, a shell script */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->path, sizeof f->path, "/tmp/ship-helper-XXXXXX");
    int fd = mkstemp(f->path);
    close(fd);
    *state = f;
    return fd < 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    free(f);
    return 0;
}

static struct ship_http *with_helper(struct fixture *f, const char *script)
{
    struct ship_http *h;
    FILE *out = fopen(f->path, "w");
    fprintf(out, "#!/bin/sh\n%s\n", script);
    fclose(out);
    chmod(f->path, 0700);
    assert_int_equal(
        ship_http_new(&(struct ship_http_config){ .url = "http://127.0.0.1:1/",
                                                  .token = "t0ken",
                                                  .helper = f->path },
                      NULL, &h),
        ST_OK);
    return h;
}

/* Step at `now` until the answer is there. */
static struct ship_answer await(struct ship_http *h, int64_t now)
{
    struct ship_answer a;
    while (ship_http_step(h, now, &a) == ST_MORE) {
        struct pollfd fd = { .fd = ship_http_fd(h), .events = POLLIN };
        assert_true(poll(&fd, 1, 10000) > 0);
    }
    assert_false(ship_http_busy(h));
    assert_int_equal(ship_http_fd(h), -1);
    assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* nobody is left */
    return a;
}

static void test_the_request_reaches_standard_input(void **state)
{
    static const char expected[] = "breakeven-ship 1\n"
                                   "url http://127.0.0.1:1/api/v1/usage\n"
                                   "token t0ken\ncompression zstd\nbody 5\n\nh\nrow";
    struct ship_http *h =
        with_helper(*state, "printf 'breakeven-ship 1\\nstatus 200\\nbody %s\\n\\n' "
                            "$(wc -c </proc/self/fd/0); cat");
    assert_int_equal(ship_http_start(h, 0, SLICE("h\n"), SLICE("row")), ST_OK);
    struct ship_answer a = await(h, 0);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.n, sizeof expected - 1);
    assert_memory_equal(a.body.p, expected, sizeof expected - 1);
    ship_http_free(h);
}

static void test_what_helpers_say(void **state)
{
    static const struct {
        const char *script;
        unsigned status;
        int64_t retry_after_ms;
        const char *body, *error;
    } rows[] = {
        { "printf 'breakeven-ship 1\\nstatus 503\\nretry_after_ms 7000\\nbody 2\\n\\nno'",
          503, 7000, "no", "" },
        { "printf 'breakeven-ship 1\\nerror no route\\nbody 0\\n\\n'", 0, -1, "",
          "no route" },
        { "printf 'breakeven-ship 1\\nstatus 200\\nbody 9\\n\\nshort'", 0, -1, "",
          "breakeven-ship ended without an answer" },
        { "printf 'breakeven-ship 1\\nstatus 200\\nbody 1\\n\\nlong'", 0, -1, "",
          "breakeven-ship ended without an answer" },
        { "printf 'breakeven-ship 2\\nstatus 200\\nbody 0\\n\\n'", 0, -1, "",
          "breakeven-ship ended without an answer" },
        { "printf 'breakeven-ship 1\\nstatus 99999\\nbody 0\\n\\n'", 0, -1, "", "" },
        { "exit 3", 0, -1, "", "breakeven-ship ended without an answer" },
        { "kill -SEGV $$", 0, -1, "", "breakeven-ship ended without an answer" },
        { "exec head -c 200000 /dev/zero", 0, -1, "",
          "breakeven-ship ended without an answer" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ship_http *h = with_helper(*state, rows[i].script);
        assert_int_equal(ship_http_start(h, 0, SLICE("h\n"), SLICE("")), ST_OK);
        struct ship_answer a = await(h, 0);
        assert_int_equal(a.status, rows[i].status);
        assert_int_equal(a.retry_after_ms, rows[i].retry_after_ms);
        assert_true(slice_eq(a.body, slice_str(rows[i].body)));
        assert_true(slice_eq(a.error, slice_str(rows[i].error)));
        ship_http_free(h);
    }
}

static void test_a_helper_over_its_time_is_killed(void **state)
{
    struct ship_answer a;
    struct ship_http *h = with_helper(*state, "exec sleep 100");
    assert_int_equal(ship_http_deadline_ms(h), INT64_MAX);
    assert_int_equal(ship_http_start(h, 1000, SLICE("h\n"), SLICE("")), ST_OK);
    assert_true(ship_http_busy(h));
    assert_int_equal(ship_http_deadline_ms(h), 1000 + SHIP_HTTP_DEADLINE_MS);
    assert_int_equal(ship_http_step(h, 999 + SHIP_HTTP_DEADLINE_MS, &a), ST_MORE);
    a = await(h, 1000 + SHIP_HTTP_DEADLINE_MS);
    assert_int_equal(a.status, 0);
    assert_true(slice_eq(a.error, SLICE("breakeven-ship took too long")));

    assert_int_equal(ship_http_start(h, 1000, SLICE("h\n"), SLICE("")), ST_OK);
    ship_http_free(h); /* while it runs */
    assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void test_a_large_batch_needs_no_reader(void **state)
{
    struct buf rows = { 0 };
    struct ship_http *h = with_helper(
        *state, "printf 'breakeven-ship 1\\nstatus 200\\nbody 8\\n\\n%08d' $(wc -c)");
    memset(buf_room(&rows, 8 << 20), 'x', 8 << 20);
    rows.n = 8 << 20;
    assert_int_equal(ship_http_start(h, 0, SLICE("h\n"), buf_slice(&rows)), ST_OK);
    buf_release(&rows);
    struct ship_answer a = await(h, 0);
    assert_int_equal(a.status, 200);
    assert_true(atoi(a.body.p) > 8 << 20);
    ship_http_free(h);
}

static void test_configuration(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct ship_http_config c;
        enum status st;
    } rows[] = {
        { { .url = "http://localhost:8420" }, ST_OK },
        { { .url = "HTTPS://collector.example/breakeven/", .compression = "gzip" },
          ST_OK },
        { { .url = "http://[::1]:8420", .token = "x", .compression = "none" }, ST_OK },
        { { .url = "" }, ST_CONFIG },
        { { .url = "ftp://host" }, ST_CONFIG },
        { { .url = "http:///path" }, ST_CONFIG },
        { { .url = "http://a b" }, ST_CONFIG },
        { { .url = "http://a\nX: y" }, ST_CONFIG },
        { { .url = "http://a/#x" }, ST_CONFIG },
        { { .url = "http://user:pw@a" }, ST_CONFIG },
        { { .url = "http://a", .token = "x\r\nX-Evil: 1" }, ST_CONFIG },
        { { .url = "http://a", .compression = "lzma" }, ST_CONFIG },
        { { .url = "http://a", .helper = "/nowhere" }, ST_NOT_FOUND },
    };
    chmod(f->path, 0700);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ship_http *h;
        struct ship_http_config c = rows[i].c;
        c.helper = c.helper ? c.helper : f->path;
        if (ship_http_new(&c, NULL, &h) != rows[i].st)
            fail_msg("%s", c.url);
        ship_http_free(h);
    }
}

static void ignore(void *arg, struct slice name, struct slice value)
{
    (void)arg;
    (void)name;
    (void)value;
}

static void test_every_cut_of_a_message_is_refused(void **state)
{
    (void)state;
    struct buf b = { 0 };
    struct slice body;
    ship_pipe_begin(&b);
    assert_true(ship_pipe_field(&b, "status", SLICE("200")));
    assert_false(ship_pipe_field(&b, "error", SLICE("two\nlines")));
    assert_true(ship_pipe_field(&b, "error", SLICE("")));
    ship_pipe_end(&b, 4);
    buf_adds(&b, "body");
    assert_string_equal(buf_cstr(&b), "breakeven-ship 1\nstatus 200\nbody 4\n\nbody");
    for (size_t n = 0; n < b.n; n++)
        assert_false(ship_pipe_read(slice_head(buf_slice(&b), n), ignore, NULL, &body));
    assert_true(ship_pipe_read(buf_slice(&b), ignore, NULL, &body));
    assert_true(slice_eq(body, SLICE("body")));
    buf_release(&b);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_the_request_reaches_standard_input),
        EACH(test_what_helpers_say),
        EACH(test_a_helper_over_its_time_is_killed),
        EACH(test_a_large_batch_needs_no_reader),
        EACH(test_configuration),
        cmocka_unit_test(test_every_cut_of_a_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
