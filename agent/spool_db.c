/* The SQLite file under spool: see spool_db.h. A shell file. */
#include "agent/spool_db.h"

#include "common/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, APPLICATION_ID = 0x42726b45 /* "BrkE" */ };

/*
 * total: `line` is the row as it travels, so shipping copies it and no second format
 * exists. state: 0 waits, 1 acknowledged, 2 refused. `sum` covers line and ver, because
 * SQLite has no checksum of its own outside the log. dedup is a log: appending touches
 * one page a commit where a table by hash would touch one an entry.
 */
static const char schema[] =
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), epoch INTEGER NOT NULL,"
    " ver INTEGER NOT NULL, seq INTEGER NOT NULL, pruned_to INTEGER NOT NULL,"
    " pruned_epoch INTEGER NOT NULL, rows INTEGER NOT NULL, refused INTEGER NOT NULL,"
    " refused_pruned INTEGER NOT NULL);"
    "CREATE TABLE total(hour INTEGER NOT NULL, series BLOB NOT NULL,"
    " epoch INTEGER NOT NULL, ver INTEGER NOT NULL, state INTEGER NOT NULL,"
    " touched INTEGER NOT NULL, minute INTEGER NOT NULL, minute_calls INTEGER NOT NULL,"
    " minute_tokens INTEGER NOT NULL, sum INTEGER NOT NULL, line TEXT NOT NULL,"
    " PRIMARY KEY(hour, series)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX total_waiting ON total(ver) WHERE state = 0;"
    "CREATE TABLE position(key BLOB PRIMARY KEY, path TEXT NOT NULL,"
    " offset INTEGER NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE dedup(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL,"
    " hour INTEGER NOT NULL, entry BLOB NOT NULL);"
    "CREATE TABLE value(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

/* Prunes delete in bites, so that the log stays small on a disk that is nearly full. */
static const char *const sql_text[SQL_N] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT epoch, ver, seq, pruned_to, pruned_epoch, rows, refused,"
                     " refused_pruned FROM meta",
    [SQL_META_PUT] =
        "INSERT OR REPLACE INTO meta VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_TOTAL_GET] =
        "SELECT epoch, ver, state, minute, minute_calls, minute_tokens, sum,"
        " line FROM total WHERE hour = ?1 AND series = ?2",
    [SQL_TOTAL_PUT] = "INSERT OR REPLACE INTO total"
                      " VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10)",
    [SQL_TOTAL_NEXT] = "SELECT ver, sum, line FROM total WHERE state = 0 ORDER BY ver",
    [SQL_TOTAL_ALL] = "SELECT ver, sum, line FROM total",
    [SQL_TOTAL_MARK] = "UPDATE total SET state = ?1"
                       " WHERE state = 0 AND ver BETWEEN ?2 AND ?3",
    [SQL_TOTAL_OFFER] = "UPDATE total SET state = 0 WHERE state = 2",
    [SQL_TOTAL_WAITING] = "SELECT count(*) FROM total WHERE state = 0",
    [SQL_TOTAL_PRUNE] = "DELETE FROM total WHERE (hour, series) IN (SELECT hour, series"
                        " FROM total WHERE hour < ?1 AND touched < ?2 AND state = ?3"
                        " LIMIT 1000)",
    [SQL_POSITION_PUT] = "INSERT OR REPLACE INTO position VALUES(?1, ?2, ?3, ?4)",
    [SQL_POSITION_DROP] = "DELETE FROM position WHERE key = ?1",
    [SQL_POSITION_ALL] = "SELECT key, path, offset, state FROM position",
    [SQL_DEDUP_PUT] = "INSERT INTO dedup(hash, hour, entry) VALUES(?1, ?2, ?3)",
    [SQL_DEDUP_ALL] = "SELECT hash, hour, entry FROM dedup ORDER BY id",
    [SQL_DEDUP_PRUNE_AGE] = "DELETE FROM dedup WHERE id IN"
                            " (SELECT id FROM dedup WHERE hour < ?1 LIMIT 4000)",
    [SQL_DEDUP_PRUNE_NUMBER] = "DELETE FROM dedup WHERE id IN (SELECT id FROM dedup"
                               " WHERE id <= (SELECT max(id) FROM dedup) - ?1"
                               " ORDER BY id LIMIT 4000)",
    [SQL_VALUE_PUT] = "INSERT OR REPLACE INTO value VALUES(?1, ?2)",
    [SQL_VALUE_GET] = "SELECT value FROM value WHERE name = ?1",
    [SQL_PAGES_USED] = "SELECT (SELECT page_count FROM pragma_page_count())"
                       " - (SELECT freelist_count FROM pragma_freelist_count())",
    [SQL_SHRINK] = "PRAGMA incremental_vacuum(1000)",
};

