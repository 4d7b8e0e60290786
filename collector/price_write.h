/*
 * A price book as YAML, the inverse of common/price_load: rows of open tables, with new
 * ones put where they belong. Comments of the old file are not kept. Fed by price_import;
 * pure.
 */
#ifndef BREAKEVEN_PRICE_WRITE_H
#define BREAKEVEN_PRICE_WRITE_H

#include "collector/price_list.h"

/* A row to add: `fact.dated` is set, and its day is after the model's last one. */
struct price_addition {
    const struct price_fact *fact;
    const char *source; /* note of the row */
};

/* Append the book; `add` is sorted by provider, model, day. */
void price_write(const struct price_tables *t, const struct price_addition *add, size_t n,
                 struct buf *out);

#endif
