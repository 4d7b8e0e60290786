/* Entries of the journal: see journal.h. */
#include "agent/journal.h"

#include "agent/logtext.h"
#include "common/instant.h"
#include "common/json.h"
#include "common/usage.h"

static const struct slice first = { "__CURSOR=", 9 };

bool journal_begins(struct slice line)
{
    if (slice_starts(line, first))
        return true;
    return line.n && line.p[0] == '{' &&
           slice_find(line, SLICE("\"MESSAGE\"")) != SIZE_MAX &&
           (slice_find(line, SLICE("\"__CURSOR\"")) != SIZE_MAX ||
            slice_find(line, SLICE("\"_BOOT_ID\"")) != SIZE_MAX);
}

/* --- JSON -----------------------------------------------------------------------------
 */

/*
 * A list: bytes, of what is not UTF-8 text in the journal's eyes, or the messages of an
 * entry that has several, each of them text or such a list.
 */
static bool list(struct slice s, struct buf *bytes)
{
    struct slice inside;
    unsigned depth = 0;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint64_t v = 0;
        n = 1;
        if (s.p[i] == '[') {
            depth++;
        } else if (s.p[i] == ']') {
            if (!--depth)
                return bytes->st == ST_OK;
        } else if (s.p[i] == '"' && logtext_quoted(slice_from(s, i), &inside)) {
            n = inside.n + 2;
            if (!json_unescape(inside, bytes))
                return false;
        } else if (s.p[i] >= '0' && s.p[i] <= '9') {
            for (n = 0; i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9'; n++)
                ;
            if (!slice_u64(slice_of(s.p + i, n), &v) || v > 255)
                return false;
            buf_addc(bytes, (char)v);
        } else if (s.p[i] != ',' && s.p[i] != ' ') {
            return false;
        }
        if (bytes->n && (s.p[i] == '"' || (s.p[i] == '[' && depth > 1)))
            buf_addc(bytes, ' '); /* between messages */
    }
    return false;
}

/* The message that is no text; false: left out for its length (null), or no message. */
static bool listed(struct json *j, struct slice line, struct buf *bytes)
{
    struct slice s = slice_trim(slice_from(line, (size_t)json_offset(j)));
    s = slice_trim(slice_from(s, slice_starts(s, SLICE(":"))));
    buf_reset(bytes);
    json_skip(j);
    return slice_starts(s, SLICE("[")) && list(s, bytes);
}

bool journal_json(struct slice line, struct buf *bytes, struct unwrapped *out)
{
    struct json j;
    struct slice key, raw;
    bool text = false;
    *out = (struct unwrapped){ .escaped = true, .ts_ns = USAGE_NO_TIME };
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    json_finish(&j);
    if (json_next(&j, &key) != JSON_OBJECT)
        return false;
    while (json_next(&j, &key) == JSON_KEY) {
        if (slice_eq(key, SLICE("MESSAGE"))) {
            text = json_raw_string(&j, &out->text);
            if (text)
                continue;
            if (!(text = listed(&j, line, bytes)))
                return false;
            out->text = buf_slice(bytes);
            out->escaped = false;
        } else if (slice_eq(key, SLICE("__REALTIME_TIMESTAMP")) &&
                   json_raw_string(&j, &raw)) {
            instant_parse(raw, &out->ts_ns);
        } else if (slice_eq(key, SLICE("CONTAINER_PARTIAL_MESSAGE")) &&
                   json_raw_string(&j, &raw)) {
            out->partial = slice_eq(raw, SLICE("true"));
        } else {
            json_skip(&j);
        }
    }
    return text && json_depth(&j) == 0;
}

/* --- text -----------------------------------------------------------------------------
 */

static void field(struct journal *g, struct slice line, struct buf *text)
{
    struct slice key, value;
    bool text_field = slice_cut(line, '=', &key, &value);
    if (slice_eq(key, SLICE("MESSAGE"))) {
        if (g->said) /* an entry may have several */
            buf_addc(text, ' ');
        g->said = true;
    }
    if (!text_field) {
        g->state = JOURNAL_LENGTH;
        g->head_n = 0;
        g->message = slice_eq(key, SLICE("MESSAGE"));
        g->next++; /* the newline behind the name is no part of the length */
    } else if (slice_eq(key, SLICE("MESSAGE"))) {
        buf_add(text, value);
    } else if (slice_eq(key, SLICE("__REALTIME_TIMESTAMP"))) {
        instant_parse(value, &g->ts_ns);
    } else if (slice_eq(key, SLICE("CONTAINER_PARTIAL_MESSAGE"))) {
        g->partial = slice_eq(value, SLICE("true"));
    }
}

/* Bytes of a length or a binary value. */
static void bytes(struct journal *g, struct slice s, struct buf *text)
{
    while (g->state == JOURNAL_LENGTH && s.n) {
        g->head[g->head_n++] = (unsigned char)s.p[0];
        s = slice_from(s, 1);
        if (g->head_n < sizeof g->head)
            continue;
        g->left = 0;
        for (unsigned i = 8; i-- > 0;)
            g->left = g->left << 8 | g->head[i];
        g->state = JOURNAL_VALUE;
    }
    if (g->state != JOURNAL_VALUE)
        return;
    if (g->message)
        buf_add(text, slice_head(s, (size_t)(g->left < s.n ? g->left : s.n)));
    g->left -= g->left < s.n ? g->left : s.n;
}

void journal_line(struct journal *g, struct slice line, uint64_t offset, struct buf *text)
{
    if (slice_starts(line, first)) { /* wherever we thought we were */
        *g = (struct journal){ .ts_ns = USAGE_NO_TIME };
    } else if (g->state != JOURNAL_FIELDS) {
        for (; g->next < offset && !(g->state == JOURNAL_VALUE && !g->left); g->next++)
            bytes(g, SLICE("\n"), text);
        if (g->state == JOURNAL_VALUE && !g->left)
            g->state = JOURNAL_FIELDS;
    }
    g->next = offset + line.n;
    if (g->state == JOURNAL_FIELDS) {
        field(g, line, text);
        return;
    }
    bytes(g, line, text);
    if (g->state == JOURNAL_VALUE && !g->left)
        g->state = JOURNAL_FIELDS;
}
