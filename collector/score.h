/*
 * Quality scores of the parallel test, posted from outside: read strictly, added up by
 * day in the store, one record per workload, arm and metric. A score with an id counts
 * once: the record keeps hashes of the newest SCORE_IDS ids, never an id or a text.
 *
 * Refuses: unknown keys, values that are no number, times ahead or beyond retention, more
 * than COMPARE_SCORES_MAX metrics a workload. A request is read whole before any of it
 * counts.
 */
#ifndef BREAKEVEN_SCORE_H
#define BREAKEVEN_SCORE_H

#include "collector/projection/compare.h"
#include "collector/store.h"
#include "common/arena.h"

enum {
    SCORE_IDS = 8192,
    SCORE_DAYS = 400,
    SCORE_NAME_MAX = 32,
    SCORE_TEXT_MAX = 128, /* bytes of a workload's name or an id */
    SCORE_BATCH_MAX = 2000,
};

struct score {
    struct slice workload, metric; /* memory of the arena */
    enum compare_side arm;
    double value;
    bool rated, pass;
    uint64_t id;  /* hash of the id; 0: none given */
    int64_t time; /* Unix seconds */
};

struct score_list {
    struct score *at;
    size_t n;
    size_t line; /* 1-based, of what is wrong */
    const char *why;
};

/* Objects one after another: {workload, arm, metric, value, pass?, id?, time?}. ST_BAD
 * with line and why, ST_LIMIT for too many. `now_s` is the time of those without one. */
enum status score_read(struct slice body, int64_t now_s, struct arena *a,
                       struct score_list *out);

/* Keeps readers-and-writers of a record apart; one per collector. */
struct scores;
struct scores *scores_new(struct store *store); /* NULL: no memory */
void scores_free(struct scores *s);

/*
 * Count a list; *added gets those that were new. Each record is replaced at once, so
 * after an error a repeat with ids counts nothing twice. ST_LIMIT: too many metrics,
 * nothing counted; else the store's errors.
 */
enum status scores_add(struct scores *s, const struct score_list *list, uint64_t *added);

/* Metrics of a workload and their sums from the day of `from_s` on, into c->metric,
 * c->metrics and both arms' score; names live in `a`. */
enum status score_sums(struct store *store, const char *workload, int64_t from_s,
                       struct arena *a, struct compare_case *c);

#endif
