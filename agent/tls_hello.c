/* Hellos: see tls_hello.h. */
#include "agent/tls_hello.h"

enum {
    EXT_SERVER_NAME = 0,
    EXT_ALPN = 16,
    EXT_ENCRYPT_THEN_MAC = 22,
    EXT_SUPPORTED_VERSIONS = 43,
};

/* Take an integer of `bytes` big-endian bytes off *s; false: too short. */
static bool take_int(struct slice *s, size_t bytes, size_t *out)
{
    if (s->n < bytes)
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | (unsigned char)s->p[i];
    *s = slice_from(*s, bytes);
    return true;
}

static bool take(struct slice *s, size_t n, struct slice *out)
{
    if (s->n < n)
        return false;
    *out = slice_head(*s, n);
    *s = slice_from(*s, n);
    return true;
}

/* Take a vector whose length stands in `bytes` bytes before it. */
static bool take_vector(struct slice *s, size_t bytes, struct slice *out)
{
    size_t n;
    return take_int(s, bytes, &n) && take(s, n, out);
}

/* The body of the extension `type`, or an empty slice; false: `list` is not one. */
static bool extension(struct slice list, size_t type, struct slice *out)
{
    *out = (struct slice){ 0 };
    while (list.n) {
        size_t t;
        struct slice body;
        if (!take_int(&list, 2, &t) || !take_vector(&list, 2, &body))
            return false;
        if (t == type && !out->p)
            *out = body;
    }
    return true;
}

/* What follows the fixed part of a hello: nothing, or the list of extensions. */
static bool take_extensions(struct slice *rest, struct slice *list)
{
    *list = (struct slice){ 0 };
    return rest->n == 0 || take_vector(rest, 2, list);
}

static struct slice first_protocol(struct slice ext)
{
    struct slice list, name;
    if (!take_vector(&ext, 2, &list) || !take_vector(&list, 1, &name))
        return (struct slice){ 0 };
    return name;
}

static struct slice host_name(struct slice ext)
{
    struct slice list, name;
    size_t type;
    if (!take_vector(&ext, 2, &list) || !take_int(&list, 1, &type) || type != 0 ||
        !take_vector(&list, 2, &name))
        return (struct slice){ 0 };
    return name;
}

bool tls_client_hello_read(struct slice body, struct tls_client_hello *out)
{
    size_t version;
    struct slice skipped, list, ext;
    memset(out, 0, sizeof *out);
    if (!take_int(&body, 2, &version) || version >> 8 != 3 ||
        !take(&body, 32, &out->random) || !take_vector(&body, 1, &skipped) ||
        !take_vector(&body, 2, &skipped) || !take_vector(&body, 1, &skipped) ||
        !take_extensions(&body, &list))
        return false;
    if (!extension(list, EXT_SERVER_NAME, &ext))
        return false;
    out->sni = host_name(ext);
    extension(list, EXT_ALPN, &ext);
    out->alpn = first_protocol(ext);
    return true;
}

/* The random of a HelloRetryRequest: SHA-256 of those words (RFC 8446, 4.1.3). */
static const unsigned char retry_random[32] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61,
                                                0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65,
                                                0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a,
                                                0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2,
                                                0xc8, 0xa8, 0x33, 0x9c };

bool tls_server_hello_read(struct slice body, struct tls_server_hello *out)
{
    size_t version, suite, compression;
    struct slice session, list, ext;
    memset(out, 0, sizeof *out);
    if (!take_int(&body, 2, &version) || version >> 8 != 3 ||
        !take(&body, 32, &out->random) || !take_vector(&body, 1, &session) ||
        !take_int(&body, 2, &suite) || !take_int(&body, 1, &compression) ||
        !take_extensions(&body, &list) || !extension(list, EXT_SUPPORTED_VERSIONS, &ext))
        return false;
    if (ext.n)
        take_int(&ext, 2, &version);
    extension(list, EXT_ALPN, &ext);
    out->alpn = first_protocol(ext);
    extension(list, EXT_ENCRYPT_THEN_MAC, &ext);
    out->encrypt_then_mac = ext.p != NULL;
    out->version = (uint16_t)version;
    out->suite = (uint16_t)suite;
    out->retry = memcmp(out->random.p, retry_random, sizeof retry_random) == 0;
    return true;
}

bool tls_encrypted_extensions_read(struct slice body, struct slice *alpn)
{
    struct slice list, ext;
    if (!take_vector(&body, 2, &list) || !extension(list, EXT_ALPN, &ext))
        return false;
    *alpn = first_protocol(ext);
    return true;
}
