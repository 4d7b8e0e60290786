/*
 * Points in time as logs write them, to Unix nanoseconds and back. UTC unless the text
 * says another offset. Fed by extract and logline with fields of records; refuses: local
 * time zones, names of months, guessing a missing date.
 */
#ifndef BREAKEVEN_INSTANT_H
#define BREAKEVEN_INSTANT_H

#include "common/buf.h"
#include "common/slice.h"

/*
 * The time at the start of s: "2026-11-02T10:00:01.123456789Z" and what ISO 8601 and
 * loggers make of it (blank or 't' for T, ',' for the point, offset +01:00, +0100, +01 or
 * none, seconds left out). Returns the bytes it takes, 0 if there is none.
 */
size_t instant_prefix(struct slice s, int64_t *ns);

/* The whole of s as a time: as above, or a number as below. */
bool instant_parse(struct slice s, int64_t *ns);

enum { INSTANT_MINUTE = 16 /* length of "2026-11-02T10:00" */ };

/* The minute that was parsed last. A zeroed struct remembers none. */
struct instant_memo {
    char minute[INSTANT_MINUTE];
    int64_t seconds; /* since 1970 */
};

/* The same for one of many times in order: a minute is worked out once. */
bool instant_parse_next(struct instant_memo *last, struct slice s, int64_t *ns);

/*
 * A number as a time, its unit by its size: seconds (with or without fraction), milli-,
 * micro- or nanoseconds since 1970. False before 1990 and after 2200.
 */
bool instant_number(struct slice s, int64_t *ns);

/* Append "2026-11-02T10:00:01.123Z": UTC, milliseconds cut. */
void instant_format(int64_t ns, struct buf *out);

/* Append "2026-11-02", the UTC day. */
void instant_format_day(int64_t ns, struct buf *out);

/* A date "2026-11-02" alone: the start of that UTC day. */
bool instant_day(struct slice s, int64_t *ns);

#endif
