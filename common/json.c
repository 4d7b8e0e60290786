/*
 * The scanner is one state machine; every state can be left at any byte and resumed. A
 * token that lies whole inside the chunk is returned in place; one that is cut, or that
 * has escapes, is collected in j->hold.
 */
#include "common/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state {
    S_VALUE,        /* a value must come */
    S_VALUE_OR_END, /* just after '[' */
    S_KEY_OR_END,   /* just after '{' */
    S_KEY,          /* after ',' in an object */
    S_COLON,
    S_COMMA, /* after a value in a container */
    S_TOP,   /* after a value at top level */
    S_STRING,
    S_NUMBER,
    S_WORD,
    S_SKIP,
    S_END,
    S_BAD,
};

static enum json_type bad(struct json *j, const char *why)
{
    j->state = S_BAD;
    j->why = why;
    return JSON_BAD;
}

void json_init(struct json *j, enum json_flags flags)
{
    j->at = j->end = j->start = NULL;
    j->before = 0;
    j->why = "";
    j->state = S_VALUE;
    j->flags = (unsigned char)flags;
    j->after_string = j->escape = j->skipping = j->finished = j->in_skip_string = 0;
    j->truncated = false;
    j->skip_to = j->depth = j->held = 0;
    j->surrogate = j->code = 0;
}

void json_feed(struct json *j, struct slice chunk)
{
    assert(j->at == j->end && !j->finished);
    j->before += (uint64_t)(j->end - j->start);
    j->start = j->at = chunk.n ? chunk.p : "";
    j->end = j->start + chunk.n;
}

void json_finish(struct json *j)
{
    j->finished = 1;
}

uint64_t json_offset(const struct json *j)
{
    return j->before + (uint64_t)(j->at - j->start);
}

const char *json_why(const struct json *j)
{
    return j->why;
}

static bool in_object(const struct json *j)
{
    unsigned level = j->depth - 1u;
    return j->stack[level / 64] >> (level % 64) & 1;
}

static bool push(struct json *j, bool object)
{
    if (j->depth == JSON_DEPTH_MAX)
        return false;
    uint64_t bit = (uint64_t)1 << (j->depth % 64);
    uint64_t *word = &j->stack[j->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    j->depth++;
    return true;
}

/* What may follow a value that has just ended. */
static void value_done(struct json *j)
{
    if (j->depth)
        j->state = S_COMMA;
    else
        j->state = j->flags & JSON_MULTI ? S_VALUE : S_TOP;
}

/* First '"', '\\' or control byte at or after p. */
static const char *string_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  low = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, low), v));
        int mask = _mm_movemask_epi8(hit);
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* First '"' or '\\' at or after p: inside a string that is passed over. */
static const char *skip_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        int mask = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

