/* See api_compare.h; score.h and compare_job.h do the work. */
#include "collector/api_compare.h"

#include "collector/projection/compare_job.h"
#include "collector/score.h"
#include "common/json.h"

static const struct workload *find(const struct config *cf, struct slice name)
{
    const struct workload *w = cf->workloads.at;

    for (size_t i = 0; i < cf->workloads.n; i++)
        if (slice_eq(slice_str(w[i].name), name))
            return w[i].compare.line ? &w[i] : NULL;
    return NULL;
}

static void bad_score(struct api_reply *r, const char *why, size_t line)
{
    struct json_out o = { .b = &r->body };

    r->status = 400;
    json_open(&o, '{');
    json_key(&o, "error");
    json_str(&o, slice_str(why));
    json_key(&o, "line");
    json_u64(&o, line);
    json_close(&o, '}');
}

void api_scores(const struct collector *c, const struct api_request *q,
                struct api_reply *r)
{
    struct score_list list;
    uint64_t added;
    enum status st = score_read(q->body, q->now_s, q->arena, &list);

    if (st == ST_BAD)
        return bad_score(r, list.why, list.line);
    if (st != ST_OK)
        return api_error(r, 413, "at most %d scores at once", SCORE_BATCH_MAX);
    for (size_t i = 0; i < list.n; i++)
        if (!find(c->config, list.at[i].workload))
            return api_error(r, 400, "score %zu: no workload '%.*s' with compare:", i + 1,
                             SLICE_FMT(list.at[i].workload));
    st = scores_add(c->scores, &list, &added);
    if (st == ST_LIMIT)
        return api_error(r, 400, "at most %d metrics a workload", COMPARE_SCORES_MAX);
    if (st != ST_OK)
        return api_error(r, 503, "the store takes no scores: %s", status_name(st));
    struct json_out o = { .b = &r->body };
    json_open(&o, '{');
    json_key(&o, "scores");
    json_u64(&o, added);
    json_key(&o, "known");
    json_u64(&o, list.n - added);
    json_close(&o, '}');
}

/* False: *r says why. */
static bool put_report(const struct collector *c, const struct api_request *q,
                       const struct workload *w, struct api_reply *r)
{
    const struct projection_job job = { .store = c->store,
                                        .prices = c->book,
                                        .config = &c->config->projection,
                                        .gpus = c->gpus,
                                        .now = q->now_s };
    struct buf why = { 0 };
    struct compare_report report;
    enum status st = compare_run(&job, w, q->arena, &report, &why);

    if (st == ST_OK)
        compare_json(&report, &r->body);
    else
        api_error(r, st == ST_LIMIT || st == ST_NOMEM ? 413 : 503, "%s: %s", w->name,
                  why.n ? buf_cstr(&why) : status_name(st));
    buf_release(&why);
    return st == ST_OK;
}

void api_compare(const struct collector *c, const struct api_request *q,
                 struct api_reply *r)
{
    const struct workload *w = c->config->workloads.at;
    bool some = false;

    if (q->rest.n) {
        w = find(c->config, q->rest);
        if (!w)
            return api_error(r, 404, "no such workload, or it has no compare:");
        put_report(c, q, w, r);
        return;
    }
    buf_addc(&r->body, '[');
    for (size_t i = 0; i < c->config->workloads.n; i++) {
        if (w[i].compare.line == 0)
            continue;
        if (some)
            buf_addc(&r->body, ',');
        some = true;
        if (!put_report(c, q, &w[i], r))
            return;
    }
    buf_addc(&r->body, ']');
}
