/*
 * What was metered since the last commit: totals by (series, hour, minute), and the cap
 * on series. Filled by the pipeline call by call, emptied into the spool by its commits.
 * The minute keeps busiest minutes right when a backlog is read in one go.
 *
 * Beyond `max_series` distinct series within a day, further ones fold into one whose
 * names are all "other". Refuses: to drop a call.
 */
#ifndef BREAKEVEN_DELTA_H
#define BREAKEVEN_DELTA_H

#include "common/rollup.h"

struct delta;

struct delta_stats {
    size_t entries;  /* now */
    size_t series;   /* seen in a day or so */
    uint64_t folded; /* calls that went to "other" */
};

struct delta *delta_new(size_t max_series, uint64_t hash_seed); /* NULL: out of memory */
void delta_free(struct delta *d);

/* Add a call that counts (rollup_counts) and has a time. ST_NOMEM, or ST_BAD without. */
enum status delta_add(struct delta *d, const struct usage *u);

/*
 * The same without growing: into an entry of the same series and hour, whatever its
 * minute (its peaks say less then). ST_FULL: there is none.
 */
enum status delta_fold(struct delta *d, const struct usage *u);

/* Every entry, minutes of a series in the order in which they came. */
typedef void delta_fn(void *arg, const struct rollup_key *key, const struct rollup *r);
void delta_each(const struct delta *d, delta_fn *fn, void *arg);

/* Forget the totals (they are stored), not the series. */
void delta_clear(struct delta *d);

struct delta_stats delta_stats(const struct delta *d);

#endif
