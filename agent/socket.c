/* A message is walked like any reply; its type says what it ends: see socket.h. */
#include "agent/socket.h"

#include "agent/exchange.h"
#include "agent/normalise.h"

#include <stdlib.h>

#define NOT_YET INT64_MIN

/* A response, or a turn of Gemini Live, that has begun. */
struct open_call {
    bool used;
    size_t id_n;
    char id[128];
    int64_t asked_ns, first_ns, token_ns;
};

struct socket {
    struct extract *extract;
    struct exchange *exchange; /* of the upgrade */
    struct provider_hit hit;   /* what its calls are */
    bool live;                 /* Gemini: numbers run over the messages of a turn */
    char model[RAW_TEXT], transcriber[RAW_TEXT];
    size_t model_n, transcriber_n;
    struct open_call open[SOCKET_OPEN]; /* Live uses the first */
    int64_t asked_ns;                   /* the client's last message */
    uint64_t bytes[2];                  /* by direction, since the last call */
    /* the turn at hand */
    bool turn_usage, turn_content, interrupted, turn_lost;
    bool owed; /* a turn has ended without its numbers */
};

/* --- making ---------------------------------------------------------------------------
 */

static bool is_live(const struct exchange *e)
{
    return !strcmp(e->hit.surface, "gemini.live");
}

bool socket_known(const struct extract *x)
{
    const char *surface = x->exchange->hit.surface;
    return is_live(x->exchange) || !strcmp(surface, "openai.realtime") ||
           !strcmp(surface, "openai.responses");
}

static void walk_begin(const struct socket *s, struct walk *w, struct raw *r,
                       struct walk_names *names)
{
    raw_reset(r);
    walk_init(w, &s->extract->table, C_SOCKET, r, names);
}

struct socket *socket_new(struct extract *x)
{
    struct socket *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    struct exchange *e = x->exchange;
    s->extract = x;
    s->exchange = e;
    s->hit = e->hit;
    s->hit.accounting = ACCOUNTING_CALL;
    s->live = is_live(e);
    s->asked_ns = NOT_YET;
    walk_begin(s, &e->ask, &e->request, &e->ask_names);
    walk_begin(s, &e->answer, &e->reply, &e->names);
    return s;
}

void socket_free(struct socket *s)
{
    free(s);
}

/* --- calls under way ------------------------------------------------------------------
 */

static size_t keep(char *to, size_t cap, struct slice s)
{
    size_t n = s.n < cap ? s.n : cap;
    if (n)
        memcpy(to, s.p, n);
    return n;
}

static struct open_call *find_open(struct socket *s, struct slice id)
{
    id = slice_head(id, sizeof s->open[0].id);
    for (size_t i = 0; i < SOCKET_OPEN; i++)
        if (s->open[i].used && slice_eq(slice_of(s->open[i].id, s->open[i].id_n), id))
            return &s->open[i];
    return NULL;
}

/* The one that began last: whose delta it is when the delta does not say. */
static struct open_call *newest(struct socket *s)
{
    struct open_call *c = NULL;
    for (size_t i = 0; i < SOCKET_OPEN; i++)
        if (s->open[i].used && (!c || s->open[i].first_ns >= c->first_ns))
            c = &s->open[i];
    return c;
}

/* NULL: too many are open already; that one is judged by its end alone. */
static struct open_call *begin_call(struct socket *s, struct slice id, int64_t ts_ns)
{
    for (size_t i = 0; i < SOCKET_OPEN; i++) {
        struct open_call *c = &s->open[i];
        if (c->used)
            continue;
        *c = (struct open_call){
            .used = true, .asked_ns = s->asked_ns, .first_ns = ts_ns, .token_ns = NOT_YET
        };
        c->id_n = keep(c->id, sizeof c->id, id);
        s->asked_ns = NOT_YET; /* what comes next was not asked for by that */
        return c;
    }
    return NULL;
}

/* --- verdict --------------------------------------------------------------------------
 */

static int64_t micros(int64_t from, int64_t to)
{
    return from == NOT_YET || to == NOT_YET || to < from ? -1 : (to - from) / 1000;
}

static struct slice model_of(const struct socket *s)
{
    const struct exchange *e = s->exchange;
    struct slice said = raw_str(&e->reply, S_MODEL);
    return said.n       ? said
           : s->model_n ? slice_of(s->model, s->model_n)
                        : slice_of(e->path_model, e->path_model_n);
}

/* What all calls of the session have in common. */
static void verdict_init(struct socket *s, int64_t ts_ns, struct usage *u)
{
    const struct exchange *e = s->exchange;
    usage_init(u);
    u->ts_ns = ts_ns;
    u->status = e->status;
    u->seen = SEEN_CAPTURE;
    u->provider = slice_str(s->hit.provider);
    u->surface = slice_str(s->hit.surface);
    u->model = model_of(s);
    u->model_request = e->path_model_n ? slice_of(e->path_model, e->path_model_n)
                                       : slice_of(s->model, s->model_n);
    u->region = slice_of(e->region, e->region_n);
    u->scope = slice_of(e->scope, e->scope_n);
    u->tier = raw_str(&e->reply, S_TIER);
    u->accounting = ACCOUNTING_CALL;
    u->outcome = OUTCOME_OK;
    u->quality = QUALITY_MISSING;
    usage_set(u, USAGE_bytes_up, s->bytes[STREAM_UP]);
    usage_set(u, USAGE_bytes_down, s->bytes[STREAM_DOWN]);
    s->bytes[STREAM_UP] = s->bytes[STREAM_DOWN] = 0;
}

