/* Logarithmic buckets, sparse: see sketch.h. */
#include "common/sketch.h"

#include <math.h>
#include <stdlib.h>

/* Bucket b holds (GAMMA^(b-1), GAMMA^b]; its middle is within 2 % of all of it. */
static const double GAMMA = 1.02 / 0.98;

static uint16_t bucket_of(uint64_t us)
{
    double b = us > 1 ? ceil(log((double)us) / log(GAMMA)) : 0;
    return b < SKETCH_BUCKETS ? (uint16_t)b : SKETCH_BUCKETS - 1;
}

static uint64_t middle_of(uint16_t bucket)
{
    return (uint64_t)llround(2 * pow(GAMMA, bucket) / (GAMMA + 1));
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static enum status reserve(struct sketch *s, size_t bins)
{
    size_t cap = s->cap ? s->cap : 8;
    while (cap < bins)
        cap *= 2;
    if (cap == s->cap)
        return ST_OK;
    struct sketch_bin *bin = realloc(s->bin, cap * sizeof *bin);
    if (!bin)
        return ST_NOMEM;
    s->bin = bin;
    s->cap = (uint16_t)cap;
    return ST_OK;
}

/* Index of the first bin at or after `bucket`. */
static size_t find(const struct sketch *s, uint16_t bucket)
{
    size_t low = 0, high = s->bins;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->bin[mid].bucket < bucket)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Room for the bin is there. What is above the top of `count` is left out. */
static uint64_t add_bin(struct sketch *s, uint16_t bucket, uint64_t n)
{
    if (n > UINT64_MAX - s->count)
        n = UINT64_MAX - s->count;
    if (n == 0)
        return 0;
    size_t i = find(s, bucket);
    if (i == s->bins || s->bin[i].bucket != bucket) {
        memmove(s->bin + i + 1, s->bin + i, (s->bins - i) * sizeof *s->bin);
        s->bin[i] = (struct sketch_bin){ .bucket = bucket };
        s->bins++;
    }
    s->bin[i].n += n;
    s->count += n;
    return n;
}

enum status sketch_add(struct sketch *s, uint64_t us, uint64_t times)
{
    uint64_t sum;
    if (reserve(s, s->bins + 1u))
        return ST_NOMEM;
    if (__builtin_mul_overflow(us, add_bin(s, bucket_of(us), times), &sum))
        sum = UINT64_MAX;
    s->sum_us = add_capped(s->sum_us, sum);
    return ST_OK;
}

enum status sketch_merge(struct sketch *into, const struct sketch *from)
{
    if (reserve(into, (size_t)into->bins + from->bins))
        return ST_NOMEM;
    for (size_t i = 0; i < from->bins; i++)
        add_bin(into, from->bin[i].bucket, from->bin[i].n);
    into->sum_us = add_capped(into->sum_us, from->sum_us);
    return ST_OK;
}

uint64_t sketch_quantile(const struct sketch *s, double q)
{
    if (s->count == 0)
        return 0;
    double rank = q > 0 ? floor(q * (double)(s->count - 1)) : 0;
    uint64_t before = 0;
    for (size_t i = 0; i + 1u < s->bins; i++) {
        before += s->bin[i].n;
        if ((double)before > rank)
            return middle_of(s->bin[i].bucket);
    }
    return middle_of(s->bin[s->bins - 1].bucket);
}

void sketch_encode(const struct sketch *s, struct buf *out)
{
    if (s->count == 0)
        return;
    buf_addu(out, s->sum_us);
    unsigned last = 0;
    for (size_t i = 0; i < s->bins; i++) {
        buf_addc(out, i ? ',' : ';');
        buf_addu(out, s->bin[i].bucket - last);
        buf_addc(out, ':');
        buf_addu(out, s->bin[i].n);
        last = s->bin[i].bucket;
    }
}

/* "step:n" behind the bins so far. */
static enum status decode_bin(struct sketch *s, struct slice text)
{
    struct slice step_text, n_text;
    uint64_t step, n;
    unsigned last = s->bins ? s->bin[s->bins - 1].bucket : 0;
    if (!slice_cut(text, ':', &step_text, &n_text) || !slice_u64(step_text, &step) ||
        !slice_u64(n_text, &n) || n == 0 || (s->bins && step == 0) ||
        step >= SKETCH_BUCKETS - last || __builtin_add_overflow(s->count, n, &s->count))
        return ST_BAD;
    if (reserve(s, s->bins + 1u))
        return ST_NOMEM;
    s->bin[s->bins++] = (struct sketch_bin){ (uint16_t)(last + step), n };
    return ST_OK;
}

enum status sketch_decode(struct sketch *s, struct slice text)
{
    struct slice sum, bin;
    enum status st = ST_OK;
    sketch_clear(s);
    if (text.n == 0)
        return ST_OK;
    if (!slice_cut(text, ';', &sum, &text) || !slice_u64(sum, &s->sum_us))
        st = ST_BAD;
    for (bool more = true; more && st == ST_OK;) {
        more = slice_cut(text, ',', &bin, &text);
        st = decode_bin(s, bin);
    }
    if (st)
        sketch_clear(s);
    return st;
}

void sketch_clear(struct sketch *s)
{
    s->bins = 0;
    s->count = s->sum_us = 0;
}

void sketch_release(struct sketch *s)
{
    free(s->bin);
    *s = (struct sketch){ 0 };
}
