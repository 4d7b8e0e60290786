/*
 * What the collector answers over HTTP, without HTTP: a request as values in, a reply as
 * bytes out. server.c calls handlers in its pool of threads; a handler reads the store
 * and never writes usage. Adding an answer is one row in the table of api.c and one
 * function.
 */
#ifndef BREAKEVEN_API_H
#define BREAKEVEN_API_H

#include "collector/config.h"
#include "collector/query.h"
#include "collector/route.h"

struct api_param {
    struct slice name, value; /* decoded; repeated names stay apart */
};

struct api_request {
    enum route_id route;
    struct slice path, rest; /* rest: what the route's trailing * matched */
    const struct api_param *param;
    size_t params;
    struct slice body;            /* of POST routes other than ingest; <= 64 KiB */
    struct slice if_none_match;   /* header, or empty; the server answers 304 */
    struct slice accept_encoding; /* header, or empty */
    int64_t now_s;                /* Unix seconds */
    struct arena *arena;          /* of this request; ceiling limits.request_bytes */
};

struct api_reply {
    unsigned status;          /* starts as 200 */
    const char *content_type; /* starts as application/json; constant */
    const char *etag;         /* or NULL; constant */
    const char *encoding;     /* Content-Encoding of `fixed`, or NULL; constant */
    struct buf body;
    struct buf link;    /* value of the Link header; empty: none */
    struct slice fixed; /* constant bytes sent in place of body (embedded pages) */
    unsigned retry_after_s;
};

struct metrics;
struct writer;
struct scores;
struct gpu_list;
struct questions;

/* Everything that answers are made of; filled by serve.c, read-only for handlers. */
struct collector {
    const struct config *config;
    struct store *store;
    const struct price_book *book;
    struct writer *writer;
    struct metrics *metrics;
    struct scores *scores;
    const struct gpu_list *gpus;
    struct questions *questions; /* what-if */
    const struct log *log;
    int64_t started_s;
};

/* Answer any route but ingest. Errors become a JSON body {"error":…}. */
void api_answer(const struct collector *c, const struct api_request *q,
                struct api_reply *r);

/* Make *r an error: {"error":"…"} with that status. */
void api_error(struct api_reply *r, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What went wrong in the store, as an answer. */
void api_store_failed(struct api_reply *r, enum status st);

/* The first value of a parameter, or an empty slice with p == NULL. */
struct slice api_param(const struct api_request *q, const char *name);

/*
 * from, to, group_by, grain, offset and the dimension filters of a request as a query;
 * arena memory. False: *r is the 400 that says why. Times: ISO date or date-time, Unix
 * seconds or milliseconds; default the last 30 days.
 */
bool api_query(const struct api_request *q, enum store_grain grain,
               struct store_query *out, struct api_reply *r);

#endif
