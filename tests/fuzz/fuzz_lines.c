/*
 * lines: cut at the places the first bytes say, the candidates must be those of a naive
 * split that looks at each line by itself.
 */
#include <stdlib.h>

#include "agent/lines.h"
#include "agent/needle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct expect {
    struct slice rest; /* of the naive walk */
    uint64_t offset, number;
    const struct needle *needle;
    bool next; /* the line to come was asked for */
};

/* The next line of the naive walk that is a candidate; false at the end. */
static bool naive(struct expect *e, struct slice *line, uint64_t *offset,
                  uint64_t *number)
{
    while (e->rest.n) {
        struct slice s = e->rest;
        *offset = e->offset;
        *number = e->number++;
        bool ends = slice_cut(s, '\n', line, &e->rest);
        struct slice looked = slice_of(line->p, line->n + ends);
        e->offset += line->n + 1;
        if (line->n && line->p[line->n - 1] == '\r')
            line->n--;
        if (line->n && (e->next || needle_find(e->needle, looked, 0) != SIZE_MAX))
            return true;
    }
    return false;
}

static bool check(void *arg, const struct line *line)
{
    struct expect *e = arg;
    struct slice want;
    uint64_t offset, number;
    if (!naive(e, &want, &offset, &number) || !slice_eq(want, line->text) ||
        offset != line->offset || number != line->number)
        abort();
    e->next = number % 3 == 0;
    return e->next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct slice in = slice_of(data + 4, size - 4);
    struct needle scalar;
    needle_init_engine(&scalar, NEEDLE_SCALAR);
    struct expect e = { .rest = in, .number = 1, .needle = &scalar };
    struct lines *l = lines_new();
    for (size_t piece = 0; l && in.n; piece++) {
        size_t room, n = 1 + data[piece % 4];
        char *p = lines_room(l, &room);
        n = n < in.n ? n : in.n;
        memcpy(p, in.p, n);
        lines_take(l, n, check, &e);
        in = slice_from(in, n);
    }
    if (l)
        lines_finish(l, check, &e);
    struct slice line;
    uint64_t offset, number;
    if (l && naive(&e, &line, &offset, &number))
        abort();
    lines_free(l);
    return 0;
}
