/* A direct-mapped table of prices by series: see price_memo.h. */
#include "collector/price_memo.h"

#include <stdlib.h>

enum { ENTRIES = 4096 };

struct entry {
    uint32_t series; /* 0: free */
    uint32_t span;   /* of days; of another span it is stale */
    bool found;
    struct price price;
};

struct price_memo {
    const struct price_book *book;
    int64_t from, until; /* the span of days: Unix seconds, until is exclusive */
    uint32_t span;
    struct entry entry[ENTRIES]; /* pages that no series touches cost nothing */
};

struct price_memo *price_memo_new(const struct price_book *book)
{
    struct price_memo *m = calloc(1, sizeof *m);
    if (m)
        m->book = book;
    return m;
}

void price_memo_free(struct price_memo *m)
{
    free(m);
}

struct price_cost price_memo_usage(struct price_memo *m, uint32_t series,
                                   const struct price_query *q, uint64_t calls,
                                   const uint64_t v[USAGE_N])
{
    struct price_cost none = { .priced = false };
    if (!m->book)
        return none;
    if (series == 0)
        return price_usage(m->book, q, calls, v);
    if (q->day < m->from || q->day >= m->until) {
        price_book_span(m->book, q->day, &m->from, &m->until);
        m->span++;
    }
    struct entry *e = &m->entry[series % ENTRIES];
    if (e->series != series || e->span != m->span) {
        e->found = price_find(m->book, q, &e->price);
        e->series = series;
        e->span = m->span;
    }
    return e->found ? price_apply(&e->price, calls, v) : none;
}
