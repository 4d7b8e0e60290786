/*
 * Who may do what: tokens of 32 random bytes, shown once and kept as SHA-256 in the file
 * `tokens` of data_dir. `token add|list|revoke` replace that file by an atomic rename and
 * a running server notices, so they need no connection to it and never touch the store.
 *
 * Refuses: two active ingest tokens that speak for one agent name, so no agent can
 * overwrite another's rows. Secrets are compared in constant time and never logged.
 */
#ifndef BREAKEVEN_AUTH_H
#define BREAKEVEN_AUTH_H

#include "collector/route.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/log.h"

enum { AUTH_HASH = 32, AUTH_ID_HEX = 8, AUTH_SECRET_HEX = 64, AUTH_TOKENS_MAX = 10000 };

struct auth_token {
    struct slice id, name;
    struct slice agents;      /* globs, comma between; '*' stands for any run of bytes */
    unsigned scopes;          /* enum scope */
    int64_t created, revoked; /* Unix seconds; revoked 0: active */
    unsigned char hash[AUTH_HASH];
};

struct auth_set {
    struct arena arena;
    struct auth_token *token;
    size_t tokens;
};

/* --- pure -----------------------------------------------------------------------------
 */

/* Read the text of the file; *set must be released in any case. ST_BAD names the line. */
enum status auth_parse(struct slice text, struct auth_set *set, struct buf *why);
void auth_format(const struct auth_set *set, struct buf *out);
void auth_release(struct auth_set *set);

/* The active token whose secret this is, or NULL. */
const struct auth_token *auth_find(const struct auth_set *set, struct slice secret);

/* Does one of the globs match the name? */
bool auth_speaks_for(struct slice globs, struct slice agent);
/* Is there a name that both lists of globs match? */
bool auth_overlap(struct slice a, struct slice b);

bool auth_scopes_parse(struct slice text, unsigned *scopes); /* "ingest,read" */
void auth_scopes_format(unsigned scopes, struct buf *out);

/* --- the file -------------------------------------------------------------------------
 */

/*
 * Make a token in dir: `agents` are the names it speaks for (ingest). The secret is
 * appended to *secret. ST_EXISTS: an active token speaks for one of them already; `why`
 * names it. ST_BAD, ST_IO, ST_FULL, ST_DENIED explained in `why`.
 */
enum status auth_add(const char *dir, struct slice name, unsigned scopes,
                     struct slice agents, int64_t now_s, struct buf *secret,
                     struct buf *why);

/* Revoke by id or by name. ST_NOT_FOUND. */
enum status auth_revoke(const char *dir, struct slice id, int64_t now_s, struct buf *why);

/* The tokens of dir; no file is an empty set. */
enum status auth_load(const char *dir, struct auth_set *set, struct buf *why);

/* --- in the server --------------------------------------------------------------------
 */

struct auth;

/* Follows the file; safe from any thread. NULL: out of memory. */
struct auth *auth_open(const char *dir, const struct log *log);
void auth_close(struct auth *a);

enum auth_answer { AUTH_OK, AUTH_NO_TOKEN, AUTH_WRONG, AUTH_SCOPE, AUTH_AGENT };

/*
 * May this Authorization header ("Bearer …", or empty) do what `scope` asks? now_ms is a
 * monotonic clock. On AUTH_OK and agents != NULL: the globs it speaks for.
 */
enum auth_answer auth_check(struct auth *a, struct slice header, enum scope scope,
                            int64_t now_ms, struct buf *agents);
bool auth_any(struct auth *a, int64_t now_ms); /* is there an active token at all? */

#endif
