/* Compare, collect, write, read back, replace. */
#include "collector/price_import.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/price_write.h"
#include "common/instant.h"

enum { ARENA_MAX = 512 << 20, TEXT_MAX = 8 << 20 };

struct import {
    const struct price_import_options *o;
    const struct price_book *book; /* the local book over the other */
    FILE *in, *log;
    struct price_import_result *result;
    struct arena arena;
    struct price_addition *add; /* grows */
    size_t n, cap;
    char source[96];
    enum status st;
};

/* --- what is new -------------------------------------------------------------------- */

/* Our price where the list has its variant v; false: none. */
static bool ours(const struct import *im, const struct price_fact *f,
                 const struct price_variant *v, struct price *p)
{
    struct price_query q = { .provider = slice_str(f->provider),
                             .model = slice_str(f->model),
                             .tier = slice_str(v->tier),
                             .day = (int64_t)f->day * 86400,
                             .context =
                                 v->above ? usage_context((uint64_t)v->above + 1) : 0 };
    return price_find(im->book, &q, p) && p->tier_known;
}

static bool same_variant(const struct import *im, const struct price_fact *f,
                         const struct price_variant *v)
{
    struct price p;
    if (!ours(im, f, v, &p))
        return false;
    for (unsigned k = 0; k < PRICE_FIELDS; k++) {
        if (!(v->has >> k & 1))
            continue;
        uint64_t mine = k == PRICE_CALL ? p.pico_call : p.pico[k];
        if (mine != v->pico[k] || (k < USAGE_N && !(p.has >> k & 1) && v->pico[k]))
            return false;
    }
    return true;
}

static bool same(const struct import *im, const struct price_fact *f)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!same_variant(im, f, &f->v[i]))
            return false;
    return true;
}

static void log_field(FILE *log, const char *key, uint32_t per, const struct price *was,
                      unsigned field, uint64_t now)
{
    struct buf text = { 0 };
    uint64_t before = field == PRICE_CALL ? was->pico_call : was->pico[field];
    if (field == PRICE_CALL ? before == now : (was->has >> field & 1) && before == now)
        return;
    buf_addf(&text, " %s ", key);
    if (field == PRICE_CALL || was->has >> field & 1)
        price_format((price_pico)before * per, 4, &text);
    else
        buf_addc(&text, '-');
    buf_adds(&text, " -> ");
    price_format((price_pico)now * per, 4, &text);
    fputs(buf_cstr(&text), log);
    buf_release(&text);
}

/* "changed openai gpt-x from 2026-11-23: input 2.5000 -> 2.0000" */
static void log_change(const struct import *im, const struct price_fact *f,
                       const char *what, const struct price *was)
{
    struct buf day = { 0 };
    instant_format_day(f->day * PRICE_DAY_NS, &day);
    fprintf(im->log, "%s %s %s from %s:", what, f->provider, f->model, buf_cstr(&day));
    for (unsigned i = 0; i < price_keys_n; i++)
        if (f->v[0].has >> price_keys[i].field & 1)
            log_field(im->log, price_keys[i].key, price_keys[i].per, was,
                      price_keys[i].field, f->v[0].pico[price_keys[i].field]);
    if (f->n > 1)
        fprintf(im->log, "; %u context or service tiers", f->n - 1);
    fputc('\n', im->log);
    buf_release(&day);
}

/* Does the local book have a row of this name of that day or later? */
static bool too_late(const struct import *im, const struct price_fact *f)
{
    const struct price_tables *t = price_book_overrides(im->book);
    unsigned provider = price_provider_find(t, slice_str(f->provider));
    const struct price_model *m = price_model_find(t, provider, slice_str(f->model));
    return m && m->n_rows && t->row[m->row + m->n_rows - 1].day >= f->day;
}

/*
 * What the list has no key for stays as it was, for the new row replaces the whole price:
 * subsets, units, and a price of one-hour cache writes that is not a mere fallback.
 */
