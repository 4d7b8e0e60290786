/* Subcommands in a table; each gets the options already parsed. */
#include "collector/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collector/price_import.h"
#include "collector/price_lint.h"
#include "collector/query.h"
#include "common/instant.h"
#include "common/json.h"
#include "common/price_book.h"

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

struct prices {
    const char *book_path, *overrides, *provider, *data_dir, *output, *tier;
    enum format format;
    int64_t day;  /* Unix seconds of --at, or of today */
    int64_t days; /* of `unpriced` and `check` */
    bool dry_run;
    char **args;
    int n_args;
    struct price_book *book;
};

const char cmd_prices_usage[] =
    "usage: breakeven-collector prices COMMAND [options]\n"
    "\n"
    "  list             prices in force, one model a line\n"
    "  show MODEL       how a name is understood, and its prices, tiers and history\n"
    "  check            errors and doubtful places of the book; exit 1 on errors\n"
    "  import FILE      new prices of LiteLLM's model_prices_and_context_window.json,\n"
    "                   models.dev's api.json or genai-prices' data.json, as dated rows\n"
    "                   of a local book (--output)\n"
    "  unpriced         models seen in the store without a price, with their volume\n"
    "\n"
    "  -c FILE          take prices, overrides and data_dir from the configuration\n"
    "  --prices FILE    the book; default: the built-in one\n"
    "  --overrides FILE own prices and discounts, which win\n"
    "  --provider NAME  only this provider\n"
    "  --at DATE        prices of that day, such as 2026-11-23; default: today\n"
    "  --tier NAME      show: in this service tier\n"
    "  --json, --csv    list, unpriced: in this form\n"
    "  --days N         check: also name models without a new price for N days;\n"
    "                   unpriced: of the last N days (30)\n"
    "  --data DIR       unpriced: the collector's data_dir\n"
    "  --output FILE    import: the local book to write (prices.local.yaml)\n"
    "  --dry-run        import: say what would change, write nothing\n";

/* --- list --------------------------------------------------------------------------- */

static void put_dollars(FILE *out, const struct price *p, unsigned field, int width)
{
    struct buf text = { 0 };
    if (p->has >> field & 1)
        price_format((price_pico)p->pico[field] * 1000000, 6, &text);
    while (text.n > 2 && text.p[text.n - 1] == '0' && text.p[text.n - 3] != '.')
        text.n--; /* at least two decimals */
    fprintf(out, "%*s", width, text.n ? buf_cstr(&text) : width ? "-" : "");
    buf_release(&text);
}

static const unsigned list_fields[] = { USAGE_input, USAGE_cache_read,
                                        USAGE_cache_write_5m, USAGE_cache_write_1h,
                                        USAGE_output };
enum { LIST_FIELDS = sizeof list_fields / sizeof *list_fields };

static void list_json(FILE *out, const struct price *p, const char *since)
{
    struct buf text = { 0 }, number = { 0 };
    struct json_out o = { .b = &text };
    json_open(&o, '{');
    json_key(&o, "provider");
    json_str(&o, slice_str(p->provider));
    json_key(&o, "model");
    json_str(&o, slice_str(p->model));
    json_key(&o, "from");
    json_str(&o, slice_str(since));
    for (unsigned i = 0; i < price_keys_n; i++) {
        unsigned f = price_keys[i].field;
        if (f == PRICE_CALL ? p->pico_call == 0 : !(p->has >> f & 1))
            continue;
        buf_reset(&number);
        price_format((price_pico)(f == PRICE_CALL ? p->pico_call : p->pico[f]) *
                         price_keys[i].per,
                     9, &number);
        json_key(&o, price_keys[i].key);
        json_raw(&o, buf_slice(&number));
    }
    json_close(&o, '}');
    fprintf(out, "%s\n", buf_cstr(&text));
    buf_release(&text);
    buf_release(&number);
}

