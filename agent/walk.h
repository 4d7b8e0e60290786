/*
 * Bodies in pieces -> struct raw: drives the incremental scanner by the table of keys.
 * Any cut of the input gives the same result; memory is constant. A document is a
 * top-level object, or an object inside a top-level array, of which there may be many.
 * Fed by extract with bodies and the payloads of events.
 *
 * Refuses: to hold values that the table does not name; documents nested deeper than
 * WALK_DEPTH below what it names.
 */
#ifndef BREAKEVEN_WALK_H
#define BREAKEVEN_WALK_H

#include "agent/repeat.h"

enum {
    WALK_DEPTH = 64,
    WALK_PASS_TEXT = 96, /* longest type or model name of a pass */
};

/* Names outlive the pieces that they came in. */
struct walk_names {
    char name[RAW_STRS][RAW_TEXT];
    char pass[RAW_PASSES][2][WALK_PASS_TEXT];
};

typedef void walk_fn(void *arg);

struct walk {
    struct json json;
    const struct raw_table *table;
    struct raw *raw;
    struct walk_names *names;
    walk_fn *begin, *end; /* of a document; may be NULL */
    void *arg;
    struct repeat_notes *notes; /* of the event at hand, where they are wanted */
    enum raw_context top;
    const struct raw_key *key; /* of the value to come */
    uint64_t value_at;         /* offset of the quote, for measured text */
    uint64_t *measured;        /* text_in or text_out, while a text is passed over */
    unsigned depth;
    uint32_t documents;
    bool array; /* the documents stand in an array */
    bool dead;  /* not JSON: nothing more is read */
    struct {
        uint8_t context;
        bool object, document;
    } level[WALK_DEPTH];
};

/*
 * Start over; objects at the top are of context `top`. Table, raw and names are borrowed
 * and must outlive the walk; `begin` and `end` are called around each document.
 */
void walk_init(struct walk *w, const struct raw_table *table, enum raw_context top,
               struct raw *raw, struct walk_names *names);

/* Begin another document in an input of its own (an event); counts go on. */
void walk_restart(struct walk *w);

/* The next bytes. */
void walk_feed(struct walk *w, struct slice piece);

/* No more bytes: a document that is cut ends here. */
void walk_finish(struct walk *w);

#endif
