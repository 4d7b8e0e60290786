/* A price book from any bytes: tables whose every reference holds, or file:line. */
#include "common/price_book.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tables(const struct price_tables *t)
{
    for (uint32_t i = 0; i < t->n_names; i++) {
        const struct price_name *n = &t->name[i];
        assert(n->name < t->n_text && n->model < t->n_models);
        const struct price_model *m =
            price_model_find(t, n->provider, slice_str(t->text + n->name));
        assert(m == &t->model[n->model]);
    }
    for (uint32_t i = 0; i < t->n_models; i++) {
        const struct price_model *m = &t->model[i];
        assert(m->provider < t->n_providers && m->row + m->n_rows <= t->n_rows);
        assert(m->region + m->n_regions <= t->n_regions || m->n_regions == 0);
        for (uint32_t r = m->row + 1; r < m->row + m->n_rows; r++)
            assert(t->row[r - 1].day <= t->row[r].day);
    }
    for (uint32_t i = 0; i < t->n_rows; i++) {
        const struct price_row *r = &t->row[i];
        assert(r->value + r->n_values <= t->n_values);
        assert(r->tier < t->n_text && r->source < t->n_text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct price_tables t;
    struct buf why = { 0 };
    struct arena a;
    arena_init(&a, 16 << 20);
    enum status st = price_tables_parse(slice_of(data, size), "book", &a, &t, &why);
    assert(st == ST_OK ? why.n == 0 : why.n > 0);
    if (st == ST_OK)
        check_tables(&t);
    arena_release(&a);
    buf_release(&why);
    return 0;
}
