/* A ring of the entries of the dynamic table: see hpack.h. */
#include "agent/hpack.h"

#include "common/buf.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

enum { STATIC = 61, INT_MAX_BYTES = 5, ENTRY_COST = 32, RING_LEAST = 16 };
enum { INDEXED = 0x80, INCREMENTAL = 0x40, RESIZE = 0x20, LITERAL_PREFIX = 15 };

struct entry {
    char *p;              /* name, then value; NULL: unknown */
    uint32_t name, value; /* bytes that are kept */
    uint32_t cost;        /* of the size of the table (4.1) */
};

struct hpack {
    nghttp2_hd_inflater *strings; /* its own table stays empty */
    struct entry *ring;
    size_t slots;         /* a power of two */
    uint64_t first, next; /* insertions that are remembered */
    size_t bytes, limit;  /* of the table, as the encoder counts */
    bool whole, keep_all;
    struct buf one; /* the field at hand, rewritten */
};

struct hpack *hpack_new(bool keep_all)
{
    struct hpack *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->whole = true;
    h->keep_all = keep_all;
    h->limit = HPACK_TABLE_BYTES;
    if (nghttp2_hd_inflate_new(&h->strings) == 0)
        return h;
    free(h);
    return NULL;
}

/* --- the table ------------------------------------------------------------------------
 */

static struct entry *slot(struct hpack *h, uint64_t insertion)
{
    return &h->ring[insertion & (h->slots - 1)];
}

static void forget_oldest(struct hpack *h)
{
    struct entry *e = slot(h, h->first++);
    h->bytes -= e->cost;
    free(e->p);
    *e = (struct entry){ .p = NULL };
}

static void shrink_to(struct hpack *h, size_t bytes)
{
    while (h->bytes > bytes && h->first < h->next)
        forget_oldest(h);
}

void hpack_lose(struct hpack *h)
{
    while (h->first < h->next)
        forget_oldest(h);
    h->whole = false;
    h->limit = HPACK_TABLE_LOST;
}

void hpack_free(struct hpack *h)
{
    if (!h)
        return;
    hpack_lose(h);
    nghttp2_hd_inflate_del(h->strings);
    buf_release(&h->one);
    free(h->ring);
    free(h);
}

/* The entry of an index beyond the static table; NULL: it is not in there. */
static const struct entry *at(struct hpack *h, uint32_t index)
{
    uint64_t age = index - STATIC - 1;
    return age < h->next - h->first ? slot(h, h->next - 1 - age) : NULL;
}

static bool grow(struct hpack *h)
{
    size_t slots = h->slots ? 2 * h->slots : RING_LEAST;
    struct entry *ring = calloc(slots, sizeof *ring);
    if (!ring)
        return false;
    for (uint64_t i = h->first; i < h->next; i++)
        ring[i & (slots - 1)] = *slot(h, i);
    free(h->ring);
    h->ring = ring;
    h->slots = slots;
    return true;
}

bool hpack_is_credential(struct slice name)
{
    static const char *const words[] = { "auth", "cookie", "key", "secret" };
    static const char token[] = "token";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_find(name, slice_str(words[i])) != SIZE_MAX)
            return name.p[0] != ':';
    return name.n >= sizeof token - 1 &&
           slice_eq(slice_from(name, name.n - (sizeof token - 1)), SLICE(token));
}

/* Path and, of its query, what provider.c asks for. */
static size_t keep_path(char *to, struct slice path)
{
    struct slice query, one;
    slice_cut(path, '?', &one, &query);
    size_t n = one.n;
    char before = '?';
    memcpy(to, one.n ? one.p : "", one.n);
    while (query.n) {
        slice_cut(query, '&', &one, &query);
        if (!slice_starts(one, SLICE("model=")) &&
            !slice_starts(one, SLICE("deployment=")))
            continue;
        to[n++] = before;
        memcpy(to + n, one.p, one.n);
        n += one.n;
        before = '&';
    }
    return n;
}

static struct entry entry_of(const struct hpack *h, struct slice name, struct slice value)
{
    struct entry e = { .cost = (uint32_t)(name.n + value.n + ENTRY_COST) };
    bool path = slice_eq(name, SLICE(":path"));
    if (!h->keep_all && hpack_is_credential(name))
        value.n = 0;
    e.p = malloc(name.n + value.n + 1);
    if (!e.p)
        return e;
    memcpy(e.p, name.n ? name.p : "", name.n);
    e.name = (uint32_t)name.n;
    e.value = (uint32_t)value.n;
    if (path && !h->keep_all)
        e.value = (uint32_t)keep_path(e.p + name.n, value);
    else if (value.n)
        memcpy(e.p + name.n, value.p, value.n);
    return e;
}

