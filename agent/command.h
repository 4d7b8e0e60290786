/*
 * The agent's commands that need agent.yaml: `run` and `check`. Called by main with what
 * follows the command's name; they print, and return the exit code.
 */
#ifndef BREAKEVEN_COMMAND_H
#define BREAKEVEN_COMMAND_H

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

#endif
