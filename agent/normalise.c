/* One short function per family; normalise() at the end picks it. */
#include "agent/normalise.h"

/* a - b, not below zero; a clamp marks the call. */
static uint64_t less(struct usage *u, uint64_t a, uint64_t b)
{
    if (b <= a)
        return a - b;
    u->check = CHECK_MISMATCH;
    return 0;
}

/* Copy a raw number into a field, if it was said. */
static void take(const struct raw *r, enum raw_num from, struct usage *u,
                 enum usage_field to)
{
    if (raw_has(r, from))
        usage_set(u, to, r->num[from]);
}

static void total(const struct raw *r, enum raw_num slot, uint64_t parts, struct usage *u)
{
    if (!raw_has(r, slot) || (!r->num[slot] && parts))
        return;
    u->total_reported = r->num[slot];
    if (u->check != CHECK_MISMATCH)
        u->check = u->total_reported == parts ? CHECK_OK : CHECK_MISMATCH;
}

/* The first slot of the list that holds a number. */
static bool first(const struct raw *r, const enum raw_num *slot, size_t n, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++)
        if (raw_has(r, slot[i])) {
            *out = r->num[slot[i]];
            return true;
        }
    return false;
}

/* Written to a cache: 5m and 1h where the split is known and fits, else `rest`. */
static void cache_write(const struct raw *r, struct usage *u, uint64_t written,
                        enum usage_field rest)
{
    uint64_t m5 = raw_get(r, N_5M), h1 = raw_get(r, N_1H);
    bool split = raw_has(r, N_5M) || raw_has(r, N_1H);
    if (split && m5 + h1 <= written) {
        usage_set(u, USAGE_cache_write_5m, m5);
        usage_set(u, USAGE_cache_write_1h, h1);
        written -= m5 + h1;
        if (written)
            usage_set(u, rest, u->v[rest] + written);
        return;
    }
    usage_set(u, rest, written);
}

/* Numbers of the OpenAI dialect, by the letters of usage-formats 5.3. */
struct dialect {
    uint64_t P, C, T, K, W, X; /* prompt, completion, total, cached, written, reasoning */
    bool has_k, has_w, has_x;
    bool said;      /* there is a prompt count, or a total to derive it from */
    bool k_outside; /* cached tokens are not part of the prompt */
    uint64_t out;   /* all that was generated */
    uint64_t parts; /* what the total should be */
};

static struct dialect read_dialect(const struct raw *r, enum raw_num prompt,
                                   enum raw_num completion, enum raw_num total_slot)
{
    static const enum raw_num caches[] = { N_CACHED, N_HIT, N_CACHED_TOP, N_READ,
                                           N_A_CACHED };
    static const enum raw_num writes[] = { N_WRITE, N_CREATED };
    static const enum raw_num reasons[] = { N_REASONING, N_REASONING_TOP, N_A_REASONING };
    struct dialect d = { .C = raw_get(r, completion), .T = raw_get(r, total_slot) };
    d.has_k = first(r, caches, sizeof caches / sizeof *caches, &d.K);
    d.has_w = first(r, writes, sizeof writes / sizeof *writes, &d.W);
    d.has_x = first(r, reasons, sizeof reasons / sizeof *reasons, &d.X);
    d.said = raw_has(r, prompt) || d.T;
    d.P = raw_has(r, prompt) ? r->num[prompt] : d.T > d.C ? d.T - d.C : 0;
    d.out = d.C;
    d.parts = d.P + d.C;
    return d;
}

