/* keylog: two cuts of the same bytes count and store the same. */
#include <stdlib.h>

#include "agent/keylog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct keylog *k, struct slice in, size_t piece)
{
    for (; in.n; in = slice_from(in, piece))
        keylog_feed(k, slice_head(in, piece));
    keylog_finish(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct secrets *a = secrets_new(3, 1), *b = secrets_new(3, 2);
    struct keylog x, y;
    if (!a || !b)
        abort();
    keylog_init(&x, a);
    keylog_init(&y, b);
    read_all(&x, slice_of(data + 1, size - 1), size);
    read_all(&y, slice_of(data + 1, size - 1), 1u + data[0]);
    if (x.secrets != y.secrets || x.ignored != y.ignored || x.bad != y.bad ||
        secrets_count(a) != secrets_count(b) || secrets_version(a) != secrets_version(b))
        abort();
    secrets_free(a);
    secrets_free(b);
    return 0;
}
