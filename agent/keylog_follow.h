/*
 * Follows TLS key log files into the secret store: several patterns, files that appear,
 * grow, are renamed away, truncated or deleted. Shell; used by source_live. A file that
 * stands there when the agent starts is read from its last 64 KiB on: older secrets open
 * connections whose begin was not captured.
 *
 * Refuses: to write or keep a secret anywhere but in the store; anything but regular
 * files.
 */
#ifndef BREAKEVEN_KEYLOG_FOLLOW_H
#define BREAKEVEN_KEYLOG_FOLLOW_H

#include "agent/keylog.h"
#include "common/log.h"
#include "common/yaml.h"

struct keylog_follow_stats {
    uint64_t files;              /* followed now */
    uint64_t unreadable;         /* matched at the last look and could not be opened */
    uint64_t open_to_all;        /* followed, and readable or writable by everybody */
    uint64_t over_limit;         /* left out at the last look */
    uint64_t secrets, bad_lines; /* since the start */
};

struct keylog_follow;

/* The patterns and `log` are borrowed. NULL: out of memory. */
struct keylog_follow *keylog_follow_new(const struct yaml_strings *patterns,
                                        const struct yaml_strings *exclude,
                                        size_t most_files, struct secrets *into,
                                        const struct log *log);
void keylog_follow_free(struct keylog_follow *f);

/* Look at the patterns again: new files, renamed ones, gone ones. */
void keylog_follow_scan(struct keylog_follow *f, int64_t now_ms);

/* Read what was appended, a bounded amount; two system calls a file at most. */
void keylog_follow_read(struct keylog_follow *f, int64_t now_ms);

struct keylog_follow_stats keylog_follow_stats(const struct keylog_follow *f);

#endif
