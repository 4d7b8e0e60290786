/*
 * libyaml's events -> structs: see yaml.h. Every read_… function begins at the first
 * event of its value and leaves the reader at the last one.
 */
#include "common/yaml.h"

#include "common/yaml_value.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

enum { TEXT_MAX = 1 << 20, DEPTH_MAX = 32, ENTRIES_MAX = 10000, FIELDS_MAX = 128 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* where the reader stands */
    unsigned depth;
    const char *file;
    struct arena *a;
    struct buf *why;
};

/* --- what went wrong ------------------------------------------------------------------
 */

static void place(const struct reader *r, size_t line)
{
    buf_addf(r->why, "%s:%zu: ", r->file, line);
}

static size_t line_of(const struct reader *r)
{
    return r->event.start_mark.line + 1;
}

static enum status fail(const struct reader *r, size_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum status fail(const struct reader *r, size_t line, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    place(r, line);
    buf_adds(r->why, text);
    return ST_CONFIG;
}

static enum status no_memory(const struct reader *r)
{
    place(r, line_of(r));
    buf_adds(r->why, "out of memory for the configuration");
    return ST_NOMEM;
}

static struct slice scalar_of(const struct reader *r)
{
    assert(r->event.type == YAML_SCALAR_EVENT);
    return slice_of(r->event.data.scalar.value, r->event.data.scalar.length);
}

/* "key:" with nothing behind it, or the words for nothing. */
static bool is_nothing(const struct reader *r)
{
    if (r->event.type != YAML_SCALAR_EVENT ||
        r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct slice s = scalar_of(r);
    return s.n == 0 || slice_eq(s, SLICE("~")) || slice_eq(s, SLICE("null"));
}

static void put_quoted(struct buf *b, struct slice s)
{
    enum { SHOWN = 60 };
    buf_addc(b, '\'');
    for (size_t i = 0; i < s.n && i < SHOWN; i++)
        buf_addc(b, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
    buf_adds(b, s.n > SHOWN ? "…'" : "'");
}

/* "file:line: found X, allowed " */
static void put_found(const struct reader *r, const char *what)
{
    place(r, line_of(r));
    buf_adds(r->why, "found ");
    if (is_nothing(r))
        buf_adds(r->why, "nothing");
    else if (r->event.type == YAML_SCALAR_EVENT)
        put_quoted(r->why, scalar_of(r));
    else
        buf_adds(r->why,
                 r->event.type == YAML_MAPPING_START_EVENT ? "a mapping" : "a list");
    buf_addf(r->why, " as %s, allowed ", what);
}

/* The reader stands at a value that the field does not allow. */
static enum status wrong(const struct reader *r, const struct yaml_field *f)
{
    put_found(r, f->key);
    yaml_allowed(f, r->why);
    return ST_CONFIG;
}

/* How many letters must change (Levenshtein); long names are cut. */
static unsigned distance(struct slice a, struct slice b)
{
    enum { LONGEST = 40 };
    unsigned row[LONGEST + 1];
    a = slice_head(a, LONGEST);
    b = slice_head(b, LONGEST);
    for (unsigned k = 0; k <= b.n; k++)
        row[k] = k;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned k = 1; k <= b.n; k++) {
            unsigned change = diagonal + (a.p[i - 1] != b.p[k - 1]);
            unsigned edge = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            diagonal = row[k];
            row[k] = change < edge ? change : edge;
        }
    }
    return row[b.n];
}

static bool is_key(const struct yaml_field *f)
{
    return f->type != YAML_NAME && f->type != YAML_LINE;
}

/* Keys at most `far` letters away from `key`; every key when `far` is large. */
static size_t put_keys(struct buf *b, const struct yaml_field *table, struct slice key,
                       unsigned far)
{
    size_t n = 0;
    for (const struct yaml_field *f = table; f->type != YAML_END_OF_TABLE; f++)
        if (is_key(f) && distance(key, slice_str(f->key)) <= far)
            buf_addf(b, "%s%s", n++ ? ", " : "", f->key);
    return n;
}

static enum status unknown_key(const struct reader *r, const struct yaml_field *table)
{
    struct slice key = scalar_of(r);
    put_found(r, "a key");
    if (put_keys(r->why, table, key, key.n > 3 ? 2 : 1) == 0)
        put_keys(r->why, table, key, UINT32_MAX);
    return ST_CONFIG;
}

/* --- events ---------------------------------------------------------------------------
 */

static enum status not_yaml(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(r);
    size_t line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;
    const char *what = p->problem; /* libyaml's words, some with a "found" of their own */
    what += strncmp(what, "found ", 6) == 0 ? 6 : 0;
    return fail(r, line + 1, "found %s%s%s, allowed YAML 1.1", what,
                p->context ? " " : "", p->context ? p->context : "");
}

/* The words for what an event has that we refuse, or NULL. */
static const char *refused(const yaml_event_t *e)
{
    const void *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT)
        return "an alias (*name)";
    if (e->type == YAML_DOCUMENT_START_EVENT &&
        (e->data.document_start.version_directive ||
         e->data.document_start.tag_directives.start !=
             e->data.document_start.tag_directives.end))
        return "a directive (%)";
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    return anchor ? "an anchor (&name)" : tag ? "a tag (!name)" : NULL;
}