static void list_row(const struct prices *c, const struct price *p)
{
    struct buf since = { 0 };
    instant_format_day(p->effective * 1000000000, &since);
    if (c->format == FORMAT_JSON) {
        list_json(stdout, p, buf_cstr(&since));
    } else if (c->format == FORMAT_CSV) {
        printf("%s,\"%s\",%s", p->provider, p->model, buf_cstr(&since));
        for (unsigned i = 0; i < LIST_FIELDS; i++) {
            putchar(',');
            put_dollars(stdout, p, list_fields[i], 0);
        }
        putchar('\n');
    } else {
        printf("%-14s %-44s %s", p->provider, p->model, buf_cstr(&since));
        for (unsigned i = 0; i < LIST_FIELDS; i++)
            put_dollars(stdout, p, list_fields[i], 10);
        putchar('\n');
    }
    buf_release(&since);
}

static unsigned list_tables(const struct prices *c, const struct price_tables *t)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < t->n_models; i++) {
        const struct price_model *m = &t->model[i];
        struct price_query q = { .provider =
                                     slice_str(t->text + t->provider[m->provider].name),
                                 .model = slice_str(t->text + m->name),
                                 .day = c->day };
        struct price p;
        if (*q.model.p == '*' ||
            (c->provider && !slice_ieq(q.provider, slice_str(c->provider))) ||
            !price_find(c->book, &q, &p))
            continue;
        list_row(c, &p);
        n++;
    }
    return n;
}

static int list(const struct prices *c)
{
    if (c->format == FORMAT_CSV)
        puts("provider,model,from,input,cache_read,cache_write_5m,cache_write_1h,output");
    else if (c->format == FORMAT_TABLE)
        printf("%-14s %-44s %-10s%10s%10s%10s%10s%10s\n", "provider", "model", "from",
               "input", "cached", "write 5m", "write 1h", "output");
    unsigned n = list_tables(c, price_book_overrides(c->book));
    n += list_tables(c, price_book_prices(c->book));
    if (c->format == FORMAT_TABLE)
        printf("%u models; $ per million tokens, \"-\" where the book has none\n", n);
    return 0;
}

/* --- show --------------------------------------------------------------------------- */

static void show_price(const char *title, const struct price *p)
{
    printf("  %s\n", title);
    for (unsigned i = 0; i < price_keys_n; i++) {
        unsigned f = price_keys[i].field;
        struct buf text = { 0 };
        uint64_t pico = f == PRICE_CALL ? p->pico_call : p->pico[f];
        if (f == PRICE_CALL ? pico == 0 : !(p->has >> f & 1))
            continue;
        price_format((price_pico)pico * price_keys[i].per, 6, &text);
        printf("    %-20s %14s $ per %u\n", price_keys[i].key, buf_cstr(&text),
               price_keys[i].per);
        buf_release(&text);
    }
}

/* The standard price, each context tier, each service tier of the rows in force. */
static void show_variants(const struct prices *c, struct price_query q,
                          const struct price_tables *t, const struct price_model *m)
{
    struct price p;
    char title[128];
    for (uint32_t i = 0; i < m->n_rows; i++) {
        const struct price_row *r = &t->row[m->row + i];
        q.tier = slice_str(t->text + r->tier);
        q.context = r->above ? usage_context((uint64_t)r->above + 1) : 0;
        if (!price_find(c->book, &q, &p) || p.effective != (int64_t)r->day * 86400)
            continue;
        snprintf(title, sizeof title,
                 "%s%s%s%.0u%s:", r->tier ? t->text + r->tier : "standard",
                 r->above ? ", input above " : "", "", r->above,
                 r->above ? " tokens" : "");
        show_price(title, &p);
    }
}

