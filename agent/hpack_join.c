/* A ring of the entries added since the join: see hpack_join.h. */
#include "agent/hpack_join.h"

#include "common/buf.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

enum { STATIC = 61, INT_MAX_BYTES = 5 };
enum { INDEXED = 0x80, INCREMENTAL = 0x40, RESIZE = 0x20, LITERAL_PREFIX = 15 };

struct entry {
    char *p; /* name, then value; NULL: unknown */
    size_t name, value;
};

struct hpack_join {
    struct entry at[HPACK_JOIN_ENTRIES];
    uint64_t first, next; /* insertions that are remembered */
    size_t bytes;
    struct buf one; /* the field at hand, rewritten */
};

struct hpack_join *hpack_join_new(void)
{
    return calloc(1, sizeof(struct hpack_join));
}

/* --- the table ------------------------------------------------------------------------
 */

static struct entry *slot(struct hpack_join *j, uint64_t insertion)
{
    return &j->at[insertion % HPACK_JOIN_ENTRIES];
}

static void forget_oldest(struct hpack_join *j)
{
    struct entry *e = slot(j, j->first++);
    j->bytes -= e->name + e->value;
    free(e->p);
    *e = (struct entry){ .p = NULL };
}

void hpack_join_free(struct hpack_join *j)
{
    if (!j)
        return;
    while (j->first < j->next)
        forget_oldest(j);
    buf_release(&j->one);
    free(j);
}

/* The entry of an index beyond the static table; NULL: it is older than we are. */
static const struct entry *known(struct hpack_join *j, uint32_t index)
{
    uint64_t age = index - STATIC - 1;
    const struct entry *e = age < j->next - j->first ? slot(j, j->next - 1 - age) : NULL;
    return e && e->p ? e : NULL;
}

/* name.p NULL: it was added, but what it is remains unknown. */
static void insert(struct hpack_join *j, struct slice name, struct slice value)
{
    struct entry e = { .p = NULL };
    size_t n = name.n + value.n;
    if (j->next - j->first == HPACK_JOIN_ENTRIES)
        forget_oldest(j);
    if (name.p && n <= HPACK_JOIN_BYTES)
        e.p = malloc(n + 1);
    if (e.p) {
        memcpy(e.p, name.p, name.n);
        if (value.n)
            memcpy(e.p + name.n, value.p, value.n);
        e.name = name.n;
        e.value = value.n;
    }
    *slot(j, j->next++) = e;
    j->bytes += e.name + e.value;
    while (j->bytes > HPACK_JOIN_BYTES)
        forget_oldest(j);
}

/* --- the grammar ----------------------------------------------------------------------
 */

/* An integer with a prefix of so many bits (5.1). */
static bool integer(struct slice *in, unsigned bits, uint32_t *out)
{
    uint32_t full = (1u << bits) - 1;
    if (!in->n)
        return false;
    uint64_t v = (unsigned char)in->p[0] & full;
    bool more = v == full;
    *in = slice_from(*in, 1);
    for (unsigned i = 0; more && i < INT_MAX_BYTES && in->n; i++) {
        unsigned char c = (unsigned char)in->p[0];
        *in = slice_from(*in, 1);
        v += (uint64_t)(c & 0x7f) << 7 * i;
        more = c & 0x80;
    }
    *out = (uint32_t)v;
    return !more && v <= INT32_MAX;
}

/* A string as it stands, its length before it (5.2). */
static bool string(struct slice *in, struct slice *out)
{
    struct slice from = *in;
    uint32_t n;
    if (!integer(in, 7, &n) || n > in->n)
        return false;
    *in = slice_from(*in, n);
    *out = slice_head(from, from.n - in->n);
    return true;
}

static void add_length(struct buf *b, size_t n)
{
    if (n < 0x7f) {
        buf_addc(b, (char)n);
        return;
    }
    buf_addc(b, 0x7f);
    for (n -= 0x7f; n >= 0x80; n >>= 7)
        buf_addc(b, (char)(0x80 | (n & 0x7f)));
    buf_addc(b, (char)n);
}

/* --- fields ---------------------------------------------------------------------------
 */

struct reading {
    struct hpack_join *j;
    nghttp2_hd_inflater *hd;
    hpack_join_fn *emit;
    void *arg;
    size_t unknown;
};

/* j->one is a block of one field that speaks of no dynamic entry. */
static bool inflate(struct reading *r, bool added)
{
    struct slice in = buf_slice(&r->j->one);
    bool seen = false;
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t n =
            nghttp2_hd_inflate_hd2(r->hd, &nv, &flags, (const uint8_t *)in.p, in.n, 1);
        if (n < 0)
            return false;
        in = slice_from(in, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            struct slice name = slice_of(nv.name, nv.namelen);
            struct slice value = slice_of(nv.value, nv.valuelen);
            if (added)
                insert(r->j, name, value);
            r->emit(r->arg, name, value);
            seen = true;
        } else if (!(flags & NGHTTP2_HD_INFLATE_FINAL) && !in.n) {
            return false;
        }
    }
    return nghttp2_hd_inflate_end_headers(r->hd) == 0 && seen;
}

static bool indexed(struct reading *r, struct slice *in)
{
    uint32_t index;
    if (!integer(in, 7, &index) || !index)
        return false;
    if (index <= STATIC) {
        buf_addc(&r->j->one, (char)(INDEXED | index));
        return inflate(r, false);
    }
    const struct entry *e = known(r->j, index);
    if (e)
        r->emit(r->arg, slice_of(e->p, e->name), slice_of(e->p + e->name, e->value));
    r->unknown += !e;
    return true;
}

/* Rewritten to a literal without indexing (6.2.2). */
static bool literal(struct reading *r, struct slice *in)
{
    struct buf *b = &r->j->one;
    bool added = (unsigned char)in->p[0] & INCREMENTAL;
    struct slice name = { NULL, 0 }, value;
    const struct entry *e = NULL;
    uint32_t index;
    if (!integer(in, added ? 6 : 4, &index) || (!index && !string(in, &name)) ||
        !string(in, &value))
        return false;
    if (index > STATIC && !(e = known(r->j, index))) {
        r->unknown++;
        if (added)
            insert(r->j, slice_of(NULL, 0), value);
        return true;
    }
    if (index && index <= STATIC) {
        buf_addc(b, (char)(index < LITERAL_PREFIX ? index : LITERAL_PREFIX));
        if (index >= LITERAL_PREFIX)
            buf_addc(b, (char)(index - LITERAL_PREFIX));
    } else {
        buf_addc(b, 0);
        if (e) {
            add_length(b, e->name);
            buf_add(b, slice_of(e->p, e->name));
        } else {
            buf_add(b, name);
        }
    }
    buf_add(b, value);
    return b->st == ST_OK && inflate(r, added);
}

bool hpack_join_block(struct hpack_join *j, struct nghttp2_hd_inflater *hd,
                      struct slice in, hpack_join_fn *emit, void *arg, size_t *unknown)
{
    struct reading r = { j, hd, emit, arg, 0 };
    bool ok = true;
    while (ok && in.n) {
        unsigned char c = (unsigned char)in.p[0];
        uint32_t size;
        buf_reset(&j->one);
        if (c & INDEXED)
            ok = indexed(&r, &in);
        else if (c & INCREMENTAL || !(c & RESIZE))
            ok = literal(&r, &in);
        else
            ok = integer(&in, 5, &size);
    }
    *unknown = r.unknown;
    return ok;
}