static enum status next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return not_yaml(r);
    const char *what = refused(&r->event);
    if (what)
        return fail(r, line_of(r), "found %s, allowed plain values", what);
    switch (r->event.type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (++r->depth > DEPTH_MAX)
            return fail(r, line_of(r), "found deep nesting, allowed %d levels",
                        DEPTH_MAX);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        break;
    default:
        break;
    }
    return ST_OK;
}

/* --- values ---------------------------------------------------------------------------
 */

static enum status read_value(struct reader *r, const struct yaml_field *f, void *out);

/* Defaults of a struct, and of the structs inside it. */
static enum status set_defaults(const struct yaml_field *table, void *out,
                                struct arena *a)
{
    enum status st = ST_OK;
    for (const struct yaml_field *f = table; !st && f->type != YAML_END_OF_TABLE; f++)
        st = f->type == YAML_STRUCT ? set_defaults(f->table, yaml_at(f, out), a)
                                    : yaml_value_default(f, out, a);
    return st;
}

static void set_line(const struct yaml_field *table, void *out, size_t line)
{
    for (const struct yaml_field *f = table; f->type != YAML_END_OF_TABLE; f++)
        if (f->type == YAML_LINE)
            *(int *)yaml_at(f, out) = (int)line;
}

static enum status check_required(struct reader *r, const struct yaml_field *table,
                                  const bool *seen, size_t line)
{
    for (size_t i = 0; table[i].type != YAML_END_OF_TABLE; i++)
        if (table[i].required && !seen[i])
            return fail(r, line, "found no '%s', allowed only with it: %s", table[i].key,
                        table[i].help ? table[i].help : "required");
    return ST_OK;
}

/* One "key: value"; the reader stands at the key. */
static enum status read_pair(struct reader *r, const struct yaml_field *table, bool *seen,
                             void *out)
{
    size_t i = 0;
    if (r->event.type != YAML_SCALAR_EVENT) {
        put_found(r, "a key");
        buf_adds(r->why, "a name");
        return ST_CONFIG;
    }
    struct slice key = scalar_of(r);
    while (table[i].type != YAML_END_OF_TABLE &&
           !(is_key(&table[i]) && slice_eq(key, slice_str(table[i].key))))
        i++;
    if (table[i].type == YAML_END_OF_TABLE)
        return unknown_key(r, table);
    assert(i < FIELDS_MAX);
    if (seen[i])
        return fail(r, line_of(r), "found '%s' again, allowed once", table[i].key);
    seen[i] = true;
    enum status st = next(r);
    return st ? st : read_value(r, &table[i], out);
}

/* A mapping, or nothing, which is one without keys. Defaults stand in *out. */
static enum status read_mapping(struct reader *r, const struct yaml_field *table,
                                void *out)
{
    bool seen[FIELDS_MAX] = { 0 };
    size_t line = line_of(r);
    enum status st = ST_OK;
    set_line(table, out, line);
    if (r->event.type == YAML_MAPPING_START_EVENT)
        while (!(st = next(r)) && r->event.type != YAML_MAPPING_END_EVENT)
            if ((st = read_pair(r, table, seen, out)))
                return st;
    return st ? st : check_required(r, table, seen, line);
}

