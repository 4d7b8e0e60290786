/* The file of tokens: changed under a lock by atomic rename, followed by the server. */
#include "collector/auth.h"
#include "collector/state_file.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 500 };

static const char file_name[] = "tokens";

enum status auth_load(const char *dir, struct auth_set *set, struct buf *why)
{
    struct buf text = { 0 };
    *set = (struct auth_set){ 0 };
    enum status ok = state_file_read(dir, file_name, &text, NULL, why);
    if (ok == ST_OK)
        ok = auth_parse(buf_slice(&text), set, why);
    buf_release(&text);
    return ok;
}

static enum status save(const char *dir, const struct auth_set *set, struct buf *why)
{
    struct buf text = { 0 };
    auth_format(set, &text);
    enum status st = text.st;
    if (st == ST_OK)
        st = state_file_write(dir, file_name, buf_slice(&text), why);
    buf_release(&text);
    return st;
}

/* --- commands -------------------------------------------------------------------------
 */

static void put_hex(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* Fill in id, hash and the secret itself: "brk_" and 64 hex digits. */
static enum status make_secret(struct auth_set *set, struct auth_token *t,
                               struct buf *secret)
{
    unsigned char raw[AUTH_SECRET_HEX / 2], id[AUTH_ID_HEX / 2];
    char hex[AUTH_SECRET_HEX + 1], id_hex[AUTH_ID_HEX + 1];
    if (gnutls_rnd(GNUTLS_RND_KEY, raw, sizeof raw) != 0 ||
        gnutls_rnd(GNUTLS_RND_NONCE, id, sizeof id) != 0)
        return ST_IO;
    put_hex(raw, sizeof raw, hex);
    put_hex(id, sizeof id, id_hex);
    size_t from = secret->n;
    buf_addf(secret, "brk_%s", hex);
    struct slice text = slice_from(buf_slice(secret), from);
    gnutls_memset(raw, 0, sizeof raw);
    gnutls_memset(hex, 0, sizeof hex);
    t->id = arena_dup(&set->arena, slice_str(id_hex));
    if (secret->st != ST_OK || !t->id.p ||
        gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, t->hash) != 0)
        return ST_IO;
    return ST_OK;
}

static enum status check_new(const struct auth_set *set, struct slice name,
                             unsigned scopes, struct slice agents, struct buf *why)
{
    if (name.n == 0 || name.n > 100 || agents.n > 400 || scopes == 0) {
        buf_adds(why, "a token needs a name (up to 100 bytes), a scope, and at most 400 "
                      "bytes of agent names");
        return ST_BAD;
    }
    if (!(scopes & SCOPE_INGEST) != (agents.n == 0)) {
        buf_adds(why, "agents belong to an ingest token, and it needs them");
        return ST_BAD;
    }
    for (size_t i = 0; i < set->tokens; i++) {
        const struct auth_token *t = &set->token[i];
        if (t->revoked == 0 && auth_overlap(agents, t->agents)) {
            buf_addf(why, "token %.*s (%.*s) speaks for '%.*s' already; revoke it first",
                     SLICE_FMT(t->id), SLICE_FMT(t->name), SLICE_FMT(t->agents));
            return ST_EXISTS;
        }
    }
    return ST_OK;
}

static enum status append(struct auth_set *set, const struct auth_token *t)
{
    struct auth_token *all =
        arena_alloc(&set->arena, (set->tokens + 1) * sizeof *set->token);
    if (!all)
        return ST_NOMEM;
    if (set->tokens)
        memcpy(all, set->token, set->tokens * sizeof *all);
    all[set->tokens++] = *t;
    set->token = all;
    return ST_OK;
}

enum status auth_add(const char *dir, struct slice name, unsigned scopes,
                     struct slice agents, int64_t now_s, struct buf *secret,
                     struct buf *why)
{
    struct auth_set set = { 0 };
    struct auth_token t = {
        .name = name, .agents = agents, .scopes = scopes, .created = now_s
    };
    int fd = state_file_lock(dir, file_name, why);
    if (fd < 0)
        return ST_DENIED;
    enum status st = auth_load(dir, &set, why);
    if (st == ST_OK)
        st = check_new(&set, name, scopes, agents, why);
    if (st == ST_OK)
        st = make_secret(&set, &t, secret);
    if (st == ST_OK)
        st = append(&set, &t);
    if (st == ST_OK)
        st = save(dir, &set, why);
    if (st != ST_OK)
        buf_reset(secret);
    auth_release(&set);
    close(fd);
    return st;
}

