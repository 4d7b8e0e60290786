/*
 * A batch row from an unknown agent: refused with a reason, or it comes back the same
 * after being written and read again.
 */
#include "common/arena.h"
#include "common/rollup.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rollup_row row, again;
    struct arena names;
    struct buf first = { 0 }, second = { 0 };
    uint64_t unknown = 0;
    const char *why;
    arena_init(&names, 1 << 16);
    enum status st = rollup_decode(slice_of(data, size), &names, &row, &unknown, &why);
    if (st == ST_OK) {
        rollup_encode(&row, &first);
        st = rollup_decode(buf_slice(&first), &names, &again, &unknown, &why);
        assert(st == ST_OK && rollup_key_eq(&row.key, &again.key));
        assert(rollup_key_hash(&row.key, 1) == rollup_key_hash(&again.key, 1));
        rollup_encode(&again, &second);
        assert(slice_eq(buf_slice(&first), buf_slice(&second)));
        assert(rollup_merge(&again.total, &row.total) == ST_OK);
        rollup_release(&again.total);
    } else {
        assert(st == ST_BAD && *why);
    }
    rollup_release(&row.total);
    buf_release(&first);
    buf_release(&second);
    arena_release(&names);
    return 0;
}
