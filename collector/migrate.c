/* Schema versions of an SQLite file: see migrate.h. */
#include "collector/migrate.h"

#include <errno.h>

enum status status_of_sqlite(sqlite3 *db, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ST_OK;
    case SQLITE_NOMEM:
        return ST_NOMEM;
    case SQLITE_FULL:
        return ST_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ST_BUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return ST_DENIED;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_NOTADB:
        return ST_BAD;
    default: {
        int e = db ? sqlite3_system_errno(db) : 0;
        return e == ENOSPC || e == EDQUOT ? ST_FULL : ST_IO;
    }
    }
}

static enum status pragma_get(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return status_of_sqlite(db, rc);
}

static enum status fail(sqlite3 *db, enum status st, struct buf *why)
{
    if (st != ST_OK && why->n == 0)
        buf_addf(why, "the store: %s", sqlite3_errmsg(db));
    return st;
}

static enum status check_ours(sqlite3 *db, uint32_t application, int64_t version,
                              unsigned n, struct buf *why)
{
    int64_t id, tables;
    enum status st = pragma_get(db, "PRAGMA application_id", &id);
    if (st == ST_OK)
        st = pragma_get(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (st != ST_OK)
        return st;
    if (version == 0 ? tables != 0 : (uint32_t)id != application) {
        buf_adds(why, "the file is an SQLite database of another program");
        return ST_BAD;
    }
    if (version < 0 || version > n) {
        buf_addf(why,
                 "the store has schema version %lld, this program knows up to %u: "
                 "start a newer program",
                 (long long)version, n);
        return ST_BAD;
    }
    return ST_OK;
}

enum status migrate(sqlite3 *db, uint32_t application, const struct migration *steps,
                    unsigned n, struct buf *why)
{
    int64_t version;
    enum status st = pragma_get(db, "PRAGMA user_version", &version);
    if (st == ST_OK)
        st = check_ours(db, application, version, n, why);
    if (st != ST_OK || version == n)
        return fail(db, st, why);

    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (unsigned v = (unsigned)version; rc == SQLITE_OK && v < n; v++)
        rc = sqlite3_exec(db, steps[v].sql, NULL, NULL, NULL);
    char mark[96];
    sqlite3_snprintf(sizeof mark, mark,
                     "PRAGMA application_id=%d; PRAGMA user_version=%u;",
                     (int)application, n);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return ST_OK;
    st = fail(db, status_of_sqlite(db, rc), why);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}
