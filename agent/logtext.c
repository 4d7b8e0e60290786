/* Text lines: see logtext.h. */
#include "agent/logtext.h"

#include "common/json.h"

bool logtext_begins_json(struct slice text)
{
    if (text.p[0] != '{' && text.p[0] != '[')
        return false;
    struct slice rest = slice_from(text, 1);
    while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t'))
        rest = slice_from(rest, 1);
    char next = rest.n ? rest.p[0] : '}';
    if (text.p[0] == '[')
        return rest.n && (next == '{' || next == '[' || next == ']');
    if (next != '"')
        return next == '}';
    rest = slice_from(rest, 1);
    size_t quote = slice_chr(slice_head(rest, 64), '"');
    if (quote == SIZE_MAX)
        return true;
    for (rest = slice_from(rest, quote + 1); rest.n && rest.p[0] == ' ';)
        rest = slice_from(rest, 1);
    return !rest.n || rest.p[0] != '=';
}

bool logtext_fragment(struct slice text)
{
    size_t at = 1;
    if (text.p[0] != '"')
        return false;
    while (at < text.n && text.p[at] != '"' && text.p[at] > ' ')
        at++;
    return at + 1 < text.n && text.p[at] == '"' &&
           slice_starts(slice_trim(slice_from(text, at + 1)), SLICE(":"));
}

struct slice logtext_element(struct slice text)
{
    struct slice s = text;
    size_t first = slice_starts(s, SLICE("[{")) || slice_starts(s, SLICE(",{"));
    if (slice_ends(s, SLICE("},")) || (slice_ends(s, SLICE("}]")) && s.p[0] != '['))
        s.n--;
    else
        return text;
    return s.p[first] == '{' ? slice_from(s, first) : text;
}

bool logtext_quoted(struct slice s, struct slice *inside)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == s.p[0]) {
            *inside = slice_of(s.p + 1, i - 1);
            return true;
        }
    }
    return false;
}

/* Behind the brace that closes the one at s.p[0], quoted ones left aside; 0: none does.
 */
static size_t balanced(struct slice s)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && c == '{')
            depth++;
        else if (!in_string && c == '}' && --depth == 0)
            return i + 1;
    }
    return 0;
}

bool logtext_goes_on(struct slice line)
{
    size_t n = line.n && line.p[0] == '{' ? balanced(line) : 0;
    return n && n < line.n;
}

bool logtext_json(struct slice line, size_t *at, struct buf *out, struct slice *json,
                  size_t *first)
{
    size_t brace = slice_chr(slice_from(line, *at), '{');
    struct slice inside;
    *first = line.n;
    if (brace == SIZE_MAX)
        return false;
    brace += *at;
    if (brace && line.p[brace - 1] == '"' && brace + 1 < line.n &&
        line.p[brace + 1] == '\\' &&
        logtext_quoted(slice_from(line, brace - 1), &inside)) {
        *first = brace - 1;
        *at = *first + inside.n + 2;
        buf_reset(out);
        *json = json_unescape(inside, out) && out->st == ST_OK ? buf_slice(out)
                                                               : slice_of(NULL, 0);
        return true;
    }
    size_t n = balanced(slice_from(line, brace));
    *first = brace;
    *json = slice_head(slice_from(line, brace), n);
    *at = n ? brace + n : line.n;
    return n > 0;
}

