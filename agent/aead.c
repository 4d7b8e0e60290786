/* AEAD and key derivations by libcrypto's EVP: see aead.h. */
#include "agent/aead.h"

#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

struct aead {
    EVP_CIPHER_CTX *context; /* NULL: it rests */
    enum aead_kind kind;
    unsigned char key[AEAD_KEY_MOST_BYTES];
};

static const EVP_CIPHER *cipher_of(enum aead_kind kind)
{
    switch (kind) {
    case AEAD_AES_128_GCM:
        return EVP_aes_128_gcm();
    case AEAD_AES_256_GCM:
        return EVP_aes_256_gcm();
    case AEAD_AES_128_CCM:
    case AEAD_AES_128_CCM_8:
        return EVP_aes_128_ccm();
    case AEAD_AES_256_CCM:
    case AEAD_AES_256_CCM_8:
        return EVP_aes_256_ccm();
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
    return kind == AEAD_AES_128_GCM || kind == AEAD_AES_128_CCM ||
                   kind == AEAD_AES_128_CCM_8
               ? 16
               : 32;
}

size_t aead_tag_bytes(enum aead_kind kind)
{
    return kind == AEAD_AES_128_CCM_8 || kind == AEAD_AES_256_CCM_8 ? 8 : 16;
}

size_t aead_hash_bytes(enum aead_hash hash)
{
    return hash == AEAD_SHA256 ? 32 : 48;
}

static bool is_ccm(enum aead_kind kind)
{
    return kind >= AEAD_AES_128_CCM;
}

/* CCM wants the sizes of nonce and tag before its key. */
static bool set_key(EVP_CIPHER_CTX *c, enum aead_kind kind, const unsigned char *key)
{
    int tag = (int)aead_tag_bytes(kind);
    if (EVP_DecryptInit_ex(c, cipher_of(kind), NULL, NULL, NULL) != 1)
        return false;
    if (is_ccm(kind) &&
        (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, AEAD_NONCE_BYTES, NULL) != 1 ||
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, tag, NULL) != 1))
        return false;
    return EVP_DecryptInit_ex(c, NULL, NULL, key, NULL) == 1;
}

void aead_rest(struct aead *a)
{
    if (!a)
        return;
    EVP_CIPHER_CTX_free(a->context);
    a->context = NULL;
}

static bool wake(struct aead *a)
{
    if (a->context)
        return true;
    a->context = EVP_CIPHER_CTX_new();
    if (a->context && set_key(a->context, a->kind, a->key))
        return true;
    aead_rest(a);
    return false;
}

struct aead *aead_new(enum aead_kind kind, const unsigned char *key)
{
    struct aead *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->kind = kind;
    memcpy(a->key, key, aead_key_bytes(kind));
    if (wake(a))
        return a;
    aead_free(a);
    return NULL;
}

void aead_free(struct aead *a)
{
    if (!a)
        return;
    aead_rest(a);
    explicit_bzero(a, sizeof *a);
    free(a);
}

static const unsigned char *bytes_of(struct slice s)
{
    return (const unsigned char *)s.p;
}

bool aead_open(struct aead *a, const unsigned char nonce[AEAD_NONCE_BYTES],
               struct slice aad, struct slice sealed, unsigned char *out)
{
    size_t tag_n = aead_tag_bytes(a->kind);
    bool ccm = is_ccm(a->kind);
    if (sealed.n < tag_n || sealed.n > INT_MAX || aad.n > INT_MAX)
        return false;
    size_t n = sealed.n - tag_n;
    unsigned char tag[AEAD_TAG_MOST_BYTES]; /* the library takes no const */
    int done;
    memcpy(tag, sealed.p + n, tag_n);
    /* CCM wants to know all lengths before, and tells with the text whether it is true.
     */
    bool ok = wake(a);
    EVP_CIPHER_CTX *c = a->context;
    ok = ok && EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)tag_n, tag) == 1 &&
         (!ccm || EVP_DecryptUpdate(c, NULL, &done, NULL, (int)n) == 1) &&
         EVP_DecryptUpdate(c, NULL, &done, bytes_of(aad), (int)aad.n) == 1 &&
         EVP_DecryptUpdate(c, out, &done, bytes_of(sealed), (int)n) == 1 &&
         (ccm || EVP_DecryptFinal_ex(c, out + n, &done) == 1);
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
