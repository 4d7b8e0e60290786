/* agent/logline: formats found, wrappers opened, pieces joined, state kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/logline.h"
#include "common/instant.h"

struct notes {
    struct logline *l;
    struct buf text; /* "model in/out@number time app;" per record */
};

static void note(void *arg, struct usage *u)
{
    struct notes *s = arg;
    buf_addf(&s->text, "%.*s %llu/%llu@%llu ", SLICE_FMT(u->model),
             (unsigned long long)u->v[USAGE_input],
             (unsigned long long)u->v[USAGE_output],
             (unsigned long long)logline_record_number(s->l));
    if (u->ts_ns != USAGE_NO_TIME)
        instant_format(u->ts_ns, &s->text);
    buf_addf(&s->text, " %.*s;", SLICE_FMT(u->app));
}

static bool on_line(void *arg, const struct line *line)
{
    struct notes *s = arg;
    return logline_feed_line(s->l, line, note, s);
}

/* What reading `file` gives, cut into pieces of `piece` bytes. */
static void read_file(struct extract *x, const struct logline_options *opt,
                      struct slice file, size_t piece, struct notes *s,
                      struct logline_stats *stats)
{
    const char *reason;
    struct lines *lines = lines_new();
    s->l = logline_new(x, opt);
    lines_set_need(lines, logline_sniff(s->l, file, &reason));
    assert_null(reason);
    for (struct slice in = file; in.n;) {
        size_t room, n = piece < in.n ? piece : in.n;
        char *p = lines_room(lines, &room);
        memcpy(p, in.p, n);
        lines_take(lines, n, on_line, s);
        in = slice_from(in, n);
    }
    lines_finish(lines, on_line, s);
    logline_finish(s->l, note, s);
    *stats = *logline_stats(s->l);
    lines_free(lines);
    logline_free(s->l);
}

#define FLAT "\"model\":\"m\",\"prompt_tokens\":50,\"completion_tokens\":7"
#define ESC  "\\\"model\\\":\\\"m\\\",\\\"prompt_tokens\\\":50,\\\"completion_tokens\\\":7"
#define REPLY                                                                            \
    "{\"id\":\"chatcmpl-Z9\",\"object\":\"chat.completion\",\"model\":\"gpt-x\","        \
    "\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":7,\"total_tokens\":57}}"
#define DOCKER(log, stream, s)                                                           \
    "{\"log\":\"" log "\",\"stream\":\"" stream "\",\"time\":\"2026-11-02T10:00:0" s     \
    "Z\"}\n"
#define CRI(s, stream, tag, text) "2026-11-02T10:00:0" s "Z " stream " " tag " " text "\n"

