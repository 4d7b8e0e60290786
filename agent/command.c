/* The run command, and what run and check share: see command.h. A shell file. */
#include "agent/command.h"

#include "agent/pipeline.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, SPARE_FILES = 64 };

static const char run_help[] =
    "usage: breakeven-agent run -c FILE [--once] [--replace-damaged-spool]\n"
    "\n"
    "Follows the log files of a configuration through rotation and listens to its\n"
    "capture, counts the LLM calls in them, keeps hourly totals in a crash-safe spool "
    "and\n"
    "ships them to a collector. Each call counts once, also after a crash. Prompts and\n"
    "answers are never stored.\n"
    "\n"
    "  -c, --config FILE         the configuration (docs/agent.md; config/agent.yaml)\n"
    "  --once                    read all that stands in the files, ship it, end\n"
    "  --replace-damaged-spool   move a damaged spool aside and start a new one; files\n"
    "                            that exist then are followed from their ends\n"
    "  -h, --help                this text\n"
    "\n"
    "Messages go to standard error. SIGTERM and SIGINT commit, ship once more and end;\n"
    "SIGHUP looks for new files. A capture needs CAP_NET_RAW at the start; every "
    "privilege\n"
    "is given up once it is open.\n"
    "\n"
    "Exit status: 0 done; 1 stopped by an error, or (--once) totals wait for a "
    "collector\n"
    "that does not answer; 2 wrong usage or configuration, as file:line: reason.\n";

static const char check_help[] =
    "usage: breakeven-agent check -c FILE [--json]\n"
    "\n"
    "Validates a configuration for `run`; says which files it would read now, in which\n"
    "format, how many calls stand in the first 64 KiB of each, what it would leave out\n"
    "and why, whether the capture could be opened, and where the totals would go.\n"
    "Changes nothing and connects to nothing.\n"
    "\n"
    "  -c, --config FILE   the configuration (docs/agent.md; config/agent.yaml)\n"
    "  --json              the answer as one JSON object\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 valid; 2 wrong usage or configuration, as file:line: reason.\n";

static int wrong_usage(const char *command)
{
    fprintf(stderr, "Try 'breakeven-agent %s --help'.\n", command);
    return EXIT_USAGE;
}

int command_options_parse(int argc, char **argv, const char *flag,
                          struct command_options *out)
{
    const bool run = strcmp(argv[0], "run") == 0;
    const struct option longs[] = {
        { "config", required_argument, NULL, 'c' },
        { flag, no_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { run ? "replace-damaged-spool" : NULL, no_argument, NULL, 'r' },
        { 0 },
    };
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'f':
            out->flag = true;
            break;
        case 'r':
            out->replace_spool = true;
            break;
        case 'h':
            fputs(run ? run_help : check_help, stdout);
            exit(0);
        default:
            return wrong_usage(argv[0]);
        }
    }
    if (!out->config)
        fprintf(stderr, "breakeven-agent %s: which configuration? -c FILE\n", argv[0]);
    else if (optind < argc)
        fprintf(stderr, "breakeven-agent %s: '%s' is too much\n", argv[0], argv[optind]);
    else
        return 0;
    return wrong_usage(argv[0]);
}

int command_load(const char *path, struct arena *a, struct config *c, const char **token)
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
    struct command_options opt = { 0 };
    struct config c;
    struct arena a;
    struct pipeline *p = NULL;
    const char *token = "";
    int code = command_options_parse(argc, argv, "once", &opt);
    if (code)
        return code;
    arena_init(&a, 64 << 20);
    code = command_load(opt.config, &a, &c, &token);
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
        enum status st = pipeline_new(&c, token, opt.flag, opt.replace_spool, &log, &p);
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