static bool is_mapping(const struct reader *r)
{
    return r->event.type == YAML_MAPPING_START_EVENT || is_nothing(r);
}

/* The name of a YAML_MAP entry, which no earlier entry has. */
static enum status read_name(struct reader *r, const struct yaml_field *f, void *entry,
                             const struct buf *entries)
{
    const struct yaml_field *name = f->table;
    while (name->type != YAML_NAME)
        name++;
    if (r->event.type != YAML_SCALAR_EVENT || scalar_of(r).n == 0 ||
        slice_chr(scalar_of(r), '\0') != SIZE_MAX) {
        put_found(r, "a key");
        buf_adds(r->why, "a name");
        return ST_CONFIG;
    }
    struct slice s = scalar_of(r);
    for (size_t at = 0; at < entries->n; at += f->size)
        if (slice_eq(s, slice_str(*(const char **)yaml_at(name, entries->p + at))))
            return fail(r, line_of(r), "found '%s' again, allowed once", s.p);
    const char *copy = arena_dup(r->a, s).p;
    *(const char **)yaml_at(name, entry) = copy;
    return copy ? next(r) : no_memory(r);
}

/* One more entry of a list or map behind the others; the reader stands at its start. */
static enum status read_entry(struct reader *r, const struct yaml_field *f,
                              struct buf *entries)
{
    if (entries->n / f->size == ENTRIES_MAX)
        return fail(r, line_of(r), "found more entries, allowed %d", ENTRIES_MAX);
    char *entry = buf_room(entries, f->size);
    if (!entry)
        return no_memory(r);
    memset(entry, 0, f->size);
    if (set_defaults(f->table, entry, r->a))
        return no_memory(r);
    size_t line = line_of(r);
    enum status st = f->type == YAML_MAP ? read_name(r, f, entry, entries) : ST_OK;
    if (st)
        return st;
    if (!is_mapping(r)) {
        put_found(r, f->key);
        buf_adds(r->why, "a mapping");
        return ST_CONFIG;
    }
    st = read_mapping(r, f->table, entry);
    set_line(f->table, entry, line);
    entries->n += f->size;
    return st;
}

static enum status check_length(const struct reader *r, const struct yaml_field *f,
                                size_t n)
{
    if (!yaml_length_bad(f, n))
        return ST_OK;
    place(r, line_of(r));
    buf_addf(r->why, "found %zu entries as %s, allowed ", n, f->key);
    yaml_allowed(f, r->why);
    return ST_CONFIG;
}

