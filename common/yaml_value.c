/* Values of a configuration file, and the reference of all of them: see yaml_value.h. */
#include "common/yaml_value.h"

#include "common/instant.h"
#include "common/json.h"

#include <assert.h>
#include <stdlib.h>

struct unit {
    const char *name;
    uint64_t times;
};

/* The shortest way to write a value tries these from the end. */
static const struct unit sizes[] = {
    { "", 1 },
    { "B", 1 },
    { "kB", 1000 },
    { "MB", 1000000 },
    { "GB", 1000000000 },
    { "TB", 1000000000000 },
    { "KiB", 1 << 10 },
    { "MiB", 1 << 20 },
    { "GiB", 1 << 30 },
    { "TiB", (uint64_t)1 << 40 },
};

static const struct unit durations[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- text -> value --------------------------------------------------------------------
 */

static bool in_range(const struct yaml_field *f, double v)
{
    return (f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max);
}

bool yaml_length_bad(const struct yaml_field *f, size_t n)
{
    return !in_range(f, (double)n);
}

/* "1_000_000" without its underscores, which stand between digits only. */
static bool ungroup(struct slice s, char *out, size_t size, struct slice *plain)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            if (n == size)
                return false;
            out[n++] = s.p[i];
        } else if (i == 0 || i + 1 == s.n || s.p[i - 1] < '0' || s.p[i - 1] > '9' ||
                   s.p[i + 1] < '0' || s.p[i + 1] > '9') {
            return false;
        }
    }
    *plain = slice_of(out, n);
    return true;
}

static bool parse_int(struct slice s, int64_t *out)
{
    char digits[20];
    return ungroup(s, digits, sizeof digits, &s) && slice_i64(s, out);
}

/* "64KiB": digits, then one of the units. */
static bool parse_unit(struct slice s, const struct unit *units, size_t n, uint64_t *out)
{
    char digits[20];
    size_t at = 0;
    while (at < s.n && ((s.p[at] >= '0' && s.p[at] <= '9') || s.p[at] == '_'))
        at++;
    struct slice unit = slice_from(s, at), number;
    if (!ungroup(slice_head(s, at), digits, sizeof digits, &number) ||
        !slice_u64(number, out))
        return false;
    for (size_t i = 0; i < n; i++)
        if (slice_eq(unit, slice_str(units[i].name)))
            return !__builtin_mul_overflow(*out, units[i].times, out);
    return false;
}

static bool parse_duration(struct slice s, int64_t *out)
{
    uint64_t ms = 0; /* 0 is the same in every unit */
    if (!slice_eq(s, SLICE("0")) && !parse_unit(s, durations, COUNT(durations), &ms))
        return false;
    *out = (int64_t)ms;
    return ms <= INT64_MAX;
}

static bool parse_decimal(struct slice s, double *out)
{
    char text[64], number[64];
    if (!ungroup(s, text, sizeof text, &s) || s.n >= sizeof number ||
        !json_number_valid(s))
        return false;
    memcpy(number, s.p, s.n);
    number[s.n] = '\0';
    *out = strtod(number, NULL);
    return *out <= 1e300 && *out >= -1e300;
}

/* Exact: an amount that would have to be rounded is refused. */
static bool parse_money(struct slice s, unsigned scale, uint64_t *out)
{
    struct slice whole, fraction;
    slice_cut(s, '.', &whole, &fraction);
    while (fraction.n && fraction.p[fraction.n - 1] == '0')
        fraction.n--;
    return fraction.n <= scale && slice_chr(s, 'e') == SIZE_MAX &&
           slice_chr(s, 'E') == SIZE_MAX && json_decimal(s, scale, out);
}

static bool parse_bool(struct slice s, bool *out)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (slice_eq(s, slice_str(words[i]))) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* A day that exists, written as we would write it: logs may be looser than this. */
static bool parse_date(struct slice s, int64_t *out)
{
    struct buf again = { 0 };
    int64_t ns;
    if (!instant_day(s, &ns) || ns < 0)
        return false;
    instant_format_day(ns, &again);
    bool ok = slice_eq(s, buf_slice(&again));
    buf_release(&again);
    *out = ns / 1000000000;
    return ok;
}

