/*
 * From what a provider said to struct usage. Two doors, one engine:
 *
 *   exchange  an HTTP request and its reply, bodies fed in decoded pieces cut anywhere;
 *             fed by http1, http2, websocket (capture) and by tests
 *   record    one complete JSON text out of a log, the provider's body standing at any
 *             depth in it; fed by logline
 *
 * Host, path and method choose a row of provider.def (provider.h); the row says surface,
 * accounting and where model and usage stand. Constant memory, one pass, no body size
 * cap. Refuses: to look into prompt or answer text (usage-formats, rule 10), to guess a
 * number.
 */
#ifndef BREAKEVEN_EXTRACT_H
#define BREAKEVEN_EXTRACT_H

#include "common/buf.h"
#include "common/usage.h"

struct extract;

struct extract_header {
    struct slice name, value;
};

/* Why the exchange is over. */
enum extract_end {
    EXTRACT_COMPLETE, /* the reply ended as its framing says */
    EXTRACT_ABORTED,  /* the client or the network left, or bytes were lost (a gap) */
};

/* One engine for many exchanges or records, one after another. NULL: out of memory. */
struct extract *extract_new(void);
void extract_free(struct extract *x);
/* Between records: forget what they had in common, give back what the largest needed. */
void extract_rest(struct extract *x);

/* --- exchange -------------------------------------------------------------------------
 */

/*
 * Begin an exchange. `target` is the request target with its query, which is used
 * (?model=, ?alt=sse) and never kept. Slices are copied as far as they are needed.
 */
void extract_begin(struct extract *x, struct slice scheme, struct slice host,
                   uint16_t port, struct slice method, struct slice target);
void extract_request_headers(struct extract *x, const struct extract_header *h, size_t n);
/* The next bytes of the decoded request body: model, stream flag, options, text sizes. */
void extract_request_body(struct extract *x, struct slice piece);
void extract_response_head(struct extract *x, uint16_t status,
                           const struct extract_header *h, size_t n);
void extract_response_body(struct extract *x, struct slice piece);
/*
 * Who receives the calls of a batch whose results this reply may be: one each, as they
 * come, at the time `ts_ns`; their tier is "batch", their id that of the call. To be said
 * again before a later piece. Without it they are in the sums of the report alone.
 */
void extract_parts(struct extract *x, int64_t ts_ns, usage_fn *emit, void *arg);
/* True once a piece with generated content was seen: the time of the first token. */
bool extract_saw_token(const struct extract *x);
/*
 * Judge. `emit` is called once with the verdict, and once more for each pass that is
 * charged besides it (compaction, advisor). A batch's results are one report with the
 * sums of its lines (each of them: extract_parts). Slices live during the call.
 */
void extract_finish(struct extract *x, enum extract_end end, int64_t ts_ns,
                    usage_fn *emit, void *arg);

/*
 * Many exchanges in flight share one engine: what is known of one of them is a state of
 * its own, and the calls above speak of the state that is held. extract_hold makes `e`
 * that state and returns the one held before (NULL: the engine's own), which must be held
 * again before the record door or extract_free is used. NULL of extract_state_new: out of
 * memory.
 */
struct parked;
struct parked *extract_state_new(struct extract *x);
void extract_state_free(struct extract *x, struct parked *e); /* not the one held */
struct parked *extract_hold(struct extract *x, struct parked *e);
/* Memory ran out, and with it went what was known: it is judged as nothing. */
bool extract_state_lost(const struct parked *e);

/* --- record ---------------------------------------------------------------------------
 */

/* Anthropic's stream, event by event in one log: what began it. Zeroed: nothing did. */
struct extract_begun {
    char id[96], model[96];
    size_t id_n, model_n;
};

struct extract_hint {
    struct slice provider;       /* from the config; empty: from the record itself */
    int64_t fallback_ts_ns;      /* when the record has no time of its own */
    struct extract_begun *begun; /* of the same log; NULL: every record stands alone */
};

/*
 * Judge one complete JSON text of a log: provider bodies (OpenAI chat, responses, …,
 * Anthropic, Gemini, …) at any depth, flat counters (prompt_tokens / completion_tokens,
 * input_tokens / output_tokens and their kin, usage-formats 8.2), JSON inside message
 * strings. Names around the body (time, provider, model, method, host, path, status,
 * request id, app) are used. Returns how many verdicts were emitted; *why is set to a
 * constant sentence when the text is not JSON (and 0 returned), NULL otherwise.
 */
size_t extract_record(struct extract *x, struct slice json,
                      const struct extract_hint *hint, usage_fn *emit, void *arg,
                      const char **why);

#endif
