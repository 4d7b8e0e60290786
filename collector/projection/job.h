/*
 * The projection job: for each workload demand -> forecast -> API cost by month -> hosted
 * cost -> breakeven, as one result and one JSON document kept in the store. Run daily by
 * the server and on demand by `breakeven-collector project`; read by report, the API,
 * metrics and alerts.
 *
 * Refuses: a projection from less than 14 days of history or without any priced model
 * (the run rate is shown as a run rate); a date beyond the horizon. What never crosses in
 * the sampled paths is said as a share.
 */
#ifndef BREAKEVEN_PROJECTION_JOB_H
#define BREAKEVEN_PROJECTION_JOB_H

#include "collector/projection/result.h"
#include "collector/projection/whatif.h"
#include "common/price.h"

struct store;
struct demand;

/* Told what a projection is made of, before it is made; borrows for the call. */
typedef enum status projection_read_fn(void *arg, const struct workload *w, int64_t now,
                                       const struct demand *demand,
                                       const struct throughput *seen);

/* Told of each result that was saved; borrows for the call. `a` is the workload's. */
typedef enum status projection_kept_fn(void *arg, const struct workload *w,
                                       const struct projection_result *r,
                                       struct arena *a);

/* Where the job gets its numbers. */
struct projection_job {
    struct store *store;
    const struct price_book *prices;
    const struct projection_config *config;
    const struct gpu_list *gpus;
    int64_t now;              /* Unix seconds */
    projection_kept_fn *kept; /* of projection_run_all; or NULL */
    void *kept_arg;
    projection_read_fn *read; /* of projection_run_all; or NULL */
    void *read_arg;
};

/*
 * Project one workload. Strings of *out live in `a` or in the workload. A refusal for
 * lack of history is ST_OK with PROJECTION_REFUSED; ST_CONFIG: the scenario is wrong;
 * others are the store's. `why` explains what is not ST_OK.
 */
enum status projection_run(const struct projection_job *job, const struct workload *w,
                           struct arena *a, struct projection_result *out,
                           struct buf *why);

/*
 * The same with inputs moved (whatif.h; NULL: none): for questions, not for keeping.
 * Reads the store, writes nothing.
 */
enum status projection_what_if(const struct projection_job *job, const struct workload *w,
                               const struct whatif *change, struct arena *a,
                               struct projection_result *out, struct buf *why);

/* Keep r in the store: kind "projection", key the workload, JSON of projection_json. */
enum status projection_save(struct store *store, const struct projection_result *r);

/*
 * Run every workload and save each document in the store under its name. Stops at the
 * first error of the store; a workload whose scenario is wrong is counted in *failed,
 * explained in `why` and does not stop the others.
 */
enum status projection_run_all(const struct projection_job *job, const struct workload *w,
                               size_t n, size_t *failed, struct buf *why);

#endif
