/* The ends of strings: see quotes.h. */
#include "agent/quotes.h"

const char *quotes_close_plain(const char *p, const char *end, bool *escaped)
{
    for (*escaped = false; p < end && *p != '"'; p++)
        if (*p == '\\') {
            *escaped = true;
            p++;
        }
    return p < end ? p : NULL;
}

/* Bit i: byte i of the 64 at p is c. */
static inline uint64_t block_equal(const char *p, unsigned char c)
{
    uint32_t low = bytes_equal(p, c) | bytes_equal(p + 16, c) << 16;
    uint32_t high = bytes_equal(p + 32, c) | bytes_equal(p + 48, c) << 16;
    return low | (uint64_t)high << 32;
}

/*
 * The bytes that a backslash escapes; *carry: is the first one, of this block and then of
 * the next? In a run of backslashes every other one escapes what follows. With the odd
 * places filled up, a subtraction carries from where a run begins to where it ends, and
 * tells its places by being as many steps away.
 */
static inline uint64_t escaped_by(uint64_t slash, uint64_t *carry)
{
    const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);
    uint64_t acts = slash & ~*carry;
    uint64_t turns = ((acts << 1 | odd) - acts) ^ odd;
    uint64_t escaped = turns ^ (slash | *carry);
    *carry = (turns & slash) >> 63;
    return escaped;
}

const char *quotes_close_far(const char *p, const char *end, bool *escaped)
{
    uint64_t carry = 0, any = 0;
    for (; end - p >= 64; p += 64) {
        uint64_t slash = block_equal(p, '\\');
        uint64_t quote = block_equal(p, '"') & ~escaped_by(slash, &carry);
        if (quote) {
            *escaped = any | (slash & ((quote & -quote) - 1));
            return p + __builtin_ctzll(quote);
        }
        any |= slash;
    }
    if (p + carry > end)
        return NULL;
    p = quotes_close_plain(p + carry, end, escaped);
    *escaped |= any != 0;
    return p;
}
