/*
 * Lines of container runtimes: the application's line inside a Docker json-file or CRI
 * record (usage-formats 8.12, 8.13). Pure parsing of one line; logline joins the pieces.
 */
#ifndef BREAKEVEN_UNWRAP_H
#define BREAKEVEN_UNWRAP_H

#include "common/slice.h"

enum { UNWRAP_STREAMS = 2 /* stdout, stderr */ };

struct unwrapped {
    struct slice text; /* of the application, borrowed from the line */
    bool escaped;      /* text is the inside of a JSON string */
    bool partial;      /* the next record of this stream goes on with it */
    unsigned stream;   /* 0 stdout, 1 stderr */
    int64_t ts_ns;     /* USAGE_NO_TIME if the record's time is not readable */
};

/* False: not a record of that kind. */
bool unwrap_docker(struct slice line, struct unwrapped *out);
bool unwrap_cri(struct slice line, struct unwrapped *out);

#endif
