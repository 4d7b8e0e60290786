/* dark: two cuts of the same bytes count the same. */
#include <stdlib.h>

#include "agent/dark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dark whole = { 0 }, cut = { 0 };
    while (size > 3) { /* direction, length (2), bytes */
        enum stream_dir d = data[0] & 1 ? STREAM_DOWN : STREAM_UP;
        size_t n = (size_t)data[1] << 8 | data[2], step = 1 + (data[0] >> 1) % 7u;
        bool gap = data[0] >> 7;
        data += 3;
        size -= 3;
        n = n < size ? n : size;
        dark_data(&whole, d, slice_of(data, n));
        for (size_t at = 0; at < n; at += step)
            dark_data(&cut, d, slice_of(data + at, n - at < step ? n - at : step));
        if (gap) {
            dark_gap(&whole, d);
            dark_gap(&cut, d);
        }
        data += n;
        size -= n;
    }
    if (whole.bursts != cut.bursts || whole.up != cut.up || whole.down != cut.down)
        abort();
    return 0;
}
