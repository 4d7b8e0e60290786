/*
 * Tokens of calls whose reply did not say them, from the sizes of their text. Starts from
 * a ratio per model family and calibrates itself, per provider and model, with every call
 * that did report. Always marked: QUALITY_ESTIMATED, SOURCE_ESTIMATED.
 *
 * Refuses: to look at text (sizes only), to touch a number that was reported. Fed by
 * extract at the end of an exchange. Hidden reasoning is guessed by family and history.
 */
#ifndef BREAKEVEN_ESTIMATE_H
#define BREAKEVEN_ESTIMATE_H

#include "common/usage.h"

/* What was seen of a call's text. */
struct estimate_sample {
    uint64_t sent_bytes, generated_bytes;
    uint32_t pieces;    /* deltas that carried generated text */
    bool request_seen;  /* sent_bytes is known */
    bool streamed;      /* the pieces are deltas of a stream */
    bool tools;         /* a tool was called */
    bool no_generation; /* embeddings and the like: there is no output */
    bool unthinking;    /* the request turned reasoning off */
    uint64_t cut_at; /* tokens of the limit at which it says it ended; 0: it does not */
};

enum { ESTIMATE_MODELS = 256 }; /* calibrated at a time; a newcomer may take a slot */

/* Sums of one (provider, model): what its calls reported, what had been expected. */
struct estimate_model {
    uint64_t key; /* hash of provider and model, 0 empty */
    double in_reported, in_expected, out_reported, out_expected;
};

struct estimate {
    struct estimate_model model[ESTIMATE_MODELS];
};

/* Expected tokens of a sample for u->provider and u->model, calibration included. */
double estimate_input(const struct estimate *e, const struct usage *u,
                      const struct estimate_sample *s);
double estimate_output(const struct estimate *e, const struct usage *u,
                       const struct estimate_sample *s);

/* Learn from a call that reported. */
void estimate_learn(struct estimate *e, const struct usage *u,
                    const struct estimate_sample *s);

/*
 * Fill the classes that are missing and mark the call. Reported counts stay, but an
 * output that was only a running total (SOURCE_PARTIAL) grows to the estimate.
 */
void estimate_fill(const struct estimate *e, struct usage *u,
                   const struct estimate_sample *s);

#endif
