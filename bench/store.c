/*
 * The store's benchmark: fill a SQLite store with made-up rollup rows of one year, then
 * time the queries people wait for. Rows: 115 series (12 models, 5 apps) every hour,
 * values random.
 *
 *   store_bench DIR [ROWS]      default 1,000,000
 */
#include "collector/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SERIES = 115, HOURS = 8760, BATCH = 5000, RUNS = 7 };

#define YEAR_START INT64_C(1761955200) /* 2025-11-01 */

static uint64_t rng_state = 1;

static uint64_t rng_next(void)
{
    uint64_t z = rng_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static const char *const models[] = { "gpt-4o",
                                      "gpt-4o-mini",
                                      "gpt-4.1",
                                      "gpt-4.1-mini",
                                      "o3",
                                      "o4-mini",
                                      "claude-sonnet-4-5",
                                      "claude-haiku-4-5",
                                      "claude-opus-4-1",
                                      "gemini-2.5-pro",
                                      "gemini-2.5-flash",
                                      "mistral-large-2411" };
static const char *const providers[] = { "openai",    "openai", "openai",    "openai",
                                         "openai",    "openai", "anthropic", "anthropic",
                                         "anthropic", "google", "google",    "mistral" };
static const char *const apps[] = { "support", "search", "tutor", "extraction",
                                    "agents" };

static struct rollup_row make_row(uint64_t n)
{
    unsigned s = (unsigned)(n % SERIES);
    struct rollup_row r = { .ver = 1, .epoch = 1 };
    r.key.hour = YEAR_START + (int64_t)(n / SERIES % HOURS) * 3600;
    r.key.name[ROLLUP_model] = slice_str(models[s % 12]);
    r.key.name[ROLLUP_provider] = slice_str(providers[s % 12]);
    r.key.name[ROLLUP_app] = slice_str(apps[s / 12 % 5]);
    r.key.name[ROLLUP_environment] = SLICE("production");
    r.key.context = s / 60;
    r.total.calls = 1 + rng_next() % 2000;
    r.total.v[USAGE_input] = r.total.calls * (500 + rng_next() % 3000);
    r.total.v[USAGE_cache_read] = r.total.calls * (rng_next() % 1000);
    r.total.v[USAGE_output] = r.total.calls * (50 + rng_next() % 700);
    r.total.v[USAGE_reasoning] = r.total.calls * (rng_next() % 50);
    r.total.v[USAGE_bytes_up] = r.total.calls * (rng_next() % 9000);
    r.total.v[USAGE_bytes_down] = r.total.calls * (rng_next() % 9000);
    r.total.peak_calls = 1 + r.total.calls / 40;
    r.total.peak_tokens = r.total.v[USAGE_input] / 40;
    return r;
}

static void fill(struct store *s, uint64_t rows)
{
    static struct rollup_row row[BATCH];
    double start = now_ms();
    for (uint64_t n = 0; n < rows;) {
        size_t k = 0;
        while (k < BATCH && n < rows)
            row[k++] = make_row(n++);
        struct store_batch b = { .agent = { .name = SLICE("bench"),
                                            .health = SLICE("{}") },
                                 .now_s = YEAR_START + INT64_C(380) * 86400,
                                 .row = row,
                                 .rows = k };
        struct store_put put;
        if (store_put(s, &b, 1, &put) != ST_OK || put.rows != k)
            abort();
    }
    double ms = now_ms() - start;
    printf("%-46s %10.0f rows/s\n", "ingest, batches of 5000, durable",
           (double)rows / ms * 1e3);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median and worst of RUNS, first (cold cache) run apart. */
static void time_query(struct store *s, const struct price_book *book, const char *what,
                       const struct store_query *q)
{
    double ms[RUNS], cold = 0;
    size_t rows = 0;
    for (int i = -1; i < RUNS; i++) {
        struct arena a;
        struct query_result r;
        arena_init(&a, (size_t)1 << 30);
        double start = now_ms();
        if (query_usage(s, book, q, &a, &r) != ST_OK)
            abort();
        double took = now_ms() - start;
        if (i < 0)
            cold = took;
        else
            ms[i] = took;
        rows = r.rows;
        arena_release(&a);
    }
    qsort(ms, RUNS, sizeof *ms, by_number);
    printf("%-46s %7.1f ms  worst %.1f, first %.1f  (%zu rows)\n", what, ms[RUNS / 2],
           ms[RUNS - 1], cold, rows);
}

static void time_all(struct store *s, const struct price_book *book)
{
    struct store_filter app = { STORE_app, SLICE("tutor") };
    const int64_t end = YEAR_START + INT64_C(365) * 86400;
    const struct {
        const char *what;
        bool priced;
        struct store_query q;
    } runs[] = {
        { "one year, daily by model",
          false,
          { YEAR_START, end, STORE_DAY, store_bit(STORE_model), NULL, 0, 0 } },
        { "one year, daily by model, with cost",
          true,
          { YEAR_START, end, STORE_DAY, store_bit(STORE_model), NULL, 0, 0 } },
        { "one year, by month and app, with cost",
          true,
          { YEAR_START, end, STORE_MONTH, store_bit(STORE_app), NULL, 0, 0 } },
        { "one year, daily, one app, with cost",
          true,
          { YEAR_START, end, STORE_DAY, store_bit(STORE_model), &app, 1, 0 } },
        { "30 days, daily by model, with cost",
          true,
          { end - 30 * 86400, end, STORE_DAY, store_bit(STORE_model), NULL, 0, 0 } },
        { "7 days, hourly by app, with cost",
          true,
          { end - 7 * 86400, end, STORE_HOUR, store_bit(STORE_app), NULL, 0, 0 } },
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        time_query(s, runs[i].priced ? book : NULL, runs[i].what, &runs[i].q);
}

int main(int argc, char **argv)
{
    struct store *s;
    struct price_book *book;
    struct buf why = { 0 };
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    struct store_options o = { .dir = argc > 1 ? argv[1] : "." };
    if (argc < 2 || store_sqlite_open(&o, &s, &why) != ST_OK ||
        price_book_open(NULL, NULL, &book, &why) != ST_OK) {
        fprintf(stderr, "store_bench DIR [ROWS]: %s\n", buf_cstr(&why));
        return 2;
    }
    struct store_status st;
    store_get_status(s, &st);
    if (st.newest_hour == 0)
        fill(s, rows);
    time_all(s, book);
    store_get_status(s, &st);
    printf("%-46s %7.1f MB\n", "size of the store",
           (double)(st.bytes + st.wal_bytes) / 1e6);
    price_book_free(book);
    store_free(s);
    buf_release(&why);
    return 0;
}
