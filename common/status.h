/*
 * The one result type of the house. A function that can fail returns enum status and
 * hands its result out through the last pointer. Bad input is a result (counted, with a
 * reason), never an assert: asserts state our own invariants only.
 */
#ifndef BREAKEVEN_STATUS_H
#define BREAKEVEN_STATUS_H

enum status {
    ST_OK = 0,
    ST_MORE,  /* not an error: the input ends inside a unit, feed more */
    ST_END,   /* not an error: nothing is left */
    ST_NOMEM, /* the allocator or the ceiling of an arena or buf said no */
    ST_LIMIT, /* a configured limit was hit; the unit at hand is skipped and counted */
    ST_BAD,   /* input outside its grammar; the caller has the offset and a reason */
    ST_NOT_FOUND, /* no such file, row, model or key */
    ST_EXISTS,    /* already there, or held by another process */
    ST_IO,        /* read, write, sync or socket error; errno or the library says which */
    ST_FULL,      /* disk full, or quota */
    ST_BUSY,      /* try again later */
    ST_DENIED,    /* no permission, or a wrong token */
    ST_CONFIG,    /* the configuration is wrong; already explained as file:line; exit 2 */
};

/* Lower-case name for logs and JSON; "unknown" for a value outside the enum. */
const char *status_name(enum status st);

#endif