static bool parse_enum(const struct yaml_field *f, struct slice s, int *out)
{
    for (*out = 0; f->names[*out]; ++*out)
        if (slice_eq(s, slice_str(f->names[*out])))
            return true;
    return false;
}

/* A C string in the arena; one with a NUL inside is refused. */
static enum status copy_string(struct slice s, const char **out, struct arena *a)
{
    if (slice_chr(s, '\0') != SIZE_MAX)
        return ST_BAD;
    *out = arena_dup(a, s).p;
    return *out ? ST_OK : ST_NOMEM;
}

static enum status copy_one(struct slice s, struct yaml_strings *out, struct arena *a)
{
    const char **list = arena_alloc(a, sizeof *list);
    if (!list)
        return ST_NOMEM;
    *out = (struct yaml_strings){ list, 1 };
    return copy_string(s, list, a);
}

enum status yaml_value_set(const struct yaml_field *f, struct slice text, void *out,
                           struct arena *a)
{
    void *at = yaml_at(f, out);
    bool ok = false;
    switch (f->type) {
    case YAML_STRING:
        return copy_string(text, at, a);
    case YAML_STRINGS:
        return yaml_length_bad(f, 1) ? ST_BAD : copy_one(text, at, a);
    case YAML_BOOL:
        ok = parse_bool(text, at);
        break;
    case YAML_INT:
        ok = parse_int(text, at) && in_range(f, (double)*(int64_t *)at);
        break;
    case YAML_DECIMAL:
        ok = parse_decimal(text, at) && in_range(f, *(double *)at);
        break;
    case YAML_MONEY:
        ok = parse_money(text, f->scale, at);
        break;
    case YAML_SIZE:
        ok = parse_unit(text, sizes, COUNT(sizes), at) &&
             in_range(f, (double)*(uint64_t *)at);
        break;
    case YAML_DURATION:
        ok = parse_duration(text, at) && in_range(f, (double)*(int64_t *)at);
        break;
    case YAML_DATE:
        ok = parse_date(text, at);
        break;
    case YAML_ENUM:
        ok = parse_enum(f, text, at);
        break;
    default: /* mappings and lists are not scalars */
        break;
    }
    return ok ? ST_OK : ST_BAD;
}

/* "[a, b]" of a table: texts without quotes and commas. */
static enum status default_strings(struct slice s, struct yaml_strings *out,
                                   struct arena *a)
{
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    *out = (struct yaml_strings){ arena_alloc(a, n * sizeof *out->at), 0 };
    if (!out->at)
        return ST_NOMEM;
    enum status st = ST_OK;
    for (struct slice item; slice_trim(s).n && st == ST_OK;) {
        slice_cut(s, ',', &item, &s);
        st = copy_string(slice_trim(item), &out->at[out->n++], a);
    }
    return st;
}

enum status yaml_value_default(const struct yaml_field *f, void *out, struct arena *a)
{
    struct slice s = slice_str(f->fallback);
    if (!f->fallback)
        return ST_OK;
    if (f->type == YAML_STRINGS && slice_starts(s, SLICE("[")))
        return default_strings(slice_of(s.p + 1, s.n - 2), yaml_at(f, out), a);
    enum status st = yaml_value_set(f, s, out, a);
    assert(st != ST_BAD); /* a default outside of its own range is our bug */
    return st;
}

/* --- words ----------------------------------------------------------------------------
 */

static void put_unit(struct buf *b, double v, const struct unit *units, size_t n)
{
    uint64_t whole = (uint64_t)v;
    size_t i = n - 1;
    while (i > 0 && (whole % units[i].times != 0 || whole == 0))
        i--;
    buf_addu(b, whole / units[i].times);
    buf_adds(b, units[i].name);
}

static void put_bound(const struct yaml_field *f, double v, struct buf *b)
{
    if (f->type == YAML_SIZE)
        put_unit(b, v, sizes, COUNT(sizes));
    else if (f->type == YAML_DURATION)
        put_unit(b, v, durations, COUNT(durations));
    else
        buf_addf(b, "%.15g", v);
}

static void put_range(const struct yaml_field *f, const char *of, struct buf *b)
{
    if (f->min == 0 && f->max == 0)
        return;
    buf_adds(b, of);
    put_bound(f, f->min, b);
    buf_adds(b, " to ");
    put_bound(f, f->max, b);
}

