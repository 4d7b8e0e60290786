/*
 * The agent's one door to a crypto library (OpenSSL's libcrypto): opening AEAD records
 * and the key derivations of TLS 1.2 and 1.3. Contexts are keyed once and reused for
 * every record, and given back where a connection idles. It seals nothing and draws no
 * random numbers.
 */
#ifndef BREAKEVEN_AEAD_H
#define BREAKEVEN_AEAD_H

#include "common/slice.h"
#include "common/status.h"

enum aead_kind {
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AEAD_CHACHA20_POLY1305,
    AEAD_AES_128_CCM,
    AEAD_AES_256_CCM,
    AEAD_AES_128_CCM_8, /* a tag of 8 bytes */
    AEAD_AES_256_CCM_8,
};

enum aead_hash {
    AEAD_SHA256,
    AEAD_SHA384,
};

enum {
    AEAD_NONCE_BYTES = 12,
    AEAD_TAG_MOST_BYTES = 16,
    AEAD_KEY_MOST_BYTES = 32,
    AEAD_HASH_MOST_BYTES = 48,
};

struct aead;

size_t aead_key_bytes(enum aead_kind kind);
size_t aead_tag_bytes(enum aead_kind kind);
size_t aead_hash_bytes(enum aead_hash hash);

/* Keyed with aead_key_bytes(kind) bytes. NULL: no memory, or the library refuses. */
struct aead *aead_new(enum aead_kind kind, const unsigned char *key);
void aead_free(struct aead *a); /* zeroes the key; NULL is fine */
/* Keep the key alone until the next record: a context is a kilobyte. NULL is fine. */
void aead_rest(struct aead *a);

/*
 * Open `sealed` (ciphertext, then the tag) into `out` (room for sealed.n without the tag;
 * may not overlap). False: the tag is wrong, the input too short, or no memory to go on
 * after a rest; `out` is zeroed.
 */
bool aead_open(struct aead *a, const unsigned char nonce[AEAD_NONCE_BYTES],
               struct slice aad, struct slice sealed, unsigned char *out);

/*
 * HKDF-Expand-Label(secret, label, "", n) of RFC 8446, 7.1; n at most the hash's length,
 * label without "tls13 ". ST_BAD: over a limit. ST_NOMEM: the library refuses.
 */
enum status aead_expand_label(enum aead_hash hash, struct slice secret,
                              struct slice label, unsigned char *out, size_t n);

/* PRF(secret, label, seed) of RFC 5246, 5, into n bytes; label and seed at most 128 bytes
 * together. */
enum status aead_prf12(enum aead_hash hash, struct slice secret, struct slice label,
                       struct slice seed, unsigned char *out, size_t n);

#endif
