/*
 * `snapshot FILE`: a copy of the store for others to read (Grafana's SQLite source, a
 * notebook, a backup), beside a running server. The copy is made by VACUUM INTO through a
 * read-only connection: it never checkpoints, so it cannot meet the race of SQLite's
 * write-ahead log before 3.51.3 (docs/collector.md), and the copy has no log of its own.
 */
#include "collector/command.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char cmd_snapshot_usage[] =
    "usage: breakeven-collector snapshot FILE [--replace] [--config FILE]\n"
    "Copies the store into one read-only SQLite file, beside a running server or "
    "without\n"
    "one. A file that exists is left alone; --replace puts the new copy in its place at\n"
    "once.\n";

static enum status sql_failed(sqlite3 *db, const char *path, int rc, struct buf *why)
{
    buf_addf(why, "%s: %s", path, db ? sqlite3_errmsg(db) : "no memory");
    return rc == SQLITE_FULL ? ST_FULL : ST_IO;
}

/* Copy `from` into the new file `to`. */
static enum status copy(const char *from, const char *to, struct buf *why)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_open_v2(from, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, 10000);
        rc = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &q, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(q, 1, to, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    sqlite3_finalize(q);
    enum status st = rc == SQLITE_DONE ? ST_OK : sql_failed(db, from, rc, why);
    sqlite3_close(db);
    return st;
}

/* Is the copy whole? Better found now than when it is needed. */
static enum status verify(const char *path, struct buf *why)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    enum status st = ST_OK;
    if (rc != SQLITE_ROW) {
        st = sql_failed(db, path, rc, why);
    } else if (!slice_eq(slice_str((const char *)sqlite3_column_text(q, 0)),
                         SLICE("ok"))) {
        buf_addf(why, "the copy is damaged: %s", sqlite3_column_text(q, 0));
        st = ST_BAD;
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return st;
}

/* Durable and read-only under its own name. link(2) refuses one that is taken. */
static enum status publish(const char *fresh, const char *path, bool replace,
                           struct buf *why)
{
    mode_t mask = umask(0);
    umask(mask);
    int fd = open(fresh, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0 && fchmod(fd, 0444 & ~mask) == 0;
    if (ok)
        ok = replace ? rename(fresh, path) == 0 : link(fresh, path) == 0;
    if (!ok)
        buf_addf(why, "%s: %s%s", path, strerror(errno),
                 errno == EEXIST ? "; --replace takes its place" : "");
    if (fd >= 0)
        close(fd);
    return ok ? ST_OK : errno == EEXIST ? ST_EXISTS : ST_IO;
}

static enum status snapshot(const struct config *cf, const char *path, bool replace,
                            struct buf *why)
{
    char from[4096], fresh[4096];
    struct stat s;
    snprintf(from, sizeof from, "%s/breakeven.db", cf->data_dir);
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.%ld.new", path, (long)getpid()) >=
        sizeof fresh) {
        buf_addf(why, "the path is too long");
        return ST_BAD;
    }
    if (!replace && lstat(path, &s) == 0) {
        buf_addf(why, "%s: exists; --replace takes its place", path);
        return ST_EXISTS;
    }
    if (stat(from, &s) != 0) {
        buf_addf(why, "%s: %s", from, strerror(errno));
        return ST_NOT_FOUND;
    }
    enum status st = copy(from, fresh, why);
    if (st == ST_OK)
        st = verify(fresh, why);
    if (st == ST_OK)
        st = publish(fresh, path, replace, why);
    unlink(fresh);
    return st;
}

int cmd_snapshot(int argc, char **argv)
{
    const char *path = NULL;
    bool replace = false;
    const struct command_option options[] = { { "config", &path, NULL },
                                              { "replace", NULL, &replace } };
    struct config cf;
    struct arena a;
    struct buf why = { 0 };
    int words;
    if (!command_options(argc, argv, options, 2, &words) || words != 1) {
        fputs(cmd_snapshot_usage, stderr);
        return 2;
    }
    if (!command_config(path, &a, &cf))
        return 2;
    enum status st = snapshot(&cf, argv[1], replace, &why);
    if (st != ST_OK)
        fprintf(stderr, "breakeven-collector: snapshot: %s\n",
                why.n ? buf_cstr(&why) : status_name(st));
    buf_release(&why);
    arena_release(&a);
    return st == ST_OK ? 0 : 1;
}
