/* Records of several lines: see logjoin.h. */
#include "agent/logjoin.h"

#include "agent/logtext.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Behind the string that begins at s.p[0], or SIZE_MAX. */
static size_t quoted(struct slice s)
{
    struct slice inside;
    return logtext_quoted(s, &inside) ? inside.n + 2 : SIZE_MAX;
}

static bool is_quote(char c, bool loose)
{
    return c == '"' || (loose && (c == '\'' || c == '`'));
}

/*
 * Walk what begins outside of a string, up to the bracket that closes the first one
 * (depth is 0 then) or to the end; it goes to `out` (may be NULL) without the blanks
 * between its tokens. Returns the bytes walked, or SIZE_MAX: a string does not end.
 */
static size_t walk(struct slice s, struct logjoin_at *at, bool loose, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        size_t first = i;
        bool closed = false;
        if (blank(s.p[i]))
            continue;
        if (is_quote(s.p[i], loose)) {
            size_t n = quoted(slice_from(s, i));
            if (n == SIZE_MAX)
                return SIZE_MAX;
            i += n - 1;
        } else if ((s.p[i] | 0x20) == '{') {
            at->lists = at->lists << 1 | (s.p[i] == '[');
            at->depth++;
        } else if ((s.p[i] | 0x20) == '}') {
            closed = at->depth <= 1;
            at->depth -= at->depth > 0;
            at->lists >>= 1;
        }
        if (out)
            buf_add(out, slice_of(s.p + first, i + 1 - first));
        if (closed)
            return i + 1;
    }
    return s.n;
}

/* Numbers and words as values: behind them only what ends values. */
static bool scalar(struct slice s)
{
    static const struct slice words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };
    size_t n = 0;
    for (size_t i = 0; i < 3 && !n; i++)
        n = slice_starts(s, words[i]) ? words[i].n : 0;
    while (n < s.n && memchr("0123456789+-.eE", s.p[n], 15))
        n++;
    if (!n)
        return false;
    while (n < s.n && memchr(",]} \t", s.p[n], 5))
        n++;
    return n == s.n;
}

/* Behind the name and colon that `s` begins with; 0: it does not. */
static size_t named(struct slice s)
{
    bool text = is_quote(s.p[0], true);
    size_t n = text ? quoted(s) : 0;
    while (!text && n < s.n && !memchr(": ,'\"()", s.p[n], 7))
        n++;
    return n && n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

/* `key: value`, `'text' +`, `[Object],`: what JavaScript prints of an entry. */
static bool printed(struct slice s)
{
    static const struct slice words[] = {
        { "true", 4 }, { "false", 5 }, { "null", 4 }, { "undefined", 9 }, { "NaN", 3 }
    };
    size_t n = named(s);
    if (!n)
        return s.p[0] == '[' || (is_quote(s.p[0], true) && quoted(s) != SIZE_MAX);
    s = slice_trim(slice_from(s, n));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_starts(s, words[i]))
            return true;
    return s.n && (is_quote(s.p[0], true) || memchr("0123456789-[{", s.p[0], 13));
}

static bool follows_loosely(const struct logjoin *j, struct slice s)
{
    bool list = j->at.lists & 1;
    if (s.n && (s.p[0] == '}' || s.p[0] == ']'))
        return j->last != ':';
    if (!s.n || !memchr("{[,:+", j->last, 5))
        return false;
    if (s.p[0] == '{') /* a line of JSON has no blank there */
        return list && (s.n == 1 || s.p[1] == ' ');
    return printed(s) && (list || named(s) || j->last == '+');
}

/* May `s` stand behind a line that ended in j->last? */
static bool follows_strictly(const struct logjoin *j, struct slice s)
{
    char c = s.n ? s.p[0] : ' ';
    bool value = c == '"' || c == '{' || c == '[' || scalar(s);
    switch (j->last) {
    case '{':
        return c == '"' || c == '}';
    case '[':
        return value || c == ']';
    case ',':
        return j->at.lists & 1 ? value : c == '"';
    case ':':
        return value;
    default:
        return c == ',' || c == ']' || c == '}';
    }
}

/* May `s` be the next line? *loose: as JavaScript prints it, which the first one shows.
 */
static bool follows(const struct logjoin *j, struct slice s, bool *loose)
{
    bool first = j->text.n && j->text.n == j->first;
    *loose = j->loose;
    if (!j->loose && follows_strictly(j, s))
        return true;
    *loose = j->loose || first;
    return *loose && follows_loosely(j, s);
}

