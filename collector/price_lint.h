/*
 * What is wrong or doubtful in a price book, beyond its grammar (which the loader
 * checks): prices out of any plausible range, variants that forget a class, thresholds
 * that no bucket of context knows, rows nobody has looked at for long. Feeds `prices
 * check`; pure.
 */
#ifndef BREAKEVEN_PRICE_LINT_H
#define BREAKEVEN_PRICE_LINT_H

#include "common/price_book.h"

struct price_finding {
    bool error;                   /* else a warning */
    uint32_t line;                /* of the book's file */
    const char *what;             /* one sentence; valid during the call */
    const char *provider, *model; /* "" when it is about the book */
};

typedef void price_finding_fn(void *arg, const struct price_finding *f);

struct price_lint_options {
    int32_t today;        /* days since 1970 */
    int32_t checked_days; /* the book not looked over for longer: a warning; 0: never */
    int32_t stale_days;   /* newest row of a model older than this: one too; 0: never */
};

/* Every finding to fn, in the order of the book; how many of them are errors. */
unsigned price_lint(const struct price_tables *t, const struct price_lint_options *o,
                    price_finding_fn *fn, void *arg);

#endif
