/*
 * A price book from YAML: libyaml's events, read by one small function per mapping of the
 * format (docs/prices.md). Refuses anchors, aliases, tags, unknown keys, duplicates,
 * dates out of order and rows without prices; the first problem ends it with file:line.
 */
#include "common/price_book.h"

#include <stdarg.h>
#include <stdlib.h>
#include <yaml.h>

#include "common/instant.h"
#include "common/json.h"
#include "common/price_build.h"

const struct price_key price_keys[] = {
    { "input", USAGE_input, 1000000 },
    { "cache_read", USAGE_cache_read, 1000000 },
    { "cache_write", USAGE_cache_write, 1000000 },
    { "cache_write_5m", USAGE_cache_write_5m, 1000000 },
    { "cache_write_1h", USAGE_cache_write_1h, 1000000 },
    { "output", USAGE_output, 1000000 },
    { "reasoning", USAGE_reasoning, 1000000 },
    { "audio_in", USAGE_audio_in, 1000000 },
    { "audio_cached", USAGE_audio_cached, 1000000 },
    { "audio_out", USAGE_audio_out, 1000000 },
    { "image_in", USAGE_image_in, 1000000 },
    { "image_out", USAGE_image_out, 1000000 },
    { "video_in", USAGE_video_in, 1000000 },
    { "characters", USAGE_characters, 1000000 },
    { "calls", PRICE_CALL, 1000 },
    { "web_searches", USAGE_web_searches, 1000 },
    { "web_fetches", USAGE_web_fetches, 1000 },
    { "grounding_queries", USAGE_grounding_queries, 1000 },
    { "search_units", USAGE_search_units, 1000 },
    { "classifications", USAGE_classifications, 1000 },
    { "pages", USAGE_pages, 1000 },
    { "images", USAGE_images, 1 },
    { "audio_minutes", USAGE_audio_ms, 60000 },
    { "video_seconds", USAGE_video_ms, 1000 },
};
const unsigned price_keys_n = sizeof price_keys / sizeof *price_keys;

struct loader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    const char *file;
    struct buf *why;
    struct price_build b;
    enum status st;
};

/* --- events ----------------------------------------------------------------------- */

