/* logline_load takes any stored bytes; what it accepts it writes back in its own form. */
#include <stdlib.h>

#include "agent/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct extract *x;
    if (!x)
        x = extract_new();
    struct logline_options opt = { .format = LOGFORMAT_auto };
    struct logline *l = logline_new(x, &opt), *again = logline_new(x, &opt);
    struct buf a = { 0 }, b = { 0 };
    if (l && again && logline_load(l, slice_of(data, size)) == ST_OK) {
        logline_save(l, &a);
        if (logline_load(again, buf_slice(&a)) != ST_OK)
            abort();
        logline_save(again, &b);
        if (!slice_eq(buf_slice(&a), buf_slice(&b)))
            abort();
    }
    buf_release(&a);
    buf_release(&b);
    logline_free(l);
    logline_free(again);
    return 0;
}
