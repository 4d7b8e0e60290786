/* Growable byte builder: see buf.h. */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

char *buf_room(struct buf *b, size_t n)
{
    if (b->st != ST_OK)
        return NULL;
    if (n > SIZE_MAX / 4 - b->n || (b->limit && n > b->limit - b->n)) {
        b->st = ST_LIMIT;
        return NULL;
    }
    if (b->cap - b->n < n) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap - b->n < n)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->st = ST_NOMEM;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, struct slice s)
{
    char *p = s.n ? buf_room(b, s.n) : NULL;
    if (p) {
        memcpy(p, s.p, s.n);
        b->n += s.n;
    }
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, slice_str(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, slice_of(&c, 1));
}

void buf_addu(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, slice_of(digits + at, sizeof digits - at));
}

void buf_addi(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_addc(b, '-');
    buf_addu(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n >= 0 ? buf_room(b, (size_t)n + 1) : NULL;
    if (p) {
        vsnprintf(p, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void buf_add_csv(struct buf *b, struct slice s)
{
    bool formula = s.n && memchr("=+-@\t\r", s.p[0], 6), quote = formula;
    for (size_t i = 0; i < s.n && !quote; i++)
        quote = memchr(",\"\r\n", s.p[i], 4);
    if (!quote) {
        buf_add(b, s);
        return;
    }
    buf_adds(b, formula ? "\"'" : "\"");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_addc(b, '"');
        buf_addc(b, s.p[i]);
    }
    buf_addc(b, '"');
}

void buf_shift(struct buf *b, size_t n)
{
    if (n > b->n)
        n = b->n;
    if (n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->st = ST_OK;
}

void buf_wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->p, b->cap);
    buf_reset(b);
}

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ .limit = b->limit };
}

const char *buf_cstr(struct buf *b)
{
    if (!b->st && buf_room(b, 1))
        b->p[b->n] = '\0';
    return b->st ? "" : b->p;
}
