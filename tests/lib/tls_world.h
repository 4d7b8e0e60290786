/*
 * A TLS client and server (libssl) in memory, and the trace of what went over the wire
 * between them: what a passive reader sees, with the key log and the true plaintext.
 */
#ifndef BREAKEVEN_TLS_WORLD_H
#define BREAKEVEN_TLS_WORLD_H

#include "testing.h"

#include <openssl/ssl.h>

#include "agent/stream.h"
#include "common/buf.h"

struct tls_case {
    const char *name;
    int version;
    const char *suite;
    bool rsa, retry, resume, key_update, padding, early, renegotiate;
    bool certificate;   /* of the client */
    bool small_records; /* 512 bytes: handshake messages come in several */
    bool large_hello;   /* as one with a post-quantum key share */
    uint64_t without;   /* SSL_OP_NO_… */
};

struct tls_world {
    const struct tls_case *c;
    SSL_CTX *client_ctx, *server_ctx;
    SSL *client, *server;
    SSL_SESSION *session;
    struct buf keys, wire; /* wire: both directions, in order */
    struct buf plain[2];   /* by direction */
    struct {
        enum stream_dir d;
        size_t at, n;
    } part[512];
    size_t parts;
    size_t first_key; /* parts before the first key log line */
};

static inline void world_keylog(const SSL *ssl, const char *line)
{
    struct tls_world *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    buf_adds(&w->keys, line);
    buf_addc(&w->keys, '\n');
}

/* One key of a kind serves all: an RSA key takes longer to make than most tests. */
static inline EVP_PKEY *world_key(bool rsa)
{
    static EVP_PKEY *keys[2];
    if (!keys[rsa])
        keys[rsa] = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    return keys[rsa];
}

static inline void world_certificate(SSL_CTX *ctx, bool rsa)
{
    EVP_PKEY *key = world_key(rsa);
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(x);
}

static inline int world_alpn(SSL *s, const unsigned char **out, unsigned char *n,
                             const unsigned char *in, unsigned in_n, void *arg)
{
    (void)s, (void)arg;
    for (unsigned i = 0; i + 1 + in[i] <= in_n; i += 1u + in[i])
        if (in[i] == 8 && memcmp(in + i + 1, "http/1.1", 8) == 0) {
            *out = in + i + 1;
            *n = 8;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK;
}

static inline void world_context(struct tls_world *w, SSL_CTX *ctx)
{
    const struct tls_case *c = w->c;
    SSL_CTX_set_app_data(ctx, w);
    SSL_CTX_set_min_proto_version(ctx, c->version);
    SSL_CTX_set_max_proto_version(ctx, c->version);
    if (c->version == TLS1_3_VERSION)
        assert_int_equal(SSL_CTX_set_ciphersuites(ctx, c->suite), 1);
    else
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, c->suite), 1);
    SSL_CTX_set_security_level(ctx, 0); /* tags of 8 bytes */
    SSL_CTX_set_options(ctx, c->without);
    if (c->padding)
        SSL_CTX_set_block_padding(ctx, 512);
    if (c->small_records)
        SSL_CTX_set_max_send_fragment(ctx, 512);
}

static inline int world_large(SSL *s, unsigned type, unsigned context,
                              const unsigned char **out, size_t *n, X509 *x, size_t at,
                              int *alert, void *arg)
{
    static const unsigned char share[1700];
    (void)s, (void)type, (void)context, (void)x, (void)at, (void)alert, (void)arg;
    *out = share;
    *n = sizeof share;
    return 1;
}

static inline int world_trusts(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 1;
}

