/*
 * A published price list from any bytes, cut anywhere: facts that a book can hold. What
 * is written of them reads back.
 */
#include "collector/price_list.h"
#include "collector/price_write.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct slice rest;
    size_t step;
};

static size_t read_some(void *arg, char *buf, size_t size)
{
    struct input *in = arg;
    size_t n = in->rest.n < in->step ? in->rest.n : in->step;
    n = n < size ? n : size;
    if (n)
        memcpy(buf, in->rest.p, n);
    in->rest = slice_from(in->rest, n);
    return n;
}

static void check_facts(void *arg, const struct price_fact *facts, unsigned n)
{
    (void)arg;
    struct price_fact f = facts[n - 1];
    struct price_addition add = { &f, "test" };
    struct price_tables none = { .text = "" }, t;
    struct buf text = { 0 }, why = { 0 };
    struct arena a;
    arena_init(&a, 16 << 20);
    assert(n >= 1 && n <= PRICE_DATED_MAX && f.n >= 1);
    f.day = f.dated ? f.day : 20000;
    price_write(&none, &add, 1, &text);
    enum status st = price_tables_parse(buf_slice(&text), "written", &a, &t, &why);
    assert(st == ST_OK && t.n_models == 1);
    arena_release(&a);
    buf_release(&text);
    buf_release(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct price_list_stats whole, cut;
    struct buf why = { 0 };
    for (int pass = 0; pass < 2; pass++) {
        struct input in = { slice_of(data, size), pass ? 1 + size % 7 : 1 << 16 };
        struct price_list_source s = { read_some, check_facts, &in };
        price_list_read(&s, pass ? &cut : &whole, &why);
    }
    assert(whole.format == cut.format && whole.entries == cut.entries &&
           whole.skipped == cut.skipped);
    buf_release(&why);
    return 0;
}
