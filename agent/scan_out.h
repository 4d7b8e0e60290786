/*
 * What `scan` prints: table, JSON, CSV, and one JSON line per judged record. Pure: text
 * goes into a buf. Refuses: $0 for a model without a price; control bytes and formulas
 * of foreign names reaching a terminal or a spreadsheet.
 */
#ifndef BREAKEVEN_SCAN_OUT_H
#define BREAKEVEN_SCAN_OUT_H

#include "agent/dedup.h"
#include "agent/lines.h"
#include "agent/logline.h"
#include "agent/tally.h"

struct http_origin;
struct scan_capture;

/* What happened beside the totals. */
struct scan_report {
    uint64_t files, bytes; /* read; bytes are decompressed ones */
    uint64_t not_text, unreadable;
    struct lines_stats lines;
    struct logline_stats log;
    uint64_t
        accountings[ACCOUNTING_ERROR + 1]; /* records by accounting, repeats left out */
    uint64_t again, grown, forgotten;
    uint64_t window_bytes;              /* memory of the table of recent calls */
    uint64_t outside;                   /* records before --from or after --to */
    uint64_t lost;                      /* out of memory */
    const struct scan_capture *capture; /* NULL: no capture was read */
};

/* A file that gave nothing, or not all; kept for the end of the report. */
struct scan_problem {
    const char *path, *why;
};

/* One judged record for scan_out_call. */
struct scan_call {
    const struct usage *u;
    enum dedup_verdict verdict;
    const struct price_cost *cost;    /* NULL: no usage, so no cost */
    const struct http_origin *origin; /* NULL: from a log, at `line` */
    struct slice file;
    uint64_t line;
};

/* The fields of docs/formats.md, "scan --calls"; '\n' included. */
void scan_out_call(const struct scan_call *c, struct buf *out);

void scan_out_table(struct tally *t, const struct scan_report *r,
                    const struct scan_problem *problems, size_t n, struct buf *out);
void scan_out_json(struct tally *t, const struct scan_report *r,
                   const struct scan_problem *problems, size_t n, struct buf *out);
/* Rows only; the report goes to stderr. */
void scan_out_csv(struct tally *t, struct buf *out);
/* The part of the table below the rows. */
void scan_out_notes(struct tally *t, const struct scan_report *r,
                    const struct scan_problem *problems, size_t n, struct buf *out);

#endif
