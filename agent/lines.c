/* Blocks to candidate lines: see lines.h. */
#include "agent/lines.h"

#include <stdlib.h>

#include "agent/needle.h"

enum {
    ROOM_MIN = LINES_BLOCK / 4,
    CAPACITY_FIRST = LINES_BLOCK + ROOM_MIN,
    CAPACITY_MAX = LINES_HOLD + LINES_BLOCK,
    STRING_KEEP = 256, /* bytes of a string that squeezing leaves */
    NEAR_SLACK = 32,   /* bytes by which the ends of like lines may differ */
};

/* Where squeezing stands inside a line. */
struct squeeze {
    bool on, in_string, dropping;
    unsigned char escape; /* bytes of an escape sequence still to come */
    uint32_t kept;        /* bytes of this string that were kept */
};

struct lines {
    struct needle needle;
    enum lines_need need;
    char *buf;
    size_t capacity, n; /* buf[0..n): the line that has not ended, or its squeezed form */
    uint64_t offset;    /* of that line */
    uint64_t number;
    uint64_t pending; /* its bytes so far, squeezed away ones included */
    struct squeeze squeeze;
    bool skip;   /* too long: drop everything up to its newline */
    bool next;   /* the line to come is wanted, as the one before said */
    size_t near; /* the last hit stood this far before its line's end; 0: hits are rare */
    struct lines_stats stats;
};

struct lines *lines_new(void)
{
    struct lines *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    needle_init(&l->needle);
    l->capacity = CAPACITY_FIRST;
    l->buf = malloc(l->capacity);
    if (!l->buf) {
        free(l);
        return NULL;
    }
    lines_begin(l, LINES_USAGE, 0, 1);
    return l;
}

void lines_free(struct lines *l)
{
    if (l)
        free(l->buf);
    free(l);
}

static void forget_pending(struct lines *l)
{
    l->n = 0;
    l->pending = 0;
    l->skip = false;
    l->squeeze = (struct squeeze){ .on = false };
}

void lines_begin(struct lines *l, enum lines_need need, uint64_t offset, uint64_t number)
{
    lines_set_need(l, need);
    l->offset = offset;
    l->number = number;
    forget_pending(l);
}

void lines_set_need(struct lines *l, enum lines_need need)
{
    l->next = need == LINES_NEXT;
    l->need = l->next ? LINES_USAGE : need;
}

/*
 * Copy s down to `to` (which may lie before it in the same buffer) without the tails of
 * its long strings; a string is cut where no escape sequence and no character is torn.
 */
static size_t squeeze(struct squeeze *q, struct slice s, char *to)
{
    char *first = to;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!q->in_string) {
            q->in_string = c == '"';
            q->kept = 0;
            *to++ = c;
            continue;
        }
        bool ends = c == '"' && !q->escape;
        if (!q->escape && q->kept >= STRING_KEEP && ((unsigned char)c & 0xc0) != 0x80)
            q->dropping = true;
        if (q->escape)
            q->escape = q->escape == 1 && c == 'u' ? 4 : (unsigned char)(q->escape - 1);
        else if (c == '\\')
            q->escape = 1;
        if (ends)
            q->in_string = q->dropping = false;
        if (q->dropping)
            continue;
        q->kept++;
        *to++ = c;
    }
    return (size_t)(to - first);
}

/* The line in hand is too long as it is: shorten it, or give it up. */
static void shorten(struct lines *l)
{
    if (!l->squeeze.on) {
        l->squeeze.on = true;
        l->n = squeeze(&l->squeeze, slice_of(l->buf, l->n), l->buf);
    }
    if (l->n > LINES_HOLD / 2 || l->pending > LINES_LINE_MAX) {
        l->skip = true;
        l->n = 0;
    }
}

char *lines_room(struct lines *l, size_t *room)
{
    if (l->capacity - l->n < ROOM_MIN && l->capacity < CAPACITY_MAX) {
        size_t more = l->capacity * 2 < CAPACITY_MAX ? l->capacity * 2 : CAPACITY_MAX;
        char *p = realloc(l->buf, more);
        if (p) {
            l->buf = p;
            l->capacity = more;
        }
    }
    if (l->capacity - l->n < ROOM_MIN)
        shorten(l);
    *room = l->capacity - l->n;
    return l->buf + l->n;
}

static void emit_line(struct lines *l, const char *first, const char *end,
                      uint64_t offset, line_fn *emit, void *arg)
{
    if (end > first && end[-1] == '\r')
        end--;
    if (end == first)
        return;
    struct line line = { .text = slice_of(first, (size_t)(end - first)),
                         .offset = offset,
                         .number = l->number,
                         .squeezed = l->squeeze.on };
    l->stats.candidates++;
    l->next = emit(arg, &line);
}

