/*
 * The record door: one pass over a JSON text in memory. Objects of the record are frames;
 * the one whose own keys hold a provider's counters is a body, the frames around it give
 * what the body does not say. Names are borrowed from the line, numbers are kept, all
 * else is passed over without a look.
 *
 * This walk and the incremental one (walk.c) share the table of keys; it exists because a
 * whole text can be read several times faster than a stream of pieces.
 */
#include "agent/engine.h"
#include "agent/normalise.h"
#include "agent/quotes.h"

#include <assert.h>
#include <stdlib.h>

/* The tokens of the common case, in one loop without calls. */
#define INLINE __attribute__((always_inline)) static inline

struct text {
    struct extract *x;
    const char *p, *first, *end;
    const char *why;   /* set when the text is not JSON */
    struct raw *raw;   /* of the object at hand, NULL outside of all */
    int frame;         /* the same by number, -1 */
    unsigned level;    /* of JSON inside strings */
    struct guess *set; /* what may follow here */
};

/* --- bytes ----------------------------------------------------------------------------
 */

static bool bad(struct text *t, const char *why)
{
    t->why = why;
    return false;
}

static inline void space(struct text *t)
{
    while (t->p < t->end && (unsigned char)*t->p <= ' ' &&
           (*t->p == ' ' || *t->p == '\n' || *t->p == '\t' || *t->p == '\r'))
        t->p++;
}

/* At an opening quote: *s gets what stands between the quotes, still escaped. */
INLINE bool string(struct text *t, struct slice *s, bool *escaped)
{
    const char *first = ++t->p, *close = quotes_close(first, t->end, escaped);
    if (!close)
        return bad(t, "a string does not end");
    *s = slice_of(first, (size_t)(close - first));
    t->p = close + 1;
    return true;
}

/* At an opening bracket: behind the one that closes it. */
static bool pass_container(struct text *t)
{
    size_t depth = 0;
    for (const char *p = t->p; (p = bytes_bracket(p, t->end)) < t->end;) {
        if (*p == '"') {
            struct slice s;
            bool escaped;
            t->p = p;
            if (!string(t, &s, &escaped))
                return false;
            p = t->p;
            continue;
        }
        bool open = (*p++ | 0x20) == '{';
        depth += open ? 1 : (size_t)-1;
        if (!depth) {
            t->p = p;
            return true;
        }
    }
    return bad(t, "an object or array does not end");
}

/* A number or word: up to what cannot be part of one. */
static enum json_type bare(struct text *t, struct slice *s)
{
    const char *first = t->p;
    while (t->p < t->end && (unsigned char)*t->p > ' ' && *t->p != ',' && *t->p != '}' &&
           *t->p != ']')
        t->p++;
    *s = slice_of(first, (size_t)(t->p - first));
    if (*first == '-' || (*first >= '0' && *first <= '9'))
        return JSON_NUMBER;
    if (slice_eq(*s, SLICE("true")))
        return JSON_TRUE;
    if (slice_eq(*s, SLICE("false")))
        return JSON_FALSE;
    return slice_eq(*s, SLICE("null")) ? JSON_NULL : JSON_BAD;
}

/* The text of an escaped string, in the record's arena; empty if it cannot be had. */
static struct slice unescape(struct text *t, struct slice raw)
{
    struct buf b = { .p = arena_alloc(&t->x->arena, raw.n + 1), .cap = raw.n + 1 };
    b.limit = raw.n + 1; /* unescaped text is never longer: the buf does not grow */
    if (!b.p || !json_unescape(raw, &b))
        return (struct slice){ NULL, 0 };
    return buf_slice(&b);
}

/* --- frames ---------------------------------------------------------------------------
 */

static bool grow(struct extract *x)
{
    size_t cap = x->frames_cap ? 2 * x->frames_cap : 16;
    struct frame *p =
        x->frames_cap == ENGINE_FRAMES ? NULL : realloc(x->frame, cap * sizeof *x->frame);
    if (!p)
        return false;
    x->frame = p;
    x->frames_cap = cap;
    return true;
}

/* Frames move when they grow: `raw` is taken anew whenever they may have. */
static void stand_in(struct text *t, int frame)
{
    t->frame = frame;
    t->raw = frame >= 0 ? &t->x->frame[frame].raw : NULL;
}

