/* Price lookup and arithmetic over the tables of common/price_book.h. */
#include "common/price.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/price_book.h"
#include "common/price_name.h"

enum {
    BOOK_FILE_MAX = 8 << 20,   /* bytes of a book file */
    BOOK_ARENA_MAX = 64 << 20, /* bytes of its tables */
};

struct price_book {
    struct price_tables prices, over;
    struct arena arena; /* what the tables of file books live in */
};

/* --- names ------------------------------------------------------------------------ */

static struct slice text_at(const struct price_tables *t, uint32_t at)
{
    return slice_str(t->text + at);
}

unsigned price_provider_find(const struct price_tables *t, struct slice name)
{
    for (unsigned i = 0; i < t->n_providers; i++)
        if (slice_ieq(text_at(t, t->provider[i].name), name))
            return i;
    return PRICE_NONE;
}

const struct price_model *price_model_find(const struct price_tables *t,
                                           unsigned provider, struct slice name)
{
    if (provider == PRICE_NONE || t->n_slots == 0)
        return NULL;
    uint32_t mask = t->n_slots - 1;
    uint32_t at = (uint32_t)price_name_hash(provider, name) & mask;
    for (; t->slot[at] != PRICE_NONE; at = (at + 1) & mask) {
        const struct price_name *n = &t->name[t->slot[at]];
        if (n->provider == provider && slice_eq(text_at(t, n->name), name))
            return &t->model[n->model];
    }
    return NULL;
}

/* --- lookup ----------------------------------------------------------------------- */

/* A query on its way through the names. */
struct search {
    const struct price_tables *t;
    struct slice region;
    int32_t day;
    const struct price_model *model;
};

static int32_t day_of(int64_t seconds)
{
    int64_t day = seconds / 86400 - (seconds % 86400 < 0);
    return day < INT32_MIN ? INT32_MIN : day > INT32_MAX ? INT32_MAX : (int32_t)day;
}

/* The threshold that every input of the query's bucket exceeds. */
static uint64_t context_of(const struct price_query *q)
{
    return usage_context_from[q->context < USAGE_CONTEXTS ? q->context : 0];
}

/* First row of the newest group of rows in force on `day`, or NULL. */
static const struct price_row *rows_at(const struct price_tables *t,
                                       const struct price_model *m, int32_t day)
{
    const struct price_row *found = NULL;
    for (uint32_t i = 0; i < m->n_rows; i++) {
        const struct price_row *row = &t->row[m->row + i];
        if (row->day > day)
            break;
        if (!found || row->day != found->day)
            found = row;
    }
    return found;
}

/* Among the rows of that group: the one of `tier` with the highest threshold <= `above`.
 */
static const struct price_row *row_variant(const struct price_tables *t,
                                           const struct price_model *m,
                                           const struct price_row *group,
                                           struct slice tier, uint64_t above)
{
    const struct price_row *end = t->row + m->row + m->n_rows, *best = NULL;
    for (const struct price_row *r = group; r && r < end && r->day == group->day; r++)
        if (r->above <= above && slice_ieq(text_at(t, r->tier), tier) &&
            (!best || r->above >= best->above))
            best = r;
    return best;
}

static bool search_exact(struct search *s, unsigned provider, struct slice name)
{
    const struct price_model *m = price_model_find(s->t, provider, name);
    if (!m || !rows_at(s->t, m, s->day))
        return false;
    s->model = m;
    return true;
}

/* The name as given, then with ever fewer suffixes and prefixes. */
static bool search_provider(struct search *s, unsigned provider, struct slice name)
{
    struct slice region = s->region;
    if (provider == PRICE_NONE)
        return false;
    if (slice_starts(name, SLICE("ft:"))) { /* "ft:base:organisation::id" */
        size_t at = slice_chr(slice_from(name, 3), ':');
        if (at != SIZE_MAX)
            name.n = 3 + at;
    }
    do {
        struct slice shorter = name;
        do {
            if (search_exact(s, provider, shorter)) {
                s->region = region;
                return true;
            }
        } while (price_name_cut_suffix(&shorter));
        if (slice_ends(name, SLICE(":free")) &&
            search_exact(s, provider, SLICE("*:free")))
            return true;
    } while (price_name_cut_prefix(&name, &region));
    return false;
}