/* Tiers and regions that are a factor on the standard price. */
static void show_factors(const struct prices *c, struct price_query q,
                         const struct price_tables *t, const struct price_model *m)
{
    static const char *const tiers[] = { "batch", "flex", "priority", "fast" };
    struct price standard, p;
    if (!price_find(c->book, &q, &standard) || !standard.ppm)
        return;
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++) {
        bool shown = false; /* among the variants */
        q.tier = slice_str(tiers[i]);
        for (uint32_t r = 0; r < m->n_rows; r++)
            shown |= !strcmp(t->text + t->row[m->row + r].tier, tiers[i]);
        if (!shown && price_find(c->book, &q, &p) && p.tier_known &&
            p.ppm != standard.ppm)
            printf("  %s: token prices x %.6g\n", tiers[i],
                   (double)p.ppm / (double)standard.ppm);
    }
    for (uint32_t i = 0; i < m->n_regions; i++) {
        const struct price_region *r = &t->region[m->region + i];
        printf("  region %s: token prices x %.6g\n", t->text + r->name,
               (double)r->ppm / PRICE_PPM);
    }
}

static void show_history(const struct price_tables *t, const struct price_model *m)
{
    for (uint32_t i = 0; i < m->n_rows; i++) {
        const struct price_row *r = &t->row[m->row + i];
        struct buf day = { 0 };
        if (r->tier || r->above)
            continue;
        instant_format_day(r->day * PRICE_DAY_NS, &day);
        printf("  row of %s: line %u of %s%s%s\n", buf_cstr(&day), r->line, t->file,
               r->source ? "; " : "", t->text + r->source);
        buf_release(&day);
    }
}

static bool show_one(const struct prices *c, struct slice provider, const char *name)
{
    struct price_query q = { .provider = provider,
                             .model = slice_str(name),
                             .tier = slice_str(c->tier),
                             .day = c->day };
    struct price p;
    if (!price_find(c->book, &q, &p))
        return false;
    const struct price_tables *t =
        p.own ? price_book_overrides(c->book) : price_book_prices(c->book);
    unsigned at = price_provider_find(t, slice_str(p.provider));
    const struct price_model *m = price_model_find(t, at, slice_str(p.model));
    struct buf since = { 0 };
    instant_format_day(p.effective * 1000000000, &since);
    printf("%.*s %s: %s of %s, since %s (line %u of %s)\n", SLICE_FMT(provider), name,
           p.model, p.provider, buf_cstr(&since), p.line, t->file);
    if (p.ppm != PRICE_PPM)
        printf("  factors of region, tier and discount: x %.6g\n",
               (double)p.ppm / PRICE_PPM);
    if (c->tier) {
        show_price(p.tier_known ? c->tier : "no price for that tier; standard:", &p);
    } else if (m) {
        show_variants(c, q, t, m);
        show_factors(c, q, t, m);
        show_history(t, m);
    }
    buf_release(&since);
    return true;
}

static int show(const struct prices *c)
{
    const struct price_tables *t = price_book_prices(c->book);
    unsigned n = 0;
    if (c->n_args != 1) {
        fputs("prices show: one model is wanted\n", stderr);
        return 2;
    }
    if (c->provider)
        n += show_one(c, slice_str(c->provider), c->args[0]);
    for (uint32_t i = 0; i < t->n_providers && !c->provider; i++)
        n += show_one(c, slice_str(t->text + t->provider[i].name), c->args[0]);
    if (n == 0)
        printf("%s: unpriced\n", c->args[0]);
    return n == 0;
}

/* --- check -------------------------------------------------------------------------- */

struct findings {
    const char *file;
    unsigned warnings;
};

static void print_finding(void *arg, const struct price_finding *f)
{
    struct findings *all = arg;
    all->warnings += !f->error;
    printf("%s:%u: %s: %s%s%s%s%s\n", all->file, f->line, f->error ? "error" : "warning",
           f->provider, *f->provider ? " " : "", f->model, *f->model ? ": " : "",
           f->what);
}

