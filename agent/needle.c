/*
 * Literal search: see needle.h. The multi-literal search is the one known as Teddy: for
 * each of three byte positions two 16-entry tables, by low and high nibble, name the
 * buckets whose fingerprint has that byte there; a bucket that survives all six look-ups
 * may start at that byte.
 */
#include "agent/needle.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum kind {
    PLAIN,   /* the literal is enough */
    COUNTER, /* part of a key whose value is a number, text, object or array */
    OBJECT,  /* part of a key whose value is an object or array */
    OPENS,   /* the end of a line that may begin a record of several */
};

/*
 * `anchor`: offset of the three bytes that the tables look for, chosen to be rare in
 * text: prose is full of "tokens " and "error ", but not of those words with a key's end.
 */
static const struct literal {
    const char *text;
    unsigned char length, stem, anchor, bucket, kind; /* stem: where the key goes on */
} literals[] = {
#define L(text, stem, anchor, bucket, kind)                                              \
    {                                                                                    \
        text, sizeof(text) - 1, stem, anchor, bucket, kind                               \
    }
    /* prompt_tokens, totalTokenCount, tokens_in, llm.token_count.prompt … */
    L("okens\"", 5, 3, 0, COUNTER),
    L("okens\\", 5, 3, 0, COUNTER),
    L("okens_", 5, 3, 0, COUNTER),
    L("okens.", 5, 3, 0, COUNTER),
    L("okens=", 5, 3, 0, COUNTER),
    L("okens:", 5, 3, 0, COUNTER),
    L("okens'", 5, 3, 0, COUNTER),
    L("okens\033", 5, 3, 0, PLAIN), /* a key in colour */
    L("okensI", 5, 3, 0, COUNTER),
    L("okensO", 5, 3, 0, COUNTER),
    L("okensT", 5, 3, 0, COUNTER),
    L("okensU", 5, 3, 0, COUNTER),
    L("oken\"", 4, 2, 1, COUNTER),
    L("oken\\", 4, 2, 1, COUNTER),
    L("oken_", 4, 2, 1, COUNTER),
    L("oken.", 4, 2, 1, COUNTER),
    L("oken=", 4, 2, 1, COUNTER),
    L("okenC", 4, 2, 1, COUNTER),
    /* usage, usageMetadata, usage_info … */
    L("usage\"", 5, 3, 2, OBJECT),
    L("usage\\", 5, 3, 2, OBJECT),
    L("usage_", 5, 3, 2, OBJECT),
    L("usageM", 5, 3, 2, OBJECT),
    /* the error object of a refused call */
    L("error\"", 5, 3, 3, OBJECT),
    L("error\\", 5, 3, 3, OBJECT),
    L("okens =", 5, 4, 4, COUNTER), /* by the space: beside its like prose would hit */
    /* Ollama; Cohere rerank */
    L("eval_count", 10, 2, 4, COUNTER),
    L("search_units", 12, 4, 4, COUNTER),
    /* lines of consoles: llama.cpp, Ollama */
    L("eval time =", 0, 8, 4, PLAIN),
    L("[GIN] ", 0, 1, 4, PLAIN),
    /* bare replies without counters, known by their ids; more in bucket 7 */
    L("\"msgbatch_", 0, 7, 4, PLAIN),
    L("\"batch_", 0, 4, 4, PLAIN),
    /* a record that names the API may hold a reply without counters */
    L("openai.com", 0, 5, 5, PLAIN),
    L("anthropic.com", 0, 8, 5, PLAIN),
    L("googleapis.com", 0, 9, 5, PLAIN),
    L("azure.com", 0, 4, 5, PLAIN),
    L("groq.com", 0, 3, 5, PLAIN),
    L("deepseek.com", 0, 7, 5, PLAIN),
    L("cohere.com", 0, 5, 5, PLAIN),
    L("mistral.ai", 0, 6, 5, PLAIN),
    L("openrouter.ai", 0, 9, 5, PLAIN),
    L("perplexity.ai", 0, 9, 5, PLAIN),
    L("x.ai", 0, 0, 5, PLAIN),
    /* JSON over several lines: of two bytes, so that it may end a region */
    L("{\n", 0, 0, 6, OPENS),
    L("{\r", 0, 0, 6, OPENS),
    L("bedrock-runtime", 0, 4, 7, PLAIN),
    L("\"chatcmpl-", 0, 4, 7, PLAIN),
    L("\"resp_", 0, 3, 7, PLAIN),
    L("\"msg_", 0, 2, 7, PLAIN),
    L("modelVersion", 0, 4, 7, PLAIN),
#undef L
};

static bool key_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '.' || c == '-';
}

static size_t skip_spaces(struct slice s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t'))
        at++;
    return at;
}

static size_t skip_escapes(struct slice s, size_t at)
{
    while (at < s.n && s.p[at] == '\\')
        at++;
    return at;
}

/* What an escape for a terminal's colour is without its backslash. */
static inline bool coloured(struct slice s, size_t at)
{
    return at < s.n && s.p[at] == 'u' && slice_starts(slice_from(s, at), SLICE("u001b"));
}

