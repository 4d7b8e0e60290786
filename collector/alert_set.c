/* The alerts of a rule: see alert_set.h. */
#include "collector/alert_set.h"

#include <stdarg.h>
#include <stdio.h>

void alert_set_init(struct alert_set *s, struct arena *a)
{
    *s = (struct alert_set){ .arena = a };
}

/* --- texts ----------------------------------------------------------------------------
 */

/* Printable text of at most `most` bytes; what is cut off leaves a hash of the whole, so
 * that two long names stay two. */
static struct slice clean(struct alert_set *s, struct slice v, size_t most)
{
    struct buf b = { 0 };
    for (size_t at = 0; at < v.n && b.n + 24 < most;) {
        size_t n = slice_utf8(slice_from(v, at));
        unsigned char c = (unsigned char)v.p[at];
        if (n == 0)
            buf_adds(&b, "\xef\xbf\xbd");
        else if (n == 1 && (c < 0x20 || c == 0x7f))
            buf_addc(&b, ' ');
        else
            buf_add(&b, slice_of(v.p + at, n));
        at += n ? n : 1;
        if (at < v.n && b.n + 24 >= most)
            buf_addf(&b, "…%08x", (unsigned)slice_hash(v, 0));
    }
    struct slice text = arena_dup(s->arena, buf_slice(&b));
    if (b.st != ST_OK || !text.p)
        s->st = ST_NOMEM;
    buf_release(&b);
    return text;
}

void alert_entry_say(struct alert_set *s, struct alert_entry *e, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    e->summary = clean(s, slice_str(text), ALERT_TEXT_BYTES);
}

void alert_entry_value(struct alert_entry *e, const char *name, double v)
{
    if (e->values < ALERT_VALUES_MAX)
        e->value[e->values++] = (struct alert_value){ name, v };
}

struct slice alert_entry_label(const struct alert_entry *e, const char *name)
{
    for (size_t i = 0; i < e->labels; i++)
        if (slice_eq(slice_str(e->label[i].name), slice_str(name)))
            return e->label[i].value;
    return SLICE("");
}

double alert_entry_number(const struct alert_entry *e, const char *name, double fallback)
{
    for (size_t i = 0; i < e->values; i++)
        if (slice_eq(slice_str(e->value[i].name), slice_str(name)))
            return e->value[i].value;
    return fallback;
}

/* --- the set --------------------------------------------------------------------------
 */

static bool same(const struct alert_entry *e, const struct alert_label *label, size_t n)
{
    if (e->labels != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!slice_eq(e->label[i].value, label[i].value) ||
            !slice_eq(slice_str(e->label[i].name), slice_str(label[i].name)))
            return false;
    return true;
}

static struct alert_entry *append(struct alert_set *s)
{
    if (s->n == ALERT_SET_MAX) {
        s->dropped++;
        return NULL;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct alert_entry **at = arena_alloc(s->arena, cap * sizeof *at);
        if (at && s->n)
            memcpy(at, s->at, s->n * sizeof *at);
        s->at = at ? at : s->at;
        s->cap = at ? cap : s->cap;
    }
    struct alert_entry *e = arena_alloc(s->arena, sizeof *e);
    if (!e || s->n == s->cap) {
        s->st = ST_NOMEM;
        return NULL;
    }
    return s->at[s->n++] = e;
}

struct alert_entry *alert_set_get(struct alert_set *s, const struct alert_label *label,
                                  size_t labels)
{
    struct alert_label cleaned[ALERT_LABELS_MAX];
    if (labels > ALERT_LABELS_MAX)
        labels = ALERT_LABELS_MAX;
    for (size_t i = 0; i < labels; i++)
        cleaned[i] = (struct alert_label){ label[i].name,
                                           clean(s, label[i].value, ALERT_LABEL_BYTES) };
    for (size_t i = 0; i < s->n; i++)
        if (same(s->at[i], cleaned, labels))
            return s->at[i];
    struct alert_entry *e = append(s);
    if (!e)
        return NULL;
    memcpy(e->label, cleaned, labels * sizeof *cleaned);
    e->labels = labels;
    return e;
}

void alert_set_prune(struct alert_set *s, int64_t before_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct alert *a = &s->at[i]->a;
        bool known = a->mark_ms != 0 && s->at[i]->condition != ALERT_GONE;
        if (a->phase != ALERT_INACTIVE || a->told || known ||
            (a->fired_ms && a->since_ms >= before_ms))
            s->at[kept++] = s->at[i];
    }
    s->n = kept;
}

/* --- JSON -----------------------------------------------------------------------------
 */