/* Does the total say that something stands outside of prompt and completion? */
static void resolve(struct dialect *d, const struct raw *r, struct slice provider)
{
    uint64_t P = d->P, C = d->C, T = d->T, audio = raw_get(r, N_AUDIO_IN);
    uint64_t fed = raw_get(r, N_CONNECTOR);
    bool vercel = slice_eq(provider, SLICE("vercel_gateway"));
    bool gemini_model = (T > P + C || vercel) &&
                        slice_find(raw_str(r, S_MODEL), SLICE("gemini")) != SIZE_MAX;
    bool google = gemini_model || slice_eq(provider, SLICE("gemini")) ||
                  slice_eq(provider, SLICE("vertex"));
    if (T > P + C && d->X && T == P + C + d->X) {
        d->out = C + d->X; /* xAI */
        d->parts = T;
    } else if (T > P + C && audio && T == P + C + audio) {
        d->P += audio; /* Mistral */
        d->parts = T;
    } else if (T > P + C && fed && T == P + C + fed) {
        d->P += fed; /* Mistral's conversations */
        d->parts = T;
    } else if (T > P + C && google && !d->X) {
        d->out = T - P; /* thinking shows in the total alone */
        d->has_x = true;
        d->X = T - P - C;
        d->parts = T;
    } else if (T > P + C && d->K && T == P + d->K + d->W + C) {
        d->k_outside = true;
        d->parts = T;
    } else if (T && T == P + C && d->X && (d->X > C || gemini_model) && vercel) {
        d->out = C + d->X; /* outside of both completion and total */
    } else if (d->X > C && slice_eq(provider, SLICE("perplexity"))) {
        d->out = C + d->X; /* deep research bills them apart */
    }
    if (d->K > d->P && (!T || T != P + C))
        d->k_outside = true;
}

/* Prompt tokens at the full price. */
static uint64_t uncached(struct dialect *d, struct usage *u)
{
    if (d->k_outside)
        return d->P;
    if (d->K > d->P) { /* the total stands: no more than the prompt can be cached */
        d->K = d->P;
        u->check = CHECK_MISMATCH;
    }
    uint64_t in = d->P - d->K;
    if (d->K && d->W > in && d->W <= d->P) { /* the same tokens read and written */
        u->check = CHECK_MISMATCH;
        return in;
    }
    return less(u, in, d->W);
}

static void modalities(const struct raw *r, struct usage *u)
{
    take(r, N_AUDIO_IN, u, USAGE_audio_in);
    take(r, N_IMAGE_IN, u, USAGE_image_in);
    take(r, N_VIDEO_IN, u, USAGE_video_in);
    take(r, N_AUDIO_CACHED, u, USAGE_audio_cached);
    take(r, N_AUDIO_OUT, u, USAGE_audio_out);
    take(r, N_IMAGE_OUT, u, USAGE_image_out);
}

/*
 * F1, F3, F10..F12, F14..F16, F20, F21 and the resolver 5.3: prompt and completion with
 * a total that says what contains what.
 */
static void chat(const struct raw *r, struct slice provider, struct usage *u,
                 enum raw_num prompt, enum raw_num completion)
{
    enum raw_num total_slot = prompt == N_B_INPUT ? N_B_TOTAL : N_TOTAL;
    struct dialect d = read_dialect(r, prompt, completion, total_slot);
    bool five_minutes =
        slice_eq(provider, SLICE("anthropic")) || slice_eq(provider, SLICE("bedrock"));
    resolve(&d, r, provider);
    if (d.said)
        usage_set(u, USAGE_input, uncached(&d, u));
    if (d.has_k)
        usage_set(u, USAGE_cache_read, d.K);
    if (d.has_w)
        cache_write(r, u, d.W,
                    five_minutes && raw_has(r, N_CREATED) ? USAGE_cache_write_5m
                                                          : USAGE_cache_write);
    if (raw_has(r, completion) || d.said)
        usage_set(u, USAGE_output, d.out);
    if (d.has_x)
        usage_set(u, USAGE_reasoning, d.X);
    total(r, total_slot, d.parts, u);
    modalities(r, u);
    take(r, N_AUDIO_MS, u, USAGE_audio_ms);
    take(r, N_CONNECTOR, u, USAGE_tool_prompt);
}

/* F4: nothing includes anything. Written tokens without a split stay undivided: a book
 * prices them as those of 5 minutes, Anthropic's default. */
static void anthropic(const struct raw *r, struct usage *u)
{
    take(r, N_INPUT, u, USAGE_input);
    take(r, N_READ, u, USAGE_cache_read);
    if (raw_has(r, N_CREATED) || raw_has(r, N_5M) || raw_has(r, N_1H)) {
        uint64_t split = raw_get(r, N_5M) + raw_get(r, N_1H);
        cache_write(r, u, raw_has(r, N_CREATED) ? r->num[N_CREATED] : split,
                    USAGE_cache_write);
    }
    take(r, N_OUTPUT, u, USAGE_output);
    take(r, N_REASONING, u, USAGE_reasoning);
}

