/*
 * The record door: any text; JSON that our scanner accepts must not be refused as broken,
 * and a record says the same the second time.
 */
#include "agent/extract.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sums {
    uint64_t have, v[USAGE_N];
    size_t n;
};

static void keep(void *arg, struct usage *u)
{
    struct sums *s = arg;
    s->n++;
    s->have |= u->have;
    for (unsigned f = 0; f < USAGE_N; f++)
        s->v[f] += u->v[f];
    assert(u->accounting != ACCOUNTING_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 0 };
    struct extract *x = extract_new();
    struct sums first = { .n = 0 }, second = { .n = 0 };
    const char *why, *again;
    assert(x);
    size_t n = extract_record(x, slice_of(data, size), &hint, keep, &first, &why);
    assert(n == first.n && (!why || !n));
    extract_record(x, slice_of(data, size), &hint, keep, &second, &again);
    assert(why == again && !memcmp(&first, &second, sizeof first));
    extract_free(x);
    return 0;
}
