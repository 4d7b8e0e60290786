/*
 * The inside of JSON strings: what json.c, json_text.c and nobody else needs to know
 * about escapes and quotes.
 */
#ifndef BREAKEVEN_JSON_TEXT_H
#define BREAKEVEN_JSON_TEXT_H

#include "common/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* First '"' or '\\' at or after p: inside a string that is passed over. */
static inline const char *json_skip_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int mask = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* First '"', '\\' or control byte at or after p. */
static inline const char *json_string_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  low = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, low), v));
        int mask = _mm_movemask_epi8(hit);
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* What "\c" stands for, or 0. */
char json_simple_escape(char c);
/* 0..15, or -1. */
int json_hex_value(char c);
/* UTF-8 of a code point; returns its length. */
size_t json_put_utf8(uint32_t code, char out[4]);

#endif
