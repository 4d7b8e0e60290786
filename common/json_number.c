/*
 * Numbers as JSON writes them, read without doubles: see json.h.
 */
#include "common/json.h"

static size_t digits(struct slice s, size_t at)
{
    while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9')
        at++;
    return at;
}

/* RFC 8259, section 6. */
bool json_number_valid(struct slice s)
{
    size_t at = s.n && s.p[0] == '-', from = at;
    at = digits(s, at);
    if (at == from || (s.p[from] == '0' && at > from + 1))
        return false;
    if (at < s.n && s.p[at] == '.') {
        from = ++at;
        at = digits(s, at);
        if (at == from)
            return false;
    }
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        if (at < s.n && (s.p[at] == '+' || s.p[at] == '-'))
            at++;
        from = at;
        at = digits(s, at);
        if (at == from)
            return false;
    }
    return at == s.n;
}

/* 0.d1d2d3… x 10^power would lose nothing: digits without their point and outer zeros. */
struct decimal {
    char digit[40];
    size_t n;      /* 0: the number is zero */
    int64_t power; /* of ten, behind the last digit */
    bool cut;      /* more digits followed, not all zero */
};

enum { DIGITS_MAX = 40, POWER_MAX = 1000 };

static void add_digit(struct decimal *d, char c)
{
    if (d->n == 0 && c == '0')
        return;
    if (d->n < DIGITS_MAX) {
        d->digit[d->n++] = c;
    } else {
        d->power++;
        d->cut |= c != '0';
    }
}

static bool parse_decimal(struct slice s, struct decimal *d)
{
    *d = (struct decimal){ 0 };
    if (!json_number_valid(s) || s.p[0] == '-')
        return false;
    size_t at = 0;
    bool point = false;
    for (; at < s.n && s.p[at] != 'e' && s.p[at] != 'E'; at++) {
        if (s.p[at] == '.') {
            point = true;
            continue;
        }
        d->power -= point;
        add_digit(d, s.p[at]);
    }
    int64_t e = 0;
    if (at < s.n) {
        at++;
        if (!slice_i64(slice_from(s, at + (s.p[at] == '+')), &e) || e > POWER_MAX ||
            e < -POWER_MAX)
            return false;
    }
    d->power += e;
    for (; d->n && d->digit[d->n - 1] == '0' && !d->cut; d->n--)
        d->power++;
    return true;
}

/* The digits before the point, shifted by `scale`; overflow is false. */
static bool scaled(const struct decimal *d, int64_t power, uint64_t *out)
{
    int64_t keep = (int64_t)d->n + (power < 0 ? power : 0);
    *out = 0;
    for (int64_t i = 0; i < keep; i++)
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (unsigned)(d->digit[i] - '0'), out))
            return false;
    for (int64_t i = 0; i < power && *out; i++)
        if (__builtin_mul_overflow(*out, 10u, out))
            return false;
    return true;
}

bool json_decimal(struct slice text, unsigned scale, uint64_t *out)
{
    struct decimal d;
    if (!parse_decimal(text, &d) || !scaled(&d, d.power + scale, out))
        return false;
    int64_t next = (int64_t)d.n + d.power + scale; /* the first digit left out */
    bool up = next >= 0 && next < (int64_t)d.n && d.digit[next] >= '5';
    return !__builtin_add_overflow(*out, up, out);
}

bool json_count(struct slice text, uint64_t *out)
{
    const uint64_t most = (uint64_t)1 << 48;
    struct decimal d;
    if (slice_u64(text, out))
        return *out <= most;
    return parse_decimal(text, &d) && (d.n == 0 || d.power >= 0) && !d.cut &&
           scaled(&d, d.power, out) && *out <= most;
}
