/* The batch parser: any bytes, cut by the first byte; accepted batches stay bounded. */
#include "collector/ingest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ingest in;
    size_t step = size ? (size_t)data[0] + 1 : 1;
    struct slice rest = slice_from(slice_of(data, size), 1);
    ingest_init(&in, 1 << 20, 1000);
    while (rest.n && ingest_feed(&in, slice_head(rest, step)) == ST_OK)
        rest = slice_from(rest, step);
    enum status st = ingest_finish(&in);
    if (st == ST_OK && (in.agent.name.n == 0 || in.rows > 1000))
        abort();
    if (st != ST_OK && (*ingest_why(&in) == '\0' || in.line == 0))
        abort();
    ingest_release(&in);
    return 0;
}
