/* Tables of the YAML keys, and the step from "as written" to "as computed with". */
#include "collector/projection/scenario.h"

/* Defaults of what a scenario leaves open; docs/projection.md argues each. */
static const double default_headroom = 0.3, default_min_replicas = 2,
                    default_params_b = 8, default_bits = 16, default_concurrency = 64,
                    default_engineer_day = 800;

static const char *const capacity_names[] = { "peak", "autoscale", "scale_to_zero",
                                              NULL };

const char *input_origin_name(enum input_origin o)
{
    static const char *const names[] = { "default", "declared", "measured", "what-if" };

    return names[o];
}

const char *hosted_capacity_name(enum hosted_capacity c)
{
    return capacity_names[c];
}

#define NUMBER(k, field, least, most, text)                                              \
    {                                                                                    \
        .key = k, .type = YAML_DECIMAL,                                                  \
        .offset = offsetof(struct hosted_declared, field), .fallback = "-1", .min = -1,  \
        .max = most, .help = text                                                        \
    }
#define MONEY(k, field, text)                                                            \
    {                                                                                    \
        .key = k, .type = YAML_MONEY, .offset = offsetof(struct hosted_declared, field), \
        .scale = 6, .help = text                                                         \
    }
#define CHANGE(k, field, text)                                                           \
    {                                                                                    \
        .key = k, .type = YAML_DECIMAL,                                                  \
        .offset = offsetof(struct hosted_declared, field), .fallback = "0",              \
        .min = -0.99, .max = 10, .help = text                                            \
    }

static const struct yaml_field gpu_price_fields[] = {
    { .key = "from",
      .type = YAML_DATE,
      .offset = offsetof(struct gpu_declared_price, from),
      .required = true,
      .help = "first day of the price" },
    { .key = "hourly",
      .type = YAML_MONEY,
      .offset = offsetof(struct gpu_declared_price, micros),
      .scale = 6,
      .required = true,
      .help = "USD an hour of one GPU" },
    { 0 },
};

static const struct yaml_field hosted_fields[] = {
    MONEY("monthly_fixed", monthly_fixed_micros,
          "USD a month whatever the volume: operations, storage, egress, evaluation"),
    MONEY("setup", setup_micros, "USD once: data, training runs, purchases"),
    NUMBER("setup_days", setup_days, 0, 10000, "engineering days once, added to setup"),
    MONEY("engineer_day", engineer_day_micros, "USD of one of setup_days; 800 if absent"),
    { .key = "gpu",
      .type = YAML_STRING,
      .offset = offsetof(struct hosted_declared, gpu),
      .help = "GPU of a replica, a name of gpus.yaml; absent: no GPU line" },
    { .key = "gpu_option",
      .type = YAML_ENUM,
      .offset = offsetof(struct hosted_declared, gpu_option),
      .fallback = "on_demand",
      .names = gpu_option_names,
      .help = "which price of gpus.yaml" },
    MONEY("gpu_hourly", gpu_hour_micros, "USD an hour of one GPU, in place of gpus.yaml"),
    { .key = "gpu_prices",
      .type = YAML_LIST,
      .offset = offsetof(struct hosted_declared, gpu_prices),
      .table = gpu_price_fields,
      .size = sizeof(struct gpu_declared_price),
      .help = "what it will cost from later days on: the end of a contract, a new one" },
    NUMBER("gpus_per_replica", gpus_per_replica, 1, 64, "1 if absent"),
    NUMBER("model_params_b", model_params_b, 0, 10000,
           "billions of weights; 8 if absent"),
    NUMBER("model_bits", model_bits, 1, 64, "bits of a weight; 16 if absent"),
    NUMBER("output_tokens_per_s", output_tokens_per_s, 0, 1e7,
           "of a replica at the latency target; gpus.yaml's for an 8B model if absent"),
    NUMBER("input_tokens_per_s", input_tokens_per_s, 0, 1e8,
           "prefill of a replica, cached input excluded; not a limit if absent"),
    NUMBER("requests_per_s", requests_per_s, 0, 1e6,
           "of a replica at the latency target; not a limit if absent"),
    { .key = "latency_target",
      .type = YAML_DURATION,
      .offset = offsetof(struct hosted_declared, latency_target_ms),
      .fallback = "0s",
      .help = "95 of 100 whole answers within it: what throughput is measured at; "
              "absent: none is measured" },
    NUMBER("concurrency", concurrency, 1, 4096,
           "sequences decoded together, to check output_tokens_per_s; 64 if absent"),
    NUMBER("headroom", headroom, 0, 10, "capacity above the peak; 0.3 if absent"),
    NUMBER("min_replicas", min_replicas, 0, 10000, "2 if absent: one may fail"),
    { .key = "capacity",
      .type = YAML_ENUM,
      .offset = offsetof(struct hosted_declared, capacity),
      .fallback = "peak",
      .names = capacity_names,
      .help = "replicas for the peak all month, by hour of the week, or down to none" },
    NUMBER("coverage", coverage, 0, 1,
           "share of calls the specialist takes; 1 if absent"),
    NUMBER("escalation", escalation, 0, 1,
           "share of those that go to the API after all and cost twice; 0 if absent"),
    MONEY("retrain", retrain_micros, "USD of one retraining"),
    NUMBER("retrain_months", retrain_months, 0, 120, "months between retrainings"),
    CHANGE("api_price_change", api_price_change, "of API prices a year; -0.2: 20 % down"),
    CHANGE("gpu_price_change", gpu_price_change, "of the GPU price a year"),
    { 0 },
};

