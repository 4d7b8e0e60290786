/*
 * Growing tables of a price book, and their last step into the final form. Private to
 * price_load.c, which fills them in the order of the file.
 */
#ifndef BREAKEVEN_PRICE_BUILD_H
#define BREAKEVEN_PRICE_BUILD_H

#include "common/price_book.h"

/* A growing array of items of one size, behind one pointer. */
struct price_list {
    void *at;
    uint32_t n, cap;
};

/* A zeroed struct is empty. `st` is sticky: ST_OK, or ST_NOMEM for ever. */
struct price_build {
    struct buf text;
    struct price_list provider, model, row, value, region, name;
    int32_t checked;
    enum status st;
};

/* Room for one more item, zeroed; it lives until the next push. NULL: out of memory. */
void *price_build_push(struct price_build *b, struct price_list *list, size_t size);

/* Offset of a copy of `s` in the text, lower case if `fold`; 0 for an empty one. */
uint32_t price_build_text(struct price_build *b, struct slice s, bool fold);

/* The provider of that name, made when it is new: others may name it before it comes. */
unsigned price_build_provider(struct price_build *b, struct slice name);

/* The model made last; there must be one. Valid until the next push to `model`. */
struct price_model *price_build_model(struct price_build *b);

/*
 * The tables, in memory of `a`. ST_CONFIG when two models of a provider share a name,
 * explained as file:line in `why`; ST_NOMEM at the ceiling.
 */
enum status price_build_finish(struct price_build *b, const char *file, struct arena *a,
                               struct price_tables *out, struct buf *why);
void price_build_release(struct price_build *b);

#endif