/* F5 */
static void gemini(const struct raw *r, struct usage *u)
{
    /* printed in Python its name is that of Llama's count */
    uint64_t P = raw_get(r, raw_has(r, N_G_PROMPT) ? N_G_PROMPT : N_X_IN),
             K = raw_get(r, N_G_CACHED), tool = raw_get(r, N_G_TOOL),
             X = raw_get(r, N_G_THOUGHTS), C = raw_get(r, N_G_CANDIDATES);
    usage_set(u, USAGE_input, less(u, P + tool, K));
    take(r, N_G_CACHED, u, USAGE_cache_read);
    usage_set(u, USAGE_output, C + X);
    take(r, N_G_THOUGHTS, u, USAGE_reasoning);
    take(r, N_G_TOOL, u, USAGE_tool_prompt);
    modalities(r, u);
    total(r, N_G_TOTAL, P + tool + C + X, u);
}

/* F7 */
static void interactions(const struct raw *r, struct usage *u)
{
    uint64_t P = raw_get(r, N_I_INPUT), K = raw_get(r, N_I_CACHED),
             tool = raw_get(r, N_I_TOOL), C = raw_get(r, N_I_OUTPUT),
             X = raw_get(r, N_I_THOUGHT);
    usage_set(u, USAGE_input, less(u, P + tool, K));
    take(r, N_I_CACHED, u, USAGE_cache_read);
    usage_set(u, USAGE_output, C + X);
    take(r, N_I_THOUGHT, u, USAGE_reasoning);
    take(r, N_I_TOOL, u, USAGE_tool_prompt);
    total(r, N_TOTAL, P + tool + C + X, u);
}

/* F8 */
static void converse(const struct raw *r, struct usage *u)
{
    uint64_t W = raw_get(r, N_B_WRITE), m5 = raw_get(r, N_B_5M), h1 = raw_get(r, N_B_1H);
    take(r, N_B_INPUT, u, USAGE_input);
    take(r, N_B_READ, u, USAGE_cache_read);
    if (raw_has(r, N_B_WRITE)) {
        if (m5 + h1 > W)
            u->check = CHECK_MISMATCH;
        usage_set(u, USAGE_cache_write_5m, m5 + h1 > W ? W : W - h1);
        if (m5 + h1 <= W && raw_has(r, N_B_1H))
            usage_set(u, USAGE_cache_write_1h, h1);
    }
    usage_set(u, USAGE_output,
              raw_has(r, N_B_OUTPUT) ? r->num[N_B_OUTPUT] : raw_get(r, N_M_OUTPUT));
    total(r, N_B_TOTAL, usage_total(u), u);
}

/* F9 */
static void metrics(const struct raw *r, struct usage *u)
{
    take(r, N_M_INPUT, u, USAGE_input);
    take(r, N_M_READ, u, USAGE_cache_read);
    take(r, N_M_WRITE, u, USAGE_cache_write_5m);
    usage_set(u, USAGE_output, raw_get(r, N_M_OUTPUT));
}

/* F13 */
static void cohere(const struct raw *r, struct usage *u)
{
    usage_set(u, USAGE_input, raw_get(r, N_C_INPUT) + raw_get(r, N_C_IMAGE_TOKENS));
    usage_set(u, USAGE_output, raw_get(r, N_C_OUTPUT));
    take(r, N_C_REASONING, u, USAGE_reasoning);
    take(r, N_C_SEARCHES, u, USAGE_search_units);
    take(r, N_C_CLASSES, u, USAGE_classifications);
    take(r, N_C_IMAGES, u, USAGE_images);
}

/* F17; a count that Ollama left out was cached or unknown, not zero. */
static void ollama(const struct raw *r, struct usage *u)
{
    if (raw_has(r, N_O_PROMPT))
        usage_set(u, USAGE_input, less(u, r->num[N_O_PROMPT], raw_get(r, N_O_CACHED)));
    take(r, N_O_CACHED, u, USAGE_cache_read);
    usage_set(u, USAGE_output, raw_get(r, N_O_EVAL));
}

