/* Fields are cut at commas; numbers go through strtod on a bounded copy. */
#include "collector/projection/series_csv.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_MAX = 63 };

bool series_csv_header(struct slice line)
{
    return slice_starts(slice_trim(line), SLICE("id,m,season,h,start,n,v"));
}

/* NA and nothing are NAN; false for what is not a finite decimal number. */
static bool number(struct slice s, double *out)
{
    char copy[NUMBER_MAX + 1], *end;

    s = slice_trim(s);
    *out = NAN;
    if (s.n == 0 || slice_eq(s, SLICE("NA")))
        return true;
    if (s.n > NUMBER_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i]) || s.p[i] == '\0')
            return false;
    memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

/* The next field as an integer of [1, max]; an empty one gives `fallback`. */
static bool count(struct slice *rest, const char *name, int max, int fallback, int *out,
                  struct buf *why)
{
    struct slice field;
    uint64_t v;

    slice_cut(*rest, ',', &field, rest);
    field = slice_trim(field);
    *out = fallback;
    if (field.n == 0 && fallback > 0)
        return true;
    if (slice_u64(field, &v) && v >= 1 && v <= (uint64_t)max) {
        *out = (int)v;
        return true;
    }
    buf_addf(why, "%s is '%.*s', a whole number from 1 to %d is wanted", name,
             SLICE_FMT(slice_head(field, 40)), max);
    return false;
}

static enum status values(struct slice rest, bool any, struct arena *a,
                          struct series_line *out, struct buf *why)
{
    int n = 0;

    out->y = arena_alloc(a, (size_t)out->n * sizeof *out->y);
    if (!out->y)
        return ST_NOMEM;
    while (any) {
        struct slice field;
        any = slice_cut(rest, ',', &field, &rest);
        if (n == out->n) {
            buf_addf(why, "more values than the %d that n promises", out->n);
            return ST_BAD;
        }
        if (!number(field, &out->y[n])) {
            buf_addf(why, "value %d is '%.*s', a number or NA is wanted", n + 1,
                     SLICE_FMT(slice_head(field, 40)));
            return ST_BAD;
        }
        n++;
    }
    if (n == out->n)
        return ST_OK;
    buf_addf(why, "%d values, n promises %d", n, out->n);
    return ST_BAD;
}

enum status series_csv_line(struct slice line, struct arena *a, struct series_line *out,
                            struct buf *why)
{
    struct slice rest, start;

    *out = (struct series_line){ 0 };
    line = slice_trim(line);
    slice_cut(line, ',', &out->id, &rest);
    if (out->id.n == 0 || slice_chr(line, '"') != SIZE_MAX) {
        buf_adds(why, out->id.n == 0 ? "the id is empty" : "quotes are not supported");
        return ST_BAD;
    }
    if (!count(&rest, "m", SERIES_CSV_SEASON_MAX, 1, &out->m, why) ||
        !count(&rest, "season", SERIES_CSV_SEASON_MAX, 1, &out->season, why) ||
        !count(&rest, "h", SERIES_CSV_HORIZON_MAX, 0, &out->horizon, why))
        return ST_BAD;
    slice_cut(rest, ',', &start, &rest);
    bool any = slice_chr(rest, ',') != SIZE_MAX;
    if (!count(&rest, "n", SERIES_CSV_VALUES_MAX, 0, &out->n, why))
        return ST_BAD;
    return values(rest, any, a, out, why);
}
