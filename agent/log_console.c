/*
 * Consoles of servers of one's own (usage-formats 8.11): see logparse.h. Ollama prints
 * its requests, which are calls without counts; llama.cpp two lines of timings for each.
 */
#include "agent/logparse.h"

#include "common/instant.h"

#define GIN "[GIN] "

/* The next column of `a | b | c`, without blanks. */
static struct slice column(struct slice *rest)
{
    struct slice c;
    slice_cut(*rest, '|', &c, rest);
    return slice_trim(c);
}

/* "1m2.5s", "812.3ms", "45.1µs" in microseconds; -1 for anything else. */
static int64_t duration(struct slice s)
{
    static const struct {
        const char *unit;
        unsigned digits; /* decimals of a microsecond's power of ten */
        uint64_t times;
    } units[] = { { "ms", 3, 1 }, { "\xc2\xb5s", 0, 1 }, { "us", 0, 1 }, { "s", 6, 1 },
                  { "m", 6, 60 }, { "h", 6, 3600 },      { "ns", 0, 0 } };
    uint64_t sum = 0, v;
    while (s.n) {
        size_t n = 0, u = 0;
        while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.'))
            n++;
        struct slice number = slice_head(s, n);
        s = slice_from(s, n);
        while (u < 7 && !slice_starts(s, slice_str(units[u].unit)))
            u++;
        if (u == 7 || !json_decimal(number, units[u].digits, &v) || v > INT64_MAX / 7200)
            return -1;
        sum += v * units[u].times;
        s = slice_from(s, strlen(units[u].unit));
    }
    return sum < INT64_MAX ? (int64_t)sum : -1;
}

/* `2026/11/02 - 10:00:00 | 200 | 1.2s | 127.0.0.1 | POST     "/api/chat"`. */
static int gin(struct logparse *p, struct slice rest)
{
    struct logcall *c = p->call;
    char when[19];
    struct slice time = column(&rest), status = column(&rest), took = column(&rest);
    column(&rest); /* the client */
    struct slice method, path;
    slice_cut(slice_trim(rest), ' ', &method, &path);
    path = slice_trim(path);
    if (time.n < 21 || path.n < 2 || path.p[0] != '"')
        return LOGPARSE_OTHER;
    memcpy(when, time.p, 10);
    memcpy(when + 10, time.p + 12, 9); /* without the dash */
    instant_parse(slice_of(when, sizeof when), &c->end_ns);
    logcall_num(c, CALL_STATUS, status);
    logcall_text(c, CALL_METHOD, method);
    logcall_text(c, CALL_PATH, slice_of(path.p + 1, path.n - 2));
    logcall_text(c, CALL_PROVIDER, SLICE("ollama"));
    c->total_us = duration(took);
    return (int)logcall_emit(c, p->provider, p->line_ns, p->emit, p->arg);
}

/* The number behind the last " / " of `eval time = 1000.00 ms /   309 tokens (…)`. */
static bool timed(struct slice line, size_t at, uint64_t *tokens)
{
    struct slice rest = slice_from(line, at), n;
    size_t slash = slice_find(rest, SLICE(" / "));
    if (slash == SIZE_MAX)
        return false;
    slice_cut(slice_trim(slice_from(rest, slash + 3)), ' ', &n, &rest);
    return slice_u64(n, tokens) &&
           (slice_starts(rest, SLICE("tokens")) || slice_starts(rest, SLICE("runs")));
}

int log_console(struct logparse *p, struct log_console *state)
{
    size_t at = slice_find(p->text, SLICE("eval time = "));
    uint64_t tokens;
    logcall_init(p->call);
    if (slice_starts(p->text, SLICE(GIN)))
        return gin(p, slice_from(p->text, sizeof GIN - 1));
    if (at == SIZE_MAX || !timed(p->text, at, &tokens))
        return LOGPARSE_OTHER;
    if (slice_ends(slice_head(p->text, at), SLICE("prompt "))) {
        state->prompt = tokens + 1;
        return 0;
    }
    if (state->prompt) /* what was evaluated: tokens out of a cache are not in it */
        logcall_set(p->call, CALL_IN, state->prompt - 1);
    logcall_set(p->call, CALL_OUT, tokens);
    if (!p->provider.n)
        logcall_text(p->call, CALL_PROVIDER, SLICE("compat"));
    state->prompt = 0;
    return (int)logcall_emit(p->call, p->provider, p->line_ns, p->emit, p->arg);
}

bool log_console_line(struct slice line)
{
    return (slice_starts(line, SLICE(GIN)) ||
            slice_find(line, SLICE("eval time = ")) != SIZE_MAX) &&
           log_console_detect(line);
}

bool log_console_detect(struct slice block)
{
    static const char *const ollama[] = { "\"/api/chat", "\"/api/generate",
                                          "\"/api/embed", "\"/api/tags", "OLLAMA_" };
    if (slice_find(block, SLICE("eval time = ")) != SIZE_MAX)
        return true;
    bool found = false; /* others print such lines, too */
    for (size_t i = 0; i < sizeof ollama / sizeof *ollama; i++)
        found |= slice_find(block, slice_str(ollama[i])) != SIZE_MAX;
    return found && slice_find(block, SLICE(GIN)) != SIZE_MAX;
}
