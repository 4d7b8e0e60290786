/*
 * A connection through an HTTP proxy (HTTPS_PROXY) begins with a CONNECT in clear and its
 * answer; all that follows is the connection that was asked for (RFC 9110, 9.3.6). Takes
 * the two off its front, cut anywhere. Pure, holds no byte. Used by conn.
 *
 * Refuses: CONNECT inside of TLS to the proxy, or as a stream of HTTP/2.
 */
#ifndef BREAKEVEN_TUNNEL_H
#define BREAKEVEN_TUNNEL_H

#include "agent/stream.h"

/* Of one connection; zeroed at its begin. */
struct tunnel {
    unsigned char up, down; /* how far each side has come */
    unsigned char matched;  /* bytes of "CONNECT " */
    unsigned char line;     /* bytes of the answer's first line, as far as it matters */
    unsigned char blank[2]; /* bytes of the blank line that ends a head */
    char status;            /* first digit of the answer's */
    bool asked, refused;
};

/*
 * Takes what is the proxy's off the front of *bytes. Returns what had been taken from the
 * client before and turns out to be no CONNECT: to be handed on first; mostly empty.
 */
struct slice tunnel_take(struct tunnel *t, enum stream_dir d, struct slice *bytes);

/* Bytes were lost: what comes from here on is taken as it is. */
void tunnel_gap(struct tunnel *t);

/* Was a way through the proxy asked for and given? */
bool tunnel_given(const struct tunnel *t);

#endif
