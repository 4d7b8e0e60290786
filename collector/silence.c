/* Silences and acknowledgements: see silence.h. */
#include "collector/silence.h"

#include "collector/auth.h"
#include "collector/state_file.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t ack_kept_ms = INT64_C(400) * 86400000;

static const char file_name[] = "silences";

/* --- matching -------------------------------------------------------------------------
 */

/* The next pair of a matcher; a word alone is a rule. */
static bool next_pair(struct slice *rest, struct slice *name, struct slice *value)
{
    struct slice pair;
    bool more = slice_cut(*rest, ',', &pair, rest);
    if (slice_cut(pair, '=', name, value)) {
        *name = slice_trim(*name);
        *value = slice_trim(*value);
        if (value->n > 1 && value->p[0] == '"' && value->p[value->n - 1] == '"')
            *value = slice_of(value->p + 1, value->n - 2);
    } else {
        *value = slice_trim(pair);
        *name = SLICE("rule");
    }
    return more;
}

static bool known_name(struct slice name)
{
    static const char *const names[] = { "rule",     "alertname", "severity",
                                         "workload", "agent",     "app",
                                         "provider", "model",     "threshold" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(name, slice_str(names[i])))
            return true;
    return false;
}

/* What is written must be read again as it was: other bytes would grow to U+FFFD each. */
static bool is_text(struct slice s)
{
    return slice_is_text(s, SILENCE_TEXT_MAX);
}

bool silence_match_valid(struct slice match, struct buf *why)
{
    struct slice name, value, rest = match;
    if (match.n == 0 || !is_text(match)) {
        buf_addf(why, "a matcher has 1 to %d bytes of UTF-8", SILENCE_TEXT_MAX);
        return false;
    }
    for (bool more = true; more;) {
        more = next_pair(&rest, &name, &value);
        if (!known_name(name) || value.n == 0) {
            buf_addf(why,
                     "matcher: found '%.*s=%.*s', allowed rule, severity, workload, "
                     "agent, app, provider, model or threshold with a value",
                     SLICE_FMT(slice_head(name, 60)), SLICE_FMT(slice_head(value, 60)));
            return false;
        }
    }
    return true;
}

static struct slice value_of(struct slice name, const char *rule, const char *severity,
                             const struct alert_entry *e)
{
    if (slice_eq(name, SLICE("rule")) || slice_eq(name, SLICE("alertname")))
        return slice_str(rule);
    if (slice_eq(name, SLICE("severity")))
        return slice_str(severity);
    for (size_t i = 0; i < e->labels; i++)
        if (slice_eq(slice_str(e->label[i].name), name))
            return e->label[i].value;
    return (struct slice){ 0 };
}

bool silence_match(struct slice match, const char *rule, const char *severity,
                   const struct alert_entry *e)
{
    struct slice name, value;
    for (bool more = true; more;) {
        more = next_pair(&match, &name, &value);
        struct slice found = value_of(name, rule, severity, e);
        if (!found.p || !auth_speaks_for(value, found))
            return false;
    }
    return true;
}

static bool holds(const struct silence *s, const struct alert_entry *e, int64_t now_ms)
{
    if (!s->ack)
        return now_ms < s->until_ms;
    return e->a.phase == ALERT_FIRING && e->a.fired_ms <= s->at_ms;
}

const struct silence *silence_find(const struct silences *s, const char *rule,
                                   const char *severity, const struct alert_entry *e,
                                   int64_t now_ms)
{
    const struct silence *ack = NULL;
    for (size_t i = 0; s && i < s->n; i++) {
        if (!holds(&s->at[i], e, now_ms) ||
            !silence_match(s->at[i].match, rule, severity, e))
            continue;
        if (!s->at[i].ack)
            return &s->at[i];
        ack = &s->at[i];
    }
    return ack;
}

bool silence_acked(const struct silences *s, const char *rule, const char *severity,
                   const struct alert_entry *e, int64_t now_ms)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (s->at[i].ack && holds(&s->at[i], e, now_ms) &&
            silence_match(s->at[i].match, rule, severity, e))
            return true;
    return false;
}

/* --- text: a JSON object a line -------------------------------------------------------
 */

void silences_release(struct silences *s)
{
    arena_release(&s->arena);
    *s = (struct silences){ 0 };
}

void silences_format(const struct silences *s, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        struct json_out o = { .b = out };
        json_open(&o, '{');
        json_key(&o, "id");
        json_str(&o, s->at[i].id);
        json_key(&o, "ack");
        json_bool(&o, s->at[i].ack);
        json_key(&o, "match");
        json_str(&o, s->at[i].match);
        json_key(&o, "comment");
        json_str(&o, s->at[i].comment);
        json_key(&o, "at_ms");
        json_i64(&o, s->at[i].at_ms);
        json_key(&o, "until_ms");
        json_i64(&o, s->at[i].until_ms);
        json_close(&o, '}');
        buf_addc(out, '\n');
    }
}

