/*
 * Usage rows as flat JSON or CSV: one shape for the API, `export` and whoever reads them
 * (docs/collector.md lists the columns). Pure.
 *
 * Refuses: cells that a spreadsheet would run as a formula.
 */
#ifndef BREAKEVEN_EXPORT_H
#define BREAKEVEN_EXPORT_H

#include "collector/query.h"

enum export_format { EXPORT_JSON, EXPORT_CSV };

/* "json", "csv". */
bool export_format_parse(struct slice name, enum export_format *out);
const char *export_content_type(enum export_format f);

/*
 * An array of flat objects, or lines with a header. Columns: time (unless the grain is
 * STORE_TOTAL), the grouped dimensions, calls, the token classes, every other usage field
 * that is above zero somewhere, tokens, calls by quality and outcome, peaks, cost_usd
 * (null or empty when nothing of it has a price), priced, and what lacks a price.
 * `fields`: usage fields (bits) to show even where they are zero, so that pages of one
 * query have the same columns.
 */
void export_usage(const struct query_result *r, enum store_grain grain,
                  enum export_format f, uint32_t fields, struct buf *out);

#endif
