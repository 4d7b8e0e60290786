/*
 * From the framing of a reply to its documents: events of SSE and of AWS event streams go
 * to the walk as they come; what only one document says (its type, its id) is promoted to
 * the exchange at its end.
 */
#include "agent/exchange.h"

#include "agent/normalise.h"

static size_t keep(char *to, size_t cap, struct slice s)
{
    size_t n = s.n < cap ? s.n : cap;
    if (n)
        memcpy(to, s.p, n);
    return n;
}

/* --- documents ------------------------------------------------------------------------
 */

static bool surface_is(const struct exchange *e, const char *surface)
{
    return !strcmp(e->hit.surface, surface);
}

/* Forget what the last document said about itself alone. */
void exchange_document_begin(void *arg)
{
    struct exchange *e = arg;
    struct raw *r = &e->reply;
    r->have_str &= ~(1u << S_ID | 1u << S_TYPE | 1u << S_OBJECT);
    raw_clear(r, N_X_OUT);
    if (raw_has(r, N_X_IN) && surface_is(e, "gemini.predict"))
        raw_clear(r, N_X_IN);
    r->flags &= ~(uint32_t)(F_DELTA | F_WHOLE);
    r->searches = r->browsed = 0;
    r->text_out = 0;
    r->pieces = 0;
}

/* Text of events that repeat what their deltas said does not count again. */
static bool repeats(const struct exchange *e, struct slice type)
{
    if (slice_eq(type, SLICE("stream-end")))
        return true;
    if (e->framing == FRAMING_JSON)
        return false;
    return slice_starts(type, SLICE("response.")) && !slice_ends(type, SLICE(".delta"));
}

/* A line of a batch's results is a call of its own, made earlier. */
static void give_part(struct exchange *e, struct usage u)
{
    struct shape shape = shape_of(&e->reply);
    u.ts_ns = e->part_ns;
    u.seen = SEEN_CAPTURE;
    u.status = e->status;
    u.provider = slice_str(e->hit.provider);
    u.surface = slice_str(*shape.surface ? shape.surface : e->hit.surface);
    u.model = raw_str(&e->reply, S_MODEL);
    u.tier = SLICE("batch");
    u.region = judge_region(&e->reply, &e->hit);
    u.response_id = raw_str(&e->reply, S_ID);
    u.accounting = ACCOUNTING_CALL;
    u.usage_source = SOURCE_NDJSON;
    u.quality = e->reply.flags & F_BAD_COUNT ? QUALITY_MISSING : QUALITY_EXACT;
    e->part(e->part_arg, &u);
}

/* After this document of a stream nothing follows but the end of its transport. */
static bool is_last(const struct exchange *e, struct slice type)
{
    if (surface_is(e, "ollama.generate"))
        return e->reply.flags & F_DONE;
    return e->framing == FRAMING_SSE && (slice_eq(type, SLICE("message_stop")) ||
                                         slice_eq(type, SLICE("response.completed")) ||
                                         slice_eq(type, SLICE("response.incomplete")));
}

static void sum_part(struct exchange *e)
{
    struct usage u;
    usage_init(&u);
    if (!normalise(&e->reply, slice_str(e->hit.provider), &u))
        return;
    if (e->part && judge_is_batch(e->hit.surface))
        give_part(e, u);
    judge_batch_line(e->hit.surface, &u);
    for (unsigned f = 0; f < USAGE_N; f++)
        if (usage_has(&u, f))
            usage_set(&e->sums.usage, f, e->sums.usage.v[f] + u.v[f]);
    e->sums.parts++;
    e->reply.have[0] = e->reply.have[1] = 0;
    e->reply.flags = 0;
    e->reply.passes = 0;
}

void exchange_document_end(void *arg)
{
    struct exchange *e = arg;
    struct raw *r = &e->reply;
    struct slice type = raw_str(r, S_TYPE), object = raw_str(r, S_OBJECT);
    bool run = slice_eq(object, SLICE("thread.run"));
    if (slice_eq(type, SLICE("error")))
        r->flags |= F_ERROR;
    if (raw_str(r, S_ID).n && (!e->id_n || (run && !e->thread_run))) {
        e->id_n = keep(e->id, sizeof e->id, raw_str(r, S_ID));
        e->thread_run = run;
    }
    if (!repeats(e, type)) {
        bool twice = r->flags & F_DELTA && r->flags & F_WHOLE; /* of the same text */
        e->text_out += twice ? r->text_out / 2 : r->text_out;
        e->pieces += twice ? (r->pieces + 1) / 2 : r->pieces;
        e->token |= r->text_out > 0;
    }
    e->settled |= is_last(e, type);
    if (r->searches > r->browsed && r->searches - r->browsed > e->searches)
        e->searches = r->searches - r->browsed;
    bool sglang = r->flags & F_META_INFO && e->framing == FRAMING_JSON;
    if (sglang || surface_is(e, "bedrock.agent") || judge_is_batch(e->hit.surface))
        sum_part(e);
    if (sglang) /* several prompts of one request; known by it in the end */
        r->flags |= F_META_INFO;
}

/* --- events ---------------------------------------------------------------------------
 */

static const char last_word[] = "[DONE]"; /* OpenAI and its dialect */
enum { LAST_WORD = sizeof last_word - 1, ANOTHER_WORD };

