/* breakeven-agent: the commands. Each one parses its own options. */
#include <stdio.h>
#include <string.h>

#include "agent/command.h"
#include "agent/scan.h"

static const struct command {
    const char *name, *help;
    int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit code */
} commands[] = {
    { "scan", "count the calls in log files and print a table; needs no collector",
      scan_main },
    { "run", "follow log files, meter their calls, ship the totals", command_run },
    { "check", "validate a configuration; say what it would read and where it ships",
      command_check },
};

static void help(FILE *to)
{
    fputs("usage: breakeven-agent COMMAND [options]\n"
          "\n"
          "Meters what applications send to LLM APIs. Never stores prompts or answers.\n"
          "\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].help);
    fputs("\n"
          "'breakeven-agent COMMAND --help' explains a command; --version the version.\n",
          to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("breakeven-agent " BREAKEVEN_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "breakeven-agent: unknown command '%s'\n", argv[1]);
    help(stderr);
    return 2;
}
