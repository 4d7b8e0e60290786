/*
 * Growable byte builder with a sticky error: after a failed append every later one is a
 * no-op, and buf_status says so once, at the end. A zeroed struct is a valid empty buf
 * without a limit.
 */
#ifndef BREAKEVEN_BUF_H
#define BREAKEVEN_BUF_H

#include "common/slice.h"
#include "common/status.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t limit;   /* most bytes it may hold; 0 = no limit */
    enum status st; /* ST_OK, ST_NOMEM or ST_LIMIT */
};

/* Lend `n` more bytes of room at b->p + b->n, or NULL (sticky). */
char *buf_room(struct buf *b, size_t n);
void buf_add(struct buf *b, struct slice s);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addu(struct buf *b, uint64_t v); /* decimal */
void buf_addi(struct buf *b, int64_t v);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A field of CSV (RFC 4180), in quotes where it needs them. A leading = + - @ tab or CR is
 * a formula to a spreadsheet: ' goes before it. */
void buf_add_csv(struct buf *b, struct slice s);

/* Drop the first n bytes (at most all); moves the rest. */
void buf_shift(struct buf *b, size_t n);
/* Empty it and clear the error; the memory is kept. */
void buf_reset(struct buf *b);
/* The same, and what it held is zeroed: somebody's text or key. */
void buf_wipe(struct buf *b);
void buf_release(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->p, b->n };
}

/* The text as a NUL-terminated string ("" when empty or failed). Valid until the next
 * call. */
const char *buf_cstr(struct buf *b);

#endif