/* name.p NULL: it was added, but what it is remains unknown. */
static bool insert(struct hpack *h, struct slice name, struct slice value)
{
    size_t cost = name.n + value.n + ENTRY_COST;
    shrink_to(h, cost < h->limit ? h->limit - cost : 0);
    if (cost > h->limit) /* empties the table, and is not an error (4.4) */
        return true;
    if (h->next - h->first == h->slots && !grow(h))
        return false;
    struct entry e = { .cost = ENTRY_COST };
    if (name.p)
        e = entry_of(h, name, value);
    *slot(h, h->next++) = e;
    h->bytes += e.cost;
    return !name.p || e.p;
}

static bool resize(struct hpack *h, uint32_t bytes)
{
    if (bytes > HPACK_TABLE_MOST)
        return false;
    h->limit = bytes;
    shrink_to(h, bytes);
    return true;
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
    struct hpack *h;
    hpack_fn *emit;
    void *arg;
    size_t unknown;
};

/* h->one is a block of one field that speaks of no dynamic entry. */
static bool inflate(struct reading *r, bool added)
{
    nghttp2_hd_inflater *hd = r->h->strings;
    struct slice in = buf_slice(&r->h->one);
    bool seen = false, kept = true;
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t n =
            nghttp2_hd_inflate_hd2(hd, &nv, &flags, (const uint8_t *)in.p, in.n, 1);
        if (n < 0)
            return false;
        in = slice_from(in, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            struct slice name = slice_of(nv.name, nv.namelen);
            struct slice value = slice_of(nv.value, nv.valuelen);
            if (added)
                kept = insert(r->h, name, value);
            r->emit(r->arg, name, value);
            seen = true;
        } else if (!(flags & NGHTTP2_HD_INFLATE_FINAL) && !in.n) {
            return false;
        }
    }
    return nghttp2_hd_inflate_end_headers(hd) == 0 && seen && kept;
}

/* An entry that must be there, unless something was lost. */
static bool dynamic(struct reading *r, uint32_t index, const struct entry **e)
{
    *e = at(r->h, index);
    if (*e && !(*e)->p)
        *e = NULL;
    return *e || !r->h->whole;
}

static bool indexed(struct reading *r, struct slice *in)
{
    const struct entry *e;
    uint32_t index;
    if (!integer(in, 7, &index) || !index)
        return false;
    if (index <= STATIC) {
        buf_addc(&r->h->one, (char)(INDEXED | index));
        return inflate(r, false);
    }
    if (!dynamic(r, index, &e))
        return false;
    if (e)
        r->emit(r->arg, slice_of(e->p, e->name), slice_of(e->p + e->name, e->value));
    r->unknown += !e;
    return true;
}

/* Rewritten to a literal without indexing (6.2.2). */
static bool literal(struct reading *r, struct slice *in)
{
    struct buf *b = &r->h->one;
    bool added = (unsigned char)in->p[0] & INCREMENTAL;
    struct slice name = { NULL, 0 }, value;
    const struct entry *e = NULL;
    uint32_t index;
    if (!integer(in, added ? 6 : 4, &index) || (!index && !string(in, &name)) ||
        !string(in, &value))
        return false;
    if (index > STATIC && !dynamic(r, index, &e))
        return false;
    if (index > STATIC && !e) {
        r->unknown++;
        return !added || insert(r->h, slice_of(NULL, 0), slice_of(NULL, 0));
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

bool hpack_block(struct hpack *h, struct slice in, hpack_fn *emit, void *arg,
                 size_t *unknown)
{
    struct reading r = { h, emit, arg, 0 };
    bool ok = true;
    while (ok && in.n) {
        unsigned char c = (unsigned char)in.p[0];
        uint32_t size;
        if (c & INDEXED)
            ok = indexed(&r, &in);
        else if (c & INCREMENTAL || !(c & RESIZE))
            ok = literal(&r, &in);
        else
            ok = integer(&in, 5, &size) && resize(h, size);
        buf_wipe(&h->one);
    }
    *unknown = r.unknown;
    return ok;
}