static void carry_over(struct price_fact *f, const struct price *was)
{
    for (unsigned k = 0; k < USAGE_N; k++) {
        bool own = usage_fields[k].kind != USAGE_KIND_CLASS ||
                   (k == USAGE_cache_write_1h &&
                    was->pico[k] != was->pico[USAGE_cache_write_5m]);
        if (own && was->has >> k & 1 && !(f->v[0].has >> k & 1)) {
            f->v[0].pico[k] = was->pico[k];
            f->v[0].has |= (uint64_t)1 << k;
        }
    }
}

/*
 * A context or service tier that a list names in part has the rest from our price of that
 * tier; else, as LiteLLM does it, from the standard price.
 */
static void fill_tiers(const struct import *im, struct price_fact *f)
{
    for (unsigned i = 1; i < f->n; i++) {
        struct price_variant *v = &f->v[i];
        struct price p;
        bool known = !v->ppm && ours(im, f, v, &p) && p.above == v->above;
        for (unsigned k = 0; !v->ppm && k < USAGE_CLASSES; k++) {
            if (v->has >> k & 1 || !(f->v[0].has >> k & 1))
                continue;
            v->pico[k] = known && p.has >> k & 1 ? p.pico[k] : f->v[0].pico[k];
            v->has |= (uint64_t)1 << k;
        }
    }
}

static void add(struct import *im, const struct price_fact *f, const struct price *was)
{
    struct price_fact *kept = arena_alloc(&im->arena, sizeof *kept);
    if (im->n == im->cap) {
        size_t cap = im->cap ? im->cap * 2 : 256;
        struct price_addition *at = realloc(im->add, cap * sizeof *at);
        if (!at)
            kept = NULL;
        else
            im->add = at;
        im->cap = at ? cap : im->cap;
    }
    if (!kept) {
        im->st = ST_NOMEM;
        return;
    }
    *kept = *f;
    if (was)
        carry_over(kept, was);
    fill_tiers(im, kept);
    im->add[im->n++] = (struct price_addition){ kept, im->source };
}

/*
 * Thresholds at which a bucket of context begins: 271,999 ("272,000 and more") becomes
 * 272,000, any other the next above. One beyond the last bucket cannot be told apart.
 */
static void snap_thresholds(struct price_fact *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->n; i++) {
        unsigned b = 0;
        while (b < USAGE_CONTEXTS && usage_context_from[b] < f->v[i].above)
            b++;
        if (b == USAGE_CONTEXTS)
            continue;
        f->v[n] = f->v[i];
        f->v[n++].above = (uint32_t)usage_context_from[b];
    }
    f->n = n;
}

static void consider(struct import *im, const struct price_fact *f)
{
    struct price was = { 0 };
    bool known = ours(im, f, &f->v[0], &was);
    if (known && same(im, f)) {
        im->result->same++;
    } else if (too_late(im, f)) {
        im->result->kept++;
        log_change(im, f, "kept out", &was);
    } else {
        *(known ? &im->result->changed : &im->result->added) += 1;
        log_change(im, f, known ? "changed" : "new", &was);
        add(im, f, known ? &was : NULL);
    }
}

/* The price in force on the day of the import, and those to come. */
static void on_facts(void *arg, const struct price_fact *facts, unsigned n)
{
    struct import *im = arg;
    unsigned first = 0;
    if (im->st || (im->o->provider &&
                   !slice_ieq(slice_str(im->o->provider), slice_str(facts->provider))))
        return;
    for (unsigned i = 0; i < n; i++)
        if (!facts[i].dated || facts[i].day <= im->o->day)
            first = i;
    for (unsigned i = first; i < n; i++) {
        struct price_fact f = facts[i];
        if (!f.dated)
            f.day = im->o->day;
        f.dated = true;
        snap_thresholds(&f);
        consider(im, &f);
    }
}