static const struct {
    const char *name, *file, *want;
    uint64_t not_json, torn, guessed;
} files[] = {
    { "flat counters", "{\"time\":\"2026-11-02T10:00:02Z\"," FLAT "}\n",
      "m 50/7@1 2026-11-02T10:00:02.000Z shop;", 0, 0, 0 },
    { "a reply inside a record",
      "hello\n{\"ts\":\"2026-11-02T10:00:02Z\",\"msg\":\"done\",\"resp\":" REPLY "}\n",
      "gpt-x 50/7@2 2026-11-02T10:00:02.000Z shop;", 0, 0, 0 },
    { "the time of the line before",
      "{\"ts\":\"2026-11-02T10:00:02Z\"," FLAT "}\n{" FLAT "}\n",
      "m 50/7@1 2026-11-02T10:00:02.000Z shop;m 50/7@2 2026-11-02T10:00:02.000Z shop;", 0,
      0, 1 },
    { "the time of the file", "{" FLAT "}\n", "m 50/7@1 2023-11-14T22:13:20.000Z shop;",
      0, 0, 1 },
    { "text around JSON", "2026-11-02 10:00:01 INFO reply={" FLAT "} ok\n",
      "m 50/7@1 2026-11-02T10:00:01.000Z shop;", 0, 0, 0 },
    { "text around quoted JSON", "2026-11-02 10:00:01 INFO reply=\"{" ESC "}\"\n",
      "m 50/7@1 2026-11-02T10:00:01.000Z shop;", 0, 0, 0 },
    { "logfmt",
      "ts=2026-11-02T10:00:00Z level=info model=m prompt_tokens=50 completion_tokens=7\n",
      "m 50/7@1 2026-11-02T10:00:00.000Z shop;", 0, 0, 0 },
    { "Docker",
      DOCKER("starting\\n", "stdout", "0") DOCKER("{" ESC "}\\n", "stdout", "1"),
      "m 50/7@2 2026-11-02T10:00:01.000Z shop;", 0, 0, 0 },
    { "Docker in pieces, the other stream between them",
      DOCKER("{\\\"model\\\":\\\"m\\\",\\\"prompt_tok", "stdout", "1")
          DOCKER("{" ESC "}\\n", "stderr", "2")
              DOCKER("ens\\\":50,\\\"completion_tokens\\\":8}\\n", "stdout", "3"),
      "m 50/7@2 2026-11-02T10:00:02.000Z shop;m 50/8@1 2026-11-02T10:00:03.000Z shop;", 0,
      0, 0 },
    { "Docker, last piece missing",
      DOCKER("x\\n", "stdout", "0") DOCKER("{" ESC "}", "stdout", "1"),
      "m 50/7@2 2026-11-02T10:00:01.000Z shop;", 0, 1, 0 },
    { "CRI", CRI("0", "stdout", "F", "starting") CRI("1", "stdout", "F", "{" FLAT "}"),
      "m 50/7@2 2026-11-02T10:00:01.000Z shop;", 0, 0, 0 },
    { "CRI in pieces",
      CRI("0", "stderr", "F", "x") CRI("1", "stdout", "P", "{\"model\":\"m\",\"prompt_")
          CRI("2", "stdout", "P", "tokens\":5")
              CRI("3", "stdout", "F", "0,\"completion_tokens\":7}"),
      "m 50/7@2 2026-11-02T10:00:03.000Z shop;", 0, 0, 0 },
    { "Docker, records of several lines on both streams",
      DOCKER("{\\n", "stdout", "1") DOCKER("INFO {\\n", "stderr", "2")
          DOCKER("  \\\"model\\\": \\\"m\\\",\\n", "stdout",
                 "3") DOCKER("  \\\"model\\\": \\\"n\\\",\\r\\n", "stderr", "3")
              DOCKER("  \\\"prompt_tokens\\\": 5, \\\"completion_tokens\\\": 2\\n",
                     "stdout", "4")
                  DOCKER("  \\\"prompt_tokens\\\": 5, \\\"completion_tokens\\\": 3\\n",
                         "stderr", "4") DOCKER("}\\n", "stdout", "5")
                      DOCKER("} ok\\n", "stderr", "6"),
      "m 5/2@1 2026-11-02T10:00:05.000Z shop;n 5/3@2 2026-11-02T10:00:06.000Z shop;", 0,
      0, 0 },
    { "a record of several lines that never ends",
      "x {\n\"model\": \"m\",\n\"prompt_tokens\": 5,\n", "", 1, 0, 0 },
    { "broken JSON is counted", "{\"prompt_tokens\":50,\"completion\n", "", 1, 0, 0 },
    { "prose is not", "used 50 tokens, \"tokens\" and usage: high\n", "", 0, 0, 0 },
    { "Codex, counters of the turns before",
      "{\"timestamp\":\"2026-11-02T10:00:00Z\",\"type\":\"session_meta\",\"payload\":{"
      "\"id\":\"s1\"}}\n"
      "{\"timestamp\":\"2026-11-02T10:00:01Z\",\"type\":\"turn_context\",\"payload\":{"
      "\"model\":\"m\"}}\n"
      "{\"timestamp\":\"2026-11-02T10:00:05Z\",\"type\":\"event_msg\",\"payload\":{"
      "\"type\":"
      "\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":9,"
      "\"output_tokens\":2}}}}\n"
      "{\"timestamp\":\"2026-11-02T10:00:09Z\",\"type\":\"event_msg\",\"payload\":{"
      "\"type\":"
      "\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":19,"
      "\"output_tokens\":5}}}}\n",
      "m 9/2@3 2026-11-02T10:00:05.000Z shop;m 10/3@4 2026-11-02T10:00:09.000Z shop;", 0,
      0, 0 },
    { "a record's own app",
      "{\"time\":\"2026-11-02T10:00:02Z\",\"app\":\"web\"," FLAT "}",
      "m 50/7@1 2026-11-02T10:00:02.000Z web;", 0, 0, 0 },
};

static const struct logline_options shop = { .app = { "shop", 4 },
                                             .mtime_ns = 1700000000000000000 };

