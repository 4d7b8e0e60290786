/* agent/journal: what journalctl exports, through logline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/logline.h"
#include "common/instant.h"

static void note(void *arg, struct usage *u)
{
    struct buf *b = arg;
    buf_addf(b, "%.*s %llu/%llu ", SLICE_FMT(u->model),
             (unsigned long long)u->v[USAGE_input],
             (unsigned long long)u->v[USAGE_output]);
    instant_format(u->ts_ns, b);
    buf_addc(b, ';');
}

#define TIME    "1793613601500000"
#define WANT    "m 50/7 2026-11-02T10:00:01.500Z;"
#define FLAT(n) "{\"model\":\"m\",\"prompt_tokens\":50,\"completion_tokens\":" n "}"
#define ESC                                                                              \
    "{\\\"model\\\":\\\"m\\\",\\\"prompt_tokens\\\":50,\\\"completion_tokens\\\":7}"
#define ENTRY(fields) "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=" TIME "\n" fields "\n"
#define JSON(message)                                                                    \
    "{\"__CURSOR\":\"s=1\",\"__REALTIME_TIMESTAMP\":\"" TIME "\",\"_BOOT_ID\":\"b\","    \
    "\"MESSAGE\":" message "}\n"
#define FILE(text, want)                                                                 \
    {                                                                                    \
        text, sizeof(text) - 1, want                                                     \
    }

static const struct {
    const char *text;
    size_t n;
    const char *want;
} files[] = {
    FILE(JSON("\"" ESC "\""), WANT),
    FILE(JSON("\"starting\"") JSON("\"x model=m prompt_tokens=50 completion_tokens=7\""),
         WANT),
    FILE(JSON("null")
             JSON("[123,34,109,111,100,101,108,34,58,34,109,34,44,34,112,114,111,"
                  "109,112,116,95,116,111,107,101,110,115,34,58,53,48,44,34,99,"
                  "111,109,112,108,101,116,105,111,110,95,116,111,107,101,110,"
                  "115,34,58,55,125]"),
         WANT),
    FILE(JSON("\"" ESC "\"") JSON("[300]") JSON("5") JSON("[\"x\",[5,[") JSON("[[]]"),
         WANT),
    FILE(JSON("[ \"" ESC "\", [123,125] ,\"" ESC "\", \"x\" ]"), WANT WANT),
    FILE(JSON("[[120],\"" ESC "\"]"), WANT),
    FILE(ENTRY("MESSAGE=" FLAT("7") "\nMESSAGE=" FLAT("8") "\n"),
         WANT "m 50/8 2026-11-02T10:00:01.500Z;"),
    FILE("{\"__CURSOR\":\"s\",\"__REALTIME_TIMESTAMP\":\"" TIME
         "\",\"CONTAINER_PARTIAL_MESSAGE\":\"true\",\"MESSAGE\":\"{\\\"model\\\":"
         "\\\"m\\\","
         "\\\"prompt_\"}\n" JSON("\"tokens\\\":50,\\\"completion_tokens\\\":7}\""),
         WANT),
    FILE(ENTRY("PRIORITY=6\nMESSAGE=" FLAT("7") "\n_PID=1\n") ENTRY("MESSAGE=x\n"), WANT),
    FILE("_PID=5\nMESSAGE=" FLAT("9") "\n\n" ENTRY("MESSAGE=" FLAT("7") "\n"), WANT),
    /* 62 bytes, line ends among them */
    FILE(ENTRY("MESSAGE\n\x3e\0\0\0\0\0\0\0{\"model\":\"m\",\n\n\n\"prompt_tokens\":50,"
               "\n\n\"completion_tokens\":7}\r\n\n\n_PID=1\n")
             ENTRY("MESSAGE=" FLAT("8") "\n"),
         WANT "m 50/8 2026-11-02T10:00:01.500Z;"),
    /* a length that is a line end itself, of another field that looks like one */
    FILE(ENTRY("OTHER\n\n\0\0\0\0\0\0\0MESSAGE=12\nMESSAGE=" FLAT("7") "\n"), WANT),
    FILE(ENTRY("CONTAINER_PARTIAL_MESSAGE=true\nMESSAGE={\"model\":\"m\",\"prompt_to\n")
             ENTRY("MESSAGE=kens\":50,\"completion_tokens\":7}\n"),
         WANT),
    /* a length beyond the file: the next entry is found all the same */
    FILE(ENTRY("MESSAGE\n\377\377\377\377\0\0\0\0junk\n")
             ENTRY("MESSAGE=" FLAT("7") "\n"),
         WANT),
};

static bool on_line(void *arg, const struct line *line)
{
    void **to = arg;
    return logline_feed_line(to[0], line, note, to[1]);
}

/* Read through lines in pieces, stopping once at `stop` to begin again from the state. */
static void read_file(struct extract *x, struct slice file, size_t stop, struct buf *got)
{
    struct logline_options opt = { .mtime_ns = USAGE_NO_TIME };
    struct buf saved = { 0 };
    const char *reason;
    size_t from = 0;
    for (int life = 0; life < 2; life++) {
        struct logline *l = logline_new(x, &opt);
        struct lines *lines = lines_new();
        void *to[2] = { l, got };
        if (life)
            assert_int_equal(logline_load(l, buf_slice(&saved)), ST_OK);
        else
            logline_sniff(l, file, &reason);
        assert_int_equal(logline_need(l), LINES_ALL);
        lines_begin(lines, logline_need(l), from, 1);
        size_t end = life ? file.n : stop;
        for (size_t at = from; at < end; at++) {
            size_t room;
            *lines_room(lines, &room) = file.p[at];
            lines_take(lines, 1, on_line, to);
        }
        if (life) {
            lines_finish(lines, on_line, to);
            logline_finish(l, note, got);
        } else {
            from = (size_t)logline_resume(l, lines_offset(lines));
            logline_save(l, &saved);
        }
        lines_free(lines);
        logline_free(l);
    }
    buf_release(&saved);
}

static void test_every_stop(void **state)
{
    (void)state;
    struct extract *x = extract_new();
    for (size_t c = 0; c < sizeof files / sizeof *files; c++)
        for (size_t stop = 0; stop <= files[c].n; stop++) {
            struct buf got = { 0 };
            read_file(x, slice_of(files[c].text, files[c].n), stop, &got);
            if (strcmp(buf_cstr(&got), files[c].want) != 0)
                fail_msg("file %zu, stop at %zu: %s", c, stop, buf_cstr(&got));
            buf_release(&got);
        }
    extract_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_stop) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
