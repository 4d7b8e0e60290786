/*
 * What a look at a file says about the files that we know: the same, grown, truncated,
 * another one, or a copy (plain or gz) of one whose first part was read already. Pure:
 * source_tail looks and acts, this module decides. Also the state that the spool keeps of
 * a file, as bytes.
 *
 * A file is what its inode *and* its first bytes say: an inode alone is reused, first
 * bytes alone are copied. Of log text only hashes are kept.
 */
#ifndef BREAKEVEN_TAILSTATE_H
#define BREAKEVEN_TAILSTATE_H

#include "common/buf.h"
#include "common/slice.h"
#include "common/status.h"

enum {
    TAIL_HEAD_MAX = 256, /* first bytes that identify a file */
    TAIL_SEAM_MAX = 64,  /* bytes before the read position that must still be there */
};

/* Hash of n bytes at a place that the context names. n = 0 agrees with everything. */
struct tail_print {
    uint32_t n;
    uint64_t hash;
};

struct tail_print tail_print_of(struct slice bytes);
/* `bytes` begin with what was printed. */
bool tail_print_agrees(struct tail_print p, struct slice bytes);

/* How a file that we knew went away. */
enum tail_fate {
    TAIL_HERE,
    TAIL_CUT,  /* its inode was truncated: a copy may hold the rest */
    TAIL_GONE, /* no name leads to it any more */
};

/* What is remembered of a file's content. */
struct tail_mark {
    uint64_t dev, ino;
    struct tail_print head; /* of the first bytes */
    struct tail_print seam; /* of the bytes that end at `read` */
    uint64_t read;          /* bytes read (of a gz: decompressed) */
    enum tail_fate fate;
    bool telling; /* the content identifies the file: it does not repeat its first line */
};

/* A file as it stands now. Slices are as read: short when the file is short. */
struct tail_look {
    uint64_t dev, ino, size; /* size of a gz: unknown, UINT64_MAX */
    struct slice head;       /* from 0 */
    struct slice seam;       /* the bytes at [read - seam.n, read) of the mark compared */
};

enum tail_verdict {
    TAIL_SAME,      /* nothing new */
    TAIL_GROWN,     /* go on reading */
    TAIL_TRUNCATED, /* same inode, other content (or the inode was reused): from 0 */
    TAIL_OTHER,     /* another inode */
};
enum tail_verdict tail_judge(const struct tail_mark *m, const struct tail_look *look);

/* The same content as far as it was read, whatever the inode. Nothing read: false. */
bool tail_same_content(const struct tail_mark *m, const struct tail_look *look);

/* Let the head grow with the file; `head` has been found to agree. */
void tail_grow_head(struct tail_mark *m, struct slice head);

/* False when the second line of `start` (the file's first KiBs) repeats the first. */
bool tail_telling(struct slice start);

/* What to do with a file never seen before whose content is (as far as read) that of m.
 */
enum tail_copy {
    TAIL_NEW,   /* another file after all: from 0 */
    TAIL_WAIT,  /* a copy of a file that still stands: look again later */
    TAIL_TAKEN, /* go on in it where m was left; m is done */
};
/* `waited`: it has stood here unchanged for longer than the grace period. */
enum tail_copy tail_copy_of(const struct tail_mark *m, bool gz, bool waited);

/* --- what the spool keeps --- */
struct tail_state {
    struct tail_mark mark;
    uint64_t number;  /* of the line at the committed offset */
    int64_t left_s;   /* Unix time when it went away; 0: it is here */
    uint64_t gz_size; /* of a gz: its own bytes; 0 otherwise */
    int64_t gz_mtime_ns;
    bool gz, done;        /* done: a gz read to its end; binary data; nothing to read */
    bool rotated;         /* nobody will append for long */
    struct slice logline; /* opaque state of the format; borrowed */
};
void tail_state_encode(const struct tail_state *s, struct buf *out);
/* ST_BAD for anything that encode never wrote; logline borrows from `bytes`. */
enum status tail_state_decode(struct slice bytes, struct tail_state *out);

#endif