static int addition_order(const void *a, const void *b)
{
    const struct price_fact *x = ((const struct price_addition *)a)->fact;
    const struct price_fact *y = ((const struct price_addition *)b)->fact;
    int by = strcmp(x->provider, y->provider);
    if (!by)
        by = strcmp(x->model, y->model);
    return by ? by : x->day < y->day ? -1 : x->day > y->day;
}

/* Two entries of a list may mean one model: the first of a day stays. */
static void drop_doubles(struct import *im)
{
    size_t n = 0;
    qsort(im->add, im->n, sizeof *im->add, addition_order);
    for (size_t i = 0; i < im->n; i++)
        if (n == 0 || addition_order(&im->add[n - 1], &im->add[i]) != 0)
            im->add[n++] = im->add[i];
    im->n = n;
}

/* --- files -------------------------------------------------------------------------- */

static size_t read_piece(void *arg, char *buf, size_t size)
{
    return fread(buf, 1, size, ((struct import *)arg)->in);
}

/* Write beside the file, make it durable, then take its place. */
static enum status replace(const char *path, struct slice text, struct buf *why)
{
    struct buf temporary = { 0 };
    buf_addf(&temporary, "%s.new", path);
    FILE *f = fopen(buf_cstr(&temporary), "wbe");
    bool done = f && fwrite(text.p, 1, text.n, f) == text.n && fflush(f) == 0 &&
                fsync(fileno(f)) == 0;
    if (f && fclose(f) != 0)
        done = false;
    if (done && rename(buf_cstr(&temporary), path) != 0)
        done = false;
    if (!done) {
        buf_addf(why, "%s: %s", path, strerror(errno));
        unlink(buf_cstr(&temporary));
    }
    buf_release(&temporary);
    return done ? ST_OK : ST_IO;
}

static enum status write_local(struct import *im, struct buf *why)
{
    struct buf text = { .limit = TEXT_MAX };
    struct price_tables t;
    struct arena a;
    arena_init(&a, ARENA_MAX);
    drop_doubles(im);
    price_write(price_book_overrides(im->book), im->add, im->n, &text);
    enum status st = text.st;
    if (st == ST_OK)
        st = price_tables_parse(buf_slice(&text), im->o->local, &a, &t, why);
    if (st == ST_OK && !im->o->dry_run)
        st = replace(im->o->local, buf_slice(&text), why);
    arena_release(&a);
    buf_release(&text);
    return st;
}

/* "LiteLLM, imported 2026-11-23": told once the format is. */
static void name_source(struct import *im)
{
    struct buf text = { 0 };
    buf_addf(&text, "%s, imported ", price_list_format_name(im->result->format));
    instant_format_day(im->o->day * PRICE_DAY_NS, &text);
    snprintf(im->source, sizeof im->source, "%s", buf_cstr(&text));
    buf_release(&text);
}

enum status price_import(const struct price_import_options *o, FILE *log,
                         struct price_import_result *out, struct buf *why)
{
    struct import im = { .o = o, .log = log, .result = out };
    struct price_list_source source = { read_piece, on_facts, &im };
    struct price_list_stats stats = { PRICE_LIST_UNKNOWN, 0, 0 };
    struct price_book *book = NULL;
    memset(out, 0, sizeof *out);
    arena_init(&im.arena, ARENA_MAX);
    enum status st = price_book_open(
        o->prices, access(o->local, F_OK) == 0 ? o->local : NULL, &book, why);
    im.book = book;
    im.in = st ? NULL : fopen(o->file, "rbe");
    if (!st && !im.in) {
        buf_addf(why, "%s: %s", o->file, strerror(errno));
        st = errno == ENOENT ? ST_NOT_FOUND : ST_IO;
    }
    if (!st)
        st = price_list_read(&source, &stats, why);
    if (!st)
        st = im.st;
    out->format = stats.format;
    out->entries = stats.entries;
    out->skipped = stats.skipped;
    name_source(&im);
    if (!st && im.n > 0)
        st = write_local(&im, why);
    if (im.in)
        fclose(im.in);
    free(im.add);
    arena_release(&im.arena);
    price_book_free(book);
    return st;
}