/* What the system said: SQLite notes it for some failures, for others errno has it. */
static bool no_room(int os)
{
    return os == ENOSPC || os == EDQUOT || os == EFBIG;
}

static enum status status_of(sqlite3 *sql, int rc)
{
    int now = errno, os = sql ? sqlite3_system_errno(sql) : 0;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ST_OK;
    case SQLITE_NOMEM:
        return ST_NOMEM;
    case SQLITE_FULL:
        return ST_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ST_BAD;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ST_BUSY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return ST_DENIED;
    case SQLITE_IOERR: /* not every write error becomes SQLITE_FULL: EFBIG, a late sync */
        return no_room(now) || no_room(os) ? ST_FULL : ST_IO;
    case SQLITE_CANTOPEN:
        if (no_room(os))
            return ST_FULL;
        return os == EACCES || os == EPERM || os == EROFS ? ST_DENIED : ST_IO;
    default:
        return ST_IO;
    }
}

static enum status status_of_errno(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ST_DENIED;
    case ENOSPC:
    case EDQUOT:
        return ST_FULL;
    default:
        return ST_IO;
    }
}

/* Logged once until something succeeds: a full disk is met at every try. */
static enum status failed(struct spool_db *db, const char *doing, int rc)
{
    int os = errno, kind = rc & 0xff;
    enum status st = status_of(db->sql, rc);
    if (os == 0 && db->sql)
        os = sqlite3_system_errno(db->sql);
    if (kind != SQLITE_IOERR && kind != SQLITE_CANTOPEN)
        os = 0;
    if (st != ST_OK && db->complained != rc) {
        db->complained = rc;
        log_error(db->log, "%s: %s: %s%s%s", db->path, doing, sqlite3_errstr(rc),
                  os ? ": " : "", os ? strerror(os) : "");
    }
    return st;
}

static enum status exec(struct spool_db *db, const char *text)
{
    errno = 0;
    return failed(db, text, sqlite3_exec(db->sql, text, NULL, NULL, NULL));
}

/* The first column of the first row. */
static enum status query(struct spool_db *db, const char *text, int64_t *number,
                         struct buf *words)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->sql, text, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && number)
        *number = sqlite3_column_int64(st, 0);
    if (rc == SQLITE_ROW && words)
        buf_adds(words, (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return status_of(db->sql, rc);
}

static enum status take_lock(struct spool_db *db)
{
    struct buf name = { 0 };
    enum status st = ST_OK;
    buf_addf(&name, "%s.lock", db->path);
    db->lock_fd = open(buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0) {
        st = status_of_errno();
        log_error(db->log, "%s: cannot open the lock file: %s", buf_cstr(&name),
                  strerror(errno));
    } else if (flock(db->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        st = errno == EWOULDBLOCK ? ST_EXISTS : ST_IO;
        log_error(db->log, "%s: %s", db->path,
                  st == ST_EXISTS ? "in use by another agent; stop that one, or give this"
                                    " one a state_dir of its own"
                                  : strerror(errno));
    }
    buf_release(&name);
    return st;
}

static int note_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
    struct spool_db *db = arg;
    (void)sql;
    (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static enum status connect_file(struct spool_db *db)
{
    /* Created here for its mode; SQLite takes an empty file for a new one. */
    int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum status st = status_of_errno();
        log_error(db->log, "%s: cannot open: %s", db->path, strerror(errno));
        return st;
    }
    close(fd);
    int rc = sqlite3_open_v2(
        db->path, &db->sql,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (rc != SQLITE_OK)
        return failed(db, "open", rc);
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, 2000);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_LOOKASIDE, NULL, 128, 100);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_wal_hook(db->sql, note_wal, db); /* replaces automatic checkpoints */
    return ST_OK;
}

static enum status exec_all(struct spool_db *db, const char *const *text, size_t n)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < n && st == ST_OK; i++)
        st = exec(db, text[i]);
    return st;
}

