/* What a file's reading needs over a restart: see logline.h and logline_private.h. */
#include "agent/logline_private.h"

/* Does a record wait for its end? One that was too long is lost, and holds nothing up. */
static bool half(const struct logline_stream *s)
{
    return s->join.at.depth && !s->join.over;
}

uint64_t logline_resume(const struct logline *l, uint64_t next_offset)
{
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++) {
        const struct logline_stream *s = &l->stream[i];
        if (s->waiting && s->offset < next_offset)
            next_offset = s->offset;
        if (half(s) && s->join_offset < next_offset)
            next_offset = s->join_offset;
    }
    return next_offset;
}

static void save_begun(const struct extract_begun *b, struct buf *out)
{
    if (!b->id_n || !b->model_n)
        return;
    buf_addc(out, ' ');
    buf_add(out, slice_of(b->id, b->id_n));
    buf_addc(out, ' ');
    buf_add(out, slice_of(b->model, b->model_n));
}

/* Lines of a record that has not ended are read again. */
static uint64_t done(const struct logline_stream *s)
{
    return half(s) && s->join_offset < s->done ? s->join_offset : s->done;
}

/*
 * "4 FORMAT WRAP LAST_NS DONE DONE", and for Codex, OTLP and consoles their own state,
 * for a table its names, else the sessions that claude -p printed, the id and model of a
 * stream that has begun: one blank between words, numbers decimal.
 */
void logline_save(const struct logline *l, struct buf *out)
{
    buf_addf(out, "4 %s %s ", logformat_name(l->format), logformat_name(l->wrap));
    buf_addi(out, l->last_ns);
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        buf_addf(out, " %llu", (unsigned long long)done(&l->stream[i]));
    if (l->wrap == LOGFORMAT_csv)
        buf_addf(out, " %.*s", (int)l->head_n, l->head);
    else if (l->format == LOGFORMAT_codex)
        log_codex_save(&l->codex, out);
    else if (l->format == LOGFORMAT_otlp)
        log_otlp_save(&l->otlp, out);
    else if (l->format == LOGFORMAT_console)
        buf_addf(out, " %llu", (unsigned long long)l->console.prompt);
    else if (l->format == LOGFORMAT_regex || l->format == LOGFORMAT_fields)
        logrule_save(&l->counters, out);
    else {
        log_claude_save(&l->claude, out);
        save_begun(&l->begun, out);
    }
}

/* The next word of a saved state; empty at its end. */
static struct slice word(struct slice *state)
{
    struct slice w;
    slice_cut(*state, ' ', &w, state);
    return w;
}

static bool load_begun(struct extract_begun *b, struct slice state)
{
    struct slice id = word(&state);
    if (!id.n != !state.n || id.n > sizeof b->id || state.n > sizeof b->model)
        return false;
    b->id_n = id.n;
    b->model_n = state.n;
    memcpy(b->id, id.n ? id.p : "", id.n);
    memcpy(b->model, state.n ? state.p : "", state.n);
    return true;
}

enum status logline_load(struct logline *l, struct slice state)
{
    enum logformat format, wrap;
    int64_t last;
    uint64_t done[UNWRAP_STREAMS];
    struct log_codex codex = { .begin_ns = 0 };
    struct log_otlp otlp = { .calls = false };
    struct log_console console = { 0 };
    struct log_claude claude = { .at = { { .session = 0 } } };
    struct extract_begun begun = { .id_n = 0 };
    struct logrule_state counters = { { 0 } };
    bool ruled;
    struct slice version = word(&state);
    bool old = slice_eq(version, SLICE("3")); /* of 0.1 before its log_claude */
    if ((!old && !slice_eq(version, SLICE("4"))) ||
        !logformat_parse(word(&state), &format) || logline_wraps(format) ||
        !logformat_parse(word(&state), &wrap) ||
        (wrap != LOGFORMAT_auto && !logline_wraps(wrap)) ||
        !slice_i64(word(&state), &last))
        return ST_BAD;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        if (!slice_u64(word(&state), &done[i]))
            return ST_BAD;
    ruled = format == LOGFORMAT_regex || format == LOGFORMAT_fields;
    bool table = wrap == LOGFORMAT_csv;
    if (table                       ? state.n > LOGCSV_HEAD
        : ruled                     ? !logrule_load(&counters, state)
        : format == LOGFORMAT_codex ? !log_codex_load(&codex, state)
        : format == LOGFORMAT_otlp  ? !log_otlp_load(&otlp, state)
        : format == LOGFORMAT_console
            ? !slice_u64(state, &console.prompt)
            : (!old && !log_claude_load(&claude, word(&state))) ||
                  !load_begun(&begun, state))
        return ST_BAD;
    if (l->configured == LOGFORMAT_auto)
        l->wrap = wrap;
    if (!l->rule && !ruled &&
        (l->configured == LOGFORMAT_auto || l->configured == l->wrap))
        l->format = format;
    if (table)
        l->head_n = logline_keep_head(l, state);
    l->codex = codex;
    l->otlp = otlp;
    l->console = console;
    l->claude = claude;
    l->begun = begun;
    l->counters = counters;
    l->last_ns = last;
    for (unsigned i = 0; i < UNWRAP_STREAMS; i++)
        l->stream[i].done = done[i];
    return ST_OK;
}
