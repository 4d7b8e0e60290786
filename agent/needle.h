/*
 * The literal search in front of every log parser: does a region of lines hold anything
 * that may be usage, and where first? One pass finds the fingerprints of all literals at
 * once (a nibble table per byte position, shuffled 16 or 32 bytes at a time); a hit is
 * then verified in full: `oken` must stand in a key that has a value, not in prose. A
 * line that ends in '{' is found too: a record of several lines may begin there.
 *
 * Bounds are exact: no byte outside the region is read. Refuses: to decide anything about
 * the line; a match only makes it worth a parse.
 */
#ifndef BREAKEVEN_NEEDLE_H
#define BREAKEVEN_NEEDLE_H

#include "common/slice.h"

/* How the search runs: the best the processor has, or a given one (for tests). */
enum needle_engine { NEEDLE_SCALAR, NEEDLE_SSSE3, NEEDLE_AVX2 };

enum { NEEDLE_BUCKETS = 8 };

struct needle {
    enum needle_engine engine;
    unsigned char
        first[NEEDLE_BUCKETS + 1];      /* bucket b: literals first[b] to first[b + 1] */
    unsigned char lo[3][16], hi[3][16]; /* bit b: bucket b has this nibble here */
};

/* The tables, and the best engine of this processor. */
void needle_init(struct needle *n);
/* The same with an engine; false (and scalar) when the processor lacks it. */
bool needle_init_engine(struct needle *n, enum needle_engine engine);

/* Offset of the first verified match in `region` at or after `from`, or SIZE_MAX. */
size_t needle_find(const struct needle *n, struct slice region, size_t from);

/* Newlines in s. */
uint64_t needle_newlines(const struct needle *n, struct slice s);

#endif
