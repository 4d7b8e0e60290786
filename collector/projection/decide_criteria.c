/* Each criterion's sides: docs/projection.md, "Decision". */
#include "collector/projection/decide_criteria.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Bounds of the measured criteria. */
static const double volume_near = 0.5, trend_move = 0.1, repeats = 0.5, drift_much = 0.3;

const char *decide_say(struct deciding *k, const char *fmt, ...)
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
        return put(
            k, CRITERION_VOLUME, MARK_UNKNOWN, "",
            decide_say(k, "No threshold yet: %s.", r->reason ? r->reason : "refused"));
    if (r->threshold_ratio < 0 && r->verdict != PROJECTION_OPEN)
        return put(
            k, CRITERION_VOLUME, MARK_AGAINST, "measured",
            decide_say(k,
                       "%.*f calls a day; with this scenario no volume makes hosting "
                       "cheaper.",
                       digits(r->calls_per_day), r->calls_per_day));
    if (r->verdict == PROJECTION_OPEN)
        return put(
            k, CRITERION_VOLUME, MARK_UNKNOWN, "",
            decide_say(k,
                       "The threshold is an upper bound: %.3g %% of the calls have no "
                       "price.",
                       100 * r->unpriced_share));
    put(k, CRITERION_VOLUME,
        r->threshold_ratio >= 1             ? MARK_FOR
        : r->threshold_ratio >= volume_near ? MARK_NEITHER
                                            : MARK_AGAINST,
        "measured",
        decide_say(
            k, "%.*f calls a day are %.3g %% of the %.*f at which both cost the same.",
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
        decide_say(k, "The API bill a day is forecast to move by %+.3g %% in %d months.",
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

/* A measurement beside what is declared; its mark counts where `mark` is set. */
static void add_measured(struct deciding *k, enum criterion_id id, enum mark mark,
                         const char *sentence)
{
    struct criterion *c = &k->out->criterion[id];

    if (mark != MARK_UNKNOWN) {
        c->mark = mark;
        c->origin = "measured";
    }
    c->evidence = decide_say(k, "%s %s", c->evidence, sentence);
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

/* Do prompts repeat, so far as the provider's cache shows? */
static void measure_task(struct deciding *k)
{
    double cached = k->r->cached_share;

    if (isnan(cached))
        return;
    bool open = k->said->task == TASK_UNKNOWN && cached >= repeats;
    add_measured(
        k, CRITERION_TASK, open ? MARK_NEITHER : MARK_UNKNOWN,
        decide_say(
            k, "%.3g %% of the input came from the provider's cache%s.", 100 * cached,
            cached >= repeats ? ": most of the prompt is the same again and again" : ""));
}

/* Has a call changed what it costs at unchanged prices? Then so has the task. */
static void measure_stability(struct deciding *k)
{
    double moved = k->r->per_call_drift, by = fabs(moved);

    if (isnan(moved))
        return;
    enum mark mark = by < trend_move   ? MARK_FOR
                     : by < drift_much ? MARK_NEITHER
                                       : MARK_AGAINST;
    add_measured(
        k, CRITERION_STABILITY,
        k->said->stability == STABILITY_UNKNOWN ? mark : MARK_UNKNOWN,
        decide_say(k, "Tokens a call, at fixed prices, moved by %+.2g %% in 12 weeks.",
                   100 * moved));
}

static void judge_data(struct deciding *k)
{
    const struct compare_result *t = k->out->measured;
    bool scored = t && strcmp(t->example_of, "scores") == 0 && t->examples > 0;
    bool declared = k->said->examples >= 0;
    int64_t n = declared ? k->said->examples : scored ? (int64_t)t->examples : -1;

    k->examples = n;
    if (n < 0)
        return put(k, CRITERION_DATA, MARK_UNKNOWN, "",
                   "The number of reviewed examples is not declared (examples).");
    put(k, CRITERION_DATA,
        n >= DECIDE_EXAMPLES       ? MARK_FOR
        : n >= DECIDE_EXAMPLES / 2 ? MARK_NEITHER
                                   : MARK_AGAINST,
        declared ? "declared" : "measured",
        decide_say(k, "%lld %s examples of the %d that are a fair start.", (long long)n,
                   declared ? "reviewed" : "scored", DECIDE_EXAMPLES));
}

/* --- what the parallel test says ---------------------------------------------------- */

/*
 * A need that is there and that the specialist does worse at speaks against it; at which
 * it is only as good, it speaks neither way.
 */
static void measure_need(struct deciding *k, enum criterion_id id, int need,
                         const struct compare_line *l, const char *what)
{
    if (!l || l->verdict == COMPARE_NOT_YET)
        return;
    const struct compare_value *a = &l->arm[COMPARE_API],
                               *b = &l->arm[COMPARE_SPECIALIST];
    enum mark mark = MARK_UNKNOWN;
    if (need >= NEED_MEDIUM && l->verdict == COMPARE_WORSE)
        mark = MARK_AGAINST;
    else if (need == NEED_HIGH && l->verdict == COMPARE_EQUAL)
        mark = MARK_NEITHER;
    add_measured(k, id, mark,
                 decide_say(k,
                            "In the test the specialist's %s is %s: %.3g [%.3g, %.3g] %s "
                            "against %.3g [%.3g, %.3g].",
                            what, compare_verdict_name(l->verdict), b->v, b->lo, b->hi,
                            l->unit, a->v, a->lo, a->hi));
}

/* The pass rate of the quality metric, else of the first metric that has one. */
static const struct compare_line *pass_rate(const struct compare_result *t)
{
    for (size_t i = 0; i < t->lines; i++)
        if (t->line[i].score && strcmp(t->line[i].unit, "share") == 0)
            return &t->line[i];
    return NULL;
}

static void measure_test(struct deciding *k)
{
    const struct compare_result *t = k->out->measured;

    measure_task(k);
    measure_stability(k);
    if (!t)
        return;
    const struct compare_line *rate = pass_rate(t);
    measure_need(k, CRITERION_LATENCY, k->said->latency,
                 compare_find(t, "duration_p95", "s"), "95th percentile");
    measure_need(k, CRITERION_OUTPUT_CONTROL, k->said->output_control, rate,
                 rate ? decide_say(k, "pass rate (%s)", rate->name) : "");
    uint64_t calls = t->calls[COMPARE_SPECIALIST];
    if (calls >= COMPARE_LEAST)
        add_measured(k, CRITERION_MLOPS,
                     k->said->mlops == MLOPS_UNKNOWN ? MARK_NEITHER : MARK_UNKNOWN,
                     decide_say(k, "A specialist is run: it had %llu calls in the test.",
                                (unsigned long long)calls));
}

/*
 * A measured failure stands whatever is declared; else a declared result; else what was
 * measured, so far as there is something.
 */
static void set_test(struct deciding *k)
{
    struct decision *out = k->out;
    const struct compare_result *t = out->measured;
    int said = k->said->test, measured = t ? t->test : TEST_NOT_STARTED;

    if (measured == TEST_FAILED ||
        (measured != TEST_NOT_STARTED && said != TEST_PASSED && said != TEST_FAILED)) {
        out->test = measured;
        out->test_origin = "measured";
        out->test_reason = t->reason;
        return;
    }
    bool none = said == TEST_NOT_STARTED;
    out->test = said;
    out->test_origin = none ? "unknown" : "declared";
    out->test_reason = none ? "no test is declared or measured" : "as declared";
}

void decide_criteria(struct deciding *k)
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
    measure_test(k);
    set_test(k);
}