static bool frame_open(struct text *t)
{
    struct extract *x = t->x;
    if (x->frames == x->frames_cap && !grow(x))
        return bad(t, "too many calls in one record");
    struct frame *f = &x->frame[x->frames];
    raw_reset(&f->raw);
    f->parent = t->frame;
    f->call = f->part = false;
    f->level = (unsigned char)t->level;
    stand_in(t, (int)x->frames++);
    return true;
}

/* Counters outside a usage object count as a call only beside a name or an output. */
static bool flat_call(const struct raw *r)
{
    if (!normalise_has_usage(r))
        return false;
    if (raw_has(r, N_COMPLETION) || raw_has(r, N_OUTPUT) || raw_has(r, N_O_EVAL) ||
        raw_has(r, N_G_CANDIDATES) || raw_has(r, N_L_PREDICTED) ||
        raw_has(r, N_X_OUT_LAST) || raw_has(r, N_X_OUT) || raw_has(r, N_O_PROMPT))
        return true;
    if (raw_has(r, N_X_IN) && r->flags & F_EMBEDDING) /* Titan's */
        return true;
    return raw_str(r, S_MODEL).n || raw_str(r, S_PROVIDER).n;
}

/* What an outer object says, for a body inside it that does not say it. */
static void inherit(struct raw *to, const struct raw *from)
{
    static const uint8_t names[] = { S_PROVIDER,   S_MODEL_REQUEST, S_APP,  S_ENVIRONMENT,
                                     S_REQUEST_ID, S_METHOD,        S_PATH, S_HOST,
                                     S_CREATED,    S_STATUS_TEXT };
    for (size_t i = 0; i < sizeof names; i++)
        if (!(to->have_str >> names[i] & 1) && from->have_str >> names[i] & 1)
            raw_str_set(to, names[i], from->str[names[i]]);
    if (!raw_str(to, S_MODEL_REQUEST).n && raw_str(from, S_MODEL).n)
        raw_str_set(to, S_MODEL_REQUEST, raw_str(from, S_MODEL));
    if (raw_str(from, S_TIME).n) /* the outermost time is the log's own */
        raw_str_set(to, S_TIME, raw_str(from, S_TIME));
    if (!raw_has(to, N_STATUS) && raw_has(from, N_STATUS))
        raw_set(to, N_STATUS, from->num[N_STATUS]);
    if (!raw_has(to, N_LATENCY_US) && raw_has(from, N_LATENCY_US))
        raw_set(to, N_LATENCY_US, from->num[N_LATENCY_US]);
    if (!raw_has(to, N_COST) && raw_has(from, N_COST))
        raw_set(to, N_COST, from->num[N_COST]);
    to->flags |= from->flags & (F_SYNTHETIC | F_BATCH | F_CUSTOM_ID | F_KEY);
}

/* The same counts once more inside of a body (LangChain's messages): only their names. */
static void adopt(struct raw *to, const struct raw *from)
{
    static const uint8_t names[] = { S_MODEL, S_ID, S_OBJECT };
    for (size_t i = 0; i < sizeof names; i++)
        if (!(to->have_str >> names[i] & 1) && from->have_str >> names[i] & 1)
            raw_str_set(to, names[i], from->str[names[i]]);
}

/* An object ends: it is a body, or it surrounds some, or it is forgotten. */
static void frame_close(struct text *t)
{
    struct extract *x = t->x;
    size_t at = (size_t)t->frame;
    struct frame *f = &x->frame[at];
    bool native = f->raw.flags & (F_USAGE | F_DURATION | F_PAGES);
    bool counts = native || flat_call(&f->raw), inside = false;
    stand_in(t, f->parent);
    for (size_t i = at + 1; i < x->frames; i++) {
        struct frame *in = &x->frame[i];
        if (native && in->call && !in->part)
            adopt(&f->raw, &in->raw);
        /* parts of this call; or text beside its counters, which may be an answer */
        in->part |= native || (counts && in->level > f->level);
        inside |= in->call && !in->part;
    }
    f->call = native || (!inside && (counts || shape_of(&f->raw).judged));
    for (size_t i = at + 1; i < x->frames; i++)
        if (x->frame[i].call && !x->frame[i].part)
            inherit(&x->frame[i].raw, &f->raw);
    if (f->call || inside || !at)
        return;
    if (f->parent >= 0) {
        struct raw *up = &x->frame[f->parent].raw;
        up->flags |= f->raw.flags & F_ERROR; /* a reply that is nothing but an error */
        /* images: {"b64_json":…} or {"url":…} in data */
        up->items += f->raw.items + (up->flags & F_DATA && raw_str(&f->raw, S_PATH).n);
        if (raw_has(up, N_X_IN) &&
            raw_has(&f->raw, N_TOTAL)) /* Titan: part of its answer */
            raw_set(up, N_X_OUT, raw_get(up, N_X_OUT) + f->raw.num[N_TOTAL]);
    }
    if (at + 1 == x->frames)
        x->frames--;
}

