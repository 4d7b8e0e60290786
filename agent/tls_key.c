/* Keys and records: see tls_key.h. */
#include "agent/tls_key.h"

#include <assert.h>

static const struct tls_suite suites[] = {
    { 0x1301, 0x0304, AEAD_AES_128_GCM, AEAD_SHA256, CBC_NONE },
    { 0x1302, 0x0304, AEAD_AES_256_GCM, AEAD_SHA384, CBC_NONE },
    { 0x1303, 0x0304, AEAD_CHACHA20_POLY1305, AEAD_SHA256, CBC_NONE },
    { 0x1304, 0x0304, AEAD_AES_128_CCM, AEAD_SHA256, CBC_NONE },
    { 0x1305, 0x0304, AEAD_AES_128_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc02b, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_NONE }, /* ECDHE-ECDSA */
    { 0xc02c, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_NONE },
    { 0xc02f, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_NONE }, /* ECDHE-RSA */
    { 0xc030, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_NONE },
    { 0xcca8, 0x0303, AEAD_CHACHA20_POLY1305, AEAD_SHA256, CBC_NONE }, /* ECDHE-RSA */
    { 0xcca9, 0x0303, AEAD_CHACHA20_POLY1305, AEAD_SHA256, CBC_NONE }, /* ECDHE-ECDSA */
    { 0xccaa, 0x0303, AEAD_CHACHA20_POLY1305, AEAD_SHA256, CBC_NONE }, /* DHE-RSA */
    { 0x009c, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_NONE },       /* RSA */
    { 0x009d, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_NONE },
    { 0x009e, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_NONE }, /* DHE-RSA */
    { 0x009f, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_NONE },
    { 0xc09c, 0x0303, AEAD_AES_128_CCM, AEAD_SHA256, CBC_NONE }, /* RSA (RFC 6655) */
    { 0xc09d, 0x0303, AEAD_AES_256_CCM, AEAD_SHA256, CBC_NONE },
    { 0xc0a0, 0x0303, AEAD_AES_128_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc0a1, 0x0303, AEAD_AES_256_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc09e, 0x0303, AEAD_AES_128_CCM, AEAD_SHA256, CBC_NONE }, /* DHE-RSA */
    { 0xc09f, 0x0303, AEAD_AES_256_CCM, AEAD_SHA256, CBC_NONE },
    { 0xc0a2, 0x0303, AEAD_AES_128_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc0a3, 0x0303, AEAD_AES_256_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc0ac, 0x0303, AEAD_AES_128_CCM, AEAD_SHA256,
      CBC_NONE }, /* ECDHE-ECDSA (RFC 7251) */
    { 0xc0ad, 0x0303, AEAD_AES_256_CCM, AEAD_SHA256, CBC_NONE },
    { 0xc0ae, 0x0303, AEAD_AES_128_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0xc0af, 0x0303, AEAD_AES_256_CCM_8, AEAD_SHA256, CBC_NONE },
    { 0x002f, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA1 }, /* RSA, CBC */
    { 0x0035, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA1 },
    { 0x003c, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0x003d, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0x0033, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA1 }, /* DHE-RSA, CBC */
    { 0x0039, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA1 },
    { 0x0067, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0x006b, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0xc009, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA1 }, /* ECDHE-ECDSA, CBC */
    { 0xc00a, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA1 },
    { 0xc023, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0xc024, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_SHA384 },
    { 0xc013, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA1 }, /* ECDHE-RSA, CBC */
    { 0xc014, 0x0303, AEAD_AES_256_GCM, AEAD_SHA256, CBC_SHA1 },
    { 0xc027, 0x0303, AEAD_AES_128_GCM, AEAD_SHA256, CBC_SHA256 },
    { 0xc028, 0x0303, AEAD_AES_256_GCM, AEAD_SHA384, CBC_SHA384 },
};

const struct tls_suite *tls_suite_find(uint16_t version, uint16_t id)
{
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (suites[i].id == id && suites[i].version == version)
            return &suites[i];
    return NULL;
}

void tls_key_release(struct tls_key *k)
{
    aead_free(k->aead);
    cbc_free(k->cbc);
    explicit_bzero(k, sizeof *k);
}

enum status tls_key_set13(struct tls_key *k, const struct tls_suite *suite,
                          struct slice secret)
{
    assert(suite->version == 0x0304);
    unsigned char kept[SECRET_MOST_BYTES], key[AEAD_KEY_MOST_BYTES];
    if (secret.n != aead_hash_bytes(suite->hash)) {
        tls_key_release(k);
        return ST_BAD;
    }
    memcpy(kept, secret.p, secret.n); /* it may be k's own */
    tls_key_release(k);
    secret = slice_of(kept, secret.n);
    enum status st = aead_expand_label(suite->hash, secret, SLICE("key"), key,
                                       aead_key_bytes(suite->aead));
    if (st == ST_OK)
        st = aead_expand_label(suite->hash, secret, SLICE("iv"), k->iv, sizeof k->iv);
    if (st == ST_OK && !(k->aead = aead_new(suite->aead, key)))
        st = ST_NOMEM;
    if (st == ST_OK) {
        k->suite = suite;
        memcpy(k->secret, kept, secret.n);
    }
    explicit_bzero(kept, sizeof kept);
    explicit_bzero(key, sizeof key);
    return st;
}

