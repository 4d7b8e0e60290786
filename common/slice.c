/* Borrowed bytes: see slice.h. */
#include "common/slice.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static unsigned char fold(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

bool slice_ieq(struct slice a, struct slice b)
{
    return a.n == b.n && slice_istarts(a, b);
}

bool slice_istarts(struct slice s, struct slice prefix)
{
    if (s.n < prefix.n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (fold(s.p[i]) != fold(prefix.p[i]))
            return false;
    return true;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

size_t slice_find(struct slice s, struct slice needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t slice_chr(struct slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool slice_cut(struct slice s, char c, struct slice *head, struct slice *rest)
{
    size_t at = slice_chr(s, c);
    *head = slice_head(s, at);
    *rest = at == SIZE_MAX ? slice_of(s.p, 0) : slice_from(s, at + 1);
    return at != SIZE_MAX;
}

bool slice_u64(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, d, &v))
            return false;
    }
    *out = v;
    return true;
}

bool slice_i64(struct slice s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;
    if (!slice_u64(minus ? slice_from(s, 1) : s, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

size_t slice_utf8(struct slice s)
{
    const unsigned char *u = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    size_t n = u[0] >= 0xc2 && u[0] <= 0xdf   ? 2
               : (u[0] & 0xf0) == 0xe0        ? 3
               : u[0] >= 0xf0 && u[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

bool slice_is_text(struct slice s, size_t most)
{
    if (s.n > most)
        return false;
    for (size_t n; s.n; s = slice_from(s, n))
        if ((n = slice_utf8(s)) == 0)
            return false;
    return true;
}

size_t slice_printable(struct slice s)
{
    const unsigned char *u = (const unsigned char *)s.p;
    size_t n = slice_utf8(s);
    if (n == 1)
        return u[0] >= 0x20 && u[0] != 0x7f;
    if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0)
        return 0; /* U+0080..009F */
    if (n == 3 && u[0] == 0xe2 &&
        ((u[1] == 0x80 &&
          (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae))) ||
         (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)))
        return 0; /* U+200E, 200F, 2028..202E, 2066..2069 */
    return n;
}

uint64_t slice_hash(struct slice s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.n ? s.p : "", s.n, seed);
}