/*
 * After the literal at s.p[at]: the rest of a key, its quote however often escaped, ':'
 * or '=', and what begins a fitting value. `,` stands for the {"key":…,"value":…} pairs
 * of OTLP.
 */
static bool key_with_value(struct slice s, size_t at, enum kind kind)
{
    size_t most = at + 48;
    while (at < s.n && at < most && key_byte((unsigned char)s.p[at]))
        at++;
    at = skip_escapes(s, at);
    if (coloured(s, at))
        return true;
    if (at < s.n && (s.p[at] == '"' || s.p[at] == '\''))
        at++;
    at = skip_spaces(s, at);
    if (at < s.n && s.p[at] == ',') {
        at = skip_escapes(s, skip_spaces(s, at + 1));
        return kind == COUNTER && slice_starts(slice_from(s, at), SLICE("\"value"));
    }
    if (at >= s.n || (s.p[at] != ':' && s.p[at] != '='))
        return false;
    at += at + 1 < s.n && s.p[at + 1] == '>'; /* Ruby's => */
    at = skip_spaces(s, at + 1);
    if (at < s.n && (s.p[at] == '{' || s.p[at] == '['))
        return true;
    if (kind == OBJECT)
        return false;
    at = skip_escapes(s, at);
    if (coloured(s, at))
        return true;
    if (at < s.n && s.p[at] == '"')
        at++;
    return at < s.n && ((s.p[at] >= '0' && s.p[at] <= '9') || s.p[at] == '\033');
}

/* Does a literal of this bucket stand with its anchor at `at`? */
static bool verify_bucket(const struct needle *n, struct slice s, size_t at, unsigned b)
{
    for (size_t i = n->first[b]; i < n->first[b + 1]; i++) {
        const struct literal *l = &literals[i];
        if (at < l->anchor || s.p[at - l->anchor] != l->text[0])
            continue;
        size_t first = at - l->anchor;
        if (s.n - first < l->length || memcmp(s.p + first, l->text, l->length) != 0)
            continue;
        if (l->kind == OPENS && l->text[1] == '\r' &&
            (s.n - first < 3 || s.p[first + 2] != '\n'))
            continue;
        if (l->kind == PLAIN || l->kind == OPENS ||
            key_with_value(s, first + l->stem, l->kind))
            return true;
    }
    return false;
}

/* The bytes at `at` have the fingerprint of these buckets: is one of them there? */
static bool verify(const struct needle *n, struct slice s, size_t at, unsigned buckets)
{
    for (; buckets; buckets &= buckets - 1)
        if (verify_bucket(n, s, at, (unsigned)__builtin_ctz(buckets)))
            return true;
    return false;
}

static size_t find_scalar(const struct needle *n, struct slice s, size_t at)
{
    for (; at + 3 <= s.n; at++) {
        unsigned buckets = 0xff;
        for (unsigned k = 0; k < 3; k++) {
            unsigned char c = (unsigned char)s.p[at + k];
            buckets &= (unsigned)(n->lo[k][c & 15] & n->hi[k][c >> 4]);
        }
        if (buckets && verify(n, s, at, buckets))
            return at;
    }
    return at + 2 == s.n && s.p[at] == '{' && s.p[at + 1] == '\n' ? at : SIZE_MAX;
}

static uint64_t newlines_scalar(struct slice s)
{
    uint64_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += s.p[i] == '\n';
    return count;
}

#if defined(__x86_64__)

/* Walk the candidate bytes of one vector; SIZE_MAX when none is real. */
static size_t verify_vector(const struct needle *n, struct slice s, size_t at,
                            uint32_t hits, const unsigned char *buckets)
{
    for (; hits; hits &= hits - 1) {
        unsigned i = (unsigned)__builtin_ctz(hits);
        if (verify(n, s, at + i, buckets[i]))
            return at + i;
    }
    return SIZE_MAX;
}

__attribute__((target("ssse3"))) static size_t find_ssse3(const struct needle *n,
                                                          struct slice s, size_t at)
{
    const __m128i low = _mm_set1_epi8(15), zero = _mm_setzero_si128();
    __m128i lo[3], hi[3];
    for (unsigned k = 0; k < 3; k++) {
        lo[k] = _mm_loadu_si128((const __m128i *)n->lo[k]);
        hi[k] = _mm_loadu_si128((const __m128i *)n->hi[k]);
    }
    for (; at + 18 <= s.n; at += 16) {
        __m128i m = _mm_set1_epi8(-1);
        for (unsigned k = 0; k < 3; k++) {
            __m128i x = _mm_loadu_si128((const __m128i *)(s.p + at + k));
            __m128i h = _mm_and_si128(_mm_srli_epi16(x, 4), low);
            m = _mm_and_si128(m, _mm_shuffle_epi8(lo[k], _mm_and_si128(x, low)));
            m = _mm_and_si128(m, _mm_shuffle_epi8(hi[k], h));
        }
        uint32_t hits = 0xffff & ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(m, zero));
        if (hits == 0)
            continue;
        unsigned char buckets[16];
        _mm_storeu_si128((__m128i *)buckets, m);
        size_t found = verify_vector(n, s, at, hits, buckets);
        if (found != SIZE_MAX)
            return found;
    }
    return find_scalar(n, s, at);
}

