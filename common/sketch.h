/*
 * Mergeable histogram of durations with logarithmic buckets (DDSketch; Masson, Rim, Lee,
 * VLDB 2019): any quantile within 2 % (or 1 us) of the true value, from 1 us to about 3
 * hours; smaller and larger values land in the outermost buckets. Filled by rollup,
 * shipped in its rows, merged and read by the collector.
 */
#ifndef BREAKEVEN_SKETCH_H
#define BREAKEVEN_SKETCH_H

#include "common/buf.h"

enum { SKETCH_BUCKETS = 580 };

struct sketch_bin {
    uint16_t bucket;
    uint64_t n;
};

/*
 * Sparse: bins sorted by bucket, none empty, adding up to `count`. Counters stop at
 * UINT64_MAX. A zeroed struct is an empty sketch.
 */
struct sketch {
    struct sketch_bin *bin;
    uint16_t bins, cap;
    uint64_t count, sum_us;
};

/* Both: ST_OK, or ST_NOMEM and nothing has changed. */
enum status sketch_add(struct sketch *s, uint64_t us, uint64_t times);
enum status sketch_merge(struct sketch *into, const struct sketch *from);

/* The q quantile (0..1) in microseconds; 0 for an empty sketch. */
uint64_t sketch_quantile(const struct sketch *s, double q);

/* "sum_us;bucket:n,bucket+step:n,…" (steps, decimal); nothing for an empty sketch. */
void sketch_encode(const struct sketch *s, struct buf *out);
/*
 * Replaces *s. ST_BAD outside that grammar, on a count above UINT64_MAX or a bucket from
 * SKETCH_BUCKETS on; *s is empty then.
 */
enum status sketch_decode(struct sketch *s, struct slice text);

void sketch_clear(struct sketch *s); /* empty; memory kept */
void sketch_release(struct sketch *s);

#endif
