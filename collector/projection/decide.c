/* Score, rules, step: see decide.h; docs/projection.md states the rules. */
#include "collector/projection/decide_criteria.h"

/* Bounds of the rules. */
static const double cheaper_enough = 0.8, score_least = 0.5;

const char *mark_name(enum mark m)
{
    static const char *const names[] = { "unknown", "against", "neither", "for" };
    return names[m];
}

const char *recommendation_name(enum recommendation r)
{
    static const char *const names[] = { "stay with the API",
                                         "optimise the API bill first", "run the test",
                                         "migrate" };
    return names[r];
}

const char *stage_name(enum stage s)
{
    static const char *const names[] = { "prototype", "measure", "test", "migrate" };
    return names[s];
}

/* Weighted mean of for = 1, neither = 1/2, against = 0, over what is known. */
static void score(struct deciding *k)
{
    struct decision *out = k->out;
    struct buf text = { 0 };
    double sum = 0;

    for (int i = 0; i < CRITERIA; i++) {
        const struct criterion *c = &out->criterion[i];
        double points = c->mark == MARK_FOR ? 1 : c->mark == MARK_NEITHER ? 0.5 : 0;
        out->weight_all += c->weight;
        if (c->mark == MARK_UNKNOWN)
            continue;
        sum += c->weight * points;
        buf_addf(&text, "%s%d x %g", out->weight_known ? " + " : "(", c->weight, points);
        out->weight_known += c->weight;
    }
    out->score = out->weight_known ? sum / out->weight_known : -1;
    if (out->weight_known)
        out->arithmetic = decide_say(k, "%s) / %d = %.2f; %d of the weight %d is known",
                                     buf_cstr(&text), out->weight_known, out->score,
                                     out->weight_known, out->weight_all);
    else
        out->arithmetic = "nothing is known";
    k->full |= text.st != ST_OK;
    buf_release(&text);
}

/* --- recommendation -------------------------------------------------------------------
 */

/* The cheapest alternative that saves a fifth of the bill, or NULL. */
static const struct projection_alternative *lever(const struct projection_result *r)
{
    const struct projection_alternative *best = NULL;

    for (int i = 0; i < r->alternatives; i++) {
        const struct projection_alternative *a = &r->alternative[i];
        if (a->origin == INPUT_DEFAULT) /* nobody said it would do */
            continue;
        if (a->usd_per_day < 0 || a->usd_per_day > cheaper_enough * r->usd_per_day)
            continue;
        if (!best || a->usd_per_day < best->usd_per_day)
            best = a;
    }
    return best;
}

/* Hosting in the next whole month, USD a day; -1 unknown. */
static double hosted_per_day(const struct projection_result *r)
{
    return r->months >= 2 ? r->month[1].hosted.median / r->month[1].days : -1;
}

static bool is_against(const struct deciding *k, enum criterion_id id)
{
    return k->out->criterion[id].mark == MARK_AGAINST;
}

static bool has_case_of_cost(const struct deciding *k)
{
    return k->r->verdict == PROJECTION_CROSSED || k->r->verdict == PROJECTION_LIKELY;
}

static bool has_need(const struct deciding *k)
{
    return k->said->privacy == NEED_HIGH || k->said->latency == NEED_HIGH ||
           k->said->output_control == NEED_HIGH;
}

static void recommend_as(struct deciding *k, enum recommendation what, const char *reason)
{
    k->out->recommendation = what;
    k->out->reason = reason;
}

/* No specialist now: the bill can be cut, or nothing is to be done. */
static void recommend_api(struct deciding *k, const char *reason)
{
    const struct projection_alternative *a = lever(k->r);

    if (!a)
        return recommend_as(k, RECOMMEND_STAY, reason);
    recommend_as(k, RECOMMEND_OPTIMISE,
                 decide_say(k, "%s Cheaper already: %s, %.2f USD a day instead of %.2f.",
                            reason, a->name, a->usd_per_day, k->r->usd_per_day));
}

