/* Posted scores: whatever parses is within its limits, whatever does not says where. */
#include "collector/score.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const int64_t now = 1790000000;
    struct score_list list;
    struct arena a;

    arena_init(&a, 8 << 20);
    enum status st = score_read(slice_of(data, n), now, &a, &list);
    if (st == ST_OK)
        assert(list.n > 0 && !list.why);
    if (st == ST_BAD)
        assert(list.why && list.line >= 1 && list.line <= n + 1 && list.n == 0);
    for (size_t i = 0; i < list.n; i++) {
        assert(isfinite(list.at[i].value) && list.at[i].metric.n > 0);
        assert(list.at[i].metric.n <= SCORE_NAME_MAX && list.at[i].workload.n > 0);
        assert(list.at[i].time <= now + STORE_FUTURE_S);
    }
    arena_release(&a);
    return 0;
}
