/*
 * The parallel test of a workload: reads both arms from the store (metered traffic of the
 * last days, posted scores), costs the specialist by the hosted model, and has
 * compare_judge decide. Shell file; run by `compare` and the API, never stored.
 *
 * Refuses: a workload without `compare:`, and an arm that filters nothing.
 */
#ifndef BREAKEVEN_PROJECTION_COMPARE_JOB_H
#define BREAKEVEN_PROJECTION_COMPARE_JOB_H

#include "collector/projection/compare.h"
#include "collector/projection/job.h"

struct compare_report {
    const char *workload;
    int64_t at, from, to;            /* Unix seconds; days [from, to) */
    double calls_day[COMPARE_SIDES]; /* mean since the first day with a call of either */
    double canary_day, full_day; /* calls a day behind the two costs of the specialist */
    bool load_measured;          /* the week's load of both arms is; else taken as even */
    double unpriced;             /* share of the API arm's calls without a full price */
    double margin, rate_margin;
    const char *quality_metric; /* or NULL */
    double quality_target;      /* 0: none */
    struct compare_result result;
};

/* ST_CONFIG with the reason; ST_NOT_FOUND: the workload declares no `compare:`; others
 * are the store's. Memory of `a`. Uses store, prices, config, gpus and now of the job. */
enum status compare_run(const struct projection_job *job, const struct workload *w,
                        struct arena *a, struct compare_report *out, struct buf *why);

/*
 * What the specialist's arm sustained within the workload's latency_target over the days
 * of the test (throughput.h); zeros without `compare:` or a target. Errors as above.
 */
enum status compare_throughput(const struct projection_job *job, const struct workload *w,
                               struct arena *a, struct throughput *out, struct buf *why);

/*
 * What the parallel test of w measured, in memory of `a`; *out is NULL where none is
 * declared. Errors as of compare_run.
 */
enum status compare_measured(const struct projection_job *job, const struct workload *w,
                             struct arena *a, const struct compare_result **out,
                             struct buf *why);

/* One JSON object; a readable table. */
void compare_json(const struct compare_report *r, struct buf *out);
void compare_text(const struct compare_report *r, struct buf *out);

#endif
