/* breakeven-collector: the table of subcommands. */
#include "collector/command.h"

#include <stdio.h>

static const struct {
    const char *name;
    command_fn *run;
    const char *help;
} commands[] = {
    { "serve", cmd_serve, "receive totals, keep them, answer the API" },
    { "token", cmd_token, "add, list or revoke tokens" },
    { "project", cmd_project, "forecast each workload's bill and its breakeven, now" },
    { "forecast", cmd_forecast, "forecast series of a CSV file, with intervals" },
    { "report", cmd_report,
      "usage, cost and breakeven of the last days, for a terminal" },
    { "prices", cmd_prices, "look into the price book, check it, import price lists" },
    { "export", cmd_export, "usage and cost as JSON or CSV" },
    { "check", cmd_check, "check a configuration; --help-config lists its keys" },
};

static int print_usage(FILE *to)
{
    fputs("usage: breakeven-collector COMMAND [--config FILE] …\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs("  --version\n", to);
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct slice word = slice_str(argc > 1 ? argv[1] : "");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (slice_eq(word, slice_str(commands[i].name)))
            return commands[i].run(argc - 1, argv + 1);
    if (slice_eq(word, SLICE("--version"))) {
        puts("breakeven-collector " BREAKEVEN_VERSION);
        return 0;
    }
    if (slice_eq(word, SLICE("--help")) || slice_eq(word, SLICE("-h")))
        return print_usage(stdout);
    return print_usage(stderr);
}