static void test_files(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < sizeof files / sizeof *files; c++) {
        static const size_t pieces[] = { 1, 2, 7, 100000 };
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            struct notes s = { .l = NULL };
            struct logline_stats stats;
            read_file(x, &shop, slice_str(files[c].file), pieces[p], &s, &stats);
            if (strcmp(buf_cstr(&s.text), files[c].want) != 0)
                fail_msg("%s: %s", files[c].name, buf_cstr(&s.text));
            assert_int_equal(stats.not_json, files[c].not_json);
            assert_int_equal(stats.torn, files[c].torn);
            assert_int_equal(stats.time_guessed, files[c].guessed);
            buf_release(&s.text);
        }
    }
    extract_free(x);
}

/* Stop after each line, save, start again where logline_resume says: same records. */
static void test_restart_at_every_line(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < sizeof files / sizeof *files; c++) {
        struct slice file = slice_str(files[c].file);
        for (size_t stop = 0; stop < 9; stop++) {
            struct notes s = { .l = NULL };
            struct buf saved = { 0 };
            const char *reason;
            size_t at = 0, number = 1;
            for (size_t lives = 0; lives < 2; lives++) {
                s.l = logline_new(x, &shop);
                if (lives == 0)
                    logline_sniff(s.l, file, &reason);
                else
                    assert_int_equal(logline_load(s.l, buf_slice(&saved)), ST_OK);
                for (size_t n = 0; at < file.n && (lives || n < stop); n++) {
                    struct slice line, rest;
                    slice_cut(slice_from(file, at), '\n', &line, &rest);
                    logline_feed(s.l, line, at, number++, note, &s);
                    at += line.n + 1;
                }
                if (lives == 0) {
                    at = (size_t)logline_resume(s.l, at);
                    number = 1;
                    for (size_t i = 0; i < at; i++)
                        number += file.p[i] == '\n';
                    logline_save(s.l, &saved);
                    assert_true(saved.n <= LOGLINE_STATE_MAX);
                } else {
                    logline_finish(s.l, note, &s);
                }
                logline_free(s.l);
            }
            if (strcmp(buf_cstr(&s.text), files[c].want) != 0)
                fail_msg("%s, stopped after %zu: %s", files[c].name, stop,
                         buf_cstr(&s.text));
            buf_release(&s.text);
            buf_release(&saved);
        }
    }
    extract_free(x);
}

static const struct {
    const char *block;
    size_t n;
    const char *reason;
} blocks[] = {
    { "\x1f\x8b\x08", 3, "gzip data" },
    { "\xff\xfe{\0", 4, "UTF-16 text" },
    { "\x7f"
      "ELF\x02\x01\x01",
      7, "a program" },
    { "a\0b\0c\0d\0", 8, "binary data" },
    { "\0\0\0\0\0\0\0\0{\"a\":1}\n", 16, NULL }, /* a hole left by copytruncate */
    { "caf\xc3\xa9\n", 6, NULL },
    { "\033[31mred\033[0m\n", 13, NULL },
    { "", 0, NULL },
};

static void test_not_text(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < sizeof blocks / sizeof *blocks; c++) {
        struct logline *l = logline_new(x, &shop);
        const char *reason;
        logline_sniff(l, slice_of(blocks[c].block, blocks[c].n), &reason);
        if (!reason != !blocks[c].reason)
            fail_msg("block %zu: %s", c, reason ? reason : "text");
        if (reason)
            assert_string_equal(reason, blocks[c].reason);
        logline_free(l);
    }
    extract_free(x);
}

static void test_bad_state(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "1 json auto 5 0 0",
                                       "4 json auto 5 0",
                                       "4 json auto 5 0 0",
                                       "4 json auto 5 0 0 - 0",
                                       "4 json auto 5 0 0 1,2,3",
                                       "4 json auto 5 0 0 0,2,3,4,5,6,7,8,9,10",
                                       "4 json auto 5 0 0 1,2,3,4,5,6,7,8,9,10,11",
                                       "4 json json 5 0 0",
                                       "4 none auto 5 0 0",
                                       "4 json auto x 0 0",
                                       "4 json auto 5 -1 0",
                                       "4 docker auto 5 0 0",
                                       "4 codex auto 5 0 0",
                                       "4 codex auto 5 0 0 1 2 3 4 5 x m s",
                                       "4 codex auto 5 0 0 1 2 3 4 5 1 m s s",
                                       "4 otlp auto 5 0 0 2",
                                       "4 otlp auto 5 0 0 1 1:2" };
    struct extract *x = extract_new();
    struct logline *l = logline_new(x, &shop);
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++)
        assert_int_equal(logline_load(l, slice_str(bad[c])), ST_BAD);
    assert_int_equal(logline_load(l, SLICE("4 json cri 5 10 20 -")), ST_OK);
    assert_int_equal(logline_need(l), LINES_ALL);
    logline_free(l);
    extract_free(x);
}

