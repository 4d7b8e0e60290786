/*
 * Usage rows as flat JSON or CSV: one shape for the API, `export` and whoever reads them
 * (docs/collector.md lists the columns). Pure.
 *
 * Refuses: cells that a spreadsheet would run as a formula.
 */
#ifndef BREAKEVEN_EXPORT_H
#define BREAKEVEN_EXPORT_H

#include "collector/query.h"
#include "common/json.h"

enum export_format { EXPORT_JSON, EXPORT_CSV };

/* "json", "csv". */
bool export_format_parse(struct slice name, enum export_format *out);
const char *export_content_type(enum export_format f);

/*
 * An array of flat objects, or lines with a header. Columns: time (unless the grain is
 * STORE_TOTAL), the grouped dimensions, calls, the token classes, every other usage field
 * that is above zero somewhere, tokens, calls by quality and outcome, peaks, cost_usd
 * (null or empty when nothing of it has a price), priced, and what lacks a price.
 */
void export_usage(const struct query_result *r, enum store_grain grain,
                  enum export_format f, struct buf *out);

/*
 * The same row by row, of dimensions `group`, when only `fields` are shown beyond the
 * classes. What stands between open and close is private.
 */
struct export
{
    struct buf *out;
    struct json_out json;
    enum store_grain grain;
    uint32_t group, fields;
    struct buf scratch; /* of a value, before it is quoted */
    char time[24];      /* of `at`, which many rows share */
    int64_t at;
    bool csv, head, first;
};

void export_open(struct export *e, uint32_t group, enum store_grain grain,
                 enum export_format f, uint32_t fields, struct buf *out);
void export_row(struct export *e, const struct query_row *r);
void export_close(struct export *e);

#endif