static bool take(struct silence *s, struct slice key, enum json_type t, struct slice v,
                 struct arena *a)
{
    struct slice *text = slice_eq(key, SLICE("id"))        ? &s->id
                         : slice_eq(key, SLICE("match"))   ? &s->match
                         : slice_eq(key, SLICE("comment")) ? &s->comment
                                                           : NULL;
    if (t == JSON_STRING && text) {
        *text = arena_dup(a, v);
        return text->p && is_text(v);
    }
    if (t == JSON_NUMBER && slice_eq(key, SLICE("at_ms")))
        return slice_i64(v, &s->at_ms);
    if (t == JSON_NUMBER && slice_eq(key, SLICE("until_ms")))
        return slice_i64(v, &s->until_ms);
    if (slice_eq(key, SLICE("ack")))
        s->ack = t == JSON_TRUE;
    return t == JSON_STRING || t == JSON_NUMBER || t == JSON_TRUE || t == JSON_FALSE ||
           t == JSON_NULL;
}

static bool read_one(struct json *j, struct silence *s, struct arena *a)
{
    char key[32];
    struct slice text;
    enum json_type t;
    while ((t = json_next(j, &text)) == JSON_KEY) {
        size_t n = text.n < sizeof key ? text.n : 0;
        memcpy(key, text.p, n);
        t = json_next(j, &text);
        if (!take(s, slice_of(key, n), t, text, a))
            return false;
    }
    return t == JSON_OBJECT_END && s->id.n && s->match.n;
}

enum status silences_parse(struct slice text, struct silences *out)
{
    struct json j;
    struct slice word;
    enum json_type t;
    *out = (struct silences){ 0 };
    arena_init(&out->arena, (size_t)8 << 20);
    out->at = arena_alloc(&out->arena, SILENCES_MAX * sizeof *out->at);
    if (!out->at)
        return ST_NOMEM;
    json_init(&j, JSON_MULTI);
    json_feed(&j, text);
    json_finish(&j);
    while ((t = json_next(&j, &word)) == JSON_OBJECT) {
        if (out->n == SILENCES_MAX || !read_one(&j, &out->at[out->n], &out->arena))
            return ST_BAD;
        out->n++;
    }
    return t == JSON_END ? ST_OK : ST_BAD;
}

/* --- the file -------------------------------------------------------------------------
 */

enum status silences_load(const char *dir, struct silences *out, struct buf *why)
{
    struct buf text = { 0 };
    *out = (struct silences){ 0 };
    enum status st = state_file_read(dir, file_name, &text, NULL, why);
    if (st == ST_OK)
        st = silences_parse(buf_slice(&text), out);
    if (st == ST_BAD)
        buf_addf(why, "%s/%s: damaged; remove it to start without silences", dir,
                 file_name);
    buf_release(&text);
    return st;
}

static enum status save(const char *dir, const struct silences *s, struct buf *why)
{
    struct buf text = { 0 };
    silences_format(s, &text);
    enum status st = text.st;
    if (st == ST_OK)
        st = state_file_write(dir, file_name, buf_slice(&text), why);
    buf_release(&text);
    return st;
}

static void drop_past(struct silences *s, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].ack ? now_ms - s->at[i].at_ms < ack_kept_ms
                         : now_ms < s->at[i].until_ms)
            s->at[kept++] = s->at[i];
    s->n = kept;
}

/* Told apart by when and what; twice the same within a millisecond is one anyway. */
static void make_id(const struct silence *add, int64_t now_ms, size_t n, char out[9])
{
    uint64_t h = slice_hash(add->match, (uint64_t)now_ms ^ (uint64_t)n << 48);
    snprintf(out, SILENCE_ID + 1, "%08x", (unsigned)(h ^ h >> 32));
}

enum status silences_add(const char *dir, const struct silence *add, int64_t now_ms,
                         struct buf *id, struct buf *why)
{
    struct silences s = { 0 };
    char name[SILENCE_ID + 1];
    if (!silence_match_valid(add->match, why))
        return ST_BAD;
    if (!is_text(add->comment)) {
        buf_addf(why, "a comment has at most %d bytes of UTF-8", SILENCE_TEXT_MAX);
        return ST_BAD;
    }
    int fd = state_file_lock(dir, file_name, why);
    if (fd < 0)
        return ST_DENIED;
    enum status st = silences_load(dir, &s, why);
    if (st == ST_OK)
        drop_past(&s, now_ms);
    if (st == ST_OK && s.n == SILENCES_MAX) {
        buf_addf(why, "there are %d silences and acknowledgements already", SILENCES_MAX);
        st = ST_LIMIT;
    }
    if (st == ST_OK) {
        make_id(add, now_ms, s.n, name);
        s.at[s.n] = *add;
        s.at[s.n].id = slice_str(name);
        s.at[s.n++].at_ms = now_ms;
        st = save(dir, &s, why);
    }
    if (st == ST_OK)
        buf_adds(id, name);
    silences_release(&s);
    close(fd);
    return st;
}

enum status silences_remove(const char *dir, struct slice id, struct buf *why)
{
    struct silences s = { 0 };
    size_t kept = 0;
    int fd = state_file_lock(dir, file_name, why);
    if (fd < 0)
        return ST_DENIED;
    enum status st = silences_load(dir, &s, why);
    for (size_t i = 0; i < s.n; i++)
        if (!slice_eq(s.at[i].id, id))
            s.at[kept++] = s.at[i];
    if (st == ST_OK && kept == s.n) {
        buf_addf(why, "no silence and no acknowledgement has the id '%.*s'",
                 SLICE_FMT(slice_head(id, 40)));
        st = ST_NOT_FOUND;
    }
    s.n = kept;
    if (st == ST_OK)
        st = save(dir, &s, why);
    silences_release(&s);
    close(fd);
    return st;
}
