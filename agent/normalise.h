/*
 * Raw numbers -> disjoint billable classes: the formulas F1..F22 and the resolver of
 * usage-formats 5.2 and 5.3. Which family applies is read from the names that were seen
 * (5.2, field-name detection); arithmetic identities decide where hosts disagree.
 *
 * Refuses to guess: a number that was not said stays unsaid, a subtraction never goes
 * below zero, and numbers that contradict the provider's total are marked CHECK_MISMATCH.
 * Fed by record and extract after the walk.
 */
#ifndef BREAKEVEN_NORMALISE_H
#define BREAKEVEN_NORMALISE_H

#include "agent/raw.h"

/* True if the raw numbers hold counts that can be normalised. */
bool normalise_has_usage(const struct raw *r);
/* Are they Gemini's, in any spelling? */
static inline bool normalise_is_gemini(const struct raw *r)
{
    return raw_has(r, N_G_PROMPT) || raw_has(r, N_G_CANDIDATES) ||
           (raw_has(r, N_G_TOTAL) && !raw_has(r, N_INPUT));
}

/*
 * Fill classes, subsets, units, total_reported and check of `u` from `r`. `provider` is
 * the provider's name ("" unknown); only rules that its numbers cannot show depend on it.
 * Returns false, with no class set, when `r` holds no usage.
 */
bool normalise(const struct raw *r, struct slice provider, struct usage *u);

/* The same for one extra pass of usage.iterations. */
void normalise_pass(const struct raw_pass *p, struct usage *u);

/* Compaction, advisor and fallback passes are charged besides the main numbers. */
bool normalise_pass_is_extra(const struct raw_pass *p);

#endif
