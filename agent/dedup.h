/*
 * Recent calls by identity, so that each counts once: the same call in two logs, on
 * several lines, in a log and on the wire. A bounded table, exact inside its window (the
 * last `max` distinct calls); the oldest is forgotten first, and that is counted. Kept by
 * spool across restarts. Fed by scan and by the pipeline with every judged record.
 *
 * Identity (usage-formats 1.3): the response id, with the provider where the id is short;
 * else the request id together with the counts, as one request of an application may make
 * several calls. Short ids of self-hosted servers repeat: they are joined by second and
 * counts. A captured call of Azure or Bedrock is known by both, as their own logs name
 * the request alone. An extra pass of a call is one beside it. No id: always new.
 * Refuses: the position of a line as identity (that is the read position's job).
 */
#ifndef BREAKEVEN_DEDUP_H
#define BREAKEVEN_DEDUP_H

#include "common/status.h"
#include "common/usage.h"

enum dedup_verdict {
    DEDUP_NEW,   /* count it */
    DEDUP_AGAIN, /* seen, and nothing is left to count */
    DEDUP_GROWN, /* seen with smaller numbers: u is now what is missing, agg_n 0 */
};

/* What is remembered of a call. Plain numbers: may be stored as it is (little endian). */
struct dedup_entry {
    uint64_t key[2]; /* hash of the identity */
    uint32_t hour;   /* of the call, hours since 1970; 0 unknown */
    uint32_t seen;   /* fields beside the classes that were not 0; top bits: state */
    uint32_t v[USAGE_CLASSES]; /* largest counts so far, at most UINT32_MAX */
};

struct dedup_stats {
    uint64_t known; /* entries now */
    uint64_t again; /* verdicts */
    uint64_t grown;
    uint64_t forgotten; /* evicted since the start: a repeat of those would count again */
    size_t bytes;       /* memory of the table */
};

struct dedup;

/* `max` distinct calls at most, at least 16; memory grows with use. NULL: out of memory.
 */
struct dedup *dedup_new(size_t max);
void dedup_free(struct dedup *d);
/* Raise the window to `max` calls; a smaller number changes nothing. */
enum status dedup_widen(struct dedup *d, size_t max);

/*
 * Judge a record and remember it. ACCOUNTING_NONE and _FREE are always new and not kept.
 * A report is AGAIN, but one with counts of a call that was deferred completes it: its
 * accounting becomes call and the verdict NEW. GROWN leaves in u what exceeds the numbers
 * counted so far, without latencies; when one class shrank (split otherwise by another
 * logger) only the growth of output counts.
 */
enum dedup_verdict dedup_judge(struct dedup *d, struct usage *u);

/* Entries made or changed since the last dedup_saved, oldest first. `e` lives in the
 * call. */
typedef void dedup_fn(void *arg, const struct dedup_entry *e);
void dedup_changed(const struct dedup *d, dedup_fn *fn, void *arg);
void dedup_saved(struct dedup *d);
/* Put back a stored entry, oldest first; a later one of the same key replaces. */
enum status dedup_load(struct dedup *d, const struct dedup_entry *e);

/*
 * Give the memory of the entries back, all of which must have been saved: whoever judges
 * next puts them back first, with dedup_load. The counts go on. False: nothing was worth
 * it, and nothing happened.
 */
bool dedup_unload(struct dedup *d);

const struct dedup_stats *dedup_stats(const struct dedup *d);

#endif
