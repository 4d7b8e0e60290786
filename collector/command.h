/*
 * Subcommands of breakeven-collector: a table in main.c, a function each. What they share
 * is here: options by table and the configuration. Shell files.
 */
#ifndef BREAKEVEN_COMMAND_H
#define BREAKEVEN_COMMAND_H

#include "collector/config.h"
#include "common/price.h"

struct store;

/* 0 done, 1 failed (said why on stderr), 2 wrong usage or configuration. */
typedef int command_fn(int argc, char **argv);

command_fn cmd_serve, cmd_token, cmd_project, cmd_decide, cmd_forecast, cmd_report,
    cmd_export, cmd_check, cmd_prices, cmd_compare, cmd_alert, cmd_snapshot;
extern const char cmd_serve_usage[], cmd_token_usage[], cmd_project_usage[],
    cmd_decide_usage[], cmd_forecast_usage[], cmd_report_usage[], cmd_export_usage[],
    cmd_check_usage[], cmd_prices_usage[], cmd_compare_usage[], cmd_alert_usage[],
    cmd_snapshot_usage[];

/* An option: "--name VALUE", or "--name" alone when `flag` is set. */
struct command_option {
    const char *name;
    const char **value; /* of the last one given */
    bool *flag;
};

/*
 * Read options from argv[1] on (argv[0] is the subcommand); -c is --config. Words that
 * are no options stay in argv[1..] and are counted in *words. False: said why on stderr.
 */
bool command_options(int argc, char **argv, const struct command_option *o, size_t n,
                     int *words);

/* Load the configuration into `a`, initialised here. False: said why on stderr, `a` is
 * released again. */
bool command_config(const char *path, struct arena *a, struct config *out);

/* What commands that project need: the store, read only where a server holds it. */
struct command_parts {
    struct store *store;
    bool read_only;
    struct price_book *book;
    struct gpu_list gpus;
    struct arena arena, one; /* of the command, of one workload */
};

/* `why` explains what is not ST_OK. Close it in either case. */
enum status command_parts_open(const struct config *cf, struct command_parts *p,
                               struct buf *why);
void command_parts_close(struct command_parts *p);

/* ST_CONFIG, and in `why` that no workload fits (`name`) or none is configured (NULL). */
enum status command_no_workload(const char *name, struct buf *why);

/* Start of a log at the configured level. */
struct log command_log(const struct config *cf);

#endif
