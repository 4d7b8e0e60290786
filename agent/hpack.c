/* The dynamic table and its text, the grammar, the fields: see hpack.h. */
#include "agent/hpack.h"

#include "common/buf.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

enum { STATIC = 61, INT_MAX_BYTES = 5, ENTRY_COST = 32 };
enum { INDEXED = 0x80, INCREMENTAL = 0x40, RESIZE = 0x20, LITERAL_PREFIX = 15 };

/* Instead of a name's length; UNREAD: + its place in the list. */
#define UNKNOWN UINT32_MAX
#define UNREAD  (UINT32_C(1) << 31)

struct entry {
    uint32_t at;          /* of its name in the text; its value is behind */
    uint32_t name, value; /* bytes that are kept */
    uint32_t cost;        /* of the size of the table (4.1) */
};

/*
 * Connections idle by thousands, so between two blocks a table is two pieces of memory of
 * about the size that they need, and nothing of the library. New entries come behind the
 * others; where there is no room, those that are left move to a new piece.
 */
struct hpack {
    struct entry *entry; /* [oldest, next) */
    char *text;
    uint32_t oldest, next, entries_room;
    uint32_t used, room; /* of the text */
    size_t bytes, limit; /* of the table, as the encoder counts */
    enum hpack_keep keep;
    bool whole;
};

struct hpack *hpack_new(enum hpack_keep keep)
{
    struct hpack *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->whole = true;
    h->keep = keep;
    h->limit = HPACK_TABLE_BYTES;
    return h;
}

/* --- the table ------------------------------------------------------------------------
 */

static void forget_all(struct hpack *h)
{
    free(h->entry);
    free(h->text);
    h->entry = NULL;
    h->text = NULL;
    h->oldest = h->next = h->entries_room = h->used = h->room = 0;
    h->bytes = 0;
}

static void shrink_to(struct hpack *h, size_t bytes)
{
    while (h->bytes > bytes)
        h->bytes -= h->entry[h->oldest++].cost;
    if (h->oldest == h->next)
        forget_all(h);
}

void hpack_lose(struct hpack *h)
{
    forget_all(h);
    h->whole = false;
    h->limit = HPACK_TABLE_LOST;
}

void hpack_free(struct hpack *h)
{
    if (h)
        forget_all(h);
    free(h);
}

/* The entry of an index beyond the static table; NULL: it is not in there. */
static const struct entry *at(const struct hpack *h, uint32_t index)
{
    uint32_t age = index - STATIC - 1;
    return age < h->next - h->oldest ? &h->entry[h->next - 1 - age] : NULL;
}

static struct slice name_of(const struct hpack *h, const struct entry *e)
{
    if (e->name > UNREAD)
        return hpack_unread_name(e->name - UNREAD);
    return slice_of(h->text + e->at, e->name);
}

static struct slice value_of(const struct hpack *h, const struct entry *e)
{
    return slice_of(h->text + e->at + e->name, e->value);
}

/* A quarter is left free, so what moves is at most four times what comes. */
static uint32_t with_spare(uint32_t n)
{
    return n + n / 4 + 1;
}

static bool room_for_entry(struct hpack *h)
{
    uint32_t live = h->next - h->oldest, room = with_spare(live);
    if (h->next < h->entries_room)
        return true;
    struct entry *to = malloc(room * sizeof *to);
    if (!to)
        return false;
    if (live)
        memcpy(to, h->entry + h->oldest, live * sizeof *to);
    free(h->entry);
    h->entry = to;
    h->oldest = 0;
    h->next = live;
    h->entries_room = room;
    return true;
}

