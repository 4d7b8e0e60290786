/* The store's part: read the demand, project, keep. */
#include "collector/projection/job.h"

#include "collector/projection/compare_job.h"
#include "collector/projection/project.h"

enum {
    RECORDS_KEPT = 400,
    JOB_CEILING_BYTES = 1 << 30,
    JOB_USUAL_BYTES = 4 << 20, /* of one workload, with 2,000 paths a year ahead */
};

enum status projection_what_if(const struct projection_job *job, const struct workload *w,
                               const struct whatif *change, struct arena *a,
                               struct projection_result *out, struct buf *why)
{
    struct demand demand;
    struct scenario scenario;
    struct throughput seen;
    const struct project_input in = { .workload = w,
                                      .scenario = &scenario,
                                      .demand = &demand,
                                      .seen = &seen,
                                      .prices = job->prices,
                                      .config = job->config,
                                      .now = job->now,
                                      .change = change };
    enum status st = compare_throughput(job, w, a, &seen, why);

    if (!st) {
        const struct scenario_sources from = { job->gpus, &seen, job->now };
        st = whatif_resolve(w, change, &from, &scenario, why);
    }
    if (!st)
        st = demand_read(job->store, job->prices, w, job->now, job->config->history_days,
                         a, &demand);
    if (!st && !change && job->read)
        st = job->read(job->read_arg, w, job->now, &demand, &seen);
    return st ? st : project_make(&in, a, out);
}

enum status projection_run(const struct projection_job *job, const struct workload *w,
                           struct arena *a, struct projection_result *out,
                           struct buf *why)
{
    return projection_what_if(job, w, NULL, a, out, why);
}

enum status projection_save(struct store *store, const struct projection_result *r)
{
    struct buf json = { 0 };

    projection_json(r, &json);
    struct store_record record = {
        .kind = "projection", .key = r->workload, .json = buf_cstr(&json), .at = r->at
    };
    enum status st = json.st ? json.st : store_record_put(store, &record, RECORDS_KEPT);
    buf_release(&json);
    return st;
}

enum status projection_run_all(const struct projection_job *job, const struct workload *w,
                               size_t n, size_t *failed, struct buf *why)
{
    struct arena a;
    enum status st = ST_OK;

    *failed = 0;
    arena_init(&a, JOB_CEILING_BYTES);
    /* glibc keeps freed memory up to twice the largest mapped block that was freed: once
     * told, it does not map the pages of every query anew. */
    arena_reserve(&a, JOB_USUAL_BYTES);
    arena_release(&a);
    arena_reserve(&a, JOB_USUAL_BYTES);
    for (size_t i = 0; i < n && !st; i++) {
        struct projection_result r;
        size_t before = why->n;
        st = projection_run(job, &w[i], &a, &r, why);
        if (st == ST_CONFIG) {
            (*failed)++;
            if (why->n > before)
                buf_addf(why, " (workload %s); ", w[i].name);
            st = ST_OK;
        } else if (st == ST_OK) {
            st = projection_save(job->store, &r);
            if (!st && job->kept)
                st = job->kept(job->kept_arg, &w[i], &r, &a);
        }
        arena_reset(&a);
    }
    arena_release(&a);
    return st;
}
