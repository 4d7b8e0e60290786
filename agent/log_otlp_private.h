/*
 * The walk over one OTLP line: log_otlp.c reads spans and events, log_otlp_metrics.c the
 * sums of metrics. Not an interface; include logparse.h.
 */
#ifndef BREAKEVEN_LOG_OTLP_PRIVATE_H
#define BREAKEVEN_LOG_OTLP_PRIVATE_H

#include "agent/logparse.h"

enum {
    OTLP_POINTS = 64, /* of a metric in one export; more are dropped and counted */
    OTLP_GROUPS = 32, /* attribute sets of an export */
    OTLP_NAME = 96,
};

struct otlp_name {
    char p[OTLP_NAME];
    size_t n;
};

struct otlp_point {
    uint64_t hash; /* of the attributes but the token type */
    int type;      /* enum logcall_num; -1: none of ours */
    uint64_t sum, count;
    int64_t start_ns, time_ns;
    struct otlp_name provider, model;
};

/* What the points of one attribute set say together. */
struct otlp_group {
    uint64_t hash, calls;
    uint64_t n[CALL_NUMS];
    uint32_t have;
    bool exclusive;
    int64_t time_ns;
    struct otlp_name provider, model;
};

struct otlp {
    struct logparse *p;
    struct log_otlp *state;
    struct otlp_name key, service, metric;
    uint64_t resource;
    unsigned temporality; /* 1 delta, 2 cumulative */
    size_t point_n, group_n;
    int given;
    bool event; /* the log record is a request of Claude Code */
    uint64_t ttft_ns;
    struct otlp_name trace, span;
    uint8_t rank[2][CALL_TEXTS + CALL_NUMS]; /* row of attrs + 1 that was taken */
    struct otlp_point point[OTLP_POINTS];
    struct otlp_group group[OTLP_GROUPS];
};

static inline void otlp_copy(struct otlp_name *to, struct slice s)
{
    to->n = s.n < OTLP_NAME ? s.n : 0; /* a name that long is no name */
    if (to->n)
        memcpy(to->p, s.p, to->n);
}

static inline struct slice otlp_text(const struct otlp_name *n)
{
    return slice_of(n->p, n->n);
}

/* The rest of `path` below `top`; false: it stands elsewhere. */
static inline bool otlp_below(struct slice path, struct slice top, struct slice *rest)
{
    *rest = slice_from(path, top.n);
    return slice_starts(path, top);
}

/* A scalar of a metric, at its path below the metric. */
void otlp_metric_scalar(struct otlp *o, struct slice path, struct slice text);
/* A data point begins, and ends; so does its metric, and the resource of all. */
void otlp_point_begin(struct otlp *o);
void otlp_point_end(struct otlp *o);
void otlp_metric_end(struct otlp *o);
void otlp_groups_end(struct otlp *o);

#endif
