/*
 * Header compression of one direction of HTTP/2 (RFC 7541): a table of our own, strings
 * decoded by libnghttp2, for which each field is rewritten to one that needs no table.
 * Pure but for memory. Fed by http2.
 *
 * A table of our own does what a library's does not. It goes on when its begin was not
 * seen or a block was lost: what was in it before is unknown, what is added from then on
 * is not, as an index counts back from the newest entry (2.3.3). And it lives as long as
 * its connection, of which thousands may idle, so it keeps what is read and no more
 * (enum hpack_keep): fields that nobody reads (hpack_names.h) are not emitted wherever
 * the table stands for them, of a credential the value is left out there, of a path all
 * of the query but the model.
 *
 * Refuses: to guess an entry; a table over HPACK_TABLE_MOST bytes.
 */
#ifndef BREAKEVEN_HPACK_H
#define BREAKEVEN_HPACK_H

#include "agent/hpack_names.h"

enum {
    HPACK_TABLE_BYTES = 4096,    /* what both ends begin with (RFC 9113, 6.5.2) */
    HPACK_TABLE_MOST = 1 << 20,  /* that an encoder may ask for */
    HPACK_TABLE_LOST = 64 << 10, /* what is remembered where its size is unknown */
};

enum hpack_keep {
    HPACK_KEEP_READ,
    HPACK_KEEP_UNREAD, /* what nobody reads, too; no credential */
    HPACK_KEEP_ALL,
};

struct hpack;

/* A field that is known; slices live during the call. */
typedef void hpack_fn(void *arg, struct slice name, struct slice value);

/* At the begin of a connection. NULL: out of memory. */
struct hpack *hpack_new(enum hpack_keep keep);
void hpack_free(struct hpack *h); /* NULL is fine */

/* What was said so far was not, or not wholly, seen. */
void hpack_lose(struct hpack *h);

/*
 * One whole header block. Each known field is emitted, *unknown is how many are not
 * known: none, unless something was lost. False: outside the grammar; nothing of the
 * direction can be told any more.
 */
bool hpack_block(struct hpack *h, struct slice in, hpack_fn *emit, void *arg,
                 size_t *unknown);

#endif
