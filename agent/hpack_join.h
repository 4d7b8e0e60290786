/*
 * Header compression of an HTTP/2 connection whose begin was not seen (RFC 7541): what is
 * in the dynamic table from before is unknown, what is added from now on is not, since an
 * index counts back from the newest entry (2.3.3). Static entries and literals are exact.
 * Neither the table's size nor what falls out of it moves an index, so neither is
 * followed. Strings are decoded by libnghttp2: each field is rewritten to one that needs
 * no table. Pure but for memory. Fed by http2.
 *
 * Refuses: to guess an entry; to remember more than HPACK_JOIN_BYTES (older is unknown).
 */
#ifndef BREAKEVEN_HPACK_JOIN_H
#define BREAKEVEN_HPACK_JOIN_H

#include "common/slice.h"

enum { HPACK_JOIN_ENTRIES = 256, HPACK_JOIN_BYTES = 64 << 10 };

struct hpack_join;
struct nghttp2_hd_inflater;

/* A field that is known in full; slices live during the call. */
typedef void hpack_join_fn(void *arg, struct slice name, struct slice value);

/* NULL: out of memory. */
struct hpack_join *hpack_join_new(void);
void hpack_join_free(struct hpack_join *j); /* NULL is fine */

/*
 * One whole header block. `hd` decodes strings; its table stays empty. Each known field
 * is emitted, *unknown is how many are not. False: outside the grammar; nothing of the
 * connection can be told any more.
 */
bool hpack_join_block(struct hpack_join *j, struct nghttp2_hd_inflater *hd,
                      struct slice in, hpack_join_fn *emit, void *arg, size_t *unknown);

#endif
