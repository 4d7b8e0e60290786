/*
 * The SQLite file under spool: opening, checking, statements, errors as enum status. All
 * SQL of the agent is in spool_db.c. Private to spool.
 *
 * One connection that commits and checkpoints, in exclusive locking mode, so that no
 * other process can open the file beside it (and no shared-memory file is needed); WAL,
 * synchronous=FULL, automatic checkpoints off.
 */
#ifndef BREAKEVEN_SPOOL_DB_H
#define BREAKEVEN_SPOOL_DB_H

#include "common/log.h"
#include "common/slice.h"

#include <sqlite3.h>

enum spool_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_META_GET,
    SQL_META_PUT,
    SQL_TOTAL_GET,
    SQL_TOTAL_PUT,
    SQL_TOTAL_NEXT,
    SQL_TOTAL_ALL,
    SQL_TOTAL_MARK,
    SQL_TOTAL_OFFER,
    SQL_TOTAL_WAITING,
    SQL_TOTAL_PRUNE,
    SQL_POSITION_PUT,
    SQL_POSITION_DROP,
    SQL_POSITION_ALL,
    SQL_DEDUP_PUT,
    SQL_DEDUP_ALL,
    SQL_DEDUP_PRUNE_AGE,
    SQL_DEDUP_PRUNE_NUMBER,
    SQL_VALUE_PUT,
    SQL_VALUE_GET,
    SQL_PAGES_USED,
    SQL_SHRINK,
    SQL_N
};

enum { SPOOL_PAGE = 4096 };

struct spool_db {
    sqlite3 *sql;
    sqlite3_stmt *stmt[SQL_N];
    const struct log *log; /* borrowed */
    char *path;
    int lock_fd;
    int complained; /* the SQLite code logged last; 0 after a commit */
    int wal_pages;  /* in the log since the last checkpoint */
};

/*
 * Take the lock, open or create (epoch `now_ms`), check. Errors as spool_open, logged.
 * spool_db_close in any case.
 */
enum status spool_db_open(struct spool_db *db, const char *path, int64_t now_ms,
                          bool replace_damaged, const struct log *log);
void spool_db_close(struct spool_db *db);

/* The statement, reset and unbound; NULL only when out of memory. */
sqlite3_stmt *spool_db_get(struct spool_db *db, enum spool_sql which);
/* Step: ST_OK a row, ST_END none (then reset). Anything else was logged and reset. */
enum status spool_db_step(struct spool_db *db, enum spool_sql which);
/* Step a statement to its end; ST_OK or the error, logged. */
enum status spool_db_run(struct spool_db *db, enum spool_sql which);

/* Room for the file to grow to; more than that is ST_FULL. */
enum status spool_db_max(struct spool_db *db, uint64_t max_bytes);
/* Fold the log into the file when it has `pages` or more. Failure costs nothing. */
void spool_db_checkpoint(struct spool_db *db, int pages);

/* Bytes of column `at`, borrowed until the next step. */
struct slice spool_db_blob(sqlite3_stmt *st, int at);
void spool_db_bind(sqlite3_stmt *st, int at, struct slice blob);

#endif