static void event_data(void *arg, struct slice piece)
{
    struct exchange *e = arg;
    if (e->answer.notes) /* a second line of data: what was noted of the first is gone */
        e->answer.notes->odd |= e->last_word != 0;
    for (size_t i = 0; i < piece.n && e->last_word != ANOTHER_WORD; i++)
        if (piece.p[i] == last_word[e->last_word])
            e->last_word++;
        else
            e->last_word = ANOTHER_WORD;
    walk_feed(&e->answer, piece);
}

static void event_end(void *arg, struct slice name)
{
    struct exchange *e = arg;
    walk_finish(&e->answer);
    if (slice_eq(name, SLICE("error")))
        e->reply.flags |= F_ERROR;
    e->settled |= e->last_word == LAST_WORD;
    e->last_word = 0;
    walk_restart(&e->answer);
}

static const struct sse_events sse_events = { .data = event_data, .end = event_end };

/* Behind the blank line that ends the event at hand: 0 if that is not in `in`. */
static size_t event_length(struct slice in)
{
    for (size_t at = 0, n; (n = slice_chr(slice_from(in, at), '\n')) != SIZE_MAX;) {
        at += n + 1;
        struct slice next = slice_from(in, at);
        if (slice_starts(next, SLICE("\n")))
            return at + 1;
        if (slice_starts(next, SLICE("\r\n")))
            return at + 2;
    }
    return 0;
}

/* Parse an event that is here as a whole, and keep it. */
static void walk_event(struct exchange *e, struct slice event)
{
    struct repeat_notes notes = { .odd = judge_is_batch(e->hit.surface) ||
                                         surface_is(e, "bedrock.agent") ||
                                         surface_is(e, "gemini.predict") };
    e->answer.notes = &notes;
    sse_feed(&e->sse, event, &sse_events, e);
    e->answer.notes = NULL;
    repeat_learn(&e->repeat, event, &notes);
}

/* The last event again, but for its text and its counts. */
static void say_again(struct exchange *e, const struct repeat_said *said)
{
    e->reply.text_out = said->measured;
    e->reply.pieces = said->pieces;
    for (unsigned i = 0; i < said->counts; i++)
        raw_count(&e->reply, said->count[i].key, said->count[i].v);
    e->answer.documents++;
    exchange_document_end(e);
}

void exchange_events(struct exchange *e, struct slice in)
{
    while (in.n) {
        struct repeat_said said;
        bool between = sse_between(&e->sse);
        size_t n = between ? repeat_match(&e->repeat, in, &said) : 0;
        if (n) {
            say_again(e, &said);
        } else if (between && (n = event_length(in))) {
            walk_event(e, slice_head(in, n));
        } else {
            n = in.n;
            if (!between && event_length(in))
                n = event_length(in);
            e->repeat.parts = 0;
            sse_feed(&e->sse, slice_head(in, n), &sse_events, e);
        }
        in = slice_from(in, n);
    }
}

void exchange_events_end(struct exchange *e)
{
    sse_finish(&e->sse, &sse_events, e);
}

static void message_begin(void *arg, struct slice message_type, struct slice event_type)
{
    struct exchange *e = arg;
    e->intact = e->reply;
    e->bytes = (struct chunk_bytes){ .state = 0 };
    e->native_chunk =
        slice_eq(event_type, SLICE("chunk")) && surface_is(e, "bedrock.invoke_stream");
    e->exception = slice_eq(message_type, SLICE("exception")) ||
                   slice_eq(message_type, SLICE("error"));
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

enum { BYTES_SEEK, BYTES_COLON, BYTES_TEXT, BYTES_DONE };

/*
 * {"bytes":"<base64 of the model's own JSON>","p":"…"}: the key is sought, the text
 * behind it decoded into the walk. The padding p holds letters only.
 */
static void native_bytes(struct exchange *e, struct slice piece)
{
    static const char key[] = "\"bytes\"";
    struct chunk_bytes *b = &e->bytes;
    char out[192];
    size_t n = 0;
    for (size_t i = 0; i < piece.n && b->state != BYTES_DONE; i++) {
        char c = piece.p[i];
        if (b->state == BYTES_SEEK) {
            b->matched =
                c == key[b->matched] ? (unsigned char)(b->matched + 1) : c == '"';
            if (b->matched == sizeof key - 1)
                b->state = BYTES_COLON;
        } else if (b->state == BYTES_COLON) {
            b->state = c == '"' ? BYTES_TEXT : BYTES_COLON;
        } else if (base64_digit(c) < 0) {
            b->state = c == '"' || c == '=' ? BYTES_DONE : BYTES_TEXT;
        } else {
            b->bits = b->bits << 6 | (uint32_t)base64_digit(c);
            if (++b->digits % 4 != 1)
                out[n++] = (char)(b->bits >> (6 - 2 * ((b->digits - 1) % 4)) & 0xff);
            if (n == sizeof out) {
                walk_feed(&e->answer, slice_of(out, n));
                n = 0;
            }
        }
    }
    walk_feed(&e->answer, slice_of(out, n));
}

static void message_payload(void *arg, struct slice piece)
{
    struct exchange *e = arg;
    if (e->native_chunk)
        native_bytes(e, piece);
    else
        walk_feed(&e->answer, piece);
}

static void message_end(void *arg, bool intact)
{
    struct exchange *e = arg;
    walk_finish(&e->answer);
    walk_restart(&e->answer);
    if (!intact)
        e->reply = e->intact; /* what it said is not to be believed */
    else if (e->exception)
        e->reply.flags |= F_ERROR;
}

const struct eventstream_events exchange_messages = { .begin = message_begin,
                                                      .payload = message_payload,
                                                      .end = message_end };
