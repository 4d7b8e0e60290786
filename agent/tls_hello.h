/*
 * The handshake messages that a passive reader needs (RFC 8446, 4; RFC 5246, 7.4): the
 * two hellos and the server's encrypted extensions. Pure; each gets the body of one
 * message. It validates structure, not policy, and looks at no certificate. Called by
 * tls.
 */
#ifndef BREAKEVEN_TLS_HELLO_H
#define BREAKEVEN_TLS_HELLO_H

#include "common/slice.h"

/* Slices borrow from the body. */
struct tls_client_hello {
    struct slice random; /* 32 bytes */
    struct slice sni;    /* host name, or empty */
    struct slice alpn;   /* the first protocol offered, or empty */
};

struct tls_server_hello {
    struct slice random;
    uint16_t version, suite;
    bool retry;            /* a HelloRetryRequest */
    bool encrypt_then_mac; /* of CBC suites (RFC 7366) */
    struct slice alpn;     /* chosen (TLS 1.2 and older), or empty */
};

/* False: not such a message. */
bool tls_client_hello_read(struct slice body, struct tls_client_hello *out);
bool tls_server_hello_read(struct slice body, struct tls_server_hello *out);
/* *alpn: the protocol chosen, or empty. */
bool tls_encrypted_extensions_read(struct slice body, struct slice *alpn);

#endif
