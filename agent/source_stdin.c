/* Standard input: see source_stdin.h. A shell file. */
#include "agent/source_stdin.h"

#include "agent/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_BLOCKS = 16 };

struct input {
    struct source base;
    int fd;
    const struct source_env *env;
    struct lines *lines;
    struct logline *logline;
    uint64_t bytes;
    bool sniffed, over, refused;
};

static struct input *input_of(const struct source *s)
{
    return (struct input *)(uintptr_t)s;
}

static bool on_line(void *arg, const struct line *line)
{
    struct input *in = arg;
    return logline_feed_line(in->logline, line, in->env->emit, in->env->emit_arg);
}

static void take(struct input *in, const char *p, size_t n)
{
    if (!in->sniffed) {
        const char *reason = NULL;
        lines_set_need(in->lines, logline_sniff(in->logline, slice_of(p, n), &reason));
        in->sniffed = true;
        in->refused = reason != NULL;
        if (reason)
            log_warn(in->env->log, "standard input: left out: %s", reason);
    }
    in->bytes += n;
    if (!in->refused)
        lines_take(in->lines, n, on_line, in);
}

static enum status finish(struct input *in)
{
    if (!in->over && !in->refused) {
        lines_finish(in->lines, on_line, in);
        logline_finish(in->logline, in->env->emit, in->env->emit_arg);
    }
    in->over = true;
    return ST_END;
}

static enum status input_step(struct source *s, struct source_time now)
{
    struct input *in = input_of(s);
    (void)now;
    for (int i = 0; i < STEP_BLOCKS && !in->over; i++) {
        struct pollfd p = { .fd = in->fd, .events = POLLIN };
        size_t room;
        if (poll(&p, 1, 0) == 0)
            return ST_OK;
        char *to = lines_room(in->lines, &room);
        ssize_t n = read(in->fd, to, room);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return ST_OK;
        if (n < 0)
            log_error(in->env->log, "standard input: %s", strerror(errno));
        if (n <= 0)
            return finish(in);
        take(in, to, (size_t)n);
    }
    return in->over ? ST_END : ST_MORE;
}

static int input_fd(const struct source *s)
{
    return input_of(s)->over ? -1 : input_of(s)->fd;
}

static int64_t input_wake_ms(const struct source *s)
{
    (void)s;
    return INT64_MAX;
}

static void nothing(struct source *s)
{
    (void)s;
}

static bool never(const struct source *s)
{
    (void)s;
    return false;
}

static void save_nothing(struct source *s, struct spool *spool)
{
    (void)s;
    (void)spool;
}

static void input_health(const struct source *s, struct source_health *sum)
{
    const struct input *in = input_of(s);
    const struct logline_stats *l = logline_stats(in->logline);
    sum->files += !in->over;
    sum->bytes += in->bytes;
    sum->lines += lines_stats(in->lines)->lines;
    sum->candidates += l->lines;
    sum->records += l->records;
    sum->too_long += lines_stats(in->lines)->too_long + l->too_long;
    sum->not_json += l->not_json;
    sum->no_record += l->no_record;
    sum->torn += l->torn;
    sum->time_guessed += l->time_guessed;
    sum->points_dropped += l->points_dropped;
    sum->binary += in->refused;
}

static void input_close(struct source *s)
{
    struct input *in = input_of(s);
    lines_free(in->lines);
    logline_free(in->logline);
    free(in);
}

static const struct source_ops input_ops = {
    .name = "stdin",
    .fd = input_fd,
    .wake_ms = input_wake_ms,
    .step = input_step,
    .rescan = nothing,
    .unsaved = never,
    .save = save_nothing,
    .saved = nothing,
    .health = input_health,
    .close = input_close,
};

enum status source_stdin_open(int fd, const struct config_logs *logs,
                              const struct source_env *env, struct source **out)
{
    struct input *in = calloc(1, sizeof *in);
    if (!in)
        return ST_NOMEM;
    in->base.ops = &input_ops;
    in->fd = fd;
    in->env = env;
    in->lines = lines_new();
    in->logline = logline_new(
        env->extract,
        &(struct logline_options){ .format = logs->logformat,
                                   .rule = logs->rule,
                                   .provider = slice_str(logs->provider),
                                   .app = slice_str(logs->app),
                                   .environment = slice_str(logs->environment),
                                   .mtime_ns = USAGE_NO_TIME });
    if (!in->lines || !in->logline) {
        input_close(&in->base);
        return ST_NOMEM;
    }
    lines_begin(in->lines, logline_need(in->logline), 0, 1);
    *out = &in->base;
    return ST_OK;
}
