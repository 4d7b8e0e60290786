/* One HTTP request at a time through breakeven-ship: see ship_http.h. A shell file. */
#include "agent/ship_http.h"

#include "agent/ship_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = SHIP_HTTP_BODY_MAX + 4096 };

struct ship_http {
    const struct log *log;
    char *url, *token, *ca_file, *compression, *helper;
    pid_t pid; /* 0: idle */
    int fd;    /* what the helper says; -1: idle */
    int64_t deadline_ms;
    struct buf said;
};

/* --- Set up ---------------------------------------------------------------------- */

static bool printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

/* host[:port], an IPv6 host in brackets. */
static bool is_loopback(struct slice authority)
{
    struct slice host, port;
    slice_cut(authority, ':', &host, &port);
    return slice_ieq(host, SLICE("localhost")) || slice_starts(host, SLICE("127.")) ||
           slice_starts(authority, SLICE("[::1]"));
}

/* Says what is wrong with the configuration, or NULL. */
static const char *check(const struct ship_http_config *c, bool *naked_token)
{
    struct slice url = slice_str(c->url), token = slice_str(c->token), authority, path;
    struct slice pack = slice_str(c->compression);
    bool plain = slice_istarts(url, SLICE("http://"));
    if (!plain && !slice_istarts(url, SLICE("https://")))
        return "the collector's URL must begin with http:// or https://";
    slice_cut(slice_from(url, plain ? 7 : 8), '/', &authority, &path);
    if (authority.n == 0 || !printable(url) || slice_chr(url, '?') != SIZE_MAX ||
        slice_chr(url, '#') != SIZE_MAX)
        return "the collector's URL must be a scheme, a host, maybe a port and a path";
    if (slice_chr(authority, '@') != SIZE_MAX)
        return "the collector's URL must not hold a name or password; there is the token";
    if (!printable(token))
        return "the token holds a space or a control byte";
    if (pack.n && !slice_eq(pack, SLICE("zstd")) && !slice_eq(pack, SLICE("gzip")) &&
        !slice_eq(pack, SLICE("none")))
        return "compression must be zstd, gzip or none";
    *naked_token = plain && token.n && !is_loopback(authority);
    return NULL;
}

static char *joined(struct slice folder, const char *name)
{
    struct buf b = { 0 };
    buf_addf(&b, "%.*s/%s", SLICE_FMT(folder), name);
    buf_addc(&b, '\0');
    return b.p;
}

