/*
 * Build tool: config/prices.yaml -> the constants of price_builtin, on stdout. A mistake
 * in the book fails the build with its line.
 *
 *   price_compile prices.yaml > price_builtin.c
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/price_book.h"

static void print_text(const struct price_tables *t)
{
    printf("static const char text[] = {");
    for (uint32_t i = 0; i < t->n_text; i++)
        printf("%s%d,", i % 24 ? "" : "\n", t->text[i]);
    puts("\n};");
}

static void print_models(const struct price_tables *t)
{
    puts("static const struct price_provider provider[] = {");
    for (uint32_t i = 0; i < t->n_providers; i++) {
        const struct price_provider *p = &t->provider[i];
        printf("{%" PRIu32 ",%d,{", p->name, p->defaults);
        for (unsigned k = 0; k < PRICE_SAME_AS_MAX; k++)
            printf("%d,", p->same_as[k]);
        puts("}},");
    }
    puts("};\nstatic const struct price_model model[] = {");
    for (uint32_t i = 0; i < t->n_models; i++) {
        const struct price_model *m = &t->model[i];
        printf("{%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32
               ",%d},\n",
               m->name, m->row, m->n_rows, m->region, m->n_regions, m->line, m->provider);
    }
    puts("};\nstatic const struct price_region region[] = {");
    for (uint32_t i = 0; i < t->n_regions; i++)
        printf("{%" PRIu32 ",%" PRIu32 "},\n", t->region[i].name, t->region[i].ppm);
    puts("{0,0}};"); /* never empty */
}

static void print_rows(const struct price_tables *t)
{
    puts("static const struct price_row row[] = {");
    for (uint32_t i = 0; i < t->n_rows; i++) {
        const struct price_row *r = &t->row[i];
        printf("{%" PRId32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32
               ",%" PRIu32 ",%" PRIu32 "},\n",
               r->day, r->above, r->tier, r->ppm, r->value, r->n_values, r->source,
               r->line);
    }
    puts("};\nstatic const struct price_value value[] = {");
    for (uint32_t i = 0; i < t->n_values; i++)
        printf("{%d,%" PRIu64 "},\n", (int)t->value[i].field, (uint64_t)t->value[i].pico);
    puts("};");
}

static void print_names(const struct price_tables *t)
{
    puts("static const struct price_name name[] = {");
    for (uint32_t i = 0; i < t->n_names; i++)
        printf("{%" PRIu32 ",%d,%d},\n", t->name[i].name, t->name[i].provider,
               t->name[i].model);
    puts("};\nstatic const uint16_t slot[] = {");
    for (uint32_t i = 0; i < t->n_slots; i++)
        printf("%d,%s", t->slot[i], i % 16 == 15 ? "\n" : "");
    puts("};");
}

static void print_tables(const struct price_tables *t)
{
    puts("/* Made by price_compile from config/prices.yaml. */\n"
         "#include \"common/price_book.h\"\n");
    print_text(t);
    print_models(t);
    print_rows(t);
    print_names(t);
    printf(
        "const struct price_tables price_builtin = {\n"
        "\"config/prices.yaml\", text, provider, model, row, value, region, name, slot,\n"
        "%" PRId32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32
        ",%" PRIu32 ",%" PRIu32 "};\n",
        t->checked, t->n_text, t->n_providers, t->n_models, t->n_rows, t->n_values,
        t->n_regions, t->n_names, t->n_slots);
}

int main(int argc, char **argv)
{
    enum { MAX = 8 << 20 };
    struct arena a;
    struct price_tables t;
    struct buf text = { .limit = MAX }, why = { 0 };
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) {
        fputs("usage: price_compile prices.yaml > price_builtin.c\n", stderr);
        return 2;
    }
    for (size_t n = 1; n > 0 && !text.st;) {
        char *room = buf_room(&text, 1 << 16);
        n = room ? fread(room, 1, 1 << 16, f) : 0;
        text.n += n;
    }
    fclose(f);
    arena_init(&a, 64 << 20);
    enum status st = price_tables_parse(buf_slice(&text), argv[1], &a, &t, &why);
    if (st == ST_OK)
        print_tables(&t);
    else
        fprintf(stderr, "%s\n", buf_cstr(&why));
    arena_release(&a);
    buf_release(&text);
    buf_release(&why);
    return st == ST_OK && fflush(stdout) == 0 ? 0 : 1;
}
