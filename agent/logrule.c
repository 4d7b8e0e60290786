/* Logs read as the user says: see logrule.h. */
#include "agent/logrule.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "agent/logtext.h"
#include "agent/logwalk.h"
#include "common/instant.h"

enum { STEPS_MAX = 100000 /* of a match; an expression that needs more is hostile */ };

const char *const logrule_senses[] = { "auto", "inclusive", "exclusive", NULL };

static const char *const names[LOGRULE_FIELDS] = {
#define LOGFIELD(id, name, help) name,
#include "agent/logname.def"
};

#define LOGFIELD(id, name, text)                                                         \
    { .key = name,                                                                       \
      .type = YAML_STRING,                                                               \
      .offset = LOGRULE_##id * sizeof(const char *),                                     \
      .fallback = "",                                                                    \
      .help = text },
const struct yaml_field logrule_fields_table[] = {
#include "agent/logname.def"
    { 0 },
};

struct logrule {
    struct logrule_options o;
    struct slice field[LOGRULE_FIELDS];
    pcre2_code *code; /* NULL: by fields */
    pcre2_match_context *limits;
    int group[LOGRULE_FIELDS]; /* number, 0 none */
};

/* --- compiling ------------------------------------------------------------------------
 */

static void *take(size_t n, void *arena)
{
    return arena_alloc(arena, n);
}

static void leave_it(void *p, void *arena)
{
    (void)p;
    (void)arena; /* goes with the arena */
}

static int field_of(struct slice name)
{
    for (int f = 0; f < LOGRULE_FIELDS; f++)
        if (slice_eq(name, slice_str(names[f])))
            return f;
    return -1;
}

static enum status unknown(struct slice name, const char *what, struct buf *why)
{
    buf_addf(why, "%s '%.*s' is not known; one of", what, SLICE_FMT(name));
    for (int f = 0; f < LOGRULE_FIELDS; f++)
        buf_addf(why, "%s %s", f ? "," : "", names[f]);
    return ST_CONFIG;
}

/* Which group is which field; every group must be one. */
static enum status groups(struct logrule *r, struct buf *why)
{
    uint32_t n = 0, size = 0;
    PCRE2_SPTR at = NULL;
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &n);
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &at);
    for (uint32_t i = 0; i < n; i++, at += size) {
        struct slice name = slice_str((const char *)at + 2);
        int f = field_of(name);
        if (f < 0)
            return unknown(name, "group", why);
        r->group[f] = at[0] << 8 | at[1];
    }
    if (n == 0)
        buf_adds(why, "the expression names no group, as in (?<in>\\d+)");
    return n ? ST_OK : ST_CONFIG;
}

static enum status compile(struct logrule *r, struct arena *a, struct buf *why)
{
    int error = 0;
    PCRE2_SIZE at = 0;
    enum status st = ST_NOMEM;
    pcre2_general_context *memory = pcre2_general_context_create(take, leave_it, a);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    r->limits = memory ? pcre2_match_context_create(memory) : NULL;
    if (!context || !r->limits)
        return st;
    r->code = pcre2_compile((PCRE2_SPTR)r->o.regex, PCRE2_ZERO_TERMINATED,
                            PCRE2_NEVER_BACKSLASH_C, &error, &at, context);
    if (!r->code) {
        PCRE2_UCHAR text[160];
        if (pcre2_get_error_message(error, text, sizeof text) < 0)
            text[0] = '\0';
        buf_addf(why, "expression, byte %zu: %s", (size_t)at + 1, (const char *)text);
        return ST_CONFIG;
    }
    pcre2_set_match_limit(r->limits, STEPS_MAX);
    pcre2_set_depth_limit(r->limits, STEPS_MAX / 10);
    return groups(r, why);
}

