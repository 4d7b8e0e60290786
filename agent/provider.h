/*
 * Which LLM API is this: host, method and path against the rows of provider.def. One row
 * per API surface; supporting another one is a row, not a branch. Fed by extract and
 * record.
 *
 * Refuses: to look at a body (usage-formats, rule 1), to keep a query string: it may hold
 * a key.
 */
#ifndef BREAKEVEN_PROVIDER_H
#define BREAKEVEN_PROVIDER_H

#include "common/usage.h"

struct provider_hit {
    const char
        *provider; /* "openai", …; "compat": an unknown host; "other": no LLM API */
    const char *surface; /* "openai.chat", …, "admin", "none" */
    enum accounting accounting;
    struct slice model;  /* as the path names it, still percent-encoded; may be empty */
    struct slice region; /* of the host, may be empty */
    bool if_shaped; /* the path is anybody's: only if the reply has that API's usage */
};

/* The provider at a host (port stripped or not), or NULL for an unknown one. */
const char *provider_of_host(struct slice host, uint16_t port);

/*
 * Judge a request. `target` is a path or a whole URL, query allowed; `host` may be empty
 * when the target is a URL. Slices of the result borrow from the arguments.
 */
struct provider_hit provider_match(struct slice method, struct slice host, uint16_t port,
                                   struct slice target);

/*
 * The same when no host is known, only who provides ("openai", "anthropic", …; empty:
 * unknown), as in a log line.
 */
struct provider_hit provider_match_named(struct slice method, struct slice provider,
                                         struct slice target);

/* The canonical name of a provider in the many spellings of logs; NULL if not one. */
const char *provider_canonical(struct slice name);

/* Percent-decode once into out (at most cap bytes, rest cut); returns the length. */
size_t provider_decode(struct slice in, char *out, size_t cap);

#endif
