/*
 * What a provider's JSON said, before anybody interprets it: one slot per number and name
 * that matters, filled by a walk over the text, and the table that says which key of
 * which object goes where (keys.def). Last non-null value wins, so the running totals of
 * a stream overwrite each other. Fed by walk (bodies in pieces) and record (whole lines),
 * read by normalise.
 *
 * Refuses: prompt and answer text. A key that the table does not name is never looked at;
 * text is only measured.
 */
#ifndef BREAKEVEN_RAW_H
#define BREAKEVEN_RAW_H

#include "common/json.h"
#include "common/usage.h"

/* Numbers. Names follow the provider's spelling; usage-formats 5.2 says what they mean.
 */
enum raw_num {
    /* OpenAI and kin */
    N_PROMPT,
    N_COMPLETION,
    N_TOTAL,
    N_INPUT,
    N_OUTPUT,     /* of a request: the limit */
    N_CACHED,     /* *_tokens_details.cached_tokens */
    N_CACHED_TOP, /* usage.cached_tokens, num_cached_tokens */
    N_HIT,
    N_MISS,
    N_WRITE,   /* details.cache_write_tokens, cache_creation_tokens */
    N_READ,    /* cache_read_input_tokens */
    N_CREATED, /* cache_creation_input_tokens */
    N_5M,
    N_1H,
    N_REASONING,     /* *_tokens_details.reasoning_tokens; of a request: the limit */
    N_REASONING_TOP, /* usage.reasoning_tokens */
    N_TEXT_IN,
    N_AUDIO_IN,
    N_IMAGE_IN,
    N_VIDEO_IN,
    N_AUDIO_CACHED,
    N_AUDIO_OUT,
    N_IMAGE_OUT,
    N_AUDIO_MS,
    N_WEB_SEARCHES,
    N_WEB_FETCHES,
    N_CONNECTOR, /* what Mistral's connectors fed back */
    /* Gemini */
    N_G_PROMPT,
    N_G_CANDIDATES,
    N_G_THOUGHTS,
    N_G_CACHED,
    N_G_TOOL,
    N_G_TOTAL,
    N_G_QUERIES,
    /* Gemini Interactions */
    N_I_INPUT,
    N_I_CACHED,
    N_I_OUTPUT,
    N_I_THOUGHT,
    N_I_TOOL,
    /* Bedrock Converse; AI SDK */
    N_B_INPUT,
    N_B_OUTPUT,
    N_B_TOTAL,
    N_B_READ,
    N_B_WRITE,
    N_B_5M,
    N_B_1H,
    N_A_CACHED,
    N_A_REASONING,
    /* Bedrock headers and invocationMetrics */
    N_M_INPUT,
    N_M_OUTPUT,
    N_M_READ,
    N_M_WRITE,
    N_T_IN, /* TGI: details, or headers */
    N_T_OUT,
    /* Cohere */
    N_C_INPUT,
    N_C_OUTPUT,
    N_C_IMAGE_TOKENS,
    N_C_SEARCHES,
    N_C_CLASSES,
    N_C_IMAGES,
    N_C_REASONING,
    /* servers of one's own, older APIs */
    N_O_PROMPT, /* Ollama */
    N_O_EVAL,
    N_O_CACHED,
    N_L_EVALUATED, /* llama.cpp */
    N_L_PREDICTED,
    N_L_CACHED,
    N_X_IN, /* any other pair of counts */
    N_X_OUT,
    N_X_OUT_LAST, /* a running total beside per-item counts */
    N_PAGES,
    N_CHARACTERS,
    N_COST,  /* pico-dollars */
    N_TICKS, /* 1e-10 USD */
    N_COST_UPSTREAM,
    N_DURATION_MS, /* of a recording */
    /* around a body in a log */
    N_STATUS,
    N_LATENCY_US,
    RAW_NUMS,
};

enum raw_str {
    S_ID,
    S_MODEL,
    S_OBJECT,
    S_TYPE,
    S_STATE,
    S_TIER,
    S_FINISH, /* of a request: its effort to reason */
    S_ROUTED, /* who really served a gateway's call */
    S_SPEED,  /* Anthropic: fast, standard; where it ran */
    S_GEO,
    /* around a body in a log */
    S_TIME,    /* when it was logged, or ended */
    S_CREATED, /* when it began: second choice */
    S_PROVIDER,
    S_MODEL_REQUEST,
    S_APP,
    S_ENVIRONMENT,
    S_REQUEST_ID,
    S_METHOD,
    S_PATH,
    S_HOST,
    S_STATUS_TEXT,
    S_TRACE,
    S_SPAN,
    RAW_STRS,
};