void yaml_allowed(const struct yaml_field *f, struct buf *out)
{
    static const char *const words[] = {
        [YAML_STRING] = "a text",
        [YAML_BOOL] = "true, false, yes, no, on or off",
        [YAML_INT] = "a whole number",
        [YAML_DECIMAL] = "a number",
        [YAML_MONEY] = "an amount like 2.50",
        [YAML_SIZE] = "a size like 64KiB or 1GB",
        [YAML_DURATION] = "a duration like 500ms, 30s, 5m, 2h or 7d",
        [YAML_DATE] = "a day like 2026-11-23",
        [YAML_ENUM] = "one of ",
        [YAML_STRINGS] = "a list of texts, or one text",
        [YAML_STRUCT] = "a mapping",
        [YAML_LIST] = "a list of mappings",
        [YAML_MAP] = "a mapping from names to mappings",
    };
    assert(f->type < COUNT(words) && words[f->type]);
    buf_adds(out, words[f->type]);
    if (f->type == YAML_MONEY)
        buf_addf(out, " with at most %u decimals", f->scale);
    if (f->type == YAML_ENUM)
        for (size_t i = 0; f->names[i]; i++)
            buf_addf(out, "%s%s", i ? ", " : "", f->names[i]);
    bool list = f->type == YAML_STRINGS || f->type == YAML_LIST || f->type == YAML_MAP;
    put_range(f, list ? ", entries from " : " from ", out);
}

/* --- reference ------------------------------------------------------------------------
 */

static void put_table(const struct yaml_field *table, unsigned indent, struct buf *b);

static void put_margin(unsigned indent, struct buf *b)
{
    buf_addf(b, "# %*s", (int)indent, "");
}

/* A value for a key without a default, so that the reference parses. */
static void put_example(const struct yaml_field *f, struct buf *b)
{
    switch (f->type) {
    case YAML_STRING:
        buf_adds(b, "\"\"");
        break;
    case YAML_BOOL:
        buf_adds(b, "false");
        break;
    case YAML_STRINGS:
        buf_adds(b, f->min > 0 ? "[\"\"]" : "[]");
        break;
    case YAML_DATE:
        buf_adds(b, "2026-11-23");
        break;
    case YAML_ENUM:
        buf_adds(b, f->names[0]);
        break;
    default:
        put_bound(f, f->min, b);
    }
}

static void put_field(const struct yaml_field *f, unsigned indent, struct buf *b)
{
    put_margin(indent, b);
    struct slice help = slice_str(f->help);
    if (help.n)
        buf_addf(b, "# %.*s%s ", SLICE_FMT(help),
                 slice_ends(help, SLICE(".")) ? "" : ".");
    else
        buf_adds(b, "# ");
    size_t from = b->n;
    yaml_allowed(f, b);
    if (!b->st && b->p[from] >= 'a' && b->p[from] <= 'z')
        b->p[from] = (char)(b->p[from] - 32); /* a sentence */
    if (f->required)
        buf_adds(b, "; required");
    else if (f->fallback)
        buf_addf(b, "; default %s", f->fallback);
    buf_adds(b, ".\n");
    put_margin(indent, b);
    buf_addf(b, "%s:", f->key);
    if (f->type == YAML_STRUCT) {
        buf_addc(b, '\n');
        put_table(f->table, indent + 2, b);
    } else if (f->type == YAML_LIST || f->type == YAML_MAP) {
        buf_addc(b, '\n');
        put_margin(indent + 2, b);
        buf_adds(b, f->type == YAML_LIST ? "-\n" : "NAME:\n");
        put_table(f->table, indent + 4, b);
    } else {
        buf_addc(b, ' ');
        if (f->fallback)
            buf_adds(b, f->fallback);
        else
            put_example(f, b);
        buf_addc(b, '\n');
    }
}

static void put_table(const struct yaml_field *table, unsigned indent, struct buf *b)
{
    for (const struct yaml_field *f = table; f->type != YAML_END_OF_TABLE; f++)
        if (f->type != YAML_NAME && f->type != YAML_LINE)
            put_field(f, indent, b);
}

void yaml_reference(const struct yaml_field *table, struct buf *out)
{
    put_table(table, 0, out);
}
