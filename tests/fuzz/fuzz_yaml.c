/* Configuration files against a table with every type: a struct, or words for a refusal.
 */
#include "common/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    const char *name;
    int line;
    int64_t n;
    struct yaml_strings words;
};

struct all {
    const char *text;
    bool on;
    int64_t n, every, day;
    double share;
    uint64_t price, size;
    int mode;
    struct yaml_strings words;
    struct item item;
    struct yaml_list list, map;
};

#define ITEM(field) offsetof(struct item, field)
#define ALL(field)  offsetof(struct all, field)

static const char *const modes[] = { "a", "b", NULL };

static const struct yaml_field item_table[] = {
    { .type = YAML_NAME, .offset = ITEM(name) },
    { .type = YAML_LINE, .offset = ITEM(line) },
    { .key = "n", .type = YAML_INT, .offset = ITEM(n), .min = -9, .max = 9 },
    { .key = "words", .type = YAML_STRINGS, .offset = ITEM(words) },
    { 0 },
};

static const struct yaml_field table[] = {
    { .key = "text", .type = YAML_STRING, .offset = ALL(text), .fallback = "x" },
    { .key = "on", .type = YAML_BOOL, .offset = ALL(on) },
    { .key = "n", .type = YAML_INT, .offset = ALL(n) },
    { .key = "every", .type = YAML_DURATION, .offset = ALL(every) },
    { .key = "day", .type = YAML_DATE, .offset = ALL(day) },
    { .key = "share", .type = YAML_DECIMAL, .offset = ALL(share) },
    { .key = "price", .type = YAML_MONEY, .offset = ALL(price), .scale = 6 },
    { .key = "size", .type = YAML_SIZE, .offset = ALL(size) },
    { .key = "mode", .type = YAML_ENUM, .offset = ALL(mode), .names = modes },
    { .key = "words", .type = YAML_STRINGS, .offset = ALL(words), .fallback = "[a, b]" },
    { .key = "item", .type = YAML_STRUCT, .offset = ALL(item), .table = item_table },
    { .key = "list",
      .type = YAML_LIST,
      .offset = ALL(list),
      .table = item_table,
      .size = sizeof(struct item) },
    { .key = "map",
      .type = YAML_MAP,
      .offset = ALL(map),
      .table = item_table,
      .size = sizeof(struct item) },
    { 0 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct all all = { 0 };
    struct arena a;
    struct buf why = { 0 };
    arena_init(&a, 1 << 18);
    enum status st = yaml_parse(slice_of(data, size), "f", table, &all, &a, &why);
    assert((st == ST_OK) == (why.n == 0));
    assert(st == ST_OK || st == ST_CONFIG || st == ST_NOMEM);
    const struct item *map = all.map.at;
    for (size_t i = 0; i < all.map.n; i++)
        assert(map[i].name && map[i].line > 0 && map[i].n >= -9 && map[i].n <= 9);
    arena_release(&a);
    buf_release(&why);
    return 0;
}
