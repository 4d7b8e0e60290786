/* packet: the first byte chooses the link type, the second how much a snap length cut. */
#include "agent/packet.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet p;
    char text[ENDPOINT_TEXT];
    if (size < 2)
        return 0;
    struct slice frame = slice_of(data + 2, size - 2);
    enum packet_kind kind =
        packet_parse((enum packet_link)(data[0] % 6), frame, frame.n + data[1], &p);
    assert(kind < PACKET_KINDS);
    if (kind != PACKET_TCP && kind != PACKET_FRAGMENT)
        return 0;
    assert(p.payload.p >= frame.p && p.payload.p + p.payload.n <= frame.p + frame.n);
    assert(p.missing <= 65535 + 40 + 255);
    assert(strlen(endpoint_text(&p.src, text)) < sizeof text);
    return 0;
}