__attribute__((target("avx2"))) static size_t find_avx2(const struct needle *n,
                                                        struct slice s, size_t at)
{
    const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    __m256i lo[3], hi[3];
    for (unsigned k = 0; k < 3; k++) {
        lo[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)n->lo[k]));
        hi[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)n->hi[k]));
    }
    for (; at + 34 <= s.n; at += 32) {
        __m256i m = _mm256_set1_epi8(-1);
        for (unsigned k = 0; k < 3; k++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(s.p + at + k));
            __m256i h = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
            m = _mm256_and_si256(m, _mm256_shuffle_epi8(lo[k], _mm256_and_si256(x, low)));
            m = _mm256_and_si256(m, _mm256_shuffle_epi8(hi[k], h));
        }
        uint32_t hits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(m, zero));
        if (hits == 0)
            continue;
        unsigned char buckets[32];
        _mm256_storeu_si256((__m256i *)buckets, m);
        size_t found = verify_vector(n, s, at, hits, buckets);
        if (found != SIZE_MAX)
            return found;
    }
    return find_ssse3(n, s, at);
}

/* Lanes of `sum` count down by one per newline; 255 rounds fit in a byte. */
static uint64_t newlines_sse2(struct slice s)
{
    const __m128i nl = _mm_set1_epi8('\n'), zero = _mm_setzero_si128();
    uint64_t count = 0;
    size_t at = 0;
    while (s.n - at >= 16) {
        __m128i sum = zero;
        for (unsigned round = 0; round < 255 && s.n - at >= 16; round++, at += 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(s.p + at));
            sum = _mm_sub_epi8(sum, _mm_cmpeq_epi8(x, nl));
        }
        __m128i sad = _mm_sad_epu8(sum, zero);
        count += (uint64_t)_mm_cvtsi128_si64(sad) +
                 (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sad, sad));
    }
    return count + newlines_scalar(slice_from(s, at));
}

__attribute__((target("avx2"))) static uint64_t newlines_avx2(struct slice s)
{
    const __m256i nl = _mm256_set1_epi8('\n'), zero = _mm256_setzero_si256();
    uint64_t count = 0;
    size_t at = 0;
    while (s.n - at >= 32) {
        __m256i sum = zero;
        for (unsigned round = 0; round < 255 && s.n - at >= 32; round++, at += 32) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(s.p + at));
            sum = _mm256_sub_epi8(sum, _mm256_cmpeq_epi8(x, nl));
        }
        uint64_t sad[4];
        _mm256_storeu_si256((__m256i *)sad, _mm256_sad_epu8(sum, zero));
        count += sad[0] + sad[1] + sad[2] + sad[3];
    }
    return count + newlines_scalar(slice_from(s, at));
}

static bool has_engine(enum needle_engine engine)
{
    switch (engine) {
    case NEEDLE_AVX2:
        return __builtin_cpu_supports("avx2");
    case NEEDLE_SSSE3:
        return __builtin_cpu_supports("ssse3");
    default:
        return true;
    }
}

size_t needle_find(const struct needle *n, struct slice region, size_t from)
{
    switch (n->engine) {
    case NEEDLE_AVX2:
        return find_avx2(n, region, from);
    case NEEDLE_SSSE3:
        return find_ssse3(n, region, from);
    default:
        return find_scalar(n, region, from);
    }
}

uint64_t needle_newlines(const struct needle *n, struct slice s)
{
    return n->engine == NEEDLE_AVX2 ? newlines_avx2(s) : newlines_sse2(s);
}

#else

static bool has_engine(enum needle_engine engine)
{
    return engine == NEEDLE_SCALAR;
}

size_t needle_find(const struct needle *n, struct slice region, size_t from)
{
    return find_scalar(n, region, from);
}

uint64_t needle_newlines(const struct needle *n, struct slice s)
{
    (void)n;
    return newlines_scalar(s);
}

#endif

bool needle_init_engine(struct needle *n, enum needle_engine engine)
{
    memset(n, 0, sizeof *n);
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        const struct literal *l = &literals[i];
        unsigned char bit = (unsigned char)(1u << l->bucket);
        for (unsigned k = 0; k < 3; k++) {
            unsigned char c = (unsigned char)l->text[l->anchor + k];
            bool any = l->anchor + k >= l->length; /* behind a short literal */
            for (unsigned v = 0; any && v < 16; v++)
                n->lo[k][v] |= bit, n->hi[k][v] |= bit;
            n->lo[k][c & 15] |= bit;
            n->hi[k][c >> 4] |= bit;
        }
        for (unsigned b = l->bucket + 1; b <= NEEDLE_BUCKETS; b++)
            n->first[b] = (unsigned char)(i + 1);
    }
    bool has = has_engine(engine);
    n->engine = has ? engine : NEEDLE_SCALAR;
    return has;
}

void needle_init(struct needle *n)
{
    if (!needle_init_engine(n, NEEDLE_AVX2) && !needle_init_engine(n, NEEDLE_SSSE3))
        needle_init_engine(n, NEEDLE_SCALAR);
}
