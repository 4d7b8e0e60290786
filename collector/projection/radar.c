/* Both paths on six axes: see decide.h. An assumption is marked as default. */
#include "collector/projection/decide.h"

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

void decide_radar(const struct decision_declared *declared,
                  const struct projection_result *r, struct radar_axis axis[RADAR_AXES])
{
    cost(r, &axis[0]);
    axis[1] = (struct radar_axis){
        "data privacy", assumed(0.3, "assumed: prompts go to a third party"),
        assumed(0.9, "assumed: prompts stay on hosts one controls")
    };
    axis[2] = (struct radar_axis){ "speed", assumed(0.5, "assumed: a large shared model"),
                                   assumed(0.8, "assumed: a small model nearby; a test "
                                                "measures it") };
    axis[3] =
        (struct radar_axis){ "output control",
                             assumed(0.5, "assumed: by prompt and schema only"),
                             assumed(0.9, "assumed: trained on one's own answers") };
    axis[4] = (struct radar_axis){ "reliability",
                                   assumed(0.8, "assumed: a provider's service level"),
                                   redundancy(&r->scenario) };
    axis[5] =
        (struct radar_axis){ "ease of setup", assumed(1, "assumed: it runs already"),
                             setup_of(declared) };
}
