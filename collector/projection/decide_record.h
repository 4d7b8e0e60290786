/*
 * Decision records: a decision with its inputs, versions and what changed since the
 * record before, kept in the store as kind "decision", key the workload, all of them.
 * Made by the `decide` command and by the server after a projection; served by the API.
 *
 * Refuses: calling noise a change that matters. Volume, bill and the like must have moved
 * by a tenth since the last record, and by more than next to nothing; what is declared,
 * decided or judged need only differ.
 */
#ifndef BREAKEVEN_PROJECTION_DECIDE_RECORD_H
#define BREAKEVEN_PROJECTION_DECIDE_RECORD_H

#include "collector/projection/decide.h"
#include "common/price.h"

struct store;

enum { DECISION_CHANGES_MAX = 64 };

/* What differs between two documents, in words. */
struct decision_changes {
    const char *at[DECISION_CHANGES_MAX + 1]; /* NULL-terminated */
    int n;
    bool material; /* one of them matters */
};

/*
 * Compare two documents of decision_json, field by field. Pure. A field that one of them
 * lacks is "unknown" there. Sentences live in `a`; ST_NOMEM: the arena.
 */
enum status decision_compare(struct slice before, struct slice after, struct arena *a,
                             struct decision_changes *out);

struct decision_record {
    struct decision decision;
    struct decision_versions versions;
    bool first; /* no record before */
    struct decision_changes changes;
};

/*
 * Decide for w and compare with its newest record. `test`: what the parallel test
 * measured, or NULL. Borrows w, r and test; the rest lives in `a`. Errors: the arena's
 * and the store's.
 */
enum status decision_record_make(struct store *store, const struct price_book *prices,
                                 const struct workload *w,
                                 const struct projection_result *r,
                                 const struct compare_result *test, struct arena *a,
                                 struct decision_record *out);

/* Is it worth keeping without being asked? */
static inline bool decision_record_matters(const struct decision_record *rec)
{
    return rec->first || rec->changes.material;
}

/* Keep it: beside the ones before, replacing one of the same second. */
enum status decision_record_save(struct store *store, const struct decision_record *rec);

/* decision_json and decision_markdown of a record. */
void decision_record_json(const struct decision_record *rec, struct buf *out);
void decision_record_markdown(const struct decision_record *rec, struct buf *out);

#endif