static bool room_for_text(struct hpack *h, size_t n)
{
    uint32_t begin = h->oldest < h->next ? h->entry[h->oldest].at : h->used;
    uint32_t live = h->used - begin, room = with_spare(live + (uint32_t)n);
    if (n < h->room - h->used)
        return true;
    char *to = malloc(room);
    if (!to)
        return false;
    if (live)
        memcpy(to, h->text + begin, live);
    for (uint32_t i = h->oldest; i < h->next; i++)
        h->entry[i].at -= begin;
    free(h->text);
    h->text = to;
    h->used = live;
    h->room = room;
    return true;
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

/* Name, and what is kept of the value, behind the text. */
static bool write_entry(struct hpack *h, struct slice name, struct slice value,
                        struct entry *e)
{
    bool all = h->keep == HPACK_KEEP_ALL;
    if (!all && hpack_is_credential(name))
        value.n = 0;
    if (!room_for_text(h, name.n + value.n))
        return false;
    char *to = h->text + h->used;
    memcpy(to, name.n ? name.p : "", name.n);
    to += name.n;
    if (!all && slice_eq(name, SLICE(":path")))
        value.n = keep_path(to, value);
    else
        memcpy(to, value.n ? value.p : "", value.n);
    *e = (struct entry){ .at = h->used,
                         .name = (uint32_t)name.n,
                         .value = (uint32_t)value.n };
    h->used += e->name + e->value;
    return true;
}

/* name.p NULL: it was added, but what it is remains unknown. */
static bool insert(struct hpack *h, struct slice name, struct slice value)
{
    size_t cost = name.n + value.n + ENTRY_COST;
    shrink_to(h, cost < h->limit ? h->limit - cost : 0);
    if (cost > h->limit) /* empties the table, and is not an error (4.4) */
        return true;
    unsigned unread = name.p && h->keep == HPACK_KEEP_READ ? hpack_unread(name) : 0;
    struct entry e = { .at = h->used, .name = unread ? UNREAD + unread : UNKNOWN };
    if (!room_for_entry(h) || (name.p && !unread && !write_entry(h, name, value, &e)))
        return false;
    e.cost = (uint32_t)cost;
    h->entry[h->next++] = e;
    h->bytes += cost;
    return true;
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
    nghttp2_hd_inflater *strings; /* its own table stays empty */
    struct buf one;               /* the field at hand, rewritten */
    hpack_fn *emit;
    void *arg;
    size_t unknown;
};

/* r->one is a block of one field that speaks of no dynamic entry. */
static bool inflate(struct reading *r, bool added)
{
    struct slice in = buf_slice(&r->one);
    bool seen = false, kept = true;
    if (r->one.st != ST_OK || (!r->strings && nghttp2_hd_inflate_new(&r->strings) != 0))
        return false;
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t n = nghttp2_hd_inflate_hd2(r->strings, &nv, &flags, (const uint8_t *)in.p,
                                           in.n, 1);
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
    return nghttp2_hd_inflate_end_headers(r->strings) == 0 && seen && kept;
}

/* An entry that must be there, unless something was lost. */
static bool dynamic(struct reading *r, uint32_t index, const struct entry **e)
{
    *e = at(r->h, index);
    if (*e && (*e)->name == UNKNOWN)
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
        buf_addc(&r->one, (char)(INDEXED | index));
        return inflate(r, false);
    }
    if (!dynamic(r, index, &e))
        return false;
    if (e && e->name <= UNREAD)
        r->emit(r->arg, name_of(r->h, e), value_of(r->h, e));
    r->unknown += !e;
    return true;
}

/* Rewritten to a literal without indexing (6.2.2). */
static bool literal(struct reading *r, struct slice *in)
{
    struct buf *b = &r->one;
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
            name = name_of(r->h, e);
            add_length(b, name.n);
            buf_add(b, name);
        } else {
            buf_add(b, name);
        }
    }
    buf_add(b, value);
    return inflate(r, added);
}

bool hpack_block(struct hpack *h, struct slice in, hpack_fn *emit, void *arg,
                 size_t *unknown)
{
    struct reading r = { .h = h, .emit = emit, .arg = arg };
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
        buf_wipe(&r.one);
    }
    if (r.strings)
        nghttp2_hd_inflate_del(r.strings);
    buf_release(&r.one);
    *unknown = r.unknown;
    return ok;
}
