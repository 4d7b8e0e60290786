/* Field by field, alternatives accepted. */
#include "tests/golden/verdict.h"

#include <stdio.h>

static void keep(char *to, struct slice s)
{
    snprintf(to, VERDICT_TEXT, "%.*s", SLICE_FMT(s));
}

void verdicts_keep(void *arg, struct usage *u)
{
    struct verdicts *v = arg;
    if (v->n == VERDICTS)
        return;
    v->u[v->n] = *u;
    keep(v->name[v->n][0], u->surface);
    keep(v->name[v->n][1], u->model);
    keep(v->name[v->n][2], u->response_id);
    keep(v->name[v->n][3], u->provider);
    v->n++;
}

static int64_t field(const struct usage *u, enum usage_field f)
{
    return usage_has(u, f) ? (int64_t)u->v[f] : -1;
}

static void numbers(const struct usage *u, int64_t v[TRUTH_NUMBERS])
{
    int64_t m5 = field(u, USAGE_cache_write_5m), h1 = field(u, USAGE_cache_write_1h),
            other = field(u, USAGE_cache_write);
    v[T_INPUT] = field(u, USAGE_input);
    v[T_CACHE_READ] = field(u, USAGE_cache_read);
    v[T_CACHE_WRITE] =
        m5 < 0 && h1 < 0 && other < 0
            ? -1
            : (m5 > 0 ? m5 : 0) + (h1 > 0 ? h1 : 0) + (other > 0 ? other : 0);
    v[T_CACHE_WRITE_5M] = m5;
    v[T_CACHE_WRITE_1H] = h1;
    v[T_OUTPUT] = field(u, USAGE_output);
    v[T_REASONING] = field(u, USAGE_reasoning);
    v[T_TOTAL] = u->total_reported == UINT64_MAX ? -1 : (int64_t)u->total_reported;
}

/* The split of cache writes is compared where it is known. */
static bool fits(size_t i, int64_t want, int64_t got)
{
    bool split = i == T_CACHE_WRITE_5M || i == T_CACHE_WRITE_1H;
    return want == got || (split && want < 0) || (split && want == 0 && got < 0);
}

static bool same(const int64_t *want, const int64_t *other, const int64_t *got,
                 size_t *at)
{
    for (size_t i = 0; i < TRUTH_NUMBERS; i++) {
        int64_t w = other && other[i] != -2 ? other[i] : want[i];
        if (!fits(i, w, got[i])) {
            *at = i;
            return false;
        }
    }
    return true;
}

static bool any_fits(const struct truth *t, const int64_t *got, size_t *at)
{
    size_t scrap;
    if (same(t->v, NULL, got, at))
        return true;
    for (size_t a = 0; a < t->alternatives; a++)
        if (same(t->v, t->alternative[a], got, &scrap))
            return true;
    return false;
}

static const char *extras(const struct truth *t, const struct verdicts *got, char *why,
                          size_t size)
{
    if (got->n != 1 + t->extras) {
        snprintf(why, size, "%zu verdicts, not %zu", got->n, 1 + t->extras);
        return why;
    }
    for (size_t i = 0; i < t->extras; i++) {
        int64_t v[TRUTH_NUMBERS];
        numbers(&got->u[1 + i], v);
        if (v[T_INPUT] != t->extra[i][T_INPUT] || v[T_OUTPUT] != t->extra[i][T_OUTPUT]) {
            snprintf(why, size, "extra call %zu differs", i);
            return why;
        }
    }
    return "";
}

static const char *names(const struct truth *t, const struct verdicts *got, unsigned skip,
                         char *why, size_t size)
{
    const struct usage *u = &got->u[0];
    const char *accounting = usage_accounting_name(u->accounting),
               *outcome = usage_outcome_name(u->outcome);
    if (!(skip & SKIP_ACCOUNTING) && !slice_eq(t->accounting, slice_str(accounting)))
        snprintf(why, size, "accounting %s, not %.*s", accounting,
                 SLICE_FMT(t->accounting));
    else if (!(skip & SKIP_OUTCOME) && !slice_eq(t->outcome, slice_str(outcome)))
        snprintf(why, size, "outcome %s, not %.*s", outcome, SLICE_FMT(t->outcome));
    else if (!(skip & SKIP_SURFACE) && !slice_eq(t->surface, slice_str(got->name[0][0])))
        snprintf(why, size, "surface %s", got->name[0][0]);
    else if (!(skip & SKIP_MODEL) && !slice_eq(t->model, slice_str(got->name[0][1])))
        snprintf(why, size, "model %s, not %.*s", got->name[0][1], SLICE_FMT(t->model));
    else if (!(skip & SKIP_ID) && !slice_eq(t->response_id, slice_str(got->name[0][2])))
        snprintf(why, size, "response_id %s, not %.*s", got->name[0][2],
                 SLICE_FMT(t->response_id));
    else
        return "";
    return why;
}

const char *verdict_differs(const struct truth *want, const struct verdicts *got,
                            unsigned skip, char *why, size_t size)
{
    int64_t v[TRUTH_NUMBERS];
    size_t at = 0;
    if (!got->n)
        return "no verdict";
    if (*names(want, got, skip, why, size))
        return why;
    if (skip & SKIP_NUMBERS)
        return "";
    numbers(&got->u[0], v);
    if (got->u[0].quality == QUALITY_ESTIMATED)
        for (size_t i = 0; i < TRUTH_NUMBERS; i++)
            v[i] = -1; /* estimates are not what the provider reported */
    if (!any_fits(want, v, &at)) {
        snprintf(why, size, "%s %ld, not %ld", truth_names[at], (long)v[at],
                 (long)want->v[at]);
        return why;
    }
    return extras(want, got, why, size);
}
