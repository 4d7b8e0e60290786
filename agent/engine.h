/*
 * Inside of struct extract: what its two doors, record.c and extract.c, share. Not an
 * interface; include agent/extract.h instead.
 */
#ifndef BREAKEVEN_ENGINE_H
#define BREAKEVEN_ENGINE_H

#include "agent/estimate.h"
#include "agent/extract.h"
#include "agent/guess.h"
#include "agent/provider.h"
#include "agent/raw.h"
#include "common/arena.h"
#include "common/instant.h"

enum {
    ENGINE_SPELLINGS = 8,   /* of providers, remembered */
    ENGINE_FRAMES = 4096,   /* most objects of a record that are calls */
    ENGINE_DEPTH = 64,      /* deeper objects of a record are passed over */
    ENGINE_NEST = 3,        /* JSON in a string in a string in a string */
    ENGINE_ARENA = 1 << 24, /* unescaped text of one record */
};

/* An object of a log record: what it says itself and what stands around it. */
struct frame {
    struct raw raw;
    int parent;          /* index, -1 at the top */
    bool call;           /* it is, or holds, a provider's body */
    bool part;           /* belongs to a body that was already found: not judged */
    unsigned char level; /* of JSON inside strings */
};

struct exchange;
struct park;
struct parked;

struct extract {
    struct raw_table table;
    struct arena arena;  /* of the record at hand */
    struct frame *frame; /* of the record at hand */
    size_t frames, frames_cap;
    struct exchange *exchange; /* the one held: own, or that of `held` */
    struct exchange *own;
    struct park *park;
    struct parked *held;
    struct estimate estimate; /* learns from every exchange that reports */
    char model[RAW_TEXT];     /* model of a path, decoded */
    char span[RAW_TEXT]; /* trace, span and second of a record that has no other id */
    struct spelling {    /* providers of records, as spelled and as named */
        const char *name;
        char text[32];
        size_t n;
    } spelling[ENGINE_SPELLINGS];
    struct instant_memo minute; /* of the record before */
    struct guesses guesses;     /* of the records before */
};

/* Surface and accounting of a body whose request is unknown, from its shape. */
struct shape {
    const char *surface; /* "" if nothing is known */
    enum accounting accounting;
    bool judged; /* the shape alone says that this is a provider's body */
};

struct shape shape_of(const struct raw *r);

/*
 * Accounting and outcome of a reply: the row's class, corrected by status, error, state
 * and usage. Shared by both doors. `streamed`: the reply came as events after a 200.
 */
void judge_outcome(const struct raw *r, const struct provider_hit *hit, bool has_usage,
                   bool streamed, struct usage *u);

/*
 * The id of a reply if it names the call, so that repeats of it can be told by it; empty
 * for surfaces and errors whose ids name something else.
 */
struct slice judge_id(const char *surface, uint16_t status, bool streamed,
                      struct slice id);

/* Is it a file or list of a batch's results? */
bool judge_is_batch(const char *surface);

/*
 * The sums of a batch's results leave nothing unknown: what no line said is zero.
 * Gemini's lists apart: they have no more than their elements.
 */
void judge_batch_line(const char *surface, struct usage *u);

/* Is it billed by tokens, so that they can be estimated where a reply has none? */
bool judge_by_tokens(const char *surface);

/* Has the reply the usage that a row of provider.def with if_shaped asks for? */
bool judge_shaped(const char *surface, const struct raw *r);

/*
 * Tier and region as prices know them: `said` by the reply, else by the request; Vertex's
 * traffic types in the words of the others, Anthropic's speed and place among them.
 */
struct slice judge_tier(const struct raw *r, struct slice said);
struct slice judge_region(const struct raw *r, const struct provider_hit *hit);

/* Are they one name? Most names differ at once. */
static inline bool judge_same(const char *a, const char *b)
{
    return *a == *b && !strcmp(a, b);
}

/* Does the surface name a model at all, in a reply and in a path? */
bool judge_names_model(const char *surface);

/*
 * Judge a frame of a record; false if it is no LLM call at all. Slices of `u` live as
 * long as the record.
 */
bool record_judge(struct extract *x, const struct raw *r, const struct extract_hint *hint,
                  struct usage *u);

/*
 * Anthropic's stream in a debug log: the event that ends it has the final numbers, but
 * only the one that began it the id. `outer`: the object around r, or NULL.
 */
void record_stream(struct extract_begun *b, const struct raw *outer, const struct raw *r,
                   struct usage *u);

/* Emit a call, then the passes of it that are charged besides; returns how many. */
size_t judge_emit(const struct raw *r, struct usage *u, usage_fn *emit, void *arg);

/* A provider's name from a model's, for records that name none; "" if not telling. */
const char *provider_of_model(struct slice model);

#endif
