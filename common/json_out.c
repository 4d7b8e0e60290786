/* The JSON writer: see json.h. */
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

/* One byte that cannot stand as it is; a sequence of bad UTF-8 counts byte by byte. */
static void put_escaped(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\') {
        buf_addc(b, '\\');
        buf_addc(b, (char)c);
    } else if (c == '\n') {
        buf_adds(b, "\\n");
    } else if (c < 0x20 || c == 0x7f) {
        buf_addf(b, "\\u%04x", c);
    } else {
        buf_adds(b, "\xef\xbf\xbd");
    }
}

/* How many bytes of s can be copied as they are. */
static size_t plain_run(struct slice s)
{
    size_t at = 0;
    while (at < s.n) {
        unsigned char c = (unsigned char)s.p[at];
        size_t n = c < 0x80 ? 1 : slice_utf8(slice_from(s, at));
        if (n == 0 || c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            break;
        at += n;
    }
    return at;
}

static void put_string(struct buf *b, struct slice s)
{
    buf_addc(b, '"');
    while (s.n) {
        size_t n = plain_run(s);
        buf_add(b, slice_head(s, n));
        if (n < s.n)
            put_escaped(b, (unsigned char)s.p[n++]);
        s = slice_from(s, n);
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
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
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
