/*
 * One value of a small whole document by its JSON Pointer (RFC 6901). For documents of
 * our own making (stored projections, answers of the collector), not for bodies: each
 * look-up reads the document from its start.
 */
#ifndef BREAKEVEN_JSON_POINTER_H
#define BREAKEVEN_JSON_POINTER_H

#include "common/json.h"

/*
 * The type of the value at `pointer` ("/crossing/p6", "/alerts/0/name"; "" is the whole),
 * JSON_END when there is none, JSON_BAD when the document is malformed before it. *text,
 * for STRING and NUMBER, is copied into `hold` (at most its size; longer: JSON_BAD). The
 * escapes ~0 and ~1 are understood; keys longer than JSON_HOLD are not found.
 */
enum json_type json_pointer(struct slice doc, const char *pointer, char *hold,
                            size_t hold_size, struct slice *text);

/* A number as a double; `fallback` when it is missing or no number. For display only. */
double json_pointer_double(struct slice doc, const char *pointer, double fallback);

#endif
