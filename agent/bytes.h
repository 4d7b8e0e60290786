/*
 * The inner loops of the walk over a whole JSON text (record.c, quotes.c) and of the
 * table of recent calls (dedup.c): which of 16 bytes are these, where does a passed-over
 * value turn, do these few bytes stand here. Each as plain C and 16 or 32 bytes at a
 * time; tests hold the two against each other.
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

/* First quote or bracket at or after p, or end; '[' and '{', ']' and '}' differ in one
 * bit. */
static inline const char *bytes_bracket_plain(const char *p, const char *end)
{
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

/* Bit i: the byte at p[i] is c, of 16. */
static inline uint32_t bytes_equal_plain(const void *p, unsigned char c)
{
    uint32_t hits = 0;
    for (unsigned i = 0; i < 16; i++)
        hits |= (uint32_t)(((const unsigned char *)p)[i] == c) << i;
    return hits;
}

/* Bit i: the byte at p[i] is a quote or a backslash, of 16. */
static inline uint32_t bytes_quotes_plain(const char *p)
{
    return bytes_equal_plain(p, '"') | bytes_equal_plain(p, '\\');
}

#ifdef __SSE2__

static inline uint32_t bytes_equal(const void *p, unsigned char c)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)c)));
}

static inline __m128i bytes_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline uint32_t bytes_quotes(const char *p)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    __m128i v = bytes_load(p);
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
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

static inline uint32_t bytes_equal(const void *p, unsigned char c)
{
    return bytes_equal_plain(p, c);
}

static inline uint32_t bytes_quotes(const char *p)
{
    return bytes_quotes_plain(p);
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
