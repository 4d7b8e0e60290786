/*
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout
 * inode …; addresses are the host's 32-bit words in hex, so bytes of a word are turned
 * round on a little endian machine; ports are in network order: see procnet.h.
 */
#include "agent/procnet.h"

enum field { LOCAL = 1, REMOTE = 2, OWNER = 7, INODE = 9, FIELDS };

static bool hex(struct slice s, uint32_t *out)
{
    uint32_t v = 0;
    if (s.n == 0 || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        v = v << 4 | digit;
    }
    *out = v;
    return true;
}

static bool read_endpoint(struct slice s, struct endpoint *e)
{
    struct slice address, port;
    uint32_t word;
    size_t at = 0;
    *e = (struct endpoint){ .port = 0 };
    if (!slice_cut(s, ':', &address, &port) || !hex(port, &word) || word > UINT16_MAX)
        return false;
    e->port = (uint16_t)word;
    if (address.n == 8) { /* ::ffff:a.b.c.d, as packet writes it */
        e->ip[10] = e->ip[11] = 0xff;
        at = 12;
    } else if (address.n != 32) {
        return false;
    }
    for (; address.n; address = slice_from(address, 8), at += 4) {
        if (!hex(slice_head(address, 8), &word))
            return false;
        memcpy(e->ip + at, &word, sizeof word);
    }
    return true;
}

bool procnet_line(struct slice line, struct procnet *out)
{
    struct slice field[FIELDS] = { { 0 } };
    uint64_t owner;
    size_t n = 0;
    while (n < FIELDS && line.n) {
        struct slice word;
        slice_cut(slice_trim(line), ' ', &word, &line);
        field[n++] = word;
    }
    if (n < FIELDS || !read_endpoint(field[LOCAL], &out->local) ||
        !read_endpoint(field[REMOTE], &out->remote) || !slice_u64(field[OWNER], &owner) ||
        owner > UINT32_MAX || !slice_u64(slice_trim(field[INODE]), &out->inode))
        return false;
    out->owner = (uint32_t)owner;
    return true;
}