/* Tables and the row of meta in one transaction: a spool has both or neither. */
static enum status create_tables(struct spool_db *db, int64_t now_ms)
{
    static const char *const layout[] = { "PRAGMA page_size = 4096",
                                          "PRAGMA auto_vacuum = INCREMENTAL",
                                          "PRAGMA journal_mode = WAL", "BEGIN IMMEDIATE",
                                          schema };
    char marks[200];
    snprintf(marks, sizeof marks,
             "INSERT INTO meta VALUES(1, %lld, 0, 0, %lld, 0, 0, 0, 0);"
             "PRAGMA application_id = %d; PRAGMA user_version = %d",
             (long long)now_ms, (long long)INT64_MIN, APPLICATION_ID, SCHEMA_VERSION);
    enum status st = exec_all(db, layout, sizeof layout / sizeof *layout);
    if (st == ST_OK)
        st = exec(db, marks);
    if (st == ST_OK)
        st = exec(db, "COMMIT");
    if (st != ST_OK && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

/* Every total against its own sum: the check of SQLite sees structure, not digits. */
static enum status check_sums(struct spool_db *db)
{
    enum status st;
    sqlite3_stmt *q = spool_db_get(db, SQL_TOTAL_ALL);
    while ((st = spool_db_step(db, SQL_TOTAL_ALL)) == ST_OK) {
        uint64_t ver = (uint64_t)sqlite3_column_int64(q, 0);
        if (slice_hash(spool_db_blob(q, 2), ver) !=
            (uint64_t)sqlite3_column_int64(q, 1)) {
            log_error(db->log, "%s: the checksum of total ver %llu differs", db->path,
                      (unsigned long long)ver);
            sqlite3_reset(q);
            return ST_BAD;
        }
    }
    return st == ST_END ? ST_OK : st;
}

/* Ours, of our schema, whole? ST_BAD: damaged. */
static enum status check_file(struct spool_db *db, bool *fresh)
{
    int64_t id = 0, version = 0, tables = 0;
    struct buf words = { 0 };
    enum status st = query(db, "PRAGMA application_id", &id, NULL);
    if (st == ST_OK)
        st = query(db, "PRAGMA user_version", &version, NULL);
    if (st == ST_OK)
        st = query(db, "SELECT count(*) FROM sqlite_schema", &tables, NULL);
    *fresh = st == ST_OK && id == 0 && version == 0 && tables == 0;
    if (st != ST_OK || *fresh)
        return st;
    if (id != APPLICATION_ID) {
        log_error(db->log,
                  "%s: an SQLite file, but not a spool of breakeven-agent;"
                  " choose another state_dir",
                  db->path);
        return ST_DENIED;
    }
    if (version != SCHEMA_VERSION) {
        log_error(db->log,
                  "%s: schema version %lld, this agent knows %d; run the agent"
                  " that wrote it or a newer one",
                  db->path, (long long)version, SCHEMA_VERSION);
        return ST_LIMIT;
    }
    st = query(db, "PRAGMA quick_check(1)", NULL, &words);
    if (st == ST_OK && !slice_eq(buf_slice(&words), SLICE("ok"))) {
        log_error(db->log, "%s: %s", db->path, buf_cstr(&words));
        st = ST_BAD;
    }
    buf_release(&words);
    return st == ST_OK ? check_sums(db) : st;
}

static void disconnect(struct spool_db *db)
{
    for (int i = 0; i < SQL_N; i++)
        sqlite3_finalize(db->stmt[i]);
    memset(db->stmt, 0, sizeof db->stmt);
    sqlite3_close(db->sql);
    db->sql = NULL;
}

static enum status move_aside(struct spool_db *db, int64_t now_ms)
{
    static const char *const parts[] = { "", "-wal", "-shm" };
    struct buf from = { 0 }, to = { 0 };
    enum status st = ST_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && st == ST_OK; i++) {
        buf_reset(&from);
        buf_reset(&to);
        buf_addf(&from, "%s%s", db->path, parts[i]);
        buf_addf(&to, "%s.corrupt-%lld%s", db->path, (long long)now_ms, parts[i]);
        if (rename(buf_cstr(&from), buf_cstr(&to)) < 0 && errno != ENOENT) {
            log_error(db->log, "%s: cannot rename to %s: %s", buf_cstr(&from),
                      buf_cstr(&to), strerror(errno));
            st = ST_IO;
        }
    }
    if (st == ST_OK)
        log_warn(db->log, "%s: damaged; kept as %s.corrupt-%lld, and a new spool begun",
                 db->path, db->path, (long long)now_ms);
    buf_release(&from);
    buf_release(&to);
    return st;
}

/* The first group changes nothing in the file, which may not be ours. */
static enum status open_checked(struct spool_db *db, int64_t now_ms)
{
    bool fresh = false;
    /* First of all, or the log's index would be a file in shared memory. */
    static const char *const reading[] = {
        "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA cache_size = -256",
        "PRAGMA temp_store = MEMORY",      "PRAGMA trusted_schema = OFF",
        "PRAGMA synchronous = FULL",       "PRAGMA cell_size_check = ON",
    };
    static const char *const writing[] = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA journal_size_limit = 4194304",
    };
    enum status st = connect_file(db);
    if (st == ST_OK)
        st = exec_all(db, reading, sizeof reading / sizeof *reading);
    if (st == ST_OK)
        st = check_file(db, &fresh);
    if (st == ST_OK && fresh)
        st = create_tables(db, now_ms);
    if (st == ST_OK)
        st = exec_all(db, writing, sizeof writing / sizeof *writing);
    return st;
}