static void hold(struct json *j, const char *p, size_t n)
{
    size_t room = sizeof j->hold - j->held;
    if (n > room) {
        n = room;
        j->truncated = true;
    }
    if (n) /* p may be null when empty */
        memcpy(j->hold + j->held, p, n);
    j->held = (uint16_t)(j->held + n);
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* What "\c" stands for, or 0. */
static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void hold_code(struct json *j, uint32_t c)
{
    char utf8[4];
    hold(j, utf8, put_utf8(c, utf8));
}

/* A high surrogate that found no partner becomes U+FFFD. */
static void flush_surrogate(struct json *j)
{
    if (j->surrogate)
        hold_code(j, 0xfffd);
    j->surrogate = 0;
}

static void hold_unit(struct json *j, uint32_t unit)
{
    if (j->surrogate && unit >= 0xdc00 && unit <= 0xdfff) {
        hold_code(j, 0x10000 + ((j->surrogate - 0xd800) << 10) + (unit - 0xdc00));
        j->surrogate = 0;
        return;
    }
    flush_surrogate(j);
    if (unit >= 0xd800 && unit <= 0xdbff)
        j->surrogate = unit;
    else
        hold_code(j, unit >= 0xdc00 && unit <= 0xdfff ? 0xfffd : unit);
}

/* One byte after a backslash; j->escape counts: 1 = the letter, 2..5 = hex digits. */
static bool escape_byte(struct json *j, char c)
{
    if (j->escape == 1) {
        char plain = simple_escape(c);
        if (plain) {
            flush_surrogate(j);
            hold(j, &plain, 1);
            j->escape = 0;
            return true;
        }
        j->code = 0;
        j->escape = 2;
        return c == 'u';
    }
    int v = hex_value(c);
    if (v < 0)
        return false;
    j->code = j->code << 4 | (uint32_t)v;
    if (++j->escape == 6) {
        hold_unit(j, j->code);
        j->escape = 0;
    }
    return true;
}

static enum json_type string_done(struct json *j)
{
    if (j->after_string == JSON_KEY)
        j->state = S_COLON;
    else
        value_done(j);
    return (enum json_type)j->after_string;
}

/* Continue a string; everything read before stands in j->hold. */
static enum json_type scan_string(struct json *j, struct slice *text)
{
    while (j->at < j->end) {
        if (j->escape) {
            if (!escape_byte(j, *j->at))
                return bad(j, "bad escape in a string");
            j->at++;
            continue;
        }
        const char *stop = string_stop(j->at, j->end);
        if (stop > j->at)
            flush_surrogate(j);
        hold(j, j->at, (size_t)(stop - j->at));
        j->at = stop;
        if (stop == j->end)
            break;
        if (*stop == '"') {
            flush_surrogate(j);
            j->at++;
            *text = slice_of(j->hold, j->held);
            return string_done(j);
        }
        if (*stop != '\\')
            return bad(j, "control byte in a string");
        j->escape = 1;
        j->at++;
    }
    return j->finished ? bad(j, "input ends inside a string") : JSON_MORE;
}

/* At an opening quote: whole and without escapes it is returned in place. */
static enum json_type start_string(struct json *j, enum json_type type,
                                   struct slice *text)
{
    const char *first = j->at + 1, *stop = string_stop(first, j->end);
    j->after_string = (unsigned char)type;
    j->truncated = false;
    if (stop < j->end && *stop == '"') {
        *text = slice_of(first, (size_t)(stop - first));
        j->at = stop + 1;
        return string_done(j);
    }
    j->held = 0;
    j->escape = 0;
    j->surrogate = 0;
    j->state = S_STRING;
    j->at = first;
    return scan_string(j, text);
}

static bool number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' ||
           c == 'E';
}

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

static enum json_type number_done(struct json *j, struct slice s, struct slice *text)
{
    if (!json_number_valid(s))
        return bad(j, "malformed number");
    *text = s;
    value_done(j);
    return JSON_NUMBER;
}

static enum json_type word_done(struct json *j, struct slice s)
{
    enum json_type type = slice_eq(s, SLICE("true"))    ? JSON_TRUE
                          : slice_eq(s, SLICE("false")) ? JSON_FALSE
                          : slice_eq(s, SLICE("null"))  ? JSON_NULL
                                                        : JSON_BAD;
    if (type == JSON_BAD)
        return bad(j, "unknown word");
    value_done(j);
    return type;
}