/* Things seen; each stands for a shape, none for a number. */
enum raw_flag {
    F_USAGE = 1 << 0,      /* a usage object with at least one known counter */
    F_ERROR = 1 << 1,      /* a non-null error object or string */
    F_DONE = 1 << 2,       /* Ollama's done, llama.cpp's stop */
    F_CANDIDATES = 1 << 3, /* Gemini's answer */
    F_BLOCKED = 1 << 4,    /* promptFeedback.blockReason */
    F_CHOICES = 1 << 5,
    F_MODELS = 1 << 6,    /* a list of models */
    F_EMBEDDING = 1 << 7, /* embedding(s) */
    F_DURATION = 1 << 8,  /* usage of type duration */
    F_SYNTHETIC = 1 << 9, /* an entry that no provider answered */
    F_FLAT = 1 << 10,     /* counters outside a usage object */
    F_CONTENT = 1 << 11,  /* generated content of any kind */
    F_BACKGROUND = 1 << 12,
    F_STREAM = 1 << 13,
    F_DATA = 1 << 14, /* OpenAI's data array */
    F_FEEDBACK = 1 << 15,
    F_AI_SDK = 1 << 16, /* cachedInputTokens and kin: inclusive counts */
    F_NATIVE_CACHE = 1 << 17,
    F_TOOLS = 1 << 18,     /* a tool is called */
    F_DELTA = 1 << 19,     /* a choice with a delta */
    F_WHOLE = 1 << 20,     /* a choice with a whole text or message */
    F_BAD_COUNT = 1 << 21, /* a counter that is no count: negative, broken, beyond 2^48 */
    F_BYOK = 1 << 22,      /* the cost is a gateway's fee: the provider bills the rest */
    F_PAGES = 1 << 23,     /* pages were read */
    F_BATCH = 1 << 24,     /* a line of a batch's results */
    F_META_INFO = 1 << 25, /* SGLang */
    F_CUSTOM_ID = 1 << 26, /* what may be such a line */
    F_KEY = 1 << 27,
    F_GOES_ON = 1 << 28, /* an event of a stream that has more to come */
};

/* A pass of a server-side loop: entry of usage.iterations. */
struct raw_pass {
    struct slice type, model;
    uint64_t v[6]; /* input, output, read, created, 5m, 1h: enum raw_pass_num */
    uint8_t have;
};

enum raw_pass_num { P_INPUT, P_OUTPUT, P_READ, P_CREATED, P_5M, P_1H };

enum {
    RAW_PASSES = 8,
    RAW_TEXT = 320, /* longest name that is kept: an ARN fits */
};

struct raw {
    uint64_t have[2];
    uint64_t num[RAW_NUMS];
    uint32_t have_str;
    uint32_t flags;
    struct slice str[RAW_STRS];
    uint64_t text_out, text_in; /* bytes of generated and of sent text */
    uint32_t pieces;            /* of generated text: deltas of a stream */
    uint32_t items;             /* entries of data[], images and the like */
    uint32_t searches,
        browsed; /* web_search_call items of output[]; no searches of them */
    uint8_t passes;
    struct raw_pass pass[RAW_PASSES];
    /* an entry of a list under construction */
    char modality; /* its first letter or digit, 0 none */
    uint64_t modality_tokens;
};

static inline bool raw_has(const struct raw *r, enum raw_num n)
{
    return r->have[n / 64] >> (n % 64) & 1;
}

static inline uint64_t raw_get(const struct raw *r, enum raw_num n)
{
    return raw_has(r, n) ? r->num[n] : 0;
}

static inline void raw_set(struct raw *r, enum raw_num n, uint64_t v)
{
    r->num[n] = v;
    r->have[n / 64] |= (uint64_t)1 << (n % 64);
}

static inline void raw_clear(struct raw *r, enum raw_num n)
{
    r->have[n / 64] &= ~((uint64_t)1 << (n % 64));
}

static inline struct slice raw_str(const struct raw *r, enum raw_str s)
{
    return r->have_str >> s & 1 ? r->str[s] : (struct slice){ NULL, 0 };
}

static inline void raw_str_set(struct raw *r, enum raw_str s, struct slice v)
{
    r->str[s] = v;
    r->have_str |= (uint32_t)1 << s;
}

/* A relay's zero between running totals does not undo a number (usage-formats 4.13). */
static inline void raw_put(struct raw *r, enum raw_num n, uint64_t v)
{
    if (v || !raw_has(r, n))
        raw_set(r, n, v);
}

/* Nothing said yet. Cheap: only the marks are cleared. */
void raw_reset(struct raw *r);

/* --- the table of keys ----------------------------------------------------------------
 */

/* Where in a document the walk stands; keys.def lists what each object may hold. */
enum raw_context {
    C_SKIP, /* passed over */
#define CONTEXT(name) C_##name,
#include "agent/keys.def"
    RAW_CONTEXTS,
};