static void timing(const struct open_call *c, int64_t ts_ns, struct usage *u)
{
    if (!c)
        return;
    u->ttfb_us = micros(c->asked_ns, c->first_ns);
    u->ttft_us = micros(c->asked_ns, c->token_ns);
    u->total_us = micros(c->asked_ns, ts_ns);
}

/* The numbers that the reply holds, if all of them are numbers. */
static bool numbers(struct socket *s, struct usage *u)
{
    const struct raw *r = &s->exchange->reply;
    if (!normalise(r, u->provider, u))
        return false;
    u->usage_source = SOURCE_JSON;
    u->quality = QUALITY_EXACT;
    if (r->flags & F_BAD_COUNT) {
        u->quality = QUALITY_MISSING;
        u->check = CHECK_MISMATCH;
    }
    return true;
}

/* Calls that were seen to begin end without numbers. */
static void give_up(struct socket *s, struct open_call *c, int64_t ts_ns, usage_fn *emit,
                    void *arg)
{
    struct usage u;
    raw_reset(&s->exchange->reply);
    verdict_init(s, ts_ns, &u);
    u.outcome = OUTCOME_ABORTED;
    u.response_id = slice_of(c->id, c->id_n);
    timing(c, ts_ns, &u);
    emit(arg, &u);
    c->used = false;
}

/* --- OpenAI ---------------------------------------------------------------------------
 */

static void session(struct socket *s)
{
    const struct raw *r = &s->exchange->reply;
    struct slice model = raw_str(r, S_MODEL), transcriber = raw_str(r, S_ROUTED);
    if (model.n)
        s->model_n = keep(s->model, sizeof s->model, model);
    if (transcriber.n)
        s->transcriber_n = keep(s->transcriber, sizeof s->transcriber, transcriber);
}

/* A transcription has its own bill, at the price of its own model. */
static void transcribed(struct socket *s, int64_t ts_ns, bool intact, usage_fn *emit,
                        void *arg)
{
    struct usage u;
    verdict_init(s, ts_ns, &u);
    u.model = u.model_request = slice_of(s->transcriber, s->transcriber_n);
    u.response_id = raw_str(&s->exchange->reply, S_REQUEST_ID);
    u.surface = SLICE("openai.transcription");
    if (intact)
        numbers(s, &u);
    emit(arg, &u);
}

static void responded(struct socket *s, int64_t ts_ns, bool intact, usage_fn *emit,
                      void *arg)
{
    const struct raw *r = &s->exchange->reply;
    struct slice id = raw_str(r, S_ID), state = raw_str(r, S_STATE);
    struct open_call *c = find_open(s, id);
    struct usage u;
    verdict_init(s, ts_ns, &u);
    u.response_id = id;
    timing(c, ts_ns, &u);
    if (intact)
        numbers(s, &u);
    if (slice_eq(state, SLICE("failed")))
        u.outcome = OUTCOME_FAILED;
    else if (slice_eq(state, SLICE("cancelled")))
        u.outcome = OUTCOME_ABORTED;
    emit(arg, &u);
    if (c)
        c->used = false;
}

/* A request that was turned down before a response began. */
static void refused(struct socket *s, int64_t ts_ns, usage_fn *emit, void *arg)
{
    struct usage u;
    verdict_init(s, ts_ns, &u);
    u.accounting = ACCOUNTING_ERROR;
    u.outcome = OUTCOME_ERROR;
    u.quality = QUALITY_EXACT;
    emit(arg, &u);
}