/* F18 */
static void llama_cpp(const struct raw *r, struct usage *u)
{
    usage_set(u, USAGE_input, less(u, raw_get(r, N_L_EVALUATED), raw_get(r, N_L_CACHED)));
    take(r, N_L_CACHED, u, USAGE_cache_read);
    usage_set(u, USAGE_output, raw_get(r, N_L_PREDICTED));
}

/* F19 */
static void tgi(const struct raw *r, struct usage *u)
{
    take(r, N_T_IN, u, USAGE_input);
    usage_set(u, USAGE_output, raw_get(r, N_T_OUT));
}

/* Titan, Llama, watsonx, Aleph Alpha, Vertex embeddings: just two numbers. */
static void pair(const struct raw *r, struct usage *u)
{
    take(r, N_X_IN, u, USAGE_input);
    usage_set(u, USAGE_output,
              raw_has(r, N_X_OUT_LAST) ? r->num[N_X_OUT_LAST] : raw_get(r, N_X_OUT));
}

/* input_tokens: Anthropic's meaning or OpenAI Responses' (5.2, field-name detection). */
static bool exclusive(const struct raw *r, struct slice provider)
{
    if (raw_has(r, N_TOTAL) || raw_has(r, N_CACHED) || raw_has(r, N_WRITE))
        return false;
    if (!(r->flags & F_NATIVE_CACHE) && (r->flags & F_FLAT)) {
        if (raw_get(r, N_READ) > raw_get(r, N_INPUT))
            return true;
        return (raw_has(r, N_READ) || raw_has(r, N_CREATED)) &&
               (slice_eq(provider, SLICE("anthropic")) ||
                slice_eq(provider, SLICE("bedrock")));
    }
    return r->flags & F_NATIVE_CACHE || slice_starts(raw_str(r, S_ID), SLICE("msg_"));
}

static void units(const struct raw *r, struct slice provider, struct usage *u)
{
    take(r, N_WEB_SEARCHES, u, USAGE_web_searches);
    take(r, N_WEB_FETCHES, u, USAGE_web_fetches);
    take(r, N_G_QUERIES, u, USAGE_grounding_queries);
    take(r, N_PAGES, u, USAGE_pages);
    take(r, N_CHARACTERS, u, USAGE_characters);
    if (r->searches > r->browsed && !usage_has(u, USAGE_web_searches))
        usage_set(u, USAGE_web_searches, r->searches - r->browsed);
    uint64_t cost, rest = r->flags & F_BYOK ? raw_get(r, N_COST_UPSTREAM) : 0;
    if (raw_has(r, N_COST) && !__builtin_add_overflow(r->num[N_COST], rest, &cost))
        usage_set(u, USAGE_cost_pico, cost);
    else if (raw_has(r, N_TICKS) && !__builtin_mul_overflow(r->num[N_TICKS], 100, &cost))
        usage_set(u, USAGE_cost_pico, cost);
    /* a zero says that somebody else bills it; OpenRouter has models that are free */
    if (!u->v[USAGE_cost_pico] && !slice_eq(provider, SLICE("openrouter")))
        u->have &= ~((uint32_t)1 << USAGE_cost_pico);
    if (usage_has(u, USAGE_cost_pico))
        usage_set(u, USAGE_cost_calls, 1);
}

