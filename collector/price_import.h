/*
 * Bring a published price list into a local book: every price that differs from the one
 * in force becomes a new dated row there. What the local book has already stays as it is:
 * a dated row is never overwritten, and a price that comes too late for one is kept out
 * and reported. Feeds `prices import`; touches files.
 */
#ifndef BREAKEVEN_PRICE_IMPORT_H
#define BREAKEVEN_PRICE_IMPORT_H

#include <stdio.h>

#include "collector/price_list.h"

struct price_import_options {
    const char *file;     /* the list */
    const char *local;    /* the book to write; need not exist */
    const char *prices;   /* the book below it; NULL: the built-in one */
    const char *provider; /* only this one; NULL: all */
    int32_t day;          /* of the import: effective date of undated prices */
    bool dry_run;
};

struct price_import_result {
    enum price_list_format format;
    unsigned entries, same, changed, added;
    unsigned kept;    /* differ, but the local book has a row of that day or later */
    unsigned skipped; /* without a usable price */
};

/* One line per change to `log`. The new book is read back before it replaces the old. */
enum status price_import(const struct price_import_options *o, FILE *log,
                         struct price_import_result *out, struct buf *why);

#endif
