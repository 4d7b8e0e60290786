/* Compares a verdict of extract with the expected one; shared by the golden tests. */
#ifndef BREAKEVEN_TESTS_VERDICT_H
#define BREAKEVEN_TESTS_VERDICT_H

#include "tests/golden/corpus.h"

enum { VERDICTS = 16, VERDICT_TEXT = 400 };

/* Emitted calls, with their names kept behind the callback. */
struct verdicts {
    struct usage u[VERDICTS];
    char name[VERDICTS][4][VERDICT_TEXT]; /* surface, model, response_id, provider */
    size_t n;
};

void verdicts_keep(void *arg, struct usage *u);

/* What a comparison leaves out. */
enum verdict_skip {
    SKIP_NOTHING = 0,
    SKIP_SURFACE = 1,
    SKIP_OUTCOME = 2,
    SKIP_ID = 4,
    SKIP_ACCOUNTING = 8,
    SKIP_MODEL = 16,
    SKIP_NUMBERS = 32,
};

/* "" if `got` is what `want` says; else what differs, in `why`. */
const char *verdict_differs(const struct truth *want, const struct verdicts *got,
                            unsigned skip, char *why, size_t size);

#endif
