/*
 * `breakeven-collector forecast`: series in a CSV file (.gz or not), forecasts with 80
 * and 95 % intervals out. The public way to check our accuracy, and a tool by itself.
 */
#ifndef BREAKEVEN_PROJECTION_FORECAST_CMD_H
#define BREAKEVEN_PROJECTION_FORECAST_CMD_H

/* argv[0] is the name of the command. Exit status: 0, 1 an error, 2 wrong usage. */
int forecast_main(int argc, char **argv);

#endif
