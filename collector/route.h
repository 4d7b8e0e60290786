/*
 * Method and path -> what is asked, and which scope of token it takes. Pure; the table in
 * route.c is the API's list of contents.
 */
#ifndef BREAKEVEN_ROUTE_H
#define BREAKEVEN_ROUTE_H

#include "common/slice.h"

enum route_id {
    ROUTE_NONE,       /* 404 */
    ROUTE_BAD_METHOD, /* 405 */
    ROUTE_INGEST,
    ROUTE_USAGE_DAILY,
    ROUTE_USAGE_HOURLY,
    ROUTE_UNPRICED,
    ROUTE_DIMENSION,
    ROUTE_AGENTS,
    ROUTE_STATUS,
    ROUTE_PROJECTIONS, /* the newest of each workload */
    ROUTE_PROJECTION,  /* all of one workload */
    ROUTE_DECISIONS,   /* the newest record of each workload */
    ROUTE_DECISION,    /* all of one workload */
    ROUTE_FORECAST,    /* months of the projections, flat */
    ROUTE_BREAKEVEN,   /* a row for each workload, flat */
    ROUTE_ALERTS,
    ROUTE_ALERT_RULES,
    ROUTE_ALERT_CHANNELS,
    ROUTE_SILENCES,
    ROUTE_SILENCE,
    ROUTE_ACK,
    ROUTE_UNSILENCE,
    ROUTE_SCORES,
    ROUTE_COMPARISONS, /* of every workload that declares one */
    ROUTE_COMPARISON,
    ROUTE_BREAKDOWN,
    ROUTE_PROFILE,
    ROUTE_WORKLOADS,
    ROUTE_WHATIF,
    ROUTE_INDEX,
    ROUTE_PAGE,
    ROUTE_WEB, /* a file of the page */
    ROUTE_METRICS,
    ROUTE_HEALTHZ,
    ROUTE_READYZ,
};

/* Scopes of a token; a set of bits. */
enum scope { SCOPE_NONE = 0, SCOPE_INGEST = 1, SCOPE_READ = 2, SCOPE_ADMIN = 4 };

struct route {
    enum route_id id;
    const char *method;
    const char *path; /* exact; or ending in '*' for one more path segment, in "**" for a
                         name that may hold slashes itself */
    enum scope scope; /* any of them will do; SCOPE_NONE: open to all */
};

/*
 * The row for a request. ROUTE_NONE and ROUTE_BAD_METHOD are rows too; with the latter
 * *allow names the methods that the path has (a constant list for the Allow header).
 * `rest` gets what '*' matched. HEAD is answered as GET.
 */
const struct route *route_find(struct slice method, struct slice path, struct slice *rest,
                               const char **allow);

/* The n-th row of the table, or NULL: for lists of what there is. */
const struct route *route_at(size_t n);

#endif