static bool ends_response(struct slice type)
{
    static const char *const ends[] = { "response.done", "response.completed",
                                        "response.incomplete", "response.failed",
                                        "response.cancelled" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (slice_eq(type, slice_str(ends[i])))
            return true;
    return false;
}

static void openai_event(struct socket *s, int64_t ts_ns, bool intact, usage_fn *emit,
                         void *arg)
{
    const struct raw *r = &s->exchange->reply;
    struct slice type = raw_str(r, S_TYPE), id = raw_str(r, S_ID);
    if (ends_response(type)) {
        responded(s, ts_ns, intact, emit, arg);
    } else if (slice_eq(type,
                        SLICE("conversation.item.input_audio_transcription.completed"))) {
        transcribed(s, ts_ns, intact, emit, arg);
    } else if (slice_eq(type, SLICE("response.created"))) {
        if (id.n && !find_open(s, id))
            begin_call(s, id, ts_ns);
    } else if (slice_starts(type, SLICE("response."))) {
        struct open_call *c = id.n ? find_open(s, id) : newest(s);
        if (c && c->token_ns == NOT_YET && r->text_out &&
            slice_ends(type, SLICE(".delta")))
            c->token_ns = ts_ns;
    } else if (slice_starts(type, SLICE("session.")) ||
               slice_starts(type, SLICE("transcription_session."))) {
        session(s);
    } else if (slice_eq(type, SLICE("error")) &&
               !strcmp(s->hit.surface, "openai.responses")) {
        refused(s, ts_ns, emit, arg);
    }
}

/* --- Gemini Live ----------------------------------------------------------------------
 */

/* The turn at hand is judged by the numbers that were said last. */
static void turn_over(struct socket *s, int64_t ts_ns, bool known, bool whole,
                      usage_fn *emit, void *arg)
{
    struct open_call *c = &s->open[0];
    struct usage u;
    if (!known)
        raw_reset(&s->exchange->reply);
    verdict_init(s, ts_ns, &u);
    timing(c->used ? c : NULL, ts_ns, &u);
    if (known && numbers(s, &u) && !whole) {
        u.usage_source = SOURCE_PARTIAL;
        u.quality = QUALITY_ESTIMATED; /* a running total */
    }
    if (s->interrupted || !whole)
        u.outcome = OUTCOME_ABORTED;
    emit(arg, &u);
    raw_reset(&s->exchange->reply);
    s->turn_usage = s->turn_content = s->interrupted = s->turn_lost = s->owed = false;
    c->used = false;
}

static void live_message(struct socket *s, int64_t ts_ns, bool intact, usage_fn *emit,
                         void *arg)
{
    struct raw *r = &s->exchange->reply;
    bool usage = r->flags & F_USAGE && intact, content = r->flags & F_CANDIDATES,
         done = r->flags & F_DONE;
    if (s->owed && (content || done)) {
        struct raw now = *r; /* of the turn that begins */
        turn_over(s, ts_ns, false, true, emit, arg);
        *r = now;
    } else if (s->owed && usage) {
        turn_over(s, ts_ns, true, true, emit, arg);
        return;
    }
    if (content && !s->open[0].used)
        begin_call(s, SLICE(""), ts_ns);
    if (content && s->open[0].token_ns == NOT_YET)
        s->open[0].token_ns = ts_ns;
    s->turn_content |= content;
    s->turn_usage |= usage;
    s->interrupted |= (r->flags & F_BLOCKED) != 0;
    s->turn_lost |= !intact;
    if (done && (s->turn_lost ? usage : s->turn_usage))
        turn_over(s, ts_ns, true, true, emit, arg);
    else if (done && s->turn_lost)
        turn_over(s, ts_ns, false, true, emit, arg);
    else if (done && s->turn_content)
        s->owed = true;
    r->flags &= ~(uint32_t)(F_USAGE | F_CANDIDATES | F_DONE | F_BLOCKED);
}

/* --- messages -------------------------------------------------------------------------
 */

void socket_data(struct socket *s, enum stream_dir d, int64_t ts_ns, struct slice piece)
{
    struct exchange *e = s->exchange;
    s->bytes[d] += piece.n;
    if (d == STREAM_UP)
        s->asked_ns = ts_ns;
    walk_feed(d == STREAM_UP ? &e->ask : &e->answer, piece);
}

/* "models/m", "projects/p/…/models/m" -> "m" */
static struct slice bare_model(struct slice s)
{
    size_t at = s.n;
    while (at && s.p[at - 1] != '/')
        at--;
    return slice_from(s, at);
}

static void client_message(struct socket *s)
{
    struct exchange *e = s->exchange;
    struct slice model = bare_model(raw_str(&e->request, S_MODEL_REQUEST));
    if (model.n &&
        (s->live || slice_eq(raw_str(&e->request, S_TYPE), SLICE("response.create"))))
        s->model_n = keep(s->model, sizeof s->model, model);
    raw_reset(&e->request);
}

void socket_end(struct socket *s, enum stream_dir d, int64_t ts_ns, bool intact,
                usage_fn *emit, void *arg)
{
    struct exchange *e = s->exchange;
    struct walk *w = d == STREAM_UP ? &e->ask : &e->answer;
    walk_finish(w);
    intact &= !w->dead && !w->depth;
    if (d == STREAM_UP) {
        client_message(s);
    } else if (s->live) {
        live_message(s, ts_ns, intact, emit, arg);
    } else {
        openai_event(s, ts_ns, intact, emit, arg);
        raw_reset(&e->reply);
    }
    walk_restart(w);
}

void socket_lost(struct socket *s, enum stream_dir d)
{
    s->turn_lost |= d == STREAM_DOWN;
}

void socket_close(struct socket *s, int64_t ts_ns, usage_fn *emit, void *arg)
{
    if (s->owed)
        turn_over(s, ts_ns, false, true, emit, arg);
    else if (s->live && (s->turn_content || s->turn_usage))
        turn_over(s, ts_ns, s->turn_usage && !s->turn_lost, false, emit, arg);
    for (size_t i = 0; i < SOCKET_OPEN; i++)
        if (s->open[i].used)
            give_up(s, &s->open[i], ts_ns, emit, arg);
    raw_reset(&s->exchange->reply);
    raw_reset(&s->exchange->request);
}