/* --- the walk -------------------------------------------------------------------------
 */

static bool walk(struct text *t);

static struct text begin(struct extract *x, struct slice s, int frame, unsigned level)
{
    struct text t = { .x = x, .p = s.p, .first = s.p, .end = s.p + s.n };
    t.level = level;
    t.set = x->guesses.set[level];
    stand_in(&t, frame);
    return t;
}

/* A string that may hold a JSON document: walked as if it stood there unquoted. */
static void nested(struct text *t, struct slice s, bool escaped)
{
    if (t->level == ENGINE_NEST || s.n < 12)
        return;
    char c = slice_trim(slice_head(s, 16)).n ? slice_trim(slice_head(s, 16)).p[0] : 0;
    if ((c != '{' && c != '[') || (slice_find(s, SLICE("oken")) == SIZE_MAX &&
                                   slice_find(s, SLICE("usage")) == SIZE_MAX &&
                                   slice_find(s, SLICE("object")) == SIZE_MAX))
        return;
    if (escaped)
        s = unescape(t, s);
    if (s.n == 0)
        return;
    struct text inner = begin(t->x, s, t->frame, t->level + 1);
    size_t before = t->x->frames;
    if (!walk(&inner))
        t->x->frames = before; /* not JSON after all: text, which is not looked at */
    stand_in(t, t->frame);
}

/* The eight bytes from p on, zeros behind the end; false in a text that is shorter. */
static inline bool eight(const struct text *t, const char *p, uint64_t *v)
{
    size_t room = (size_t)(t->end - p);
    if (t->end - t->first < 8)
        return false;
    memcpy(v, room < 8 ? t->end - 8 : p, 8);
    if (room < 8)
        *v >>= 8 * (8 - room);
    return true;
}

/*
 * The common number: up to 7 digits from p on, which is not the end, and then the next
 * value or an end. Returns behind it, or NULL. All digits at once, as no predictor
 * guesses how many there are.
 */
INLINE const char *integer(struct text *t, const char *p, const struct raw_key *k)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v, digits;
    if (!eight(t, p, &v))
        return NULL;
    digits = v ^ ones * '0';
    uint64_t other = ((digits + ones * 0x76) | digits) & ones << 7; /* no digit there */
    unsigned n = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
    if (n == 0 || n == 8 || (n > 1 && *p == '0'))
        return NULL;
    char after = (char)(v >> 8 * n);
    if (after != ',' && after != '}' && after != ']')
        return NULL;
    digits <<= 64 - 8 * n; /* leading zeros; then pairs, fours, all */
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits * 10000 + (digits >> 32)) & UINT32_MAX;
    if (k->action == A_NUM)
        raw_count(t->raw, k, digits);
    else if (!raw_integer(t->raw, k, digits))
        return NULL;
    return p + n;
}

/* The inside of a string that a row wants. */
static void said(struct text *t, const struct raw_key *k, struct slice s, bool escaped)
{
    if (k->action == A_NEST) {
        nested(t, s, escaped);
        return;
    }
    if (escaped && k->action != A_TEXT_OUT)
        s = unescape(t, s);
    raw_scalar(t->raw, k, JSON_STRING, s);
}

static bool scalar(struct text *t, const struct raw_key *k)
{
    struct slice s;
    bool escaped;
    if (*t->p == '"') {
        if (!string(t, &s, &escaped))
            return false;
        if (t->raw && (k->action != A_NONE || k->see))
            said(t, k, s, escaped);
        return true;
    }
    const char *behind = t->raw ? integer(t, t->p, k) : NULL;
    if (behind) {
        t->p = behind;
        return true;
    }
    enum json_type type = bare(t, &s);
    if (type == JSON_BAD)
        return bad(t, "a value was expected");
    if (t->raw)
        raw_scalar(t->raw, k, type, s);
    return true;
}