static char *find_helper(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    struct slice folder = slice_of(self, n > 0 ? (size_t)n : 0);
    while (folder.n && folder.p[folder.n - 1] != '/')
        folder.n--;
    char *path =
        joined(slice_head(folder, folder.n ? folder.n - 1 : 0), "breakeven-ship");
    if (path && access(path, X_OK) == 0)
        return path;
    free(path);
    path = joined(SLICE(BREAKEVEN_LIBEXECDIR), "breakeven-ship");
    if (path && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* A copy, or NULL for NULL and "". */
static char *copy(const char *s, bool *ok)
{
    char *out = s && *s ? strdup(s) : NULL;
    if (s && *s && !out)
        *ok = false;
    return out;
}

static enum status set_up(struct ship_http *h, const struct ship_http_config *c)
{
    bool ok = true, naked_token = false;
    const char *wrong = check(c, &naked_token);
    if (wrong) {
        log_error(h->log, "%s", wrong);
        return ST_CONFIG;
    }
    if (naked_token)
        log_warn(h->log, "the token travels unencrypted to the collector; use https");
    struct slice base = slice_str(c->url);
    while (slice_ends(base, SLICE("/")))
        base.n--;
    h->url = joined(base, "api/v1/usage");
    h->token = copy(c->token, &ok);
    h->ca_file = copy(c->ca_file, &ok);
    h->compression = copy(c->compression ? c->compression : "zstd", &ok);
    h->helper = c->helper ? copy(c->helper, &ok) : find_helper();
    if (!ok || !h->url)
        return ST_NOMEM;
    if (!h->helper || access(h->helper, X_OK) != 0) {
        log_error(h->log, "the helper program breakeven-ship is not beside the agent, nor"
                          " in " BREAKEVEN_LIBEXECDIR);
        return ST_NOT_FOUND;
    }
    return ST_OK;
}

enum status ship_http_new(const struct ship_http_config *c, const struct log *log,
                          struct ship_http **out)
{
    struct ship_http *h = calloc(1, sizeof *h);
    *out = NULL;
    if (!h)
        return ST_NOMEM;
    h->log = log;
    h->fd = -1;
    enum status st = set_up(h, c);
    if (st != ST_OK) {
        ship_http_free(h);
        return st;
    }
    *out = h;
    return ST_OK;
}

/* End the helper: it has said all that it will be heard. */
static void stop(struct ship_http *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    if (h->pid > 0) {
        kill(h->pid, SIGKILL);
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    h->pid = 0;
}

void ship_http_free(struct ship_http *h)
{
    if (!h)
        return;
    stop(h);
    if (h->token)
        explicit_bzero(h->token, strlen(h->token));
    free(h->url);
    free(h->token);
    free(h->ca_file);
    free(h->compression);
    free(h->helper);
    buf_release(&h->said);
    free(h);
}

/* --- A request ------------------------------------------------------------------- */

static enum status write_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return errno == ENOSPC || errno == ENOMEM ? ST_NOMEM : ST_IO;
        s = slice_from(s, n > 0 ? (size_t)n : 0);
    }
    return ST_OK;
}

/* The whole request in an anonymous file, read position at its start. */
static enum status make_request(const struct ship_http *h, struct slice header,
                                struct slice rows, int *fd)
{
    struct buf head = { 0 };
    enum status st = ST_OK;
    ship_pipe_begin(&head);
    ship_pipe_field(&head, "url", slice_str(h->url));
    ship_pipe_field(&head, "token", slice_str(h->token));
    ship_pipe_field(&head, "ca_file", slice_str(h->ca_file));
    ship_pipe_field(&head, "compression", slice_str(h->compression));
    ship_pipe_end(&head, header.n + rows.n);
    *fd = memfd_create("breakeven-ship", MFD_CLOEXEC);
    if (*fd < 0)
        st = ST_IO;
    if (st == ST_OK)
        st = head.st;
    if (st == ST_OK)
        st = write_all(*fd, buf_slice(&head));
    if (st == ST_OK)
        st = write_all(*fd, header);
    if (st == ST_OK)
        st = write_all(*fd, rows);
    if (st == ST_OK && lseek(*fd, 0, SEEK_SET) != 0)
        st = ST_IO;
    if (head.p)
        explicit_bzero(head.p, head.n);
    buf_release(&head);
    return st;
}

/* Standard input and output as given, standard error ours, nothing else inherited. */
static int spawn(const char *program, int in, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char name[] = "breakeven-ship", *argv[] = { name, NULL };
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    int rc = posix_spawn(pid, program, &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

enum status ship_http_start(struct ship_http *h, int64_t now_ms, struct slice header,
                            struct slice rows)
{
    int in = -1, ends[2] = { -1, -1 }, rc;
    stop(h);
    buf_reset(&h->said);
    enum status st = make_request(h, header, rows, &in);
    if (st == ST_OK && pipe2(ends, O_CLOEXEC) < 0)
        st = ST_IO;
    if (st == ST_OK && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        st = ST_IO;
    if (st != ST_OK) {
        log_error(h->log, "cannot prepare a request: %s", strerror(errno));
    } else if ((rc = spawn(h->helper, in, ends[1], &h->pid)) != 0) {
        log_error(h->log, "cannot start %s: %s", h->helper, strerror(rc));
        h->pid = 0;
        st = ST_IO;
    }
    if (in >= 0)
        close(in);
    if (ends[1] >= 0)
        close(ends[1]);
    if (st != ST_OK && ends[0] >= 0)
        close(ends[0]);
    if (st == ST_OK) {
        h->fd = ends[0];
        h->deadline_ms = now_ms + SHIP_HTTP_DEADLINE_MS;
    }
    return st;
}

bool ship_http_busy(const struct ship_http *h)
{
    return h->fd >= 0;
}

int ship_http_fd(const struct ship_http *h)
{
    return h->fd;
}

int64_t ship_http_deadline_ms(const struct ship_http *h)
{
    return h->fd >= 0 ? h->deadline_ms : INT64_MAX;
}

/* --- Its answer ------------------------------------------------------------------ */

static void take_field(void *arg, struct slice name, struct slice value)
{
    struct ship_answer *a = arg;
    uint64_t n;
    if (slice_eq(name, SLICE("status")) && slice_u64(value, &n) && n < 1000)
        a->status = (unsigned)n;
    else if (slice_eq(name, SLICE("retry_after_ms")) && slice_u64(value, &n))
        a->retry_after_ms = n < INT32_MAX ? (int64_t)n : INT32_MAX;
    else if (slice_eq(name, SLICE("error")))
        a->error = value;
}

/* ST_MORE: nothing there yet. ST_END: the helper closed its end. */
static enum status listen_to(struct ship_http *h)
{
    for (;;) {
        if (h->said.n > ANSWER_MAX)
            return ST_LIMIT;
        char *p = buf_room(&h->said, 4096);
        if (!p)
            return ST_NOMEM;
        ssize_t n = read(h->fd, p, 4096);
        if (n == 0)
            return ST_END;
        if (n > 0)
            h->said.n += (size_t)n;
        else if (errno == EAGAIN)
            return ST_MORE;
        else if (errno != EINTR)
            return ST_IO;
    }
}

enum status ship_http_step(struct ship_http *h, int64_t now_ms, struct ship_answer *a)
{
    *a = (struct ship_answer){ .retry_after_ms = -1 };
    if (h->fd < 0)
        return ST_END;
    enum status st = listen_to(h);
    if (st == ST_MORE && now_ms < h->deadline_ms)
        return ST_MORE;
    stop(h);
    if (st == ST_END && ship_pipe_read(buf_slice(&h->said), take_field, a, &a->body))
        return ST_OK;
    *a = (struct ship_answer){
        .retry_after_ms = -1,
        .error = st == ST_MORE ? SLICE("breakeven-ship took too long")
                               : SLICE("breakeven-ship ended without an answer")
    };
    return ST_OK;
}