/* A number and a comma: one of the many of an embedding. */
static bool number(struct slice s)
{
    return s.n > 1 && s.p[s.n - 1] == ',' && s.p[0] <= '9' && scalar(s) &&
           slice_chr(s, ' ') == SIZE_MAX;
}

/* The line without what a tool put before it, as before the first one. */
static struct slice behind_prefix(const struct logjoin *j, struct slice line)
{
    struct slice first = slice_head(buf_slice(&j->text), j->first);
    size_t n = 0;
    while (!j->bare && n < first.n && n < line.n && first.p[n] == line.p[n])
        n++;
    return slice_trim(slice_from(line, n));
}

/* Brackets that the text of a line leaves open. */
static struct logjoin_at left_open(struct slice s)
{
    static const struct logjoin_at last = { 1, 0 }; /* the brace that ends the line */
    struct logjoin_at open = { 0, 0 };
    size_t at = slice_find(s, SLICE("{\""));
    for (size_t n = 0; at < s.n; at += n)
        if ((n = walk(slice_from(s, at), &open, false, NULL)) == SIZE_MAX)
            return last;
    return open.depth ? open : last;
}

bool logjoin_begin(struct logjoin *j, struct slice line)
{
    struct slice s = slice_trim(line), json = s;
    if (!slice_ends(s, SLICE("{")) || logtext_fragment(s))
        return false;
    j->text.limit = LOGJOIN_MAX;
    while (json.n && (json.p[0] == '[' || json.p[0] == ',' || blank(json.p[0])))
        json = slice_from(json, 1);
    j->last = '{';
    j->bare =
        json.p[0] == '{' && walk(json, &j->at, false, &j->text) == json.n && j->at.depth;
    if (!j->bare) { /* text, what follows of which is still to be told */
        buf_reset(&j->text);
        buf_add(&j->text, s);
        j->at = left_open(s);
    }
    j->first = j->text.n;
    if (j->text.st == ST_OK)
        return true;
    logjoin_reset(j);
    return false;
}

enum logjoin_step logjoin_add(struct logjoin *j, struct slice line, struct slice *rest)
{
    struct slice s = slice_trim(line);
    if (!s.n)
        return LOGJOIN_MORE;
    bool loose;
    if (!follows(j, s, &loose))
        s = behind_prefix(j, line);
    size_t before = j->text.n;
    struct logjoin_at at = j->at;
    bool single = number(s);
    *rest = line;
    if (!follows(j, s, &loose))
        return LOGJOIN_BROKEN;
    if (single && j->number && j->number == before) /* instead of the one before */
        j->text.n = (size_t)((char *)memrchr(j->text.p, '\n', before) - j->text.p);
    if (!j->over)
        buf_addc(&j->text, '\n');
    /* text without a name, an element or the rest of one, says nothing */
    bool keep = !j->over && !(loose && is_quote(s.p[0], true) && !named(s));
    size_t n = walk(s, &at, loose, keep ? &j->text : NULL);
    if (n == SIZE_MAX) {
        j->text.n = before;
        return LOGJOIN_BROKEN;
    }
    j->loose = loose;
    j->at = at;
    j->last = s.p[s.n - 1];
    j->number = single ? j->text.n : 0;
    *rest = slice_from(s, n);
    if (!at.depth && !j->bare && rest->n && !j->over) { /* the end of its text */
        buf_add(&j->text, *rest);
        *rest = slice_of(s.p, 0);
    }
    if (j->text.st != ST_OK) {
        j->over = true;
        buf_release(&j->text);
    }
    while (rest->n && (rest->p[0] == ',' || rest->p[0] == ']' || blank(rest->p[0])))
        *rest = slice_from(*rest, 1);
    return at.depth ? LOGJOIN_MORE : LOGJOIN_WHOLE;
}

struct slice logjoin_text(struct logjoin *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->text.n; i++)
        if (j->text.p[i] != '\n')
            j->text.p[n++] = j->text.p[i];
    j->text.n = n;
    return buf_slice(&j->text);
}

void logjoin_reset(struct logjoin *j)
{
    j->at = (struct logjoin_at){ 0, 0 };
    j->number = 0;
    j->over = j->loose = false;
    if (j->text.cap > LOGJOIN_MAX / 8)
        buf_release(&j->text); /* a rare long record does not keep its memory */
    buf_reset(&j->text);
}
