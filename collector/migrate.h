/*
 * Schema versions of an SQLite file: steps[v] turns version v into v + 1, version 0 being
 * an empty file. All missing steps and the new number are one transaction, so a crash
 * leaves the old version whole. Used by store_sqlite at open.
 *
 * Refuses: a file of a newer version, a file of another program.
 */
#ifndef BREAKEVEN_MIGRATE_H
#define BREAKEVEN_MIGRATE_H

#include "common/buf.h"

#include <sqlite3.h>

struct migration {
    const char *sql;
};

/*
 * Bring db to version n with `steps`. `application` is the number that marks files of
 * ours (PRAGMA application_id). ST_BAD with a sentence in `why` for a newer version or a
 * foreign file; other errors of SQLite as status_of_sqlite.
 */
enum status migrate(sqlite3 *db, uint32_t application, const struct migration *steps,
                    unsigned n, struct buf *why);

/* The status of an SQLite result code on db. */
enum status status_of_sqlite(sqlite3 *db, int rc);

#endif
