/*
 * Tuples of names <-> small numbers: the series and the sources of a store, in memory.
 * One writer adds (the caller serialises it); any number of readers look up by number at
 * the same time without a lock, as entries never move and are never removed.
 *
 * Refuses: more than `max` entries.
 */
#ifndef BREAKEVEN_DICT_H
#define BREAKEVEN_DICT_H

#include "common/slice.h"
#include "common/status.h"

struct dict;

struct dict_entry {
    uint32_t id; /* from 1 */
    bool stored; /* for the writer: the database has it, committed */
    uint64_t hash;
    struct slice part[]; /* the names, in memory of the entry */
};

/* Tuples of `parts` names; `seed` keys the hash, as names come from outside. */
struct dict *dict_new(size_t parts, uint32_t max, uint64_t seed);
void dict_free(struct dict *d);

/* Writer: the entry of these names, added with the next number if it is new. ST_LIMIT,
 * ST_NOMEM. */
enum status dict_get(struct dict *d, const struct slice *part, struct dict_entry **out);

/* Writer: an entry read from the database; ST_EXISTS if the number or the names are
 * taken. */
enum status dict_load(struct dict *d, uint32_t id, const struct slice *part);

/* Anyone: the entry of a number, or NULL. */
const struct dict_entry *dict_at(const struct dict *d, uint32_t id);
/* Anyone: the largest number in use. */
uint32_t dict_last(const struct dict *d);

#endif