/* What the agent before log_claude.c saved. */
static void test_state_of_before(void **state)
{
    static const char token_count[] =
        "{\"timestamp\":\"2026-11-02T10:00:09Z\",\"type\":\"event_msg\",\"payload\":{"
        "\"type\":\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":150,"
        "\"cached_input_tokens\":0,\"output_tokens\":9,\"reasoning_output_tokens\":0,"
        "\"total_tokens\":159}}}}";
    static const char end[] = "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{"
                              "\"input_tokens\":5,\"output_tokens\":7}}";
    static const struct {
        const char *state, *line, *want;
    } old[] = {
        { "3 json cri 5 0 0", "2026-11-02T10:00:01Z stdout F {" FLAT "}",
          "m 50/7@1 2026-11-02T10:00:01.000Z shop;" },
        { "3 json docker 5 8 0", DOCKER("{" ESC "}\\n", "stdout", "1"), "" },
        { "3 codex auto 5 0 0 100 0 0 5 0 17 gpt-x s1", token_count,
          "gpt-x 50/4@1 2026-11-02T10:00:09.000Z shop;" },
        { "3 json auto 1793613600000000000 0 0 msg_1 claude-x", end,
          "claude-x 5/7@1 2026-11-02T10:00:00.000Z shop;" },
        { "3 json auto 1793613600000000000 0 0", "{" FLAT "}",
          "m 50/7@1 2026-11-02T10:00:00.000Z shop;" },
    };
    struct extract *x = extract_new();
    (void)state;
    for (size_t c = 0; c < sizeof old / sizeof *old; c++) {
        struct notes s = { .l = logline_new(x, &shop) };
        assert_int_equal(logline_load(s.l, slice_str(old[c].state)), ST_OK);
        logline_feed(s.l, slice_trim(slice_str(old[c].line)), 7, 1, note, &s);
        if (strcmp(buf_cstr(&s.text), old[c].want) != 0)
            fail_msg("%s: %s", old[c].state, buf_cstr(&s.text));
        buf_release(&s.text);
        logline_free(s.l);
    }
    extract_free(x);
}

/* A message that calls a tool whose input has a session_id, too; and a result. */
#define SAID(session, id)                                                                \
    "{\"type\":\"assistant\",\"message\":{\"id\":\"" id "\",\"type\":\"message\","       \
    "\"model\":\"c\",\"content\":[{\"type\":\"tool_use\",\"input\":{\"session_id\":"     \
    "\"7\"}}],"                                                                          \
    "\"usage\":{\"input_tokens\":3,\"output_tokens\":1}},\"session_id\":\"" session      \
    "\"}"
#define RESULT(session)                                                                  \
    "{\"type\":\"result\",\"session_id\":\"" session "\",\"usage\":{\"input_tokens\":3," \
    "\"output_tokens\":9},\"modelUsage\":{\"c\":{\"inputTokens\":3,\"outputTokens\":9}}" \
    ","                                                                                  \
    "\"uuid\":\"r" session "\"}"

/* More sessions end in a log than are remembered: one that goes on is not forgotten. */
static void test_sessions_beside_a_long_one(void **state)
{
    struct extract *x = extract_new();
    struct notes s = { .l = logline_new(x, &(struct logline_options){ .mtime_ns = 0 }) };
    char line[600];
    (void)state;
    logline_feed(s.l, SLICE(SAID("long", "msg_a")), 0, 1, note, &s);
    for (int i = 0; i < 20; i++) {
        buf_reset(&s.text);
        snprintf(line, sizeof line, SAID("s%d", "msg_%d"), i, i);
        logline_feed(s.l, slice_str(line), 0, 2, note, &s);
        snprintf(line, sizeof line, RESULT("s%d"), i, i);
        logline_feed(s.l, slice_str(line), 0, 3, note, &s);
        assert_string_equal(buf_cstr(&s.text), "c 3/1@2 1970-01-01T00:00:00.000Z ;"
                                               "c 0/8@3 1970-01-01T00:00:00.000Z ;");
    }
    buf_reset(&s.text);
    logline_feed(s.l, SLICE(RESULT("long")), 0, 4, note, &s);
    assert_string_equal(buf_cstr(&s.text), "c 0/8@4 1970-01-01T00:00:00.000Z ;");
    logline_free(s.l);
    buf_release(&s.text);
    extract_free(x);
}

