/*
 * Events of a stream repeat each other: from one token to the next only the text and a
 * count or two change. What one event was found to mean is kept with its fixed parts, and
 * where all of them stand again, nothing has to be parsed: the text between them is
 * measured, the counts are read. Noted by walk, owned by exchange.
 *
 * Only for the event right after the one that is kept (or a repeat of it): to apply the
 * same names, flags and counts twice changes nothing. What adds up (passes, items of a
 * list) and what may hold text that is nobody's business is not kept: such an event is
 * odd, and walked as ever.
 */
#ifndef BREAKEVEN_REPEAT_H
#define BREAKEVEN_REPEAT_H

#include "agent/raw.h"

enum { REPEAT_TEXT = 512, REPEAT_HOLES = 8 };

/* What stands between two fixed parts. */
enum repeat_kind {
    REPEAT_PASSED,   /* the inside of a string that nobody wants */
    REPEAT_MEASURED, /* of generated text: its length counts */
    REPEAT_DIGITS,   /* a number that nobody wants */
    REPEAT_COUNT,    /* a number, by its row */
};

struct repeat_hole {
    struct slice at;
    enum repeat_kind kind;
    const struct raw_key *key; /* of a count */
};

/* What the walk noted about the event at hand; zeroed before it. */
struct repeat_notes {
    struct repeat_hole hole[REPEAT_HOLES];
    unsigned holes, documents;
    bool odd; /* not to be kept */
};

/* The event that is kept; zeroed: none. */
struct repeat {
    uint16_t end[REPEAT_HOLES + 1]; /* of each part in text */
    uint8_t parts;                  /* 0: none */
    uint8_t kind[REPEAT_HOLES];     /* of the hole behind each part */
    const struct raw_key *key[REPEAT_HOLES];
    char text[REPEAT_TEXT]; /* the parts, one after another */
};

/* What a repeat says. */
struct repeat_said {
    uint64_t measured; /* bytes of text */
    uint32_t pieces;   /* texts that are not empty */
    unsigned counts;
    struct {
        const struct raw_key *key;
        uint64_t v;
    } count[REPEAT_HOLES];
};

/* A hole of the event at hand: slices of its own bytes, in their order. NULL notes: none
 * are wanted. */
void repeat_note(struct repeat_notes *n, enum repeat_kind kind, struct slice at,
                 const struct raw_key *key);

/* Keep `event`, walked whole, from its first byte to the blank line, unless it is odd. */
void repeat_learn(struct repeat *r, struct slice event, const struct repeat_notes *n);

/* Does `in` begin with the event again? Its length and what it says; 0 if not, or if the
 * end of it has not come. */
size_t repeat_match(const struct repeat *r, struct slice in, struct repeat_said *said);

#endif
