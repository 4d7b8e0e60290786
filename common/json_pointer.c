/* JSON Pointer over the pull scanner: see json_pointer.h. */
#include "common/json_pointer.h"

#include <stdlib.h>

/* Does the key equal the reference token, ~1 and ~0 undone (RFC 6901, section 4)? */
static bool token_is(struct slice token, struct slice key)
{
    size_t k = 0;
    for (size_t i = 0; i < token.n; i++, k++) {
        char c = token.p[i];
        if (c == '~' && i + 1 < token.n &&
            (token.p[i + 1] == '0' || token.p[i + 1] == '1'))
            c = token.p[++i] == '0' ? '~' : '/';
        if (k >= key.n || key.p[k] != c)
            return false;
    }
    return k == key.n;
}

/* In an object just opened: stand before the value of `token`. */
static enum json_type enter_object(struct json *j, struct slice token)
{
    struct slice key;
    for (;;) {
        enum json_type t = json_next(j, &key);
        if (t == JSON_OBJECT_END)
            return JSON_END;
        if (t != JSON_KEY)
            return JSON_BAD;
        if (!j->truncated && token_is(token, key))
            return JSON_KEY;
        json_skip(j);
    }
}

/* In an array just opened: read the first token of element `index` into *text. */
static enum json_type enter_array(struct json *j, uint64_t index, struct slice *text)
{
    for (;; index--) {
        enum json_type t = json_next(j, text);
        if (t == JSON_ARRAY_END)
            return JSON_END;
        if (t == JSON_BAD || t == JSON_MORE || index == 0)
            return t;
        if (t == JSON_OBJECT || t == JSON_ARRAY)
            json_skip(j);
    }
}

enum json_type json_pointer(struct slice doc, const char *pointer, char *hold,
                            size_t hold_size, struct slice *text)
{
    struct json j;
    struct slice rest = slice_str(pointer), token, found = { 0 };
    json_init(&j, JSON_ONE);
    json_feed(&j, doc);
    json_finish(&j);
    enum json_type t = json_next(&j, &found);
    while (rest.n) {
        uint64_t index;
        rest = slice_from(rest, 1); /* its '/' */
        token = slice_head(rest, slice_chr(rest, '/'));
        rest = slice_from(rest, token.n);
        if (t == JSON_OBJECT) {
            t = enter_object(&j, token);
            if (t == JSON_KEY)
                t = json_next(&j, &found);
        } else if (t == JSON_ARRAY && slice_u64(token, &index)) {
            t = enter_array(&j, index, &found);
        } else if (t != JSON_BAD) {
            return JSON_END;
        }
        if (t == JSON_END || t == JSON_BAD)
            return t;
    }
    if (t == JSON_MORE)
        return JSON_BAD;
    if (t == JSON_STRING || t == JSON_NUMBER) {
        if (found.n > hold_size || (t == JSON_STRING && j.truncated))
            return JSON_BAD;
        if (found.n)
            memcpy(hold, found.p, found.n);
        *text = slice_of(hold, found.n);
    }
    return t;
}

double json_pointer_double(struct slice doc, const char *pointer, double fallback)
{
    char hold[64], number[65];
    struct slice text;
    if (json_pointer(doc, pointer, hold, sizeof hold, &text) != JSON_NUMBER)
        return fallback;
    memcpy(number, text.p, text.n);
    number[text.n] = '\0';
    return strtod(number, NULL);
}
