/*
 * Log formats whose fields stand at fixed places: LiteLLM, Bedrock invocation logs,
 * OpenTelemetry spans, gateways' access logs (logfields.def), and Codex session files,
 * whose counters are cumulative. One JSON line to judged calls. Fed by logline; refuses
 * to look at prompts or bodies.
 */
#ifndef BREAKEVEN_LOGFIELDS_H
#define BREAKEVEN_LOGFIELDS_H

#include "common/buf.h"
#include "common/usage.h"

enum logfields_format {
    LOGFIELDS_litellm,
    LOGFIELDS_bedrock,
    LOGFIELDS_otlp,
    LOGFIELDS_gen_ai,
    LOGFIELDS_codex,
    LOGFIELDS_N,
};

enum { LOGFIELDS_CODEX_COUNTERS = 5 };

/* What Codex files need from one line to the next. A zeroed struct begins a file. */
struct logfields_codex {
    uint64_t total[LOGFIELDS_CODEX_COUNTERS]; /* input, cached, cache write, output,
                                                 reasoning: last seen */
    bool any;
    int64_t first_second; /* of the file's first counters; a fork replays in it */
    char model[64];
    char session[64];
};

/* Does the line show the format's signature (usage-formats 8.0)? LOGFIELDS_N: none. */
enum logfields_format logfields_detect(struct slice line);

/*
 * Judge one line. Returns the records emitted, or -1 when the line is not of that format
 * (no such signature). *why as of extract_record. `codex` only for LOGFIELDS_codex.
 */
int logfields_judge(enum logfields_format format, struct slice line,
                    struct logfields_codex *codex, usage_fn *emit, void *arg,
                    const char **why);

#endif
