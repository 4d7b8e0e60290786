/*
 * Records of TLS 1.2's older suites: AES in CBC mode with an HMAC, of the plaintext (RFC
 * 5246, 6.2.3.2) or, where both ends agreed, of the ciphertext (RFC 7366). By libcrypto,
 * as aead. A passive reader answers nothing, so it cannot be asked about a padding; it
 * checks MAC and padding to hand on nothing that is not authentic. Called by tls_key.
 */
#ifndef BREAKEVEN_CBC_H
#define BREAKEVEN_CBC_H

#include "common/slice.h"

enum cbc_mac { CBC_NONE, CBC_SHA1, CBC_SHA256, CBC_SHA384 };

enum {
    CBC_BLOCK_BYTES = 16,
    CBC_MAC_MOST_BYTES = 48,
    CBC_HEAD_BYTES = 11, /* sequence number, type, version */
};

struct cbc;

size_t cbc_mac_bytes(enum cbc_mac mac);

/*
 * `key` has key_bytes (16 or 32), mac_key cbc_mac_bytes(mac). NULL: no memory, or the
 * library refuses.
 */
struct cbc *cbc_new(size_t key_bytes, const unsigned char *key, enum cbc_mac mac,
                    const unsigned char *mac_key, bool encrypt_then_mac);
void cbc_free(struct cbc *c); /* zeroes the keys; NULL is fine */

/*
 * Open the body of a record into `out` (room for body.n; may not overlap). False: not
 * authentic, and `out` is zeroed. *n gets the length of the content.
 */
bool cbc_open(struct cbc *c, const unsigned char head[CBC_HEAD_BYTES], struct slice body,
              unsigned char *out, size_t *n);

#endif