static inline void world_open(struct tls_world *w, const struct tls_case *c)
{
    memset(w, 0, sizeof *w);
    w->c = c;
    w->client_ctx = SSL_CTX_new(TLS_client_method());
    w->server_ctx = SSL_CTX_new(TLS_server_method());
    world_context(w, w->client_ctx);
    world_context(w, w->server_ctx);
    world_certificate(w->server_ctx, c->rsa);
    SSL_CTX_set_keylog_callback(w->client_ctx, world_keylog);
    SSL_CTX_set_alpn_select_cb(w->server_ctx, world_alpn, NULL);
    SSL_CTX_set_session_id_context(w->server_ctx, (const unsigned char *)"t", 1);
    if (c->retry) {
        SSL_CTX_set1_groups_list(w->client_ctx, "X25519:P-256");
        SSL_CTX_set1_groups_list(w->server_ctx, "P-256");
    }
    if (c->renegotiate)
        SSL_CTX_set_options(w->server_ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    if (c->early)
        SSL_CTX_set_max_early_data(w->server_ctx, 16384);
    if (c->certificate) {
        world_certificate(w->client_ctx, c->rsa);
        SSL_CTX_set_verify(w->server_ctx, SSL_VERIFY_PEER, world_trusts);
    }
    if (c->large_hello)
        SSL_CTX_add_custom_ext(w->client_ctx, 0xfafa, SSL_EXT_CLIENT_HELLO, world_large,
                               NULL, NULL, NULL, NULL);
}

/* Move what one side has written to the other, past the listener. */
static inline bool world_move(struct tls_world *w, SSL *from, SSL *to, enum stream_dir d)
{
    char bytes[40000];
    int n = BIO_read(SSL_get_wbio(from), bytes, sizeof bytes);
    if (n <= 0)
        return false;
    assert_int_equal(BIO_write(SSL_get_rbio(to), bytes, n), n);
    assert_true(w->parts < COUNT_OF(w->part));
    w->part[w->parts].d = d;
    w->part[w->parts].at = w->wire.n;
    w->part[w->parts++].n = (size_t)n;
    buf_add(&w->wire, slice_of(bytes, (size_t)n));
    w->first_key += w->keys.n == 0;
    return true;
}

static inline void world_read(SSL *s)
{
    char bytes[20000];
    while (SSL_read(s, bytes, sizeof bytes) > 0)
        ;
}

static inline void world_settle(struct tls_world *w)
{
    bool moved;
    do {
        if (!SSL_is_init_finished(w->client))
            SSL_do_handshake(w->client);
        else
            world_read(w->client);
        moved = world_move(w, w->client, w->server, STREAM_UP);
        if (!SSL_is_init_finished(w->server))
            SSL_do_handshake(w->server);
        else
            world_read(w->server);
        moved = world_move(w, w->server, w->client, STREAM_DOWN) || moved;
    } while (moved);
}

static inline void world_say(struct tls_world *w, enum stream_dir d, size_t n, char c)
{
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(c + (char)(i % 23));
    SSL *s = d == STREAM_UP ? w->client : w->server;
    assert_int_equal(SSL_write(s, text, (int)n), (int)n);
    buf_add(&w->plain[d], slice_of(text, n));
    free(text);
    world_settle(w);
}

static inline void world_early(struct tls_world *w)
{
    size_t n;
    char bytes[64];
    assert_int_equal(SSL_write_early_data(w->client, "early words", 11, &n), 1);
    world_move(w, w->client, w->server, STREAM_UP);
    int rc = SSL_read_early_data(w->server, bytes, sizeof bytes, &n);
    assert_int_equal(rc, w->c->retry ? SSL_READ_EARLY_DATA_FINISH /* refused */
                                     : SSL_READ_EARLY_DATA_SUCCESS);
}

static inline void world_connect(struct tls_world *w)
{
    w->client = SSL_new(w->client_ctx);
    w->server = SSL_new(w->server_ctx);
    SSL_set_bio(w->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_bio(w->server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(w->client);
    SSL_set_accept_state(w->server);
    SSL_set_tlsext_host_name(w->client, "api.example.com");
    SSL_set_alpn_protos(w->client, (const unsigned char *)"\2h2\10http/1.1", 12);
    if (w->session) {
        SSL_set_session(w->client, w->session);
        if (w->c->early)
            world_early(w);
    }
    world_settle(w);
    assert_true(SSL_is_init_finished(w->client) && SSL_is_init_finished(w->server));
}

static inline void world_disconnect(struct tls_world *w)
{
    SSL_free(w->client);
    SSL_free(w->server);
    w->client = w->server = NULL;
}

/* The whole conversation of a case. */
static inline void world_talk(struct tls_world *w)
{
    if (w->c->resume || w->c->early) { /* an earlier connection, not in the trace */
        world_connect(w);
        w->session = SSL_get1_session(w->client);
        SSL_shutdown(w->client); /* else the server forgets the session */
        world_settle(w);
        SSL_shutdown(w->server);
        world_disconnect(w);
        buf_reset(&w->keys);
        buf_reset(&w->wire);
        w->parts = w->first_key = 0;
    }
    world_connect(w);
    bool reused = w->session && !w->c->retry; /* one that was refused early is not */
    CHECK(SSL_session_reused(w->client) == reused, "%s", w->c->name);
    world_say(w, STREAM_UP, 300, 'A');
    world_say(w, STREAM_DOWN, 1, 'b');
    world_say(w, STREAM_DOWN, 1400, 'c');
    if (w->c->key_update) {
        SSL_key_update(w->client, SSL_KEY_UPDATE_REQUESTED);
        world_say(w, STREAM_UP, 77, 'd');
        SSL_key_update(w->server, SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    world_say(w, STREAM_DOWN, 700, 'e');
    world_say(w, STREAM_UP, 2500, 'f');
    if (w->c->renegotiate) {
        assert_int_equal(SSL_renegotiate(w->client), 1);
        SSL_do_handshake(w->client);
        world_settle(w);
        SSL_write(w->client, "unseen", 6);
        world_settle(w);
    }
    SSL_shutdown(w->server);
    world_settle(w);
    world_disconnect(w);
}

static inline void world_close(struct tls_world *w)
{
    SSL_SESSION_free(w->session);
    SSL_CTX_free(w->client_ctx);
    SSL_CTX_free(w->server_ctx);
    buf_release(&w->keys);
    buf_release(&w->wire);
    buf_release(&w->plain[0]);
    buf_release(&w->plain[1]);
}

#endif
