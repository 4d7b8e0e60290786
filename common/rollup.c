/* Totals under a key, and their line on the wire: see rollup.h. */
#include "common/rollup.h"

#include "common/arena.h"

const char *const rollup_name_columns[ROLLUP_NAMES_N] = {
#define X(field, wire) #field,
    ROLLUP_NAMES(X)
#undef X
};

const char *const rollup_name_wires[ROLLUP_NAMES_N] = {
#define X(field, wire) wire,
    ROLLUP_NAMES(X)
#undef X
};

enum { MINUTE_S = 60 };
static const int64_t YEAR_10000 = 253402300800;

/* --- key ------------------------------------------------------------------------------
 */

/* The longest clean beginning: whole UTF-8 sequences, no control byte. */
static struct slice clean_name(struct slice s)
{
    size_t at = 0;
    for (;;) {
        size_t n = slice_utf8(slice_from(s, at));
        if (n == 0 || at + n > ROLLUP_NAME_MAX || (unsigned char)s.p[at] < 0x20 ||
            s.p[at] == 0x7f)
            return slice_head(s, at);
        at += n;
    }
}

enum status rollup_key_of(const struct usage *u, struct rollup_key *out)
{
    int64_t s = u->ts_ns / 1000000000;
    if (u->ts_ns < 0 || s >= YEAR_10000)
        return ST_BAD;
    *out = (struct rollup_key){ .hour = s - s % ROLLUP_HOUR_S,
                                .seen = u->seen,
                                .outcome = u->outcome,
                                .quality = u->quality,
                                .context = usage_call_context(u) };
#define X(field, wire) out->name[ROLLUP_##field] = clean_name(u->field);
    ROLLUP_NAMES(X)
#undef X
    return ST_OK;
}

bool rollup_key_eq(const struct rollup_key *a, const struct rollup_key *b)
{
    if (a->hour != b->hour || a->seen != b->seen || a->outcome != b->outcome ||
        a->quality != b->quality || a->context != b->context)
        return false;
    for (size_t i = 0; i < ROLLUP_NAMES_N; i++)
        if (!slice_eq(a->name[i], b->name[i]))
            return false;
    return true;
}

uint64_t rollup_key_hash(const struct rollup_key *k, uint64_t seed)
{
    const uint64_t small[] = { (uint64_t)k->hour, k->seen, k->outcome, k->quality,
                               k->context };
    uint64_t h = slice_hash(slice_of(small, sizeof small), seed);
    for (size_t i = 0; i < ROLLUP_NAMES_N; i++)
        h = slice_hash(k->name[i], h);
    return h;
}

/* --- totals ---------------------------------------------------------------------------
 */

bool rollup_counts(const struct usage *u)
{
    return u->accounting == ACCOUNTING_CALL || u->accounting == ACCOUNTING_ERROR;
}

static void grow(uint64_t *to, uint64_t by)
{
    *to = by < ROLLUP_COUNT_MAX - *to ? *to + by : ROLLUP_COUNT_MAX;
}

static void raise_to(uint64_t *peak, uint64_t v)
{
    if (v > *peak)
        *peak = v;
}

/*
 * Calls come nearly in order: a straggler of the minute before is left out of the peak,
 * and any larger step (a second file, an older day) begins a minute of its own.
 */
static void add_minute(struct rollup *r, int64_t minute, uint64_t tokens)
{
    if (minute == r->minute - 1 && r->minute_calls)
        return;
    if (minute != r->minute) {
        r->minute = minute;
        r->minute_calls = r->minute_tokens = 0;
    }
    grow(&r->minute_calls, 1);
    grow(&r->minute_tokens, tokens);
    raise_to(&r->peak_calls, r->minute_calls);
    raise_to(&r->peak_tokens, r->minute_tokens);
}

