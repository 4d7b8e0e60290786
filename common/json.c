/*
 * The scanner is one state machine; every state can be left at any byte and resumed. A
 * token that lies whole inside the chunk is returned in place; one that is cut, or that
 * has escapes, is collected in j->hold.
 */
#include "common/json.h"

#include "common/json_text.h"

#include <assert.h>

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
    j->before = j->string_at = j->skip_end = 0;
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

uint64_t json_string_bytes(const struct json *j, struct slice text)
{
    return text.p == j->hold ? json_offset(j) - j->string_at - 2 : text.n;
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

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* What may follow a value that has just ended. */
static void value_done(struct json *j)
{
    if (j->depth)
        j->state = S_COMMA;
    else
        j->state = j->flags & JSON_MULTI ? S_VALUE : S_TOP;
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

static void hold_code(struct json *j, uint32_t c)
{
    char utf8[4];
    hold(j, utf8, json_put_utf8(c, utf8));
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
        char plain = json_simple_escape(c);
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
    int v = json_hex_value(c);
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
        const char *stop = json_string_stop(j->at, j->end);
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
    const char *first = j->at + 1, *stop = json_string_stop(first, j->end);
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
    j->string_at = json_offset(j);
    j->state = S_STRING;
    j->at = first;
    return scan_string(j, text);
}

static bool number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' ||
           c == 'E';
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
    if (s.n > sizeof j->hold - j->held) /* wherever the cuts are */
        return bad(j, "number or word too long");
    if (j->held || !ended) {
        hold(j, s.p, s.n);
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

/* The common number: an integer that ends inside the chunk. */
static bool whole_integer(struct json *j, struct slice *text)
{
    const char *p = j->at + 1;
    while (p < j->end && *p >= '0' && *p <= '9')
        p++;
    size_t n = (size_t)(p - j->at);
    if (p == j->end || number_byte(*p) || (*j->at == '0' && n > 1) || n > JSON_HOLD)
        return false;
    *text = slice_of(j->at, n);
    j->at = p;
    value_done(j);
    return true;
}

static enum json_type start_value(struct json *j, char c, struct slice *text)
{
    if (c == '"')
        return start_string(j, JSON_STRING, text);
    if (c == '{' || c == '[')
        return open_container(j, c == '{');
    if (c >= '0' && c <= '9' && whole_integer(j, text))
        return JSON_NUMBER;
    j->held = 0;
    if (c == '-' || (c >= '0' && c <= '9'))
        j->state = S_NUMBER;
    else if (word_byte(c))
        j->state = S_WORD;
    else
        return bad(j, "a value was expected");
    return scan_bare(j, text);
}

/* j->skipping: what of the value that is passed over has been seen. */
enum skipping { SKIP_COLON, SKIP_VALUE, SKIP_BARE };

/* The inside of a string that is passed over; true once it has ended. */
static bool skip_string(struct json *j)
{
    while (j->at < j->end) {
        if (j->escape) {
            j->escape = 0;
            j->at++;
            continue;
        }
        j->at = json_skip_stop(j->at, j->end);
        if (j->at == j->end)
            return false;
        if (*j->at++ == '"') {
            j->in_skip_string = 0;
            return true;
        }
        j->escape = 1;
    }
    return false;
}

static enum json_type skip_done(struct json *j)
{
    j->skip_end = json_offset(j);
    value_done(j);
    return JSON_NULL;
}

/* One byte outside of strings; JSON_MORE means "go on". */
static enum json_type skip_byte(struct json *j, char c)
{
    bool outside = j->depth == j->skip_to;
    switch (c) {
    case '"':
        j->in_skip_string = 1;
        break;
    case '{':
    case '[':
        if (!push(j, c == '{'))
            return bad(j, "nested too deep");
        break;
    case '}':
    case ']':
        if (outside)
            return j->skipping == SKIP_BARE ? skip_done(j)
                                            : bad(j, "a value was expected");
        if (in_object(j) != (c == '}'))
            return bad(j, "wrong closing bracket");
        j->at++;
        return --j->depth == j->skip_to ? skip_done(j) : JSON_MORE;
    case ',':
        if (outside)
            return j->skipping == SKIP_BARE ? skip_done(j)
                                            : bad(j, "a value was expected");
        break;
    default:
        if (outside && !is_space(c))
            j->skipping = SKIP_BARE;
    }
    j->at++;
    return JSON_MORE;
}

/*
 * Pass bytes until the depth is back at j->skip_to and one whole value has ended. A bare
 * value ends before ',' or a closing bracket, which belongs to the container.
 */
static enum json_type scan_skip(struct json *j)
{
    while (j->at < j->end) {
        if (j->in_skip_string) {
            if (skip_string(j) && j->depth == j->skip_to)
                return skip_done(j);
        } else if (j->skipping == SKIP_COLON) {
            char c = *j->at;
            if (c != ':' && !is_space(c))
                return bad(j, "':' was expected");
            j->at++;
            if (c == ':')
                j->skipping = SKIP_VALUE;
        } else {
            enum json_type t = skip_byte(j, *j->at);
            if (t != JSON_MORE)
                return t;
        }
    }
    return j->finished ? bad(j, "input ends inside a value") : JSON_MORE;
}

void json_skip(struct json *j)
{
    switch (j->state) {
    case S_COLON: /* after a key */
        j->skip_to = j->depth;
        j->skipping = SKIP_COLON;
        break;
    case S_KEY_OR_END:
    case S_VALUE_OR_END: /* after an opening bracket: leave that container */
        j->skip_to = (uint16_t)(j->depth - 1);
        j->skipping = SKIP_VALUE;
        break;
    default:
        assert(j->state == S_BAD);
        return;
    }
    j->in_skip_string = 0;
    j->escape = 0;
    j->state = S_SKIP;
}

static const char *pass_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

bool json_raw_string(struct json *j, struct slice *raw)
{
    if (j->state != S_COLON)
        return false;
    const char *p = pass_space(j->at, j->end);
    if (p == j->end || *p != ':')
        return false;
    p = pass_space(p + 1, j->end);
    if (p == j->end || *p != '"')
        return false;
    const char *first = ++p;
    while ((p = json_skip_stop(p, j->end)) < j->end && *p == '\\')
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
    default: /* token states are json_next's */
        assert(0);
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
        while (j->at < j->end && is_space(*j->at))
            j->at++;
        if (j->at == j->end)
            return at_end(j);
        t = structural(j, *j->at, text);
        if (t != JSON_MORE || j->state == S_STRING || j->state == S_NUMBER ||
            j->state == S_WORD)
            return t;
    }
}
