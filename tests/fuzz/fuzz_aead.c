/*
 * Records of every suite under made-up keys: what nobody sealed never opens, and leaves
 * nothing behind. Bytes: suite, flags, then the record's body. What CBC seals for a key
 * of zeros can be met by chance where its MAC is not asked; it always is.
 */
#include "agent/tls_key.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tls_suite *any_suite(unsigned n)
{
    static const uint16_t id[] = {
        0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0xc02f, 0xc030,
        0xcca8, 0xc09d, 0xc0a1, 0x002f, 0x003d, 0xc028, 0xc00a
    };
    n %= sizeof id / sizeof *id;
    return tls_suite_find(n < 5 ? 0x0304 : 0x0303, id[n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char zero[48];
    struct tls_key key[2] = { { .suite = NULL }, { .suite = NULL } };
    unsigned char out[TLS_RECORD_MOST], head[TLS_RECORD_HEAD] = { 23, 3, 3 };
    if (size < 2 || size - 2 > TLS_RECORD_MOST)
        return 0;
    const struct tls_suite *suite = any_suite(data[0]);
    struct slice body = slice_of(data + 2, size - 2);
    if (suite->version == 0x0304)
        assert(tls_key_set13(&key[0], suite,
                             slice_of(zero, aead_hash_bytes(suite->hash))) == ST_OK);
    else
        assert(tls_key_set12(key, suite, data[1] & 1, slice_of(zero, 48),
                             slice_of(zero, 32), slice_of(zero, 32)) == ST_OK);
    head[3] = (unsigned char)(body.n >> 8);
    head[4] = (unsigned char)body.n;
    memset(out, 0xa5, sizeof out);
    for (uint64_t seq = 0; seq < 3; seq++) {
        size_t n = 0;
        if (tls_key_open(&key[0], seq, head, body, out, &n))
            assert(n <= body.n);
    }
    for (size_t i = body.n; i < sizeof out; i++)
        assert(out[i] == 0xa5);
    if (suite->version == 0x0304 && data[1] & 2)
        assert(tls_key_update(&key[0]) == ST_OK);
    tls_key_release(&key[0]);
    tls_key_release(&key[1]);
    return 0;
}
