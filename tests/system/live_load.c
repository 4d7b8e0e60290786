/*
 * live_load CALLS RATE: LLM calls on loopback at a steady rate, a server and a client
 * with keep-alive connections in one program, and the truth about them on standard
 * output. Made to be metered by tests/system/live.py.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
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

static void write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done <= 0)
            fail("write");
        p += done;
        n -= (size_t)done;
    }
}

/* False: the other side is done. */
static int read_all(int fd, char *p, size_t n)
{
    while (n) {
        ssize_t done = read(fd, p, n);
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

static void serve(int fd)
{
    char request[REQUEST + 1], reply[REPLY + 1], body[400];
    while (read_all(fd, request, REQUEST)) {
        unsigned call = (unsigned)strtoul(strstr(request, "X-Call: ") + 8, NULL, 10);
        snprintf(body, sizeof body,
                 "{\"id\":\"chatcmpl-load-%026u\",\"object\":\"chat.completion\","
                 "\"model\":\"gpt-4o-mini\",\"usage\":{\"prompt_tokens\":%u,"
                 "\"completion_tokens\":%u},\"pad\":\"",
                 call, tokens_of(call, 0), tokens_of(call, 1));
        message(reply, REPLY, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                body);
        write_all(fd, reply, REPLY);
    }
    _exit(0);
}

static void ask(int fd, unsigned call)
{
    char request[REQUEST + 1], reply[REPLY], head[200];
    snprintf(
        head, sizeof head,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nX-Call: %u\r\n"
        "Content-Type: application/json\r\n",
        call);
    message(request, REQUEST, head, "{\"model\":\"gpt-4o-mini\",\"pad\":\"");
    write_all(fd, request, REQUEST);
    if (!read_all(fd, reply, REPLY))
        fail("read");
}

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

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int client[CONNECTIONS], one = 1;
    unsigned calls = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
    double rate = argc > 2 ? atof(argv[2]) : 0;
    if (!calls || rate <= 0)
        return 2;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, CONNECTIONS) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0)
        fail("listen");
    for (int i = 0; i < CONNECTIONS; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client[i], (struct sockaddr *)&at, sizeof at) != 0)
            fail("connect");
        setsockopt(client[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        int server = accept(listener, NULL, NULL);
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (fork() == 0) {
            for (int k = 0; k <= i; k++)
                close(client[k]);
            close(listener);
            serve(server);
        }
        close(server);
    }
    unsigned long long in = 0, out = 0;
    double begin = now();
    for (unsigned c = 0; c < calls; c++) {
        wait_until(begin + c / rate);
        ask(client[c % CONNECTIONS], c);
        in += tokens_of(c, 0);
        out += tokens_of(c, 1);
    }
    double seconds = now() - begin;
    for (int i = 0; i < CONNECTIONS; i++)
        close(client[i]);
    while (wait(NULL) > 0)
        ;
    printf("{\"calls\":%u,\"input\":%llu,\"output\":%llu,\"seconds\":%.3f}\n", calls, in,
           out, seconds);
    return 0;
}
