/*
 * The table of keys is compiled into a hash once per engine; a lookup is one multiply and
 * nearly always one compare.
 */
#include "agent/raw.h"

#include <assert.h>

static const struct raw_key rows[] = {
#define KEY(context, key, action, arg, sub, see)                                         \
    { key, sizeof(key) - 1, C_##context, action, arg, C_##sub, see },
#include "agent/keys.def"
};

/* What a key that no row names gets, and so does an element of an array. */
static const struct raw_key others[RAW_CONTEXTS] = {
    [C_ENV] = { .context = C_ENV, .sub = C_ENV },
    [C_SENT] = { .context = C_SENT, .action = A_TEXT_IN, .sub = C_SENT },
};

/* Elements that are objects are walked like the array's own kind. */
static const struct raw_key elements[RAW_CONTEXTS] = {
#define CONTEXT(name) [C_##name] = { .context = C_##name, .sub = C_##name },
#include "agent/keys.def"
};

/* Elements that are text count, too. */
static const struct raw_key sent_text = { .action = A_TEXT_IN, .sub = C_SENT };
static const struct raw_key out_text = { .action = A_TEXT_OUT, .sub = C_OUT };
static const struct raw_key query = { .action = A_ITEM, .arg = 2 };

static inline uint64_t hash(unsigned context, struct raw_words w, size_t n)
{
    return (w.head ^ (w.tail << 7 | w.tail >> 57) ^ n << 3 ^ (uint64_t)context << 40) *
           UINT64_C(0x9e3779b97f4a7c15);
}

enum { SLOT_SHIFT = 53, TAG_SHIFT = 37, ROWS = sizeof rows / sizeof *rows };

_Static_assert(RAW_SLOTS == 1 << (64 - SLOT_SHIFT), "hash gives 11 bits");
_Static_assert((int)ROWS < (int)RAW_ROWS, "more room for words is needed");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "masks keep the first bytes");

void raw_table_init(struct raw_table *t)
{
    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < ROWS; i++) {
        struct slice name = slice_of(rows[i].name, rows[i].n);
        t->words[i] = raw_words_of(name, name.n);
        uint64_t h = hash(rows[i].context, t->words[i], name.n);
        size_t at = (size_t)(h >> SLOT_SHIFT);
        while (t->slot[at].row)
            at = (at + 1) % RAW_SLOTS;
        t->slot[at].row = (uint16_t)(i + 1);
        t->slot[at].tag = (uint16_t)(h >> TAG_SHIFT);
    }
}

static inline const struct raw_key *find(const struct raw_table *t, unsigned context,
                                         struct slice name, struct raw_words w)
{
    uint64_t h = hash(context, w, name.n);
    uint16_t tag = (uint16_t)(h >> TAG_SHIFT);
    for (size_t at = (size_t)(h >> SLOT_SHIFT); t->slot[at].row;
         at = (at + 1) % RAW_SLOTS) {
        if (t->slot[at].tag != tag)
            continue;
        size_t i = t->slot[at].row - 1u;
        const struct raw_key *k = &rows[i];
        if (t->words[i].head == w.head && t->words[i].tail == w.tail && k->n == name.n &&
            k->context == context &&
            (name.n <= 16 || !memcmp(k->name + 16, name.p + 16, name.n - 16)))
            return k;
    }
    return NULL;
}

/* Any byte that may be an upper-case letter, '_', '-' or '.': 010x xxxx or 0010 xxxx. */
static bool may_fold(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t upper = (word & ones * 0x60) ^ ones * 0x40,
             sign = (word & ones * 0x70) ^ ones * 0x20;
    return ((upper - ones) & ~upper & high) || ((sign - ones) & ~sign & high);
}

/* Lower case without separators; false if the name is that already, or too long. */
static bool fold(struct slice name, char out[32], size_t *n)
{
    if (name.n > 31)
        return false;
    *n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '-' || c == '.' || c == '_')
            continue;
        out[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return *n != name.n || memcmp(out, name.p, *n) != 0;
}

/* "llm.usage.prompt_tokens": a logger wrote an object's counters as keys of its own. */
static const struct raw_key *flattened(const struct raw_table *t, struct slice name)
{
    size_t at = slice_find(name, SLICE("usage."));
    if (at == SIZE_MAX)
        return &others[C_ENV];
    const char *dot = memrchr(name.p, '.', name.n);
    name = slice_from(name, (size_t)(dot + 1 - name.p));
    const struct raw_key *k = raw_find(t, C_ENV, name, name.n);
    return k->action == A_COUNTER ? k : &others[C_ENV];
}

