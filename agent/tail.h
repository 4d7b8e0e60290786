/*
 * The inside of the tail, shared by source_tail.c (events, turns, the source's interface)
 * and tail_scan.c (what a scan of the patterns finds). Not for others.
 */
#ifndef BREAKEVEN_TAIL_H
#define BREAKEVEN_TAIL_H

#include "agent/source_tail.h"
#include "agent/tail_set.h"

enum {
    TAIL_SETTLE_MS = 100,      /* between two looks at events: a burst costs one */
    TAIL_POLL_MS = 1000,       /* between two scans without inotify */
    TAIL_GZ_STABLE_MS = 2000,  /* a .gz this long unchanged is complete */
    TAIL_STEP_BYTES = 8 << 20, /* then the pipeline may commit */
    TAIL_SCAN_SHARE = 20,      /* scans take at most 1/20 of a core */
    TAIL_NEWCOMERS_OPEN = 64,  /* descriptors of newcomers during a scan */
};

/* One pattern of the config. */
struct pattern {
    const struct config_logs *logs;
    const char *text;
    int64_t since_ms; /* Unix; the first scan ever: what stood there then is history */
    bool first;       /* this run does that scan */
};

/* A file met for the first time in this scan. */
struct newcomer {
    char *path;
    const struct pattern *pattern;
    int fd; /* opened at once, as names move fast; -1: not yet */
    bool sibling;
};

struct tail {
    struct source base;
    const struct config *c;
    struct source_env env;
    struct tail_set set;
    struct tail_reader reader;
    struct source_health count;
    struct pattern *pattern;
    size_t patterns;
    struct newcomer *newcomer;
    size_t newcomers, newcomers_cap;
    const struct pattern *walking;
    struct source_time now;
    int inotify;
    bool polling;     /* inotify does not see everything */
    bool since_saved; /* `since` of every pattern is in the spool */
    bool scan_wanted, settling, full_said;
    bool fresh_gz; /* the last scan met one that may still be written */
    int64_t open_files;
    uint64_t denied;     /* folders of the last scan */
    uint64_t unreadable; /* files of the one before */
    unsigned scan;
    int64_t scan_due_ms, scan_ok_ms, care_due_ms;
    size_t cursor;
};

/* Watch a folder for names that come and go. A walk's `folder` function. */
void tail_watch_folder(void *tail, const char *path);
void tail_watch_file(struct tail *t, struct tail_file *f);

/* Nothing will be read from f's inode any more; a copy or .gz may go on with it. */
void tail_gone(struct tail *t, struct tail_file *f);

/* Let f read its share, and act on how that ended. */
void tail_take_turn(struct tail *t, struct tail_file *f);
/* Beyond the limit of descriptors, a file is opened for each of its turns. */
void tail_hold(struct tail *t, struct tail_file *f);

/* Walk all patterns: see who is there, who is missing, who is new. */
void tail_scan(struct tail *t);

#endif
