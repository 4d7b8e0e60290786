/* Linear in the bytes of text; each model's sums pull its ratio away from the family's.
 */
#include "agent/estimate.h"

/* Where a model starts. Tokens = fixed + bytes * per_byte (+ tools), times and plus what
   the family thinks unseen. Fitted to recorded replies. */
struct family {
    const char *part; /* of the model's name; "" any */
    const char *but;  /* unless the name holds this */
    double fixed, per_byte, tools, hidden_times, hidden_plus;
    bool per_delta; /* one delta of a stream is about one token */
};

static const struct family families[] = {
    { "claude", NULL, 4, 0.26, 40, 1, 0, false },
    { "gpt-5.", NULL, 2, 0.22, 8, 1, 0, true },
    { "gpt-5", NULL, 2, 0.22, 8, 5.6, 58, true },
    { "gpt-oss", NULL, 12, 0.24, 8, 1, 0, false }, /* marks around what it thinks */
    { "o1", "o1-preview-", 2, 0.22, 8, 5.6, 58, true },
    { "o3", NULL, 2, 0.22, 8, 5.6, 58, true },
    { "o4-", NULL, 2, 0.22, 8, 5.6, 58, true },
    { "gemini-2.5-flash-lite", NULL, 2, 0.22, 8, 1, 0, false },
    { "gemini-2.5", NULL, 2, 0.22, 8, 4.5, 23, false },
    { "gemini-3", NULL, 2, 0.22, 8, 4.5, 23, false },
    { "grok-4", "non-reasoning", 2, 0.22, 8, 3.3, 34, true },
    { "grok-code", NULL, 2, 0.22, 8, 3.3, 34, true },
    { "glm", NULL, 12, 0.24, 8, 1, 0, false },
    { "kimi", NULL, 12, 0.24, 8, 1, 0, false },
    { "qwen3", NULL, 2, 0.28, 8, 1, 0, true },
    { "deepseek-r", NULL, 2, 0.28, 8, 1, 0, true },
    { "", NULL, 2, 0.22, 8, 1, 0, true },
};

/* Short names only at the beginning of a part: "o1" but not "turbo1". */
static bool holds(struct slice model, const char *part)
{
    struct slice want = slice_str(part);
    for (struct slice s = model;;) {
        if (slice_istarts(s, want))
            return true;
        size_t at = want.n > 3 ? 1 : slice_chr(s, '/');
        if (at >= s.n)
            return !want.n;
        s = slice_from(s, want.n > 3 ? 1 : at + 1);
    }
}

static const struct family *family_of(struct slice model)
{
    const struct family *f = families;
    while (!holds(model, f->part) || (f->but && holds(model, f->but)))
        f++;
    return f;
}

static uint64_t key_of(const struct usage *u)
{
    uint64_t h = slice_hash(u->model, slice_hash(u->provider, 0));
    return h ? h : 1;
}

static const struct estimate_model *known(const struct estimate *e, uint64_t key)
{
    const struct estimate_model *m = &e->model[key % ESTIMATE_MODELS];
    return m->key == key ? m : NULL;
}

/* How much the family's word counts against what was seen: that many tokens. */
static const double prior_tokens = 100;

static double calibrated(double expected, double reported, double seen)
{
    return expected * (prior_tokens + reported) / (prior_tokens + seen);
}

static double start_input(const struct usage *u, const struct estimate_sample *s)
{
    const struct family *f = family_of(u->model);
    return 4 + (double)s->sent_bytes * f->per_byte;
}

static double start_output(const struct usage *u, const struct estimate_sample *s)
{
    const struct family *f = family_of(u->model);
    double bytes = (double)s->generated_bytes, pieces = s->pieces;
    double t = f->fixed + bytes * f->per_byte + (s->tools ? f->tools : 0);
    if (s->no_generation)
        return 0;
    if (f->per_delta && s->streamed && s->pieces >= 8 && bytes > 2 * pieces &&
        bytes < 7 * pieces)
        t = pieces + 1;
    return s->unthinking ? t : t * f->hidden_times + f->hidden_plus;
}

double estimate_input(const struct estimate *e, const struct usage *u,
                      const struct estimate_sample *s)
{
    const struct estimate_model *m = known(e, key_of(u));
    double t = start_input(u, s);
    return m ? calibrated(t, m->in_reported, m->in_expected) : t;
}

double estimate_output(const struct estimate *e, const struct usage *u,
                       const struct estimate_sample *s)
{
    const struct estimate_model *m = known(e, key_of(u));
    double t = start_output(u, s);
    if (s->cut_at) /* thinking and all: not an estimate but what it says */
        return (double)s->cut_at;
    return m ? calibrated(t, m->out_reported, m->out_expected) : t;
}

/* Old calls fade, so that a ratio follows its model. */
static const double memory_tokens = 1e6;

static void add(double *reported, double *expected, double r, double x)
{
    if (*reported + *expected > memory_tokens) {
        *reported /= 2;
        *expected /= 2;
    }
    *reported += r;
    *expected += x;
}

void estimate_learn(struct estimate *e, const struct usage *u,
                    const struct estimate_sample *s)
{
    uint64_t key = key_of(u);
    struct estimate_model *m = &e->model[key % ESTIMATE_MODELS];
    if (m->key != key)
        *m = (struct estimate_model){ .key = key };
    if (s->request_seen && s->sent_bytes && usage_has(u, USAGE_input))
        add(&m->in_reported, &m->in_expected, (double)usage_input_total(u),
            start_input(u, s));
    if (s->generated_bytes && usage_has(u, USAGE_output))
        add(&m->out_reported, &m->out_expected, (double)u->v[USAGE_output],
            start_output(u, s));
}

void estimate_fill(const struct estimate *e, struct usage *u,
                   const struct estimate_sample *s)
{
    bool partial = u->usage_source == SOURCE_PARTIAL;
    uint64_t out = (uint64_t)(estimate_output(e, u, s) + 0.5);
    if (!usage_has(u, USAGE_input) && s->request_seen)
        usage_set(u, USAGE_input, (uint64_t)(estimate_input(e, u, s) + 0.5));
    if (!usage_has(u, USAGE_output) ||
        (partial && s->generated_bytes && out > u->v[USAGE_output]))
        usage_set(u, USAGE_output,
                  s->generated_bytes || s->cut_at || s->no_generation ? out : 0);
    u->quality = QUALITY_ESTIMATED;
    if (!partial)
        u->usage_source = SOURCE_ESTIMATED;
}
