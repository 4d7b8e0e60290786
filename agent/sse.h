/*
 * Server-sent events: body pieces -> the data and the end of each event (WHATWG HTML,
 * 9.2; usage-formats 2.1). Any split of the input, constant memory: data is handed on as
 * it comes, never collected. Fed by extract with decoded bodies.
 *
 * Refuses nothing: what is not a field is passed over, as the standard says.
 */
#ifndef BREAKEVEN_SSE_H
#define BREAKEVEN_SSE_H

#include "common/slice.h"

enum { SSE_NAME = 64 };

struct sse_events {
    void (*data)(void *arg, struct slice piece);
    void (*end)(void *arg, struct slice name); /* name: of the event, often empty */
};

struct sse {
    unsigned char state;
    bool has_data;   /* the event at hand has a data line */
    bool after_cr;   /* a following LF belongs to the line end */
    bool first_byte; /* of a value: one space is dropped */
    unsigned char head_n, name_n;
    char head[8]; /* field name at hand */
    char name[SSE_NAME];
};

void sse_init(struct sse *s);

/* Is it before the first byte of an event? */
bool sse_between(const struct sse *s);

/* The next bytes; slices given to `on` live during the call. */
void sse_feed(struct sse *s, struct slice in, const struct sse_events *on, void *arg);

/* The body is over: an event without its blank line ends here. */
void sse_finish(struct sse *s, const struct sse_events *on, void *arg);

#endif