/* The rules, first match wins; numbered as in docs/projection.md. */
static void recommend(struct deciding *k)
{
    const struct decision *out = k->out;
    const struct projection_alternative *a = lever(k->r);
    bool cost = has_case_of_cost(k), need = has_need(k);

    if (k->r->verdict == PROJECTION_REFUSED) /* 1 */
        return recommend_as(k, RECOMMEND_STAY,
                            "There is no projection yet: measure first.");
    if (k->r->verdict == PROJECTION_OPEN && !need) /* 2 */
        return recommend_api(k, "Too many calls have no price to say what hosting would "
                                "save: price them first.");
    if (!cost && !need) /* 2 */
        return recommend_api(k, "Hosting is not likely to become cheaper within the "
                                "horizon, and no need is declared high.");
    if (is_against(k, CRITERION_TASK) || is_against(k, CRITERION_STABILITY)) /* 3 */
        return recommend_api(k, "The task is too broad or changes too fast for a "
                                "specialist.");
    if (out->test == TEST_FAILED) /* 4 */
        return recommend_api(
            k, decide_say(k,
                          "The test failed (%s): the specialist is not good "
                          "enough.",
                          out->test_reason));
    if (!need && a && a->usd_per_day < hosted_per_day(k->r)) /* 5 */
        return recommend_api(k, "Another price beats hosting without a model of "
                                "one's own.");
    if (2 * out->weight_known >= out->weight_all && out->score < score_least) /* 6 */
        return recommend_api(k, "Most of what is known speaks against a specialist.");
    if (out->test != TEST_PASSED) /* 7 */
        return recommend_as(k, RECOMMEND_TEST,
                            cost ? "Hosting is or is likely to become cheaper; whether a "
                                   "specialist is as good is not known yet."
                                 : "A need is declared high; whether a specialist meets "
                                   "it is not known yet.");
    if (is_against(k, CRITERION_MLOPS)) /* 8 */
        return recommend_api(k, "The test passed, but nobody is there to run the model.");
    recommend_as(k, RECOMMEND_MIGRATE,
                 cost ? "The test passed, and hosting is or is likely to become cheaper."
                      : "The test passed and a need is declared high; the bill alone "
                        "would not justify it.");
}

/* --- step -----------------------------------------------------------------------------
 */

static void miss(struct deciding *k, const char *what)
{
    if (k->missing < DECIDE_MISSING)
        k->out->missing[k->missing++] = what;
}

static void miss_for_migration(struct deciding *k)
{
    int64_t n = k->examples;

    if (n >= 0 && n < DECIDE_EXAMPLES)
        miss(k,
             decide_say(k, "%lld more reviewed examples (%lld of %d)",
                        (long long)(DECIDE_EXAMPLES - n), (long long)n, DECIDE_EXAMPLES));
    int test = k->out->test;
    bool measured = strcmp(k->out->test_origin, "measured") == 0;
    if (test == TEST_NOT_STARTED)
        miss(k, "a test of the specialist beside the API (compare:, or test: running)");
    else if (test == TEST_RUNNING)
        miss(k, measured
                    ? decide_say(k, "the result of the test: %s", k->out->test_reason)
                    : "the result of the test (test: passed or failed)");
    else if (test == TEST_FAILED)
        miss(k, "a specialist that passes the test");
    if (is_against(k, CRITERION_MLOPS))
        miss(k, "somebody to run the model");
    if (!has_case_of_cost(k) && !has_need(k))
        miss(k, "a volume at which hosting is cheaper, or a need that is high");
}

static void miss_for_test(struct deciding *k)
{
    if (!has_case_of_cost(k) && !has_need(k))
        miss(k, "a volume at which hosting is likely to become cheaper, or a need that "
                "is high");
    if (is_against(k, CRITERION_TASK))
        miss(k, "a narrower task");
    if (is_against(k, CRITERION_STABILITY))
        miss(k, "a task that changes less often");
    if (k->out->recommendation == RECOMMEND_OPTIMISE)
        miss(k, "the cheaper prices tried");
}

static void set_stage(struct deciding *k)
{
    struct decision *out = k->out;

    if (out->recommendation == RECOMMEND_MIGRATE) {
        out->stage = STAGE_MIGRATE;
    } else if (k->r->verdict == PROJECTION_REFUSED) {
        out->stage = STAGE_PROTOTYPE;
        miss(k,
             decide_say(k, "a projection: %s", k->r->reason ? k->r->reason : "refused"));
    } else if (out->recommendation == RECOMMEND_TEST || out->test != TEST_NOT_STARTED) {
        out->stage = STAGE_TEST;
        miss_for_migration(k);
    } else {
        out->stage = STAGE_MEASURE;
        miss_for_test(k);
    }
    for (int i = CRITERION_TASK; i < CRITERIA; i++)
        if (out->criterion[i].mark == MARK_UNKNOWN)
            miss(k, decide_say(k, "an answer: %s", out->criterion[i].evidence));
}

enum status decide(const struct workload *w, const struct projection_result *r,
                   const struct compare_result *test, struct arena *a,
                   struct decision *out)
{
    struct deciding k = { .r = r, .said = &w->decision, .arena = a, .out = out };

    *out =
        (struct decision){ .projection = r, .declared = &w->decision, .measured = test };
    decide_criteria(&k);
    score(&k);
    recommend(&k);
    set_stage(&k);
    decide_radar(&w->decision, r, test, out->radar);
    return k.full ? ST_NOMEM : ST_OK;
}
