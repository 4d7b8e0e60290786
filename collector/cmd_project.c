/*
 * `project`: run the projection now, print it, and keep it in the store; where a running
 * server holds that, ask it to make and keep its own now.
 */
#include "collector/background.h"
#include "collector/command.h"
#include "collector/projection/job.h"
#include "collector/store.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

const char cmd_project_usage[] =
    "usage: breakeven-collector project [--workload NAME] [--json|--quiet] --config "
    "FILE\n"
    "Forecasts each workload's API bill and compares it with hosting a model: when\n"
    "does that become cheaper, how sure is it, and from which volume on. Keeps the\n"
    "result in the store; a running server makes and keeps its own at once.\n"
    "docs/projection.md explains every number.\n";

struct asked {
    const char *config, *workload;
    bool json, quiet;
};

static unsigned terminal_width(void)
{
    struct winsize w;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40)
        return 100;
    return w.ws_col > 160 ? 160 : w.ws_col;
}

static enum status run_one(const struct projection_job *job, const struct workload *w,
                           const struct asked *asked, struct command_parts *p,
                           struct buf *out, struct buf *why)
{
    struct projection_result r;
    enum status st = projection_run(job, w, &p->one, &r, why);

    if (st)
        return st;
    if (asked->json)
        projection_json(&r, out);
    else if (!asked->quiet)
        projection_text(&r, terminal_width(), out);
    return p->read_only ? ST_OK : projection_save(job->store, &r);
}

static enum status run_asked(const struct config *cf, const struct asked *asked,
                             struct command_parts *p, struct buf *out, struct buf *why)
{
    const struct workload *w = cf->workloads.at;
    const struct projection_job job = { .store = p->store,
                                        .prices = p->book,
                                        .config = &cf->projection,
                                        .gpus = &p->gpus,
                                        .now = time(NULL) };
    size_t shown = 0;

    if (asked->json)
        buf_addc(out, '[');
    for (size_t i = 0; i < cf->workloads.n; i++) {
        if (asked->workload && strcmp(asked->workload, w[i].name) != 0)
            continue;
        if (shown++ && !asked->quiet)
            buf_adds(out, asked->json ? ",\n" : "\n");
        enum status st = run_one(&job, &w[i], asked, p, out, why);
        if (st) {
            if (st == ST_CONFIG)
                buf_addf(why, " (workload '%s', line %d)", w[i].name, w[i].line);
            return st;
        }
        arena_reset(&p->one);
    }
    if (asked->json)
        buf_adds(out, "]\n");
    return shown ? out->st : command_no_workload(asked->workload, why);
}

static int run(const struct config *cf, const struct asked *asked)
{
    struct command_parts p;
    struct buf out = { 0 }, why = { 0 };

    enum status st = command_parts_open(cf, &p, &why);
    if (!st)
        st = run_asked(cf, asked, &p, &out, &why);
    if (!st && p.read_only)
        st = background_request(cf->data_dir);
    if (!st &&
        (fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n || fflush(stdout) != 0)) {
        buf_adds(&why, "standard output");
        st = ST_IO;
    }
    if (st)
        fprintf(stderr, "project: %s\n", why.n ? buf_cstr(&why) : status_name(st));
    command_parts_close(&p);
    buf_release(&out);
    buf_release(&why);
    return st == ST_CONFIG ? 2 : st ? 1 : 0;
}

int cmd_project(int argc, char **argv)
{
    struct asked asked = { 0 };
    int words;
    const struct command_option options[] = {
        { "config", &asked.config, NULL },
        { "workload", &asked.workload, NULL },
        { "json", NULL, &asked.json },
        { "quiet", NULL, &asked.quiet },
    };
    struct config cf;
    struct arena a;

    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words || (asked.json && asked.quiet)) {
        fputs(cmd_project_usage, stderr);
        return 2;
    }
    if (!command_config(asked.config, &a, &cf)) {
        arena_release(&a);
        return 2;
    }
    int status = run(&cf, &asked);
    arena_release(&a);
    return status;
}
