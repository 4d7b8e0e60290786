/* `serve`: opens everything, waits for SIGTERM or SIGINT, closes it in reverse. */
#include "collector/auth.h"
#include "collector/background.h"
#include "collector/command.h"
#include "collector/metrics.h"
#include "collector/projection/questions.h"
#include "collector/score.h"
#include "collector/server.h"
#include "collector/writer.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* sd_notify(3) without libsystemd. */
static void tell_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    if (n == 0 || n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                 len);
    close(fd);
}

/* Before any thread: all of them inherit the mask, and only sigwait takes the signals. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static const char *path_or_null(const char *path)
{
    return *path ? path : NULL;
}

struct parts {
    struct store *store;
    struct price_book *book;
    struct metrics *metrics;
    struct scores *scores;
    struct writer *writer;
    struct auth *auth;
    struct server *server;
    struct gpu_list gpus;
    struct questions *questions;
    struct arena arena; /* of gpus */
    struct background *background;
};

static enum status open_parts(struct parts *p, struct collector *c, struct buf *why)
{
    const struct config *cf = c->config;
    struct store_options o = { .dir = cf->data_dir,
                               .retention_s = cf->retention.hourly_ms / 1000,
                               .series_max = (uint64_t)cf->limits.series,
                               .log = c->log };
    enum status st = store_sqlite_open(&o, &p->store, why);
    if (st == ST_OK)
        st = price_book_open(path_or_null(cf->prices), path_or_null(cf->price_overrides),
                             &p->book, why);
    if (st != ST_OK)
        return st;
    st = gpu_list_load(cf->projection.gpus, &p->gpus, &p->arena, why);
    if (st != ST_OK)
        return st;
    p->metrics = metrics_new();
    p->scores = scores_new(p->store);
    p->questions = questions_new();
    p->auth = auth_open(cf->data_dir, c->log);
    p->writer =
        p->metrics && p->auth && p->scores && p->questions
            ? writer_new(p->store, (size_t)cf->limits.queue_batches, p->metrics, c->log)
            : NULL;
    if (!p->writer)
        return ST_NOMEM;
    c->store = p->store;
    c->book = p->book;
    c->metrics = p->metrics;
    c->scores = p->scores;
    c->gpus = &p->gpus;
    c->questions = p->questions;
    c->writer = p->writer;
    st = server_start(c, p->auth, &p->server, why);
    if (st != ST_OK)
        return st;
    const struct background_config bc = { .store = p->store,
                                          .data_dir = cf->data_dir,
                                          .prices = p->book,
                                          .projection = &cf->projection,
                                          .gpus = &p->gpus,
                                          .workload = cf->workloads.at,
                                          .workloads = cf->workloads.n,
                                          .questions = p->questions,
                                          .alerts = &cf->alerts,
                                          .external_url = path_or_null(cf->public_url),
                                          .metrics = p->metrics,
                                          .log = c->log };
    p->background = background_start(&bc);
    return p->background ? ST_OK : ST_NOMEM;
}

static void close_parts(struct parts *p)
{
    server_stop(p->server);
    background_stop(p->background);
    writer_free(p->writer);
    auth_close(p->auth);
    scores_free(p->scores);
    questions_free(p->questions);
    metrics_free(p->metrics);
    price_book_free(p->book);
    store_free(p->store);
    arena_release(&p->arena);
}

static void serve_until_told(struct parts *p, const struct collector *c,
                             const sigset_t *signals)
{
    int got = 0;
    const struct config *cf = c->config;
    log_info(c->log, "version %s serves %s://%s (port %u), data in %s", BREAKEVEN_VERSION,
             *cf->tls.cert ? "https" : "http", cf->listen, server_port(p->server),
             cf->data_dir);
    if (cf->insecure)
        log_warn(c->log, "insecure: true; whoever reaches %s can read and write",
                 cf->listen);
    tell_systemd("READY=1");
    sigwait(signals, &got);
    tell_systemd("STOPPING=1");
    log_info(c->log, "stopping");
}

const char cmd_serve_usage[] =
    "usage: breakeven-collector serve [--config FILE]\n"
    "Receives totals from agents, keeps them in SQLite, prices and projects them, "
    "alerts,\n"
    "and answers the API, until SIGTERM or SIGINT. Without a file: the defaults\n"
    "(`check --help-config`).\n";

int cmd_serve(int argc, char **argv)
{
    const char *path = NULL;
    const struct command_option options[] = { { "config", &path, NULL } };
    struct config cf;
    struct arena a;
    struct buf why = { 0 };
    struct parts p = { 0 };
    sigset_t signals;
    int words;
    if (!command_options(argc, argv, options, 1, &words) || words) {
        fputs(cmd_serve_usage, stderr);
        return 2;
    }
    if (!command_config(path, &a, &cf))
        return 2;
    umask(0077);
    block_signals(&signals);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    arena_init(&p.arena, (size_t)4 << 20);
    struct log log = command_log(&cf);
    struct collector c = { .config = &cf, .log = &log, .started_s = time(NULL) };
    enum status st = open_parts(&p, &c, &why);
    if (st == ST_OK)
        serve_until_told(&p, &c, &signals);
    else
        log_error(&log, "%s", why.n ? buf_cstr(&why) : status_name(st));
    close_parts(&p);
    curl_global_cleanup();
    buf_release(&why);
    arena_release(&a);
    return st == ST_OK ? 0 : st == ST_CONFIG || st == ST_DENIED ? 2 : 1;
}