enum status logrule_new(const struct logrule_options *o, struct arena *a,
                        struct logrule **out, struct buf *why)
{
    bool regex = o->regex && *o->regex, fields = false;
    *out = NULL;
    for (int f = 0; f < LOGRULE_FIELDS; f++)
        fields |= o->fields[f] && *o->fields[f];
    if (!regex && !fields)
        return ST_OK;
    if (regex && fields) {
        buf_adds(why, "regex and fields exclude each other");
        return ST_CONFIG;
    }
    struct logrule *r = arena_alloc(a, sizeof *r);
    if (!r)
        return ST_NOMEM;
    r->o = *o;
    for (int f = 0; f < LOGRULE_FIELDS; f++)
        r->field[f] = slice_str(o->fields[f]);
    enum status st = regex ? compile(r, a, why) : ST_OK;
    if (st == ST_OK)
        *out = r;
    return st;
}

enum status logrule_parse_fields(struct slice text, struct arena *a,
                                 struct logrule_options *o, struct buf *why)
{
    struct slice pair, key, value;
    while (text.n) {
        slice_cut(text, ',', &pair, &text);
        slice_cut(pair, '=', &key, &value);
        int f = field_of(slice_trim(key));
        if (f < 0)
            return unknown(key, "field", why);
        value = slice_trim(value);
        if (!value.n) {
            buf_addf(why, "field '%s' needs a name of yours behind it: %s=NAME", names[f],
                     names[f]);
            return ST_CONFIG;
        }
        if (!(o->fields[f] = arena_dup(a, value).p))
            return ST_NOMEM;
    }
    return ST_OK;
}

enum logformat logrule_format(const struct logrule *r)
{
    return r->code ? LOGFORMAT_regex : LOGFORMAT_fields;
}

/* --- one line -------------------------------------------------------------------------
 */

struct reading {
    const struct logrule *r;
    struct logcall *c;
};

/* "502, 200 : 200": of several attempts the last one answered. */
static struct slice last_attempt(struct slice s)
{
    for (size_t i = s.n; i-- > 1;)
        if (s.p[i] == ' ' && (s.p[i - 1] == ',' || s.p[i - 1] == ':'))
            return slice_from(s, i + 1);
    return s;
}

static void set_number(const struct reading *in, enum logcall_num n, struct slice s)
{
    char digits[48];
    size_t k = 0;
    s = last_attempt(s);
    if (in->r->o.thousands && s.n < sizeof digits) {
        for (size_t i = 0; i < s.n; i++)
            if (s.p[i] != ',')
                digits[k++] = s.p[i];
        s = slice_of(digits, k);
    }
    logcall_num(in->c, n, s);
}

static void set_latency(struct logcall *c, struct slice s, unsigned scale)
{
    uint64_t us;
    if (json_decimal(last_attempt(s), scale, &us) && us < INT64_MAX)
        c->total_us = (int64_t)us;
}

static void set(const struct reading *in, int field, struct slice s)
{
    static const unsigned char nums[LOGRULE_FIELDS] = {
        [LOGRULE_in] = CALL_IN + 1,        [LOGRULE_out] = CALL_OUT + 1,
        [LOGRULE_total] = CALL_TOTAL + 1,  [LOGRULE_cached] = CALL_READ + 1,
        [LOGRULE_cwrite] = CALL_WRITE + 1, [LOGRULE_reason] = CALL_REASONING + 1,
        [LOGRULE_cost] = CALL_COST + 1,    [LOGRULE_status] = CALL_STATUS + 1,
    };
    static const unsigned char texts[LOGRULE_FIELDS] = {
        [LOGRULE_model] = CALL_MODEL + 1,   [LOGRULE_id] = CALL_REQUEST_ID + 1,
        [LOGRULE_method] = CALL_METHOD + 1, [LOGRULE_path] = CALL_PATH + 1,
        [LOGRULE_host] = CALL_HOST + 1,     [LOGRULE_provider] = CALL_PROVIDER + 1,
    };
    if (nums[field])
        set_number(in, nums[field] - 1, s);
    else if (texts[field])
        logcall_text(in->c, texts[field] - 1, s);
    else if (field == LOGRULE_ts)
        instant_parse(s, &in->c->end_ns);
    else
        set_latency(in->c, s, field == LOGRULE_latency_ms ? 3 : 6);
}

