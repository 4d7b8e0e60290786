/*
 * libyaml -> structs, driven by tables {key, type, default, range, help}. Used for
 * agent.yaml, collector.yaml, prices.yaml, gpus.yaml and scenarios. The same tables print
 * the reference (--help-config) and check values given elsewhere.
 *
 * A wrong key, type or range gives "file:line: found X, allowed Y" in `why` and
 * ST_CONFIG. Refuses files over 1 MiB, nesting over 32, lists over 10,000 entries,
 * aliases, anchors, tags, directives, duplicate keys and more than one document (libyaml
 * alone accepts too much). A mapping or list with nothing behind its key is an empty one.
 */
#ifndef BREAKEVEN_YAML_H
#define BREAKEVEN_YAML_H

#include "common/arena.h"
#include "common/buf.h"

enum yaml_type {
    YAML_END_OF_TABLE,
    YAML_STRING,  /* const char *; arena memory */
    YAML_BOOL,    /* bool; true/false/yes/no/on/off */
    YAML_INT,     /* int64_t within [min, max]; digits may be grouped by _ */
    YAML_DECIMAL, /* double within [min, max] */
    YAML_MONEY, /* uint64_t pico-dollars per unit of the key: "2.50" x 10^scale, exact */
    YAML_SIZE,  /* uint64_t bytes; 64KiB, 16MiB, 1GB, plain bytes */
    YAML_DURATION, /* int64_t milliseconds; 500ms, 30s, 5m, 2h, 7d */
    YAML_DATE,     /* int64_t Unix seconds of a UTC day; 2026-11-23 */
    YAML_ENUM,     /* int; one of `names` */
    YAML_STRINGS,  /* struct yaml_strings; a list, or one string for a list of one */
    YAML_STRUCT,   /* a nested mapping, filled by `table` at `offset` */
    YAML_LIST, /* struct yaml_list of mappings, each filled by `table`, `size` bytes */
    YAML_MAP,  /* struct yaml_list of mappings keyed by name; the field of `table` with
                  type YAML_NAME receives the name */
    YAML_NAME, /* const char *; the key of the YAML_MAP entry; not written in the file */
    YAML_LINE, /* int; line where this mapping begins; not written in the file */
};

struct yaml_strings {
    const char **at;
    size_t n;
};

struct yaml_list {
    void *at; /* n structs of the table's size, zeroed then defaulted then filled */
    size_t n;
};

struct yaml_field {
    const char *key;
    enum yaml_type type;
    size_t offset;        /* offsetof in the struct */
    const char *fallback; /* default, as it would be written; NULL: zero / empty; of
                             STRINGS also "[a, b]"; not for STRUCT, LIST, MAP */
    double min, max; /* INT, DECIMAL, SIZE, DURATION (ms), list lengths; both 0: none */
    const char *const *names;       /* ENUM: NULL-terminated */
    const struct yaml_field *table; /* STRUCT, LIST, MAP */
    size_t size;                    /* LIST, MAP: sizeof the element */
    unsigned scale;                 /* MONEY: decimal digits behind the point */
    bool required;                  /* inside a STRUCT: when that mapping is there */
    const char *help;               /* one sentence, for the reference */
};

/*
 * Fill *out (zeroed by the caller) from `text`; strings live in `a`. `file` is for
 * messages. A table ends with a zeroed field.
 */
enum status yaml_parse(struct slice text, const char *file,
                       const struct yaml_field *table, void *out, struct arena *a,
                       struct buf *why);

/* The same from a path; ST_NOT_FOUND and ST_IO explain themselves in `why` too. */
enum status yaml_load(const char *path, const struct yaml_field *table, void *out,
                      struct arena *a, struct buf *why);

/*
 * The reference: every key with help, type, range and default. Every line is a comment;
 * without its first two bytes it is a file that yaml_parse accepts, as far as the
 * required texts are known.
 */
void yaml_reference(const struct yaml_field *table, struct buf *out);

#endif