enum status auth_revoke(const char *dir, struct slice id, int64_t now_s, struct buf *why)
{
    struct auth_set set = { 0 };
    size_t hit = 0;
    int fd = state_file_lock(dir, file_name, why);
    if (fd < 0)
        return ST_DENIED;
    enum status st = auth_load(dir, &set, why);
    for (size_t i = 0; st == ST_OK && i < set.tokens; i++) {
        struct auth_token *t = &set.token[i];
        if (t->revoked || (!slice_eq(t->id, id) && !slice_eq(t->name, id)))
            continue;
        t->revoked = now_s;
        hit++;
    }
    if (st == ST_OK && hit == 0) {
        buf_addf(why, "no active token has the id or name '%.*s'", SLICE_FMT(id));
        st = ST_NOT_FOUND;
    }
    if (st == ST_OK)
        st = save(dir, &set, why);
    auth_release(&set);
    close(fd);
    return st;
}

/* --- in the server --------------------------------------------------------------------
 */

struct auth {
    const char *dir;
    const struct log *log;
    pthread_mutex_t lock;
    struct auth_set set;
    struct stat seen; /* the file that `set` was read from */
    int64_t looked_ms;
};

struct auth *auth_open(const char *dir, const struct log *log)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->dir = dir;
    a->log = log;
    a->looked_ms = INT64_MIN;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void auth_close(struct auth *a)
{
    if (!a)
        return;
    auth_release(&a->set);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static bool unchanged(const struct auth *a)
{
    char path[4096];
    struct stat st = { 0 };
    snprintf(path, sizeof path, "%s/%s", a->dir, file_name);
    if (stat(path, &st) != 0)
        st = (struct stat){ 0 };
    return st.st_ino == a->seen.st_ino && st.st_size == a->seen.st_size &&
           st.st_mtim.tv_sec == a->seen.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == a->seen.st_mtim.tv_nsec;
}

/* Look at most twice a second. A file that cannot be read changes nothing but the log. */
static void refresh(struct auth *a, int64_t now_ms)
{
    if (a->looked_ms != INT64_MIN && now_ms - a->looked_ms < LOOK_EVERY_MS)
        return;
    bool first = a->looked_ms == INT64_MIN;
    a->looked_ms = now_ms;
    if (!first && unchanged(a))
        return;
    struct auth_set set = { 0 };
    struct buf text = { 0 }, why = { 0 };
    struct stat st;
    enum status ok = state_file_read(a->dir, file_name, &text, &st, &why);
    a->seen = st;
    if (ok == ST_OK)
        ok = auth_parse(buf_slice(&text), &set, &why);
    if (ok == ST_OK) {
        auth_release(&a->set);
        a->set = set;
    } else {
        auth_release(&set);
        log_error(a->log, "tokens kept as they were: %s", buf_cstr(&why));
    }
    buf_release(&text);
    buf_release(&why);
}

bool auth_any(struct auth *a, int64_t now_ms)
{
    bool any = false;
    pthread_mutex_lock(&a->lock);
    refresh(a, now_ms);
    for (size_t i = 0; i < a->set.tokens; i++)
        any = any || a->set.token[i].revoked == 0;
    pthread_mutex_unlock(&a->lock);
    return any;
}

static enum auth_answer check(const struct auth_set *set, struct slice header,
                              enum scope scope, struct buf *agents)
{
    struct slice secret = slice_trim(slice_from(header, 7));
    if (header.n == 0)
        return AUTH_NO_TOKEN;
    const struct auth_token *t =
        slice_istarts(header, SLICE("Bearer ")) ? auth_find(set, secret) : NULL;
    if (!t)
        return AUTH_WRONG;
    if (!(t->scopes & (unsigned)scope))
        return AUTH_SCOPE;
    if (agents)
        buf_add(agents, t->agents);
    return AUTH_OK;
}

enum auth_answer auth_check(struct auth *a, struct slice header, enum scope scope,
                            int64_t now_ms, struct buf *agents)
{
    pthread_mutex_lock(&a->lock);
    refresh(a, now_ms);
    enum auth_answer answer = check(&a->set, header, scope, agents);
    pthread_mutex_unlock(&a->lock);
    return answer;
}
