/*
 * One value of a configuration file: text -> the type that its table row asks for, and
 * the words for what is allowed there. Used by yaml.c alone, which feeds it scalars.
 */
#ifndef BREAKEVEN_YAML_VALUE_H
#define BREAKEVEN_YAML_VALUE_H

#include "common/yaml.h"

/* Where the field of a struct at `out` stands. */
static inline void *yaml_at(const struct yaml_field *f, void *out)
{
    return (char *)out + f->offset;
}

/* Set the scalar field `f` of *out. ST_BAD: outside of what yaml_allowed says. */
enum status yaml_value_set(const struct yaml_field *f, struct slice text, void *out,
                           struct arena *a);

/* The default of one field, written in the table: sets nothing without one. */
enum status yaml_value_default(const struct yaml_field *f, void *out, struct arena *a);

/* "a whole number from 1 to 65535" */
void yaml_allowed(const struct yaml_field *f, struct buf *out);

/* Is n outside the lengths of a list, map or list of texts? */
bool yaml_length_bad(const struct yaml_field *f, size_t n);

#endif
