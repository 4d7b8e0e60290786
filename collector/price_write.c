/* A row is one flow mapping on one line; models and providers are block mappings. */
#include "collector/price_write.h"

#include "common/instant.h"

/* A name as a YAML scalar; names with quotes or control bytes never get here. */
static void put_name(const char *name, struct buf *out)
{
    bool plain = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
    for (const char *p = name; *p; p++)
        plain &= (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' ||
                 *p == '_' || *p == '.' || *p == '/';
    buf_addf(out, plain ? "%s" : "\"%s\"", name);
}

/* A decimal with up to `digits` decimals, trailing zeros cut. */
static void put_decimal(price_pico v, unsigned digits, struct buf *out)
{
    price_format(v, digits, out);
    while (out->n && out->p[out->n - 1] == '0')
        out->n--;
    if (out->n && out->p[out->n - 1] == '.')
        out->n--;
}

static void put_values(const struct price_variant *v, bool *comma, struct buf *out)
{
    for (unsigned i = 0; i < price_keys_n; i++) {
        unsigned f = price_keys[i].field;
        if (!(v->has >> f & 1))
            continue;
        buf_addf(out, "%s%s: ", *comma ? ", " : "", price_keys[i].key);
        put_decimal((price_pico)v->pico[f] * price_keys[i].per, 12, out);
        *comma = true;
    }
}

/* , above: {200000: {…}} of one tier */
static void put_above(const struct price_fact *f, const char *tier, bool *comma,
                      struct buf *out)
{
    bool open = false;
    for (unsigned i = 0; i < f->n; i++) {
        const struct price_variant *v = &f->v[i];
        bool inner = false;
        if (v->above == 0 || strcmp(v->tier, tier) != 0)
            continue;
        buf_addf(out, "%s%u: {",
                 open     ? ", "
                 : *comma ? ", above: {"
                          : "above: {",
                 v->above);
        put_values(v, &inner, out);
        buf_addc(out, '}');
        open = *comma = true;
    }
    if (open)
        buf_addc(out, '}');
}

static bool tier_is_first(const struct price_fact *f, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(f->v[k].tier, f->v[i].tier) == 0)
            return false;
    return *f->v[i].tier != '\0';
}

/* , tiers: {batch: 0.5, priority: {…}} */
static void put_tiers(const struct price_fact *f, struct buf *out)
{
    bool open = false;
    for (unsigned i = 0; i < f->n; i++) {
        bool inner = false;
        if (!tier_is_first(f, i))
            continue;
        buf_adds(out, open ? ", " : ", tiers: {");
        open = true;
        put_name(f->v[i].tier, out);
        buf_adds(out, ": ");
        if (f->v[i].ppm) {
            put_decimal(f->v[i].ppm, 6, out);
            continue;
        }
        buf_addc(out, '{');
        if (f->v[i].above == 0)
            put_values(&f->v[i], &inner, out);
        put_above(f, f->v[i].tier, &inner, out);
        buf_addc(out, '}');
    }
    if (open)
        buf_addc(out, '}');
}

static void put_row(const struct price_fact *f, const char *source, const char *indent,
                    struct buf *out)
{
    bool comma = true;
    buf_addf(out, "%s- {from: ", indent);
    instant_format_day(f->day * PRICE_DAY_NS, out);
    if (f->v[0].ppm) {
        buf_adds(out, ", discount: ");
        put_decimal((price_pico)(PRICE_PPM - f->v[0].ppm), 4, out);
    }
    put_values(&f->v[0], &comma, out);
    put_above(f, "", &comma, out);
    put_tiers(f, out);
    if (source && *source) {
        buf_adds(out, ", source: '");
        for (const char *p = source; *p; p++)
            buf_adds(out, *p == '\'' ? "''" : (char[]){ *p, 0 });
        buf_addc(out, '\'');
    }
    buf_adds(out, "}\n");
}

/* The rows of one day as a fact, standard first; returns the row behind them. */
static uint32_t group_fact(const struct price_tables *t, uint32_t i, uint32_t end,
                           struct price_fact *f, uint32_t *source)
{
    memset(f, 0, offsetof(struct price_fact, v));
    f->day = t->row[i].day;
    *source = 0;
    price_fact_variant(f, 0, SLICE(""));
    for (; i < end && t->row[i].day == f->day; i++) {
        const struct price_row *r = &t->row[i];
        struct price_variant *v =
            price_fact_variant(f, r->above, slice_str(t->text + r->tier));
        if (!v)
            continue;
        v->ppm = r->ppm;
        for (uint32_t k = 0; k < r->n_values; k++) {
            struct price_value value = t->value[r->value + k];
            v->pico[value.field] = value.pico;
            v->has |= (uint64_t)1 << value.field;
        }
        *source = r->source ? r->source : *source;
    }
    return i;
}

static void put_rows(const struct price_tables *t, const struct price_model *m,
                     const char *indent, struct buf *out)
{
    uint32_t end = m->row + m->n_rows;
    for (uint32_t i = m->row; i < end;) {
        struct price_fact f;
        uint32_t source;
        i = group_fact(t, i, end, &f, &source);
        put_row(&f, t->text + source, indent, out);
    }
}

