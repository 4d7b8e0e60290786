/*
 * Header blocks. The first byte says whether the begin of the connection was seen, the
 * second where the first block ends. From the begin on, what libnghttp2 reads is read
 * here, the same; joined later, whatever comes is refused or counted.
 */
#include "agent/hpack.h"
#include "common/buf.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say(void *arg, struct slice name, struct slice value)
{
    buf_add(arg, name);
    buf_addc(arg, '=');
    buf_add(arg, value);
    buf_addc(arg, ';');
}

static bool peer(nghttp2_hd_inflater *hd, struct slice in, struct buf *out)
{
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t n =
            nghttp2_hd_inflate_hd2(hd, &nv, &flags, (const uint8_t *)in.p, in.n, 1);
        if (n < 0)
            return false;
        in = slice_from(in, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            say(out, slice_of(nv.name, nv.namelen), slice_of(nv.value, nv.valuelen));
        else if (!(flags & NGHTTP2_HD_INFLATE_FINAL) && !in.n)
            return false;
    }
    return nghttp2_hd_inflate_end_headers(hd) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nghttp2_hd_inflater *whole;
    if (size < 2 || nghttp2_hd_inflate_new(&whole) != 0)
        return 0;
    /* bits: a loss before, a loss between the blocks, credentials are left out, what
     * nobody reads too */
    bool lost = data[0] & 1, between = data[0] & 2, all = !(data[0] & 4);
    struct hpack *h = hpack_new(all           ? HPACK_KEEP_ALL
                                : data[0] & 8 ? HPACK_KEEP_READ
                                              : HPACK_KEEP_UNREAD);
    struct buf theirs = { .p = NULL }, ours = { .p = NULL };
    assert(h);
    struct slice in = slice_of(data + 2, size - 2);
    const struct slice block[2] = { slice_head(in, data[1]), slice_from(in, data[1]) };
    bool fine = !lost;
    if (lost)
        hpack_lose(h);
    for (int i = 0; i < 2; i++) {
        size_t unknown = 0;
        fine = fine && peer(whole, block[i], &theirs);
        bool ok = hpack_block(h, block[i], say, &ours, &unknown);
        assert(!fine || ok);
        assert(!fine || !all || unknown ||
               slice_eq(buf_slice(&ours), buf_slice(&theirs)));
        assert(!fine || !unknown || between);
        if (!ok)
            break;
        if (between)
            hpack_lose(h);
        fine = fine && !(between && i == 0);
    }
    nghttp2_hd_inflate_del(whole);
    hpack_free(h);
    buf_release(&theirs);
    buf_release(&ours);
    return 0;
}
