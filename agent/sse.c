/* One state per kind of field; a line's field name is the only thing that is collected.
 */
#include "agent/sse.h"

enum { FIELD, DATA, NAME, OTHER };

void sse_init(struct sse *s)
{
    memset(s, 0, sizeof *s);
}

bool sse_between(const struct sse *s)
{
    return s->state == FIELD && !s->head_n && !s->has_data && !s->name_n && !s->after_cr;
}

static void dispatch(struct sse *s, const struct sse_events *on, void *arg)
{
    if (s->has_data)
        on->end(arg, slice_of(s->name, s->name_n));
    s->has_data = false;
    s->name_n = 0;
}

/* The colon of a field, or the end of a line that has none. */
static void field(struct sse *s, const struct sse_events *on, void *arg)
{
    struct slice head = slice_of(s->head, s->head_n);
    s->first_byte = true;
    if (slice_starts(head, SLICE("\xef\xbb\xbf")))
        head = slice_from(head, 3);
    if (slice_eq(head, SLICE("data"))) {
        s->state = DATA;
        if (s->has_data)
            on->data(arg, SLICE("\n"));
        s->has_data = true;
    } else if (slice_eq(head, SLICE("event"))) {
        s->state = NAME;
        s->name_n = 0;
    } else {
        s->state = OTHER;
    }
}

static void line_end(struct sse *s, const struct sse_events *on, void *arg)
{
    if (s->state == FIELD && s->head_n)
        field(s, on, arg);
    else if (s->state == FIELD)
        dispatch(s, on, arg);
    s->state = FIELD;
    s->head_n = 0;
}

static void value(struct sse *s, struct slice v, const struct sse_events *on, void *arg)
{
    if (s->first_byte && v.n) {
        s->first_byte = false;
        if (v.p[0] == ' ')
            v = slice_from(v, 1);
    }
    if (s->state == DATA && v.n)
        on->data(arg, v);
    if (s->state == NAME) {
        size_t room = SSE_NAME - s->name_n, n = v.n < room ? v.n : room;
        if (n)
            memcpy(s->name + s->name_n, v.p, n);
        s->name_n = (unsigned char)(s->name_n + n);
    }
}

/* Bytes of a field's name up to its colon or the line's end; returns how many. */
static size_t head(struct sse *s, struct slice in, const struct sse_events *on, void *arg)
{
    size_t at = 0;
    for (; at < in.n && in.p[at] != '\n' && in.p[at] != '\r'; at++) {
        if (in.p[at] == ':') {
            field(s, on, arg);
            return at + 1;
        }
        if (s->head_n == sizeof s->head) {
            s->state = OTHER;
            return at;
        }
        s->head[s->head_n++] = in.p[at];
    }
    return at;
}

static size_t line_stop(struct slice in)
{
    struct slice line = slice_head(in, slice_chr(in, '\n'));
    return line.n - slice_from(line, slice_chr(line, '\r')).n;
}

void sse_feed(struct sse *s, struct slice in, const struct sse_events *on, void *arg)
{
    while (in.n) {
        if (s->after_cr) {
            s->after_cr = false;
            if (in.p[0] == '\n') {
                in = slice_from(in, 1);
                continue;
            }
        }
        size_t n;
        if (s->state == FIELD) {
            n = head(s, in, on, arg);
        } else {
            n = line_stop(in);
            value(s, slice_head(in, n), on, arg);
        }
        in = slice_from(in, n);
        if (!in.n || (in.p[0] != '\n' && in.p[0] != '\r'))
            continue;
        s->after_cr = in.p[0] == '\r';
        in = slice_from(in, 1);
        line_end(s, on, arg);
    }
}

void sse_finish(struct sse *s, const struct sse_events *on, void *arg)
{
    line_end(s, on, arg);
    dispatch(s, on, arg);
    sse_init(s);
}
