/* What a collector answers: body and Retry-After; then the state machine judges it. */
#include "agent/ship.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = { 0, 200, 301, 400, 401, 413, 429, 503 };
    struct slice in = slice_of(data, size), after, body;
    struct ship_limits limits = ship_limits_default();
    struct ship s;
    struct ship_sent sent = { .rows = 5000, .more = true };
    if (size < 1)
        return 0;
    slice_cut(slice_from(in, 1), '\n', &after, &body);
    struct ship_answer a = { .status = statuses[data[0] % 8],
                             .retry_after_ms = ship_retry_after(after, 1795420800),
                             .body = body };
    if (a.retry_after_ms < -1 || a.retry_after_ms > 3600 * 1000)
        abort();
    ship_init(&s, &limits, 0);
    for (int i = 0; i < 40; i++) {
        struct ship_step step = ship_next(&s, s.due_ms, true);
        sent.rows = step.what == SHIP_SEND_ROWS ? step.max_rows : 0;
        if (step.what == SHIP_SEND_ROWS && (step.max_rows == 0 || step.max_bytes == 0))
            abort();
        ship_answered(&s, s.due_ms, size * 0x9e3779b97f4a7c15, &sent, &a);
    }
    return 0;
}
