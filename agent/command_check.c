/* The check command: see command.h. A shell file. */
#include "agent/command.h"

#include "agent/command_capture.h"
#include "agent/lines.h"
#include "agent/tail_walk.h"
#include "common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SAMPLE_BYTES = 64 << 10 };

struct check {
    const struct config_logs *logs;
    struct extract *extract;
    struct json_out *json; /* NULL: text */
    unsigned files;
    struct buf wrong; /* what the capture section could never do; or empty */
};

/* What the first block of a file says. */
struct sample {
    struct logline *logline;
    const char *format, *reason; /* reason: why the file is left out, or NULL */
    unsigned calls;
    bool sampled;
};

static void count_call(void *arg, struct usage *u)
{
    struct sample *s = arg;
    s->calls += u->accounting == ACCOUNTING_CALL;
}

static bool on_line(void *arg, const struct line *line)
{
    struct sample *s = arg;
    return logline_feed_line(s->logline, line, count_call, s);
}

/* Judge the first block as the agent would. */
static void take_sample(const struct check *k, int fd, struct sample *s)
{
    const struct logline_options opt = { .format = k->logs->logformat,
                                         .mtime_ns = USAGE_NO_TIME };
    struct lines *l = lines_new();
    size_t room;
    s->logline = logline_new(k->extract, &opt);
    if (!l || !s->logline)
        goto out;
    lines_begin(l, LINES_ALL, 0, 1);
    char *p = lines_room(l, &room);
    ssize_t n = read(fd, p, room < SAMPLE_BYTES ? room : SAMPLE_BYTES);
    if (n < 0) {
        s->reason = strerror(errno);
        goto out;
    }
    struct slice block = slice_of(p, (size_t)n);
    if (slice_starts(block, SLICE("\x1f\x8b"))) {
        s->format = "gzip";
        goto out;
    }
    lines_set_need(l, logline_sniff(s->logline, block, &s->reason));
    if (!s->reason)
        lines_take(l, block.n, on_line, s);
    s->format = logformat_name(logline_format(s->logline));
    s->sampled = true;
out:
    logline_free(s->logline);
    lines_free(l);
}

static void print_file(const struct check *k, const char *path, const struct stat *st,
                       bool sibling, const struct sample *s)
{
    if (!k->json) {
        printf("    %-44s %12lld bytes  ", path, (long long)st->st_size);
        if (s->reason)
            printf("left out: %s", s->reason);
        else if (s->sampled)
            printf("%s, %u calls in its first %u KiB", s->format, s->calls,
                   SAMPLE_BYTES >> 10);
        else
            printf("%s", s->format);
        puts(sibling ? "  (rotated: only what was not read before)" : "");
        return;
    }
    json_open(k->json, '{');
    json_key(k->json, "path");
    json_str(k->json, slice_str(path));
    json_key(k->json, "bytes");
    json_i64(k->json, st->st_size);
    json_key(k->json, "format");
    json_str(k->json, slice_str(s->format));
    json_key(k->json, "calls_in_sample");
    json_u64(k->json, s->calls);
    json_key(k->json, "rotated");
    json_bool(k->json, sibling);
    json_key(k->json, "left_out");
    if (s->reason)
        json_str(k->json, slice_str(s->reason));
    else
        json_null(k->json);
    json_close(k->json, '}');
}

static void on_file(void *arg, const char *path, const struct stat *st, bool sibling)
{
    struct check *k = arg;
    struct sample s = { .format = "" };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        s.reason = strerror(errno);
    else
        take_sample(k, fd, &s);
    if (fd >= 0)
        close(fd);
    k->files++;
    print_file(k, path, st, sibling, &s);
}

static void on_denied(void *arg, const char *path)
{
    struct check *k = arg;
    if (!k->json)
        printf("    %s: %s\n", path, strerror(errno));
}

static void check_pattern(struct check *k, const char *pattern)
{
    const struct tail_walk on = { .arg = k, .file = on_file, .denied = on_denied };
    k->files = 0;
    if (k->json) {
        json_open(k->json, '{');
        json_key(k->json, "pattern");
        json_str(k->json, slice_str(pattern));
        json_key(k->json, "app");
        json_str(k->json, slice_str(k->logs->app));
        json_key(k->json, "files");
        json_open(k->json, '[');
    } else {
        printf("  %s%s%s\n", pattern, *k->logs->app ? "  app " : "", k->logs->app);
    }
    if (strcmp(pattern, "-") != 0)
        tail_walk(pattern, &k->logs->exclude, &on);
    else if (!k->json)
        printf("    standard input\n");
    if (k->json) {
        json_close(k->json, ']');
        json_close(k->json, '}');
    } else if (k->files == 0 && strcmp(pattern, "-") != 0) {
        printf("    no file matches now\n");
    }
}

static void check_logs(const struct config *c, struct check *k)
{
    for (size_t i = 0; i < c->logs.n; i++) {
        k->logs = config_logs(c, i);
        for (size_t p = 0; p < k->logs->path.n; p++)
            check_pattern(k, k->logs->path.at[p]);
    }
}

static void print_text(const struct config *c, const char *token, struct check *k)
{
    printf("agent      %s\nstate      %s\n", c->agent, c->state_dir);
    if (*c->collector.url)
        printf("collector  %s (%s, %s)\n", c->collector.url,
               config_compressions[c->collector.compression],
               *token ? "with a token" : "without a token");
    else
        printf("collector  none: totals stay in the spool\n");
    if (c->logs.n)
        printf("logs\n");
    check_logs(c, k);
    if (c->capture.line)
        command_capture(c, NULL, &k->wrong);
}

static void print_json(const struct config *c, const char *token, struct check *k)
{
    struct buf text = { 0 };
    struct json_out o = { .b = &text };
    k->json = &o;
    json_open(&o, '{');
    json_key(&o, "agent");
    json_str(&o, slice_str(c->agent));
    json_key(&o, "state_dir");
    json_str(&o, slice_str(c->state_dir));
    json_key(&o, "collector");
    if (*c->collector.url)
        json_str(&o, slice_str(c->collector.url));
    else
        json_null(&o);
    json_key(&o, "token");
    json_bool(&o, *token != '\0');
    json_key(&o, "logs");
    json_open(&o, '[');
    check_logs(c, k);
    json_close(&o, ']');
    json_key(&o, "capture");
    if (c->capture.line)
        command_capture(c, &o, &k->wrong);
    else
        json_null(&o);
    json_close(&o, '}');
    puts(buf_cstr(&text));
    buf_release(&text);
}

int command_check(int argc, char **argv)
{
    struct command_options opt = { 0 };
    struct config c;
    struct arena a;
    const char *token = "";
    int code = command_options_parse(argc, argv, "json", &opt);
    if (code)
        return code;
    arena_init(&a, 64 << 20);
    code = command_load(opt.config, &a, &c, &token);
    if (code == 0) {
        struct check k = { .extract = extract_new() };
        if (opt.flag)
            print_json(&c, token, &k);
        else
            print_text(&c, token, &k);
        extract_free(k.extract);
        fflush(stdout);
        if (k.wrong.n) {
            fprintf(stderr, "breakeven-agent: %s:%d: capture: %s\n", opt.config,
                    c.capture.line, buf_cstr(&k.wrong));
            code = 2;
        }
        buf_release(&k.wrong);
    }
    arena_release(&a);
    return code;
}
