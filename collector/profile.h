/*
 * How traffic lies in the week: sums by hour (UTC), folded to the 168 hours from Monday
 * 00:00 on. Of a query (query_profile), or of rows that somebody scans for more than
 * that. Refuses: more than a million hours (ST_LIMIT).
 */
#ifndef BREAKEVEN_PROFILE_H
#define BREAKEVEN_PROFILE_H

#include "collector/store.h"

/* Traffic by hour of the week (UTC, hour 0 = Monday 00:00) under q's filter and range. */
struct query_profile {
    uint64_t calls[168], tokens[168];
    uint64_t hours[168];              /* hours of data behind each sum */
    uint64_t peak_calls, peak_tokens; /* largest sum of the peak minutes of an hour */
    double peak_to_mean;              /* busiest minute x 60 / mean hour; 0: no data */
    int64_t first_hour, last_hour;    /* Unix seconds of hours with data; 0: none */
};

/* Of the rows under q's filter and range. ST_LIMIT, ST_NOMEM, the store's errors. */
enum status query_profile(struct store *s, const struct store_query *q,
                          struct query_profile *out);

struct profile_hour {
    uint64_t calls, tokens, peak_calls, peak_tokens;
};

/* Sums being made, of hours from `from` on. */
struct profile_hours {
    int64_t from;
    struct profile_hour *at;
    size_t n;
};

/* [from, to), Unix seconds. Free by profile_close, whatever was answered. */
enum status profile_open(struct profile_hours *h, int64_t from, int64_t to);
void profile_add(struct profile_hours *h, const struct store_row *r); /* an hourly row */
void profile_close(struct profile_hours *h, struct query_profile *out);

#endif
