/* breakeven-collector: the table of subcommands. */
#include "collector/command.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    command_fn *run;
    const char *help, *usage;
} commands[] = {
    { "serve", cmd_serve, "receive totals, keep them, answer the API", cmd_serve_usage },
    { "token", cmd_token, "add, list or revoke tokens", cmd_token_usage },
    { "project", cmd_project, "forecast each workload's bill and its breakeven, now",
      cmd_project_usage },
    { "decide", cmd_decide, "is fine-tuning right for a workload, and what changed",
      cmd_decide_usage },
    { "compare", cmd_compare, "judge the parallel test of API model and specialist",
      cmd_compare_usage },
    { "forecast", cmd_forecast, "forecast series of a CSV file, with intervals",
      cmd_forecast_usage },
    { "report", cmd_report, "usage, cost and breakeven of the last days, for a terminal",
      cmd_report_usage },
    { "prices", cmd_prices, "look into the price book, check it, import price lists",
      cmd_prices_usage },
    { "export", cmd_export, "usage and cost as JSON or CSV", cmd_export_usage },
    { "alert", cmd_alert, "list, silence and acknowledge alerts; test a channel",
      cmd_alert_usage },
    { "snapshot", cmd_snapshot, "copy the store into a file, beside a running server",
      cmd_snapshot_usage },
    { "check", cmd_check, "check a configuration; --help-config lists its keys",
      cmd_check_usage },
};

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int print_usage(FILE *to)
{
    fputs("usage: breakeven-collector COMMAND [options]\n\n"
          "Keeps what agents metered, prices it, forecasts it, and says when hosting a\n"
          "fine-tuned model becomes cheaper.\n\nCommands:\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs("\n'breakeven-collector COMMAND --help' explains a command; --version the "
          "version.\n",
          to);
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct slice word = slice_str(argc > 1 ? argv[1] : "");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!slice_eq(word, slice_str(commands[i].name)))
            continue;
        if (asks_for_help(argc, argv))
            return fputs(commands[i].usage, stdout) < 0;
        return commands[i].run(argc - 1, argv + 1);
    }
    if (slice_eq(word, SLICE("--version"))) {
        puts("breakeven-collector " BREAKEVEN_VERSION);
        return 0;
    }
    if (slice_eq(word, SLICE("--help")) || slice_eq(word, SLICE("-h")))
        return print_usage(stdout);
    return print_usage(stderr);
}
