/* Records of several lines: see logjoin.h. */
#include "agent/logjoin.h"

#include "agent/logtext.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/*
 * Walk what begins outside of a string, up to the bracket that closes the first one
 * (*depth is 0 then) or to the end; it goes to `out` (may be NULL) without the blanks
 * between its tokens. Returns the bytes walked, or SIZE_MAX: a string does not end.
 */
static size_t walk(struct slice s, unsigned *depth, struct buf *out)
{
    struct slice inside;
    for (size_t i = 0; i < s.n; i++) {
        size_t first = i;
        bool closed = false;
        if (blank(s.p[i]))
            continue;
        if (s.p[i] == '"') {
            if (!logtext_quoted(slice_from(s, i), &inside))
                return SIZE_MAX;
            i += inside.n + 1;
        } else if ((s.p[i] | 0x20) == '{') {
            ++*depth;
        } else if ((s.p[i] | 0x20) == '}') {
            closed = *depth <= 1;
            *depth -= *depth > 0;
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

/* May the line `s` stand behind one that ended in `last`? */
static bool follows(char last, struct slice s)
{
    char c = s.n ? s.p[0] : ' ';
    bool value = c == '"' || c == '{' || c == '[' || scalar(s);
    switch (last) {
    case '{':
        return c == '"' || c == '}';
    case '[':
        return value || c == ']';
    case ',':
    case ':':
        return value;
    default:
        return c == ',' || c == ']' || c == '}';
    }
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
    struct slice first = buf_slice(&j->text);
    size_t n = 0;
    first = slice_head(first, slice_chr(first, '\n'));
    while (!j->bare && n < first.n && n < line.n && first.p[n] == line.p[n])
        n++;
    return slice_trim(slice_from(line, n));
}

/* Brackets that the text of a line leaves open. */
static unsigned left_open(struct slice s)
{
    unsigned depth = 0;
    size_t at = slice_find(s, SLICE("{\""));
    for (size_t n = 0; at < s.n; at += n)
        if ((n = walk(slice_from(s, at), &depth, NULL)) == SIZE_MAX)
            return 1;
    return depth ? depth : 1;
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
    j->bare = json.p[0] == '{' && walk(json, &j->depth, &j->text) == json.n && j->depth;
    if (!j->bare) { /* text, what follows of which is still to be told */
        buf_reset(&j->text);
        buf_add(&j->text, s);
        j->depth = left_open(s);
    }
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
    if (!follows(j->last, s))
        s = behind_prefix(j, line);
    size_t before = j->text.n;
    unsigned depth = j->depth;
    bool single = number(s);
    *rest = line;
    if (!follows(j->last, s))
        return LOGJOIN_BROKEN;
    if (single && j->number && j->number == before) /* instead of the one before */
        j->text.n = (size_t)((char *)memrchr(j->text.p, '\n', before) - j->text.p);
    if (!j->over)
        buf_addc(&j->text, '\n');
    size_t n = walk(s, &depth, j->over ? NULL : &j->text);
    if (n == SIZE_MAX) {
        j->text.n = before;
        return LOGJOIN_BROKEN;
    }
    j->depth = depth;
    j->last = s.p[s.n - 1];
    j->number = single ? j->text.n : 0;
    *rest = slice_from(s, n);
    if (!depth && !j->bare && rest->n && !j->over) { /* the end of its text */
        buf_add(&j->text, *rest);
        *rest = slice_of(s.p, 0);
    }
    if (j->text.st != ST_OK) {
        j->over = true;
        buf_release(&j->text);
    }
    while (rest->n && (rest->p[0] == ',' || rest->p[0] == ']' || blank(rest->p[0])))
        *rest = slice_from(*rest, 1);
    return depth ? LOGJOIN_MORE : LOGJOIN_WHOLE;
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
    j->depth = 0;
    j->number = 0;
    j->over = false;
    if (j->text.cap > LOGJOIN_MAX / 8)
        buf_release(&j->text); /* a rare long record does not keep its memory */
    buf_reset(&j->text);
}
