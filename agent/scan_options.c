/* The options of scan: see scan_options.h. */
#include "agent/scan_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/instant.h"

enum { WINDOW = 32768 /* calls remembered for repeats */ };

static void help(FILE *to)
{
    fputs(
        "usage: breakeven-agent scan [options] PATH...\n"
        "\n"
        "Counts the LLM calls in logs and captures (pcap, pcapng): calls, tokens\n"
        "and cost by day and model. PATH is a file, a folder (all files below it)\n"
        "or - for standard input; gzip and zstd are unpacked. Nothing is stored,\n"
        "nothing leaves this machine.\n"
        "\n"
        "Output (a table without these):\n"
        "  --json            one JSON object: rows, totals, what was read and skipped\n"
        "  --csv             the rows as CSV\n"
        "  --calls           one JSON line per judged record, in order\n"
        "  --all             with --calls: records that are no LLM calls too\n"
        "\n"
        "What is read:\n"
        "  --format NAME     the log format, instead of looking (below)\n"
        "  --provider NAME   provider of records that do not name theirs\n"
        "  --regex RE        text lines, by groups named as in docs/formats.md\n"
        "  --fields A=B,...  names in JSON lines or logfmt: model=m,in=it,out=ot\n"
        "  --input SENSE     with these: auto, inclusive (of cached), exclusive\n"
        "  --cumulative      with these: counters go on from line to line\n"
        "  --thousands       with these: 1,234 is one number\n"
        "  --from DATE       from this UTC day on (2026-11-02)\n"
        "  --to DATE         up to and with this UTC day\n"
        "  --no-dedup        count every record, repeats of the same call too\n"
        "  --window N        calls remembered to find repeats (32768)\n"
        "  --tls-keylog FILE secrets that open TLS in captures (SSLKEYLOGFILE); may be\n"
        "                    given several times\n"
        "  --follow          one file that still grows, until SIGINT or SIGTERM\n"
        "\n"
        "Prices and progress:\n"
        "  --prices FILE     price book to use instead of the built-in one\n"
        "  --progress        show progress on standard error (default on a terminal)\n"
        "  --no-progress     do not\n"
        "  -h, --help        this text\n"
        "\n"
        "Formats:\n",
        to);
    for (unsigned f = 0; f < LOGFORMAT_N; f++)
        fprintf(to, "  %-16s  %s\n", logformat_name((enum logformat)f),
                logformat_help((enum logformat)f));
    fputs("\n"
          "Exit status: 0 done, 1 something could not be read, 2 wrong usage.\n"
          "\n"
          "Examples:\n"
          "  breakeven-agent scan /var/log/app\n"
          "  breakeven-agent scan --from 2026-11-01 --csv ~/.claude/projects > nov.csv\n"
          "  kubectl logs deploy/api | breakeven-agent scan -\n",
          to);
}

int scan_options_wrong(const char *fmt, const char *what)
{
    fputs("breakeven-agent scan: ", stderr);
    fprintf(stderr, fmt, what);
    fputs("\nTry 'breakeven-agent scan --help'.\n", stderr);
    return 2;
}

enum option_id {
    O_JSON = 256,
    O_CSV,
    O_CALLS,
    O_ALL,
    O_FORMAT,
    O_PROVIDER,
    O_FROM,
    O_TO
};
enum { O_REGEX = 290, O_FIELDS, O_INPUT, O_CUMULATIVE, O_THOUSANDS };
enum {
    O_NO_DEDUP = 300,
    O_WINDOW,
    O_PRICES,
    O_PROGRESS,
    O_NO_PROGRESS,
    O_TLS_KEYLOG,
    O_FOLLOW
};

