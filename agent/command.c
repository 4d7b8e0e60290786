/* Commands run and check: see command.h. A shell file. */
#include "agent/command.h"

#include "agent/glob.h"
#include "agent/pipeline.h"
#include "agent/tail_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, SPARE_FILES = 64 };

struct options {
    const char *config;
    bool once, json;
    bool replace_spool;
};

/* 0, or the exit code. `flag` is the one long option beside --config. */
static int parse_options(int argc, char **argv, const char *flag, struct options *out)
{
    const bool run = strcmp(argv[0], "run") == 0;
    const struct option longs[] = {
        { "config", required_argument, NULL, 'c' },
        { flag, no_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { run ? "replace-damaged-spool" : NULL, no_argument, NULL, 'r' },
        { 0 },
    };
    const char *usage = "usage: breakeven-agent %s -c FILE [--%s]%s\n";
    const char *more = run ? " [--replace-damaged-spool]" : "";
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'f':
            out->once = out->json = true;
            break;
        case 'r':
            out->replace_spool = true;
            break;
        case 'h':
            printf(usage, argv[0], flag, more);
            exit(0);
        default:
            fprintf(stderr, usage, argv[0], flag, more);
            return EXIT_USAGE;
        }
    }
    if (!out->config || optind < argc) {
        fprintf(stderr, usage, argv[0], flag, more);
        return EXIT_USAGE;
    }
    return 0;
}

/* 0, or the exit code after saying why. */
static int load(const char *path, struct arena *a, struct config *c, const char **token)
{
    struct buf why = { 0 };
    enum status st = config_load(path, a, c, &why);
    if (st == ST_OK)
        st = config_token(c, a, token, &why);
    if (st != ST_OK)
        fprintf(stderr, "breakeven-agent: %s\n",
                why.n ? buf_cstr(&why) : status_name(st));
    buf_release(&why);
    return st == ST_OK ? 0 : EXIT_USAGE;
}

/* --- run --- */

/* Room for what limits.open_files promises. */
static void raise_files(int64_t want)
{
    struct rlimit r;
    rlim_t need = (rlim_t)want + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= need)
        return;
    r.rlim_cur = r.rlim_max == RLIM_INFINITY || need < r.rlim_max ? need : r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
}

/* SIGTERM and SIGINT stop, SIGHUP scans; all through a descriptor. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* A new spool in place of a damaged one knows no positions: what stands in the files has
 * been counted and mostly shipped, so that counting it again would double it. */
static void start_at_ends(struct config *c)
{
    struct config_logs *logs = c->logs.at;
    for (size_t i = 0; i < c->logs.n; i++)
        logs[i].start = CONFIG_START_END;
}

int command_run(int argc, char **argv)
{
    struct options opt = { 0 };
    struct config c;
    struct arena a;
    struct pipeline *p = NULL;
    const char *token = "";
    int code = parse_options(argc, argv, "once", &opt);
    if (code)
        return code;
    arena_init(&a, 64 << 20);
    code = load(opt.config, &a, &c, &token);
    if (code == 0) {
        struct log log = log_open("breakeven-agent");
        log.level = (enum log_level)c.log_level;
        /* One arena of malloc and early returns: an agent that idles small. */
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_TRIM_THRESHOLD, 64 << 10);
        mallopt(M_MMAP_THRESHOLD, 64 << 10);
        raise_files(c.limits.open_files);
        if (opt.replace_spool)
            start_at_ends(&c);
        int signals = open_signals();
        log_info(&log, "breakeven-agent %s, agent %s", BREAKEVEN_VERSION, c.agent);
        enum status st = pipeline_new(&c, token, opt.once, opt.replace_spool, &log, &p);
        malloc_trim(0);
        if (st == ST_OK)
            st = pipeline_run(p, signals);
        pipeline_free(p);
        close(signals);
        code = st == ST_OK ? 0 : st == ST_CONFIG ? EXIT_USAGE : 1;
    }
    arena_release(&a);
    return code;
}

/* --- check --- */

struct check {
    const struct config_logs *logs;
    struct extract *extract;
    struct json_out *json; /* NULL: text */
    unsigned files, refused;
};

/* What this file would be read as; *reason: why it would not be. */
static const char *format_of(const struct check *k, const char *path, const char **reason)
{
    static char block[64 << 10];
    const struct logline_options opt = { .format = k->logs->logformat,
                                         .mtime_ns = USAGE_NO_TIME };
    const char *name = "";
    struct logline *l = NULL;
    *reason = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : read(fd, block, sizeof block);
    if (n < 0) {
        *reason = strerror(errno);
    } else if (glob_gz(path) && n >= 2 && (unsigned char)block[0] == 0x1f) {
        name = "gzip";
    } else if ((l = logline_new(k->extract, &opt))) {
        logline_sniff(l, slice_of(block, (size_t)n), reason);
        name = logformat_name(logline_format(l));
    }
    logline_free(l);
    if (fd >= 0)
        close(fd);
    return name;
}