enum raw_action {
    A_NONE,
    A_NUM,      /* a count into slot `arg` */
    A_ADD,      /* added to the slot within one document */
    A_STR,      /* a name into slot `arg` */
    A_STR_ELSE, /* the same, unless a better name stands there */
    A_COST,     /* USD as a decimal, into slot `arg` as pico-dollars */
    A_SECONDS,  /* decimal seconds into a slot of milliseconds */
    A_MS,       /* decimal milliseconds into a slot of microseconds */
    A_TEXT_OUT, /* measured, never read */
    A_TEXT_IN,
    A_FLAG,     /* bit `arg` of flags, unless false or null */
    A_PASS_NUM, /* into the pass at hand */
    A_PASS_STR,
    A_MODALITY,
    A_MODALITY_TOKENS,
    A_NEST,    /* a string that may hold JSON (records only) */
    A_STATUS,  /* a number is the HTTP status, a string a state */
    A_ITEM,    /* type of an output item */
    A_COUNTER, /* like A_NUM, for a counter that stands outside a usage object */
    A_TIME,    /* a time, number or text, kept as written */
    A_LATENCY, /* seconds or milliseconds, by its look */
    A_STOP,    /* like A_FLAG; false raises F_GOES_ON */
};

struct raw_key {
    const char *name;
    uint8_t n;       /* its length */
    uint8_t context; /* enum raw_context of the object that holds it */
    uint8_t action;  /* for a scalar value */
    uint8_t arg;
    uint8_t sub;  /* context of an object or array value; C_SKIP passes over it */
    uint32_t see; /* flags raised when the value is not null */
};

enum { RAW_SLOTS = 2048, RAW_ROWS = 768 };

/* The first 16 bytes of a name. */
struct raw_words {
    uint64_t head, tail;
};

/* The compiled table: a hash of (context, name). Made once per engine, then constant. */
struct raw_table {
    struct {
        uint16_t row; /* index + 1, 0 empty */
        uint16_t tag; /* more bits of the hash: a stranger stops here */
    } slot[RAW_SLOTS];
    struct raw_words words[RAW_ROWS]; /* of each row's name */
};

void raw_table_init(struct raw_table *t);

/*
 * The row of `name` inside an object of `context`, or the context's row for unknown keys.
 * Never NULL. `room` bytes can be read from name.p on (at least name.n; 16 are faster).
 */
const struct raw_key *raw_find(const struct raw_table *t, enum raw_context context,
                               struct slice name, size_t room);

/*
 * The first 16 bytes of a name as two words, padded with zeros; `room` bytes can be read.
 * Without a branch on the length, which no predictor would guess.
 */
static inline struct raw_words raw_words_of(struct slice name, size_t room)
{
    static const uint64_t mask[17][2] = {
#define MASK(n) (UINT64_MAX >> (64 - 8 * (n)))
        { 0, 0 },
        { MASK(1), 0 },
        { MASK(2), 0 },
        { MASK(3), 0 },
        { MASK(4), 0 },
        { MASK(5), 0 },
        { MASK(6), 0 },
        { MASK(7), 0 },
        { MASK(8), 0 },
        { MASK(8), MASK(1) },
        { MASK(8), MASK(2) },
        { MASK(8), MASK(3) },
        { MASK(8), MASK(4) },
        { MASK(8), MASK(5) },
        { MASK(8), MASK(6) },
        { MASK(8), MASK(7) },
        { MASK(8), MASK(8) },
#undef MASK
    };
    size_t n = name.n < 16 ? name.n : 16;
    uint64_t w[2] = { 0, 0 };
    if (room >= 16)
        memcpy(w, name.p, 16);
    else if (n)
        memcpy(w, name.p, n);
    return (struct raw_words){ w[0] & mask[n][0], w[1] & mask[n][1] };
}

/* The row that an unnamed value gets: an element of an array of `context`. */
const struct raw_key *raw_element(enum raw_context context);

/*
 * Store a scalar value by its row. `text` as json_next gives it, `bytes` its length in
 * the document (for measured text). A string is borrowed: the caller makes it last.
 * True if the text went into a name slot: the caller may want to copy it.
 */
bool raw_scalar(struct raw *r, const struct raw_key *k, enum json_type type,
                struct slice text);

/* The same for text that is not empty and a row of A_STR or A_TIME. */
static inline void raw_name(struct raw *r, const struct raw_key *k, struct slice text)
{
    r->flags |= k->see;
    raw_str_set(r, k->arg, text);
}

/* The same for a count and a row of A_NUM. */
static inline void raw_count(struct raw *r, const struct raw_key *k, uint64_t v)
{
    r->flags |= k->see;
    raw_put(r, k->arg, v);
}

/*
 * The same for an integer below 2^40 that has been read already. False, and nothing done,
 * for rows that want its text.
 */
bool raw_integer(struct raw *r, const struct raw_key *k, uint64_t v);

/* An object or array value begins, or ends, in the context `k->sub`. */
void raw_enter(struct raw *r, const struct raw_key *k, enum json_type type);
void raw_leave(struct raw *r, enum raw_context context, bool object);

#endif
