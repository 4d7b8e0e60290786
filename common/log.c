/* Log lines to stderr: see log.h. A shell file. */
#include "common/log.h"

#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int priority; /* syslog(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", 3 },
    [LOG_LEVEL_WARN] = { "warn", 4 },
    [LOG_LEVEL_INFO] = { "info", 6 },
    [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

struct log log_open(const char *program)
{
    const char *journal = getenv("JOURNAL_STREAM");
    return (struct log){ .program = program,
                         .level = LOG_LEVEL_INFO,
                         .fd = STDERR_FILENO,
                         .priority_prefix = journal && *journal };
}

enum status log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (slice_eq(slice_str(name), slice_str(levels[i].name))) {
            *out = (enum log_level)i;
            return ST_OK;
        }
    }
    return ST_BAD;
}

static size_t put_head(const struct log *l, enum log_level level, char *out, size_t cap)
{
    int n;
    if (l->priority_prefix) {
        n = snprintf(out, cap, "<%d>", levels[level].priority);
    } else {
        struct timespec now;
        struct tm tm;
        char stamp[32];
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
        n = snprintf(out, cap, "%s.%03ldZ %s %s: ", stamp, now.tv_nsec / 1000000,
                     l->program, levels[level].name);
    }
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static void put_line(const struct log *l, enum log_level level, const char *fmt,
                     va_list ap) __attribute__((format(printf, 3, 0)));

static void put_line(const struct log *l, enum log_level level, const char *fmt,
                     va_list ap)
{
    char text[2048], line[4096];
    if (!l || level > l->level)
        return;
    size_t n = put_head(l, level, line, sizeof line);
    int m = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = m < 0 ? 0 : (size_t)m < sizeof text ? (size_t)m : sizeof text - 1;
    for (size_t i = 0; i < len && n + 6 < sizeof line; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            n += (size_t)snprintf(line + n, 5, "\\x%02x", c);
        else
            line[n++] = (char)c;
    }
    line[n++] = '\n';
    int keep = errno;
    while (write(l->fd, line, n) < 0 && errno == EINTR)
        ;
    errno = keep;
}

#define DEFINE_LEVEL(function, level)                                                    \
    void function(const struct log *l, const char *fmt, ...)                             \
    {                                                                                    \
        va_list ap;                                                                      \
        va_start(ap, fmt);                                                               \
        put_line(l, level, fmt, ap);                                                     \
        va_end(ap);                                                                      \
    }

DEFINE_LEVEL(log_error, LOG_LEVEL_ERROR)
DEFINE_LEVEL(log_warn, LOG_LEVEL_WARN)
DEFINE_LEVEL(log_info, LOG_LEVEL_INFO)
DEFINE_LEVEL(log_debug, LOG_LEVEL_DEBUG)
