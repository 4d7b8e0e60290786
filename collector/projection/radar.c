/* Both paths on six axes: see decide.h. An assumption is marked as default. */
#include "collector/projection/decide.h"

#include <math.h>

static struct radar_point point(double v, enum input_origin origin, const char *source)
{
    return (struct radar_point){ v, origin, source };
}

static struct radar_point assumed(double v, const char *source)
{
    return point(v, INPUT_DEFAULT, source);
}

/* Each path's share of saved cost: what the other costs, over both together. */
static void cost(const struct projection_result *r, struct radar_axis *axis)
{
    const struct projection_month *last = r->months ? &r->month[r->months - 1] : NULL;
    double both = last ? last->api.median + last->hosted.median : 0;

    axis->name = "cost at scale";
    if (both <= 0) {
        axis->api = axis->specialist = assumed(-1, "no projection");
        return;
    }
    const char *source = "the other path's share of both costs, last projected month";
    axis->api = point(last->hosted.median / both, INPUT_MEASURED, source);
    axis->specialist = point(last->api.median / both, INPUT_MEASURED, source);
}

static struct radar_point redundancy(const struct scenario *s)
{
    if (!s->gpu)
        return assumed(0.6, "assumed: how it is hosted is not declared");
    if (s->capacity == CAPACITY_ZERO)
        return point(0.4, INPUT_DECLARED, "scale to zero: cold starts");
    if (s->min_replicas.v >= 2)
        return point(0.7, s->min_replicas.origin, "two replicas or more: one may fail");
    return point(0.4, s->min_replicas.origin, "a single replica: none may fail");
}

static struct radar_point setup_of(const struct decision_declared *d)
{
    static const struct radar_point by_mlops[] = {
        [MLOPS_UNKNOWN] = { -1, INPUT_DEFAULT, "who could run a model is not declared" },
        [MLOPS_NONE] = { 0.1, INPUT_DECLARED, "nobody to run a model" },
        [MLOPS_SOME] = { 0.4, INPUT_DECLARED, "some skills to run a model" },
        [MLOPS_TEAM] = { 0.7, INPUT_DECLARED, "a team that runs models" },
    };
    return by_mlops[d->mlops];
}

/* Speed by the test: each path's share, as for cost, of both 95th percentiles. */
static void speed(const struct compare_result *t, struct radar_axis *axis)
{
    const struct compare_line *l = t ? compare_find(t, "duration_p95", "s") : NULL;
    double api = l ? l->arm[COMPARE_API].v : NAN;
    double own = l ? l->arm[COMPARE_SPECIALIST].v : NAN;

    axis->name = "speed";
    if (isnan(api) || isnan(own) || api + own <= 0 || l->verdict == COMPARE_NOT_YET) {
        axis->api = assumed(0.5, "assumed: a large shared model");
        axis->specialist =
            assumed(0.8, "assumed: a small model nearby; a test measures it");
        return;
    }
    const char *source = "the other path's share of both p95 durations, parallel test";
    axis->api = point(own / (api + own), INPUT_MEASURED, source);
    axis->specialist = point(api / (api + own), INPUT_MEASURED, source);
}

static const struct compare_line *pass_rate(const struct compare_result *t)
{
    for (size_t i = 0; t && i < t->lines; i++)
        if (t->line[i].score && strcmp(t->line[i].unit, "share") == 0)
            return &t->line[i];
    return NULL;
}

static void control(const struct compare_result *t, struct radar_axis *axis)
{
    const struct compare_line *l = pass_rate(t);

    axis->name = "output control";
    if (!l || isnan(l->arm[COMPARE_API].lo) || isnan(l->arm[COMPARE_SPECIALIST].lo)) {
        axis->api = assumed(0.5, "assumed: by prompt and schema only");
        axis->specialist = assumed(0.9, "assumed: trained on one's own answers");
        return;
    }
    axis->api = point(l->arm[COMPARE_API].v, INPUT_MEASURED, "pass rate, parallel test");
    axis->specialist =
        point(l->arm[COMPARE_SPECIALIST].v, INPUT_MEASURED, "pass rate, parallel test");
}

/* Nines of answered calls, four of them being 1. */
static double nines(double failed)
{
    return failed <= 1e-4 ? 1 : failed >= 1 ? 0 : -log10(failed) / 4;
}

static double lost(const struct compare_result *t, enum compare_side side)
{
    const struct compare_line *e = t ? compare_find(t, "error_rate", "share") : NULL;
    const struct compare_value *v = e ? &e->arm[side] : NULL;

    return v && v->n >= COMPARE_LEAST ? v->hi : NAN;
}

static void reliability(const struct projection_result *r, const struct compare_result *t,
                        struct radar_axis *axis)
{
    double api = lost(t, COMPARE_API), own = lost(t, COMPARE_SPECIALIST);

    axis->name = "reliability";
    axis->api = assumed(0.8, "assumed: a provider's service level");
    if (!isnan(api))
        axis->api = point(nines(api), INPUT_MEASURED,
                          "nines / 4 of the error rate's upper bound, parallel test");
    else if (!isnan(r->failed_share))
        axis->api = point(nines(r->failed_share), INPUT_MEASURED,
                          "nines / 4 of the error rate, last 28 days");
    axis->specialist =
        isnan(own) ? redundancy(&r->scenario)
                   : point(nines(own), INPUT_MEASURED,
                           "nines / 4 of the error rate's upper bound, parallel test");
}

void decide_radar(const struct decision_declared *declared,
                  const struct projection_result *r, const struct compare_result *test,
                  struct radar_axis axis[RADAR_AXES])
{
    cost(r, &axis[0]);
    axis[1] = (struct radar_axis){
        "data privacy", assumed(0.3, "assumed: prompts go to a third party"),
        assumed(0.9, "assumed: prompts stay on hosts one controls")
    };
    speed(test, &axis[2]);
    control(test, &axis[3]);
    reliability(r, test, &axis[4]);
    axis[5] =
        (struct radar_axis){ "ease of setup", assumed(1, "assumed: it runs already"),
                             setup_of(declared) };
}