static bool word_byte(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Numbers and words end at the first byte that is not theirs. */
static enum json_type scan_bare(struct json *j, struct slice *text)
{
    bool number = j->state == S_NUMBER;
    const char *first = j->at;
    while (j->at < j->end && (number ? number_byte(*j->at) : word_byte(*j->at)))
        j->at++;
    struct slice s = slice_of(first, (size_t)(j->at - first));
    bool ended = j->at < j->end || j->finished;
    if (j->held || !ended) {
        j->truncated = false;
        hold(j, s.p, s.n);
        if (j->truncated)
            return bad(j, "number or word too long");
        s = slice_of(j->hold, j->held);
    }
    if (!ended)
        return JSON_MORE;
    return number ? number_done(j, s, text) : word_done(j, s);
}

static enum json_type open_container(struct json *j, bool object)
{
    j->at++;
    if (!push(j, object))
        return bad(j, "nested too deep");
    j->state = object ? S_KEY_OR_END : S_VALUE_OR_END;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_type close_container(struct json *j, char c)
{
    bool object = in_object(j);
    if (object != (c == '}'))
        return bad(j, "wrong closing bracket");
    j->at++;
    j->depth--;
    value_done(j);
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_type start_value(struct json *j, char c, struct slice *text)
{
    if (c == '"')
        return start_string(j, JSON_STRING, text);
    if (c == '{' || c == '[')
        return open_container(j, c == '{');
    j->held = 0;
    if (c == '-' || (c >= '0' && c <= '9'))
        j->state = S_NUMBER;
    else if (word_byte(c))
        j->state = S_WORD;
    else
        return bad(j, "a value was expected");
    return scan_bare(j, text);
}

/*
 * Pass bytes until the depth is back at j->skip_to and one whole value has ended. A bare
 * value ends before ',' or a closing bracket, which belongs to the container.
 */
static enum json_type scan_skip(struct json *j)
{
    const char *p = j->at, *end = j->end;
    while (p < end) {
        if (j->in_skip_string) {
            if (j->escape) {
                j->escape = 0;
                p++;
                continue;
            }
            p = skip_stop(p, end);
            if (p == end)
                break;
            if (*p++ == '\\') {
                j->escape = 1;
                continue;
            }
            j->in_skip_string = 0;
            if (j->depth == j->skip_to)
                goto done;
            continue;
        }
        switch (*p) {
        case '"':
            j->in_skip_string = 1;
            j->escape = 0;
            j->skipping = 2;
            break;
        case '{':
        case '[':
            if (!push(j, *p == '{')) {
                j->at = p;
                return bad(j, "nested too deep");
            }
            j->skipping = 2;
            break;
        case '}':
        case ']':
            if (j->depth == j->skip_to) { /* the end of a bare value's container */
                j->at = p;
                if (j->skipping != 2)
                    return bad(j, "a value was expected");
                value_done(j);
                return JSON_NULL;
            }
            if (in_object(j) != (*p == '}')) {
                j->at = p;
                return bad(j, "wrong closing bracket");
            }
            if (--j->depth == j->skip_to) {
                p++;
                goto done;
            }
            break;
        case ',':
            if (j->depth == j->skip_to) {
                j->at = p;
                if (j->skipping != 2)
                    return bad(j, "a value was expected");
                value_done(j);
                return JSON_NULL;
            }
            break;
        case ' ':
        case '\t':
        case '\r':
        case '\n':
        case ':':
            break;
        default:
            j->skipping = 2; /* something of a value has been seen */
        }
        p++;
    }
    j->at = end;
    return j->finished ? bad(j, "input ends inside a value") : JSON_MORE;
done:
    j->at = p;
    value_done(j);
    return JSON_NULL;
}

void json_skip(struct json *j)
{
    switch (j->state) {
    case S_COLON: /* after a key: the colon is still to come, scan_skip passes it */
        j->skip_to = j->depth;
        j->skipping = 1;
        break;
    case S_KEY_OR_END:
    case S_VALUE_OR_END: /* after an opening bracket: leave that container */
        j->skip_to = (uint16_t)(j->depth - 1);
        j->skipping = 2;
        break;
    default:
        assert(j->state == S_BAD);
        return;
    }
    j->in_skip_string = 0;
    j->escape = 0;
    j->state = S_SKIP;
}

bool json_raw_string(struct json *j, struct slice *raw)
{
    if (j->state != S_COLON)
        return false;
    const char *p = j->at;
    while (p < j->end && (*p == ' ' || *p == '\t' || *p == ':'))
        p++;
    if (p == j->end || *p != '"')
        return false;
    const char *first = ++p;
    while ((p = skip_stop(p, j->end)) < j->end && *p == '\\')
        p = p + 2 < j->end ? p + 2 : j->end;
    if (p == j->end)
        return false;
    *raw = slice_of(first, (size_t)(p - first));
    j->at = p + 1;
    value_done(j);
    return true;
}

/* One byte outside of any token; JSON_MORE means "go on". */
static enum json_type structural(struct json *j, char c, struct slice *text)
{
    switch ((enum state)j->state) {
    case S_VALUE_OR_END:
        if (c == ']')
            return close_container(j, c);
        return start_value(j, c, text);
    case S_VALUE:
        return start_value(j, c, text);
    case S_KEY_OR_END:
        if (c == '}')
            return close_container(j, c);
        /* fall through */
    case S_KEY:
        return c == '"' ? start_string(j, JSON_KEY, text) : bad(j, "a key was expected");
    case S_COLON:
        if (c != ':')
            return bad(j, "':' was expected");
        j->at++;
        j->state = S_VALUE;
        return JSON_MORE;
    case S_COMMA:
        if (c == '}' || c == ']')
            return close_container(j, c);
        if (c != ',')
            return bad(j, "',' or a closing bracket was expected");
        j->at++;
        j->state = in_object(j) ? S_KEY : S_VALUE;
        return JSON_MORE;
    case S_TOP:
        return bad(j, "text after the document");
    default:
        assert(!"token states are handled by json_next");
        return bad(j, "internal state");
    }
}

static enum json_type at_end(struct json *j)
{
    if (!j->finished)
        return JSON_MORE;
    bool whole = j->state == S_TOP ||
                 (j->state == S_VALUE && !j->depth && (j->flags & JSON_MULTI));
    if (!whole)
        return bad(j, "input ends inside a document");
    j->state = S_END;
    return JSON_END;
}

enum json_type json_next(struct json *j, struct slice *text)
{
    for (;;) {
        enum json_type t;
        switch ((enum state)j->state) {
        case S_STRING:
            return scan_string(j, text);
        case S_NUMBER:
        case S_WORD:
            return scan_bare(j, text);
        case S_SKIP:
            t = scan_skip(j);
            if (t == JSON_MORE || t == JSON_BAD)
                return t;
            continue;
        case S_END:
            return JSON_END;
        case S_BAD:
            return JSON_BAD;
        default:
            break;
        }
        while (j->at < j->end &&
               (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r'))
            j->at++;
        if (j->at == j->end)
            return at_end(j);
        t = structural(j, *j->at, text);
        if (t != JSON_MORE || j->state == S_STRING || j->state == S_NUMBER ||
            j->state == S_WORD)
            return t;
    }
}

/* --- numbers -------------------------------------------------------------------------
 */

/* Split "12.50e-3" into its digits (point removed) and the power of ten behind them. */
static bool decimal_parts(struct slice s, char out[40], size_t *n, int64_t *power)
{
    *n = 0;
    *power = 0;
    if (!json_number_valid(s) || s.p[0] == '-')
        return false;
    size_t at = 0;
    bool point = false;
    for (; at < s.n && s.p[at] != 'e' && s.p[at] != 'E'; at++) {
        if (s.p[at] == '.') {
            point = true;
            continue;
        }
        *power -= point;
        if (*n == 0 && s.p[at] == '0')
            continue;
        if (*n < 38)
            out[(*n)++] = s.p[at];
        else if (!point)
            return false;
        else
            *power += 1; /* a digit far behind the point is dropped */
    }
    int64_t e = 0;
    if (at < s.n && (!slice_i64(slice_from(s, at + 1 + (s.p[at + 1] == '+')), &e) ||
                     e > 1000 || e < -1000))
        return false;
    *power += e;
    return true;
}

bool json_decimal(struct slice text, unsigned scale, uint64_t *out)
{
    char d[40];
    size_t n;
    int64_t power;
    if (!decimal_parts(text, d, &n, &power))
        return false;
    power += scale;
    unsigned __int128 v = 0;
    const unsigned __int128 top = UINT64_MAX;
    bool half = false;
    int64_t keep = (int64_t)n + (power < 0 ? power : 0);
    for (int64_t i = 0; i < (int64_t)n && i < keep; i++) {
        v = v * 10 + (unsigned)(d[i] - '0');
        if (v > top)
            return false;
    }
    if (keep >= 0 && keep < (int64_t)n)
        half = d[keep] >= '5';
    for (int64_t i = 0; i < power && v; i++) {
        v *= 10;
        if (v > top)
            return false;
    }
    v += half;
    if (v > top)
        return false;
    *out = (uint64_t)v;
    return true;
}

bool json_count(struct slice text, uint64_t *out)
{
    const uint64_t most = (uint64_t)1 << 48;
    if (slice_u64(text, out))
        return *out <= most;
    uint64_t milli;
    if (!json_decimal(text, 3, &milli) || milli % 1000 || milli / 1000 > most)
        return false;
    *out = milli / 1000;
    return true;
}

bool json_unescape(struct slice raw, struct buf *out)
{
    uint32_t high = 0;
    for (size_t i = 0; i < raw.n;) {
        const char *stop = skip_stop(raw.p + i, raw.p + raw.n);
        size_t n = (size_t)(stop - (raw.p + i));
        char utf8[4], plain;
        if (high && (n || stop == raw.p + raw.n)) {
            buf_add(out, slice_of(utf8, put_utf8(0xfffd, utf8)));
            high = 0;
        }
        buf_add(out, slice_of(raw.p + i, n));
        i += n;
        if (i == raw.n)
            break;
        if (raw.p[i] != '\\' || i + 1 >= raw.n)
            return false;
        plain = simple_escape(raw.p[i + 1]);
        if (plain) {
            if (high)
                buf_add(out, slice_of(utf8, put_utf8(0xfffd, utf8)));
            high = 0;
            buf_addc(out, plain);
            i += 2;
            continue;
        }
        if (raw.p[i + 1] != 'u' || i + 6 > raw.n)
            return false;
        uint32_t unit = 0;
        for (size_t k = i + 2; k < i + 6; k++) {
            int v = hex_value(raw.p[k]);
            if (v < 0)
                return false;
            unit = unit << 4 | (uint32_t)v;
        }
        i += 6;
        if (high && unit >= 0xdc00 && unit <= 0xdfff) {
            uint32_t c = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
            buf_add(out, slice_of(utf8, put_utf8(c, utf8)));
            high = 0;
            continue;
        }
        if (high)
            buf_add(out, slice_of(utf8, put_utf8(0xfffd, utf8)));
        high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
        if (!high)
            buf_add(out, slice_of(utf8, put_utf8(unit >= 0xdc00 && unit <= 0xdfff ? 0xfffd
                                                                                  : unit,
                                                 utf8)));
    }
    if (high) {
        char utf8[4];
        buf_add(out, slice_of(utf8, put_utf8(0xfffd, utf8)));
    }
    return true;
}

/* --- writer --------------------------------------------------------------------------
 */

static void comma(struct json_out *o)
{
    if (o->comma)
        buf_addc(o->b, ',');
    o->comma = true;
}

void json_open(struct json_out *o, char bracket)
{
    comma(o);
    buf_addc(o->b, bracket);
    o->comma = false;
}

void json_close(struct json_out *o, char bracket)
{
    buf_addc(o->b, bracket);
    o->comma = true;
}

static void put_string(struct buf *b, struct slice s)
{
    buf_addc(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = slice_utf8(slice_from(s, i));
        if (c == '"' || c == '\\') {
            buf_addc(b, '\\');
            buf_addc(b, (char)c);
        } else if (c == '\n') {
            buf_adds(b, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(b, "\\u%04x", c);
        } else if (n == 0) {
            buf_adds(b, "\xef\xbf\xbd");
        } else {
            buf_add(b, slice_of(s.p + i, n));
        }
        i += n ? n : 1;
    }
    buf_addc(b, '"');
}

void json_key_slice(struct json_out *o, struct slice key)
{
    comma(o);
    put_string(o->b, key);
    buf_addc(o->b, ':');
    o->comma = false;
}

void json_key(struct json_out *o, const char *key)
{
    json_key_slice(o, slice_str(key));
}

void json_str(struct json_out *o, struct slice s)
{
    comma(o);
    put_string(o->b, s);
}

void json_u64(struct json_out *o, uint64_t v)
{
    comma(o);
    buf_addu(o->b, v);
}

void json_i64(struct json_out *o, int64_t v)
{
    comma(o);
    buf_addi(o->b, v);
}

void json_num(struct json_out *o, double v)
{
    char text[40];
    if (!isfinite(v)) {
        json_null(o);
        return;
    }
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) != v)
        snprintf(text, sizeof text, "%.17g", v);
    comma(o);
    buf_adds(o->b, text);
}

void json_bool(struct json_out *o, bool v)
{
    json_raw(o, v ? SLICE("true") : SLICE("false"));
}

void json_null(struct json_out *o)
{
    json_raw(o, SLICE("null"));
}

void json_raw(struct json_out *o, struct slice json)
{
    comma(o);
    buf_add(o->b, json);
}
