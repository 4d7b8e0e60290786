/*
 * live_load CALLS RATE [KEYLOG]: LLM calls on loopback at a steady rate, a server and a
 * client with keep-alive connections in one program, and the truth about them on standard
 * output. With KEYLOG in TLS, the secrets appended to that file. Made to be metered by
 * tests/system/live.py.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 16, REQUEST = 1200, REPLY = 2000 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* `head` with its body padded by one string member to `size` bytes in all. */
static size_t message(char *to, size_t size, const char *head, const char *body)
{
    char length[32];
    size_t h = strlen(head), b = strlen(body);
    size_t n = size - h - sizeof "Content-Length: 0000\r\n\r\n" + 1;
    snprintf(length, sizeof length, "Content-Length: %04zu\r\n\r\n", n);
    snprintf(to, size + 1, "%s%s%s", head, length, body);
    memset(to + h + strlen(length) + b, 'x', n - b - 2);
    memcpy(to + size - 2, "\"}", 2);
    return size;
}

struct wire {
    int fd;
    SSL *tls; /* NULL: in clear */
};

static void write_all(const struct wire *w, const char *p, size_t n)
{
    while (n) {
        ssize_t done = w->tls ? SSL_write(w->tls, p, (int)n) : write(w->fd, p, n);
        if (done <= 0)
            fail("write");
        p += done;
        n -= (size_t)done;
    }
}

/* False: the other side is done. */
static int read_all(const struct wire *w, char *p, size_t n)
{
    while (n) {
        ssize_t done = w->tls ? SSL_read(w->tls, p, (int)n) : read(w->fd, p, n);
        if (done <= 0)
            return 0;
        p += done;
        n -= (size_t)done;
    }
    return 1;
}

static unsigned tokens_of(unsigned call, unsigned which)
{
    return 1 + (call * 2654435761u >> (which ? 7 : 11)) % 997;
}

static void serve(const struct wire *w)
{
    char request[REQUEST + 1], reply[REPLY + 1], body[400];
    while (read_all(w, request, REQUEST)) {
        unsigned call = (unsigned)strtoul(strstr(request, "X-Call: ") + 8, NULL, 10);
        snprintf(body, sizeof body,
                 "{\"id\":\"chatcmpl-load-%026u\",\"object\":\"chat.completion\","
                 "\"model\":\"gpt-4o-mini\",\"usage\":{\"prompt_tokens\":%u,"
                 "\"completion_tokens\":%u},\"pad\":\"",
                 call, tokens_of(call, 0), tokens_of(call, 1));
        message(reply, REPLY, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                body);
        write_all(w, reply, REPLY);
    }
    _exit(0);
}

static void ask(const struct wire *w, unsigned call)
{
    char request[REQUEST + 1], reply[REPLY], head[200];
    snprintf(
        head, sizeof head,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nX-Call: %u\r\n"
        "Content-Type: application/json\r\n",
        call);
    message(request, REQUEST, head, "{\"model\":\"gpt-4o-mini\",\"pad\":\"");
    write_all(w, request, REQUEST);
    if (!read_all(w, reply, REPLY))
        fail("read");
}

/* --- TLS ------------------------------------------------------------------------------
 */

struct sides {
    SSL_CTX *client, *server; /* NULL: in clear */
};

static FILE *keylog;

static void log_secret(const SSL *ssl, const char *line)
{
    (void)ssl;
    fprintf(keylog, "%s\n", line);
    fflush(keylog);
}

/* A certificate that nobody checks. */
static void certify(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    if (!key || !cert || !X509_gmtime_adj(X509_getm_notBefore(cert), 0) ||
        !X509_gmtime_adj(X509_getm_notAfter(cert), 86400) ||
        !X509_set_pubkey(cert, key) || !X509_sign(cert, key, EVP_sha256()) ||
        SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        fail("certificate");
    X509_free(cert);
    EVP_PKEY_free(key);
}

static struct sides tls_sides(const char *keylog_path)
{
    struct sides s = { SSL_CTX_new(TLS_client_method()),
                       SSL_CTX_new(TLS_server_method()) };
    keylog = fopen(keylog_path, "a");
    if (!s.client || !s.server || !keylog)
        fail(keylog_path);
    certify(s.server);
    SSL_CTX_set_keylog_callback(s.client, log_secret);
    return s;
}

/* The handshake of one side; in clear nothing. */
static struct wire wire_of(int fd, SSL_CTX *ctx, int (*shake)(SSL *))
{
    struct wire w = { fd, ctx ? SSL_new(ctx) : NULL };
    if (ctx && (!w.tls || SSL_set_fd(w.tls, fd) != 1 || shake(w.tls) != 1))
        fail("handshake");
    return w;
}

/* --- time -----------------------------------------------------------------------------
 */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_until(double at)
{
    double left = at - now();
    struct timespec t = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
    if (left > 0)
        nanosleep(&t, NULL);
}

/* A connection to a child that serves it. */
static struct wire connect_one(const struct sockaddr_in *at, int listener,
                               const struct sides *sides)
{
    int one = 1, client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (const struct sockaddr *)at, sizeof *at) != 0)
        fail("connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int server = accept(listener, NULL, NULL);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fork() == 0) {
        for (int fd = 3; fd < server; fd++) /* clients' ends: they must be able to end */
            close(fd);
        struct wire w = wire_of(server, sides->server, SSL_accept);
        serve(&w);
    }
    close(server);
    return wire_of(client, sides->client, SSL_connect);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    struct wire client[CONNECTIONS];
    struct sides sides = { NULL, NULL };
    unsigned calls = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
    double rate = argc > 2 ? atof(argv[2]) : 0;
    if (!calls || rate <= 0)
        return 2;
    if (argc > 3)
        sides = tls_sides(argv[3]);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, CONNECTIONS) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0)
        fail("listen");
    for (int i = 0; i < CONNECTIONS; i++)
        client[i] = connect_one(&at, listener, &sides);
    unsigned long long in = 0, out = 0;
    double begin = now();
    for (unsigned c = 0; c < calls; c++) {
        wait_until(begin + c / rate);
        ask(&client[c % CONNECTIONS], c);
        in += tokens_of(c, 0);
        out += tokens_of(c, 1);
    }
    double seconds = now() - begin;
    for (int i = 0; i < CONNECTIONS; i++)
        close(client[i].fd);
    while (wait(NULL) > 0)
        ;
    printf("{\"calls\":%u,\"input\":%llu,\"output\":%llu,\"seconds\":%.3f}\n", calls, in,
           out, seconds);
    return 0;
}
