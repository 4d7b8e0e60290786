/*
 * JSON that was printed over several lines, put back into one: replies as curl saves
 * them, what `jq .` and JSON.stringify(x, null, 2) print, such a reply behind a log's
 * prefix; objects as Node's console.log prints them. Fed by logline with the lines of one
 * application, in order.
 *
 * A '{' that ends a line may be anything (code, printed objects), so every line after it
 * has to be one that JSON goes on with: the first that is not breaks the record, and the
 * lines stand alone again. Bounded: beyond LOGJOIN_MAX a record is passed over. Refuses:
 * to check more than the parsers behind it need.
 */
#ifndef BREAKEVEN_LOGJOIN_H
#define BREAKEVEN_LOGJOIN_H

#include "common/buf.h"

enum { LOGJOIN_MAX = 1 << 20 /* bytes of a record, without its blanks */ };

/* Where in a record: brackets that are open, and bit by bit (from the innermost of 64)
 * whether each is a list's. */
struct logjoin_at {
    unsigned depth; /* 0: no record has begun */
    uint64_t lists;
};

/* A zeroed struct waits for a record to begin. */
struct logjoin {
    struct buf
        text; /* the lines so far, without blanks between tokens, '\n' between two */
    struct logjoin_at at;
    char last;     /* byte that ended the line before */
    bool bare;     /* began as JSON, without text before it */
    bool loose;    /* an object as JavaScript prints it */
    bool over;     /* too long: text is gone */
    size_t first;  /* bytes of the first line */
    size_t number; /* where the line of a number ends that the next one may replace */
};

enum logjoin_step {
    LOGJOIN_MORE,   /* the line belongs to the record, which goes on */
    LOGJOIN_WHOLE,  /* it ended in this line; `rest` stands behind it */
    LOGJOIN_BROKEN, /* the line does not belong to it (and is `rest`): it is no record */
};

/* May a record begin with this line? The quick look: does it end in '{'? */
static inline bool logjoin_may_begin(struct slice line)
{
    return line.n && (line.p[line.n - 1] == '{' ||
                      (line.p[line.n - 1] == 'r' && slice_ends(line, SLICE("{\\r"))) ||
                      (line.p[line.n - 1] == '\r' && slice_ends(line, SLICE("{\r"))));
}

/* Begin with this line; false: no record does. `j` must wait. */
bool logjoin_begin(struct logjoin *j, struct slice line);

/* The next line of a record that has begun. */
enum logjoin_step logjoin_add(struct logjoin *j, struct slice line, struct slice *rest);

/* The record as one line, after LOGJOIN_WHOLE; valid until the next call. */
struct slice logjoin_text(struct logjoin *j);
/* Wait for the next record. */
void logjoin_reset(struct logjoin *j);

#endif