static const struct option long_options[] = {
    { "json", no_argument, NULL, O_JSON },
    { "csv", no_argument, NULL, O_CSV },
    { "calls", no_argument, NULL, O_CALLS },
    { "all", no_argument, NULL, O_ALL },
    { "format", required_argument, NULL, O_FORMAT },
    { "provider", required_argument, NULL, O_PROVIDER },
    { "regex", required_argument, NULL, O_REGEX },
    { "fields", required_argument, NULL, O_FIELDS },
    { "input", required_argument, NULL, O_INPUT },
    { "cumulative", no_argument, NULL, O_CUMULATIVE },
    { "thousands", no_argument, NULL, O_THOUSANDS },
    { "from", required_argument, NULL, O_FROM },
    { "to", required_argument, NULL, O_TO },
    { "no-dedup", no_argument, NULL, O_NO_DEDUP },
    { "window", required_argument, NULL, O_WINDOW },
    { "prices", required_argument, NULL, O_PRICES },
    { "tls-keylog", required_argument, NULL, O_TLS_KEYLOG },
    { "follow", no_argument, NULL, O_FOLLOW },
    { "progress", no_argument, NULL, O_PROGRESS },
    { "no-progress", no_argument, NULL, O_NO_PROGRESS },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int take_rule_option(struct scan_options *o, int c)
{
    switch (c) {
    case O_REGEX:
        o->rule.regex = optarg;
        return 0;
    case O_FIELDS:
        o->fields = optarg;
        return 0;
    case O_CUMULATIVE:
        o->rule.cumulative = true;
        return 0;
    case O_THOUSANDS:
        o->rule.thousands = true;
        return 0;
    default:
        for (int i = 0; logrule_senses[i]; i++)
            if (!strcmp(optarg, logrule_senses[i])) {
                o->rule.sense = i;
                return 0;
            }
        return 1 + scan_options_wrong("--input: '%s' is not auto, inclusive or exclusive",
                                      optarg);
    }
}

/* One option; 0, or an exit code plus one (help ends with 0). */
static int take_option(struct scan_options *o, int c)
{
    struct slice arg = slice_str(optarg);
    switch (c) {
    case O_JSON:
    case O_CSV:
    case O_CALLS:
        if (o->output != SCAN_TABLE)
            return 1 + scan_options_wrong("choose one of %s", "--json, --csv, --calls");
        o->output = (enum scan_output)(SCAN_JSON + (c - O_JSON));
        return 0;
    case O_ALL:
        o->all = true;
        return 0;
    case O_FORMAT:
        if (logformat_parse(arg, &o->format))
            return 0;
        return 1 + scan_options_wrong("unknown format '%s'", optarg);
    case O_PROVIDER:
        o->provider = optarg;
        return 0;
    case O_REGEX:
    case O_FIELDS:
    case O_INPUT:
    case O_CUMULATIVE:
    case O_THOUSANDS:
        return take_rule_option(o, c);
    case O_FROM:
        if (instant_day(arg, &o->from_ns))
            return 0;
        return 1 +
               scan_options_wrong("--from: '%s' is not a date like 2026-11-02", optarg);
    case O_TO:
        if (!instant_day(arg, &o->to_ns))
            return 1 +
                   scan_options_wrong("--to: '%s' is not a date like 2026-11-02", optarg);
        o->to_ns += INT64_C(86400000000000);
        return 0;
    case O_NO_DEDUP:
        o->no_dedup = true;
        return 0;
    case O_WINDOW:
        if (slice_u64(arg, &o->window) && o->window >= 16 && o->window <= 100000000)
            return 0;
        return 1 + scan_options_wrong(
                       "--window: '%s' is not a number from 16 to 100000000", optarg);
    case O_PRICES:
        o->prices = optarg;
        return 0;
    case O_TLS_KEYLOG:
        if (o->n_keylogs == SCAN_KEYLOGS)
            return 1 + scan_options_wrong("too many of %s", "--tls-keylog");
        o->keylogs[o->n_keylogs++] = optarg;
        return 0;
    case O_FOLLOW:
        o->follow = true;
        return 0;
    case O_PROGRESS:
    case O_NO_PROGRESS:
        o->progress = c == O_PROGRESS;
        return 0;
    case 'h':
        help(stdout);
        return 1;
    default: /* getopt has said what is wrong */
        fputs("Try 'breakeven-agent scan --help'.\n", stderr);
        return 1 + 2;
    }
}

int scan_options_parse(struct scan_options *o, int argc, char **argv)
{
    *o = (struct scan_options){ .from_ns = INT64_MIN,
                                .to_ns = INT64_MAX,
                                .window = WINDOW,
                                .progress = isatty(STDERR_FILENO) };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        int code = take_option(o, c);
        if (code)
            return code - 1;
    }
    if (optind == argc)
        return scan_options_wrong("which log files or folders%s?", "");
    if (o->follow && (optind + 1 != argc || o->output == SCAN_CSV))
        return scan_options_wrong("%s takes one file, and not --csv", "--follow");
    if (o->from_ns >= o->to_ns)
        return scan_options_wrong("%s lies after --to", "--from");
    return -1;
}