/* The field of a top-level key, or of a nested one given as "a/b". */
static enum logwalk_want want(void *arg, struct slice path)
{
    const struct reading *in = arg;
    struct slice name = slice_from(path, 1);
    for (int f = 0; f < LOGRULE_FIELDS; f++) {
        struct slice field = in->r->field[f];
        if (slice_eq(field, name) ||
            (field.n > name.n && slice_starts(field, name) && field.p[name.n] == '/'))
            return LOGWALK_TAKE;
    }
    return LOGWALK_SKIP;
}

static void scalar(void *arg, struct slice path, enum json_type type, struct slice text)
{
    const struct reading *in = arg;
    for (int f = 0; f < LOGRULE_FIELDS; f++)
        if (slice_eq(in->r->field[f], slice_from(path, 1)) &&
            (type == JSON_STRING || type == JSON_NUMBER))
            set(in, f, text);
}

static bool by_fields(const struct reading *in, struct logparse *p)
{
    struct logwalk walk = { want, scalar, NULL, (void *)in, p->scratch, false };
    struct slice json = p->text;
    if (json.n && json.p[0] != '{') {
        if (!logtext_pairs(json, p->scratch))
            return false;
        json = buf_slice(p->scratch);
    }
    p->why = logwalk(&walk, json);
    const uint32_t counted =
        1u << CALL_IN | 1u << CALL_OUT | 1u << CALL_TOTAL | 1u << CALL_COST;
    return !p->why && (in->c->have & counted || in->c->text_n[CALL_PATH]);
}

static bool by_regex(const struct reading *in, struct logparse *p)
{
    const struct logrule *r = in->r;
    struct slice line = logtext_plain(p->text, p->scratch);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(r->code, NULL);
    if (!match)
        return false;
    int n = pcre2_match(r->code, (PCRE2_SPTR)(line.n ? line.p : ""), line.n, 0, 0, match,
                        r->limits);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    for (int f = 0; f < LOGRULE_FIELDS && n > 0; f++) {
        int g = r->group[f];
        if (g && g < n && at[2 * g] != PCRE2_UNSET && at[2 * g] <= at[2 * g + 1])
            set(in, f, slice_of(line.p + at[2 * g], at[2 * g + 1] - at[2 * g]));
    }
    pcre2_match_data_free(match);
    return n > 0;
}

/* Counters that go on: what they grew by; a smaller one has begun anew. */
static bool grow(struct logcall *c, struct logrule_state *s)
{
    bool moved = false;
    for (unsigned n = 0; n < CALL_STATUS; n++) {
        if (!logcall_has(c, n))
            continue;
        uint64_t now = c->num[n], was = s->total[n];
        s->total[n] = now;
        c->num[n] = now >= was ? now - was : now;
        moved |= c->num[n] > 0;
    }
    return moved;
}

int logrule_line(const struct logrule *r, struct logparse *p, struct logrule_state *s)
{
    struct reading in = { r, p->call };
    logcall_init(p->call);
    p->call->sense = (enum logcall_sense)r->o.sense;
    if (!(r->code ? by_regex(&in, p) : by_fields(&in, p)))
        return 0;
    if (r->o.cumulative && !grow(p->call, s))
        return 0;
    return (int)logcall_emit(p->call, p->provider, p->line_ns, p->emit, p->arg);
}

void logrule_save(const struct logrule_state *s, struct buf *out)
{
    for (unsigned n = 0; n < CALL_STATUS; n++)
        buf_addf(out, " %llu", (unsigned long long)s->total[n]);
}

bool logrule_load(struct logrule_state *s, struct slice text)
{
    struct logrule_state got = { { 0 } };
    struct slice word;
    for (unsigned n = 0; n < CALL_STATUS; n++) {
        slice_cut(text, ' ', &word, &text);
        if (!slice_u64(word, &got.total[n]))
            return false;
    }
    *s = got;
    return text.n == 0;
}
