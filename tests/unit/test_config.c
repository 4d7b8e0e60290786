/* agent/config: agent.yaml, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/config.h"

static enum status parse(const char *text, struct arena *a, struct config *c,
                         struct buf *why)
{
    arena_init(a, 1 << 20);
    return config_parse(slice_str(text), "agent.yaml", a, c, why);
}

static void test_defaults(void **state)
{
    struct arena a;
    struct config c;
    struct buf why = { 0 };
    (void)state;
    assert_int_equal(parse("logs:\n  - path: /x/*.log\n", &a, &c, &why), ST_OK);
    assert_true(*c.agent); /* the host's name */
    assert_string_equal(c.state_dir, "/var/lib/breakeven-agent");
    assert_string_equal(c.collector.url, "");
    assert_int_equal(c.commit_ms, 1000);
    assert_int_equal(c.rescan_ms, 10000);
    assert_int_equal(c.limits.spool_bytes, 256 << 20);
    assert_int_equal(c.logs.n, 1);
    assert_int_equal(config_logs(&c, 0)->logformat, LOGFORMAT_auto);
    assert_int_equal(config_logs(&c, 0)->start, CONFIG_START_BEGINNING);
    arena_release(&a);
    buf_release(&why);
}

static void test_all_keys(void **state)
{
    static const char text[] = "agent: web-1\n"
                               "state_dir: /s\n"
                               "log_level: debug\n"
                               "collector:\n"
                               "  url: https://c:8420\n"
                               "  token: t0ken\n"
                               "  interval: 5s\n"
                               "  compression: gzip\n"
                               "logs:\n"
                               "  - path: [/a/*.log, \"/b/**/x.json\"]\n"
                               "    exclude: \"*.tmp\"\n"
                               "    format: docker\n"
                               "    app: shop\n"
                               "    environment: prod\n"
                               "    provider: anthropic\n"
                               "    start: end\n"
                               "  - path: \"-\"\n"
                               "limits:\n"
                               "  spool: 10MiB\n"
                               "  series: 5\n";
    struct arena a;
    struct config c;
    struct buf why = { 0 };
    const char *token;
    (void)state;
    assert_int_equal(parse(text, &a, &c, &why), ST_OK);
    assert_string_equal(c.agent, "web-1");
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(config_compressions[c.collector.compression], "gzip");
    assert_int_equal(c.collector.interval_ms, 5000);
    const struct config_logs *l = config_logs(&c, 0);
    assert_int_equal(l->path.n, 2);
    assert_string_equal(l->path.at[1], "/b/**/x.json");
    assert_int_equal(l->exclude.n, 1);
    assert_int_equal(l->logformat, LOGFORMAT_docker);
    assert_int_equal(l->start, CONFIG_START_END);
    assert_string_equal(l->provider, "anthropic");
    assert_int_equal(c.limits.series, 5);
    assert_int_equal(config_token(&c, &a, &token, &why), ST_OK);
    assert_string_equal(token, "t0ken");
    arena_release(&a);
    buf_release(&why);
}

