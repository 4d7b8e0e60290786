/* The daemon: options, listening, stopping. See server.h. */
#include "collector/exchange.h"

#include "collector/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTION_MEMORY = 32768, STOP_WAIT_MS = 10000, PEM_MAX = 1 << 20 };

static void log_mhd(void *arg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void log_mhd(void *arg, const char *fmt, va_list ap)
{
    char line[512];
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    log_debug(arg, "http: %s", line);
}

/* The reaper's place of a connection, from accept to close. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        reaper_remove(s->reaper, *context);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = info
                   ? reaper_add(s->reaper, info->connect_fd, s->c->config->limits.head_ms)
                   : NULL;
}

static void on_reaped(void *arg)
{
    struct server *s = arg;
    metrics_reaped(s->c->metrics);
}

/* --- start ----------------------------------------------------------------------------
 */

static char *read_pem(const char *path, struct buf *why)
{
    char *text = calloc(1, PEM_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 && text ? read(fd, text, PEM_MAX) : -1;
    if (n <= 0)
        buf_addf(why, "tls: %s: %s", path, n == 0 ? "empty" : strerror(errno));
    if (fd >= 0)
        close(fd);
    if (n > 0)
        return text;
    free(text);
    return NULL;
}

enum status server_exposure(const struct config *cf, bool tokens, struct buf *why)
{
    char host[64];
    uint16_t port;
    if (config_listen(cf->listen, host, &port) != ST_OK)
        return ST_BAD;
    const char *const pem[] = { cf->tls.cert, cf->tls.key };
    for (size_t i = 0; i < 2; i++)
        if (*pem[i] && access(pem[i], R_OK) != 0) {
            buf_addf(why, "tls: %s: %s", pem[i], strerror(errno));
            return ST_DENIED;
        }
    if (config_loopback(host) || cf->insecure)
        return ST_OK;
    if (!*cf->tls.cert)
        buf_addf(why,
                 "listen: %s is reachable from other machines, and tls is not set; set "
                 "tls.cert and tls.key, listen on 127.0.0.1 behind a proxy, or say "
                 "insecure: true",
                 cf->listen);
    else if (!tokens)
        buf_addf(why,
                 "listen: %s is reachable from other machines, and there is no token; "
                 "make one with `breakeven-collector token add`, or say insecure: true",
                 cf->listen);
    return why->n ? ST_DENIED : ST_OK;
}

static enum status resolve(const char *listen, struct sockaddr_storage *out,
                           bool *loopback, struct buf *why)
{
    char host[64], digits[8];
    uint16_t port;
    struct addrinfo hint = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE },
                    *found = NULL;
    if (config_listen(listen, host, &port) != ST_OK)
        return ST_BAD;
    snprintf(digits, sizeof digits, "%u", port);
    int rc = getaddrinfo(host, digits, &hint, &found);
    if (rc != 0) {
        buf_addf(why, "listen: %s: %s", listen, gai_strerror(rc));
        return ST_IO;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    *loopback = config_loopback(host);
    return ST_OK;
}

static struct MHD_Daemon *start_daemon(struct server *s,
                                       const struct sockaddr_storage *at)
{
    const struct config_limits *lim = &s->c->config->limits;
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (at->ss_family == AF_INET6 ? MHD_USE_IPv6 : 0) |
                     (s->cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, s->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0,
          (void
               *)(uintptr_t) "SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem options[] = {
        { MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_mhd, (void *)(uintptr_t)s->c->log },
        { MHD_OPTION_SOCK_ADDR, 0, (void *)(uintptr_t)at },
        { MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)lim->threads, NULL },
        { MHD_OPTION_CONNECTION_LIMIT, (intptr_t)lim->connections, NULL },
        { MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)lim->connections_per_ip, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)(lim->idle_ms / 1000 + 1), NULL },
        { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
        { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_done, s },
        { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s },
        { s->cert ? MHD_OPTION_ARRAY : MHD_OPTION_END, 0, tls },
        { MHD_OPTION_END, 0, NULL },
    };
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_step, s, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

static enum status start(struct server *s, struct buf *why)
{
    const struct config *cf = s->c->config;
    struct sockaddr_storage at = { 0 };
    enum status st = resolve(cf->listen, &at, &s->loopback, why);
    if (st == ST_OK)
        st = server_exposure(cf, auth_any(s->auth, 0), why);
    if (st == ST_OK && *cf->tls.cert) {
        s->cert = read_pem(cf->tls.cert, why);
        s->key = s->cert ? read_pem(cf->tls.key, why) : NULL;
        st = s->key ? ST_OK : ST_DENIED;
    }
    if (st != ST_OK)
        return st;
    s->reaper = reaper_new(on_reaped, s);
    s->daemon = s->reaper ? start_daemon(s, &at) : NULL;
    if (s->daemon)
        return ST_OK;
    buf_addf(why, "listen: %s: %s", cf->listen, strerror(errno));
    return ST_IO;
}

enum status server_start(const struct collector *c, struct auth *auth,
                         struct server **out, struct buf *why)
{
    struct server *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return ST_NOMEM;
    s->c = c;
    s->auth = auth;
    enum status st = start(s, why);
    if (st == ST_OK)
        *out = s;
    else
        server_stop(s);
    return st;
}

uint16_t server_port(const struct server *s)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    if (s->daemon) {
        MHD_socket listening = MHD_quiesce_daemon(s->daemon);
        for (int ms = 0; atomic_load(&s->active) && ms < STOP_WAIT_MS; ms += 10)
            nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        MHD_stop_daemon(s->daemon);
        if (listening != MHD_INVALID_SOCKET)
            close(listening);
    }
    reaper_free(s->reaper);
    free(s->cert);
    free(s->key);
    free(s);
}
