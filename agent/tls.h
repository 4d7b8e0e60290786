/*
 * Passive TLS: a sink for the ciphertext of one captured connection that feeds another
 * sink with its plaintext, given its secrets (secrets.h). TLS 1.3 with AES-GCM, AES-CCM
 * and CHACHA20-POLY1305; TLS 1.2 with the same or AES-CBC, and (EC)DHE or RSA. It never
 * emits a byte whose tag it has not checked, and never holds plaintext longer than the
 * call to the inner sink.
 *
 * A connection without secrets waits: its records are kept, up to a limit, until tls_poll
 * finds them. Records beyond are only counted, and become a gap: with their number, what
 * follows can be read. After a call to tls_give_up, or when it cannot be read for another
 * reason, it is dark: only counted. A direction that becomes dark tells the inner sink so
 * with one gap of unknown length.
 *
 * Refused, hence dark: TLS 1.1 and older, renegotiation (dark from
 * there), early data (skipped; what follows is read). Fed by reassembly.
 */
#ifndef BREAKEVEN_TLS_H
#define BREAKEVEN_TLS_H

#include "agent/secrets.h"
#include "agent/stream.h"

enum { TLS_HELD_NONE = 1 };

struct tls_options {
    size_t held_bytes;   /* ciphertext kept while secrets are missing, of requests half of
                            it; 0: 65536; TLS_HELD_NONE: none will come */
    unsigned seek_tries; /* decryptions tried to find the next record after a gap, in
                            all; 0: 4096 */
};

enum tls_state {
    TLS_HELLO,   /* neither hello complete */
    TLS_WAITING, /* for secrets */
    TLS_OPEN,    /* readable, at least one direction */
    TLS_DARK,    /* neither direction will be read any more; `why` says the reason */
};

enum {
    TLS_SNI_BYTES = 254, /* a host name (RFC 1035) and its NUL */
    TLS_ALPN_BYTES = 32,
};

struct tls_info {
    enum tls_state state;
    const char *why;           /* static text: why (a direction of) it is dark; or NULL */
    uint16_t version;          /* 0x0304 is TLS 1.3; 0: no ServerHello seen */
    uint16_t suite;            /* IANA number; 0: no ServerHello seen */
    char sni[TLS_SNI_BYTES];   /* server name the client asked for; "" if none */
    char alpn[TLS_ALPN_BYTES]; /* protocol the server chose, else the client's first */
    bool alpn_chosen;          /* by the server, so it is certain */
    /* By enum stream_dir. */
    uint64_t bytes[2];       /* of the connection, with record headers */
    uint64_t plain_bytes[2]; /* handed on */
    uint64_t dark_bytes[2]; /* seen and not readable (handshakes in clear are not dark) */
    uint64_t lost_bytes[2]; /* never seen: known lengths of gaps */
    uint64_t gaps[2];       /* told to the inner sink */
    uint64_t held_bytes;    /* waiting now, both directions */
    uint64_t skipped_bytes; /* for which there was no room to wait */
    unsigned key_updates, renegotiations;
};

struct tls;

/*
 * For one connection. `o` and `inner` are copied, `s` is borrowed for the life of the
 * result. NULL: no memory.
 */
struct tls *tls_new(const struct tls_options *o, struct secrets *s,
                    const struct stream_sink *inner);

/* The sink to feed with the connection's bytes; valid as long as t. */
void tls_sink(struct tls *t, struct stream_sink *out);

/*
 * Secrets may have come: hands on what has waited for them, in its order and with its
 * times. Cheap when none has come. A connection may be polled after its close: closes
 * wait behind held records.
 */
void tls_poll(struct tls *t);

/* Stop waiting: what is held is dark, the inner sink gets its gaps and closes. */
void tls_give_up(struct tls *t);

/* Others are busier: memory that only eases the next record is given back. */
void tls_rest(struct tls *t);

/* Valid as long as t; the fields change with every call. */
const struct tls_info *tls_info(const struct tls *t);

/* Zeroes its keys. Says nothing to the inner sink. NULL is fine. */
void tls_free(struct tls *t);

/* "TLSv1.3", "TLSv1.2", ...; "TLS" for a version unknown. */
const char *tls_version_name(uint16_t version);

/*
 * Whether the first bytes of a connection, in either direction, look like TLS records, so
 * far as there are bytes: false only for what cannot be. An empty slice is not TLS.
 */
bool tls_sniff(struct slice first);

#endif
