/* `token add|list|revoke`: the tokens of data_dir, also while the server runs. */
#include "collector/auth.h"
#include "collector/command.h"
#include "common/instant.h"

#include <stdio.h>
#include <time.h>

const char cmd_token_usage[] =
    "usage: breakeven-collector token add    --name NAME [--scopes ingest,read,admin] "
    "[--agents GLOB,…] [--quiet]\n"
    "       breakeven-collector token list\n"
    "       breakeven-collector token revoke ID|NAME\n"
    "each with --config FILE. Scopes default to ingest, agents to NAME.\n";

static int failed(struct buf *why, enum status st)
{
    fprintf(stderr, "breakeven-collector: token: %s\n",
            why->n ? buf_cstr(why) : status_name(st));
    return st == ST_BAD ? 2 : 1;
}

static int add(const char *dir, const char *name, const char *scopes, const char *agents,
               bool quiet, struct buf *why)
{
    unsigned bits;
    struct buf secret = { 0 };
    if (!name || !auth_scopes_parse(slice_str(scopes ? scopes : "ingest"), &bits)) {
        if (name)
            fprintf(stderr, "token: found '%s' as scopes, allowed ingest, read, admin\n",
                    scopes);
        else
            fputs("token: add needs --name\n", stderr);
        fputs(cmd_token_usage, stderr);
        return 2;
    }
    if (!agents)
        agents = bits & SCOPE_INGEST ? name : "";
    enum status st =
        auth_add(dir, slice_str(name), bits, slice_str(agents), time(NULL), &secret, why);
    if (st != ST_OK)
        return failed(why, st);
    if (!quiet)
        fputs("The token, shown this once:\n", stderr);
    puts(buf_cstr(&secret));
    buf_release(&secret);
    return 0;
}

static int list(const char *dir, struct buf *why)
{
    struct auth_set set;
    enum status st = auth_load(dir, &set, why);
    printf("%-8s  %-20s  %-12s  %-20s  %-10s  %s\n", "ID", "NAME", "SCOPES", "AGENTS",
           "CREATED", "STATE");
    for (size_t i = 0; st == ST_OK && i < set.tokens; i++) {
        const struct auth_token *t = &set.token[i];
        struct buf scopes = { 0 }, day = { 0 };
        auth_scopes_format(t->scopes, &scopes);
        instant_format_day(t->created * 1000000000, &day);
        printf("%-8.*s  %-20.*s  %-12s  %-20.*s  %-10s  %s\n", SLICE_FMT(t->id),
               SLICE_FMT(t->name), buf_cstr(&scopes), SLICE_FMT(t->agents),
               buf_cstr(&day), t->revoked ? "revoked" : "active");
        buf_release(&scopes);
        buf_release(&day);
    }
    auth_release(&set);
    return st == ST_OK ? 0 : failed(why, st);
}

int cmd_token(int argc, char **argv)
{
    const char *path = NULL, *name = NULL, *scopes = NULL, *agents = NULL;
    bool quiet = false;
    const struct command_option options[] = {
        { "config", &path, NULL },   { "name", &name, NULL },
        { "scopes", &scopes, NULL }, { "agents", &agents, NULL },
        { "quiet", NULL, &quiet },
    };
    struct config cf;
    struct arena a;
    struct buf why = { 0 };
    int words, rc = 2;
    if (!command_options(argc, argv, options, 5, &words) || words == 0) {
        fputs(cmd_token_usage, stderr);
        return 2;
    }
    if (!command_config(path, &a, &cf))
        return 2;
    struct slice verb = slice_str(argv[1]);
    if (slice_eq(verb, SLICE("add")) && words == 1) {
        rc = add(cf.data_dir, name, scopes, agents, quiet, &why);
    } else if (slice_eq(verb, SLICE("list")) && words == 1) {
        rc = list(cf.data_dir, &why);
    } else if (slice_eq(verb, SLICE("revoke")) && words == 2) {
        enum status st = auth_revoke(cf.data_dir, slice_str(argv[2]), time(NULL), &why);
        rc = st == ST_OK ? 0 : failed(&why, st);
    } else {
        fputs(cmd_token_usage, stderr);
    }
    buf_release(&why);
    arena_release(&a);
    return rc;
}