const struct raw_key *raw_find(const struct raw_table *t, enum raw_context context,
                               struct slice name, size_t room)
{
    struct raw_words w = raw_words_of(name, room);
    const struct raw_key *k = find(t, context, name, w);
    struct slice full = name;
    char folded[32];
    size_t n;
    if (k || context != C_ENV || name.n < 4)
        return k ? k : &others[context];
    if ((name.n > 16 || may_fold(w.head) || may_fold(w.tail)) && fold(name, folded, &n))
        name = slice_of(folded, n);
    else if (name.n < 8)
        return &others[context];
    k = find(t, C_FOLD, name, raw_words_of(name, name.n));
    return k ? k : flattened(t, full);
}

const struct raw_key *raw_element(enum raw_context context)
{
    switch (context) {
    case C_SENT:
        return &sent_text;
    case C_OUT:
        return &out_text;
    case C_QUERIES:
        return &query;
    default:
        return &elements[context];
    }
}

void raw_reset(struct raw *r)
{
    r->have[0] = r->have[1] = 0;
    r->have_str = r->flags = 0;
    r->text_out = r->text_in = 0;
    r->items = r->searches = r->browsed = r->pieces = 0;
    r->passes = 0;
    r->modality = 0;
    r->modality_tokens = 0;
}

static void put_status(struct raw *r, const struct raw_key *k, enum json_type type,
                       struct slice text)
{
    uint64_t v;
    if (slice_u64(text, &v) && v < 1000)
        raw_set(r, N_STATUS, v);
    else if (type == JSON_STRING)
        raw_str_set(r, k->arg, text);
}

static void pass_string(struct raw *r, const struct raw_key *k, struct slice text)
{
    if (!r->passes)
        return;
    struct raw_pass *p = &r->pass[r->passes - 1];
    *(k->arg ? &p->model : &p->type) = text;
}

static void item(struct raw *r, const struct raw_key *k, struct slice text)
{
    if (k->arg == 1)
        r->items++;
    else if (k->arg == 2)
        raw_set(r, N_G_QUERIES, raw_get(r, N_G_QUERIES) + 1);
    else if (k->arg == 3)
        r->browsed += slice_eq(text, SLICE("open_page")) ||
                      slice_eq(text, SLICE("find_in_page")) ||
                      slice_eq(text, SLICE("find"));
    else if (slice_eq(text, SLICE("web_search_call")))
        r->searches++;
}

/* Seconds if it looks like seconds: a fraction below 1000; else milliseconds. */
static void put_latency(struct raw *r, struct slice text)
{
    uint64_t us;
    bool fraction = slice_chr(text, '.') != SIZE_MAX;
    if (json_decimal(text, 6, &us) && fraction && us < UINT64_C(1000000000))
        raw_set(r, N_LATENCY_US, us);
    else if (json_decimal(text, 3, &us))
        raw_set(r, N_LATENCY_US, us);
}

static bool put_text(struct raw *r, const struct raw_key *k, enum json_type type,
                     struct slice text)
{
    if (k->action == A_TIME ? type != JSON_STRING && type != JSON_NUMBER
                            : type != JSON_STRING)
        return false;
    if (!text.n)
        return false;
    raw_str_set(r, k->arg, text);
    return true;
}

/* What a number means: `v` counts, pico-dollars, milliseconds or microseconds by action.
 */
static void put_number(struct raw *r, const struct raw_key *k, uint64_t v)
{
    r->flags |= k->see;
    switch ((enum raw_action)k->action) {
    case A_COUNTER:
        r->flags |= F_FLAT;
        raw_put(r, k->arg, v);
        break;
    case A_ADD:
        raw_set(r, k->arg, raw_get(r, k->arg) + v);
        break;
    case A_PASS_NUM:
        if (r->passes) {
            r->pass[r->passes - 1].v[k->arg] = v;
            r->pass[r->passes - 1].have |= (uint8_t)(1u << k->arg);
        }
        break;
    case A_MODALITY_TOKENS:
        r->modality_tokens = v;
        break;
    default:
        raw_put(r, k->arg, v);
    }
}

/* Words that printed objects have for nothing. */
static bool nothing(struct slice s)
{
    static const char *const words[] = { "None", "null", "nil", "undefined", "-", "n/a" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_ieq(s, slice_str(words[i])))
            return true;
    return false;
}