const char *const need_names[] = { "unknown", "low", "medium", "high", NULL };
const char *const task_names[] = { "unknown", "specific", "mixed", "broad", NULL };
const char *const mlops_names[] = { "unknown", "none", "some", "team", NULL };
const char *const stability_names[] = { "unknown", "stable", "changing", "volatile",
                                        NULL };
const char *const test_names[] = { "not_started", "running", "passed", "failed", NULL };

#define ANSWER(k, field, list, text)                                                     \
    {                                                                                    \
        .key = k, .type = YAML_ENUM,                                                     \
        .offset = offsetof(struct decision_declared, field), .names = list##_names,      \
        .help = text                                                                     \
    }

static const struct yaml_field decision_fields[] = {
    ANSWER("privacy", privacy, need, "need to keep the data in one's own hands"),
    ANSWER("latency", latency, need, "need for answers faster than the API's"),
    ANSWER("output_control", output_control, need,
           "need for a fixed format, tone or vocabulary"),
    ANSWER("task", task, task, "specific: one narrow task again and again"),
    ANSWER("mlops", mlops, mlops, "who could run a model: nobody, some skills, a team"),
    ANSWER("stability", stability, stability, "how often the task itself changes"),
    ANSWER("test", test, test, "the parallel run of API and specialist"),
    { .key = "examples",
      .type = YAML_INT,
      .offset = offsetof(struct decision_declared, examples),
      .fallback = "-1",
      .min = -1,
      .max = 1e12,
      .help = "reviewed examples to train on; 1,000 are a fair start" },
    { 0 },
};

#define FILTER(k, field, text)                                                           \
    {                                                                                    \
        .key = k, .type = YAML_STRINGS, .offset = offsetof(struct workload, field),      \
        .help = text                                                                     \
    }

#define ARM(k, field, text)                                                              \
    {                                                                                    \
        .key = k, .type = YAML_STRINGS, .offset = offsetof(struct workload_arm, field),  \
        .help = text                                                                     \
    }

static const struct yaml_field arm_fields[] = {
    ARM("app", app, "applications; absent: the workload's"),
    ARM("environment", environment, "environments; absent: the workload's"),
    ARM("provider", provider, "providers; absent: any"),
    ARM("model", model, "models as metered; absent: any"),
    ARM("surface", surface, "API surfaces; absent: any"),
    { 0 },
};

