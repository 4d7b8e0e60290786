/*
 * A batch as it arrives -> checked rows. Fed by server with decompressed pieces, cut
 * anywhere; the result goes to writer. Pure. The wire is docs/architecture.md, "Wire".
 *
 * Refuses: half a batch. The first malformed line spoils all of it, and is named. Unknown
 * fields of newer agents are kept out and counted.
 */
#ifndef BREAKEVEN_INGEST_H
#define BREAKEVEN_INGEST_H

#include "collector/store.h"
#include "common/arena.h"

enum { INGEST_SCHEMA = 1, INGEST_LINE_MAX = 65536, INGEST_BINS_MAX = 1 << 20 };

/* Open for the sake of the stack; read agent, row, rows, unknown, line after finish. */
struct ingest {
    struct store_agent_report agent; /* memory of the arena */
    struct rollup_row *row;
    size_t rows, cap, rows_max;
    uint64_t unknown; /* fields this version does not know */
    uint64_t line;    /* number of the line being read, from 1 */

    struct arena arena; /* lines and names */
    struct buf partial; /* start of a line whose end has not come yet */
    size_t bins;        /* of all sketches */
    bool have_header, have_rows;
    uint64_t rows_declared;
    enum status st;
    struct buf why;
};

/* At most rows_max rows and `bytes` of text. */
void ingest_init(struct ingest *in, uint64_t bytes, size_t rows_max);

/* ST_BAD: malformed; ST_LIMIT: too much. Sticky. ingest_why and in->line say more. */
enum status ingest_feed(struct ingest *in, struct slice piece);

/* The last line ends, and the batch is whole: a header stands, rows are as declared. */
enum status ingest_finish(struct ingest *in);

const char *ingest_why(struct ingest *in);
void ingest_release(struct ingest *in);

#endif
