/*
 * The scanner: tokens must not depend on where the input is cut, skipping must neither
 * crash nor loop, numbers and escapes must survive whatever they get. First byte: flags;
 * second: the length of the pieces.
 */
#include "common/json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tokens of s in pieces of `step` bytes, each in a block of its own, hashed. */
static uint64_t scan(struct slice s, size_t step, enum json_flags flags, unsigned skip,
                     bool *cut_text)
{
    struct json j;
    struct slice text;
    enum json_type t = JSON_MORE;
    uint64_t hash = 0;
    unsigned keys = 0;
    json_init(&j, flags);
    while (t == JSON_MORE) {
        struct slice piece = slice_head(s, step);
        char *copy = malloc(piece.n ? piece.n : 1);
        assert(copy);
        if (piece.n)
            memcpy(copy, piece.p, piece.n);
        if (s.n)
            json_feed(&j, slice_of(copy, piece.n));
        else
            json_finish(&j);
        s = slice_from(s, piece.n);
        while ((t = json_next(&j, &text)) > JSON_BAD) {
            hash = slice_hash(slice_of(&t, sizeof t), hash);
            if (t == JSON_KEY || t == JSON_STRING || t == JSON_NUMBER) {
                *cut_text |= j.truncated && t != JSON_NUMBER;
                hash = slice_hash(text, hash);
            }
            uint64_t v;
            if (t == JSON_NUMBER && json_count(text, &v))
                assert(v <= (uint64_t)1 << 48);
            if (t == JSON_NUMBER)
                json_decimal(text, skip, &v);
            if (skip && t == JSON_KEY && ++keys % skip == 0)
                json_skip(&j);
        }
        free(copy);
    }
    hash = slice_hash(slice_of(&t, sizeof t), hash);
    return slice_hash(slice_str(json_why(&j)), hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum json_flags flags = data[0] & 1 ? JSON_MULTI : JSON_ONE;
    unsigned skip = data[0] >> 1 & 7;
    size_t step = 1u + data[1];
    struct slice s = slice_of(data + 2, size - 2);
    bool cut = false;
    uint64_t whole = scan(s, SIZE_MAX, flags, skip, &cut);
    uint64_t pieces = scan(s, step, flags, skip, &cut);
    assert(cut || whole == pieces); /* a cut name over JSON_HOLD may lose its tail */

    struct buf out = { .limit = 1 << 20 };
    json_unescape(s, &out);
    buf_release(&out);
    return 0;
}