/* The provider itself, then those whose prices it shares. */
static bool search_all(struct search *s, struct slice provider, struct slice name)
{
    unsigned at = price_provider_find(s->t, provider);
    if (at == PRICE_NONE)
        return false;
    if (search_provider(s, at, name))
        return true;
    const struct price_provider *p = &s->t->provider[at];
    for (unsigned i = 0; i < PRICE_SAME_AS_MAX && p->same_as[i] != PRICE_NONE; i++)
        if (search_provider(s, p->same_as[i], name))
            return true;
    return false;
}

/* --- from rows to a price --------------------------------------------------------- */

static void overlay(struct price *out, const struct price_tables *t,
                    const struct price_row *row)
{
    for (uint32_t i = 0; row && i < row->n_values; i++) {
        struct price_value v = t->value[row->value + i];
        if (v.field == PRICE_CALL) {
            out->pico_call = v.pico;
        } else {
            out->pico[v.field] = v.pico;
            out->has |= (uint32_t)1 << v.field;
        }
    }
}

static uint64_t scaled(uint64_t pico, uint32_t ppm)
{
    return (uint64_t)(((price_pico)pico * ppm + PRICE_PPM / 2) / PRICE_PPM);
}

/* Multiply token prices, and with `units` all the others too. */
static void multiply(struct price *out, uint32_t ppm, bool units)
{
    for (unsigned f = 0; f < USAGE_N; f++)
        if (units || usage_fields[f].kind != USAGE_KIND_UNIT)
            out->pico[f] = scaled(out->pico[f], ppm);
    if (units)
        out->pico_call = scaled(out->pico_call, ppm);
    out->ppm = (uint32_t)scaled(out->ppm, ppm);
}

static bool tier_standard(struct slice tier)
{
    static const char *const names[] = { "standard",   "default", "auto",
                                         "on_demand",  "none",    "standard_only",
                                         "unspecified" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(tier, slice_str(names[i])))
            return true;
    return tier.n == 0;
}

/* The row of the provider's defaults in one of the books, or NULL. */
static const struct price_row *default_row(const struct price_tables *t,
                                           struct slice provider, struct slice tier,
                                           int32_t day)
{
    unsigned at = price_provider_find(t, provider);
    if (at == PRICE_NONE || t->provider[at].defaults == PRICE_NONE)
        return NULL;
    const struct price_model *d = &t->model[t->provider[at].defaults];
    return row_variant(t, d, rows_at(t, d, day), tier, 0);
}

/*
 * The service tier on top of the standard price: a factor, or prices of its own. Above a
 * context threshold a tier needs its own price there: some are not sold in that range.
 */
static void apply_tier(const struct price_book *b, const struct search *s,
                       const struct price_row *group, const struct price_query *q,
                       struct price *out)
{
    const struct price_tables *t = s->t;
    const struct price_row *row = row_variant(t, s->model, group, q->tier, context_of(q));
    struct slice provider = slice_str(out->provider);
    if (!row)
        row = default_row(t, provider, q->tier, s->day);
    if (!row) {
        t = &b->prices;
        row = default_row(t, provider, q->tier, s->day);
    }
    out->tier_known = row && (row->ppm || row->above == out->above);
    if (!out->tier_known)
        return;
    out->tier = t->text + row->tier;
    if (row->ppm) {
        multiply(out, row->ppm, false);
        return;
    }
    if (row->above)
        overlay(out, t, row_variant(t, s->model, group, q->tier, 0));
    overlay(out, t, row);
}

/*
 * The factor of the region: by its name ("us-east5", or a prefix such as "global."), by
 * its area ("us"), else by "*", which stands for every other and for an unknown one.
 */
