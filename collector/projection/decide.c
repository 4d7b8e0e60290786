/* Criteria, score, rules, step: see decide.h; docs/projection.md states the rules. */
#include "collector/projection/decide.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Bounds of the measured criteria and of the rules. */
static const double volume_near = 0.5, trend_move = 0.1, cheaper_enough = 0.8,
                    score_least = 0.5;

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

struct deciding {
    const struct projection_result *r;
    const struct decision_declared *said;
    struct arena *arena;
    struct decision *out;
    bool full; /* the arena is */
    int missing;
};

static const char *say(struct deciding *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *say(struct deciding *k, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct slice copy = arena_dup(k->arena, slice_str(text));
    k->full |= !copy.p;
    return copy.p ? copy.p : "";
}

/* --- criteria -------------------------------------------------------------------------
 */

static void put(struct deciding *k, enum criterion_id id, enum mark mark,
                const char *origin, const char *evidence)
{
    k->out->criterion[id].mark = mark;
    k->out->criterion[id].origin = mark == MARK_UNKNOWN ? "unknown" : origin;
    k->out->criterion[id].evidence = evidence;
}

/* Decimals that a count a day is worth. */
static int digits(double v)
{
    return v < 10 ? 2 : 0;
}

static void judge_volume(struct deciding *k)
{
    const struct projection_result *r = k->r;

    if (r->verdict == PROJECTION_REFUSED)
        return put(k, CRITERION_VOLUME, MARK_UNKNOWN, "",
                   say(k, "No threshold yet: %s.", r->reason ? r->reason : "refused"));
    if (r->threshold_ratio < 0)
        return put(k, CRITERION_VOLUME, MARK_AGAINST, "measured",
                   say(k,
                       "%.*f calls a day; with this scenario no volume makes hosting "
                       "cheaper.",
                       digits(r->calls_per_day), r->calls_per_day));
    put(k, CRITERION_VOLUME,
        r->threshold_ratio >= 1             ? MARK_FOR
        : r->threshold_ratio >= volume_near ? MARK_NEITHER
                                            : MARK_AGAINST,
        "measured",
        say(k, "%.*f calls a day are %.3g %% of the %.*f at which both cost the same.",
            digits(r->calls_per_day), r->calls_per_day, 100 * r->threshold_ratio,
            digits(r->threshold_calls_per_day), r->threshold_calls_per_day));
}

/* API dollars a day in the last month of the horizon, over today's. -1: unknown. */
static double trend_of(const struct projection_result *r)
{
    if (r->verdict == PROJECTION_REFUSED || r->months < 2 || r->usd_per_day <= 0)
        return -1;
    const struct projection_month *last = &r->month[r->months - 1];
    return last->api.median / last->days / r->usd_per_day;
}

static void judge_trend(struct deciding *k)
{
    double trend = trend_of(k->r);

    if (trend < 0)
        return put(k, CRITERION_TREND, MARK_UNKNOWN, "", "No forecast of the bill yet.");
    put(k, CRITERION_TREND,
        trend >= 1 + trend_move   ? MARK_FOR
        : trend <= 1 - trend_move ? MARK_AGAINST
                                  : MARK_NEITHER,
        "measured",
        say(k, "The API bill a day is forecast to move by %+.3g %% in %d months.",
            100 * (trend - 1), k->r->months - 1));
}

/* What the configuration answers, by answer: a mark and a sentence. */
struct answer {
    enum mark mark;
    const char *evidence;
};

static void judge_said(struct deciding *k, enum criterion_id id,
                       const struct answer *answers, int said)
{
    put(k, id, answers[said].mark, "declared", answers[said].evidence);
}

static const struct answer privacy_answers[] = {
    { MARK_UNKNOWN, "Whether the data may leave is not declared (privacy)." },
    { MARK_AGAINST, "Nothing speaks against sending the data to a provider." },
    { MARK_NEITHER, "The data should rather stay in one's own hands." },
    { MARK_FOR, "The data must stay in one's own hands." },
};
static const struct answer latency_answers[] = {
    { MARK_UNKNOWN, "How fast answers must be is not declared (latency)." },
    { MARK_AGAINST, "The API is fast enough." },
    { MARK_NEITHER, "Faster answers would help." },
    { MARK_FOR, "Answers must be faster than an API's." },
};
static const struct answer control_answers[] = {
    { MARK_UNKNOWN, "How fixed the output must be is not declared (output_control)." },
    { MARK_AGAINST, "Any good answer will do." },
    { MARK_NEITHER, "A steady format or tone would help." },
    { MARK_FOR, "Format, tone or vocabulary must be exact." },
};
static const struct answer task_answers[] = {
    { MARK_UNKNOWN, "How specific the task is is not declared (task)." },
    { MARK_FOR, "One narrow task, again and again." },
    { MARK_NEITHER, "Several tasks; some of them narrow." },
    { MARK_AGAINST, "Broad, open questions: a general model's ground." },
};
static const struct answer mlops_answers[] = {
    { MARK_UNKNOWN, "Who could run a model is not declared (mlops)." },
    { MARK_AGAINST, "Nobody is there to run a model." },
    { MARK_NEITHER, "Some skills to run a model are there." },
    { MARK_FOR, "A team that runs models is there." },
};
static const struct answer stability_answers[] = {
    { MARK_UNKNOWN, "How often the task changes is not declared (stability)." },
    { MARK_FOR, "The task stays as it is." },
    { MARK_NEITHER, "The task changes now and then: retraining comes with it." },
    { MARK_AGAINST, "The task changes faster than a model is retrained." },
};

static void judge_data(struct deciding *k)
{
    int64_t n = k->said->examples;

    if (n < 0)
        return put(k, CRITERION_DATA, MARK_UNKNOWN, "",
                   "The number of reviewed examples is not declared (examples).");
    put(k, CRITERION_DATA,
        n >= DECIDE_EXAMPLES       ? MARK_FOR
        : n >= DECIDE_EXAMPLES / 2 ? MARK_NEITHER
                                   : MARK_AGAINST,
        "declared",
        say(k, "%lld reviewed examples of the %d that are a fair start.", (long long)n,
            DECIDE_EXAMPLES));
}

static void judge(struct deciding *k)
{
    static const struct {
        const char *name;
        int weight;
    } list[CRITERIA] = {
        [CRITERION_VOLUME] = { "volume", 3 },
        [CRITERION_TREND] = { "cost trend", 1 },
        [CRITERION_TASK] = { "task", 2 },
        [CRITERION_PRIVACY] = { "data privacy", 1 },
        [CRITERION_LATENCY] = { "latency", 1 },
        [CRITERION_OUTPUT_CONTROL] = { "output control", 1 },
        [CRITERION_DATA] = { "data", 2 },
        [CRITERION_MLOPS] = { "MLOps", 2 },
        [CRITERION_STABILITY] = { "stability", 1 },
    };
    const struct decision_declared *d = k->said;

    for (int i = 0; i < CRITERIA; i++) {
        k->out->criterion[i].name = list[i].name;
        k->out->criterion[i].weight = list[i].weight;
    }
    judge_volume(k);
    judge_trend(k);
    judge_said(k, CRITERION_TASK, task_answers, d->task);
    judge_said(k, CRITERION_PRIVACY, privacy_answers, d->privacy);
    judge_said(k, CRITERION_LATENCY, latency_answers, d->latency);
    judge_said(k, CRITERION_OUTPUT_CONTROL, control_answers, d->output_control);
    judge_data(k);
    judge_said(k, CRITERION_MLOPS, mlops_answers, d->mlops);
    judge_said(k, CRITERION_STABILITY, stability_answers, d->stability);
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
        out->arithmetic =
            say(k, "%s) / %d = %.2f; %d of the weight %d is known", buf_cstr(&text),
                out->weight_known, out->score, out->weight_known, out->weight_all);
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
                 say(k, "%s Cheaper already: %s, %.2f USD a day instead of %.2f.", reason,
                     a->name, a->usd_per_day, k->r->usd_per_day));
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
    if (!cost && !need) /* 2 */
        return recommend_api(k, "Hosting is not likely to become cheaper within the "
                                "horizon, and no need is declared high.");
    if (is_against(k, CRITERION_TASK) || is_against(k, CRITERION_STABILITY)) /* 3 */
        return recommend_api(k, "The task is too broad or changes too fast for a "
                                "specialist.");
    if (k->said->test == TEST_FAILED) /* 4 */
        return recommend_api(k, "The test failed: the specialist is not good enough.");
    if (!need && a && a->usd_per_day < hosted_per_day(k->r)) /* 5 */
        return recommend_api(k, "Another price beats hosting without a model of "
                                "one's own.");
    if (2 * out->weight_known >= out->weight_all && out->score < score_least) /* 6 */
        return recommend_api(k, "Most of what is known speaks against a specialist.");
    if (k->said->test != TEST_PASSED) /* 7 */
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
    int64_t n = k->said->examples;

    if (n >= 0 && n < DECIDE_EXAMPLES)
        miss(k, say(k, "%lld more reviewed examples (%lld of %d)",
                    (long long)(DECIDE_EXAMPLES - n), (long long)n, DECIDE_EXAMPLES));
    if (k->said->test == TEST_NOT_STARTED)
        miss(k, "a test of the specialist beside the API (test: running)");
    else if (k->said->test == TEST_RUNNING)
        miss(k, "the result of the test (test: passed or failed)");
    else if (k->said->test == TEST_FAILED)
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
        miss(k, say(k, "a projection: %s", k->r->reason ? k->r->reason : "refused"));
    } else if (out->recommendation == RECOMMEND_TEST ||
               k->said->test != TEST_NOT_STARTED) {
        out->stage = STAGE_TEST;
        miss_for_migration(k);
    } else {
        out->stage = STAGE_MEASURE;
        miss_for_test(k);
    }
    for (int i = CRITERION_TASK; i < CRITERIA; i++)
        if (out->criterion[i].mark == MARK_UNKNOWN)
            miss(k, say(k, "an answer: %s", out->criterion[i].evidence));
}

enum status decide(const struct workload *w, const struct projection_result *r,
                   struct arena *a, struct decision *out)
{
    struct deciding k = { .r = r, .said = &w->decision, .arena = a, .out = out };

    *out = (struct decision){ .projection = r, .declared = &w->decision };
    judge(&k);
    score(&k);
    recommend(&k);
    set_stage(&k);
    decide_radar(&w->decision, r, out->radar);
    return k.full ? ST_NOMEM : ST_OK;
}