void tls_key_rest(struct tls_key *k)
{
    aead_rest(k->aead);
}

enum status tls_key_update(struct tls_key *k)
{
    assert(k->suite);
    const struct tls_suite *suite = k->suite;
    unsigned char next[SECRET_MOST_BYTES];
    size_t n = aead_hash_bytes(suite->hash);
    enum status st = aead_expand_label(suite->hash, slice_of(k->secret, n),
                                       SLICE("traffic upd"), next, n);
    if (st == ST_OK)
        st = tls_key_set13(k, suite, slice_of(next, n));
    explicit_bzero(next, sizeof next);
    return st;
}

/* One direction of the key block: MAC keys, keys, IVs, each of both (RFC 5246, 6.3). */
static bool key_of_block(struct tls_key *k, const struct tls_suite *suite,
                         bool encrypt_then_mac, const unsigned char *block, size_t d)
{
    size_t macs = cbc_mac_bytes(suite->mac), keys = aead_key_bytes(suite->aead);
    size_t ivs = suite->aead == AEAD_CHACHA20_POLY1305 ? AEAD_NONCE_BYTES : 4;
    const unsigned char *key = block + 2 * macs + d * keys;
    k->suite = suite;
    if (suite->mac) {
        k->cbc = cbc_new(keys, key, suite->mac, block + d * macs, encrypt_then_mac);
    } else {
        memcpy(k->iv, block + 2 * keys + d * ivs, ivs);
        k->aead = aead_new(suite->aead, key);
    }
    return k->cbc || k->aead;
}

enum status tls_key_set12(struct tls_key key[2], const struct tls_suite *suite,
                          bool encrypt_then_mac, struct slice master,
                          struct slice client_random, struct slice server_random)
{
    assert(suite->version == 0x0303 && client_random.n == 32 && server_random.n == 32);
    unsigned char seed[64];
    unsigned char
        block[2 * (CBC_MAC_MOST_BYTES + AEAD_KEY_MOST_BYTES + AEAD_NONCE_BYTES)];
    tls_key_release(&key[0]);
    tls_key_release(&key[1]);
    if (master.n != 48)
        return ST_BAD;
    memcpy(seed, server_random.p, 32);
    memcpy(seed + 32, client_random.p, 32);
    enum status st = aead_prf12(suite->hash, master, SLICE("key expansion"),
                                slice_of(seed, sizeof seed), block, sizeof block);
    for (size_t d = 0; st == ST_OK && d < 2; d++)
        if (!key_of_block(&key[d], suite, encrypt_then_mac, block, d))
            st = ST_NOMEM;
    if (st != ST_OK) {
        tls_key_release(&key[0]);
        tls_key_release(&key[1]);
    }
    explicit_bzero(block, sizeof block);
    return st;
}

static void put64(unsigned char *to, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        to[i] = (unsigned char)v;
}

/* The nonce that TLS 1.3, and CHACHA20 in TLS 1.2, make of the sequence number. */
static void nonce_of(const struct tls_key *k, uint64_t seq,
                     unsigned char nonce[AEAD_NONCE_BYTES])
{
    put64(nonce + 4, seq);
    memset(nonce, 0, 4);
    for (size_t i = 0; i < AEAD_NONCE_BYTES; i++)
        nonce[i] ^= k->iv[i];
}

bool tls_key_open(struct tls_key *k, uint64_t seq, const unsigned char *head,
                  struct slice body, unsigned char *out, size_t *n)
{
    assert(k->suite && body.n <= TLS_RECORD_MOST);
    if (k->cbc) {
        unsigned char first[CBC_HEAD_BYTES];
        put64(first, seq);
        memcpy(first + 8, head, 3);
        return cbc_open(k->cbc, first, body, out, n);
    }
    unsigned char nonce[AEAD_NONCE_BYTES], aad[8 + TLS_RECORD_HEAD];
    struct slice add = slice_of(head, TLS_RECORD_HEAD);
    size_t tag = aead_tag_bytes(k->suite->aead);
    nonce_of(k, seq, nonce);
    if (k->suite->version == 0x0303) {
        if (k->suite->aead != AEAD_CHACHA20_POLY1305) {
            if (body.n < 8)
                return false;
            memcpy(nonce, k->iv, 4);
            memcpy(nonce + 4, body.p, 8); /* sent with the record (RFC 5288, 3) */
            body = slice_from(body, 8);
        }
        if (body.n < tag)
            return false;
        size_t plain = body.n - tag;
        put64(aad, seq);
        memcpy(aad + 8, head, 3);
        aad[11] = (unsigned char)(plain >> 8);
        aad[12] = (unsigned char)plain;
        add = slice_of(aad, sizeof aad);
    }
    if (!aead_open(k->aead, nonce, add, body, out))
        return false;
    *n = body.n - tag;
    return true;
}