static void apply_region(const struct price_tables *t, const struct price_model *m,
                         struct slice region, struct price *out)
{
    struct slice as[] = { region, slice_head(region, slice_chr(region, '-')),
                          SLICE("*") };
    for (size_t pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < m->n_regions; i++) {
            const struct price_region *r = &t->region[m->region + i];
            if (slice_ieq(text_at(t, r->name), as[pass])) {
                multiply(out, r->ppm, false);
                return;
            }
        }
}

/* What a cache costs where the book does not say: never nothing. */
static void fall_back(struct price *out)
{
    static const uint8_t chain[][3] = {
        { USAGE_cache_read, USAGE_input, USAGE_input },
        { USAGE_cache_write_5m, USAGE_cache_write, USAGE_input },
        { USAGE_cache_write_1h, USAGE_cache_write_5m, USAGE_input },
        { USAGE_cache_write, USAGE_cache_write_5m, USAGE_input },
    };
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        const uint8_t *c = chain[i];
        for (unsigned k = 1; k < 3 && !(out->has >> c[0] & 1); k++)
            if (out->has >> c[k] & 1) {
                out->pico[c[0]] = out->pico[c[k]];
                out->has |= (uint32_t)1 << c[0];
            }
    }
}

static void resolve(const struct price_book *b, const struct search *s,
                    const struct price_query *q, struct price *out)
{
    const struct price_tables *t = s->t;
    const struct price_model *m = s->model;
    const struct price_row *group = rows_at(t, m, s->day);
    struct slice provider = text_at(t, t->provider[m->provider].name);

    memset(out, 0, sizeof *out);
    out->provider = provider.p;
    out->model = t->text + m->name;
    out->effective = (int64_t)group->day * 86400;
    out->line = group->line;
    out->ppm = PRICE_PPM;
    out->tier = "";
    overlay(out, &b->prices, default_row(&b->prices, provider, SLICE(""), s->day));
    if (t != &b->prices)
        overlay(out, t, default_row(t, provider, SLICE(""), s->day));
    overlay(out, t, row_variant(t, m, group, SLICE(""), 0));
    const struct price_row *big = row_variant(t, m, group, SLICE(""), context_of(q));
    if (big && big->above) {
        overlay(out, t, big);
        out->above = big->above;
    }
    out->tier_known = true;
    if (!tier_standard(q->tier))
        apply_tier(b, s, group, q, out);
    apply_region(t, m, s->region, out);
    fall_back(out);
}

/* The negotiated factor for the provider that bills: by model, else by provider. */
static uint32_t discount_ppm(const struct price_book *b, const struct price_query *q,
                             struct slice name, int32_t day)
{
    struct search s = { .t = &b->over, .day = day };
    unsigned provider = price_provider_find(&b->over, q->provider);
    const struct price_row *row = NULL;
    if (provider == PRICE_NONE)
        return PRICE_PPM;
    if (search_provider(&s, provider, name))
        row = rows_at(&b->over, s.model, day);
    unsigned defaults = b->over.provider[provider].defaults;
    if ((!row || !row->ppm) && defaults != PRICE_NONE)
        row = rows_at(&b->over, &b->over.model[defaults], day);
    return row && row->ppm ? row->ppm : PRICE_PPM;
}

