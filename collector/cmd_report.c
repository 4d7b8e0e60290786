/* `report`: usage of the last days and each workload's projection, for a terminal. */
#include "collector/command.h"
#include "collector/projection/job.h"
#include "collector/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400 };

const char cmd_report_usage[] =
    "usage: breakeven-collector report [--days N] [--workload NAME] --config FILE\n"
    "Prints the last N days (30) with usage, by model and with cost, then where each\n"
    "workload stands against hosting it. Reads beside a running server; changes\n"
    "nothing.\n";

struct parts {
    struct store *store;
    struct price_book *book;
    struct gpu_list gpus;
    struct arena arena;
};

static enum status open_parts(const struct config *cf, struct parts *p, struct buf *why)
{
    struct store_options o = { .dir = cf->data_dir, .read_only = true };
    arena_init(&p->arena, (size_t)1 << 30);
    enum status st =
        price_book_open(*cf->prices ? cf->prices : NULL,
                        *cf->price_overrides ? cf->price_overrides : NULL, &p->book, why);
    if (st == ST_OK)
        st = store_sqlite_open(&o, &p->store, why);
    if (st == ST_OK)
        st = gpu_list_load(cf->projection.gpus, &p->gpus, &p->arena, why);
    return st;
}

static void close_parts(struct parts *p)
{
    store_free(p->store);
    price_book_free(p->book);
    arena_release(&p->arena);
}

/* The window ends today; where that would be empty, with the last usage there is. */
static enum status last_day(struct parts *p, int64_t now, unsigned days, int64_t *out)
{
    struct store_status s;
    enum status st = store_get_status(p->store, &s);
    if (st != ST_OK)
        return st;
    int64_t newest = s.newest_hour / DAY_S;
    *out = now / DAY_S;
    if (s.newest_hour && newest <= *out - days)
        *out = newest;
    return ST_OK;
}

static enum status put_usage(struct parts *p, int64_t now, unsigned days, struct buf *out)
{
    int64_t last;
    struct query_result r;
    enum status st = last_day(p, now, days, &last);
    if (st != ST_OK)
        return st;
    struct store_query q = { .from = (last - days + 1) * DAY_S,
                             .to = (last + 1) * DAY_S,
                             .grain = STORE_DAY,
                             .group = store_bit((enum store_dim)ROLLUP_provider) |
                                      store_bit((enum store_dim)ROLLUP_model) };
    st = query_usage(p->store, p->book, &q, &p->arena, &r);
    if (st != ST_OK)
        return st;
    if (last < now / DAY_S)
        buf_addf(out, "No usage in the last %u days; these are the last days with any.\n",
                 days);
    return report_usage(&r, last - days + 1, days, &p->arena, out);
}

static enum status put_workloads(struct parts *p, const struct config *cf, int64_t now,
                                 const char *only, unsigned width, struct buf *out,
                                 struct buf *why)
{
    const struct workload *w = cf->workloads.at;
    struct projection_job job = { .store = p->store,
                                  .prices = p->book,
                                  .config = &cf->projection,
                                  .gpus = &p->gpus,
                                  .now = now };
    size_t shown = 0;
    for (size_t i = 0; i < cf->workloads.n; i++) {
        if (only && !slice_eq(slice_str(only), slice_str(w[i].name)))
            continue;
        struct projection_result r;
        enum status st = projection_run(&job, &w[i], &p->arena, &r, why);
        if (st != ST_OK)
            return st;
        buf_addc(out, '\n');
        projection_text(&r, width, out);
        shown++;
    }
    if (only && !shown) {
        buf_addf(why, "no workload '%s' in the configuration", only);
        return ST_NOT_FOUND;
    }
    if (!shown)
        buf_adds(out, "\nNo workload is configured, so there is no breakeven to show: "
                      "describe one\n"
                      "under `workloads:` in collector.yaml (docs/projection.md).\n");
    return ST_OK;
}

static unsigned terminal_width(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40)
        return 100;
    return w.ws_col > 160 ? 160 : w.ws_col;
}

int cmd_report(int argc, char **argv)
{
    const char *path = NULL, *days_text = "30", *only = NULL;
    const struct command_option options[] = { { "config", &path, NULL },
                                              { "days", &days_text, NULL },
                                              { "workload", &only, NULL } };
    struct config cf;
    struct arena conf;
    struct parts p = { 0 };
    struct buf out = { 0 }, why = { 0 };
    uint64_t days;
    int words;
    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words || !slice_u64(slice_str(days_text), &days) || days < 1 ||
        days > REPORT_DAYS_MAX) {
        fputs(cmd_report_usage, stderr);
        return 2;
    }
    if (!command_config(path, &conf, &cf))
        return 2;
    enum status st = open_parts(&cf, &p, &why);
    if (st == ST_OK)
        st = put_usage(&p, time(NULL), (unsigned)days, &out);
    if (st == ST_OK)
        st = put_workloads(&p, &cf, time(NULL), only, terminal_width(), &out, &why);
    if (fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n || fflush(stdout) != 0)
        st = ST_IO;
    if (st != ST_OK)
        fprintf(stderr, "breakeven-collector: report: %s\n",
                why.n ? buf_cstr(&why) : status_name(st));
    close_parts(&p);
    buf_release(&out);
    buf_release(&why);
    arena_release(&conf);
    return st == ST_OK ? 0 : st == ST_CONFIG || st == ST_NOT_FOUND ? 2 : 1;
}