static void put_aliases(const struct price_tables *t, const struct price_model *m,
                        struct buf *out)
{
    bool open = false;
    for (uint32_t i = 0; i < t->n_names; i++) {
        const struct price_name *n = &t->name[i];
        if (&t->model[n->model] != m || strcmp(t->text + n->name, t->text + m->name) == 0)
            continue;
        buf_adds(out, open ? ", " : "        aliases: [");
        put_name(t->text + n->name, out);
        open = true;
    }
    if (open)
        buf_adds(out, "]\n");
    for (uint32_t i = 0; i < m->n_regions; i++) {
        const struct price_region *r = &t->region[m->region + i];
        buf_adds(out, i ? ", " : "        regions: {");
        put_name(t->text + r->name, out);
        buf_adds(out, ": ");
        put_decimal(r->ppm, 6, out);
    }
    if (m->n_regions)
        buf_adds(out, "}\n");
}

static bool is_for(const struct price_addition *a, const char *provider,
                   const char *model)
{
    return strcmp(a->fact->provider, provider) == 0 &&
           (!model || strcmp(a->fact->model, model) == 0);
}

/* The rows of `add` for one model. */
static void put_additions(const struct price_addition *add, size_t n,
                          const char *provider, const char *model, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        if (is_for(&add[i], provider, model))
            put_row(add[i].fact, add[i].source, "          ", out);
}

static void put_model(const char *name, struct buf *out)
{
    buf_adds(out, "      ");
    put_name(name, out);
    buf_adds(out, ":\n");
}

/* Models of the tables with their new rows, then the new models. */
static void put_models(const struct price_tables *t, unsigned provider, const char *name,
                       const struct price_addition *add, size_t n, struct buf *out)
{
    for (uint32_t i = 0; i < t->n_models; i++) {
        const struct price_model *m = &t->model[i];
        const char *model = t->text + m->name;
        if (m->provider != provider || *model == '\0' || strcmp(model, "*") == 0)
            continue;
        put_model(model, out);
        put_aliases(t, m, out);
        buf_adds(out, "        prices:\n");
        put_rows(t, m, "          ", out);
        put_additions(add, n, name, model, out);
    }
    for (size_t i = 0; i < n; i++) {
        const char *model = add[i].fact->model;
        bool first = i == 0 || !is_for(&add[i - 1], name, model);
        if (!is_for(&add[i], name, NULL) || !first ||
            price_model_find(t, provider, slice_str(model)))
            continue;
        put_model(model, out);
        buf_adds(out, "        prices:\n");
        put_additions(add + i, n - i, name, model, out);
    }
}

static void put_provider(const struct price_tables *t, unsigned provider, struct buf *out)
{
    const struct price_provider *p = &t->provider[provider];
    for (unsigned i = 0; i < PRICE_SAME_AS_MAX && p->same_as[i] != PRICE_NONE; i++) {
        buf_adds(out, i ? ", " : "    same_as: [");
        put_name(t->text + t->provider[p->same_as[i]].name, out);
    }
    if (p->same_as[0] != PRICE_NONE)
        buf_adds(out, "]\n");
    if (p->defaults != PRICE_NONE) {
        buf_adds(out, "    prices:\n");
        put_rows(t, &t->model[p->defaults], "      ", out);
    }
}

static bool has_models(const struct price_tables *t, unsigned provider)
{
    for (uint32_t i = 0; i < t->n_models; i++)
        if (t->model[i].provider == provider && t->provider[provider].defaults != i)
            return true;
    return false;
}

void price_write(const struct price_tables *t, const struct price_addition *add, size_t n,
                 struct buf *out)
{
    buf_adds(out,
             "# A local price book: docs/prices.md. `prices import` writes it anew and "
             "keeps\n# every dated row; comments are lost.\n\n");
    if (t->checked) {
        buf_adds(out, "checked: ");
        instant_format_day(t->checked * PRICE_DAY_NS, out);
        buf_adds(out, "\n\n");
    }
    buf_adds(out, "providers:\n");
    if (t->n_providers == 0 && n == 0)
        out->n -= 1; /* an empty mapping needs its braces */
    for (uint32_t i = 0; i < t->n_providers; i++) {
        const char *name = t->text + t->provider[i].name;
        bool added = false;
        for (size_t k = 0; k < n; k++)
            added |= is_for(&add[k], name, NULL);
        buf_adds(out, "  ");
        put_name(name, out);
        bool models = added || has_models(t, i);
        bool any = models || t->provider[i].defaults != PRICE_NONE ||
                   t->provider[i].same_as[0] != PRICE_NONE;
        buf_adds(out, any ? ":\n" : ": {}\n");
        put_provider(t, i, out);
        if (models)
            buf_adds(out, "    models:\n");
        put_models(t, i, name, add, n, out);
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = add[i].fact->provider;
        if ((i > 0 && is_for(&add[i - 1], name, NULL)) ||
            price_provider_find(t, slice_str(name)) != PRICE_NONE)
            continue;
        buf_adds(out, "  ");
        put_name(name, out);
        buf_adds(out, ":\n    models:\n");
        put_models(t, PRICE_NONE, name, add, n, out);
    }
    if (t->n_providers == 0 && n == 0)
        buf_adds(out, " {}\n");
}
