/*
 * Where a string of a JSON text ends, as it stands there. Most are short and escape
 * nothing: their quote is looked for at once. All others are read 64 bytes at a time, and
 * what is escaped is computed, not branched on, as no predictor guesses where the
 * backslashes of a prompt are: the bits of simdjson's first stage (Langdale and Lemire,
 * VLDB Journal 28, 2019), without a map to keep. Used by record.
 *
 * Bounds are exact: no byte at or behind `end` is read. Refuses: to know JSON.
 */
#ifndef BREAKEVEN_QUOTES_H
#define BREAKEVEN_QUOTES_H

#include "agent/bytes.h"

/* quotes_close by plain bytes, and by blocks for a string of any length. */
const char *quotes_close_plain(const char *p, const char *end, bool *escaped);
const char *quotes_close_far(const char *p, const char *end, bool *escaped);

/*
 * The closing quote of the string whose inside begins at p, or NULL: it does not end.
 * *escaped: there is a backslash in it.
 */
static inline const char *quotes_close(const char *p, const char *end, bool *escaped)
{
    if (end - p >= 32) {
        uint32_t hits = bytes_quotes(p) | bytes_quotes(p + 16) << 16;
        const char *first = p + (hits ? __builtin_ctz(hits) : 0);
        if (hits && *first == '"') {
            *escaped = false;
            return first;
        }
    }
    return quotes_close_far(p, end, escaped);
}

#endif
