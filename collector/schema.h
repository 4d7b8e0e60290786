/* schema.sql, embedded (schema.S). */
#ifndef BREAKEVEN_SCHEMA_H
#define BREAKEVEN_SCHEMA_H

#include <stddef.h>

enum { SCHEMA_VERSION = 1 };

extern const char schema_sql[];
extern const size_t schema_sql_size;

#endif
