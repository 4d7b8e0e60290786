/*
 * A small generator of our own (xoshiro256**, Blackman, Vigna 2018), so that a projection
 * is the same on every machine for the same seed. Not for secrets.
 */
#ifndef BREAKEVEN_PROJECTION_DICE_H
#define BREAKEVEN_PROJECTION_DICE_H

#include "common/slice.h"

struct dice {
    uint64_t s[4];
};

void dice_init(struct dice *r, uint64_t seed);
/* The seed of a series: a hash of its name, so that neighbours do not share a path. */
uint64_t dice_seed_of(struct slice name);

uint64_t dice_u64(struct dice *r);
double dice_uniform(struct dice *r); /* in [0, 1) */
double dice_normal(struct dice *r);  /* mean 0, variance 1 */

#endif