bool normalise_has_usage(const struct raw *r)
{
#define BIT(n)   ((uint64_t)1 << ((n) % 64))
#define IN(w, n) ((n) / 64 == (w) ? BIT(n) : 0)
#define MARKS(w)                                                                         \
    (IN(w, N_PROMPT) | IN(w, N_COMPLETION) | IN(w, N_TOTAL) | IN(w, N_INPUT) |           \
     IN(w, N_OUTPUT) | IN(w, N_G_PROMPT) | IN(w, N_G_CANDIDATES) | IN(w, N_G_THOUGHTS) | \
     IN(w, N_I_INPUT) | IN(w, N_I_OUTPUT) | IN(w, N_B_INPUT) | IN(w, N_B_OUTPUT) |       \
     IN(w, N_B_TOTAL) | IN(w, N_M_INPUT) | IN(w, N_M_OUTPUT) | IN(w, N_C_INPUT) |        \
     IN(w, N_C_OUTPUT) | IN(w, N_C_SEARCHES) | IN(w, N_C_CLASSES) | IN(w, N_C_IMAGES) |  \
     IN(w, N_C_IMAGE_TOKENS) | IN(w, N_O_PROMPT) | IN(w, N_O_EVAL) |                     \
     IN(w, N_L_EVALUATED) | IN(w, N_L_PREDICTED) | IN(w, N_X_IN) | IN(w, N_X_OUT) |      \
     IN(w, N_X_OUT_LAST))
    static const uint64_t marks[2] = { MARKS(0), MARKS(1) };
#undef MARKS
#undef IN
#undef BIT
    return r->have[0] & marks[0] || r->have[1] & marks[1] || r->flags & F_DURATION ||
           (raw_has(r, N_T_IN) && raw_has(r, N_T_OUT));
}

bool normalise(const struct raw *r, struct slice provider, struct usage *u)
{
    units(r, provider, u);
    if (!normalise_has_usage(r))
        return false;
    if (normalise_is_gemini(r))
        gemini(r, u);
    else if (raw_has(r, N_I_INPUT) || raw_has(r, N_I_OUTPUT))
        interactions(r, u);
    else if (raw_has(r, N_C_INPUT) || raw_has(r, N_C_OUTPUT) ||
             raw_has(r, N_C_SEARCHES) || raw_has(r, N_C_CLASSES) ||
             raw_has(r, N_C_IMAGES) || raw_has(r, N_C_IMAGE_TOKENS))
        cohere(r, u);
    else if (raw_has(r, N_PROMPT) || raw_has(r, N_COMPLETION))
        chat(r, provider, u, N_PROMPT, N_COMPLETION);
    else if (raw_has(r, N_B_INPUT) || raw_has(r, N_B_OUTPUT))
        if (r->flags & F_AI_SDK)
            chat(r, provider, u, N_B_INPUT, N_B_OUTPUT);
        else
            converse(r, u);
    else if (raw_has(r, N_INPUT) || raw_has(r, N_OUTPUT))
        if (exclusive(r, provider))
            anthropic(r, u);
        else
            chat(r, provider, u, N_INPUT, N_OUTPUT);
    else if (raw_has(r, N_O_PROMPT) || raw_has(r, N_O_EVAL))
        ollama(r, u);
    else if (raw_has(r, N_L_EVALUATED) || raw_has(r, N_L_PREDICTED))
        llama_cpp(r, u);
    else if (raw_has(r, N_X_IN) || raw_has(r, N_X_OUT) || raw_has(r, N_X_OUT_LAST))
        pair(r, u);
    else if (raw_has(r, N_TOTAL))
        chat(r, provider, u, N_PROMPT, N_COMPLETION);
    else if (raw_has(r, N_M_INPUT) || raw_has(r, N_M_OUTPUT))
        metrics(r, u);
    else if (raw_has(r, N_T_IN))
        tgi(r, u);
    else { /* billed by duration: no tokens were charged */
        usage_set(u, USAGE_input, 0);
        usage_set(u, USAGE_output, 0);
        take(r, N_AUDIO_MS, u, USAGE_audio_ms);
    }
    return true;
}

bool normalise_pass_is_extra(const struct raw_pass *p)
{
    return p->have && (slice_eq(p->type, SLICE("compaction")) ||
                       slice_eq(p->type, SLICE("advisor_message")));
}

void normalise_pass(const struct raw_pass *p, struct usage *u)
{
    uint64_t created = p->v[P_CREATED], split = p->v[P_5M] + p->v[P_1H];
    usage_set(u, USAGE_input, p->v[P_INPUT]);
    usage_set(u, USAGE_output, p->v[P_OUTPUT]);
    if (p->have >> P_READ & 1)
        usage_set(u, USAGE_cache_read, p->v[P_READ]);
    if (p->have >> P_CREATED & 1) {
        bool fits = split <= created;
        usage_set(u, USAGE_cache_write_5m, fits ? created - p->v[P_1H] : created);
        usage_set(u, USAGE_cache_write_1h, fits ? p->v[P_1H] : 0);
    }
}