struct level {
    uint8_t context;
    bool object;
};

/* Opens the container at t->p as level `depth`, or passes over it. */
static bool container(struct text *t, const struct raw_key *k, struct level *stack,
                      unsigned *depth)
{
    bool object = *t->p == '{';
    unsigned sub = k->sub;
    if (t->raw && (k->see || sub == C_PASS))
        raw_enter(t->raw, k, object ? JSON_OBJECT : JSON_ARRAY);
    else if (t->raw && (sub == C_IN_MODES || sub == C_OUT_MODES || sub == C_CACHE_MODES ||
                        sub == C_TTL))
        raw_enter(t->raw, k, JSON_OBJECT);
    if (sub == C_SKIP || *depth == ENGINE_DEPTH)
        return pass_container(t);
    if (sub == C_ENV && object && !frame_open(t))
        return false;
    t->p++;
    stack[(*depth)++] = (struct level){ (uint8_t)sub, object };
    return true;
}

static void leave(struct text *t, struct level l)
{
    if (l.context == C_ENV && l.object)
        frame_close(t);
    else if (t->raw && l.object)
        raw_leave(t->raw, l.context, true);
}

/* At a key: up to its value. All since `from` is learned as what leads there. */
static bool key(struct text *t, unsigned state, const char *from, struct level l,
                const struct raw_key **k)
{
    struct slice name;
    bool escaped;
    if (t->p == t->end || *t->p != '"')
        return bad(t, "a key was expected");
    if (!string(t, &name, &escaped))
        return false;
    space(t);
    if (t->p == t->end || *t->p != ':')
        return bad(t, "':' was expected");
    t->p++;
    space(t);
    struct slice plain = escaped ? unescape(t, name) : name;
    if (!plain.n)
        plain = name;
    *k = raw_find(&t->x->table, (enum raw_context)l.context, plain,
                  escaped ? plain.n + 1 : (size_t)(t->end - name.p));
    bool quote = t->p < t->end && *t->p == '"';
    t->set = guess_learn(&t->x->guesses, t->set, state,
                         slice_of(from, (size_t)(t->p - from) + quote), name, *k);
    return true;
}

/* From behind a value, or an opening bracket, to the next value, which means *k; or over
 * the closing bracket: *k is NULL. */
static bool step(struct text *t, struct level l, bool first, const struct raw_key **k)
{
    const char *from = t->p;
    space(t);
    *k = NULL;
    if (t->p == t->end)
        return bad(t, "the text ends inside a value");
    if (*t->p == (l.object ? '}' : ']')) {
        t->p++;
        return true;
    }
    if (!first) {
        if (*t->p != ',')
            return bad(t, "',' or a closing bracket was expected");
        t->p++;
        space(t);
    }
    if (l.object)
        return key(t, guess_state((enum raw_context)l.context, first), from, l, k);
    *k = raw_element((enum raw_context)l.context);
    return true;
}

/* Members of an object, as long as each is what was guessed; *k is set when the value of
 * the last one is an object or array, still unread. */
static bool members(struct text *t, struct level l, bool *first, const struct raw_key **k)
{
    unsigned state = guess_state((enum raw_context)l.context, *first);
    const char *p = t->p;
    struct guess *set = t->set;
    const struct guess *g;
    assert(t->raw); /* objects stand in a frame */
    while ((g = guess_find(set, state, p, (size_t)(t->end - p)))) {
        p += g->n;
        set = g->next;
        state = guess_state((enum raw_context)l.context, *first = false);
        if (g->value != GUESS_ANY) {
            bool escaped;
            const char *close = quotes_close(p, t->end, &escaped);
            if (!close)
                return bad(t, "a string does not end");
            struct slice s = slice_of(p, (size_t)(close - p));
            if (g->value == GUESS_NAME && s.n && !escaped)
                raw_name(t->raw, g->key, s);
            else if (g->value != GUESS_PASSED)
                said(t, g->key, s, escaped);
            p = close + 1;
            continue;
        }
        const char *behind = p < t->end ? integer(t, p, g->key) : NULL;
        if (behind) {
            p = behind;
            continue;
        }
        t->p = p;
        space(t); /* this line may have more of it before the value */
        if (t->p == t->end)
            return bad(t, "the text ends inside a value");
        bool opens = *t->p == '{' || *t->p == '[';
        if (!opens && !scalar(t, g->key))
            return false;
        p = t->p;
        if (opens) {
            *k = g->key;
            break;
        }
    }
    t->p = p;
    t->set = set;
    return true;
}