static void put_i64(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, key);
    json_i64(o, v);
}

static void put_channels(struct json_out *o, const char *key, uint64_t bits,
                         const struct alert_names *c)
{
    json_key(o, key);
    json_open(o, '[');
    for (size_t i = 0; i < c->n; i++)
        if (bits >> i & 1)
            json_str(o, slice_str(c->name[i]));
    json_close(o, ']');
}

static void put_entry(struct json_out *o, const struct alert_entry *e,
                      const struct alert_names *c)
{
    const struct alert *a = &e->a;
    json_open(o, '{');
    json_key(o, "labels");
    json_open(o, '{');
    for (size_t i = 0; i < e->labels; i++) {
        json_key(o, e->label[i].name);
        json_str(o, e->label[i].value);
    }
    json_close(o, '}');
    json_key(o, "phase");
    json_str(o, slice_str(alert_phase_name(a->phase)));
    put_i64(o, "since_ms", a->since_ms);
    put_i64(o, "fired_ms", a->fired_ms);
    put_i64(o, "clear_ms", a->clear_ms);
    put_i64(o, "mark", (int64_t)a->mark);
    put_i64(o, "mark_ms", a->mark_ms);
    put_channels(o, "told", a->told, c);
    if (a->acked)
        put_channels(o, "acked", a->acked, c);
    json_key(o, "summary");
    json_str(o, e->summary);
    json_key(o, "values");
    json_open(o, '{');
    for (size_t i = 0; i < e->values; i++) {
        json_key(o, e->value[i].name);
        json_num(o, e->value[i].value);
    }
    json_close(o, '}');
    json_close(o, '}');
}

