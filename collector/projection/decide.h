/*
 * "Is fine-tuning right for this workload?": nine criteria, each measured by the
 * projection, declared under `decision:` or unknown; their score; a recommendation by the
 * written rules of docs/projection.md; the step of Prototype -> Measure -> Test ->
 * Migrate and what the next one still needs. Pure: a workload and its projection in, a
 * decision out. Fed by decide_record and the `decide` command.
 *
 * Refuses: guessing. What is unknown counts neither for nor against, and is named. Nor is
 * a declared "passed" believed against a test that measured worse.
 */
#ifndef BREAKEVEN_PROJECTION_DECIDE_H
#define BREAKEVEN_PROJECTION_DECIDE_H

#include "collector/projection/compare.h"
#include "collector/projection/result.h"

enum { DECIDE_EXAMPLES = 1000 /* reviewed examples that are a fair start */ };

/* In the order in which every document lists them. */
enum criterion_id {
    CRITERION_VOLUME,
    CRITERION_TREND,
    CRITERION_TASK,
    CRITERION_PRIVACY,
    CRITERION_LATENCY,
    CRITERION_OUTPUT_CONTROL,
    CRITERION_DATA,
    CRITERION_MLOPS,
    CRITERION_STABILITY,
    CRITERIA,
};

enum mark { MARK_UNKNOWN, MARK_AGAINST, MARK_NEITHER, MARK_FOR };

/* "unknown", "against", "neither", "for": a specialist model. */
const char *mark_name(enum mark m);

struct criterion {
    const char *name;
    enum mark mark;
    int weight;
    const char *origin;   /* "measured", "declared", "unknown" */
    const char *evidence; /* one sentence */
};

enum recommendation {
    RECOMMEND_STAY,
    RECOMMEND_OPTIMISE,
    RECOMMEND_TEST,
    RECOMMEND_MIGRATE,
};

/* "stay with the API", "optimise the API bill first", "run the test", "migrate". */
const char *recommendation_name(enum recommendation r);

enum stage { STAGE_PROTOTYPE, STAGE_MEASURE, STAGE_TEST, STAGE_MIGRATE };

/* "prototype", "measure", "test", "migrate". */
const char *stage_name(enum stage s);

enum { RADAR_AXES = 6 };

/* One path on one axis: 0 (poor) .. 1 (good), -1 unknown, and where that comes from. */
struct radar_point {
    double v;
    enum input_origin origin;
    const char *source;
};

struct radar_axis {
    const char *name;
    struct radar_point api, specialist;
};

enum { DECIDE_MISSING = CRITERIA + 8 };

struct decision {
    const struct projection_result *projection;
    const struct decision_declared *declared;
    const struct compare_result *measured; /* the parallel test; NULL: none */
    int test;                              /* enum test_state, both regarded */
    const char *test_origin, *test_reason; /* "declared", "measured", "unknown" */
    struct criterion criterion[CRITERIA];
    double score; /* 0..1 over what is known; -1: nothing is */
    int weight_known, weight_all;
    const char *arithmetic; /* of the score, written out */
    enum recommendation recommendation;
    const char *reason; /* one sentence: the rule that decided */
    enum stage stage;
    const char *missing[DECIDE_MISSING + 1]; /* for the next step; NULL-terminated */
    struct radar_axis radar[RADAR_AXES];
};

/*
 * Decide. `test` is what the parallel test measured, or NULL. Borrows w, r and test for
 * as long as *out lives; sentences live in `a`. ST_NOMEM: the arena.
 */
enum status decide(const struct workload *w, const struct projection_result *r,
                   const struct compare_result *test, struct arena *a,
                   struct decision *out);

/* The axes alone: radar.c. `test` may be NULL. */
void decide_radar(const struct decision_declared *declared,
                  const struct projection_result *r, const struct compare_result *test,
                  struct radar_axis axis[RADAR_AXES]);

/* What a decision was made with, beside the projection. */
struct decision_versions {
    const char *program;
    int64_t price_book; /* newest day of a price in force; Unix seconds, 0 unknown */
};

/*
 * The decision as one JSON object and as a Markdown page. `changes`: sentences about the
 * record before, NULL-terminated; NULL itself: there was none.
 */
void decision_json(const struct decision *d, const struct decision_versions *v,
                   const char *const *changes, struct buf *out);
void decision_markdown(const struct decision *d, const struct decision_versions *v,
                       const char *const *changes, struct buf *out);

#endif
