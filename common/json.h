/*
 * Incremental pull scanner for JSON (RFC 8259) and a writer. Fed any split of the input
 * by whoever reads bodies, log lines or batches; constant memory whatever the document's
 * size. It is the core of content-blindness: a value that the caller does not want is
 * passed over with json_skip and never unescaped, copied or held.
 *
 * Refuses: building trees, doubles, comments and other extensions. Strings are not
 * checked for UTF-8; a skipped value is checked for nesting and string ends only.
 */
#ifndef BREAKEVEN_JSON_H
#define BREAKEVEN_JSON_H

#include "common/buf.h"
#include "common/slice.h"

enum json_type {
    JSON_MORE, /* the chunk is used up: json_feed the next or json_finish */
    JSON_END,  /* a whole document (or a whole stream of them) has been read */
    JSON_BAD,  /* outside the grammar or a limit: json_why; stays bad until json_init */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

enum {
    JSON_DEPTH_MAX = 1024,
    JSON_HOLD =
        512, /* longest key, number or string value that survives a cut or escape */
};

/* Several top-level values one after another (NDJSON, concatenated), instead of one. */
enum json_flags { JSON_ONE = 0, JSON_MULTI = 1 };

/* Open for the sake of the stack; touch only what the functions below document. */
struct json {
    const char *at, *end; /* the chunk */
    uint64_t before;      /* bytes of earlier chunks */
    uint64_t string_at;   /* json_offset of the quote of the last string in hold */
    uint64_t skip_end;    /* json_offset behind the last value that was passed over */
    const char *start;
    const char *why;
    unsigned char state, flags, after_string, escape, skipping, finished, in_skip_string;
    bool truncated; /* the last KEY or STRING was longer than JSON_HOLD and lost its tail
                     */
    uint16_t skip_to;
    uint16_t depth;
    uint32_t surrogate;
    uint32_t code;
    uint16_t held;
    uint64_t stack[JSON_DEPTH_MAX / 64]; /* bit set: object, clear: array */
    char hold[JSON_HOLD];
};

void json_init(struct json *j, enum json_flags flags);

/* The next bytes, borrowed until json_next returns JSON_MORE. Only after init or MORE. */
void json_feed(struct json *j, struct slice chunk);
/* No more bytes will come: what is pending ends, in JSON_END or JSON_BAD. */
void json_finish(struct json *j);

/*
 * The next token. *text is set for KEY and STRING (unescaped) and NUMBER (as written); it
 * lives until the next call or the end of the chunk. With JSON_MULTI every top-level
 * value is simply followed by the next; JSON_END comes after json_finish.
 */
enum json_type json_next(struct json *j, struct slice *text);

/*
 * Pass over the value that follows (after a KEY) or the rest of the container just opened
 * (after OBJECT or ARRAY; its END is not reported). The fast path: no byte is kept.
 */
void json_skip(struct json *j);

/*
 * After a KEY whose value is a string wholly inside this chunk: its bytes between the
 * quotes, still escaped, borrowed from the chunk; the value is consumed. False (nothing
 * consumed) for any other value, or when the chunk ends first.
 */
bool json_raw_string(struct json *j, struct slice *raw);

/* Bytes of `text`, the STRING just returned, as written between its quotes. */
uint64_t json_string_bytes(const struct json *j, struct slice text);

/* How deep the scanner stands: 0 at top level, 1 inside the outermost container. */
static inline unsigned json_depth(const struct json *j)
{
    return j->depth;
}

/* Bytes consumed so far, over all chunks. */
uint64_t json_offset(const struct json *j);
/* Reason of JSON_BAD, a constant sentence. */
const char *json_why(const struct json *j);

/* Is the whole text a number by the grammar of JSON? */
bool json_number_valid(struct slice text);

/*
 * A count as providers write them: an integer, a float with zero fraction ("5.0", "1e3").
 * False for negatives, fractions and values above 2^48 (usage-formats: Numbers).
 */
bool json_count(struct slice text, uint64_t *out);

/*
 * A decimal number as written, times 10^scale, rounded half up to an integer: "0.0021"
 * with scale 12 gives pico-units. False for negatives, junk and overflow. No doubles
 * involved.
 */
bool json_decimal(struct slice text, unsigned scale, uint64_t *out);

/*
 * Unescape the inside of a JSON string into `out`; lone surrogates become U+FFFD. False
 * on a bad escape (what came before it is in out). Used for JSON inside a string.
 */
bool json_unescape(struct slice raw, struct buf *out);

/* --- writer: text goes to a buf, whose sticky error is the only error --- */

struct json_out {
    struct buf *b;
    bool comma; /* a value stands before the next one in this container */
};

void json_open(struct json_out *o, char bracket);  /* '{' or '[' */
void json_close(struct json_out *o, char bracket); /* '}' or ']' */
void json_key(struct json_out *o, const char *key);
void json_key_slice(struct json_out *o, struct slice key);
void json_str(struct json_out *o, struct slice s); /* invalid UTF-8 becomes U+FFFD */
void json_u64(struct json_out *o, uint64_t v);
void json_i64(struct json_out *o, int64_t v);
void json_num(struct json_out *o, double v); /* 15 to 17 digits; nan, inf: null */
void json_bool(struct json_out *o, bool v);
void json_null(struct json_out *o);
void json_raw(struct json_out *o, struct slice json); /* text that is JSON already */

#endif