static enum status fail_at(struct loader *l, size_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum status fail_at(struct loader *l, size_t line, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    if (l->st)
        return l->st;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_addf(l->why, "%s:%zu: %s", l->file, line, text);
    return l->st = ST_CONFIG;
}

static size_t line_of(const struct loader *l)
{
    return l->event.start_mark.line + 1;
}

#define FAIL(l, ...) fail_at(l, line_of(l), __VA_ARGS__)

/* The next event in l->event; its type, or YAML_NO_EVENT after an error. */
static yaml_event_type_t next(struct loader *l)
{
    if (l->has_event)
        yaml_event_delete(&l->event);
    l->has_event = false;
    if (!l->st)
        l->st = l->b.st;
    if (l->st)
        return YAML_NO_EVENT;
    if (!yaml_parser_parse(&l->parser, &l->event)) {
        const char *problem = l->parser.problem ? l->parser.problem : "not YAML";
        fail_at(l, l->parser.problem_mark.line + 1, "%s", problem);
        return YAML_NO_EVENT;
    }
    l->has_event = true;
    yaml_event_type_t type = l->event.type;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (type == YAML_SCALAR_EVENT) {
        anchor = l->event.data.scalar.anchor;
        tag = l->event.data.scalar.tag;
    } else if (type == YAML_MAPPING_START_EVENT) {
        anchor = l->event.data.mapping_start.anchor;
        tag = l->event.data.mapping_start.tag;
    } else if (type == YAML_SEQUENCE_START_EVENT) {
        anchor = l->event.data.sequence_start.anchor;
        tag = l->event.data.sequence_start.tag;
    }
    if (type == YAML_ALIAS_EVENT || anchor || tag) {
        FAIL(l, "anchors, aliases and tags are not allowed");
        return YAML_NO_EVENT;
    }
    return type;
}

static struct slice scalar(const struct loader *l)
{
    return slice_of(l->event.data.scalar.value, l->event.data.scalar.length);
}

/* The next key of the open mapping into `key` (cut to fit); false at its end or after an
 * error. */
static bool next_key(struct loader *l, char key[PRICE_NAME_MAX + 1])
{
    yaml_event_type_t type = next(l);
    if (type == YAML_MAPPING_END_EVENT || type == YAML_NO_EVENT)
        return false;
    if (type != YAML_SCALAR_EVENT) {
        FAIL(l, "a key must be a plain name");
        return false;
    }
    struct slice s = scalar(l);
    if (s.n == 0 || s.n > PRICE_NAME_MAX || memchr(s.p, 0, s.n)) {
        FAIL(l, "a key must have 1 to %d characters", PRICE_NAME_MAX);
        return false;
    }
    memcpy(key, s.p, s.n);
    key[s.n] = '\0';
    return true;
}

/* The next event must be of `type`; `what` says what stands there, for the message. */
static bool expect(struct loader *l, yaml_event_type_t type, const char *what)
{
    yaml_event_type_t got = next(l);
    if (got == type)
        return true;
    if (got != YAML_NO_EVENT)
        FAIL(l, "%s expected", what);
    return false;
}

/* --- building --------------------------------------------------------------------- */

static void name_add(struct loader *l, struct slice name, unsigned provider)
{
    if (l->b.name.n >= PRICE_NONE - 1 || l->b.model.n >= PRICE_NONE - 1) {
        FAIL(l, "more than %d names", PRICE_NONE - 1);
        return;
    }
    if (name.n == 0 || name.n > PRICE_NAME_MAX || memchr(name.p, 0, name.n)) {
        FAIL(l, "a model's name must have 1 to %d characters", PRICE_NAME_MAX);
        return;
    }
    uint32_t at = price_build_text(&l->b, name, true);
    struct price_name *n = price_build_push(&l->b, &l->b.name, sizeof *n);
    if (n)
        *n = (struct price_name){ at, (uint16_t)provider, (uint16_t)(l->b.model.n - 1) };
}

/* --- values ----------------------------------------------------------------------- */

/* The next scalar as a day. */
static bool load_day(struct loader *l, int32_t *day)
{
    if (!expect(l, YAML_SCALAR_EVENT, "a date such as 2026-11-23"))
        return false;
    int64_t ns = 0;
    if (instant_day(scalar(l), &ns))
        *day = (int32_t)(ns / PRICE_DAY_NS);
    else
        FAIL(l, "'%.*s' is no date; expected one such as 2026-11-23",
             SLICE_FMT(slice_head(scalar(l), 40)));
    return l->st == ST_OK;
}

/* The scalar at hand as dollars for `per` units, in pico-dollars a unit. */
static bool dollars(struct loader *l, uint32_t per, uint64_t *pico)
{
    uint64_t v;
    if (!json_decimal(scalar(l), 12, &v) || v / per >= (uint64_t)1 << 56) {
        FAIL(l, "'%.*s' is no price; expected dollars such as 2.50",
             SLICE_FMT(slice_head(scalar(l), 40)));
        return false;
    }
    *pico = v / per + (v % per >= per - per / 2 && per > 1);
    return true;
}

/* The scalar at hand as a factor within (0, 10]. */
static bool factor(struct loader *l, uint32_t *ppm)
{
    uint64_t v;
    if (!json_decimal(scalar(l), 6, &v) || v == 0 || v > 10 * PRICE_PPM) {
        FAIL(l, "'%.*s' is no factor; expected a number such as 0.5, at most 10",
             SLICE_FMT(slice_head(scalar(l), 40)));
        return false;
    }
    *ppm = (uint32_t)v;
    return true;
}

/* The next scalar as a discount in percent, within [0, 100). */
static bool load_discount(struct loader *l, uint32_t *ppm)
{
    uint64_t v;
    if (!expect(l, YAML_SCALAR_EVENT, "a discount in percent"))
        return false;
    if (!json_decimal(scalar(l), 4, &v) || v >= PRICE_PPM) {
        FAIL(l, "'%.*s' is no discount; expected percent from 0 to below 100",
             SLICE_FMT(slice_head(scalar(l), 40)));
        return false;
    }
    *ppm = PRICE_PPM - (uint32_t)v;
    return true;
}

/* --- the mappings of the format --------------------------------------------------- */

/* A row being read: its values are kept apart until its mapping ends. */
struct draft {
    struct price_row row;
    bool dated;
    unsigned n;
    uint64_t seen;
    struct price_value value[PRICE_FIELDS];
};

static void load_row(struct loader *l, struct draft *d);

static void draft_add(struct loader *l, struct draft *d, const struct price_key *key)
{
    uint64_t pico;
    if (!expect(l, YAML_SCALAR_EVENT, "dollars") || !dollars(l, key->per, &pico))
        return;
    if (d->seen >> key->field & 1) {
        FAIL(l, "'%s' stands here twice", key->key);
        return;
    }
    d->seen |= (uint64_t)1 << key->field;
    d->value[d->n].field = key->field & 63;
    d->value[d->n++].pico = pico & (((uint64_t)1 << 58) - 1);
}

/* Append the row unless another of the model has its day, tier and threshold. */
static void draft_keep(struct loader *l, struct draft *d)
{
    const struct price_row *rows = l->b.row.at;
    if (l->b.st)
        return;
    for (uint32_t i = price_build_model(&l->b)->row; i < l->b.row.n; i++)
        if (rows[i].day == d->row.day && rows[i].above == d->row.above &&
            strcmp(l->b.text.p + rows[i].tier, l->b.text.p + d->row.tier) == 0) {
            fail_at(l, d->row.line, "the same day, tier and threshold as in line %u",
                    rows[i].line);
            return;
        }
    d->row.value = l->b.value.n;
    d->row.n_values = d->n;
    for (unsigned i = 0; i < d->n; i++) {
        struct price_value *v = price_build_push(&l->b, &l->b.value, sizeof *v);
        if (v)
            *v = d->value[i];
    }
    struct price_row *row = price_build_push(&l->b, &l->b.row, sizeof *row);
    if (row)
        *row = d->row;
}

/* above: {200000: {input: …}} */
static void load_above(struct loader *l, const struct draft *base)
{
    char key[PRICE_NAME_MAX + 1];
    if (!expect(l, YAML_MAPPING_START_EVENT, "thresholds in tokens, with their prices"))
        return;
    while (next_key(l, key)) {
        struct draft d = { .row = base->row, .dated = true };
        uint64_t above;
        if (!slice_u64(slice_str(key), &above) || above == 0 || above > UINT32_MAX) {
            FAIL(l, "'%s' is no threshold; expected tokens such as 200000", key);
            return;
        }
        d.row.above = (uint32_t)above;
        if (!expect(l, YAML_MAPPING_START_EVENT, "prices"))
            return;
        load_row(l, &d);
    }
}

/* tiers: {batch: 0.5, priority: {input: …}} */
static void load_tiers(struct loader *l, const struct draft *base)
{
    char key[PRICE_NAME_MAX + 1];
    if (!expect(l, YAML_MAPPING_START_EVENT, "service tiers, with a factor or prices"))
        return;
    while (next_key(l, key)) {
        struct draft d = { .row = base->row, .dated = true };
        d.row.tier = price_build_text(&l->b, slice_str(key), true);
        yaml_event_type_t type = next(l);
        if (type == YAML_MAPPING_START_EVENT) {
            load_row(l, &d);
        } else if (type == YAML_SCALAR_EVENT) {
            d.row.line = (uint32_t)line_of(l);
            if (factor(l, &d.row.ppm))
                draft_keep(l, &d);
        } else {
            FAIL(l, "a factor or prices expected");
        }
    }
}

/* One key of a row; `d` has its date unless it is the key `from`. */
static void load_row_key(struct loader *l, struct draft *d, const char *key)
{
    struct slice k = slice_str(key);
    bool standard = d->row.tier == 0 && d->row.above == 0;
    if (slice_eq(k, SLICE("from")) && !d->dated) {
        d->dated = load_day(l, &d->row.day);
        return;
    }
    if (!d->dated) {
        FAIL(l, "a price begins with its date: 'from' before '%s'", key);
        return;
    }
    for (unsigned i = 0; i < price_keys_n; i++)
        if (strcmp(price_keys[i].key, key) == 0) {
            draft_add(l, d, &price_keys[i]);
            return;
        }
    if (slice_eq(k, SLICE("source")) && expect(l, YAML_SCALAR_EVENT, "a note"))
        d->row.source = price_build_text(&l->b, slice_trim(scalar(l)), false);
    else if (slice_eq(k, SLICE("discount")) && standard && !d->row.ppm)
        load_discount(l, &d->row.ppm);
    else if (slice_eq(k, SLICE("above")) && d->row.above == 0)
        load_above(l, d);
    else if (slice_eq(k, SLICE("tiers")) && standard)
        load_tiers(l, d);
    else if (!l->st)
        FAIL(l, "unknown or misplaced key '%s' in a price", key);
}

/* The rest of a row's mapping: prices, and its variants, which become rows themselves. */
static void load_row(struct loader *l, struct draft *d)
{
    char key[PRICE_NAME_MAX + 1];
    uint32_t rows = l->b.row.n;
    d->row.line = (uint32_t)line_of(l);
    while (next_key(l, key))
        load_row_key(l, d, key);
    if (l->st)
        return;
    if (!d->dated)
        fail_at(l, d->row.line, "a price without its date ('from')");
    else if (d->row.ppm && d->n)
        fail_at(l, d->row.line, "either a discount or prices, not both");
    else if (d->n == 0 && d->row.ppm == 0 && l->b.row.n == rows)
        fail_at(l, d->row.line, "a row without a price");
    else
        draft_keep(l, d);
}

static int row_order(const void *a, const void *b)
{
    const struct price_row *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* prices: [{from: …}, …] of the model made last; dates must ascend. */
static void load_prices(struct loader *l)
{
    uint32_t first = l->b.row.n;
    int32_t last = INT32_MIN;
    if (!expect(l, YAML_SEQUENCE_START_EVENT, "a list of dated prices"))
        return;
    if (price_build_model(&l->b)->n_rows) {
        FAIL(l, "'prices' stands here twice");
        return;
    }
    price_build_model(&l->b)->row = first;
    for (yaml_event_type_t t; (t = next(l)) != YAML_SEQUENCE_END_EVENT && !l->st;) {
        struct draft d = { .n = 0 };
        if (t != YAML_MAPPING_START_EVENT) {
            FAIL(l, "a dated price expected, such as {from: 2026-11-23, input: 2.50}");
            return;
        }
        load_row(l, &d);
        if (!l->st && d.row.day <= last)
            fail_at(l, d.row.line, "dates must ascend, each once");
        last = d.row.day;
    }
    price_build_model(&l->b)->n_rows = l->b.row.n - first;
    if (!l->st && l->b.row.n > first)
        qsort((struct price_row *)l->b.row.at + first, l->b.row.n - first,
              sizeof(struct price_row), row_order);
}

/* A list of names, or one name: to fn. */
static void load_names(struct loader *l,
                       void (*fn)(struct loader *, struct slice, unsigned),
                       unsigned provider)
{
    yaml_event_type_t type = next(l);
    if (type == YAML_SCALAR_EVENT) {
        fn(l, scalar(l), provider);
        return;
    }
    if (type != YAML_SEQUENCE_START_EVENT) {
        FAIL(l, "a name or a list of names expected");
        return;
    }
    while ((type = next(l)) == YAML_SCALAR_EVENT && !l->st)
        fn(l, scalar(l), provider);
    if (type != YAML_SEQUENCE_END_EVENT)
        FAIL(l, "a list of names expected");
}

static void load_regions(struct loader *l)
{
    char key[PRICE_NAME_MAX + 1];
    struct price_region r;
    if (!expect(l, YAML_MAPPING_START_EVENT, "regions, each with a factor"))
        return;
    if (price_build_model(&l->b)->n_regions) {
        FAIL(l, "'regions' stands here twice");
        return;
    }
    price_build_model(&l->b)->region = l->b.region.n;
    while (next_key(l, key)) {
        r.name = price_build_text(&l->b, slice_str(key), true);
        if (!expect(l, YAML_SCALAR_EVENT, "a factor") || !factor(l, &r.ppm))
            return;
        struct price_region *at = price_build_push(&l->b, &l->b.region, sizeof *at);
        if (at)
            *at = r;
        price_build_model(&l->b)->n_regions++;
    }
}

static bool model_add(struct loader *l, unsigned provider, const char *name)
{
    struct price_model *m = price_build_push(&l->b, &l->b.model, sizeof *m);
    if (!m)
        return false;
    m->provider = (uint16_t)provider;
    m->line = (uint32_t)line_of(l);
    m->row = l->b.row.n;
    m->name = price_build_text(&l->b, slice_str(name), true);
    name_add(l, slice_str(name), provider);
    return l->st == ST_OK;
}

static void load_model(struct loader *l, unsigned provider, const char *name)
{
    char key[PRICE_NAME_MAX + 1];
    if (!model_add(l, provider, name) ||
        !expect(l, YAML_MAPPING_START_EVENT, "aliases, regions and prices of the model"))
        return;
    while (next_key(l, key)) {
        if (strcmp(key, "aliases") == 0)
            load_names(l, name_add, provider);
        else if (strcmp(key, "regions") == 0)
            load_regions(l);
        else if (strcmp(key, "prices") == 0)
            load_prices(l);
        else
            FAIL(l, "unknown key '%s' of a model; aliases, regions, prices are known",
                 key);
    }
    if (!l->st && price_build_model(&l->b)->n_rows == 0)
        fail_at(l, price_build_model(&l->b)->line, "'%s' has no prices", name);
}

static void same_as_add(struct loader *l, struct slice name, unsigned provider)
{
    unsigned other = price_build_provider(&l->b, name);
    struct price_provider *p = (struct price_provider *)l->b.provider.at + provider;
    for (unsigned i = 0; i < PRICE_SAME_AS_MAX && !l->st; i++)
        if (p->same_as[i] == PRICE_NONE) {
            p->same_as[i] = (uint16_t)other;
            return;
        }
    FAIL(l, "more than %d providers in 'same_as'", PRICE_SAME_AS_MAX);
}

static void load_models(struct loader *l, unsigned provider)
{
    char key[PRICE_NAME_MAX + 1];
    if (!expect(l, YAML_MAPPING_START_EVENT, "models by name"))
        return;
    while (next_key(l, key))
        load_model(l, provider, key);
}

/* openai: {same_as: […], prices: […], models: {…}} */
static void load_provider(struct loader *l, const char *name)
{
    char key[PRICE_NAME_MAX + 1];
    unsigned provider = price_build_provider(&l->b, slice_str(name));
    if (!expect(l, YAML_MAPPING_START_EVENT,
                "same_as, prices and models of the provider"))
        return;
    while (next_key(l, key)) {
        if (strcmp(key, "same_as") == 0) {
            load_names(l, same_as_add, provider);
        } else if (strcmp(key, "models") == 0) {
            load_models(l, provider);
        } else if (strcmp(key, "prices") == 0) {
            if (!model_add(l, provider, "*"))
                return;
            struct price_provider *p = l->b.provider.at;
            p[provider].defaults = (uint16_t)(l->b.model.n - 1);
            load_prices(l);
        } else {
            FAIL(l, "unknown key '%s' of a provider; same_as, prices, models are known",
                 key);
        }
    }
}

static void load_book(struct loader *l)
{
    char key[PRICE_NAME_MAX + 1];
    if (!expect(l, YAML_STREAM_START_EVENT, "YAML") ||
        !expect(l, YAML_DOCUMENT_START_EVENT, "a book") ||
        !expect(l, YAML_MAPPING_START_EVENT, "'providers'"))
        return;
    while (next_key(l, key)) {
        char name[PRICE_NAME_MAX + 1];
        if (strcmp(key, "checked") == 0) {
            load_day(l, &l->b.checked);
            continue;
        }
        if (strcmp(key, "providers") != 0) {
            FAIL(l, "unknown key '%s'; a book has 'checked' and 'providers'", key);
            return;
        }
        if (!expect(l, YAML_MAPPING_START_EVENT, "providers by name"))
            return;
        while (next_key(l, name))
            load_provider(l, name);
    }
    if (expect(l, YAML_DOCUMENT_END_EVENT, "the end of the book"))
        expect(l, YAML_STREAM_END_EVENT, "only one document");
}

enum status price_tables_parse(struct slice text, const char *file, struct arena *a,
                               struct price_tables *out, struct buf *why)
{
    struct loader l = { .file = file, .why = why };
    *out = (struct price_tables){ 0 };
    if (!yaml_parser_initialize(&l.parser))
        return ST_NOMEM;
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.n ? text.p : ""),
                                 text.n);
    load_book(&l);
    if (!l.st)
        l.st = l.b.st;
    if (!l.st)
        l.st = price_build_finish(&l.b, file, a, out, why);
    if (l.st == ST_NOMEM)
        buf_addf(why, "%s: out of memory", file);
    if (l.has_event)
        yaml_event_delete(&l.event);
    yaml_parser_delete(&l.parser);
    price_build_release(&l.b);
    return l.st;
}
