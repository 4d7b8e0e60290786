/* One function per rule, each over one model of the book. */
#include "collector/price_lint.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    TOKEN_PICO_MIN = 1000,       /* 1e-9 $ per token */
    TOKEN_PICO_MAX = 2000000000, /* 2e-3 $ */
};

struct lint {
    const struct price_tables *t;
    const struct price_lint_options *o;
    const struct price_model *m; /* at hand */
    price_finding_fn *fn;
    void *arg;
    unsigned errors;
};

static void found(struct lint *l, bool error, uint32_t line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void found(struct lint *l, bool error, uint32_t line, const char *fmt, ...)
{
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    struct price_finding f = { error, line, what, "", "" };
    if (l->m) {
        f.provider = l->t->text + l->t->provider[l->m->provider].name;
        f.model = l->t->text + l->m->name;
    }
    l->errors += error;
    l->fn(l->arg, &f);
}

static const struct price_row *row_of(const struct lint *l, uint32_t i)
{
    return &l->t->row[l->m->row + i];
}

static bool row_value(const struct lint *l, const struct price_row *r, unsigned field,
                      uint64_t *pico)
{
    for (uint32_t i = 0; i < r->n_values; i++)
        if (l->t->value[r->value + i].field == field) {
            *pico = l->t->value[r->value + i].pico;
            return true;
        }
    return false;
}

/* A token price of zero is fine where all of them are: a free model. */
static void check_range(struct lint *l, const struct price_row *r)
{
    bool free = true;
    for (uint32_t i = 0; i < r->n_values; i++)
        free &= l->t->value[r->value + i].pico == 0;
    for (uint32_t i = 0; i < r->n_values && !free; i++) {
        struct price_value v = l->t->value[r->value + i];
        if (v.field >= USAGE_N || usage_fields[v.field].kind == USAGE_KIND_UNIT)
            continue;
        if (v.pico < TOKEN_PICO_MIN || v.pico > TOKEN_PICO_MAX)
            found(l, true, r->line,
                  "%s at %.6f $ per million tokens: outside 0.001 to 2000",
                  usage_fields[v.field].name, (double)v.pico / 1e6);
    }
}

/* Cache reads dearer than input, output cheaper than a tenth of it: a slip of columns? */
static void check_shape(struct lint *l, const struct price_row *r)
{
    uint64_t in, other;
    if (!row_value(l, r, USAGE_input, &in))
        return;
    if (row_value(l, r, USAGE_cache_read, &other) && other > in)
        found(l, true, r->line, "cache_read costs more than input");
    if (row_value(l, r, USAGE_output, &other) && other * 10 < in)
        found(l, true, r->line, "output costs less than a tenth of input");
    if (row_value(l, r, USAGE_cache_write_1h, &other) && other > in * 4)
        found(l, true, r->line, "cache_write_1h costs more than four times input");
}

static const struct price_row *standard_of(const struct lint *l,
                                           const struct price_row *r)
{
    for (uint32_t i = 0; i < l->m->n_rows; i++) {
        const struct price_row *s = row_of(l, i);
        if (s->day == r->day && s->tier == 0 && s->above == 0)
            return s;
    }
    return NULL;
}

/* A context tier prices every token class that the standard price does. */
static void check_gaps(struct lint *l, const struct price_row *r)
{
    const struct price_row *s = standard_of(l, r);
    uint64_t pico;
    bool known = false;
    if (r->above == 0)
        return;
    for (unsigned b = 0; b < USAGE_CONTEXTS; b++)
        known |= usage_context_from[b] == r->above;
    if (!known)
        found(l, true, r->line, "no context bucket begins at %u tokens", r->above);
    for (unsigned f = 0; s && f < USAGE_CLASSES; f++)
        if (row_value(l, s, f, &pico) && !row_value(l, r, f, &pico))
            found(l, true, r->line, "the price above %u tokens leaves out %s", r->above,
                  usage_fields[f].name);
}

static void check_model(struct lint *l)
{
    int32_t newest = INT32_MIN;
    uint32_t line = l->m->line;
    for (uint32_t i = 0; i < l->m->n_rows; i++) {
        const struct price_row *r = row_of(l, i);
        check_range(l, r);
        check_shape(l, r);
        check_gaps(l, r);
        if (!standard_of(l, r))
            found(l, true, r->line, "no standard price beside this one");
        if (r->day <= l->o->today && r->day >= newest) {
            newest = r->day;
            line = r->line;
        }
    }
    if (newest == INT32_MIN)
        found(l, false, line, "no price is in force yet");
    else if (l->o->stale_days && l->o->today - newest > l->o->stale_days)
        found(l, false, line, "no new price for %d days", l->o->today - newest);
}

unsigned price_lint(const struct price_tables *t, const struct price_lint_options *o,
                    price_finding_fn *fn, void *arg)
{
    struct lint l = { .t = t, .o = o, .fn = fn, .arg = arg };
    if (o->checked_days && t->checked && o->today - t->checked > o->checked_days)
        found(&l, false, 1, "the book was last checked %d days ago",
              o->today - t->checked);
    for (uint32_t i = 0; i < t->n_models; i++) {
        l.m = &t->model[i];
        if (t->text[l.m->name] != '*') /* defaults of a provider */
            check_model(&l);
    }
    return l.errors;
}
