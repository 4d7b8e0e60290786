/* Times as text: see instant.h. */
#include "common/instant.h"

#include "common/json.h"

#define SECOND  INT64_C(1000000000)
#define DAY     (86400 * SECOND)
#define MIN_SEC INT64_C(631152000)  /* 1990 */
#define MAX_SEC INT64_C(7258118400) /* 2200 */

enum { MINUTE = INSTANT_MINUTE };

/* Days since 1970 of a date in the proleptic Gregorian calendar (year >= 1). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
    int64_t year;
    unsigned month, day;
};

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned shifted = (5 * of_year + 2) / 153;
    struct date d = { .month = shifted < 10 ? shifted + 3 : shifted - 9,
                      .day = of_year - (153 * shifted + 2) / 5 + 1 };
    d.year = (int64_t)year + era * 400 + (d.month <= 2);
    return d;
}

/* Exactly n digits at *at. */
static bool digits(struct slice s, size_t *at, unsigned n, unsigned *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++, ++*at) {
        if (*at >= s.n || s.p[*at] < '0' || s.p[*at] > '9')
            return false;
        *out = *out * 10 + (unsigned)(s.p[*at] - '0');
    }
    return true;
}

/* One of two characters. */
static inline bool accept(struct slice s, size_t *at, char a, char b)
{
    if (*at >= s.n || (s.p[*at] != a && s.p[*at] != b))
        return false;
    ++*at;
    return true;
}

static bool date(struct slice s, size_t *at, int64_t *days)
{
    static const unsigned char length[] = {
        31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    unsigned year, month, day;
    if (!digits(s, at, 4, &year) || !accept(s, at, '-', '/') ||
        !digits(s, at, 2, &month) || !accept(s, at, '-', '/') || !digits(s, at, 2, &day))
        return false;
    if (year < 1900 || month < 1 || month > 12 || day < 1 || day > length[month - 1])
        return false;
    *days = days_of(year, month, day);
    return true;
}

static int64_t fraction(struct slice s, size_t *at)
{
    size_t point = *at;
    unsigned digit;
    int64_t value = 0, unit = SECOND;
    if (!accept(s, at, '.', ','))
        return 0;
    for (size_t next = *at; digits(s, &next, 1, &digit); *at = next)
        value += (int64_t)digit * (unit /= 10);
    if (*at == point + 1)
        *at = point; /* a point that ends a sentence */
    return value;
}

/* "Z", "+hh:mm", "+hhmm", "+hh" or nothing, in seconds east. */
static int64_t offset(struct slice s, size_t *at)
{
    unsigned hours, minutes = 0;
    if (accept(s, at, 'Z', 'z'))
        return 0;
    size_t next = *at;
    bool west = next < s.n && s.p[next] == '-';
    if (!accept(s, &next, '+', '-') || !digits(s, &next, 2, &hours) || hours > 23)
        return 0;
    *at = next;
    accept(s, &next, ':', ':');
    if (digits(s, &next, 2, &minutes) && minutes < 60)
        *at = next;
    else
        minutes = 0;
    int64_t east = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    return west ? -east : east;
}

/* "2026-11-02T14:05": seconds since 1970; MINUTE characters. */
static bool minute(struct slice s, int64_t *seconds)
{
    size_t at = 0;
    int64_t days;
    unsigned hours, minutes;
    if (!date(s, &at, &days) || !(accept(s, &at, 'T', 't') || accept(s, &at, ' ', '_')) ||
        !digits(s, &at, 2, &hours) || !accept(s, &at, ':', ':') ||
        !digits(s, &at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = days * 86400 + hours * 3600 + minutes * 60;
    return true;
}

/* What follows a minute that begins at `seconds`. */
static size_t within(struct slice s, int64_t seconds, int64_t *ns)
{
    size_t at = MINUTE, next = at;
    unsigned second = 0;
    int64_t part = 0;
    if (accept(s, &next, ':', ':') && digits(s, &next, 2, &second)) {
        at = next;
        part = fraction(s, &at);
    } else {
        second = 0;
    }
    if (second > 60)
        return 0;
    seconds += second - offset(s, &at);
    if (seconds >= MAX_SEC)
        return 0;
    *ns = seconds * SECOND + part;
    return at;
}

size_t instant_prefix(struct slice s, int64_t *ns)
{
    int64_t seconds;
    return minute(s, &seconds) ? within(s, seconds, ns) : 0;
}

bool instant_number(struct slice s, int64_t *ns)
{
    uint64_t v, unit = 1;
    if (!json_decimal(s, 9, &v)) { /* not seconds: times 10^9 it exceeds 64 bits */
        if (!json_decimal(s, 0, &v))
            return false;
        while (unit < 1000000 && v / ((uint64_t)SECOND / unit) < (uint64_t)MIN_SEC)
            unit *= 1000;
    }
    uint64_t seconds = v / ((uint64_t)SECOND / unit);
    if (seconds < (uint64_t)MIN_SEC || seconds >= (uint64_t)MAX_SEC)
        return false;
    *ns = (int64_t)(v * unit);
    return true;
}

bool instant_parse(struct slice s, int64_t *ns)
{
    return instant_parse_next(&(struct instant_memo){ .seconds = 0 }, s, ns);
}

bool instant_parse_next(struct instant_memo *last, struct slice s, int64_t *ns)
{
    int64_t value, seconds;
    if (!last->seconds || s.n < MINUTE || memcmp(s.p, last->minute, MINUTE) != 0) {
        if (!minute(s, &seconds))
            return instant_number(s, ns);
        memcpy(last->minute, s.p, MINUTE);
        last->seconds = seconds;
    }
    size_t n = within(s, last->seconds, &value);
    if (n == 0)
        return instant_number(s, ns);
    if (n != s.n)
        return false;
    *ns = value;
    return true;
}

bool instant_day(struct slice s, int64_t *ns)
{
    size_t at = 0;
    int64_t days;
    if (!date(s, &at, &days) || at != s.n || days * 86400 >= MAX_SEC)
        return false;
    *ns = days * DAY;
    return true;
}

static int64_t floor_days(int64_t ns)
{
    return ns / DAY - (ns % DAY < 0);
}

void instant_format_day(int64_t ns, struct buf *out)
{
    struct date d = date_of(floor_days(ns));
    buf_addf(out, "%04d-%02u-%02u", (int)d.year, d.month, d.day);
}

void instant_format(int64_t ns, struct buf *out)
{
    int64_t ms = (ns - floor_days(ns) * DAY) / 1000000;
    instant_format_day(ns, out);
    buf_addf(out, "T%02d:%02d:%02d.%03dZ", (int)(ms / 3600000), (int)(ms / 60000 % 60),
             (int)(ms / 1000 % 60), (int)(ms % 1000));
}