static void test_capture(void **state)
{
    struct arena a;
    struct config c;
    struct buf why = { 0 };
    (void)state;
    assert_int_equal(parse("capture:\n  interface: any\n", &a, &c, &why), ST_OK);
    assert_true(c.capture.line > 0);
    assert_int_equal(c.capture.ring_bytes, 2 << 20);
    assert_int_equal(c.capture.snap_bytes, 262144);
    assert_int_equal(c.capture.silence_ms, 60000);
    assert_true(c.capture.dark_calls);
    assert_int_equal(c.capture.limits.connections, 10000);
    assert_int_equal(c.capture.limits.sealed_bytes, 1 << 20);
    arena_release(&a);
    assert_int_equal(parse("logs:\n  - path: /x\n", &a, &c, &why), ST_OK);
    assert_int_equal(c.capture.line, 0); /* no such section, no capture */
    arena_release(&a);
    buf_release(&why);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *why; /* why: a part of the message */
    } rows[] = {
        { "agent: web 1\nlogs:\n  - path: /x\n", "agent: found 'web 1'" },
        { "agent: \"*\"\nlogs:\n  - path: /x\n", "agent: found '*'" },
        { "state_dir: /s\n", "nothing to read" },
        { "logs:\n  - path: /x/\n", "agent.yaml:2: path '/x/'" },
        { "logs:\n  - path: \"\"\n", "agent.yaml:2: path ''" },
        { "logs:\n  - app: x\n", "path" },
        { "logs:\n  - path: /x\n    regex: '(?<tokens>x)'\n",
          "agent.yaml:2: group 'tokens'" },
        { "logs:\n  - path: /x\n    fields:\n      tokens: x\n", "agent.yaml:4" },
        { "logs:\n  - path: /x\n    format: fields\n", "needs the key of the same name" },
        { "logs:\n  - path: /x\n    format: xml\n",
          "format 'xml' is not known; one of auto" },
        { "logs:\n  - path: /x\n    start: now\n", "agent.yaml:3" },
        { "logs:\n  - path: /x\n    paht: /y\n", "agent.yaml:3" },
        { "logs:\n  - path: /x\ncollector:\n  token: x\n", "collector.url" },
        { "logs:\n  - path: /x\ncollector:\n  url: ftp://x\n", "http://" },
        { "logs:\n  - path: /x\ncollector:\n  url: http://x\n  token: a\n  token_file: "
          "b\n",
          "not both" },
        { "logs:\n  - path: /x\nlimits:\n  spool: 10\n", "agent.yaml:4" },
        { "logs:\n  - path: /x\ncommit_interval: 5h\n", "agent.yaml:3" },
        { "capture:\n  ports: 443\n", "interface" },
        { "capture:\n  interface: a-name-that-is-too-long\n", "agent.yaml:2: capture" },
        { "capture:\n  interface: lo\n  ports: [http]\n", "neither a port" },
        { "capture:\n  interface: lo\n  hosts: api.x.com\n", "names are not followed" },
        { "capture:\n  interface: lo\n  ring: 1\n", "agent.yaml:3" },
        { "capture:\n  interface: lo\n  apps:\n    - app: x\n", "a row needs" },
        { "capture:\n  interface: lo\n  apps:\n    - path: /x\n", "app is missing" },
        { "capture:\n  interface: lo\n  apps:\n    - header: Authorization\n",
          "holds a key" },
        { "capture:\n  interface: lo\n  apps:\n    - owner: no-such-user\n      app: x\n",
          "no such user" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct config c;
        struct buf why = { 0 };
        enum status st = parse(rows[i].text, &a, &c, &why);
        if (st != ST_CONFIG || !strstr(buf_cstr(&why), rows[i].why))
            fail_msg("row %zu: %s, '%s'", i, status_name(st), buf_cstr(&why));
        arena_release(&a);
        buf_release(&why);
    }
}

static void test_token_file(void **state)
{
    static const struct {
        const char *content, *token; /* token NULL: refused */
    } rows[] = {
        { "abc\n", "abc" }, { "  abc \r\nmore\n", "abc" },
        { "abc", "abc" },   { "\nabc\n", NULL },
        { "", NULL },
    };
    char path[] = "/tmp/breakeven-token-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c = { .collector = { .token = "", .token_file = path } };
        struct arena a;
        struct buf why = { 0 };
        const char *token = NULL;
        size_t n = strlen(rows[i].content);
        arena_init(&a, 1 << 20);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, rows[i].content, n, 0), n);
        enum status st = config_token(&c, &a, &token, &why);
        assert_int_equal(st, rows[i].token ? ST_OK : ST_CONFIG);
        if (rows[i].token)
            assert_string_equal(token, rows[i].token);
        arena_release(&a);
        buf_release(&why);
    }
    close(fd);
    unlink(path);
    struct config gone = { .collector = { .token = "", .token_file = path } };
    struct arena a;
    struct buf why = { 0 };
    const char *token;
    arena_init(&a, 1 << 20);
    assert_int_equal(config_token(&gone, &a, &token, &why), ST_IO);
    assert_non_null(strstr(buf_cstr(&why), path));
    arena_release(&a);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_capture),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_token_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
