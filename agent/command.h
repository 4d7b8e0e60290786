/*
 * The agent's commands that need agent.yaml: `run` and `check`. Called by main with what
 * follows the command's name; they print, and return the exit code.
 */
#ifndef BREAKEVEN_COMMAND_H
#define BREAKEVEN_COMMAND_H

#include "agent/config.h"

/*
 * run -c FILE [--once] [--replace-damaged-spool]: meter until stopped; with --once until
 * all is read and shipped. A damaged spool is moved aside on request only, and the files
 * that exist then are followed from their ends.
 * 0; 1: stopped by an error, already logged, or rows wait for a collector that does not
 * answer (--once); 2: the command line or the configuration is wrong.
 */
int command_run(int argc, char **argv);

/*
 * check -c FILE [--json]: validate, and say which files would be read as what, and where
 * the totals go. 0; 2 with "file:line: reason" when the configuration is wrong.
 */
int command_check(int argc, char **argv);

/* --- shared by both --- */

struct command_options {
    const char *config;
    bool flag;          /* the command's own: --once, --json */
    bool replace_spool; /* run: --replace-damaged-spool */
};

/* 0, or the exit code; --help prints and ends. `flag` is the one long option beside --config, without dashes. */
int command_options_parse(int argc, char **argv, const char *flag,
                          struct command_options *out);
/* Configuration and token; 0, or the exit code after saying why on stderr. */
int command_load(const char *path, struct arena *a, struct config *c, const char **token);

#endif
