/*
 * `decide`: project each workload now, decide, say what changed since the last record,
 * and keep a new one if asked; where a running server holds the store, ask it to.
 */
#include "collector/background.h"
#include "collector/command.h"
#include "collector/projection/compare_job.h"
#include "collector/projection/decide_record.h"
#include "collector/store.h"

#include <stdio.h>
#include <time.h>

const char cmd_decide_usage[] =
    "usage: breakeven-collector decide [--workload NAME] [--json|--markdown] [--save]\n"
    "           --config FILE\n"
    "Is fine-tuning right for a workload: nine criteria, their score, a recommendation,\n"
    "what the next step lacks, and what changed since the last record; Markdown unless\n"
    "--json. --save keeps the record; a running server keeps its own instead, when\n"
    "something that matters has changed. docs/projection.md states the rules.\n";

struct asked {
    const char *config, *workload;
    bool json, markdown, save;
};

static enum status decide_one(const struct projection_job *job, const struct workload *w,
                              const struct asked *asked, struct command_parts *p,
                              struct buf *out, struct buf *why)
{
    struct projection_result r;
    struct decision_record rec;
    enum status st = projection_run(job, w, &p->one, &r, why);

    const struct compare_result *test = NULL;
    if (!st)
        st = compare_measured(job, w, &p->one, &test, why);
    if (!st)
        st = decision_record_make(job->store, job->prices, w, &r, test, &p->one, &rec);
    if (st)
        return st;
    if (asked->json)
        decision_record_json(&rec, out);
    else
        decision_record_markdown(&rec, out);
    return asked->save && !p->read_only ? decision_record_save(job->store, &rec) : ST_OK;
}

static enum status decide_asked(const struct config *cf, const struct asked *asked,
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
        if (shown++)
            buf_adds(out, asked->json ? ",\n" : "\n");
        enum status st = decide_one(&job, &w[i], asked, p, out, why);
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
        st = decide_asked(cf, asked, &p, &out, &why);
    if (!st && asked->save && p.read_only)
        st = background_request(cf->data_dir);
    if (!st &&
        (fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n || fflush(stdout) != 0)) {
        buf_adds(&why, "standard output");
        st = ST_IO;
    }
    if (st)
        fprintf(stderr, "decide: %s\n", why.n ? buf_cstr(&why) : status_name(st));
    command_parts_close(&p);
    buf_release(&out);
    buf_release(&why);
    return st == ST_CONFIG ? 2 : st ? 1 : 0;
}

int cmd_decide(int argc, char **argv)
{
    struct asked asked = { 0 };
    int words;
    const struct command_option options[] = {
        { "config", &asked.config, NULL }, { "workload", &asked.workload, NULL },
        { "json", NULL, &asked.json },     { "markdown", NULL, &asked.markdown },
        { "save", NULL, &asked.save },
    };
    struct config cf;
    struct arena a;

    if (!command_options(argc, argv, options, sizeof options / sizeof *options, &words) ||
        words || (asked.json && asked.markdown)) {
        fputs(cmd_decide_usage, stderr);
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
