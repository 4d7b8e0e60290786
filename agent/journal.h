/*
 * What journalctl writes with `-o export` and `-o json` (usage-formats 8.14): the
 * application's line and its time out of a journal entry. Fed by logline, line by line.
 *
 * An entry of the text form is known to be whole when the next one begins, so the last
 * one of a file waits for its end. Refuses: fields other than the message, its time and
 * whether it is a piece of a longer line.
 */
#ifndef BREAKEVEN_JOURNAL_H
#define BREAKEVEN_JOURNAL_H

#include "agent/unwrap.h"
#include "common/buf.h"

/* An entry of `-o json`. A message that is a list (of bytes, or of several
 * messages) is put into `bytes`. */
bool journal_json(struct slice line, struct buf *bytes, struct unwrapped *out);

/* Does this line begin an entry, in either form? */
bool journal_begins(struct slice line);

/* Where in an entry of the text form the last line ended. Zeroed: before any entry. */
struct journal {
    int64_t ts_ns;   /* of the entry; USAGE_NO_TIME */
    bool partial;    /* the next entry goes on with its line */
    bool message;    /* the binary value at hand is the message */
    bool said;       /* a message of this entry */
    unsigned head_n; /* bytes of its length that have been read */
    uint64_t left;   /* bytes of it to come; of a length, while head_n < 8, unknown */
    uint64_t next;   /* offset behind the last line */
    enum { JOURNAL_FIELDS, JOURNAL_LENGTH, JOURNAL_VALUE } state;
    unsigned char head[8];
};

/*
 * The next line of an entry, which stands at `offset`; the message is added to `text`.
 * Lines of a binary value that are empty are not fed: the offsets tell of them.
 */
void journal_line(struct journal *g, struct slice line, uint64_t offset,
                  struct buf *text);

#endif
