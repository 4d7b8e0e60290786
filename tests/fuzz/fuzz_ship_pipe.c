/* What the helper says, should it have been taken over by whom it talks to. */
#include "agent/ship_pipe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, struct slice name, struct slice value)
{
    *(size_t *)arg += name.n + value.n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = { 0 };
    size_t n = 0;
    bool ok = ship_pipe_read(slice_of(data, size), take, &n, &body);
    if (n > size || (ok && body.n > size))
        abort();
    return 0;
}