void alert_set_encode(const struct alert_set *s, const struct alert_names *c,
                      struct buf *out)
{
    struct json_out o = { .b = out };
    json_open(&o, '{');
    json_key(&o, "channels");
    json_open(&o, '[');
    for (size_t i = 0; i < c->n; i++) {
        const struct alert_retry *r = &s->retry[i];
        if (r->attempts == 0)
            continue;
        json_open(&o, '{');
        json_key(&o, "name");
        json_str(&o, slice_str(c->name[i]));
        put_i64(&o, "attempts", (int64_t)r->attempts);
        put_i64(&o, "first_ms", r->first_ms);
        put_i64(&o, "next_ms", r->next_ms);
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_key(&o, "alerts");
    json_open(&o, '[');
    for (size_t i = 0; i < s->n; i++)
        put_entry(&o, s->at[i], c);
    json_close(&o, ']');
    json_close(&o, '}');
}

/* Where the reader stands: keys of the objects that it is in. */
struct reader {
    struct alert_set *s;
    const struct alert_names *c;
    struct json j;
    char key[64];
};

static size_t channel_of(const struct reader *r, struct slice name)
{
    size_t i = 0;
    while (i < r->c->n && !slice_eq(slice_str(r->c->name[i]), name))
        i++;
    return i;
}

static bool read_key(struct reader *r, struct slice text)
{
    if (!slice_is_text(text, sizeof r->key - 1))
        return false;
    memcpy(r->key, text.p, text.n);
    r->key[text.n] = '\0';
    return true;
}

static bool key_is(const struct reader *r, const char *name)
{
    return strcmp(r->key, name) == 0;
}

/* One alert_retry: {"name":…,"attempts":…}. */
static bool read_channel(struct reader *r)
{
    struct alert_retry retry = { 0 };
    struct slice text;
    size_t at = r->c->n;
    int64_t v = 0;
    for (;;) {
        switch (json_next(&r->j, &text)) {
        case JSON_KEY:
            if (!read_key(r, text))
                return false;
            break;
        case JSON_STRING:
            if (key_is(r, "name"))
                at = channel_of(r, text);
            break;
        case JSON_NUMBER:
            if (!slice_i64(text, &v) || v < 0)
                return false;
            if (key_is(r, "attempts"))
                retry.attempts = (uint64_t)v;
            else if (key_is(r, "first_ms"))
                retry.first_ms = v;
            else if (key_is(r, "next_ms"))
                retry.next_ms = v;
            break;
        case JSON_OBJECT_END:
            if (at < r->c->n)
                r->s->retry[at] = retry;
            return true;
        default:
            return false;
        }
    }
}

/* The names and values of an object: labels (strings) or numbers. Only what was written
 * is taken: other bytes would not be the same when written again. */
static bool read_pairs(struct reader *r, struct alert_entry *e)
{
    struct slice text, name = { 0 };
    for (;;) {
        enum json_type t = json_next(&r->j, &text);
        if (t == JSON_KEY) {
            name = arena_dup(r->s->arena, text);
            if (!name.p || !slice_is_text(text, sizeof r->key - 1))
                return false;
        } else if (t == JSON_STRING && e->labels < ALERT_LABELS_MAX) {
            if (!slice_is_text(text, ALERT_LABEL_BYTES))
                return false;
            e->label[e->labels++] =
                (struct alert_label){ name.p, arena_dup(r->s->arena, text) };
        } else if (t == JSON_NUMBER) {
            char digits[64] = { 0 };
            double v = 0;
            memcpy(digits, text.p, text.n < 63 ? text.n : 63);
            if (sscanf(digits, "%lf", &v) == 1)
                alert_entry_value(e, name.p, v);
        } else if (t != JSON_NULL) {
            return t == JSON_OBJECT_END;
        }
    }
}

static bool read_channels(struct reader *r, uint64_t *bits)
{
    struct slice text;
    enum json_type t;
    while ((t = json_next(&r->j, &text)) == JSON_STRING) {
        size_t c = channel_of(r, text);
        if (c < r->c->n)
            *bits |= (uint64_t)1 << c;
    }
    return t == JSON_ARRAY_END;
}

static bool read_phase(struct slice text, enum alert_phase *out)
{
    for (int p = ALERT_INACTIVE; p <= ALERT_FIRING; p++) {
        if (slice_eq(text, slice_str(alert_phase_name((enum alert_phase)p)))) {
            *out = (enum alert_phase)p;
            return true;
        }
    }
    return false;
}

static bool read_number(struct reader *r, struct alert *a, struct slice text)
{
    const struct {
        const char *key;
        int64_t *to;
    } fields[] = {
        { "since_ms", &a->since_ms },
        { "fired_ms", &a->fired_ms },
        { "clear_ms", &a->clear_ms },
        { "mark_ms", &a->mark_ms },
    };
    int64_t v;
    if (!slice_i64(text, &v))
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (key_is(r, fields[i].key))
            *fields[i].to = v;
    if (key_is(r, "mark"))
        a->mark = (uint64_t)v;
    return true;
}

static bool read_entry(struct reader *r)
{
    struct alert_entry *e = append(r->s);
    struct slice text;
    if (!e)
        return false;
    for (;;) {
        switch (json_next(&r->j, &text)) {
        case JSON_KEY:
            if (!read_key(r, text))
                return false;
            break;
        case JSON_STRING:
            if (key_is(r, "phase") && !read_phase(text, &e->a.phase))
                return false;
            if (!slice_is_text(text, ALERT_TEXT_BYTES))
                return false;
            if (key_is(r, "summary"))
                e->summary = arena_dup(r->s->arena, text);
            break;
        case JSON_NUMBER:
            if (!read_number(r, &e->a, text))
                return false;
            break;
        case JSON_OBJECT:
            if (!read_pairs(r, e))
                return false;
            break;
        case JSON_ARRAY:
            if (!read_channels(r, key_is(r, "acked") ? &e->a.acked : &e->a.told))
                return false;
            break;
        case JSON_OBJECT_END:
            return true;
        default:
            return false;
        }
    }
}

/* An array of objects, each read by fn. */
static bool read_list(struct reader *r, bool (*fn)(struct reader *r))
{
    struct slice text;
    enum json_type t = json_next(&r->j, &text);
    if (t != JSON_ARRAY)
        return false;
    while ((t = json_next(&r->j, &text)) == JSON_OBJECT)
        if (!fn(r))
            return false;
    return t == JSON_ARRAY_END;
}

static bool read_document(struct reader *r)
{
    struct slice text;
    enum json_type t = json_next(&r->j, &text);
    if (t != JSON_OBJECT)
        return false;
    while ((t = json_next(&r->j, &text)) == JSON_KEY) {
        bool channels = slice_eq(text, SLICE("channels"));
        if (!channels && !slice_eq(text, SLICE("alerts")))
            json_skip(&r->j); /* of a later version */
        else if (!read_list(r, channels ? read_channel : read_entry))
            return false;
    }
    return t == JSON_OBJECT_END && json_next(&r->j, &text) == JSON_END;
}

enum status alert_set_decode(struct alert_set *s, const struct alert_names *c,
                             struct slice json)
{
    struct reader r = { .s = s, .c = c };
    json_init(&r.j, JSON_ONE);
    json_feed(&r.j, json);
    json_finish(&r.j);
    if (read_document(&r))
        return ST_OK;
    alert_set_init(s, s->arena);
    return ST_BAD;
}