static enum status read_list(struct reader *r, const struct yaml_field *f,
                             struct yaml_list *out)
{
    struct buf entries = { 0 };
    enum status st;
    while (!(st = next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT &&
           r->event.type != YAML_MAPPING_END_EVENT)
        if ((st = read_entry(r, f, &entries)))
            goto out;
    if (st || (st = check_length(r, f, entries.n / f->size)) || entries.n == 0)
        goto out;
    void *at = arena_alloc(r->a, entries.n);
    if (!at) {
        st = no_memory(r);
        goto out;
    }
    memcpy(at, entries.p, entries.n);
    *out = (struct yaml_list){ at, entries.n / f->size };
out:
    buf_release(&entries);
    return st;
}

/* One text of a YAML_STRINGS list. */
static enum status read_string(struct reader *r, const struct yaml_field *f,
                               struct buf *list)
{
    struct slice s;
    if (r->event.type != YAML_SCALAR_EVENT || is_nothing(r) ||
        slice_chr(s = scalar_of(r), '\0') != SIZE_MAX)
        return wrong(r, f);
    if (list->n / sizeof s.p == ENTRIES_MAX)
        return fail(r, line_of(r), "found more entries, allowed %d", ENTRIES_MAX);
    const char *copy = arena_dup(r->a, s).p;
    buf_add(list, slice_of(&copy, sizeof copy));
    return copy && !list->st ? ST_OK : no_memory(r);
}

static enum status read_strings(struct reader *r, const struct yaml_field *f,
                                struct yaml_strings *out)
{
    struct buf list = { 0 };
    enum status st;
    while (!(st = next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT)
        if ((st = read_string(r, f, &list)))
            goto out;
    *out = (struct yaml_strings){ 0 }; /* a default is replaced, by an empty list too */
    if (st || (st = check_length(r, f, list.n / sizeof *out->at)) || list.n == 0)
        goto out;
    const char **at = arena_alloc(r->a, list.n);
    if (!at) {
        st = no_memory(r);
        goto out;
    }
    memcpy(at, list.p, list.n);
    *out = (struct yaml_strings){ at, list.n / sizeof *at };
out:
    buf_release(&list);
    return st;
}

static enum status read_scalar(struct reader *r, const struct yaml_field *f, void *out)
{
    if (r->event.type != YAML_SCALAR_EVENT || is_nothing(r))
        return wrong(r, f);
    enum status st = yaml_value_set(f, scalar_of(r), out, r->a);
    return st == ST_NOMEM ? no_memory(r) : st ? wrong(r, f) : ST_OK;
}

static enum status read_value(struct reader *r, const struct yaml_field *f, void *out)
{
    bool list = r->event.type == YAML_SEQUENCE_START_EVENT;
    switch (f->type) {
    case YAML_STRUCT:
        return is_mapping(r) ? read_mapping(r, f->table, yaml_at(f, out)) : wrong(r, f);
    case YAML_LIST:
        if (is_nothing(r))
            return check_length(r, f, 0);
        return list ? read_list(r, f, yaml_at(f, out)) : wrong(r, f);
    case YAML_MAP:
        if (is_nothing(r))
            return check_length(r, f, 0);
        return is_mapping(r) ? read_list(r, f, yaml_at(f, out)) : wrong(r, f);
    case YAML_STRINGS:
        return list ? read_strings(r, f, yaml_at(f, out)) : read_scalar(r, f, out);
    default:
        return read_scalar(r, f, out);
    }
}

/* --- documents ------------------------------------------------------------------------
 */

static enum status read_document(struct reader *r, const struct yaml_field *table,
                                 void *out)
{
    static const bool none[FIELDS_MAX];
    enum status st = set_defaults(table, out, r->a) ? no_memory(r) : next(r);
    if (st || (st = next(r))) /* the stream, the document */
        return st;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return check_required(r, table, none, 1);
    if ((st = next(r)))
        return st;
    if (!is_mapping(r)) {
        put_found(r, "the file");
        buf_adds(r->why, "a mapping");
        return ST_CONFIG;
    }
    if ((st = read_mapping(r, table, out)) || (st = next(r)) || (st = next(r)))
        return st;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail(r, line_of(r), "found a second document, allowed one");
    return ST_OK;
}

enum status yaml_parse(struct slice text, const char *file,
                       const struct yaml_field *table, void *out, struct arena *a,
                       struct buf *why)
{
    struct reader r = { .file = file, .a = a, .why = why };
    if (text.n > TEXT_MAX)
        return fail(&r, 1, "found %zu bytes, allowed %d", text.n, TEXT_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(&r);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""),
                                 text.n);
    enum status st = read_document(&r, table, out);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return st;
}

enum status yaml_load(const char *path, const struct yaml_field *table, void *out,
                      struct arena *a, struct buf *why)
{
    struct buf text = { .limit = TEXT_MAX + 1 };
    enum status st = ST_OK;
    FILE *f = fopen(path, "re");
    char *room = f ? buf_room(&text, TEXT_MAX + 1) : NULL;
    if (room)
        text.n = fread(room, 1, TEXT_MAX + 1, f);
    if (!f || (room && ferror(f))) {
        st = errno == ENOENT ? ST_NOT_FOUND : ST_IO;
        buf_addf(why, "%s: %s", path, strerror(errno));
    } else if (!room) {
        st = text.st;
        buf_addf(why, "%s: %s", path, status_name(st));
    } else {
        st = yaml_parse(buf_slice(&text), path, table, out, a, why);
    }
    if (f)
        fclose(f);
    buf_release(&text);
    return st;
}
