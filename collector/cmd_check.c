/* `check`: would this configuration start? Says what it would do. --help-config prints
 * every key. */
#include "collector/auth.h"
#include "collector/command.h"
#include "collector/server.h"
#include "common/price.h"

#include <stdio.h>

static int print_reference(void)
{
    struct buf out = { 0 };
    yaml_reference(config_fields, &out);
    fputs(buf_cstr(&out), stdout);
    buf_release(&out);
    return 0;
}

static enum status check_prices(const struct config *cf, struct buf *why)
{
    struct price_book *book = NULL;
    enum status st =
        price_book_open(*cf->prices ? cf->prices : NULL,
                        *cf->price_overrides ? cf->price_overrides : NULL, &book, why);
    price_book_free(book);
    return st;
}

/* Tokens, and whether there are enough of them for where it listens. */
static enum status check_access(const struct config *cf, struct buf *why)
{
    struct auth_set set;
    size_t active = 0;
    enum status st = auth_load(cf->data_dir, &set, why);
    for (size_t i = 0; st == ST_OK && i < set.tokens; i++)
        active += set.token[i].revoked == 0;
    if (st == ST_OK)
        printf("tokens: %zu active\n", active);
    auth_release(&set);
    return st == ST_OK ? server_exposure(cf, active > 0, why) : st;
}

const char cmd_check_usage[] =
    "usage: breakeven-collector check [--config FILE] [--help-config]\n"
    "Says whether `serve` would start with this configuration, and what it would do.\n"
    "--help-config prints every key with type, default and meaning.\n";

int cmd_check(int argc, char **argv)
{
    const char *path = NULL;
    bool reference = false;
    const struct command_option options[] = { { "config", &path, NULL },
                                              { "help-config", NULL, &reference } };
    struct config cf;
    struct arena a;
    struct buf why = { 0 };
    int words;
    if (!command_options(argc, argv, options, 2, &words) || words) {
        fputs(cmd_check_usage, stderr);
        return 2;
    }
    if (reference)
        return print_reference();
    if (!command_config(path, &a, &cf))
        return 2;
    printf("listen: %s (%s)\ndata_dir: %s\nprices: %s\n", cf.listen,
           *cf.tls.cert ? "https" : "http", cf.data_dir,
           *cf.prices ? cf.prices : "built in");
    enum status st = check_prices(&cf, &why);
    if (st == ST_OK)
        st = check_access(&cf, &why);
    if (st == ST_OK)
        puts("the configuration is fine");
    else
        fprintf(stderr, "breakeven-collector: %s\n", buf_cstr(&why));
    buf_release(&why);
    arena_release(&a);
    return st == ST_OK ? 0 : 2;
}
