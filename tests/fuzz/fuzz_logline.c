/*
 * A whole log file, first byte choosing the format: no crash, no record from a line that
 * lines would not hand out, and the state loads into a fresh logline.
 */
#include <stdlib.h>

#include "agent/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct logline *l;
    uint64_t records;
};

static void note(void *arg, struct usage *u)
{
    struct reader *r = arg;
    if (logline_record_number(r->l) == 0 || u->seen != SEEN_LOG)
        abort();
    r->records += u->accounting != ACCOUNTING_NONE;
}

static bool on_line(void *arg, const struct line *line)
{
    struct reader *r = arg;
    return logline_feed_line(r->l, line, note, r);
}

static void reload(struct extract *x, const struct logline *l,
                   const struct logline_options *opt)
{
    struct buf a = { 0 }, b = { 0 };
    struct logline *fresh = logline_new(x, opt);
    logline_save(l, &a);
    if (!fresh || a.n > LOGLINE_STATE_MAX || logline_load(fresh, buf_slice(&a)) != ST_OK)
        abort();
    logline_save(fresh, &b);
    if (!slice_eq(buf_slice(&a), buf_slice(&b)))
        abort();
    logline_free(fresh);
    buf_release(&a);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct extract *x;
    if (!x)
        x = extract_new();
    if (!x || size < 2)
        return 0;
    struct logline_options opt = { .format = (enum logformat)(data[0] % LOGFORMAT_N),
                                   .mtime_ns = data[1] & 1 ? 5 : USAGE_NO_TIME };
    struct slice in = slice_of(data + 1, size - 1);
    struct lines *lines = lines_new();
    struct reader r = { .l = logline_new(x, &opt) };
    const char *reason = NULL;
    if (!lines || !r.l)
        abort();
    lines_begin(lines, logline_sniff(r.l, in, &reason), 0, 1);
    while (in.n) {
        size_t room;
        char *p = lines_room(lines, &room);
        size_t n = in.n < room ? in.n : room;
        memcpy(p, in.p, n);
        lines_take(lines, n, on_line, &r);
        in = slice_from(in, n);
    }
    lines_finish(lines, on_line, &r);
    if (logline_resume(r.l, size) > size)
        abort();
    reload(x, r.l, &opt);
    logline_finish(r.l, note, &r);
    if (r.records != logline_stats(r.l)->records)
        abort();
    logline_free(r.l);
    lines_free(lines);
    return 0;
}