enum status rollup_add(struct rollup *r, const struct usage *u)
{
    bool billed = u->accounting != ACCOUNTING_ERROR;
    enum status st = ST_OK;
    grow(&r->calls, u->agg_n);
    for (unsigned f = 0; f < USAGE_N; f++)
        if (billed || f == USAGE_bytes_up || f == USAGE_bytes_down)
            grow(&r->v[f], u->v[f]);
    if (u->agg_n != 1)
        return ST_OK;
    add_minute(r, u->ts_ns / 1000000000 / MINUTE_S, billed ? usage_total(u) : 0);
    if (u->total_us >= 0)
        st = sketch_add(&r->duration, (uint64_t)u->total_us, 1);
    if (u->ttft_us >= 0 && st == ST_OK)
        st = sketch_add(&r->ttft, (uint64_t)u->ttft_us, 1);
    return st;
}

enum status rollup_merge(struct rollup *into, const struct rollup *from)
{
    grow(&into->calls, from->calls);
    for (unsigned f = 0; f < USAGE_N; f++)
        grow(&into->v[f], from->v[f]);
    raise_to(&into->peak_calls, from->peak_calls);
    raise_to(&into->peak_tokens, from->peak_tokens);
    enum status st = sketch_merge(&into->duration, &from->duration);
    return st ? st : sketch_merge(&into->ttft, &from->ttft);
}

void rollup_release(struct rollup *r)
{
    sketch_release(&r->duration);
    sketch_release(&r->ttft);
    *r = (struct rollup){ 0 };
}

/* --- wire -----------------------------------------------------------------------------
 */

/* What may stand in a row, in the order in which rollup_encode writes it. */
enum wire {
    W_HOUR,
    W_VER,
    W_EPOCH,
    W_NAMES,
    W_SEEN = W_NAMES + ROLLUP_NAMES_N,
    W_OUTCOME,
    W_QUALITY,
    W_CONTEXT,
    W_CALLS,
    W_FIELDS,
    W_PEAK_CALLS = W_FIELDS + USAGE_N,
    W_PEAK_TOKENS,
    W_DURATION,
    W_TTFT,
    W_N
};

_Static_assert(W_N <= 64, "the set of keys seen is 64 bits");

