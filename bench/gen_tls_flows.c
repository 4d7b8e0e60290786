/*
 * Makes a capture of many connections of HTTP/2 over TLS 1.3, each of which has carried a
 * call and then idles, all of them open to the end: what a meter has to keep of a
 * client's pool. usage: gen_tls_flows FILE.pcap KEYLOG CONNECTIONS
 *
 * Client and server are OpenSSL, over memory. Prints the truth.
 */
#include "flows.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

static FILE *keys;

static void on_key(const SSL *ssl, const char *line)
{
    (void)ssl;
    fprintf(keys, "%s\n", line);
}

static void must(int ok, const char *what)
{
    if (ok > 0)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static void certify(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    must(key && cert, "key");
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"api.openai.com", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    must(X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()), "certificate");
    must(SSL_CTX_use_certificate(ctx, cert) && SSL_CTX_use_PrivateKey(ctx, key), "use");
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* What `from` has written becomes segments, and the other side's input. */
static void carry(struct flow *f, uint32_t i, int down, SSL *from, SSL *to)
{
    char bytes[1400];
    int n;
    while ((n = BIO_read(SSL_get_wbio(from), bytes, sizeof bytes)) > 0) {
        segment(f, i, down, PSH | ACK, bytes, (size_t)n);
        must(BIO_write(SSL_get_rbio(to), bytes, n), "BIO_write");
    }
}

static void say(struct flow *f, uint32_t i, int down, SSL *side[2], const char *p,
                size_t n)
{
    char heard[4096];
    must(SSL_write(side[down], p, (int)n), "SSL_write");
    carry(f, i, down, side[down], side[!down]);
    while (SSL_read(side[!down], heard, sizeof heard) > 0)
        ;
}

static void one_call(struct flow *f, uint32_t i, SSL *side[2])
{
    static const char body[] = "{\"model\":\"gpt-4o-mini\",\"messages\":[]}";
    char whole[8192], reply[1024];
    size_t n = strlen(preface);
    memcpy(whole, preface, n);
    n += frame(whole + n, SETTINGS, 0, "", 0);
    say(f, i, 0, side, whole, n);
    say(f, i, 1, side, whole, frame(whole, SETTINGS, 0, "", 0));
    n = headers(whole, asked);
    n += frame(whole + n, DATA, END_STREAM, body, strlen(body));
    say(f, i, 0, side, whole, n);
    snprintf(reply, sizeof reply,
             "{\"id\":\"chatcmpl-%u\",\"object\":\"chat.completion\",\"model\":"
             "\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":%u,"
             "\"completion_tokens\":7,\"total_tokens\":%u}}",
             i, 100 + i % 50, 107 + i % 50);
    n = headers(whole, answered);
    n += frame(whole + n, DATA, END_STREAM, reply, strlen(reply));
    say(f, i, 1, side, whole, n);
}

static SSL *side_new(SSL_CTX *ctx)
{
    SSL *s = SSL_new(ctx);
    must(s != NULL, "SSL_new");
    SSL_set_bio(s, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return s;
}

static void open_and_call(struct flow *f, uint32_t i, SSL_CTX *client, SSL_CTX *server)
{
    SSL *side[2] = { side_new(client), side_new(server) };
    f->seq[0] = i * 7919u;
    f->seq[1] = i * 104729u;
    segment(f, i, 0, SYN, "", 0);
    segment(f, i, 1, SYN | ACK, "", 0);
    SSL_set_connect_state(side[0]);
    SSL_set_accept_state(side[1]);
    SSL_set_tlsext_host_name(side[0], "api.openai.com");
    for (int turn = 0; turn < 3; turn++) {
        SSL_do_handshake(side[turn & 1]);
        carry(f, i, turn & 1, side[turn & 1], side[!(turn & 1)]);
    }
    SSL_do_handshake(side[1]);
    must(SSL_is_init_finished(side[0]) && SSL_is_init_finished(side[1]), "handshake");
    carry(f, i, 1, side[1], side[0]);
    one_call(f, i, side);
    SSL_free(side[0]);
    SSL_free(side[1]);
}

int main(int argc, char **argv)
{
    uint32_t n = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    struct flow *flow = calloc(n ? n : 1, sizeof *flow);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    unsigned long long in = 0;
    if (!n || !flow || !client || !server) {
        fprintf(stderr, "usage: gen_tls_flows FILE.pcap KEYLOG CONNECTIONS\n");
        return 2;
    }
    server_port = 443;
    begin_capture(argv[1]);
    keys = fopen(argv[2], "w");
    must(keys != NULL, argv[2]);
    certify(server);
    SSL_CTX_set_keylog_callback(client, on_key);
    for (uint32_t i = 0; i < n; i++) {
        open_and_call(&flow[i], i, client, server);
        in += 100 + i % 50;
    }
    for (uint32_t i = 0; i < n; i++) {
        segment(&flow[i], i, 0, FIN | ACK, "", 0);
        segment(&flow[i], i, 1, FIN | ACK, "", 0);
    }
    if (fclose(out) || fclose(keys))
        return 1;
    printf("{\"packets\":%llu,\"openai\":{\"exchanges\":%u,\"input_tokens\":%llu,"
           "\"cached_tokens\":0,\"output_tokens\":%u}}\n",
           (unsigned long long)packets, n, in, 7 * n);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    free(flow);
    return 0;
}
