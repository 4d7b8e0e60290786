/*
 * Blocks of bytes in, candidate lines out. One vectorised search over each block finds
 * the lines that may hold usage (a token counter standing as a key, an error object) or
 * begin a record of several lines; every other line costs that search and nothing else.
 * Fed by the tail source and by scan with the bytes of one file in order, cut anywhere.
 *
 * Constant memory: a line of more than LINES_HOLD bytes is squeezed while it is read, its
 * long strings (text that no parser of ours looks at) cut short; one that stays too long,
 * or is longer than LINES_LINE_MAX, is skipped and counted. Refuses: to look at formats.
 */
#ifndef BREAKEVEN_LINES_H
#define BREAKEVEN_LINES_H

#include "common/slice.h"

enum {
    LINES_BLOCK = 256 << 10,   /* bytes asked for at a time */
    LINES_HOLD = 1 << 20,      /* longest line that is kept byte for byte */
    LINES_LINE_MAX = 16 << 20, /* longest line that is looked at */
};

/* Which lines are handed out. */
enum lines_need {
    LINES_USAGE, /* what the search finds */
    LINES_NEXT,  /* the next line that is not empty, then what the search finds */
    LINES_ALL,   /* every line that is not empty: wrapped formats, whose pieces hide it */
};

struct line {
    struct slice text; /* without LF, CR LF; valid during the callback */
    uint64_t offset;   /* of its first byte in the file */
    uint64_t number;   /* from 1 */
    bool squeezed;     /* longer than LINES_HOLD: long strings have lost their tails */
};

/* Returns true when the next line (that is not empty) is wanted, whatever it says. */
typedef bool line_fn(void *arg, const struct line *line);

struct lines_stats {
    uint64_t bytes;      /* taken in */
    uint64_t lines;      /* ended */
    uint64_t candidates; /* handed out */
    uint64_t too_long;   /* skipped for their length, candidates or not */
};

struct lines;

/* NULL: out of memory. */
struct lines *lines_new(void);
void lines_free(struct lines *l);

/*
 * Begin a file, or go on in it: the next byte taken stands at `offset` and begins line
 * `number` (1 at the start of a file). Forgets a pending line; the stats go on.
 */
void lines_begin(struct lines *l, enum lines_need need, uint64_t offset, uint64_t number);
/* Change what is handed out, for the bytes to come (after a look at the first block). */
void lines_set_need(struct lines *l, enum lines_need need);

/*
 * Where to put the next bytes: *room is at least LINES_BLOCK / 4. Valid until lines_take.
 */
char *lines_room(struct lines *l, size_t *room);
/* `n` bytes stand there now. Calls emit for every candidate line that they end. */
void lines_take(struct lines *l, size_t n, line_fn *emit, void *arg);
/* The file is over: a last line without a newline is a line too. */
void lines_finish(struct lines *l, line_fn *emit, void *arg);

/* Offset of the first byte of the line that has not ended: where a restart reads on. */
uint64_t lines_offset(const struct lines *l);
/* The number of that line. */
uint64_t lines_number(const struct lines *l);
const struct lines_stats *lines_stats(const struct lines *l);

#endif