static const struct slice wires[W_N] = {
    [W_HOUR] = { "h", 1 },
    [W_VER] = { "ver", 3 },
    [W_EPOCH] = { "ep", 2 },
#define X(field, wire) [W_NAMES + ROLLUP_##field] = { wire, sizeof wire - 1 },
    ROLLUP_NAMES(X)
#undef X
        [W_SEEN] = { "src", 3 },
    [W_OUTCOME] = { "oc", 2 },
    [W_QUALITY] = { "q", 1 },
    [W_CONTEXT] = { "ctx", 3 },
    [W_CALLS] = { "n", 1 },
#define USAGE_CLASS(name, wire, help)                                                    \
    [W_FIELDS + USAGE_##name] = { wire, sizeof wire - 1 },
#define USAGE_SUBSET(name, wire, of, help) USAGE_CLASS(name, wire, help)
#define USAGE_UNIT(name, wire, unit, help) USAGE_CLASS(name, wire, help)
#include "common/usage_fields.def"
    [W_PEAK_CALLS] = { "pkc", 3 },
    [W_PEAK_TOKENS] = { "pkt", 3 },
    [W_DURATION] = { "dur", 3 },
    [W_TTFT] = { "ttft", 4 },
};

static void put_count(struct json_out *o, enum wire w, uint64_t v)
{
    json_key_slice(o, wires[w]);
    json_u64(o, v);
}

static void put_name(struct json_out *o, enum wire w, struct slice s)
{
    json_key_slice(o, wires[w]);
    json_str(o, s);
}

static void put_sketch(struct json_out *o, enum wire w, const struct sketch *s)
{
    if (s->count == 0)
        return;
    json_key_slice(o, wires[w]);
    buf_addc(o->b, '"');
    sketch_encode(s, o->b); /* digits and ":;," only */
    buf_addc(o->b, '"');
    o->comma = true;
}

void rollup_encode(const struct rollup_row *row, struct buf *out)
{
    struct json_out o = { .b = out };
    const struct rollup_key *k = &row->key;
    const struct rollup *r = &row->total;
    json_open(&o, '{');
    put_count(&o, W_HOUR, (uint64_t)k->hour);
    put_count(&o, W_VER, row->ver);
    put_count(&o, W_EPOCH, row->epoch);
    for (unsigned i = 0; i < ROLLUP_NAMES_N; i++)
        if (k->name[i].n)
            put_name(&o, W_NAMES + i, k->name[i]);
    put_name(&o, W_SEEN, slice_str(usage_seen_name(k->seen)));
    put_name(&o, W_OUTCOME, slice_str(usage_outcome_name(k->outcome)));
    put_name(&o, W_QUALITY, slice_str(usage_quality_name(k->quality)));
    put_count(&o, W_CONTEXT, k->context);
    put_count(&o, W_CALLS, r->calls);
    for (unsigned f = 0; f < USAGE_N; f++)
        if (r->v[f])
            put_count(&o, W_FIELDS + f, r->v[f]);
    if (r->peak_calls)
        put_count(&o, W_PEAK_CALLS, r->peak_calls);
    if (r->peak_tokens)
        put_count(&o, W_PEAK_TOKENS, r->peak_tokens);
    put_sketch(&o, W_DURATION, &r->duration);
    put_sketch(&o, W_TTFT, &r->ttft);
    json_close(&o, '}');
    buf_addc(out, '\n');
}

/* One line being read. */
struct reading {
    struct json json;
    struct slice line;
    struct arena *names;
    struct rollup_row *row;
    const char *why;
};

static enum status refuse(struct reading *r, const char *why)
{
    r->why = why;
    return ST_BAD;
}

/* The row of `key`, looked for from `from` on: rows come in the order of the table. */
static enum wire find_wire(struct slice key, unsigned from)
{
    for (unsigned i = 0; i < W_N; i++) {
        unsigned w = (from + i) % W_N;
        if (slice_eq(key, wires[w]))
            return (enum wire)w;
    }
    return W_N;
}

static enum status read_name(struct reading *r, struct slice text, struct slice *out)
{
    if (r->json.truncated || !slice_eq(clean_name(text), text))
        return refuse(r, "a name is over 200 bytes, not UTF-8, or has control bytes");
    uintptr_t at = (uintptr_t)text.p, line = (uintptr_t)r->line.p;
    bool borrowed = at >= line && at - line < r->line.n;
    *out = borrowed || text.n == 0 ? text : arena_dup(r->names, text);
    return text.n && !out->p ? ST_NOMEM : ST_OK;
}

static enum status read_sketch(struct reading *r, struct slice text, struct sketch *out)
{
    enum status st = r->json.truncated ? ST_BAD : sketch_decode(out, text);
    return st == ST_BAD ? refuse(r, "malformed dur or ttft") : st;
}

static enum status read_text(struct reading *r, enum wire w, struct slice text)
{
    struct rollup_key *k = &r->row->key;
    switch (w) {
    case W_SEEN:
        return usage_seen_parse(text, &k->seen) ? ST_OK : refuse(r, "unknown src");
    case W_OUTCOME:
        return usage_outcome_parse(text, &k->outcome) ? ST_OK : refuse(r, "unknown oc");
    case W_QUALITY:
        return usage_quality_parse(text, &k->quality) ? ST_OK : refuse(r, "unknown q");
    case W_DURATION:
        return read_sketch(r, text, &r->row->total.duration);
    case W_TTFT:
        return read_sketch(r, text, &r->row->total.ttft);
    default:
        if (w >= W_NAMES && w < W_NAMES + ROLLUP_NAMES_N)
            return read_name(r, text, &k->name[w - W_NAMES]);
        return refuse(r, "a string where a number belongs");
    }
}

static enum status read_count(struct reading *r, enum wire w, struct slice text)
{
    struct rollup_row *row = r->row;
    uint64_t v;
    if (!slice_u64(text, &v) || v > ROLLUP_COUNT_MAX)
        return refuse(r, "a number is not an integer from 0 to 2^63 - 1");
    switch (w) {
    case W_HOUR:
        row->key.hour = (int64_t)v;
        return v % ROLLUP_HOUR_S == 0 && v < (uint64_t)YEAR_10000
                   ? ST_OK
                   : refuse(r, "h is not a whole hour before the year 10000");
    case W_CONTEXT:
        row->key.context = (unsigned)v;
        return v < USAGE_CONTEXTS ? ST_OK : refuse(r, "ctx is out of range");
    case W_VER:
        row->ver = v;
        return ST_OK;
    case W_EPOCH:
        row->epoch = v;
        return ST_OK;
    case W_CALLS:
        row->total.calls = v;
        return ST_OK;
    case W_PEAK_CALLS:
        row->total.peak_calls = v;
        return ST_OK;
    case W_PEAK_TOKENS:
        row->total.peak_tokens = v;
        return ST_OK;
    default:
        if (w < W_FIELDS || w >= W_FIELDS + USAGE_N)
            return refuse(r, "a number where a string belongs");
        row->total.v[w - W_FIELDS] = v;
        return ST_OK;
    }
}

static enum status read_value(struct reading *r, enum wire w)
{
    struct slice text = { 0 };
    switch (json_next(&r->json, &text)) {
    case JSON_STRING:
        return read_text(r, w, text);
    case JSON_NUMBER:
        return read_count(r, w, text);
    case JSON_BAD:
        return refuse(r, json_why(&r->json));
    default:
        return refuse(r, "a value is neither a string nor a number");
    }
}

static enum status read_object(struct reading *r, uint64_t *unknown)
{
    const uint64_t one = 1;
    const uint64_t needed = one << W_HOUR | one << W_VER | one << W_EPOCH |
                            one << W_SEEN | one << W_OUTCOME | one << W_QUALITY |
                            one << W_CONTEXT | one << W_CALLS;
    uint64_t have = 0;
    unsigned next = 0;
    struct slice key;
    enum json_type t;
    while ((t = json_next(&r->json, &key)) == JSON_KEY) {
        enum wire w = r->json.truncated ? W_N : find_wire(key, next);
        if (w == W_N) {
            json_skip(&r->json);
            ++*unknown;
            continue;
        }
        if (have >> w & 1)
            return refuse(r, "a key stands twice");
        have |= one << w;
        next = w + 1u;
        enum status st = read_value(r, w);
        if (st)
            return st;
    }
    if (t != JSON_OBJECT_END)
        return refuse(r, json_why(&r->json));
    if ((have & needed) != needed)
        return refuse(r, "one of h, ver, ep, src, oc, q, ctx, n is missing");
    return ST_OK;
}

enum status rollup_decode(struct slice line, struct arena *names, struct rollup_row *row,
                          uint64_t *unknown, const char **why)
{
    struct reading r = { .line = line, .names = names, .row = row, .why = "" };
    struct slice text;
    *row = (struct rollup_row){ 0 };
    json_init(&r.json, JSON_ONE);
    json_feed(&r.json, line);
    json_finish(&r.json);
    enum json_type t = json_next(&r.json, &text);
    enum status st = t == JSON_OBJECT ? read_object(&r, unknown)
                     : t == JSON_BAD  ? refuse(&r, json_why(&r.json))
                                      : refuse(&r, "a row is a JSON object");
    if (st == ST_OK && json_next(&r.json, &text) != JSON_END)
        st = refuse(&r, json_why(&r.json));
    *why = r.why;
    return st;
}
