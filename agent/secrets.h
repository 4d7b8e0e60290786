/*
 * The secret store: what makes a TLS connection readable, by the random of its
 * ClientHello. Bounded: the least recently used connection is forgotten first, and
 * whatever is forgotten is zeroed. Any feeder may fill it (today: keylog); nothing in
 * here, and nobody who asks, knows where a secret came from. It never writes one
 * anywhere.
 */
#ifndef BREAKEVEN_SECRETS_H
#define BREAKEVEN_SECRETS_H

#include "common/slice.h"
#include "common/status.h"

enum {
    SECRET_RANDOM_BYTES = 32, /* of a ClientHello */
    SECRET_MOST_BYTES = 48,   /* a TLS 1.2 master secret, or a hash of SHA-384 */
};

enum secret_kind {
    SECRET_CLIENT_HANDSHAKE, /* TLS 1.3 client_handshake_traffic_secret */
    SECRET_SERVER_HANDSHAKE,
    SECRET_CLIENT_TRAFFIC, /* TLS 1.3 client_application_traffic_secret_0 */
    SECRET_SERVER_TRAFFIC,
    SECRET_MASTER, /* TLS 1.2 */
    SECRET_KINDS,
};

struct secrets;

/* For at most `most` connections (>= 1); `seed` guards the hash. NULL: no memory. */
struct secrets *secrets_new(size_t most, uint64_t seed);

/*
 * Keep one secret of the connection with this random (32 bytes); a known one is replaced.
 * ST_BAD: random not of 32 bytes or the secret empty or over 48. ST_NOMEM: not kept.
 */
enum status secrets_put(struct secrets *s, struct slice random, enum secret_kind kind,
                        struct slice secret);

/* The secret, or an empty slice. Valid until the next secrets_put. */
struct slice secrets_get(struct secrets *s, struct slice random, enum secret_kind kind);

/* Grows with every secret put: unchanged means that asking again is in vain. */
uint64_t secrets_version(const struct secrets *s);

size_t secrets_count(const struct secrets *s);     /* connections known now */
uint64_t secrets_evicted(const struct secrets *s); /* connections forgotten so far */

void secrets_free(struct secrets *s); /* zeroes all of them; NULL is fine */

#endif
