/* Rows of a table to JSON: see logcsv.h. */
#include "agent/logcsv.h"

#include "common/json.h"

/*
 * The next field of *rest, without its quotes; *doubled if it holds "" for a quote. False
 * at the end, or (with *broken) when a quote does not end or text follows it.
 */
static bool field(struct slice *rest, bool *more, struct slice *out, bool *doubled,
                  bool *broken)
{
    *doubled = false;
    if (!*more)
        return false;
    if (!rest->n || rest->p[0] != '"') {
        *more = slice_cut(*rest, ',', out, rest);
        return true;
    }
    size_t at = 1;
    for (; at < rest->n; at++) {
        if (rest->p[at] != '"')
            continue;
        if (at + 1 == rest->n || rest->p[at + 1] != '"')
            break;
        *doubled = true;
        at++;
    }
    *broken = at >= rest->n || (at + 1 < rest->n && rest->p[at + 1] != ',');
    *out = slice_of(rest->p + 1, at - 1);
    *more = at + 1 < rest->n;
    *rest = slice_from(*rest, at + 2);
    return !*broken;
}

/* A field as a JSON string; "" stands for one quote. */
static void value(struct json_out *o, struct slice s, bool doubled)
{
    if (!doubled) {
        json_str(o, s);
        return;
    }
    struct buf plain = { .limit = s.n + 1 };
    for (size_t i = 0; i < s.n; i++) {
        buf_addc(&plain, s.p[i]);
        i += s.p[i] == '"';
    }
    json_str(o, buf_slice(&plain));
    buf_release(&plain);
}

const char *logcsv_row(struct slice head, struct slice row, struct buf *out)
{
    struct json_out o = { .b = out };
    struct slice name, text;
    bool names = true, texts = true, broken = false, escaped, doubled;
    buf_reset(out);
    json_open(&o, '{');
    while (field(&row, &texts, &text, &doubled, &broken)) {
        if (!field(&head, &names, &name, &escaped, &broken))
            return "more fields than names";
        name = slice_trim(name);
        if (!text.n || !name.n)
            continue;
        json_key_slice(&o, name);
        value(&o, text, doubled);
    }
    json_close(&o, '}');
    if (broken)
        return "a quoted field that does not end on its line";
    return out->st == ST_OK ? NULL : "a row that is too long";
}

bool logcsv_detect(struct slice line)
{
    static const struct slice needed[] = {
        { "request_id", 10 }, { "call_type", 9 }, { "spend", 5 }, { "prompt_tokens", 13 }
    };
    size_t found = 0;
    struct slice name;
    bool more = true, doubled, broken = false;
    if (line.n > LOGCSV_HEAD)
        return false;
    while (field(&line, &more, &name, &doubled, &broken))
        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
            found += slice_eq(slice_trim(name), needed[i]);
    return !broken && found == sizeof needed / sizeof *needed;
}
