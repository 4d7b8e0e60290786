/*
 * Logs for benchmarks, the same bytes for the same options:
 *
 *   gen_logs app FILE MEGABYTES PERCENT     JSON lines of a service; PERCENT of them
 * carry usage, the others talk of tokens in prose only gen_logs sessions FOLDER MEGABYTES
 * session files of a coding assistant, each reply on one to four lines with growing
 * output
 *
 * Prints what a correct meter reports: {"lines":…,"calls":…,"input":…,"cache_read":…,
 * "cache_write":…,"output":…}, classes disjoint.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct totals {
    uint64_t lines, calls, input, cache_read, cache_write, output;
};

struct gen {
    FILE *out;
    uint64_t random, bytes;
    int64_t ms; /* the clock of the log */
    struct totals total;
};

/* splitmix64 */
static uint64_t next(struct gen *g)
{
    uint64_t z = g->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static unsigned below(struct gen *g, unsigned n)
{
    return (unsigned)(next(g) % n);
}

static void put(struct gen *g, const char *text)
{
    g->bytes += strlen(text);
    fputs(text, g->out);
}

#define PUTF(g, ...)                                                                     \
    do {                                                                                 \
        int put_ = fprintf((g)->out, __VA_ARGS__);                                       \
        (g)->bytes += put_ > 0 ? (uint64_t)put_ : 0;                                     \
    } while (0)

/* About n bytes of prose inside a JSON string, with what misleads a naive search. */
static void prose(struct gen *g, unsigned n)
{
    static const char *const words[] = {
        "the",
        "order",
        "was",
        "shipped",
        "to",
        "a",
        "customer",
        "in",
        "Kiel",
        "after",
        "retry",
        "of",
        "worker",
        "with",
        "timeout",
        "and",
        "tokens",
        "usage",
        "cache",
        "error",
        "completion",
        "r\\u00f8d",
        "na\xc3\xafve",
        "\\\"quoted\\\"",
        "C:\\\\temp",
        "line\\nbreak",
        "max tokens",
        "prompt",
        "{\\\"id\\\":7}",
        "0.25",
    };
    uint64_t end = g->bytes + n;
    while (g->bytes < end) {
        put(g, words[below(g, sizeof words / sizeof *words)]);
        put(g, " ");
    }
}

static void when(struct gen *g)
{
    int64_t s = g->ms / 1000;
    PUTF(g, "2026-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)(1 + s / 86400 / 28 % 12),
         (int)(1 + s / 86400 % 28), (int)(s / 3600 % 24), (int)(s / 60 % 60),
         (int)(s % 60), (int)(g->ms % 1000));
}

static void end_line(struct gen *g)
{
    put(g, "\n");
    g->total.lines++;
    g->ms += below(g, 30);
}

/* --- a service ------------------------------------------------------------------------
 */

static void plain_line(struct gen *g)
{
    static const char *const levels[] = { "INFO", "INFO", "INFO", "WARN", "ERROR" };
    put(g, "{\"time\":\"");
    when(g);
    PUTF(g,
         "\",\"level\":\"%s\",\"component\":\"orders.%u\",\"request\":\"%016" PRIx64
         "\",\"message\":\"",
         levels[below(g, 5)], below(g, 40), next(g));
    prose(g, 30 + below(g, 420));
    PUTF(g, "\",\"status\":%u,\"ms\":%u.%u}", below(g, 20) ? 200 : 503, below(g, 900),
         below(g, 10));
    end_line(g);
}

static void usage_line(struct gen *g)
{
    static const char *const models[] = { "gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14",
                                          "claude-sonnet-4-5-20250929",
                                          "claude-haiku-4-5-20251001" };
    unsigned model = below(g, 4), fresh = 10 + below(g, 20000), out = 1 + below(g, 2500);
    unsigned cached = below(g, 3) ? 0 : below(g, 9000);
    put(g, "{\"time\":\"");
    when(g);
    PUTF(g,
         "\",\"level\":\"INFO\",\"component\":\"assistant\",\"provider\":\"%s\","
         "\"model\":\"%s\",\"request_id\":\"%016" PRIx64
         "\",\"status\":200,\"preview\":\"",
         model < 2 ? "openai" : "anthropic", models[model], next(g));
    prose(g, 20 + below(g, 280));
    if (model < 2)
        PUTF(g,
             "\",\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
             "\"total_tokens\":%u,\"prompt_tokens_details\":{\"cached_tokens\":%u}}}",
             fresh + cached, out, fresh + cached + out, cached);
    else
        PUTF(g,
             "\",\"usage\":{\"input_tokens\":%u,\"cache_creation_input_tokens\":0,"
             "\"cache_read_input_tokens\":%u,\"output_tokens\":%u}}",
             fresh, cached, out);
    g->total.calls++;
    g->total.input += fresh;
    g->total.cache_read += cached;
    g->total.output += out;
    end_line(g);
}

static int app(struct gen *g, const char *path, uint64_t bytes, unsigned percent)
{
    g->out = fopen(path, "wb");
    if (!g->out)
        return 1;
    while (g->bytes < bytes) {
        if (below(g, 100) < percent)
            usage_line(g);
        else
            plain_line(g);
    }
    return fclose(g->out) != 0;
}

/* --- sessions -------------------------------------------------------------------------
 */

static void session_head(struct gen *g, const char *type, uint64_t session)
{
    PUTF(g,
         "{\"parentUuid\":\"%016" PRIx64 "\",\"isSidechain\":false,\"cwd\":\"/srv/app\","
         "\"sessionId\":\"%016" PRIx64 "\",\"version\":\"2.1.0\",\"type\":\"%s\","
         "\"timestamp\":\"",
         next(g), session, type);
    when(g);
    put(g, "\",");
}

static void user_line(struct gen *g, uint64_t session)
{
    session_head(g, "user", session);
    put(g, "\"message\":{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
           "\"content\":\"");
    prose(g, 100u << below(g, 8));
    put(g, "\"}]}}");
    end_line(g);
}

static void reply_lines(struct gen *g, uint64_t session)
{
    uint64_t id = next(g);
    unsigned in = 1 + below(g, 20), read = below(g, 150000), written = below(g, 5000);
    unsigned out = 20 + below(g, 1500), lines = 1 + below(g, 4);
    for (unsigned i = 1; i <= lines; i++) {
        session_head(g, "assistant", session);
        PUTF(
            g,
            "\"requestId\":\"req_%016" PRIx64 "\",\"message\":{\"id\":\"msg_01%016" PRIx64
            "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"content\":"
            "[{\"type\":\"text\",\"text\":\"",
            id * 3, id,
            id % 4 ? "claude-sonnet-4-5-20250929" : "claude-opus-4-1-20250805");
        prose(g, 50 + below(g, 1500));
        PUTF(g,
             "\"}],\"usage\":{\"input_tokens\":%u,\"cache_creation_input_tokens\":%u,"
             "\"cache_read_input_tokens\":%u,\"cache_creation\":{"
             "\"ephemeral_5m_input_tokens\":%u,\"ephemeral_1h_input_tokens\":0},"
             "\"output_tokens\":%u,\"service_tier\":\"standard\"}}}",
             in, written, read, written, i == lines ? out : 1 + out * i / (lines + 1));
        end_line(g);
    }
    g->total.calls++;
    g->total.input += in;
    g->total.cache_read += read;
    g->total.cache_write += written;
    g->total.output += out;
}

static int sessions(struct gen *g, const char *folder, uint64_t bytes)
{
    char path[4096];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return 1;
    for (unsigned project = 0; project < 10; project++) {
        snprintf(path, sizeof path, "%s/project-%u", folder, project);
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return 1;
    }
    for (unsigned file = 0; g->bytes < bytes; file++) {
        uint64_t session = next(g);
        snprintf(path, sizeof path, "%s/project-%u/%016" PRIx64 ".jsonl", folder,
                 file % 10, session);
        g->out = fopen(path, "wb");
        if (!g->out)
            return 1;
        for (unsigned turn = 20 + below(g, 250); turn; turn--) {
            user_line(g, session);
            reply_lines(g, session);
        }
        if (fclose(g->out) != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct gen g = { .random = 2026, .ms = 43200000 };
    uint64_t bytes = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000000 : 0;
    int failed;
    if (argc == 5 && strcmp(argv[1], "app") == 0)
        failed = app(&g, argv[2], bytes, (unsigned)strtoul(argv[4], NULL, 10));
    else if (argc == 4 && strcmp(argv[1], "sessions") == 0)
        failed = sessions(&g, argv[2], bytes);
    else
        return fputs("usage: gen_logs app FILE MB PERCENT | sessions FOLDER MB\n",
                     stderr),
               2;
    if (failed) {
        perror(argv[2]);
        return 1;
    }
    const struct totals *t = &g.total;
    printf("{\"lines\":%" PRIu64 ",\"calls\":%" PRIu64 ",\"input\":%" PRIu64
           ",\"cache_read\":%" PRIu64 ",\"cache_write\":%" PRIu64 ",\"output\":%" PRIu64
           "}\n",
           t->lines, t->calls, t->input, t->cache_read, t->cache_write, t->output);
    return 0;
}
