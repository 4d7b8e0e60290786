/*
 * Is a request framed in one way only? What a proxy in front and this server could read
 * differently is refused: RFC 9112, 6 and 11.2. Pure; fed by server with the header
 * fields of a request. (libmicrohttpd 0.9.75 cuts a value at a NUL byte before it gets
 * here; what is left is judged.)
 */
#ifndef BREAKEVEN_FRAMING_H
#define BREAKEVEN_FRAMING_H

#include "common/slice.h"

/* A zeroed struct is ready. */
struct framing {
    unsigned hosts, lengths, encodings;
    bool bad_bytes, bad_length, bad_encoding, expects;
    uint64_t length; /* Content-Length */
    struct slice host;
};

/* Take the next field in; borrows nothing but host. */
void framing_field(struct framing *f, struct slice name, struct slice value);

/* After the last: NULL, or why the request is refused (a constant sentence). */
const char *framing_verdict(const struct framing *f, struct slice target);

/*
 * Is a request with this Origin header (RFC 6454; empty: no browser sent it) of a page
 * that this host served? Browsers send it with everything that changes something.
 */
bool framing_same_origin(struct slice origin, struct slice host);

/* Does this Host header name this machine only (localhost, 127.…, [::1])? */
bool framing_local_host(struct slice host);

#endif
