/*
 * Which key comes next. The lines of a log are written by the same few statements, so the
 * bytes between two values (`,"model":`) repeat from line to line: a guess holds such a
 * text with what it was found to mean, and where it stands again, nothing has to be
 * parsed or looked up. Speculation as in Mison (Li et al., VLDB 2017), by pairs of keys:
 * what may follow a key is a set, addressed by that key. Owned by extract, used by
 * record.
 *
 * A guess only saves work: it is used where all of its bytes stand in the same context,
 * so what was read before never changes what is read.
 */
#ifndef BREAKEVEN_GUESS_H
#define BREAKEVEN_GUESS_H

#include "agent/bytes.h"
#include "agent/raw.h"

enum { GUESS_SETS = 256, GUESS_WAYS = 2 };

/* What follows the text of a guess. */
enum guess_value {
    GUESS_ANY,    /* no string, or it was not seen */
    GUESS_PASSED, /* the inside of a string that nobody wants */
    GUESS_NAME,   /* the inside of a string that names something: raw_name */
    GUESS_STRING, /* the inside of any other */
};

struct guess {
    char text[BYTES_SAME]; /* from behind a value, or '{', into the next value */
    const struct raw_key *key;
    struct guess *next; /* the set of what follows */
    uint16_t state;     /* where it may stand; 0: nowhere */
    uint8_t n;          /* of text */
    uint8_t value;      /* enum guess_value: the text ends with the string's quote */
};

struct guesses {
    struct guess set[GUESS_SETS][GUESS_WAYS];
};

/* Inside an object of `context`, before its first member or not. */
static inline unsigned guess_state(enum raw_context context, bool first)
{
    return (unsigned)context << 1 | first;
}

/* The guess of the set that is right at p (`room` bytes readable), or NULL. */
static inline const struct guess *guess_find(const struct guess *set, unsigned state,
                                             const char *p, size_t room)
{
    for (unsigned way = 0; way < GUESS_WAYS; way++)
        if (set[way].state == state && bytes_same(p, room, set[way].text, set[way].n))
            return &set[way];
    return NULL;
}

/*
 * `text` stood there, it names the member `name` of meaning `key`, whose value is a
 * string if it ends with a quote; the older guess of the set is forgotten for it (a long
 * text is not kept). Returns the set of what follows.
 */
struct guess *guess_learn(struct guesses *g, struct guess *set, unsigned state,
                          struct slice text, struct slice name,
                          const struct raw_key *key);

#endif