static const struct yaml_field compare_fields[] = {
    { .type = YAML_LINE, .offset = offsetof(struct compare_declared, line) },
    { .key = "api",
      .type = YAML_STRUCT,
      .offset = offsetof(struct compare_declared, api),
      .table = arm_fields,
      .help = "the traffic that goes to the API model" },
    { .key = "specialist",
      .type = YAML_STRUCT,
      .offset = offsetof(struct compare_declared, specialist),
      .table = arm_fields,
      .help = "the traffic that goes to the specialist" },
    { .key = "margin",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct compare_declared, margin),
      .fallback = "0.05",
      .min = 0,
      .max = 1,
      .help = "what counts as equal: share of the API's value; of pass rates, points" },
    { .key = "rate_margin",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct compare_declared, rate_margin),
      .fallback = "0.01",
      .min = 0,
      .max = 1,
      .help = "the same of error and abort rates, in points: 0.01 is 1 % of calls" },
    { .key = "replicas",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct compare_declared, replicas),
      .fallback = "1",
      .min = 1,
      .max = 10000,
      .help = "replicas that the specialist runs on during the test" },
    { .key = "quality_metric",
      .type = YAML_STRING,
      .offset = offsetof(struct compare_declared, quality_metric),
      .help = "posted score that stands for quality" },
    { .key = "quality_target",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct compare_declared, quality_target),
      .fallback = "0",
      .min = 0,
      .max = 1,
      .help = "share of quality_metric's scores that must pass: 0.995; 0: no target" },
    { .key = "days",
      .type = YAML_INT,
      .offset = offsetof(struct compare_declared, days),
      .fallback = "28",
      .min = 1,
      .max = 400,
      .help = "days looked at, today included" },
    { 0 },
};

const struct yaml_field workload_fields[] = {
    { .type = YAML_NAME, .offset = offsetof(struct workload, name) },
    { .type = YAML_LINE, .offset = offsetof(struct workload, line) },
    FILTER("app", app, "applications; absent: any"),
    FILTER("environment", environment, "environments; absent: any"),
    FILTER("provider", provider, "providers; absent: any"),
    FILTER("model", model, "models as metered; absent: any"),
    FILTER("surface", surface, "API surfaces; absent: any"),
    FILTER("alternatives", alternatives,
           "other API models, provider/model, whose cost is shown beside"),
    { .key = "hosted",
      .type = YAML_STRUCT,
      .offset = offsetof(struct workload, hosted),
      .table = hosted_fields,
      .help = "what hosting a specialist model would cost" },
    { .key = "decision",
      .type = YAML_STRUCT,
      .offset = offsetof(struct workload, decision),
      .table = decision_fields,
      .help = "what no meter sees: needs, task, data, people" },
    { .key = "compare",
      .type = YAML_STRUCT,
      .offset = offsetof(struct workload, compare),
      .table = compare_fields,
      .help = "the parallel test of the API model and the specialist" },
    { 0 },
};

const struct yaml_field projection_fields[] = {
    { .key = "horizon_months",
      .type = YAML_INT,
      .offset = offsetof(struct projection_config, horizon_months),
      .fallback = "12",
      .min = 1,
      .max = 24,
      .help = "months to look ahead" },
    { .key = "paths",
      .type = YAML_INT,
      .offset = offsetof(struct projection_config, paths),
      .fallback = "2000",
      .min = 100,
      .max = 20000,
      .help = "sample paths behind every probability and date" },
    { .key = "history_days",
      .type = YAML_INT,
      .offset = offsetof(struct projection_config, history_days),
      .fallback = "730",
      .min = 14,
      .max = 3650,
      .help = "most days of history used" },
    { .key = "gpus",
      .type = YAML_STRING,
      .offset = offsetof(struct projection_config, gpus),
      .fallback = "",
      .help = "file of GPU prices; empty: the built-in one" },
    { 0 },
};