static int check(const struct prices *c)
{
    struct price_lint_options o = { (int32_t)(c->day / 86400), 90, (int32_t)c->days };
    const struct price_tables *books[] = { price_book_prices(c->book),
                                           price_book_overrides(c->book) };
    unsigned errors = 0, models = 0;
    struct findings all = { 0 };
    for (unsigned i = 0; i < 2; i++) {
        all.file = books[i]->file;
        errors += price_lint(books[i], &o, print_finding, &all);
        for (uint32_t k = 0; k < books[i]->n_models; k++)
            models += books[i]->text[books[i]->model[k].name] != '*';
    }
    printf("%u models, %u errors, %u warnings\n", models, errors, all.warnings);
    return errors > 0;
}

/* --- import ------------------------------------------------------------------------- */

static int import(const struct prices *c)
{
    if (c->n_args != 1) {
        fputs("prices import: one file is wanted\n", stderr);
        return 2;
    }
    struct price_import_options o = {
        .file = c->args[0],
        .local = c->output,
        .prices = c->book_path,
        .provider = c->provider,
        .day = (int32_t)(c->day / 86400),
        .dry_run = c->dry_run,
    };
    struct buf why = { 0 };
    struct price_import_result r;
    enum status st = price_import(&o, stdout, &r, &why);
    if (st)
        fprintf(stderr, "prices import: %s\n", buf_cstr(&why));
    else
        printf("%s: %u entries; %u as before, %u changed, %u new, %u kept, %u passed "
               "over%s\n",
               price_list_format_name(r.format), r.entries, r.same, r.changed, r.added,
               r.kept, r.skipped, c->dry_run ? " (nothing written)" : "");
    buf_release(&why);
    return st != ST_OK;
}

/* --- unpriced ----------------------------------------------------------------------- */

static void unpriced_row(const struct prices *c, const struct query_result *all,
                         const struct query_row *r)
{
    struct slice provider = query_dim(all, r, STORE_provider);
    struct slice model = query_dim(all, r, STORE_model);
    struct buf text = { 0 };
    struct json_out o = { .b = &text };
    if (c->format == FORMAT_JSON) {
        json_open(&o, '{');
        json_key(&o, "provider");
        json_str(&o, provider);
        json_key(&o, "model");
        json_str(&o, model);
        json_key(&o, "calls");
        json_u64(&o, r->calls_unpriced);
        json_key(&o, "tokens");
        json_u64(&o, r->tokens_unpriced);
        json_close(&o, '}');
        puts(buf_cstr(&text));
    } else {
        printf(c->format == FORMAT_CSV ? "%.*s,\"%.*s\",%llu,%llu\n"
                                       : "%-16.*s %-44.*s %12llu %16llu\n",
               SLICE_FMT(provider), SLICE_FMT(model),
               (unsigned long long)r->calls_unpriced,
               (unsigned long long)r->tokens_unpriced);
    }
    buf_release(&text);
}

static int unpriced(const struct prices *c)
{
    struct store_options so = { .dir = c->data_dir, .read_only = true };
    struct store_query q = { .from = c->day - (c->days ? c->days : 30) * 86400,
                             .to = c->day + 86400,
                             .grain = STORE_TOTAL,
                             .group =
                                 store_bit(STORE_provider) | store_bit(STORE_model) };
    struct buf why = { 0 };
    struct arena a;
    struct store *s = NULL;
    struct query_result all = { 0 };
    unsigned n = 0;
    if (!c->data_dir) {
        fputs("prices unpriced: --data DIR or -c FILE is wanted\n", stderr);
        return 2;
    }
    arena_init(&a, 256 << 20);
    enum status st = store_sqlite_open(&so, &s, &why);
    if (st == ST_OK)
        st = query_usage(s, c->book, &q, &a, &all);
    for (size_t i = 0; st == ST_OK && i < all.rows; i++)
        if (all.row[i].calls_unpriced) {
            unpriced_row(c, &all, &all.row[i]);
            n++;
        }
    if (st)
        fprintf(stderr, "prices unpriced: %s: %s\n", status_name(st), buf_cstr(&why));
    else if (c->format == FORMAT_TABLE)
        printf("%u models without a price\n", n);
    store_free(s);
    arena_release(&a);
    buf_release(&why);
    return st != ST_OK;
}