/* The first line from `at` on that hits; NULL: none in this region. */
static const char *seek(struct lines *l, struct slice region, const char *at)
{
    size_t from = (size_t)(at - region.p);
    size_t hit = needle_find(&l->needle, region, from);
    if (hit == SIZE_MAX)
        return NULL;
    const char *nl = hit > from ? memrchr(at, '\n', hit - from) : NULL;
    l->near = !nl; /* hit at once: the next line may well hit, too */
    return nl ? nl + 1 : at;
}

/* Does the line after a hit one hit? Looked for where that one was hit, then anywhere. */
static bool hits_alike(struct lines *l, struct slice line)
{
    size_t from = line.n > l->near + NEAR_SLACK ? line.n - l->near - NEAR_SLACK : 0;
    size_t hit = needle_find(&l->needle, line, from);
    if (hit == SIZE_MAX && from)
        hit = needle_find(&l->needle, line, 0);
    l->near = hit != SIZE_MAX ? line.n - hit : 0;
    return l->near;
}

/* `region` holds whole lines only. */
static void emit_region(struct lines *l, struct slice region, line_fn *emit, void *arg)
{
    const char *at = region.p, *end = region.p + region.n;
    uint64_t number = l->number;
    while (at < end) {
        bool wanted = l->need == LINES_ALL || l->next;
        if (!wanted && !l->near) {
            const char *first = seek(l, region, at);
            if (!first)
                break;
            l->number += needle_newlines(&l->needle, slice_of(at, (size_t)(first - at)));
            at = first;
            wanted = true;
        }
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (wanted || hits_alike(l, slice_of(at, (size_t)(nl + 1 - at))))
            emit_line(l, at, nl, l->offset + (uint64_t)(at - region.p), emit, arg);
        l->number++;
        at = nl + 1;
    }
    l->number += needle_newlines(&l->needle, slice_of(at, (size_t)(end - at)));
    l->stats.lines += l->number - number;
    l->offset += region.n;
}

/* The line in hand ends: squeezed or skipped, it stands alone in the buffer. */
static void end_long_line(struct lines *l, line_fn *emit, void *arg)
{
    if (l->skip)
        l->stats.too_long++;
    else if (l->need == LINES_ALL || l->next ||
             needle_find(&l->needle, slice_of(l->buf, l->n), 0) != SIZE_MAX)
        emit_line(l, l->buf, l->buf + l->n, l->offset, emit, arg);
    l->stats.lines++;
    l->number++;
    l->offset += l->pending;
    forget_pending(l);
}

/* New bytes of a line that is being squeezed or skipped; returns how many were its. */
static size_t take_long(struct lines *l, struct slice in, line_fn *emit, void *arg)
{
    size_t nl = slice_chr(in, '\n');
    struct slice own = slice_head(in, nl);
    l->pending += own.n;
    if (!l->skip) {
        l->n += squeeze(&l->squeeze, own, l->buf + l->n);
        if (l->pending > LINES_LINE_MAX)
            shorten(l);
    }
    if (nl == SIZE_MAX)
        return own.n;
    l->pending++;
    end_long_line(l, emit, arg);
    return own.n + 1;
}

void lines_take(struct lines *l, size_t n, line_fn *emit, void *arg)
{
    struct slice in = slice_of(l->buf + l->n, n);
    l->stats.bytes += n;
    if (l->squeeze.on || l->skip) {
        in = slice_from(in, take_long(l, in, emit, arg));
        if (l->squeeze.on || l->skip || in.n == 0)
            return;
    } else {
        in = slice_of(l->buf, l->n + n);
    }
    const char *fresh = l->buf + l->n > in.p ? l->buf + l->n : in.p;
    size_t new_bytes = (size_t)(in.p + in.n - fresh);
    const char *last = memrchr(fresh, '\n', new_bytes);
    struct slice rest = in;
    if (last) {
        size_t whole = (size_t)(last + 1 - in.p);
        emit_region(l, slice_head(in, whole), emit, arg);
        rest = slice_from(in, whole);
    }
    memmove(l->buf, rest.p, rest.n);
    l->n = rest.n;
    l->pending = rest.n;
}

void lines_finish(struct lines *l, line_fn *emit, void *arg)
{
    if (l->pending)
        end_long_line(l, emit, arg);
}

uint64_t lines_offset(const struct lines *l)
{
    return l->offset;
}

uint64_t lines_number(const struct lines *l)
{
    return l->number;
}

const struct lines_stats *lines_stats(const struct lines *l)
{
    return &l->stats;
}
