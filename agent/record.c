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

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct text {
    struct extract *x;
    const char *p, *end;
    const char *why;            /* set when the text is not JSON */
    int frame;                  /* the object at hand */
    unsigned level;             /* of JSON inside strings */
    unsigned keys;              /* read so far */
    const struct raw_key *last; /* of them */
};

/* --- bytes ----------------------------------------------------------------------------
 */

/* First '"' or '\\' at or after p. */
static inline const char *quote_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    for (; end - p >= 32; p += 32) { /* most strings end in the first round */
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 16));
        a = _mm_or_si128(_mm_cmpeq_epi8(a, quote), _mm_cmpeq_epi8(a, slash));
        b = _mm_or_si128(_mm_cmpeq_epi8(b, quote), _mm_cmpeq_epi8(b, slash));
        unsigned mask = (unsigned)_mm_movemask_epi8(a) | (unsigned)_mm_movemask_epi8(b)
                                                             << 16;
        if (mask)
            return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* First quote or bracket at or after p: what a passed-over value turns on. */
static const char *bracket_stop(const char *p, const char *end)
{
#ifdef __SSE2__
    /* '[' and '{', ']' and '}' differ in one bit */
    const __m128i quote = _mm_set1_epi8('"'), open = _mm_set1_epi8('{'),
                  shut = _mm_set1_epi8('}'), bit = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i up = _mm_or_si128(v, bit);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(up, open), _mm_cmpeq_epi8(up, shut));
        int mask = _mm_movemask_epi8(_mm_or_si128(hit, _mm_cmpeq_epi8(v, quote)));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
#endif
    while (p < end && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}')
        p++;
    return p;
}

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
__attribute__((always_inline)) static inline bool string(struct text *t, struct slice *s,
                                                         bool *escaped)
{
    const char *first = ++t->p, *p = quote_stop(first, t->end);
    *escaped = false;
    while (p < t->end && *p == '\\') {
        *escaped = true;
        p = p + 2 <= t->end ? quote_stop(p + 2, t->end) : t->end;
    }
    if (p >= t->end)
        return bad(t, "a string does not end");
    *s = slice_of(first, (size_t)(p - first));
    t->p = p + 1;
    return true;
}

