/*
 * Borrowed bytes: pointer and length, no NUL, no ownership. Whoever hands a slice out
 * says how long it lives. An empty slice may have p == NULL. Every helper accepts any
 * bytes.
 */
#ifndef BREAKEVEN_SLICE_H
#define BREAKEVEN_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

/* A slice of a string literal, as an expression. */
#define SLICE(lit) ((struct slice){ (lit), sizeof(lit) - 1 })
/* Arguments for "%.*s". */
#define SLICE_FMT(s) (int)(s).n, (s).n ? (s).p : ""

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){ p, n };
}

/* Of a NUL-terminated string; NULL gives an empty slice. */
static inline struct slice slice_str(const char *s)
{
    return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

/* The bytes from `at` on; empty when at >= s.n. */
static inline struct slice slice_from(struct slice s, size_t at)
{
    return at < s.n ? (struct slice){ s.p + at, s.n - at } : (struct slice){ s.p, 0 };
}

/* The first n bytes, or all. */
static inline struct slice slice_head(struct slice s, size_t n)
{
    return (struct slice){ s.p, n < s.n ? n : s.n };
}

bool slice_ieq(struct slice a, struct slice b);          /* ASCII case folded */
bool slice_istarts(struct slice s, struct slice prefix); /* ASCII case folded */
int slice_cmp(struct slice a, struct slice b);           /* memcmp order, shorter first */

/* Offset of the first `needle` (or byte) in s, or SIZE_MAX. */
size_t slice_find(struct slice s, struct slice needle);
size_t slice_chr(struct slice s, char c);

/* Without leading and trailing space, tab, CR and LF. */
struct slice slice_trim(struct slice s);

/*
 * Cut at the first `c`: *head gets what stands before it, *rest what follows, and the
 * result is true. Without `c`: *head is all of s, *rest is empty, false. `head` or `rest`
 * may point to s's own variable.
 */
bool slice_cut(struct slice s, char c, struct slice *head, struct slice *rest);

/*
 * The whole slice as a decimal number: digits only, at least one; false on anything else
 * and on overflow. The only way a number comes from a wire (docs/architecture.md,
 * Numbers).
 */
bool slice_u64(struct slice s, uint64_t *out);
bool slice_i64(struct slice s, int64_t *out); /* the same with an optional '-' */

/* Length of the valid UTF-8 sequence (RFC 3629) that s begins with: 1..4, or 0. */
size_t slice_utf8(struct slice s);

/* Is all of s valid UTF-8, and at most `most` bytes of it? */
bool slice_is_text(struct slice s, size_t most);

/*
 * The same for a sequence that may stand on a terminal as it is: 0 too for controls (C0,
 * DEL, C1), line separators and marks that turn the direction of writing.
 */
size_t slice_printable(struct slice s);

/* 64-bit hash (XXH3) with a seed: seed per process where keys come from outside. */
uint64_t slice_hash(struct slice s, uint64_t seed);

#endif
