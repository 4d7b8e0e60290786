/*
 * One HTTP request at a time through the helper program breakeven-ship, so that the agent
 * itself never maps libcurl and a TLS library: less memory, and what reads foreign
 * networks is not what reads the logs. Started by shipper; the descriptor goes into the
 * caller's poll or epoll set.
 *
 * URL, token and body reach the helper through an anonymous file as its standard input,
 * never through its arguments or environment. Refuses: redirects, other schemes than http
 * and https, unverified TLS, answers over SHIP_HTTP_BODY_MAX, helpers over their time.
 */
#ifndef BREAKEVEN_SHIP_HTTP_H
#define BREAKEVEN_SHIP_HTTP_H

#include "agent/ship.h"
#include "common/log.h"

enum { SHIP_HTTP_BODY_MAX = 64 * 1024, SHIP_HTTP_DEADLINE_MS = 40 * 1000 };

struct ship_http_config {
    const char *url;   /* of the collector: http://host:port, a path prefix may follow */
    const char *token; /* bearer token; NULL or "": none */
    const char *ca_file;     /* PEM; NULL: the system's */
    const char *compression; /* "zstd", "gzip" or "none" */
    const char *helper;      /* path of breakeven-ship; NULL: looked for */
};

struct ship_http;

/*
 * Copies the config. ST_CONFIG (logged) for a URL or compression that it refuses;
 * ST_NOT_FOUND (logged) when no helper is found beside the agent's own executable or in
 * the libexec folder.
 */
enum status ship_http_new(const struct ship_http_config *c, const struct log *log,
                          struct ship_http **out);
void ship_http_free(struct ship_http *h); /* kills a helper that still runs */

/* POST header line + rows to <url>/api/v1/usage. Both are used up when it returns. */
enum status ship_http_start(struct ship_http *h, int64_t now_ms, struct slice header,
                            struct slice rows);

bool ship_http_busy(const struct ship_http *h);
int ship_http_fd(const struct ship_http *h); /* readable: step; -1 when idle */
int64_t ship_http_deadline_ms(const struct ship_http *h); /* step then; INT64_MAX: idle */

/*
 * Take what has come. ST_MORE: not over. ST_OK: *a is the answer (status 0 and an error
 * text when none came), valid until the next start or free.
 */
enum status ship_http_step(struct ship_http *h, int64_t now_ms, struct ship_answer *a);

#endif
