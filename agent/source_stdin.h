/*
 * Standard input as a source: lines through a pipe, read until the end. A pipe cannot be
 * read twice, so what was taken since the last commit is lost when the agent is killed;
 * files are for counting exactly once.
 */
#ifndef BREAKEVEN_SOURCE_STDIN_H
#define BREAKEVEN_SOURCE_STDIN_H

#include "agent/config.h"
#include "agent/source.h"

/* `fd` and `logs` are borrowed. ST_NOMEM. */
enum status source_stdin_open(int fd, const struct config_logs *logs,
                              const struct source_env *env, struct source **out);

#endif