struct slice logtext_plain(struct slice s, struct buf *out)
{
    if (slice_chr(s, '\033') == SIZE_MAX)
        return s;
    buf_reset(out);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\033') {
            buf_addc(out, s.p[i]);
            continue;
        }
        if (i + 1 < s.n && s.p[i + 1] == '[')
            for (i += 2; i < s.n && (s.p[i] < '@' || s.p[i] > '~');)
                i++;
    }
    return buf_slice(out);
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool key_byte(char c)
{
    return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

bool logtext_lone(struct slice s)
{
    size_t at = 0, n;
    while (at < s.n && strchr("{[('\"", s.p[at]) && s.p[at])
        at++;
    for (n = at; n < s.n && key_byte(s.p[n]);)
        n++;
    if (n == at || !letter(s.p[at]))
        return false;
    while (n < s.n && (s.p[n] == '\'' || s.p[n] == '"' || s.p[n] == ' '))
        n++;
    if (n >= s.n || (s.p[n] != ':' && s.p[n] != '='))
        return false;
    s = slice_trim(slice_from(s, n + 1 + slice_starts(slice_from(s, n), SLICE("=>"))));
    for (n = 0; n < s.n && s.p[n] >= '0' && s.p[n] <= '9';)
        n++;
    if (!n)
        return false;
    while (n < s.n && strchr(",)]} ", s.p[n]) && s.p[n])
        n++;
    return n == s.n;
}

/* Does a pair of its own begin here, behind the name of a group: `usage: in=5 out=7`? */
static bool pair_begins(struct slice s, size_t at)
{
    size_t n = at;
    while (n < s.n && key_byte(s.p[n]))
        n++;
    if (n == at || !letter(s.p[at]) || n + 1 >= s.n)
        return false;
    return s.p[n] == '=' || (s.p[n] == ':' && s.p[n + 1] == ' ') ||
           slice_starts(slice_from(s, n), SLICE(" = "));
}

/* `=>` at s.p[from], blanks around it: *at is left behind them. */
static bool arrow(struct slice s, size_t from, size_t *at)
{
    while (from < s.n && s.p[from] == ' ')
        from++;
    if (!slice_starts(slice_from(s, from), SLICE("=>")))
        return false;
    for (*at = from + 2; *at < s.n && s.p[*at] == ' ';)
        ++*at;
    return true;
}

/* The next key before '=' or ':' at or after *at; *at is left behind the separator. */
static bool next_key(struct slice s, size_t *at, struct slice *key)
{
    while (*at < s.n) {
        size_t first = *at;
        if (!letter(s.p[first])) {
            ++*at;
            continue;
        }
        while (*at < s.n && key_byte(s.p[*at]))
            ++*at;
        *key = slice_of(s.p + first, *at - first);
        bool closed = *at < s.n && (s.p[*at] == '\'' || s.p[*at] == '"');
        size_t mark = *at + closed;
        if (closed && arrow(s, mark, at)) /* Ruby's hashes */
            return true;
        mark += slice_starts(slice_from(s, mark), SLICE(" = ")); /* printed by Java */
        if (mark >= s.n || (s.p[mark] != '=' && s.p[mark] != ':'))
            continue;
        *at = mark + 1;
        if ((s.p[mark] == ':' || s.p[mark - 1] == ' ') && *at < s.n && s.p[*at] == ' ')
            ++*at;
        if (s.p[mark] == ':' && pair_begins(s, *at))
            continue;
        return true;
    }
    return false;
}

static struct slice next_value(struct slice s, size_t *at)
{
    struct slice v;
    bool quoted = *at < s.n && (s.p[*at] == '"' || s.p[*at] == '\'');
    if (quoted && logtext_quoted(slice_from(s, *at), &v)) {
        *at += v.n + 2;
        return v;
    }
    if (quoted && s.p[*at] == '\'') { /* cut off */
        v = slice_from(s, *at + 1);
        *at = s.n;
        return v;
    }
    size_t first = *at;
    while (*at < s.n && !strchr(" \t,;()[]{}", s.p[*at]))
        ++*at;
    return slice_of(s.p + first, *at - first);
}

static bool number(struct slice v)
{
    size_t i = 0, dots = 0;
    for (; i < v.n; i++) {
        dots += v.p[i] == '.';
        if ((v.p[i] < '0' || v.p[i] > '9') && v.p[i] != '.')
            return false;
    }
    bool plain = v.n == 1 || (v.n && v.p[0] != '0') || (v.n > 1 && v.p[1] == '.');
    return v.n && v.n < 20 && plain && dots < 2 && v.p[0] != '.' && v.p[v.n - 1] != '.';
}

bool logtext_pairs(struct slice line, struct buf *out)
{
    struct json_out o = { .b = out };
    struct slice key;
    size_t at = 0, pairs = 0;
    buf_reset(out);
    json_open(&o, '{');
    while (pairs < LOGTEXT_PAIRS && next_key(line, &at, &key)) {
        struct slice value = next_value(line, &at);
        if (at > line.n)
            at = line.n;
        if (value.n == 0 || value.n > LOGTEXT_VALUE || key.n > LOGTEXT_VALUE)
            continue;
        json_key_slice(&o, key);
        if (number(value))
            json_raw(&o, value);
        else
            json_str(&o, value);
        pairs++;
    }
    json_close(&o, '}');
    return pairs > 0 && out->st == ST_OK;
}
