/* The table of gpus.yaml, and steps in time. */
#include "collector/projection/gpu.h"

#include <math.h>

#include "collector/projection/gpus.h"

static const double year_s = 365.25 * 86400;

const char *const gpu_option_names[] = { "on_demand", "reserved", "spot", "cloud", NULL };

static const struct yaml_field price_fields[] = {
    { .key = "from",
      .type = YAML_DATE,
      .offset = offsetof(struct gpu_price, from),
      .required = true,
      .help = "first day of the price" },
    { .key = "option",
      .type = YAML_ENUM,
      .offset = offsetof(struct gpu_price, option),
      .fallback = "on_demand",
      .names = gpu_option_names,
      .help = "how it is rented; cloud: on demand at a large cloud" },
    { .key = "hourly",
      .type = YAML_MONEY,
      .offset = offsetof(struct gpu_price, micros),
      .scale = 6,
      .required = true,
      .help = "USD an hour of one GPU" },
    { .key = "source",
      .type = YAML_STRING,
      .offset = offsetof(struct gpu_price, source),
      .required = true,
      .help = "where the price comes from" },
    { 0 },
};

static const struct yaml_field gpu_fields[] = {
    { .type = YAML_NAME, .offset = offsetof(struct gpu, name) },
    { .key = "memory_gb",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct gpu, memory_gb),
      .min = 1,
      .max = 1e5,
      .required = true,
      .help = "GB" },
    { .key = "bandwidth_gb_s",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct gpu, bandwidth_gb_s),
      .min = 1,
      .max = 1e7,
      .required = true,
      .help = "memory bandwidth, GB/s" },
    { .key = "prices",
      .type = YAML_LIST,
      .offset = offsetof(struct gpu, prices),
      .table = price_fields,
      .size = sizeof(struct gpu_price),
      .help = "by option and date, oldest first" },
    { .key = "output_tokens_per_s",
      .type = YAML_DECIMAL,
      .offset = offsetof(struct gpu, output_tokens_per_s),
      .min = 0,
      .max = 1e7,
      .help = "8B model, 16 bits, at a latency target" },
    { .key = "throughput_as_of",
      .type = YAML_DATE,
      .offset = offsetof(struct gpu, throughput_as_of),
      .help = "day of that figure" },
    { .key = "throughput_source",
      .type = YAML_STRING,
      .offset = offsetof(struct gpu, throughput_source),
      .fallback = "",
      .help = "where that figure comes from" },
    { 0 },
};

static const struct yaml_field gpus_file[] = {
    { .key = "gpus",
      .type = YAML_MAP,
      .offset = 0,
      .table = gpu_fields,
      .size = sizeof(struct gpu),
      .help = "GPUs by name" },
    { 0 },
};

/* What no table can say: order, and a source behind every figure. */
static enum status check(const struct gpu *g, struct buf *why)
{
    struct gpu_path path;

    for (int o = 0; gpu_option_names[o]; o++) {
        enum status st = gpu_path_of(g, (enum gpu_option)o, &path);
        if (st == ST_OK)
            continue;
        buf_addf(why, "gpus.yaml: %s: %s prices: %s", g->name, gpu_option_names[o],
                 st == ST_LIMIT ? "more than 16 rows"
                                : "rows must be sorted by `from`, each day once");
        return ST_CONFIG;
    }
    if (g->output_tokens_per_s > 0 && (!*g->throughput_source || !g->throughput_as_of)) {
        buf_addf(why,
                 "gpus.yaml: %s: output_tokens_per_s needs throughput_source and "
                 "throughput_as_of",
                 g->name);
        return ST_CONFIG;
    }
    return ST_OK;
}

enum status gpu_list_load(const char *path, struct gpu_list *out, struct arena *a,
                          struct buf *why)
{
    struct yaml_list list = { 0 };
    enum status st;

    if (path && *path)
        st = yaml_load(path, gpus_file, &list, a, why);
    else
        st = yaml_parse(slice_of(gpus_yaml, gpus_yaml_size), "gpus.yaml", gpus_file,
                        &list, a, why);
    *out = (struct gpu_list){ list.at, list.n };
    for (size_t i = 0; i < out->n && !st; i++)
        st = check(&out->at[i], why);
    return st;
}

const struct gpu *gpu_find(const struct gpu_list *gpus, const char *name, struct buf *why)
{
    for (size_t i = 0; i < gpus->n; i++)
        if (slice_ieq(slice_str(gpus->at[i].name), slice_str(name)))
            return &gpus->at[i];
    buf_addf(why, "gpu '%s' is not in gpus.yaml; it knows", name);
    for (size_t i = 0; i < gpus->n; i++)
        buf_addf(why, "%s %s", i ? "," : "", gpus->at[i].name);
    return NULL;
}

enum status gpu_path_add(struct gpu_path *p, int64_t from, double usd)
{
    if (p->n == GPU_STEPS_MAX)
        return ST_LIMIT;
    if (p->n && from <= p->step[p->n - 1].from)
        return ST_BAD;
    p->step[p->n].from = from;
    p->step[p->n++].usd = usd;
    return ST_OK;
}

enum status gpu_path_of(const struct gpu *g, enum gpu_option option, struct gpu_path *out)
{
    const struct gpu_price *row = g->prices.at;
    enum status st = ST_OK;

    *out = (struct gpu_path){ 0 };
    for (size_t i = 0; i < g->prices.n && !st; i++)
        if (row[i].option == (int)option)
            st = gpu_path_add(out, row[i].from, (double)row[i].micros / 1e6);
    return st;
}

double gpu_path_at(const struct gpu_path *p, double change, int64_t now, int64_t at)
{
    int i = p->n - 1;

    while (i > 0 && p->step[i].from > at)
        i--;
    int64_t since = p->step[i].from > now ? p->step[i].from : now;
    if (change == 0 || at <= since)
        return p->step[i].usd;
    return p->step[i].usd * pow(1 + change, (double)(at - since) / year_s);
}