/* --- the command -------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(const struct prices *c);
} commands[] = {
    { "list", list },     { "show", show },         { "check", check },
    { "import", import }, { "unpriced", unpriced },
};

/* "--at", "--days" and the flags of the form into c; false: said why on stderr. */
static bool read_values(struct prices *c, const char *at, const char *days)
{
    int64_t ns;
    uint64_t n;
    if (at && !instant_day(slice_str(at), &ns)) {
        fprintf(stderr, "prices: --at: '%s' is no date such as 2026-11-23\n", at);
        return false;
    }
    if (days && (!slice_u64(slice_str(days), &n) || n == 0 || n > 36500)) {
        fprintf(stderr, "prices: --days: '%s' is no number from 1 to 36500\n", days);
        return false;
    }
    c->day = at ? ns / 1000000000 : time(NULL);
    c->days = days ? (int64_t)n : 0;
    return true;
}

static bool parse_options(int argc, char **argv, struct prices *c, const char **config)
{
    const char *at = NULL, *days = NULL;
    bool json = false, csv = false;
    const struct command_option options[] = {
        { "config", config, NULL },
        { "prices", &c->book_path, NULL },
        { "overrides", &c->overrides, NULL },
        { "provider", &c->provider, NULL },
        { "at", &at, NULL },
        { "tier", &c->tier, NULL },
        { "days", &days, NULL },
        { "data", &c->data_dir, NULL },
        { "output", &c->output, NULL },
        { "json", NULL, &json },
        { "csv", NULL, &csv },
        { "dry-run", NULL, &c->dry_run },
    };
    if (!command_options(argc, argv, options, sizeof options / sizeof *options,
                         &c->n_args) ||
        !read_values(c, at, days))
        return false;
    c->args = argv + 1;
    c->format = json ? FORMAT_JSON : csv ? FORMAT_CSV : FORMAT_TABLE;
    return true;
}

/* What the options leave open, from the collector's configuration. */
static void from_config(struct prices *c, const struct config *cf)
{
    if (!c->book_path && *cf->prices)
        c->book_path = cf->prices;
    if (!c->overrides && *cf->price_overrides)
        c->overrides = cf->price_overrides;
    if (!c->data_dir)
        c->data_dir = cf->data_dir;
}

static int run(struct prices *c, const char *name)
{
    struct buf why = { 0 };
    size_t i = 0, n = sizeof commands / sizeof *commands;
    while (i < n && strcmp(name, commands[i].name) != 0)
        i++;
    if (i == n) {
        fprintf(stderr, "prices: unknown command '%s'; --help lists them\n", name);
        return 2;
    }
    enum status st = price_book_open(c->book_path, c->overrides, &c->book, &why);
    if (st)
        fprintf(stderr, "%s\n", why.n ? buf_cstr(&why) : status_name(st));
    int rc = st == ST_OK ? commands[i].run(c) : st == ST_CONFIG ? 2 : 1;
    price_book_free(c->book);
    buf_release(&why);
    return rc;
}

int cmd_prices(int argc, char **argv)
{
    struct prices c = { .output = "prices.local.yaml" };
    const char *config = NULL;
    struct config cf;
    struct arena a;
    if (argc < 2 || *argv[1] == '-') {
        fputs(cmd_prices_usage, stderr);
        return 2;
    }
    if (!parse_options(argc - 1, argv + 1, &c, &config))
        return 2;
    const char *name = argv[1];
    if (!config)
        return run(&c, name);
    if (!command_config(config, &a, &cf))
        return 2;
    from_config(&c, &cf);
    int rc = run(&c, name);
    arena_release(&a);
    return rc;
}
