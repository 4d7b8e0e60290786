/* dedup_load takes any stored entries; afterwards the table still judges and saves. */
#include <stdlib.h>

#include "agent/dedup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, const struct dedup_entry *e)
{
    ++*(size_t *)arg;
    if (e->seen & (uint32_t)1 << 29)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dedup *d = dedup_new(20);
    if (!d)
        return 0;
    struct slice in = slice_of(data, size);
    for (struct dedup_entry e; in.n >= sizeof e; in = slice_from(in, sizeof e)) {
        memcpy(&e, in.p, sizeof e);
        dedup_load(d, &e);
    }
    for (size_t i = 0; i + 8 < size; i += 8) {
        struct usage u;
        usage_init(&u);
        u.accounting = (enum accounting)(data[i] % 6);
        u.response_id = slice_of(data + i, data[i + 1] % 8);
        usage_set(&u, USAGE_output, data[i + 2]);
        dedup_judge(d, &u);
    }
    size_t changed = 0;
    dedup_changed(d, count, &changed);
    if (changed > 20 || dedup_stats(d)->known > 20)
        abort();
    dedup_free(d);
    return 0;
}
