/*
 * An HTTP/2 connection: two directions of frames, streams to calls. PUSH_PROMISE is
 * decompressed and passed over. Inside of http; include agent/http.h instead.
 */
#ifndef BREAKEVEN_HTTP_TWO_H
#define BREAKEVEN_HTTP_TWO_H

#include "agent/http_call.h"

struct http_two;

/* `first`: the call of an upgrade from HTTP/1, or NULL; taken over. NULL: out of memory.
 */
struct http_two *http_two_new(const struct http_conn *c, struct http_call *first);

/*
 * One that was joined in its middle; bytes come from the begin of a frame on, of each
 * direction after it was found. What a request or a reply needs of the headers before the
 * join is unknown: such a call has no numbers, and if it is not known to be one of an
 * API, it is only counted. NULL: out of memory.
 */
struct http_two *http_two_joined(const struct http_conn *c);
void http_two_found(struct http_two *t, enum stream_dir d);

/* Ends the calls in flight as aborted. */
void http_two_free(struct http_two *t, int64_t ts_ns);

/* False: given up (counted), nothing more is read; its calls have been ended as lost. */
bool http_two_data(struct http_two *t, enum stream_dir d, int64_t ts_ns, struct slice in);
/* False: frames are lost (counted). Bytes come again after http_two_found, as above. */
bool http_two_gap(struct http_two *t, enum stream_dir d, int64_t ts_ns, uint64_t bytes);
/* Streams beyond are not to be expected soon. */
uint32_t http_two_highest(const struct http_two *t);

#endif
