/*
 * agent.yaml as a struct. Read once at start by run and check; the same table checks the
 * file and prints the reference (docs/agent.md describes every key).
 *
 * Refuses: reading tokens (config_token does, late and once), defaults that need the
 * network.
 */
#ifndef BREAKEVEN_AGENT_CONFIG_H
#define BREAKEVEN_AGENT_CONFIG_H

#include "agent/config_capture.h"
#include "agent/logrule.h"
#include "common/log.h"
#include "common/yaml.h"

enum config_start { CONFIG_START_BEGINNING, CONFIG_START_END };

struct config_collector {
    const char *url; /* "": meter locally only */
    const char *token, *token_file;
    const char *ca_file;
    const char *helper; /* breakeven-ship; "": beside the agent */
    int compression;    /* index of config_compressions */
    int64_t interval_ms;
    int line; /* 0: there is no such section */
};

/* One row of `logs`. */
struct config_logs {
    struct yaml_strings path, exclude;
    const char *format, *app, *environment, *provider;
    int start; /* enum config_start, for files that stand there at the very first run */
    int line;
    enum logformat logformat; /* format, parsed */
    struct logrule_options rule_options;
    struct logrule *rule; /* regex or fields, compiled; NULL without */
};

struct config_limits {
    uint64_t spool_bytes;
    int64_t series;      /* per agent; the tail folds into "other" */
    int64_t files;       /* followed at a time */
    int64_t open_files;  /* descriptors; the longest idle is closed first */
    int64_t remembered;  /* calls, for deduplication */
    uint64_t turn_bytes; /* of one file before the next has its turn */
};

struct config {
    const char *agent; /* id; the host name by default */
    const char *state_dir;
    int log_level;       /* enum log_level */
    int64_t commit_ms;   /* longest time between a call read and stored */
    int64_t rescan_ms;   /* of the patterns, besides inotify */
    int64_t grace_ms;    /* a rotated file this long without growth is complete */
    int64_t remember_ms; /* a vanished file, for its .gz */
    struct config_collector collector;
    struct yaml_list logs; /* struct config_logs */
    struct config_capture capture;
    struct config_limits limits;
};

extern const struct yaml_field config_fields[];
extern const char *const config_compressions[];

/*
 * Load and check. Strings live in `a`. ST_CONFIG, ST_NOT_FOUND, ST_IO with
 * "file:line: reason" in `why`.
 */
enum status config_load(const char *path, struct arena *a, struct config *out,
                        struct buf *why);
/* The same from a text. */
enum status config_parse(struct slice text, const char *file, struct arena *a,
                         struct config *out, struct buf *why);

/* The bearer token, from the key or the file; "" when there is none. Memory of `a`. */
enum status config_token(const struct config *c, struct arena *a, const char **out,
                         struct buf *why);

static inline const struct config_logs *config_logs(const struct config *c, size_t i)
{
    return (const struct config_logs *)c->logs.at + i;
}

#endif