/* One document, objects of which are frames; t->p ends behind it. */
static bool walk(struct text *t)
{
    struct level stack[ENGINE_DEPTH];
    unsigned depth = 0;
    space(t);
    if (t->p == t->end || (*t->p != '{' && *t->p != '['))
        return bad(t, "not an object or array");
    if (!container(t, raw_element(C_ENV), stack, &depth))
        return false;
    for (bool first = true; depth;) {
        struct level l = stack[depth - 1];
        const struct raw_key *k = NULL;
        if (l.object && !members(t, l, &first, &k))
            return false;
        if (!k && !step(t, l, first, &k))
            return false;
        first = false;
        if (!k) {
            leave(t, l);
            depth--;
            continue;
        }
        if (t->p == t->end)
            return bad(t, "the text ends inside a value");
        if (*t->p == '{' || *t->p == '[') {
            unsigned before = depth;
            if (!container(t, k, stack, &depth))
                return false;
            first = depth > before;
        } else if (!scalar(t, k)) {
            return false;
        }
    }
    return true;
}

/* --- the door -------------------------------------------------------------------------
 */

/* A record without a body is still a request if it names method, path and API. */
static bool bodiless(const struct raw *r)
{
    return raw_str(r, S_METHOD).n && raw_str(r, S_PATH).n;
}

static unsigned depth_of(const struct extract *x, const struct frame *f)
{
    unsigned n = 0;
    for (; f->parent >= 0; f = &x->frame[f->parent])
        n++;
    return n;
}

/*
 * A call of the same record that was said already: LangChain logs a result's counts
 * beside its messages and once more in them. Peers in a list stand at one depth.
 */
struct said {
    uint64_t v[USAGE_CLASSES];
    bool named;
    unsigned depth;
};

static bool echo(struct said *said, size_t n, unsigned depth, const struct usage *u)
{
    bool named = u->response_id.n > 0;
    if (n && said->depth != depth && !(named && said->named) && usage_total(u) &&
        !memcmp(said->v, u->v, sizeof said->v))
        return true;
    memcpy(said->v, u->v, sizeof said->v);
    said->named = named;
    said->depth = depth;
    return false;
}

size_t extract_record(struct extract *x, struct slice json,
                      const struct extract_hint *hint, usage_fn *emit, void *arg,
                      const char **why)
{
    struct text t = begin(x, json, -1, 0);
    struct said said; /* once n > 0 */
    size_t n = 0, calls = 0;
    *why = NULL;
    x->frames = 0;
    if (x->arena.used)
        arena_reset(&x->arena);
    if (walk(&t)) {
        space(&t);
        if (t.p != t.end)
            bad(&t, "text after the document");
    }
    if (t.why) {
        *why = t.why;
        return 0;
    }
    for (size_t i = 0; i < x->frames; i++)
        calls += x->frame[i].call && !x->frame[i].part;
    for (size_t i = 0; i < x->frames; i++) {
        struct frame *f = &x->frame[i];
        struct usage u;
        bool wanted = f->call ? !f->part : !calls && f->parent < 0 && bodiless(&f->raw);
        if (!wanted || !record_judge(x, &f->raw, hint, &u) ||
            (calls > 1 && echo(&said, n, depth_of(x, f), &u)))
            continue;
        const struct raw *outer = f->parent < 0 ? NULL : &x->frame[f->parent].raw;
        if (hint->begun &&
            (f->raw.have_str | (outer ? outer->have_str : 0)) >> S_TYPE & 1)
            record_stream(hint->begun, outer, &f->raw, &u);
        n += judge_emit(&f->raw, &u, emit, arg);
    }
    return n;
}

void extract_rest(struct extract *x)
{
    free(x->frame);
    x->frame = NULL;
    x->frames = x->frames_cap = 0;
    arena_release(&x->arena);
    memset(&x->guesses, 0, sizeof x->guesses);
}
