/*
 * What spool.c (what comes in) and spool_out.c (what goes out: shipping, pruning) share.
 */
#ifndef BREAKEVEN_SPOOL_PRIVATE_H
#define BREAKEVEN_SPOOL_PRIVATE_H

#include "agent/spool.h"
#include "agent/spool_db.h"
#include "common/arena.h"

enum spool_state { STATE_WAITING, STATE_ACKED, STATE_REFUSED };

/* The one row of table meta: kept here, written with every transaction. */
struct meta {
    uint64_t epoch, ver, seq;
    int64_t pruned_to;     /* rows of hours before this may have been pruned … */
    uint64_t pruned_epoch; /* … while this was the newest epoch */
    uint64_t rows, refused, refused_pruned;
};

struct spool {
    struct spool_db db;
    struct spool_limits limits;
    struct meta meta, kept; /* as seen inside the transaction; as committed */
    bool open;              /* between begin and commit or rollback */
    enum status st;         /* first failure of the open transaction */
    bool full;              /* the last thing that was tried found no room */
    int64_t now_s;          /* of the open transaction */
    struct arena names;     /* behind names of a row being read */
    struct buf line, series;
};

/* Note the first failure of the open transaction and roll it back; ST_OK does nothing. */
enum status spool_fail(struct spool *s, enum status st);

/* Say that a stored total is damaged; ST_BAD. */
enum status spool_damaged(struct spool *s, const char *why);

#endif
