/*
 * The log formats that are not provider bodies (usage-formats 8.3 to 8.11): one record
 * in, judged calls out. Fed by logline with unwrapped lines; each parser stands in a
 * log_*.c of its own and keeps nothing but the state that it is handed.
 *
 * A parser returns the number of records that it gave, or LOGPARSE_OTHER when the line
 * is not of its format: the caller may try another. Refuses: to look at prompts, answers
 * or bodies, whatever counters they repeat.
 */
#ifndef BREAKEVEN_LOGPARSE_H
#define BREAKEVEN_LOGPARSE_H

#include "agent/logcall.h"
#include "agent/logline.h"

enum { LOGPARSE_OTHER = -1 };

/* One line and where its calls go. */
struct logparse {
    struct slice text;
    struct slice provider; /* for records that name none; may be empty */
    int64_t line_ns;       /* for records without a time; USAGE_NO_TIME */
    usage_fn *emit;
    void *arg;
    struct buf *scratch;  /* contents are lost */
    struct logcall *call; /* the same */
    const char *why;      /* set when the line is broken: a constant sentence */
};

/* The format by its signature (usage-formats 8.0); LOGFORMAT_auto: none of these. */
enum logformat logparse_detect(struct slice line);

/* Is the format read by one of the parsers below? */
bool logparse_knows(enum logformat format);

/* LiteLLM, Bedrock, Azure, gen_ai: fields at fixed places (logfield.def). */
int log_fields(struct logparse *p, enum logformat format);

/* --- Codex session files: counters are cumulative -------------------------------------
 */

enum { LOG_CODEX_COUNTS = 5, LOG_CODEX_NAME = 64 };

/* What one line needs from those before it. A zeroed struct begins a file. */
struct log_codex {
    uint64_t total[LOG_CODEX_COUNTS]; /* input, cached, cache write, output, reasoning */
    int64_t begin_ns;                 /* of the session's own first line; 0 unknown */
    char model[LOG_CODEX_NAME], session[LOG_CODEX_NAME]; /* NUL-terminated, no blanks */
};

int log_codex(struct logparse *p, struct log_codex *state);
/* " total… begin model session" appended; and back. False: not what save wrote. */
void log_codex_save(const struct log_codex *state, struct buf *out);
bool log_codex_load(struct log_codex *state, struct slice text);

/* --- what `claude -p` prints: JSON whose result sums its messages up ------------------
 */

enum { LOG_CLAUDE_SESSIONS = 8, LOG_CLAUDE_COUNTS = 4 };

/*
 * Sessions of which messages were counted, the latest first, those with a result last
 * (one beyond takes the last one's place): hashes of the session (0: none)
 * and of its latest message, counts (input, cache read and written, output) of the
 * messages before that and of that. A zeroed struct begins a file.
 */
struct log_claude {
    struct log_claude_session {
        uint64_t session, message, sum[LOG_CLAUDE_COUNTS], last[LOG_CLAUDE_COUNTS];
    } at[LOG_CLAUDE_SESSIONS];
};

/* May it be one of its lines? The quick look. */
static inline bool log_claude_may_be(struct slice text)
{
    return text.n > 8 && !memcmp(text.p, "{\"type\":", 8);
}
/* Is it a message of such a session, or a part of one (--include-partial-messages)? */
bool log_claude_printed(struct slice text, struct slice *session);
/* What that message counts; the same one may come again with more. */
void log_claude_message(struct log_claude *s, struct slice session,
                        const struct usage *u);
/*
 * A result: what it has beyond the counted messages of its session, in no call of its own
 * (agg_n 0); of a session that printed none, a call for each model.
 */
int log_claude_result(struct logparse *p, struct log_claude *s);
/* " sessions" in one word ("-": none), and back. False: not what save wrote. */
void log_claude_save(const struct log_claude *s, struct buf *out);
bool log_claude_load(struct log_claude *s, struct slice text);

/* --- OpenTelemetry, OTLP JSON lines ---------------------------------------------------
 */

enum { LOG_OTLP_SERIES = 64 /* cumulative series of a file that are followed */ };

struct log_otlp_series {
    uint64_t key; /* hash of resource, metric, attributes and start time */
    uint64_t sum, count;
};

struct log_otlp {
    bool calls; /* were seen one by one: metrics of this file say the same again */
    size_t series_n;
    struct log_otlp_series series[LOG_OTLP_SERIES];
    uint64_t dropped; /* points of series beyond those */
};

int log_otlp(struct logparse *p, struct log_otlp *state);
/* Look ahead in the first block: metrics may stand before the spans that they repeat. */
void log_otlp_peek(struct log_otlp *state, struct slice block);
void log_otlp_save(const struct log_otlp *state, struct buf *out);
bool log_otlp_load(struct log_otlp *state, struct slice text);

/* --- consoles of servers of one's own ------------------------------------------------
 */

struct log_console {
    uint64_t
        prompt; /* llama.cpp: tokens of a prompt whose answer is still to come, + 1 */
};

int log_console(struct logparse *p, struct log_console *state);
/* Is it such a console? Their first lines do not show it: look in the first block. */
bool log_console_detect(struct slice block);
/* The same of one line further down. */
bool log_console_line(struct slice line);

#endif
