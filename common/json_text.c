/* Escapes of JSON strings: see json_text.h. */
#include "common/json_text.h"

char json_simple_escape(char c)
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

int json_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t json_put_utf8(uint32_t c, char out[4])
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

/* A code point, or U+FFFD for half a surrogate pair. */
static void add_code(struct buf *out, uint32_t code)
{
    char utf8[4];
    bool half = code >= 0xd800 && code <= 0xdfff;
    buf_add(out, slice_of(utf8, json_put_utf8(half ? 0xfffd : code, utf8)));
}

/* Four hex digits at the start of s. */
static bool hex4(struct slice s, uint32_t *unit)
{
    *unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int v = i < s.n ? json_hex_value(s.p[i]) : -1;
        if (v < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)v;
    }
    return true;
}

/* "\uXXXX", with its partner if s goes on with one. Returns the bytes read, 0 if bad. */
static size_t unescape_unit(struct slice s, struct buf *out)
{
    uint32_t unit, low;
    if (!hex4(slice_from(s, 2), &unit))
        return 0;
    if (unit >= 0xd800 && unit <= 0xdbff &&
        slice_starts(slice_from(s, 6), SLICE("\\u")) && hex4(slice_from(s, 8), &low) &&
        low >= 0xdc00 && low <= 0xdfff) {
        add_code(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        return 12;
    }
    add_code(out, unit);
    return 6;
}

bool json_unescape(struct slice raw, struct buf *out)
{
    while (raw.n) {
        const char *stop = json_skip_stop(raw.p, raw.p + raw.n);
        size_t n = (size_t)(stop - raw.p);
        buf_add(out, slice_head(raw, n));
        raw = slice_from(raw, n);
        if (raw.n == 0)
            return true;
        if (raw.n < 2 || raw.p[0] != '\\')
            return false;
        char plain = json_simple_escape(raw.p[1]);
        n = plain ? 2 : raw.p[1] == 'u' ? unescape_unit(raw, out) : 0;
        if (plain)
            buf_addc(out, plain);
        if (n == 0)
            return false;
        raw = slice_from(raw, n);
    }
    return true;
}
