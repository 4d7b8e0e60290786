/*
 * Inside of the SQLite engine: one writing connection that also checkpoints, a small pool
 * of read-only ones, the dictionaries of series and sources in memory. Shared by
 * store_sqlite.c (open, pool, retention), store_sqlite_put.c and store_sqlite_read.c;
 * nobody else includes it.
 */
#ifndef BREAKEVEN_STORE_SQLITE_H
#define BREAKEVEN_STORE_SQLITE_H

#include "collector/dict.h"
#include "collector/migrate.h"
#include "collector/store.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SQLITE_READERS = 4,
    SERIES_PARTS = STORE_AGENT, /* the dimensions that are part of a series */
    SOURCE_PARTS = 2,           /* agent, epoch */
    CHECKPOINT_PAGES = 1000,    /* passive beyond this */
    TRUNCATE_PAGES = 16000,     /* 64 MiB: try to give the space back */
};

/* Statements of the writing connection, prepared once. */
enum write_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_HOUR_GET,
    SQL_HOUR_PUT,
    SQL_DAY_ADD,
    SQL_SERIES_PUT,
    SQL_SOURCE_PUT,
    SQL_AGENT_PUT,
    SQL_META_PUT,
    SQL_RECORD_PUT,
    SQL_RECORD_TRIM,
    SQL_HOUR_PRUNE,
    SQL_N
};

struct store_sqlite {
    struct store base;
    const struct log *log;
    int64_t retention_s;
    bool read_only;
    int lock_fd;
    char *path;

    struct dict *series, *source;
    atomic_uint fields;     /* bit f: some row ever had v[f] > 0 */
    _Atomic int64_t pruned; /* hours before this are gone and refused */
    pthread_mutex_t load;   /* read-only: one refresh of the dictionaries at a time */

    pthread_mutex_t write; /* around everything below */
    sqlite3 *db;
    sqlite3_stmt *sql[SQL_N];
    struct dict_entry **fresh; /* inserted by the open transaction */
    size_t fresh_n, fresh_cap;
    int wal_pages;
    unsigned fields_stored; /* `fields` as the file has it */

    pthread_mutex_t pool;
    pthread_cond_t pool_free;
    sqlite3 *reader[SQLITE_READERS];
    bool reader_busy[SQLITE_READERS];
};

static inline struct store_sqlite *store_sqlite_of(struct store *s)
{
    return (struct store_sqlite *)(void *)s;
}

/* Borrow a read-only connection with an open read transaction (waits for one); NULL when
 * it cannot be opened. Give it back in any case. */
sqlite3 *store_reader_take(struct store_sqlite *s);
void store_reader_give(struct store_sqlite *s, sqlite3 *db);

/* Load entries that the dictionaries lack, and `fields`, through db. */
enum status store_load_names(struct store_sqlite *s, sqlite3 *db);

/* store_sqlite_put.c */
enum status store_write_prepare(struct store_sqlite *s);
enum status store_sqlite_put(struct store *base, const struct store_batch *batch,
                             size_t n, struct store_put *result);
enum status store_sqlite_record_put(struct store *base, const struct store_record *r,
                                    unsigned keep);
enum status store_sqlite_prune(struct store *base, int64_t now_s, bool *more);

/* store_sqlite_read.c */
enum status store_sqlite_scan(struct store *base, const struct store_query *q,
                              store_row_fn *fn, void *arg);
enum status store_sqlite_sketches(struct store *base, const struct store_query *q,
                                  struct sketch *duration, struct sketch *ttft);
enum status store_sqlite_days(struct store *base, int64_t from, int64_t to,
                              store_day_fn *fn, void *arg);
enum status store_sqlite_reach(struct store *base, int64_t from, uint64_t rows,
                               int64_t *hour);
enum status store_sqlite_values(struct store *base, enum store_dim d, store_value_fn *fn,
                                void *arg);
enum status store_sqlite_agents(struct store *base, store_agent_fn *fn, void *arg);
enum status store_sqlite_record_list(struct store *base, const char *kind,
                                     const char *key, unsigned newest,
                                     store_record_fn *fn, void *arg);
enum status store_sqlite_status(struct store *base, struct store_status *out);

#endif