/* It is lost, and what comes behind it is not read again for its sake. */
static void test_record_of_too_many_lines(void **state)
{
    static const char line[] = "\"text text text text text text text text\",";
    struct extract *x = extract_new();
    struct notes s = { .l = logline_new(x, &shop) };
    uint64_t at = 20;
    (void)state;
    logline_feed(s.l, SLICE("{"), 0, 1, note, &s);
    logline_feed(s.l, SLICE("\"a\": ["), 2, 2, note, &s);
    for (; logline_resume(s.l, at) == 0 && at < 4 << 20; at += sizeof line)
        logline_feed(s.l, SLICE(line), at, at, note, &s);
    assert_in_range(at, 1 << 20, 2 << 20);
    assert_int_equal(logline_stats(s.l)->too_long, 1);
    logline_feed(
        s.l, SLICE("\"\"],\"model\":\"n\",\"prompt_tokens\":1,\"completion_tokens\":2}"),
        at, at, note, &s);
    logline_feed(s.l, SLICE("{" FLAT "}"), at + 9, 9, note, &s);
    assert_string_equal(buf_cstr(&s.text), "m 50/7@9 2023-11-14T22:13:20.000Z shop;");
    assert_int_equal(logline_stats(s.l)->too_long, 1);
    logline_free(s.l);
    buf_release(&s.text);
    extract_free(x);
}

/* What began a stream in one log names no event of another. */
static void test_streams_of_two_logs(void **state)
{
    static const char begin[] =
        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
        "\"model\":\"claude-x\",\"usage\":{\"input_tokens\":25,\"output_tokens\":2}}}";
    static const char end[] = "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{"
                              "\"input_tokens\":5,\"output_tokens\":7}}";
    struct extract *x = extract_new();
    struct logline *one = logline_new(x, &shop), *two = logline_new(x, &shop);
    struct notes s = { .l = one };
    (void)state;
    logline_feed(one, SLICE(begin), 0, 1, note, &s);
    logline_feed(two, SLICE(end), 0, 1, note, &s);
    logline_feed(one, SLICE(end), sizeof begin, 2, note, &s);
    const char *said = buf_cstr(&s.text);
    assert_non_null(strstr(said, "claude-x 25/2@1"));
    assert_non_null(strstr(said, "; 5/7@1")); /* of no model: the other log's */
    assert_non_null(strstr(said, "claude-x 5/7@2"));
    buf_release(&s.text);
    logline_free(one);
    logline_free(two);
    extract_free(x);
}

static void test_joined_line_has_a_limit(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    struct logline_options opt = { .format = LOGFORMAT_cri };
    struct notes s = { .l = logline_new(x, &opt) };
    struct buf piece = { 0 };
    buf_adds(&piece, "2026-11-02T10:00:00Z stdout P ");
    for (int i = 0; i < 16000; i++)
        buf_addc(&piece, 'x');
    uint64_t at = 0;
    for (; at < 100; at++)
        logline_feed(s.l, buf_slice(&piece), at, at, note, &s);
    assert_int_equal(logline_resume(s.l, at), 0);
    logline_feed(s.l, SLICE("2026-11-02T10:00:00Z stdout F {" FLAT "}"), at, at, note,
                 &s);
    assert_int_equal(logline_stats(s.l)->too_long, 1);
    assert_int_equal(logline_resume(s.l, at + 1), at + 1);
    logline_feed(s.l, SLICE("2026-11-02T10:00:00Z stdout F {" FLAT "}"), at + 1, 9, note,
                 &s);
    assert_string_equal(buf_cstr(&s.text), "m 50/7@9 2026-11-02T10:00:00.000Z ;");
    logline_free(s.l);
    buf_release(&piece);
    buf_release(&s.text);
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_restart_at_every_line),
        cmocka_unit_test(test_not_text),
        cmocka_unit_test(test_bad_state),
        cmocka_unit_test(test_state_of_before),
        cmocka_unit_test(test_streams_of_two_logs),
        cmocka_unit_test(test_sessions_beside_a_long_one),
        cmocka_unit_test(test_record_of_too_many_lines),
        cmocka_unit_test(test_joined_line_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
