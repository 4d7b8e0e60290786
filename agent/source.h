/*
 * How bytes come in: one interface for everything that hands out judged calls (files,
 * standard input, later captured traffic), so that the pipeline knows none of them.
 *
 * A source keeps its read positions. They go into the spool in the same transaction as
 * the totals of the calls that it emitted: source_save between spool_begin and
 * spool_commit, source_saved once that commit is durable. Refuses: threads, blocking,
 * keeping a call.
 */
#ifndef BREAKEVEN_SOURCE_H
#define BREAKEVEN_SOURCE_H

#include "agent/extract.h"
#include "agent/spool.h"
#include "common/log.h"

/* Both clocks, read once a turn by the pipeline. */
struct source_time {
    int64_t mono_ms; /* monotone */
    int64_t unix_ms;
};

/* What a source says about itself, for health; sums over sources. Counters since start.
 */
struct source_health {
    uint64_t files;      /* followed now */
    uint64_t open_files; /* descriptors */
    uint64_t lag_bytes;  /* written and not read yet, as last seen */
    uint64_t bytes, lines, candidates, records;
    uint64_t too_long, not_json, no_record, torn; /* lines without a record, by reason */
    uint64_t time_guessed, points_dropped;
    uint64_t unreadable, binary, over_limit; /* files left out now, by reason */
    uint64_t truncated, rotated;             /* rotations seen */
    uint64_t unread_gone; /* bytes of vanished files that nobody read (a .gz may) */
};

struct source;
struct json_out;

struct source_ops {
    const char *name;
    bool live; /* cannot wait: stepped also while the spool is full */
    int (*fd)(const struct source *s);
    int64_t (*wake_ms)(const struct source *s);
    enum status (*step)(struct source *s, struct source_time now);
    void (*rescan)(struct source *s);
    bool (*unsaved)(const struct source *s);
    void (*save)(struct source *s, struct spool *spool);
    void (*saved)(struct source *s);
    void (*health)(const struct source *s, struct source_health *sum);
    void (*finish)(struct source *s); /* NULL: nothing to do */
    void (*rest)(struct source *s); /* quiet for a while: give memory back; NULL: none */
    /* Members of its own in the health object and in its `drops`; NULL: none. */
    void (*more_health)(struct source *s, struct json_out *o);
    void (*more_drops)(struct source *s, struct json_out *o);
    void (*close)(struct source *s);
};

struct source { /* the first member of every source */
    const struct source_ops *ops;
};

/* Given to a source when it opens; borrowed for its life. */
struct source_env {
    struct extract *extract;
    usage_fn *emit; /* every judged call, in order */
    void *emit_arg;
    const struct log *log;
    bool once; /* read what stands there, then end */
};

/* Readable: step. -1: nothing to poll now. May change with every step. */
static inline int source_fd(const struct source *s)
{
    return s->ops->fd(s);
}

/* Step at the latest then (monotone); INT64_MAX: only when the descriptor is readable. */
static inline int64_t source_wake_ms(const struct source *s)
{
    return s->ops->wake_ms(s);
}

/*
 * Take in a bounded amount and emit its calls. ST_MORE: more is waiting, step again;
 * ST_OK: nothing until fd or wake_ms; ST_END: over for good. Not called while the spool
 * is full, unless the source is live.
 */
static inline enum status source_step(struct source *s, struct source_time now)
{
    return s->ops->step(s, now);
}

/* Look at everything again at the next step (SIGHUP). */
static inline void source_rescan(struct source *s)
{
    s->ops->rescan(s);
}

/* Positions have changed since source_saved. */
static inline bool source_unsaved(const struct source *s)
{
    return s->ops->unsaved(s);
}

/* Inside a spool transaction: put the positions that changed. May be repeated. */
static inline void source_save(struct source *s, struct spool *spool)
{
    s->ops->save(s, spool);
}

/* That transaction is durable. */
static inline void source_saved(struct source *s)
{
    s->ops->saved(s);
}

/* Its packets are gone if nobody takes them: not a log that waits. */
static inline bool source_live(const struct source *s)
{
    return s->ops->live;
}

static inline void source_health(const struct source *s, struct source_health *sum)
{
    s->ops->health(s, sum);
}

/* The last commit is about to come: emit what is known of calls under way. */
static inline void source_finish(struct source *s)
{
    if (s->ops->finish)
        s->ops->finish(s);
}

static inline void source_close(struct source *s)
{
    if (s)
        s->ops->close(s);
}

#endif