/* --- resolve --- */

static struct input declared(double v, double fallback)
{
    if (v < 0)
        return (struct input){ fallback, INPUT_DEFAULT };
    return (struct input){ v, INPUT_DECLARED };
}

static struct input money(uint64_t micros)
{
    return (struct input){ (double)micros / 1e6,
                           micros ? INPUT_DECLARED : INPUT_DEFAULT };
}

static struct input change(double v)
{
    return (struct input){ v, v != 0 ? INPUT_DECLARED : INPUT_DEFAULT };
}

/* gpu_hourly, else gpus.yaml; gpu_prices go on from there. */
static enum status gpu_price(const struct hosted_declared *h, const struct gpu *g,
                             int64_t now, struct scenario *out, struct buf *why)
{
    const struct gpu_declared_price *row = h->gpu_prices.at;
    enum gpu_option option = (enum gpu_option)h->gpu_option;
    bool declared_now = h->gpu_hour_micros || (h->gpu_prices.n && row[0].from <= now);
    enum status st = ST_OK;

    if (h->gpu_hour_micros)
        st = gpu_path_add(&out->gpu_path, 0, (double)h->gpu_hour_micros / 1e6);
    else if (!declared_now)
        st = gpu_path_of(g, option, &out->gpu_path);
    if (!st && !declared_now && out->gpu_path.n == 0) {
        buf_addf(why, "gpus.yaml has no %s price of '%s': declare gpu_hourly",
                 gpu_option_names[option], g->name);
        return ST_CONFIG;
    }
    /* A declared day ends what gpus.yaml says of later ones. */
    struct gpu_path *p = &out->gpu_path;
    while (h->gpu_prices.n && p->n && p->step[p->n - 1].from >= row[0].from)
        p->n--;
    for (size_t i = 0; i < h->gpu_prices.n && !st; i++)
        st = gpu_path_add(p, row[i].from, (double)row[i].micros / 1e6);
    if (st) {
        buf_adds(why, "gpu_prices: at most 16 rows, sorted by `from`, each day once");
        return ST_CONFIG;
    }
    out->gpu_hour = (struct input){ gpu_path_at(p, 0, now, now),
                                    declared_now ? INPUT_DECLARED : INPUT_DEFAULT };
    return ST_OK;
}

/*
 * Each decode step reads every weight once, so steps/s <= bandwidth / bytes of weights,
 * and tokens/s <= steps/s x sequences decoded together.
 */
static enum status roofline(const struct hosted_declared *h, const struct gpu *g,
                            struct scenario *s, struct buf *why)
{
    double params = declared(h->model_params_b, default_params_b).v;
    double bits = declared(h->model_bits, default_bits).v;
    double together = declared(h->concurrency, default_concurrency).v;
    double gpus = s->gpus_per_replica.v, weights = params * bits / 8;
    double most = gpus * g->bandwidth_gb_s / weights * together;

    if (weights > gpus * g->memory_gb) {
        buf_addf(
            why,
            "%.4gB weights of %.4g bits are %.4g GB, more than the %.4g GB of %.4g x "
            "%s: raise gpus_per_replica or lower model_bits",
            params, bits, weights, gpus * g->memory_gb, gpus, g->name);
        return ST_CONFIG;
    }
    s->most_tokens_per_s = most;
    if (s->output_tokens_per_s.v <= most ||
        s->output_tokens_per_s.origin == INPUT_MEASURED)
        return ST_OK; /* what was seen was possible: the model is smaller than said */
    buf_addf(why,
             "output_tokens_per_s %.6g is above what memory allows: %.4g x %.4g GB/s / "
             "%.4g GB of weights = %.4g steps/s, x %.4g sequences = %.5g tokens/s",
             s->output_tokens_per_s.v, gpus, g->bandwidth_gb_s, weights,
             gpus * g->bandwidth_gb_s / weights, together, most);
    return ST_CONFIG;
}

