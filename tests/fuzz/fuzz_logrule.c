/*
 * The first line is an expression, or names after '@'; the rest is the file read by it.
 * No crash, no endless match, and the state loads again.
 */
#include <stdlib.h>

#include "agent/logrule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *arg, struct usage *u)
{
    (void)arg;
    if (u->seen != SEEN_LOG)
        abort();
}

static void read_by(struct extract *x, const struct logrule *r, struct slice file)
{
    struct logline_options opt = { .rule = r, .mtime_ns = USAGE_NO_TIME };
    struct logline *l = logline_new(x, &opt), *again = logline_new(x, &opt);
    struct buf state = { 0 };
    struct slice line;
    if (!l || !again)
        abort();
    for (uint64_t n = 0; file.n && n < 16; n++) {
        slice_cut(file, '\n', &line, &file);
        logline_feed(l, line, n, n + 1, note, NULL);
    }
    logline_save(l, &state);
    if (state.n > LOGLINE_STATE_MAX || logline_load(again, buf_slice(&state)) != ST_OK)
        abort();
    buf_release(&state);
    logline_free(again);
    logline_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct extract *x;
    struct slice first, rest;
    struct logrule_options o = { .cumulative = size % 2, .thousands = size % 3 == 0 };
    struct logrule *r = NULL;
    struct arena a;
    struct buf why = { 0 };
    if (!x && !(x = extract_new()))
        return 0;
    arena_init(&a, 1 << 20);
    slice_cut(slice_of(data, size), '\n', &first, &rest);
    enum status st = ST_OK;
    if (first.n && first.p[0] == '@')
        st = logrule_parse_fields(slice_from(first, 1), &a, &o, &why);
    else
        o.regex = arena_dup(&a, slice_head(first, 200)).p;
    if (st == ST_OK && logrule_new(&o, &a, &r, &why) == ST_OK && r)
        read_by(x, r, rest);
    buf_release(&why);
    arena_release(&a);
    return 0;
}
