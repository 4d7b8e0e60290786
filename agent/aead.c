/* AEAD and key derivations by libcrypto's EVP: see aead.h. */
#include "agent/aead.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* struct aead is libcrypto's context itself: an incomplete type of ours over it. */
static EVP_CIPHER_CTX *context(struct aead *a)
{
    return (EVP_CIPHER_CTX *)(void *)a;
}

static const EVP_CIPHER *cipher_of(enum aead_kind kind)
{
    switch (kind) {
    case AEAD_AES_128_GCM:
        return EVP_aes_128_gcm();
    case AEAD_AES_256_GCM:
        return EVP_aes_256_gcm();
    case AEAD_CHACHA20_POLY1305:
        break;
    }
    return EVP_chacha20_poly1305();
}

static const EVP_MD *digest_of(enum aead_hash hash)
{
    return hash == AEAD_SHA256 ? EVP_sha256() : EVP_sha384();
}

size_t aead_key_bytes(enum aead_kind kind)
{
    return kind == AEAD_AES_128_GCM ? 16 : 32;
}

size_t aead_hash_bytes(enum aead_hash hash)
{
    return hash == AEAD_SHA256 ? 32 : 48;
}

struct aead *aead_new(enum aead_kind kind, const unsigned char *key)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (c && EVP_DecryptInit_ex(c, cipher_of(kind), NULL, key, NULL) != 1) {
        EVP_CIPHER_CTX_free(c);
        c = NULL;
    }
    return (struct aead *)(void *)c;
}

void aead_free(struct aead *a)
{
    EVP_CIPHER_CTX_free(context(a));
}

static const unsigned char *bytes_of(struct slice s)
{
    return (const unsigned char *)s.p;
}

bool aead_open(struct aead *a, const unsigned char nonce[AEAD_NONCE_BYTES],
               struct slice aad, struct slice sealed, unsigned char *out)
{
    if (sealed.n < AEAD_TAG_BYTES || sealed.n > INT_MAX || aad.n > INT_MAX)
        return false;
    EVP_CIPHER_CTX *c = context(a);
    size_t n = sealed.n - AEAD_TAG_BYTES;
    unsigned char tag[AEAD_TAG_BYTES]; /* the library takes no const */
    memcpy(tag, sealed.p + n, sizeof tag);
    int done;
    bool ok = EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
              EVP_DecryptUpdate(c, NULL, &done, bytes_of(aad), (int)aad.n) == 1 &&
              EVP_DecryptUpdate(c, out, &done, bytes_of(sealed), (int)n) == 1 &&
              EVP_DecryptFinal_ex(c, out + n, &done) == 1;
    if (!ok)
        explicit_bzero(out, n);
    return ok;
}

/* HMAC(key, text) into `out` (room for any hash). */
static bool hmac(enum aead_hash hash, struct slice key, struct slice text,
                 unsigned char *out)
{
    unsigned n = 0;
    return key.n <= INT_MAX &&
           HMAC(digest_of(hash), key.p ? key.p : "", (int)key.n, bytes_of(text), text.n,
                out, &n) &&
           n == aead_hash_bytes(hash);
}

enum status aead_expand_label(enum aead_hash hash, struct slice secret,
                              struct slice label, unsigned char *out, size_t n)
{
    static const char prefix[] = "tls13 ";
    unsigned char info[64], block[AEAD_HASH_MOST_BYTES];
    size_t at = 0, labels = sizeof prefix - 1 + label.n;
    if (n > aead_hash_bytes(hash) || labels + 5 > sizeof info)
        return ST_BAD;
    info[at++] = 0;
    info[at++] = (unsigned char)n;
    info[at++] = (unsigned char)labels;
    memcpy(info + at, prefix, sizeof prefix - 1);
    at += sizeof prefix - 1;
    memcpy(info + at, label.p, label.n);
    at += label.n;
    info[at++] = 0; /* empty context */
    info[at++] = 1; /* HKDF-Expand's first and, for n this small, only block */
    bool ok = hmac(hash, secret, slice_of(info, at), block);
    if (ok)
        memcpy(out, block, n);
    explicit_bzero(block, sizeof block);
    return ok ? ST_OK : ST_NOMEM;
}

enum status aead_prf12(enum aead_hash hash, struct slice secret, struct slice label,
                       struct slice seed, unsigned char *out, size_t n)
{
    enum { SEED_MOST = 128 };
    unsigned char text[AEAD_HASH_MOST_BYTES + SEED_MOST]; /* A(i), label, seed */
    unsigned char block[AEAD_HASH_MOST_BYTES];
    size_t size = aead_hash_bytes(hash), rest = label.n + seed.n;
    if (label.n > SEED_MOST || seed.n > SEED_MOST - label.n)
        return ST_BAD;
    memcpy(text + size, label.p, label.n);
    memcpy(text + size + label.n, seed.p, seed.n);
    bool ok = hmac(hash, secret, slice_of(text + size, rest), text); /* A(1) */
    for (size_t at = 0; ok && at < n; at += size) {
        ok = hmac(hash, secret, slice_of(text, size + rest), block);
        if (ok)
            memcpy(out + at, block, n - at < size ? n - at : size);
        ok = ok && hmac(hash, secret, slice_of(text, size), block);
        memcpy(text, block, size);
    }
    explicit_bzero(text, sizeof text);
    explicit_bzero(block, sizeof block);
    return ok ? ST_OK : ST_NOMEM;
}