enum status spool_db_open(struct spool_db *db, const char *path, int64_t now_ms,
                          bool replace_damaged, const struct log *log)
{
    *db = (struct spool_db){ .log = log, .path = strdup(path), .lock_fd = -1 };
    if (!db->path)
        return ST_NOMEM;
    enum status st = take_lock(db);
    if (st == ST_OK)
        st = open_checked(db, now_ms);
    if (st != ST_BAD)
        return st;
    if (!replace_damaged) {
        log_error(
            log,
            "%s: the spool is damaged and was left as it is. Restore it, or run once"
            " with --replace-damaged-spool: it is then kept as .corrupt-<time> with"
            " the totals that were not shipped, and log files are followed from"
            " their ends under a new epoch",
            path);
        return ST_BAD;
    }
    disconnect(db);
    st = move_aside(db, now_ms);
    return st == ST_OK ? open_checked(db, now_ms) : st;
}

void spool_db_close(struct spool_db *db)
{
    if (db->sql) {
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
        disconnect(db);
    }
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    free(db->path);
    *db = (struct spool_db){ .lock_fd = -1 };
}

sqlite3_stmt *spool_db_get(struct spool_db *db, enum spool_sql which)
{
    sqlite3_stmt **st = &db->stmt[which];
    if (!*st) {
        int rc = sqlite3_prepare_v3(db->sql, sql_text[which], -1,
                                    SQLITE_PREPARE_PERSISTENT, st, NULL);
        if (rc != SQLITE_OK)
            failed(db, sql_text[which], rc);
    }
    sqlite3_reset(*st);
    sqlite3_clear_bindings(*st);
    return *st;
}

enum status spool_db_step(struct spool_db *db, enum spool_sql which)
{
    sqlite3_stmt *st = db->stmt[which];
    if (!st)
        return ST_NOMEM;
    errno = 0;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return ST_OK;
    enum status failure = failed(db, sql_text[which], rc);
    sqlite3_reset(st);
    return failure == ST_OK ? ST_END : failure;
}

enum status spool_db_run(struct spool_db *db, enum spool_sql which)
{
    enum status st;
    do
        st = spool_db_step(db, which);
    while (st == ST_OK);
    return st == ST_END ? ST_OK : st;
}

enum status spool_db_max(struct spool_db *db, uint64_t max_bytes)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA max_page_count = %llu",
             (unsigned long long)(max_bytes / SPOOL_PAGE));
    return exec(db, text);
}

void spool_db_checkpoint(struct spool_db *db, int pages)
{
    if (db->wal_pages < pages || db->wal_pages == 0)
        return;
    int rc =
        sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK)
        db->wal_pages = 0;
    else
        log_warn(db->log, "%s: checkpoint: %s", db->path, sqlite3_errmsg(db->sql));
}

struct slice spool_db_blob(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    return slice_of(p, (size_t)sqlite3_column_bytes(st, at));
}

void spool_db_bind(sqlite3_stmt *st, int at, struct slice blob)
{
    sqlite3_bind_blob64(st, at, blob.n ? blob.p : "", blob.n, SQLITE_STATIC);
}
