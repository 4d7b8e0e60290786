/*
 * The parallel test of two arms, the API model and the specialist, judged from sums:
 * each quantity with a 95 % interval per arm, the difference, and a verdict against a
 * declared margin. Pure; fed by compare_read with metered traffic and posted scores.
 *
 * Refuses: a verdict from a handful of calls (COMPARE_LEAST, COMPARE_LEAST_DAYS), an
 * interval where only a sum is known, and "equal" for a mere lack of proof: equal means
 * that the whole interval of the difference lies within the margin.
 */
#ifndef BREAKEVEN_PROJECTION_COMPARE_H
#define BREAKEVEN_PROJECTION_COMPARE_H

#include "collector/projection/scenario.h"
#include "common/sketch.h"

enum {
    COMPARE_LEAST = 30,     /* calls or scores an arm needs before any verdict */
    COMPARE_LEAST_DAYS = 7, /* days, where days are the sample */
    COMPARE_EXAMPLES = 1000,
    COMPARE_SCORES_MAX = 16, /* metrics of a workload */
    COMPARE_LINES_MAX = 12 + 2 * COMPARE_SCORES_MAX,
};

enum compare_side { COMPARE_API, COMPARE_SPECIALIST, COMPARE_SIDES };

/* "api", "specialist". */
const char *compare_side_name(enum compare_side s);

/* Scores of one metric in one arm. */
struct compare_score {
    uint64_t n;
    double sum, sum2;       /* of values, of their squares */
    uint64_t rated, passes; /* scores that said pass or fail; of those, passes */
};

/* One day of one arm; days are the sample of what is only known as a sum. */
struct compare_day {
    double calls, usd, output; /* calls with counts; USD; output tokens */
};

struct compare_arm {
    uint64_t calls;           /* all of them */
    uint64_t failed, aborted; /* of calls: refused or broken; left before the end */
    const struct compare_day *day;
    size_t days;
    const struct sketch *duration, *ttft; /* or NULL */
    struct compare_score score[COMPARE_SCORES_MAX];
};

struct compare_case {
    struct compare_arm arm[COMPARE_SIDES];
    const char *metric[COMPARE_SCORES_MAX]; /* names of score[], both arms */
    size_t metrics;
    /* USD a call of the specialist by the cost model; NAN: not described */
    double hosted_canary, hosted_full;
    bool api_priced;    /* false: the API cost is a lower bound and gets no verdict */
    double margin;      /* of the API's value; of pass rates, in points */
    double rate_margin; /* of error and abort rates, in points: 0.01 = 1 % of calls */
    const char *quality_metric; /* or NULL */
    double quality_target;      /* least pass rate of it; 0: none */
};

/* A value and its 95 % interval. NAN: not known. */
struct compare_value {
    double v, lo, hi;
    uint64_t n; /* calls, scores or days behind it; 0: by the cost model */
};

enum compare_verdict {
    COMPARE_NOT_YET,
    COMPARE_BETTER, /* the specialist, by more than chance */
    COMPARE_EQUAL,  /* within the margin, by more than chance */
    COMPARE_WORSE,
    COMPARE_DIFFERENT, /* of what has no better side: length */
};

/* "not yet", "better", "equal", "worse", "different". */
const char *compare_verdict_name(enum compare_verdict v);

struct compare_line {
    const char *name;   /* "cost_per_call_full", "duration_p95", …; score: the metric */
    const char *unit;   /* "USD", "s", "share", "tokens", "score" */
    const char *sample; /* what n counts: "calls", "scores", "days" */
    bool score;         /* posted, not metered */
    struct compare_value arm[COMPARE_SIDES];
    struct compare_value difference; /* specialist - API; n unused */
    double margin;                   /* in the unit */
    enum compare_verdict verdict;
    double needed; /* sample of the smaller arm for a verdict if values stay; -1 unknown
                    */
};

/* A pass rate against the declared target, by its 95 % interval. */
enum compare_target {
    COMPARE_TARGET_NONE,
    COMPARE_TARGET_OPEN, /* the target lies within the interval, or too few scores */
    COMPARE_TARGET_MET,
    COMPARE_TARGET_MISSED,
};

/* "none", "not yet", "met", "missed". */
const char *compare_target_name(enum compare_target t);

struct compare_result {
    struct compare_line line[COMPARE_LINES_MAX];
    size_t lines;
    uint64_t examples;      /* specialist's scores of quality_metric, or its calls */
    const char *example_of; /* "scores" or "calls" */
    enum compare_verdict quality; /* verdict of quality_metric; NOT_YET without one */
    enum compare_target target;   /* of the specialist's pass rate */
    uint64_t calls[COMPARE_SIDES];
    int test;           /* enum test_state by what was measured */
    const char *reason; /* of it, one sentence */
};

/* The line of that name and unit; NULL: there is none. */
const struct compare_line *compare_find(const struct compare_result *r, const char *name,
                                        const char *unit);

void compare_judge(const struct compare_case *c, struct compare_result *out);

/* --- the intervals, for tests and others ------------------------------------------- */

/* Share k of n: Wilson's score interval. */
struct compare_value compare_rate(uint64_t k, uint64_t n);
/* Mean from n, sum and sum of squares: Student's t. lo, hi NAN below n = 2. */
struct compare_value compare_mean(uint64_t n, double sum, double sum2);
/* Sum y / sum x of days: Student's t over the days' residuals (ratio estimator). */
struct compare_value compare_ratio(const double *y, const double *x, size_t n,
                                   size_t stride);
/* Quantile of a sketch in seconds: the order statistics around it; NAN where there is no
 * such rank. */
struct compare_value compare_quantile(const struct sketch *s, double q);
/* b - a: the two intervals joined (MOVER; Zou and Donner, Stat. Med. 2008; for shares it
 * is Newcombe's method 10, for means close to Welch). */
struct compare_value compare_difference(const struct compare_value *a,
                                        const struct compare_value *b);
/* The 97.5 % point of Student's t. */
double compare_t(double df);

#endif
