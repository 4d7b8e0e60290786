/* `compare`: the parallel test of each workload that declares one, read from the store.
 */
#include "collector/command.h"
#include "collector/projection/compare_job.h"
#include "collector/store.h"

#include <stdio.h>
#include <time.h>

enum { CEILING_BYTES = 256 << 20 };

const char cmd_compare_usage[] =
    "usage: breakeven-collector compare [--workload NAME] [--json] --config FILE\n"
    "Compares the two arms of a workload's parallel test, the API model and the\n"
    "specialist: cost, latency, errors, length and posted scores, each with a 95 %\n"
    "interval and a verdict or what is still needed for one.\n"
    "docs/projection.md explains every number.\n";

static enum status compare_all(const struct config *cf, const struct projection_job *job,
                               const char *asked, bool json, struct buf *out,
                               struct buf *why)
{
    const struct workload *w = cf->workloads.at;
    enum status st = ST_OK;
    struct arena a;
    size_t shown = 0;

    arena_init(&a, CEILING_BYTES);
    for (size_t i = 0; i < cf->workloads.n && !st; i++) {
        struct compare_report r;
        if (asked ? strcmp(asked, w[i].name) != 0 : w[i].compare.line == 0)
            continue;
        st = compare_run(job, &w[i], &a, &r, why);
        if (st)
            break;
        buf_adds(out, json ? (shown ? ",\n" : "[") : (shown ? "\n" : ""));
        json ? compare_json(&r, out) : compare_text(&r, out);
        shown++;
        arena_reset(&a);
    }
    arena_release(&a);
    if (st)
        return st;
    if (shown == 0) {
        buf_addf(why,
                 asked ? "no workload '%s' in the configuration"
                       : "no workload has compare: (docs/projection.md)",
                 asked);
        return ST_CONFIG;
    }
    buf_adds(out, json ? "]\n" : "");
    return out->st;
}

static enum status run(const struct config *cf, const char *asked, bool json,
                       struct buf *out, struct buf *why)
{
    struct store_options o = { .dir = cf->data_dir, .read_only = true };
    struct price_book *book = NULL;
    struct store *store = NULL;
    struct gpu_list gpus;
    struct arena a;

    arena_init(&a, CEILING_BYTES);
    enum status st =
        price_book_open(*cf->prices ? cf->prices : NULL,
                        *cf->price_overrides ? cf->price_overrides : NULL, &book, why);
    if (!st)
        st = store_sqlite_open(&o, &store, why);
    if (!st)
        st = gpu_list_load(cf->projection.gpus, &gpus, &a, why);
    if (!st) {
        const struct projection_job job = { .store = store,
                                            .prices = book,
                                            .config = &cf->projection,
                                            .gpus = &gpus,
                                            .now = time(NULL) };
        st = compare_all(cf, &job, asked, json, out, why);
    }
    store_free(store);
    price_book_free(book);
    arena_release(&a);
    return st;
}

int cmd_compare(int argc, char **argv)
{
    const char *path = NULL, *workload = NULL;
    bool json = false;
    int words;
    const struct command_option options[] = {
        { "config", &path, NULL },
        { "workload", &workload, NULL },
        { "json", NULL, &json },
    };
    struct buf out = { 0 }, why = { 0 };
    struct config cf;
    struct arena a;

    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words) {
        fputs(cmd_compare_usage, stderr);
        return 2;
    }
    if (!command_config(path, &a, &cf)) {
        arena_release(&a);
        return 2;
    }
    enum status st = run(&cf, workload, json, &out, &why);
    if (!st &&
        (fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n || fflush(stdout) != 0)) {
        buf_adds(&why, "standard output");
        st = ST_IO;
    }
    if (st)
        fprintf(stderr, "compare: %s\n", why.n ? buf_cstr(&why) : status_name(st));
    buf_release(&out);
    buf_release(&why);
    arena_release(&a);
    return st == ST_CONFIG || st == ST_NOT_FOUND ? 2 : st ? 1 : 0;
}
