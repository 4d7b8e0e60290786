/* CBC and HMAC by libcrypto's EVP: see cbc.h. */
#include "agent/cbc.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct cbc {
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
    size_t mac_bytes;
    bool encrypt_then_mac;
};

size_t cbc_mac_bytes(enum cbc_mac mac)
{
    static const unsigned char bytes[] = { 0, 20, 32, 48 };
    return bytes[mac];
}

static EVP_MAC_CTX *mac_new(enum cbc_mac mac, const unsigned char *key)
{
    static const char *const names[] = { "", "SHA1", "SHA256", "SHA384" };
    char name[8] = "";
    strcpy(name, names[mac]); /* the library takes no const */
    const OSSL_PARAM with[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                                 name, 0),
                                OSSL_PARAM_construct_end() };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (c && EVP_MAC_init(c, key, cbc_mac_bytes(mac), with) == 1)
        return c;
    EVP_MAC_CTX_free(c);
    return NULL;
}

struct cbc *cbc_new(size_t key_bytes, const unsigned char *key, enum cbc_mac mac,
                    const unsigned char *mac_key, bool encrypt_then_mac)
{
    struct cbc *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const EVP_CIPHER *aes = key_bytes == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
    c->mac_bytes = cbc_mac_bytes(mac);
    c->encrypt_then_mac = encrypt_then_mac;
    c->mac = mac_new(mac, mac_key);
    c->cipher = EVP_CIPHER_CTX_new();
    if (c->mac && c->cipher && EVP_DecryptInit_ex(c->cipher, aes, NULL, key, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(c->cipher, 0) == 1)
        return c;
    cbc_free(c);
    return NULL;
}

void cbc_free(struct cbc *c)
{
    if (!c)
        return;
    EVP_CIPHER_CTX_free(c->cipher);
    EVP_MAC_CTX_free(c->mac);
    free(c);
}

/* The MAC of `text` behind its head and length is `mac`. */
static bool authentic(struct cbc *c, const unsigned char head[CBC_HEAD_BYTES],
                      struct slice text, const void *mac)
{
    const unsigned char length[] = { (unsigned char)(text.n >> 8),
                                     (unsigned char)text.n };
    unsigned char own[CBC_MAC_MOST_BYTES];
    size_t n;
    return EVP_MAC_init(c->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(c->mac, head, CBC_HEAD_BYTES) == 1 &&
           EVP_MAC_update(c->mac, length, sizeof length) == 1 &&
           EVP_MAC_update(c->mac, (const unsigned char *)text.p, text.n) == 1 &&
           EVP_MAC_final(c->mac, own, &n, sizeof own) == 1 && n == c->mac_bytes &&
           CRYPTO_memcmp(own, mac, n) == 0;
}

/* What is left without the padding; SIZE_MAX: it is none. */
static size_t without_padding(const unsigned char *text, size_t n)
{
    size_t padding = text[n - 1];
    if (padding >= n)
        return SIZE_MAX;
    for (size_t i = n - 1 - padding; i < n; i++)
        if (text[i] != padding)
            return SIZE_MAX;
    return n - padding - 1;
}

static bool open_body(struct cbc *c, const unsigned char head[CBC_HEAD_BYTES],
                      struct slice body, unsigned char *out, size_t *n)
{
    int done;
    if (c->encrypt_then_mac) {
        if (body.n < c->mac_bytes)
            return false;
        body.n -= c->mac_bytes;
        if (!authentic(c, head, body, body.p + body.n))
            return false;
    }
    if (body.n < 2 * CBC_BLOCK_BYTES || body.n % CBC_BLOCK_BYTES || body.n > INT_MAX)
        return false;
    const unsigned char *iv = (const unsigned char *)body.p; /* sent with the record */
    size_t size = body.n - CBC_BLOCK_BYTES;
    if (EVP_DecryptInit_ex(c->cipher, NULL, NULL, NULL, iv) != 1 ||
        EVP_DecryptUpdate(c->cipher, out, &done, iv + CBC_BLOCK_BYTES, (int)size) != 1)
        return false;
    size = without_padding(out, size);
    if (size == SIZE_MAX || c->encrypt_then_mac) {
        *n = size;
        return size != SIZE_MAX;
    }
    *n = size - c->mac_bytes;
    return size >= c->mac_bytes && authentic(c, head, slice_of(out, *n), out + *n);
}

bool cbc_open(struct cbc *c, const unsigned char head[CBC_HEAD_BYTES], struct slice body,
              unsigned char *out, size_t *n)
{
    bool ok = open_body(c, head, body, out, n);
    if (!ok)
        explicit_bzero(out, body.n);
    return ok;
}
