/*
 * GPUs to rent: memory, bandwidth, throughput of a small model, and hourly prices by
 * option and date, read from gpus.yaml (config/gpus.yaml is embedded). Feeds the
 * scenario.
 *
 * Refuses: a price or a throughput without its source and day; a path of prices out of
 * order. No option is guessed from another one: what is not listed is not known.
 */
#ifndef BREAKEVEN_PROJECTION_GPU_H
#define BREAKEVEN_PROJECTION_GPU_H

#include "common/yaml.h"

enum gpu_option { GPU_ON_DEMAND, GPU_RESERVED, GPU_SPOT, GPU_CLOUD };

/* "on_demand", "reserved", "spot", "cloud"; NULL-terminated. */
extern const char *const gpu_option_names[];

/* One row of `prices:`; in force from its day until the next row of the same option. */
struct gpu_price {
    int64_t from;    /* Unix seconds of a day */
    int option;      /* enum gpu_option */
    uint64_t micros; /* USD an hour of one GPU */
    const char *source;
};

struct gpu {
    const char *name;
    double memory_gb, bandwidth_gb_s;
    struct yaml_list prices;    /* struct gpu_price */
    double output_tokens_per_s; /* 8B model, 16 bits, at a latency target; 0: unknown */
    int64_t throughput_as_of;
    const char *throughput_source;
};

struct gpu_list {
    struct gpu *at;
    size_t n;
};

/* gpus.yaml at `path` (NULL or "": the embedded one). Strings live in `a`. ST_CONFIG and
 * the file's errors are explained in `why`. */
enum status gpu_list_load(const char *path, struct gpu_list *out, struct arena *a,
                          struct buf *why);

/* Without regard to case; NULL with the known names in `why`. */
const struct gpu *gpu_find(const struct gpu_list *gpus, const char *name,
                           struct buf *why);

/* --- prices over time --- */

enum { GPU_STEPS_MAX = 16 };

/* USD an hour from each day on; the first one holds before its day too. */
struct gpu_path {
    struct {
        int64_t from;
        double usd;
    } step[GPU_STEPS_MAX];
    int n;
};

/* Append a step. ST_BAD: not after the last one; ST_LIMIT: too many. */
enum status gpu_path_add(struct gpu_path *p, int64_t from, double usd);

/* The rows of one option as a path; n == 0: there is no such price. ST_BAD, ST_LIMIT. */
enum status gpu_path_of(const struct gpu *g, enum gpu_option option,
                        struct gpu_path *out);

/*
 * USD an hour at `at`, seen from `now`: the step in force, moved by `change` a year since
 * the later of `now` and the step's day. n >= 1.
 */
double gpu_path_at(const struct gpu_path *p, double change, int64_t now, int64_t at);

#endif
