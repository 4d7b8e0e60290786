/*
 * Log lines of our own programs, to stderr: with an RFC 3339 time, or with the "<n>"
 * priority prefix of sd-daemon(3) when systemd listens (JOURNAL_STREAM is set). Control
 * bytes of foreign text are escaped, so a hostile name cannot forge a line.
 * Refuses: prompt or answer text, keys. Callers never pass a body or a header value.
 */
#ifndef BREAKEVEN_LOG_H
#define BREAKEVEN_LOG_H

#include "common/status.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    const char *program;
    enum log_level level; /* more detailed lines are dropped */
    int fd;
    int priority_prefix; /* 1: "<n>" prefixes, no time */
};

/* stderr, info, prefix by the environment. */
struct log log_open(const char *program);

/* "error", "warn", "info" or "debug"; ST_BAD otherwise. */
enum status log_level_parse(const char *name, enum log_level *out);

/* One write(2) a line. `l` may be NULL: nothing is written. */
void log_error(const struct log *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_warn(const struct log *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(const struct log *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_debug(const struct log *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
