/*
 * Tables with a line of names on top (RFC 4180), as LiteLLM and others export their
 * spend: a row becomes a flat JSON object of strings for the parsers of records. Fed by
 * logline.
 *
 * Refuses: rows over several lines (a quoted field with a line end in it), rows with more
 * fields than names.
 */
#ifndef BREAKEVEN_LOGCSV_H
#define BREAKEVEN_LOGCSV_H

#include "common/buf.h"

enum { LOGCSV_HEAD = 1024 /* longest line of names */ };

/* Is it the first line of an export that can be told by its names: LiteLLM's spend log?
 */
bool logcsv_detect(struct slice line);

/*
 * The fields of `row` under the names of `head` as one JSON object in `out` (cleared);
 * empty fields are left out. NULL, or why the row cannot be read.
 */
const char *logcsv_row(struct slice head, struct slice row, struct buf *out);

#endif