/* Typed, measured at the latency target, or gpus.yaml's for a small model. */
static enum status throughput(const struct hosted_declared *h, const struct gpu *g,
                              const struct throughput *seen, struct scenario *out,
                              struct buf *why)
{
    double params = declared(h->model_params_b, default_params_b).v;
    double bits = declared(h->model_bits, default_bits).v;
    bool small = params * bits <= default_params_b * default_bits;
    double known = small ? g->output_tokens_per_s * out->gpus_per_replica.v : 0;

    if (out->output_tokens_per_s.v > 0 || out->requests_per_s.v > 0)
        return ST_OK;
    if (seen && throughput_decides(seen, known)) {
        /* It was seen on real calls, so reading their prompts is in it. */
        out->output_tokens_per_s = (struct input){ seen->sustained, INPUT_MEASURED };
        out->input_tokens_per_s = (struct input){ 0, INPUT_MEASURED };
        return ST_OK;
    }
    out->output_tokens_per_s = (struct input){ known, INPUT_DEFAULT };
    if (known > 0)
        return ST_OK;
    buf_addf(why,
             "no throughput is known of %s with %.4gB weights of %.4g bits: "
             "declare output_tokens_per_s or requests_per_s, as measured at your "
             "latency target",
             g->name, params, bits);
    return ST_CONFIG;
}

static enum status resolve_gpu(const struct hosted_declared *h,
                               const struct scenario_sources *from, struct scenario *out,
                               struct buf *why)
{
    const struct gpu *g = gpu_find(from->gpus, h->gpu, why);

    if (!g)
        return ST_CONFIG;
    out->gpu = g->name;
    out->gpus_per_replica = declared(h->gpus_per_replica, 1);
    enum status st = gpu_price(h, g, from->now, out, why);
    if (!st)
        st = throughput(h, g, from->seen, out, why);
    return st ? st : roofline(h, g, out, why);
}

enum status scenario_resolve(const struct workload *w,
                             const struct scenario_sources *from, struct scenario *out,
                             struct buf *why)
{
    const struct hosted_declared *h = &w->hosted;
    double day = h->engineer_day_micros ? (double)h->engineer_day_micros / 1e6
                                        : default_engineer_day;
    double days = h->setup_days > 0 ? h->setup_days : 0;

    *out = (struct scenario){
        .monthly_fixed = money(h->monthly_fixed_micros),
        .setup = money(h->setup_micros),
        .output_tokens_per_s = declared(h->output_tokens_per_s, 0),
        .input_tokens_per_s = declared(h->input_tokens_per_s, 0),
        .requests_per_s = declared(h->requests_per_s, 0),
        .headroom = declared(h->headroom, default_headroom),
        .min_replicas = declared(h->min_replicas, default_min_replicas),
        .coverage = declared(h->coverage, 1),
        .escalation = declared(h->escalation, 0),
        .retrain = money(h->retrain_micros),
        .retrain_months = declared(h->retrain_months, 0),
        .api_price_change = change(h->api_price_change),
        .gpu_price_change = change(h->gpu_price_change),
        .latency_target = change((double)h->latency_target_ms / 1e3),
        .capacity = (enum hosted_capacity)h->capacity,
    };
    if (days > 0)
        out->setup = (struct input){ out->setup.v + days * day, INPUT_DECLARED };
    if (out->coverage.v > 1 || out->escalation.v > 1) {
        buf_adds(why, "coverage and escalation are shares from 0 to 1");
        return ST_CONFIG;
    }
    if (h->gpu)
        return resolve_gpu(h, from, out, why);
    if (out->monthly_fixed.v > 0)
        return ST_OK;
    buf_adds(why, "hosted declares neither a gpu nor monthly_fixed: no cost to compare");
    return ST_CONFIG;
}
