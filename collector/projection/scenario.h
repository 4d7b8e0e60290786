/*
 * Workloads: named filters over metered series that one specialist model could take over,
 * each with the scenario of hosting it. Declared in collector.yaml (`workloads:`), read
 * by the projection job. What is not declared takes a default that is marked as one, so a
 * report can say of every number whether it was measured, declared or assumed.
 *
 * Refuses: guessing prices of GPUs or throughput without saying so; a typed throughput
 * above what the GPU's memory bandwidth allows (scenario_resolve gives the arithmetic).
 */
#ifndef BREAKEVEN_PROJECTION_SCENARIO_H
#define BREAKEVEN_PROJECTION_SCENARIO_H

#include "collector/projection/gpu.h"
#include "collector/projection/throughput.h"

enum input_origin { INPUT_DEFAULT, INPUT_DECLARED, INPUT_MEASURED, INPUT_WHATIF };

/* "default", "declared", "measured", "what-if". */
const char *input_origin_name(enum input_origin o);

/* A number of the model and where it comes from. */
struct input {
    double v;
    enum input_origin origin;
};

enum hosted_capacity {
    CAPACITY_PEAK,      /* replicas for the busiest hour, all month */
    CAPACITY_AUTOSCALE, /* replicas follow the hour of the week */
    CAPACITY_ZERO,      /* the same, down to none in hours without traffic */
};

/* "peak", "autoscale", "scale_to_zero". */
const char *hosted_capacity_name(enum hosted_capacity c);

/* One row of `gpu_prices:`. */
struct gpu_declared_price {
    int64_t from;    /* Unix seconds of a day */
    uint64_t micros; /* USD an hour */
};

/* `hosted:` of a workload as written; numbers of -1 and money of 0 were not declared. */
struct hosted_declared {
    uint64_t monthly_fixed_micros; /* micro-dollars: ops, storage, egress, evaluation */
    uint64_t setup_micros;         /* once: data, training, engineering */
    uint64_t engineer_day_micros;  /* price of one of setup_days */
    double setup_days;
    const char *gpu; /* a name of gpus.yaml; NULL: no GPU line, fixed cost only */
    int gpu_option;  /* enum gpu_option */
    uint64_t gpu_hour_micros;    /* overrides gpus.yaml */
    struct yaml_list gpu_prices; /* struct gpu_declared_price: later ones */
    int64_t latency_target_ms;   /* p95 of a whole answer; 0: not said */
    double gpus_per_replica;
    double model_params_b;      /* billions of parameters, for the roofline check */
    double model_bits;          /* bits per weight */
    double output_tokens_per_s; /* per replica, at the latency target */
    double input_tokens_per_s;
    double requests_per_s;
    double concurrency; /* sequences decoded together, for the roofline check */
    double headroom;    /* 0.3: 30 % above the peak */
    double min_replicas;
    int capacity;      /* enum hosted_capacity */
    double coverage;   /* share of calls the specialist takes, 0..1 */
    double escalation; /* share of those sent to the API after all: paid twice */
    uint64_t retrain_micros;
    double retrain_months;   /* every so many months; 0: never */
    double api_price_change; /* per year: -0.2 = 20 % cheaper each year */
    double gpu_price_change;
};

/* Answers of `decision:`; 0 is always "not said". */
enum need { NEED_UNKNOWN, NEED_LOW, NEED_MEDIUM, NEED_HIGH };
enum task_kind { TASK_UNKNOWN, TASK_SPECIFIC, TASK_MIXED, TASK_BROAD };
enum mlops { MLOPS_UNKNOWN, MLOPS_NONE, MLOPS_SOME, MLOPS_TEAM };
enum stability {
    STABILITY_UNKNOWN,
    STABILITY_STABLE,
    STABILITY_CHANGING,
    STABILITY_VOLATILE
};
enum test_state { TEST_NOT_STARTED, TEST_RUNNING, TEST_PASSED, TEST_FAILED };

/* `decision:` of a workload as written: what no meter sees (decide.h weighs it). */
struct decision_declared {
    int privacy, latency, output_control; /* enum need */
    int task;                             /* enum task_kind */
    int mlops;                            /* enum mlops */
    int stability;                        /* enum stability */
    int test;                             /* enum test_state: parallel run */
    int64_t examples; /* reviewed examples to train on; -1: not said */
};

/* Names of the enums above, as in the file; NULL-terminated. */
extern const char *const need_names[], *const task_names[], *const mlops_names[],
                                                                *const stability_names[],
                                                                    *const test_names[];

/* An arm of the parallel test; what of app and environment is left out is the workload's.
 */
struct workload_arm {
    struct yaml_strings app, environment, provider, model, surface;
};

/* `compare:` of a workload. */
struct compare_declared {
    int line; /* 0: not declared */
    struct workload_arm api, specialist;
    double margin;      /* share of the API's value; points of pass rates */
    double rate_margin; /* points of error and abort rates */
    double replicas;    /* of the specialist, for its throughput */
    const char *quality_metric;
    double quality_target; /* pass rate the specialist must reach; 0: none */
    int64_t days;          /* the last so many, today included */
};

struct workload {
    const char *name;
    int line;
    struct yaml_strings app, environment, provider, model, surface; /* empty: any */
    struct yaml_strings alternatives; /* "provider/model": other APIs to compare with */
    struct hosted_declared hosted;
    struct decision_declared decision;
    struct compare_declared compare;
};

/* `workloads:` is a YAML_MAP of these, sizeof(struct workload) each. */
extern const struct yaml_field workload_fields[];

/* `projection:` of collector.yaml. */
struct projection_config {
    int64_t horizon_months; /* 1..24, default 12 */
    int64_t paths;          /* sample paths, default 2000 */
    int64_t history_days;   /* most history used, default 730 */
    const char *gpus;       /* path of gpus.yaml; "" or NULL: the embedded one */
};

extern const struct yaml_field projection_fields[];

/* --- resolved: what the cost model computes with --- */

struct scenario {
    struct input monthly_fixed, setup;       /* USD a month, USD once */
    struct input gpu_hour, gpus_per_replica; /* USD now; 0 without a GPU line */
    struct gpu_path gpu_path;                /* gpu_hour over time */
    struct input output_tokens_per_s, input_tokens_per_s,
        requests_per_s;          /* 0: no limit */
    double most_tokens_per_s;    /* that memory allows a replica; 0: unknown */
    struct input latency_target; /* seconds, p95; 0: not said */
    struct input headroom, min_replicas;
    struct input coverage, escalation;
    struct input retrain, retrain_months;
    struct input api_price_change, gpu_price_change; /* per year */
    enum hosted_capacity capacity;
    const char *gpu; /* or NULL */
};

/* What a scenario is resolved with beside what is declared. */
struct scenario_sources {
    const struct gpu_list *gpus;
    const struct throughput *seen; /* measured of the specialist; NULL: nothing */
    int64_t now;                   /* Unix seconds: which price is in force */
};

/* Defaults filled in, GPU looked up, throughput checked. ST_CONFIG with the reason. */
enum status scenario_resolve(const struct workload *w,
                             const struct scenario_sources *from, struct scenario *out,
                             struct buf *why);

#endif
