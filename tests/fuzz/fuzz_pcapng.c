/* pcapng: a file, block by block; what is handed out lies inside of its block. */
#include "agent/pcapng.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pcapng g = { .interface = NULL };
    struct slice in = slice_of(data, size);
    while (in.n >= PCAPNG_HEAD) {
        struct pcapng_packet p;
        uint32_t n = pcapng_length(&g, in.p);
        assert(n ? n >= PCAPNG_HEAD && n % 4 == 0 && n <= PCAPNG_BLOCK_MOST
                 : g.why != NULL);
        if (!n || n > in.n)
            break;
        enum pcapng_what what = pcapng_block(&g, slice_head(in, n), &p);
        assert(what != PCAPNG_BAD || g.why);
        if (what == PCAPNG_BAD)
            break;
        if (what != PCAPNG_OTHER)
            assert(p.bytes.p >= in.p && p.bytes.p + p.bytes.n <= in.p + n);
        if (what == PCAPNG_PACKET)
            assert(p.ts_ns >= 0 && (p.known || p.link_type >= 0));
        in = slice_from(in, n);
    }
    pcapng_release(&g);
    return 0;
}