/* At an opening bracket: behind the one that closes it. */
static bool pass_container(struct text *t)
{
    size_t depth = 0;
    for (const char *p = t->p; (p = bracket_stop(p, t->end)) < t->end;) {
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
    t->frame = (int)x->frames++;
    return true;
}

/* Counters outside a usage object count as a call only beside a name or an output. */
static bool flat_call(const struct raw *r)
{
    if (!normalise_has_usage(r))
        return false;
    if (raw_has(r, N_COMPLETION) || raw_has(r, N_OUTPUT) || raw_has(r, N_O_EVAL) ||
        raw_has(r, N_G_CANDIDATES) || raw_has(r, N_L_PREDICTED) ||
        raw_has(r, N_X_OUT_LAST) || raw_has(r, N_O_PROMPT))
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
    to->flags |= from->flags & (F_SYNTHETIC | F_BATCH);
}

/* An object ends: it is a body, or it surrounds some, or it is forgotten. */
static void frame_close(struct text *t)
{
    struct extract *x = t->x;
    size_t at = (size_t)t->frame;
    struct frame *f = &x->frame[at];
    bool native = f->raw.flags & (F_USAGE | F_DURATION | F_PAGES);
    bool counts = native || flat_call(&f->raw), inside = false;
    t->frame = f->parent;
    for (size_t i = at + 1; i < x->frames; i++) {
        struct frame *in = &x->frame[i];
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
    if (f->parent >= 0) /* a reply that is nothing but an error */
        x->frame[f->parent].raw.flags |= f->raw.flags & F_ERROR;
    if (at + 1 == x->frames)
        x->frames--;
}

/* --- the walk -------------------------------------------------------------------------
 */

static bool walk(struct text *t);

/* A string that may hold a JSON document: walked as if it stood there unquoted. */
static void nested(struct text *t, struct slice s, bool escaped)
{
    if (t->level == ENGINE_NEST || s.n < 12)
        return;
    char c = slice_trim(slice_head(s, 16)).n ? slice_trim(slice_head(s, 16)).p[0] : 0;
    if ((c != '{' && c != '[') || (slice_find(s, SLICE("okens")) == SIZE_MAX &&
                                   slice_find(s, SLICE("usage")) == SIZE_MAX &&
                                   slice_find(s, SLICE("Token")) == SIZE_MAX &&
                                   slice_find(s, SLICE("object")) == SIZE_MAX))
        return;
    if (escaped)
        s = unescape(t, s);
    if (s.n == 0)
        return;
    struct text inner = {
        .x = t->x, .p = s.p, .end = s.p + s.n, .frame = t->frame, .level = t->level + 1
    };
    size_t before = t->x->frames;
    if (!walk(&inner))
        t->x->frames = before; /* not JSON after all: text, which is not looked at */
}

/*
 * The common number: up to 7 digits and then the next value or an end. All digits at
 * once, as no predictor guesses how many there are.
 */
static bool integer(struct text *t, const struct raw_key *k)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v;
    if (t->end - t->p < 8)
        return false;
    memcpy(&v, t->p, 8);
    v ^= ones * '0';
    uint64_t other = ((v + ones * 0x76) | v) & ones << 7; /* bytes that are no digit */
    unsigned n = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
    if (n == 0 || n == 8 || (n > 1 && *t->p == '0'))
        return false;
    char after = t->p[n];
    if (after != ',' && after != '}' && after != ']')
        return false;
    v <<= 64 - 8 * n; /* leading zeros; then pairs, fours, all */
    v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
    v = (v * 10000 + (v >> 32)) & UINT32_MAX;
    if (!raw_integer(&t->x->frame[t->frame].raw, k, v))
        return false;
    t->p += n;
    return true;
}

static bool scalar(struct text *t, const struct raw_key *k)
{
    struct raw *r = &t->x->frame[t->frame].raw;
    struct slice s;
    bool escaped = false;
    enum json_type type = JSON_STRING;
    if (*t->p == '"') {
        if (!string(t, &s, &escaped))
            return false;
    } else if (integer(t, k)) {
        return true;
    } else if ((type = bare(t, &s)) == JSON_BAD) {
        return bad(t, "a value was expected");
    }
    if (k->action == A_NONE && !k->see)
        return true;
    if (k->action == A_NEST && type == JSON_STRING) {
        nested(t, s, escaped);
        return true;
    }
    if (escaped && k->action != A_TEXT_OUT)
        s = unescape(t, s);
    raw_scalar(r, k, type, s);
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
    struct raw *r = t->frame >= 0 ? &t->x->frame[t->frame].raw : NULL;
    if (r && (k->see || k->sub == C_PASS))
        raw_enter(r, k, object ? JSON_OBJECT : JSON_ARRAY);
    else if (r && (sub == C_IN_MODES || sub == C_OUT_MODES || sub == C_CACHE_MODES ||
                   sub == C_TTL))
        raw_enter(r, k, JSON_OBJECT);
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
    else if (t->frame >= 0)
        raw_leave(&t->x->frame[t->frame].raw, l.context, l.object);
}

/* Behind the key and its colon. Lines of a log are alike: what followed the last key
 * before is tried. */
static inline bool key(struct text *t, unsigned context, const struct raw_key **k)
{
    size_t at = t->keys++ * 5u + (uintptr_t)t->last / sizeof *t->last;
    struct raw_guess *g = &t->x->guess[at % ENGINE_GUESSES];
    if (t->p == t->end || *t->p != '"')
        return bad(t, "a key was expected");
    if (raw_guessed(g, (enum raw_context)context, t->p + 1,
                    (size_t)(t->end - t->p - 1))) {
        t->p += g->n + 2;
    } else {
        struct slice name;
        bool escaped;
        if (!string(t, &name, &escaped))
            return false;
        raw_learn(&t->x->table, g, (enum raw_context)context, name);
    }
    *k = t->last = g->key;
    if (t->p < t->end && *t->p != ':')
        space(t);
    if (t->p == t->end || *t->p != ':')
        return bad(t, "':' was expected");
    t->p++;
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
        const struct raw_key *k;
        space(t);
        if (t->p == t->end)
            return bad(t, "the text ends inside a value");
        if (*t->p == (l.object ? '}' : ']')) {
            t->p++;
            leave(t, l);
            depth--;
            first = false;
            continue;
        }
        if (!first) {
            if (*t->p != ',')
                return bad(t, "',' or a closing bracket was expected");
            t->p++;
            space(t);
        }
        first = false;
        if (l.object) {
            if (!key(t, l.context, &k))
                return false;
            space(t);
        } else {
            k = raw_element((enum raw_context)l.context);
        }
        if (t->p == t->end)
            return bad(t, "the text ends inside a value");
        if (*t->p == '{' || *t->p == '[') {
            unsigned before = depth;
            if (!container(t, k, stack, &depth))
                return false;
            first = depth > before;
        } else if (t->frame < 0) { /* a scalar beside the objects of a top-level array */
            struct slice s;
            bool escaped;
            if (*t->p == '"' ? !string(t, &s, &escaped) : bare(t, &s) == JSON_BAD)
                return bad(t, "a value was expected");
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

size_t extract_record(struct extract *x, struct slice json,
                      const struct extract_hint *hint, usage_fn *emit, void *arg,
                      const char **why)
{
    struct text t = { .x = x, .p = json.p, .end = json.p + json.n, .frame = -1 };
    size_t n = 0;
    bool calls = false;
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
        calls |= x->frame[i].call && !x->frame[i].part;
    for (size_t i = 0; i < x->frames; i++) {
        struct frame *f = &x->frame[i];
        struct usage u;
        bool wanted = f->call ? !f->part : !calls && f->parent < 0 && bodiless(&f->raw);
        if (!wanted || !record_judge(x, &f->raw, hint, &u))
            continue;
        emit(arg, &u);
        n += 1 + judge_passes(&f->raw, &u, emit, arg);
    }
    return n;
}
