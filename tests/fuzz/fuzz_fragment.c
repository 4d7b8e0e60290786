/* fragment: records of (id, offset, more, length) with bytes from the input. */
#include "agent/fragment.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fragments *f = fragments_new();
    struct slice in = slice_of(data, size);
    while (f && in.n >= 5) {
        const uint8_t *u = (const uint8_t *)in.p;
        struct packet p = { .payload = slice_head(slice_from(in, 5), u[4] * 8u) };
        enum packet_kind kind;
        p.fragment.id = u[0] % 16;
        p.fragment.protocol = u[0] & 16 ? 44 : 6;
        p.fragment.more = u[1] & 1;
        p.fragment.offset = (uint32_t)(u[2] << 8 | u[3]) & 0xfff8;
        in = slice_from(in, 5 + p.payload.n);
        if (!fragments_add(f, &p, &kind) || kind != PACKET_TCP)
            continue;
        unsigned sum = 0; /* touch every byte */
        for (size_t i = 0; i < p.payload.n; i++)
            sum += (uint8_t)p.payload.p[i];
        assert(p.payload.n < 65536 && sum <= p.payload.n * 255);
    }
    fragments_free(f);
    return 0;
}