/* A value that is no count stands for nothing at all. */
static void read_number(struct raw *r, const struct raw_key *k, struct slice text)
{
    uint64_t v;
    bool decimal = k->action == A_COST || k->action == A_SECONDS || k->action == A_MS;
    if (decimal ? json_decimal(text, k->action == A_COST ? 12 : 3, &v)
                : json_count(text, &v))
        put_number(r, k, v);
    else if ((k->action == A_NUM || k->action == A_COUNTER) && !nothing(text))
        r->flags |= F_BAD_COUNT;
}

bool raw_integer(struct raw *r, const struct raw_key *k, uint64_t v)
{
    switch ((enum raw_action)k->action) {
    case A_NUM:
    case A_COUNTER:
        put_number(r, k, v);
        return true;
    case A_MS:
        put_number(r, k, v * 1000);
        return true;
    case A_NONE:
        break;
    case A_LATENCY:
        raw_set(r, N_LATENCY_US, v * 1000);
        break;
    case A_STATUS:
        if (v < 1000)
            raw_set(r, N_STATUS, v);
        break;
    default:
        return false;
    }
    r->flags |= k->see;
    return true;
}

bool raw_scalar(struct raw *r, const struct raw_key *k, enum json_type type,
                struct slice text)
{
    if (type == JSON_FALSE && k->action == A_STOP)
        r->flags |= F_GOES_ON;
    if (type == JSON_NULL || type == JSON_FALSE || (type == JSON_STRING && !text.n))
        return false;
    if (k->action != A_NUM) /* a counter is seen once it counts */
        r->flags |= k->see;
    switch ((enum raw_action)k->action) {
    case A_NONE:
    case A_NEST:
        return false;
    case A_STR_ELSE:
        if (raw_str(r, k->arg).n)
            return false;
        return put_text(r, k, type, text);
    case A_STR:
    case A_TIME:
        return put_text(r, k, type, text);
    case A_STATUS:
        put_status(r, k, type, text);
        return type == JSON_STRING;
    case A_FLAG:
    case A_STOP:
        return false;
    case A_TEXT_OUT:
        if (type == JSON_STRING) {
            r->text_out += text.n;
            r->pieces++;
        }
        return false;
    case A_TEXT_IN:
        if (type == JSON_STRING)
            r->text_in += text.n;
        return false;
    case A_PASS_STR:
        pass_string(r, k, text);
        return true;
    case A_MODALITY:
        r->modality = text.n ? text.p[0] : 0;
        return false;
    case A_ITEM:
        item(r, k, text);
        return false;
    case A_LATENCY:
        put_latency(r, text);
        return false;
    default:
        if (type == JSON_NUMBER || type == JSON_STRING)
            read_number(r, k, text);
        return false;
    }
}

void raw_enter(struct raw *r, const struct raw_key *k, enum json_type type)
{
    r->flags |= k->see;
    if (k->sub == C_PASS && k->context != C_PASS)
        r->passes = 0;
    if (k->sub == C_PASS && type == JSON_OBJECT && r->passes < RAW_PASSES)
        r->pass[r->passes++] = (struct raw_pass){ .have = 0 };
    if (k->sub == C_IN_MODES || k->sub == C_OUT_MODES || k->sub == C_CACHE_MODES ||
        k->sub == C_TTL) {
        r->modality = 0;
        r->modality_tokens = 0;
    }
    if (k->sub == C_QUERIES || (k->sub == C_GROUND_COUNT && type == JSON_ARRAY))
        raw_clear(r, N_G_QUERIES);
}

/* One {modality, tokenCount} of Gemini, or {ttl, inputTokens} of Converse. */
void raw_leave(struct raw *r, enum raw_context context, bool object)
{
    static const struct {
        uint8_t context;
        char modality;
        uint8_t slot;
    } lists[] = {
        { C_IN_MODES, 'A', N_AUDIO_IN },
        { C_IN_MODES, 'I', N_IMAGE_IN },
        { C_IN_MODES, 'V', N_VIDEO_IN },
        { C_CACHE_MODES, 'A', N_AUDIO_CACHED },
        { C_OUT_MODES, 'A', N_AUDIO_OUT },
        { C_OUT_MODES, 'I', N_IMAGE_OUT },
        { C_TTL, '5', N_B_5M },
        { C_TTL, '1', N_B_1H },
    };
    if (!object || !r->modality)
        return;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (lists[i].context == context && lists[i].modality == r->modality)
            raw_set(r, lists[i].slot, r->modality_tokens);
}