static void on_file(void *arg, const char *path, const struct stat *st, bool sibling)
{
    struct check *k = arg;
    const char *reason;
    const char *format = format_of(k, path, &reason);
    k->files++;
    k->refused += reason != NULL;
    if (!k->json) {
        printf("    %-48s %12lld bytes  %s%s%s\n", path, (long long)st->st_size,
               reason ? "left out: " : format, reason ? reason : "",
               sibling ? "  (rotated: only what the agent has not read before)" : "");
        return;
    }
    json_open(k->json, '{');
    json_key(k->json, "path");
    json_str(k->json, slice_str(path));
    json_key(k->json, "bytes");
    json_i64(k->json, st->st_size);
    json_key(k->json, "format");
    json_str(k->json, slice_str(format));
    json_key(k->json, "rotated");
    json_bool(k->json, sibling);
    json_key(k->json, "left_out");
    if (reason)
        json_str(k->json, slice_str(reason));
    else
        json_null(k->json);
    json_close(k->json, '}');
}

static void on_denied(void *arg, const char *path)
{
    struct check *k = arg;
    k->refused++;
    if (!k->json)
        printf("    %s: %s\n", path, strerror(errno));
}

static void check_pattern(struct check *k, const char *pattern)
{
    const struct tail_walk on = { .arg = k, .file = on_file, .denied = on_denied };
    k->files = 0;
    if (k->json) {
        json_open(k->json, '{');
        json_key(k->json, "pattern");
        json_str(k->json, slice_str(pattern));
        json_key(k->json, "app");
        json_str(k->json, slice_str(k->logs->app));
        json_key(k->json, "files");
        json_open(k->json, '[');
    } else {
        printf("  %s%s%s\n", pattern, *k->logs->app ? "  app " : "", k->logs->app);
    }
    if (strcmp(pattern, "-") != 0)
        tail_walk(pattern, &k->logs->exclude, &on);
    else if (!k->json)
        printf("    standard input\n");
    if (k->json) {
        json_close(k->json, ']');
        json_close(k->json, '}');
    } else if (k->files == 0 && strcmp(pattern, "-") != 0) {
        printf("    no file matches now\n");
    }
}

static void check_logs(const struct config *c, struct check *k)
{
    for (size_t i = 0; i < c->logs.n; i++) {
        k->logs = config_logs(c, i);
        for (size_t p = 0; p < k->logs->path.n; p++)
            check_pattern(k, k->logs->path.at[p]);
    }
}

static void print_text(const struct config *c, const char *token, struct check *k)
{
    printf("agent      %s\nstate      %s\n", c->agent, c->state_dir);
    if (*c->collector.url)
        printf("collector  %s (%s, %s)\n", c->collector.url,
               config_compressions[c->collector.compression],
               *token ? "with a token" : "without a token");
    else
        printf("collector  none: totals stay in the spool\n");
    printf("logs\n");
    check_logs(c, k);
}

static void print_json(const struct config *c, const char *token, struct check *k)
{
    struct buf text = { 0 };
    struct json_out o = { .b = &text };
    k->json = &o;
    json_open(&o, '{');
    json_key(&o, "agent");
    json_str(&o, slice_str(c->agent));
    json_key(&o, "state_dir");
    json_str(&o, slice_str(c->state_dir));
    json_key(&o, "collector");
    if (*c->collector.url)
        json_str(&o, slice_str(c->collector.url));
    else
        json_null(&o);
    json_key(&o, "token");
    json_bool(&o, *token != '\0');
    json_key(&o, "logs");
    json_open(&o, '[');
    check_logs(c, k);
    json_close(&o, ']');
    json_close(&o, '}');
    puts(buf_cstr(&text));
    buf_release(&text);
}

int command_check(int argc, char **argv)
{
    struct options opt = { 0 };
    struct config c;
    struct arena a;
    const char *token = "";
    int code = parse_options(argc, argv, "json", &opt);
    if (code)
        return code;
    arena_init(&a, 64 << 20);
    code = load(opt.config, &a, &c, &token);
    if (code == 0) {
        struct check k = { .extract = extract_new() };
        if (opt.json)
            print_json(&c, token, &k);
        else
            print_text(&c, token, &k);
        extract_free(k.extract);
    }
    arena_release(&a);
    return code;
}
