/* Sums by hour, folded to the hours of the week: see profile.h. */
#include "collector/profile.h"

#include <stdlib.h>

enum { PROFILE_HOURS_MAX = 1000000 };

static void add(uint64_t *to, uint64_t v)
{
    if (__builtin_add_overflow(*to, v, to))
        *to = UINT64_MAX;
}

static void fold(const struct profile_hours *h, size_t first, size_t last,
                 struct query_profile *out)
{
    uint64_t calls = 0;
    out->first_hour = h->from + (int64_t)first * ROLLUP_HOUR_S;
    out->last_hour = h->from + (int64_t)last * ROLLUP_HOUR_S;
    for (size_t i = first; i <= last; i++) {
        const struct profile_hour *s = &h->at[i];
        /* 1970-01-01 00:00 was hour 72 of a week that began on Monday */
        size_t w = (size_t)((h->from / ROLLUP_HOUR_S + (int64_t)i + 72) % 168);
        add(&out->calls[w], s->calls);
        add(&out->tokens[w], s->tokens);
        out->hours[w]++;
        add(&calls, s->calls);
        if (s->peak_calls > out->peak_calls)
            out->peak_calls = s->peak_calls;
        if (s->peak_tokens > out->peak_tokens)
            out->peak_tokens = s->peak_tokens;
    }
    if (calls)
        out->peak_to_mean =
            (double)out->peak_calls * 60 * (double)(last - first + 1) / (double)calls;
}

enum status profile_open(struct profile_hours *h, int64_t from, int64_t to)
{
    *h = (struct profile_hours){ .from =
                                     store_bucket(from < 0 ? 0 : from, STORE_HOUR, 0) };
    if (to <= h->from)
        return ST_OK;
    h->n = (size_t)((to - 1 - h->from) / ROLLUP_HOUR_S) + 1;
    if (h->n > PROFILE_HOURS_MAX)
        return ST_LIMIT;
    h->at = calloc(h->n, sizeof *h->at);
    return h->at ? ST_OK : ST_NOMEM;
}

void profile_add(struct profile_hours *h, const struct store_row *r)
{
    size_t i = (size_t)((r->time - h->from) / ROLLUP_HOUR_S);
    if (r->time < h->from || i >= h->n)
        return;
    add(&h->at[i].calls, r->calls);
    for (int f = 0; f < USAGE_CLASSES; f++)
        add(&h->at[i].tokens, r->v[f]);
    add(&h->at[i].peak_calls, r->peak_calls);
    add(&h->at[i].peak_tokens, r->peak_tokens);
}

void profile_close(struct profile_hours *h, struct query_profile *out)
{
    size_t first = 0, last = h->n;
    *out = (struct query_profile){ 0 };
    while (first < h->n && h->at[first].calls == 0)
        first++;
    while (last > first && h->at[last - 1].calls == 0)
        last--;
    if (first < last)
        fold(h, first, last - 1, out);
    free(h->at);
    *h = (struct profile_hours){ 0 };
}

static enum status add_hour(void *arg, const struct store_row *r)
{
    profile_add(arg, r);
    return ST_OK;
}

enum status query_profile(struct store *s, const struct store_query *q,
                          struct query_profile *out)
{
    struct store_query hourly = *q;
    struct profile_hours h;
    hourly.grain = STORE_HOUR;
    hourly.offset_s = 0;
    enum status st = profile_open(&h, q->from, q->to);
    if (st == ST_OK && h.n)
        st = store_scan(s, &hourly, add_hour, &h);
    profile_close(&h, out);
    return st;
}
