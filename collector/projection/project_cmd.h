/*
 * `breakeven-collector project`: run the projection now, print it, keep it in the store.
 */
#ifndef BREAKEVEN_PROJECTION_PROJECT_CMD_H
#define BREAKEVEN_PROJECTION_PROJECT_CMD_H

/* argv[0] is the name of the command. Exit status: 0, 1 an error, 2 wrong usage or
 * configuration. */
int project_main(int argc, char **argv);

#endif
