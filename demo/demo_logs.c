/*
 * demo_logs: writes a made-up log history for `./run.sh` without arguments. DEMO DATA: no
 * application wrote it and nobody was billed. Three applications grow over the given
 * days, with a weekly rhythm, each in a log format of its own:
 *
 *   demo-support-bot.jsonl   app log lines with OpenAI chat replies in them
 *   demo-extraction.jsonl    flat counters (input_tokens / output_tokens)
 *   demo-tutor.jsonl         Gemini replies
 *   demo-canary.jsonl        a tenth of the extraction's calls of the last five weeks,
 *                            answered by a small model of one's own: the parallel test
 *
 * Same options, same bytes. Use: demo_logs --out DIR [--days 180] [--end YYYY-MM-DD]
 * [--seed N]
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DAY_S = 86400 };

struct random {
    uint64_t s;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(struct random *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(struct random *r)
{
    return (double)(next(r) >> 11) * 0x1p-53;
}

static unsigned between(struct random *r, unsigned lo, unsigned hi)
{
    return lo + (unsigned)(next(r) % (hi - lo + 1));
}

struct call {
    const char *time; /* RFC 3339 */
    uint64_t id;
    unsigned in, cached, out, ms;
};

typedef void write_fn(FILE *f, const struct call *c);

static void write_support(FILE *f, const struct call *c)
{
    fprintf(
        f,
        "{\"time\":\"%s\",\"level\":\"info\",\"msg\":\"reply sent\",\"latency_ms\":%u,"
        "\"response\":{\"id\":\"chatcmpl-demo%016llx\",\"object\":\"chat.completion\","
        "\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"usage\":{"
        "\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u,"
        "\"prompt_tokens_details\":{\"cached_tokens\":%u}}}}\n",
        c->time, c->ms, (unsigned long long)c->id, c->in, c->out, c->in + c->out,
        c->cached);
}

static void write_extraction(FILE *f, const struct call *c)
{
    fprintf(f,
            "{\"ts\":\"%s\",\"event\":\"page extracted\",\"provider\":\"anthropic\","
            "\"model\":\"claude-sonnet-4-5-20250929\",\"request_id\":\"req_demo%016llx\","
            "\"input_tokens\":%u,\"output_tokens\":%u,\"duration_ms\":%u}\n",
            c->time, (unsigned long long)c->id, c->in, c->out, c->ms);
}

/* The own model has no list price: unpriced until hosting is asked what it costs. */
static void write_canary(FILE *f, const struct call *c)
{
    fprintf(f,
            "{\"ts\":\"%s\",\"event\":\"page extracted\",\"provider\":\"vllm\","
            "\"model\":\"demo-extraction-8b\",\"request_id\":\"cmpl-demo%016llx\","
            "\"input_tokens\":%u,\"output_tokens\":%u,\"duration_ms\":%u}\n",
            c->time, (unsigned long long)c->id, c->in, c->out - c->out / 10, c->ms / 3);
}

static void write_tutor(FILE *f, const struct call *c)
{
    fprintf(f,
            "{\"timestamp\":\"%s\",\"component\":\"tutor\",\"resp\":{\"usageMetadata\":{"
            "\"promptTokenCount\":%u,\"candidatesTokenCount\":%u,\"totalTokenCount\":%u},"
            "\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"demo%016llx\"}}\n",
            c->time, c->in, c->out, c->in + c->out, (unsigned long long)c->id);
}

struct app {
    const char *file;
    write_fn *write;
    double calls_first, calls_last; /* a working day, at both ends of the history */
    double weekend;                 /* share of a working day */
    unsigned in_lo, in_hi, out_lo, out_hi, cached_percent;
    int last_days; /* only the last so many; 0: all */
};

static const struct app apps[] = {
    { "demo-support-bot.jsonl", write_support, 90, 420, .55, 6000, 40000, 300, 2400, 40,
      0 },
    { "demo-extraction.jsonl", write_extraction, 60, 130, .1, 6000, 24000, 300, 1800, 0,
      0 },
    { "demo-tutor.jsonl", write_tutor, 20, 160, 1.2, 800, 6000, 200, 2500, 0, 0 },
    { "demo-canary.jsonl", write_canary, 6, 13, .1, 6000, 24000, 300, 1800, 0, 35 },
};

/* Working hours carry most of the day: a bell around 14:00 UTC. */
static double second_of_day(struct random *r)
{
    double bell = (uniform(r) + uniform(r) + uniform(r)) / 3;
    return bell * (DAY_S - 1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void write_day(FILE *f, const struct app *a, time_t day, double at,
                      struct random *r)
{
    struct tm tm;
    gmtime_r(&day, &tm);
    bool weekend = tm.tm_wday == 0 || tm.tm_wday == 6;
    double mean = a->calls_first * pow(a->calls_last / a->calls_first, at);
    mean *= (weekend ? a->weekend : 1) * (.88 + .24 * uniform(r));
    size_t n = (size_t)(mean + uniform(r));
    double *second = malloc((n + 1) * sizeof *second);
    if (!second)
        exit(1);
    for (size_t i = 0; i < n; i++)
        second[i] = second_of_day(r);
    qsort(second, n, sizeof *second, by_value);
    for (size_t i = 0; i < n; i++) {
        char text[40];
        time_t t = day + (time_t)second[i];
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        struct call c = { .time = text,
                          .id = next(r),
                          .in = between(r, a->in_lo, a->in_hi),
                          .out = between(r, a->out_lo, a->out_hi),
                          .ms = between(r, 400, 9000) };
        if (between(r, 1, 100) <= a->cached_percent)
            c.cached = c.in / 2;
        a->write(f, &c);
    }
    free(second);
}

static int write_app(const struct app *a, const char *dir, time_t first, int days,
                     uint64_t seed)
{
    char path[4096];
    struct random r = { seed + (uint64_t)(a - apps) };
    snprintf(path, sizeof path, "%s/%s", dir, a->file);
    FILE *f = fopen(path, "wx");
    if (!f) {
        perror(path);
        return 1;
    }
    int from = a->last_days && a->last_days < days ? days - a->last_days : 0;
    for (int d = from; d < days; d++)
        write_day(f, a, first + (time_t)d * DAY_S, days > 1 ? (double)d / (days - 1) : 1,
                  &r);
    if (fclose(f) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    int days = 180;
    uint64_t seed = 1;
    time_t end = time(NULL) / DAY_S * DAY_S - DAY_S; /* yesterday is the last day */
    for (int i = 1; i + 1 < argc; i += 2) {
        struct tm tm = { 0 };
        if (!strcmp(argv[i], "--out"))
            out = argv[i + 1];
        else if (!strcmp(argv[i], "--days"))
            days = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--end") && strptime(argv[i + 1], "%Y-%m-%d", &tm))
            end = timegm(&tm);
        else
            out = NULL, i = argc;
    }
    if (!out || days < 1 || days > 3660 || (argc - 1) % 2) {
        fputs("usage: demo_logs --out DIR [--days 180] [--end YYYY-MM-DD] [--seed N]\n",
              stderr);
        return 2;
    }
    mkdir(out, 0755); /* may exist; a file that does is refused below */
    time_t first = end - (time_t)(days - 1) * DAY_S;
    for (size_t i = 0; i < sizeof apps / sizeof *apps; i++)
        if (write_app(&apps[i], out, first, days, seed) != 0)
            return 1;
    return 0;
}
