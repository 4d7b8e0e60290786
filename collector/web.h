/*
 * The dashboard's files (dashboards/web/ and Chart.js), embedded at build by
 * cmake/web_assets.cmake, and what HTTP asks of files that never change: content coding
 * (RFC 9110, 12.5.3) and conditional requests (13.1.2). Pure.
 *
 * Refuses: any name that is not in the table; there is no path to a disk.
 */
#ifndef BREAKEVEN_WEB_H
#define BREAKEVEN_WEB_H

#include "common/slice.h"

/* One form of a file; its strong ETag is the SHA-256 of exactly these bytes, quoted. */
struct web_bytes {
    const char *begin, *end, *etag;
};

struct web_asset {
    const char *name, *type;        /* "app.js", Content-Type */
    struct web_bytes plain, packed; /* packed by gzip */
};

extern const struct web_asset web_assets[]; /* ends with a NULL name */

/* The file of that name, or NULL. */
const struct web_asset *web_find(struct slice name);

/* Does the value of Accept-Encoding allow gzip? Absent: no, the plain bytes are safe. */
bool web_accepts_gzip(struct slice accept_encoding);

/* Does the value of If-None-Match (a list, "*", weak or not) name this ETag? */
bool web_etag_matches(struct slice if_none_match, const char *etag);

#endif
