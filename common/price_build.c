/* Lists that grow, text kept once, and the hash of names. */
#include "common/price_build.h"

#include <stdlib.h>

void *price_build_push(struct price_build *b, struct price_list *list, size_t size)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 64;
        void *at = realloc(list->at, cap * size);
        if (!at) {
            b->st = ST_NOMEM;
            return NULL;
        }
        list->at = at;
        list->cap = cap;
    }
    void *item = (char *)list->at + list->n++ * size;
    return memset(item, 0, size);
}

uint32_t price_build_text(struct price_build *b, struct slice s, bool fold)
{
    if (b->text.n == 0)
        buf_addc(&b->text, '\0'); /* offset 0 is "" */
    if (s.n == 0)
        return 0;
    uint32_t at = (uint32_t)b->text.n;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        buf_addc(&b->text, fold && c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    }
    buf_addc(&b->text, '\0');
    if (b->text.st)
        b->st = ST_NOMEM;
    return b->st ? 0 : at;
}

unsigned price_build_provider(struct price_build *b, struct slice name)
{
    struct price_provider *p = b->provider.at;
    for (unsigned i = 0; i < b->provider.n; i++)
        if (slice_ieq(slice_str(b->text.p + p[i].name), name))
            return i;
    uint32_t at = price_build_text(b, name, true);
    p = b->st ? NULL : price_build_push(b, &b->provider, sizeof *p);
    if (!p)
        return PRICE_NONE;
    p->name = at;
    p->defaults = PRICE_NONE;
    memset(p->same_as, 0xff, sizeof p->same_as);
    return b->provider.n - 1;
}

struct price_model *price_build_model(struct price_build *b)
{
    return (struct price_model *)b->model.at + b->model.n - 1;
}

/* Names into the hash; the second of a name is an error. */
static enum status fill_slots(const struct price_build *b, uint16_t *slot,
                              uint32_t n_slots, const char *file, struct buf *why)
{
    const struct price_name *names = b->name.at;
    const struct price_model *models = b->model.at;
    memset(slot, 0xff, n_slots * sizeof *slot);
    for (uint32_t i = 0; i < b->name.n; i++) {
        struct slice name = slice_str(b->text.p + names[i].name);
        uint32_t at = (uint32_t)price_name_hash(names[i].provider, name) & (n_slots - 1);
        for (; slot[at] != PRICE_NONE; at = (at + 1) & (n_slots - 1)) {
            const struct price_name *other = &names[slot[at]];
            if (other->provider == names[i].provider &&
                slice_eq(slice_str(b->text.p + other->name), name)) {
                buf_addf(why, "%s:%u: '%.*s' is already a name of the model in line %u",
                         file, models[names[i].model].line,
                         SLICE_FMT(slice_head(name, 80)), models[other->model].line);
                return ST_CONFIG;
            }
        }
        slot[at] = (uint16_t)i;
    }
    return ST_OK;
}

/* A copy of n items in the arena, never empty; NULL at its ceiling. */
static const void *settle(struct arena *a, const void *at, size_t n, size_t size)
{
    void *copy = arena_alloc(a, (n ? n : 1) * size);
    if (copy && n)
        memcpy(copy, at, n * size);
    return copy;
}

enum status price_build_finish(struct price_build *b, const char *file, struct arena *a,
                               struct price_tables *out, struct buf *why)
{
    uint32_t n_slots = 16;
    while (n_slots < b->name.n * 2)
        n_slots *= 2;
    uint16_t *slot = arena_alloc(a, n_slots * sizeof *slot);
    price_build_text(b, SLICE(""), false);
    if (!slot || b->st)
        return ST_NOMEM;
    enum status st = fill_slots(b, slot, n_slots, file, why);
    if (st)
        return st;
    struct price_tables t = {
        .file = arena_dup(a, slice_str(file)).p,
        .text = settle(a, b->text.p, b->text.n, 1),
        .provider = settle(a, b->provider.at, b->provider.n, sizeof *t.provider),
        .model = settle(a, b->model.at, b->model.n, sizeof *t.model),
        .row = settle(a, b->row.at, b->row.n, sizeof *t.row),
        .value = settle(a, b->value.at, b->value.n, sizeof *t.value),
        .region = settle(a, b->region.at, b->region.n, sizeof *t.region),
        .name = settle(a, b->name.at, b->name.n, sizeof *t.name),
        .slot = slot,
        .checked = b->checked,
        .n_text = (uint32_t)b->text.n,
        .n_providers = b->provider.n,
        .n_models = b->model.n,
        .n_rows = b->row.n,
        .n_values = b->value.n,
        .n_regions = b->region.n,
        .n_names = b->name.n,
        .n_slots = n_slots,
    };
    if (!t.file || !t.text || !t.provider || !t.model || !t.row || !t.value ||
        !t.region || !t.name)
        return ST_NOMEM;
    *out = t;
    return ST_OK;
}

void price_build_release(struct price_build *b)
{
    free(b->provider.at);
    free(b->model.at);
    free(b->row.at);
    free(b->value.at);
    free(b->region.at);
    free(b->name.at);
    buf_release(&b->text);
}
