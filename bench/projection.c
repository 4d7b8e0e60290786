/*
 * How long does the projection of many workloads take? 500 workloads of 400 days, three
 * models each, over a store that is a function, so the job alone is measured.
 *
 *   projection_bench [WORKLOADS]
 */
#include "collector/projection/job.h"
#include "collector/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { DAY = 86400, DAYS = 400, MODELS = 3 };

#define NOW (INT64_C(20780) * DAY + DAY / 2)

static const char *const models[MODELS] = { "gpt-4o", "gpt-4o-mini", "gpt-4.1" };

static enum status scan(struct store *s, const struct store_query *q, store_row_fn *fn,
                        void *arg)
{
    struct slice dims[STORE_DIMS] = { [STORE_provider] = SLICE("openai"),
                                      [STORE_OUTCOME] = SLICE("ok"),
                                      [STORE_QUALITY] = SLICE("exact"),
                                      [STORE_CONTEXT] = SLICE("0") };
    int step = q->grain == STORE_HOUR ? 3600 : DAY;
    int64_t today = NOW - NOW % DAY;

    (void)s;
    for (int64_t at = today - (int64_t)DAYS * DAY; at < today; at += step) {
        for (int m = 0; m < MODELS && at >= q->from && at < q->to; m++) {
            double x = (double)(at - today) / DAY;
            struct store_row row = { .time = at, .series = (uint32_t)m + 1, .dim = dims };
            dims[STORE_model] = slice_str(models[m]);
            row.calls =
                (uint64_t)(exp(8 + x / 200 + 0.2 * sin(x * 12.9898 + m)) * step / DAY);
            row.v[USAGE_input] = 1200 * row.calls;
            row.v[USAGE_output] = 200 * row.calls;
            enum status st = fn(arg, &row);
            if (st)
                return st;
        }
    }
    return ST_OK;
}

static enum status record_put(struct store *s, const struct store_record *r,
                              unsigned keep)
{
    (void)s;
    (void)r;
    (void)keep;
    return ST_OK;
}

static const struct store_engine engine = { .name = "function",
                                            .scan = scan,
                                            .record_put = record_put };

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 500, failed;
    struct store store = { &engine };
    struct price_book *book = NULL;
    struct buf why = { 0 };
    struct arena a;
    struct gpu_list gpus;
    struct yaml_list list = { 0 };
    static const struct yaml_field file[] = { { .key = "w",
                                                .type = YAML_MAP,
                                                .table = workload_fields,
                                                .size = sizeof(struct workload) },
                                              { 0 } };
    struct projection_config config = { 12, 2000, 730, "" };

    arena_init(&a, 16 << 20);
    if (price_book_open(NULL, NULL, &book, &why) ||
        gpu_list_load(NULL, &gpus, &a, &why) ||
        yaml_parse(SLICE("w: {x: {hosted: {gpu: l40s, capacity: autoscale}}}"), "bench",
                   file, &list, &a, &why)) {
        fprintf(stderr, "%s\n", buf_cstr(&why));
        return 1;
    }
    struct workload *w = calloc(n, sizeof *w);
    if (!w)
        return 1;
    for (size_t i = 0; i < n; i++)
        w[i] = *(const struct workload *)list.at;
    struct projection_job job = {
        .store = &store, .prices = book, .config = &config, .gpus = &gpus, .now = NOW
    };
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    enum status st = projection_run_all(&job, w, n, &failed, &why);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double s =
        (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf(
        "%zu workloads, %d days, 2,000 paths: %.2f s CPU, %.1f ms each, %ld KiB (%s)\n",
        n, DAYS, s, s * 1000 / (double)n, usage.ru_maxrss, status_name(st));
    free(w);
    price_book_free(book);
    arena_release(&a);
    buf_release(&why);
    return st != ST_OK;
}
