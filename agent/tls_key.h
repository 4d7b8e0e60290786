/*
 * Keys of one direction of a TLS connection: from secret to plaintext record. Knows the
 * suites; knows nothing of messages, connections or where secrets come from. Called by
 * tls.
 */
#ifndef BREAKEVEN_TLS_KEY_H
#define BREAKEVEN_TLS_KEY_H

#include "agent/aead.h"
#include "agent/cbc.h"
#include "agent/secrets.h"

enum {
    TLS_RECORD_HEAD = 5,
    TLS_RECORD_MOST = 16384 + 2048, /* body of a protected record, TLS 1.2's limit */
};

struct tls_suite {
    uint16_t id;         /* IANA number */
    uint16_t version;    /* 0x0303 or 0x0304 */
    enum aead_kind aead; /* of CBC: one with a key as long */
    enum aead_hash hash;
    enum cbc_mac mac; /* CBC_NONE: AEAD */
};

/* NULL: a suite we cannot read. */
const struct tls_suite *tls_suite_find(uint16_t version, uint16_t id);

/* One direction's. Zeroed: no key. */
struct tls_key {
    const struct tls_suite *suite; /* NULL: no key */
    struct aead *aead;
    struct cbc *cbc;
    uint64_t seq; /* of the next record */
    unsigned char iv[AEAD_NONCE_BYTES];
    unsigned char secret[SECRET_MOST_BYTES]; /* TLS 1.3: for the next key update */
};

/*
 * Key k from a TLS 1.3 traffic secret; what k held is released. ST_BAD: a secret of a
 * length that does not fit the suite; ST_NOMEM. On failure k has no key.
 */
enum status tls_key_set13(struct tls_key *k, const struct tls_suite *suite,
                          struct slice secret);

/* The next generation (KeyUpdate, RFC 8446, 7.2). */
enum status tls_key_update(struct tls_key *k);

/* Key both directions of TLS 1.2 from the master secret and the hellos' randoms (32
 * bytes); encrypt_then_mac was agreed. Status as above. */
enum status tls_key_set12(struct tls_key key[2], const struct tls_suite *suite,
                          bool encrypt_then_mac, struct slice master,
                          struct slice client_random, struct slice server_random);

/*
 * Open the record `head` (5 bytes), `body` with sequence number `seq` into `out` (room
 * for TLS_RECORD_MOST). False: not authentic; `out` holds nothing. *n gets the length,
 * padding and inner type of TLS 1.3 included. Does not change k->seq.
 */
bool tls_key_open(struct tls_key *k, uint64_t seq, const unsigned char *head,
                  struct slice body, unsigned char *out, size_t *n);

/* It may idle: what is only needed while records come is given back until they do. */
void tls_key_rest(struct tls_key *k);
void tls_key_release(struct tls_key *k); /* zeroes it */

#endif
