/*
 * The inner loops of the walk over a whole JSON text (record.c) and of the table of
 * recent calls (dedup.c): where a string ends, where a passed-over value turns, do these
 * few bytes stand here. Each as plain C and 16 or 32 bytes at a time; tests hold the two
 * against each other.
 *
 * Bounds are exact: no byte at or behind `end` is read. Refuses: to know JSON.
 */
#ifndef BREAKEVEN_BYTES_H
#define BREAKEVEN_BYTES_H

#include "common/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BYTES_SAME = 32 /* longest text that bytes_same compares */ };

/* First '"' or '\\' at or after p, or end. */
static inline const char *bytes_quote_plain(const char *p, const char *end)
{
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* First quote or bracket at or after p, or end; '[' and '{', ']' and '}' differ in one
 * bit. */
static inline const char *bytes_bracket_plain(const char *p, const char *end)
{
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* Bit i: the byte at p[i] is c, of 16. */
static inline unsigned bytes_equal_plain(const void *p, unsigned char c)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < 16; i++)
        hits |= (unsigned)(((const unsigned char *)p)[i] == c) << i;
    return hits;
}

#ifdef __SSE2__

static inline unsigned bytes_equal(const void *p, unsigned char c)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)c)));
}

static inline __m128i bytes_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline unsigned bytes_quotes(const char *p)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    __m128i v = bytes_load(p);
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
}

static inline const char *bytes_quote(const char *p, const char *end)
{
    for (; end - p >= 32; p += 32) { /* most strings end in the first round */
        unsigned hits = bytes_quotes(p) | bytes_quotes(p + 16) << 16;
        if (hits)
            return p + __builtin_ctz(hits);
    }
    for (; end - p >= 16; p += 16) {
        unsigned hits = bytes_quotes(p);
        if (hits)
            return p + __builtin_ctz(hits);
    }
    return bytes_quote_plain(p, end);
}

static inline const char *bytes_bracket(const char *p, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), open = _mm_set1_epi8('{'),
                  shut = _mm_set1_epi8('}'), bit = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        __m128i v = bytes_load(p), up = _mm_or_si128(v, bit);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(up, open), _mm_cmpeq_epi8(up, shut));
        int mask = _mm_movemask_epi8(_mm_or_si128(hit, _mm_cmpeq_epi8(v, quote)));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
    return bytes_bracket_plain(p, end);
}

/* Do the first n (1 to 32) of the 32 bytes at `text` stand at p, `room` bytes readable?
 */
static inline bool bytes_same(const char *p, size_t room, const char *text, unsigned n)
{
    if (room < BYTES_SAME)
        return room >= n && !memcmp(p, text, n);
    unsigned same =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes_load(p), bytes_load(text))) |
        (unsigned)_mm_movemask_epi8(
            _mm_cmpeq_epi8(bytes_load(p + 16), bytes_load(text + 16)))
            << 16;
    return !(~same << (BYTES_SAME - n));
}

#else

static inline unsigned bytes_equal(const void *p, unsigned char c)
{
    return bytes_equal_plain(p, c);
}

static inline const char *bytes_quote(const char *p, const char *end)
{
    return bytes_quote_plain(p, end);
}

static inline const char *bytes_bracket(const char *p, const char *end)
{
    return bytes_bracket_plain(p, end);
}

static inline bool bytes_same(const char *p, size_t room, const char *text, unsigned n)
{
    return room >= n && !memcmp(p, text, n);
}

#endif
#endif