/* Lower case into `out`; false when it is too long to be a model's name. */
static bool fold(struct slice name, char out[PRICE_NAME_MAX])
{
    if (name.n == 0 || name.n > PRICE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return true;
}

bool price_find(const struct price_book *b, const struct price_query *q,
                struct price *out)
{
    char lower[PRICE_NAME_MAX];
    if (!fold(q->model, lower))
        return false;
    struct slice name = { lower, q->model.n };
    struct search s = { &b->over, q->region, day_of(q->day), NULL };

    if (b->over.n_models && search_all(&s, q->provider, name) &&
        !rows_at(&b->over, s.model, s.day)->ppm) {
        resolve(b, &s, q, out);
        out->own = true;
        return true;
    }
    s = (struct search){ &b->prices, q->region, day_of(q->day), NULL };
    if (!search_all(&s, q->provider, name))
        return false;
    resolve(b, &s, q, out);
    if (b->over.n_models) {
        uint32_t ppm = discount_ppm(b, q, name, s.day);
        if (ppm != PRICE_PPM)
            multiply(out, ppm, true);
    }
    return true;
}

/* --- arithmetic ------------------------------------------------------------------- */

/* Things that measure what tokens measure too; a price by token covers them. */
static bool measures_content(unsigned f)
{
    return f == USAGE_images || f == USAGE_pages || f == USAGE_audio_ms ||
           f == USAGE_video_ms || f == USAGE_characters;
}

/* Money or traffic: counts that no price list charges. */
static bool never_charged(unsigned f)
{
    return f == USAGE_cost_pico || f == USAGE_cost_calls || f == USAGE_bytes_up ||
           f == USAGE_bytes_down;
}

/* Subsets with an own price, taken out of their class; returns what is left of it. */
static uint64_t apply_subsets(const struct price *p, unsigned class,
                              const uint64_t v[USAGE_N], struct price_cost *cost)
{
    uint64_t left = v[class];
    for (unsigned f = USAGE_CLASSES; f < USAGE_N; f++) {
        if (usage_fields[f].kind != USAGE_KIND_SUBSET || usage_fields[f].of != class ||
            !(p->has >> f & 1))
            continue;
        uint64_t n = v[f] < left ? v[f] : left;
        cost->pico += (price_pico)n * p->pico[f];
        left -= n;
    }
    return left;
}

struct price_cost price_apply(const struct price *p, uint64_t calls,
                              const uint64_t v[USAGE_N])
{
    struct price_cost cost = { .priced = true };
    bool by_token = false;
    cost.pico = (price_pico)calls * p->pico_call;
    for (unsigned f = 0; f < USAGE_CLASSES; f++) {
        uint64_t left = apply_subsets(p, f, v, &cost);
        by_token |= v[f] > left;
        if (left > 0 && p->has >> f & 1) {
            cost.pico += (price_pico)left * p->pico[f];
            by_token = true;
        } else if (left > 0) {
            cost.unpriced |= (uint32_t)1 << f;
        }
    }
    for (unsigned f = USAGE_CLASSES; f < USAGE_N; f++) {
        if (usage_fields[f].kind != USAGE_KIND_UNIT || v[f] == 0)
            continue;
        if (p->has >> f & 1)
            cost.pico += (price_pico)v[f] * p->pico[f];
        else if (!never_charged(f) && !(by_token && measures_content(f)))
            cost.unpriced |= (uint32_t)1 << f;
    }
    return cost;
}

struct price_cost price_usage(const struct price_book *b, const struct price_query *q,
                              uint64_t calls, const uint64_t v[USAGE_N])
{
    struct price p;
    if (!price_find(b, q, &p))
        return (struct price_cost){ .priced = false };
    return price_apply(&p, calls, v);
}

/* --- money as text ---------------------------------------------------------------- */

static void add_u128(price_pico v, struct buf *out)
{
    static const uint64_t chunk = 1000000000000000000u; /* 18 digits */
    if (v < chunk) {
        buf_addu(out, (uint64_t)v);
        return;
    }
    add_u128(v / chunk, out);
    buf_addf(out, "%018llu", (unsigned long long)(v % chunk));
}

void price_format(price_pico pico, unsigned digits, struct buf *out)
{
    assert(digits <= 12);
    uint64_t unit = 1, scale = 1;
    for (unsigned i = 0; i < 12; i++)
        *(i < digits ? &scale : &unit) *= 10;
    price_pico rounded = pico / unit + (pico % unit >= unit - unit / 2 && unit > 1);
    add_u128(rounded / scale, out);
    char fraction[13] = ".";
    uint64_t rest = (uint64_t)(rounded % scale);
    for (unsigned i = digits; i > 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    if (digits > 0)
        buf_add(out, slice_of(fraction, digits + 1));
}

double price_dollars(price_pico pico)
{
    return (double)pico / 1e12;
}

void price_stated_add(struct price_stated *s, uint64_t calls, const uint64_t v[USAGE_N],
                      const struct price_cost *c)
{
    if (!calls || v[USAGE_cost_calls] != calls || !c->priced || c->unpriced)
        return;
    s->calls += calls;
    s->theirs += v[USAGE_cost_pico];
    s->ours += c->pico;
}

void price_stated_text(const struct price_stated *s, struct buf *out)
{
    if (!s->calls)
        return;
    double theirs = price_dollars(s->theirs), ours = price_dollars(s->ours);
    buf_addc(out, '$');
    price_format(s->theirs, 4, out);
    buf_addf(out, " as stated for %llu call%s, $", (unsigned long long)s->calls,
             s->calls == 1 ? "" : "s");
    price_format(s->ours, 4, out);
    buf_adds(out, " by our prices");
    if (theirs > 0)
        buf_addf(out, " (%+.1f %%)", 100 * (ours - theirs) / theirs);
}

/* --- opening a book --------------------------------------------------------------- */

const struct price_tables *price_book_prices(const struct price_book *b)
{
    return &b->prices;
}

const struct price_tables *price_book_overrides(const struct price_book *b)
{
    return &b->over;
}

void price_book_free(struct price_book *b)
{
    if (!b)
        return;
    arena_release(&b->arena);
    free(b);
}

int64_t price_book_day(const struct price_book *b, int64_t at)
{
    const struct price_tables *both[] = { &b->prices, &b->over };
    int64_t last = at / 86400, newest = 0;

    for (int i = 0; i < 2; i++) {
        if (both[i]->checked <= last && both[i]->checked > newest)
            newest = both[i]->checked;
        for (uint32_t r = 0; r < both[i]->n_rows; r++)
            if (both[i]->row[r].day <= last && both[i]->row[r].day > newest)
                newest = both[i]->row[r].day;
    }
    return newest * 86400;
}

void price_book_span(const struct price_book *b, int64_t at, int64_t *from,
                     int64_t *until)
{
    const struct price_tables *both[] = { &b->prices, &b->over };
    int32_t day = day_of(at);

    *from = INT64_MIN;
    *until = INT64_MAX;
    for (int i = 0; i < 2; i++)
        for (uint32_t r = 0; r < both[i]->n_rows; r++) {
            int64_t start = (int64_t)both[i]->row[r].day * 86400;
            if (both[i]->row[r].day <= day && start > *from)
                *from = start;
            if (both[i]->row[r].day > day && start < *until)
                *until = start;
        }
}

/* A whole file into memory; says why not. */
static enum status read_file(const char *path, struct buf *text, struct buf *why)
{
    FILE *f = fopen(path, "rbe");
    if (!f) {
        buf_addf(why, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? ST_NOT_FOUND : ST_IO;
    }
    enum { PIECE = 1 << 16 };
    size_t n = 0;
    do {
        char *room = buf_room(text, PIECE);
        n = room ? fread(room, 1, PIECE, f) : 0;
        text->n += n;
    } while (n > 0);
    bool failed = ferror(f);
    fclose(f);
    if (failed)
        buf_addf(why, "%s: read error", path);
    else if (text->st)
        buf_addf(why, "%s: longer than %u MiB", path, BOOK_FILE_MAX >> 20);
    return failed ? ST_IO : text->st;
}

static enum status open_tables(struct price_book *b, const char *path,
                               struct price_tables *out, struct buf *why)
{
    struct buf text = { .limit = BOOK_FILE_MAX };
    enum status st = read_file(path, &text, why);
    if (st == ST_OK)
        st = price_tables_parse(buf_slice(&text), path, &b->arena, out, why);
    buf_release(&text);
    return st;
}

enum status price_book_open(const char *path, const char *overrides,
                            struct price_book **out, struct buf *why)
{
    enum status st = ST_OK;
    struct price_book *b = calloc(1, sizeof *b);
    *out = NULL;
    if (!b)
        return ST_NOMEM;
    arena_init(&b->arena, BOOK_ARENA_MAX);
    if (path)
        st = open_tables(b, path, &b->prices, why);
    else
        b->prices = price_builtin;
    if (st == ST_OK && overrides)
        st = open_tables(b, overrides, &b->over, why);
    if (st == ST_OK)
        *out = b;
    else
        price_book_free(b);
    return st;
}
