/*
 * What pipeline.c (calls, commits, the loop) and pipeline_life.c (opening and closing)
 * share. Shell.
 */
#ifndef BREAKEVEN_PIPELINE_PRIVATE_H
#define BREAKEVEN_PIPELINE_PRIVATE_H

#include "agent/pipeline.h"

#include "agent/dedup.h"
#include "agent/delta.h"
#include "agent/shipper.h"

enum {
    SOURCES_MAX = 3,
    PENDING_MAX = 20000,     /* calls, then commit */
    ENTRIES_MAX = 4096,      /* totals in memory, then commit */
    QUIET_COMMIT_MS = 10000, /* positions of bytes without a call */
    RETRY_MS = 2000,         /* after a commit that failed */
    STOP_SHIP_MS = 2000,     /* the last attempt */
    PRUNE_MS = 3600000,
    QUIET_MS = 1000,          /* without work: give memory back */
    LIGHTEN_MS = 1000,        /* at most once in this time */
    UNLOAD_PER_MS = 5,        /* recent calls a quiet ms: 1 us each to read back, 1/200 */
    AHEAD_MS = 5 * 60 * 1000, /* a call's clock may be ahead of ours by this */
};

struct counts {
    uint64_t calls, repeats, not_billed, no_time, ahead, no_memory, spool_full;
};

struct pipeline {
    const struct config *c;
    const struct log *log;
    struct spool *spool;
    struct extract *extract;
    struct dedup *dedup;
    struct delta *delta;
    struct source_env env;
    struct source *source[SOURCES_MAX];
    bool source_over[SOURCES_MAX], source_more[SOURCES_MAX];
    size_t sources;
    struct shipper *shipper;
    struct counts count;
    struct source_time now, start;
    uint64_t pending;                           /* judged records since the last commit */
    int64_t pending_since_ms, unsaved_since_ms; /* INT64_MAX: none */
    int64_t retry_ms;                           /* no reading before; 0: fine */
    int64_t prune_ms, lighten_ms, quiet_ms;     /* next; mono */
    int64_t worked_ms;                          /* last */
    bool unloaded;     /* dedup: its entries stand in the spool */
    enum status stuck; /* why reading stopped */
    bool once, stop;
};

struct source_time pipeline_clocks(void);
/* Of what the spool remembers: spool_load_dedup's callback. */
void pipeline_load_dedup(void *arg, uint64_t hash, int64_t hour, struct slice blob);
/* A judged call of any source. */
void pipeline_call(void *arg, struct usage *u);
/* There was something to do: the quiet begins anew. */
void pipeline_worked(struct pipeline *p);

#endif
