/* Tokens: text form, matching, hashes. Pure but for the random bytes of a new secret. */
#include "collector/auth.h"

#include "common/json.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

static const struct {
    const char *name;
    enum scope scope;
} scopes_known[] = { { "ingest", SCOPE_INGEST },
                     { "read", SCOPE_READ },
                     { "admin", SCOPE_ADMIN } };

bool auth_scopes_parse(struct slice text, unsigned *scopes)
{
    bool more = true;
    *scopes = 0;
    while (more) {
        struct slice one;
        size_t i = 0;
        more = slice_cut(text, ',', &one, &text);
        while (i < 3 && !slice_eq(slice_trim(one), slice_str(scopes_known[i].name)))
            i++;
        if (i == 3)
            return false;
        *scopes |= scopes_known[i].scope;
    }
    return true;
}

void auth_scopes_format(unsigned scopes, struct buf *out)
{
    bool first = true;
    for (size_t i = 0; i < 3; i++) {
        if (!(scopes & scopes_known[i].scope))
            continue;
        buf_addf(out, "%s%s", first ? "" : ",", scopes_known[i].name);
        first = false;
    }
}

/* --- globs ----------------------------------------------------------------------------
 */

static bool glob_match(struct slice glob, struct slice s)
{
    size_t g = 0, i = 0, star = SIZE_MAX, from = 0;
    while (i < s.n) {
        if (g < glob.n && glob.p[g] == '*') {
            star = g++;
            from = i;
        } else if (g < glob.n && glob.p[g] == s.p[i]) {
            g++;
            i++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (g < glob.n && glob.p[g] == '*')
        g++;
    return g == glob.n;
}

/*
 * Do two globs share a string? reach[j]: the first i bytes of a and the first j of b can
 * be read by one string. A star may read nothing, or any byte that the other one reads.
 */
static bool globs_meet(struct slice a, struct slice b)
{
    bool reach[2][256] = { { false } };
    if (a.n >= 256 || b.n >= 256)
        return true; /* not worth knowing: refuse rather than share */
    for (size_t i = 0; i <= a.n; i++) {
        bool *now = reach[i & 1], *before = reach[(i & 1) ^ 1];
        bool a_star = i && a.p[i - 1] == '*';
        for (size_t j = 0; j <= b.n; j++) {
            bool b_star = j && b.p[j - 1] == '*';
            now[j] = (i == 0 && j == 0) || (i && a_star && before[j]) ||
                     (j && b_star && now[j - 1]) || (i && b_star && before[j]) ||
                     (j && a_star && now[j - 1]) ||
                     (i && j && !a_star && !b_star && a.p[i - 1] == b.p[j - 1] &&
                      before[j - 1]);
        }
    }
    return reach[a.n & 1][b.n];
}

bool auth_speaks_for(struct slice globs, struct slice agent)
{
    bool more = globs.n > 0;
    while (more) {
        struct slice one;
        more = slice_cut(globs, ',', &one, &globs);
        if (one.n && glob_match(one, agent))
            return true;
    }
    return false;
}

bool auth_overlap(struct slice a, struct slice b)
{
    bool more = a.n > 0 && b.n > 0;
    while (more) {
        struct slice one, rest = b, other;
        more = slice_cut(a, ',', &one, &a);
        for (bool again = true; again;) {
            again = slice_cut(rest, ',', &other, &rest);
            if (one.n && other.n && globs_meet(one, other))
                return true;
        }
    }
    return false;
}

/* --- text -----------------------------------------------------------------------------
 */

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(struct slice text, unsigned char *out, size_t n)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = nibble(text.p[2 * i]), lo = nibble(text.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

static bool read_field(struct json *j, struct slice key, struct auth_set *set,
                       struct auth_token *t, unsigned *have)
{
    static const char *const keys[] = { "id",     "name",    "hash",   "scopes",
                                        "agents", "created", "revoked" };
    struct slice v;
    size_t k = 0;
    while (k < 7 && !slice_eq(key, slice_str(keys[k])))
        k++;
    enum json_type type = json_next(j, &v);
    if (k == 7 || *have >> k & 1 || type != (k < 5 ? JSON_STRING : JSON_NUMBER) ||
        j->truncated)
        return false;
    *have |= 1u << k;
    if (k == 2)
        return unhex(v, t->hash, AUTH_HASH);
    if (k == 3)
        return auth_scopes_parse(v, &t->scopes);
    if (k >= 5)
        return slice_i64(v, k == 5 ? &t->created : &t->revoked);
    struct slice *to = k == 0 ? &t->id : k == 1 ? &t->name : &t->agents;
    *to = arena_dup(&set->arena, v);
    return to->p != NULL;
}

static bool read_token(struct slice line, struct auth_set *set, struct auth_token *t)
{
    struct json j;
    struct slice key;
    enum json_type type;
    unsigned have = 0;
    *t = (struct auth_token){ 0 };
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    json_finish(&j);
    if (json_next(&j, &key) != JSON_OBJECT)
        return false;
    while ((type = json_next(&j, &key)) == JSON_KEY)
        if (!read_field(&j, key, set, t, &have))
            return false;
    return type == JSON_OBJECT_END && json_next(&j, &key) == JSON_END && have == 0x7f;
}

enum status auth_parse(struct slice text, struct auth_set *set, struct buf *why)
{
    size_t lines = 1;
    *set = (struct auth_set){ 0 };
    arena_init(&set->arena, 64u << 20);
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    if (lines > AUTH_TOKENS_MAX)
        return ST_LIMIT;
    set->token = arena_alloc(&set->arena, lines * sizeof *set->token);
    if (!set->token)
        return ST_NOMEM;
    size_t n = 0;
    for (bool more = text.n > 0; more;) {
        struct slice line;
        more = slice_cut(text, '\n', &line, &text);
        n++;
        if (slice_trim(line).n == 0)
            continue;
        if (!read_token(line, set, &set->token[set->tokens])) {
            buf_addf(why,
                     "tokens:%zu: not a token line; restore the file or add the "
                     "tokens again",
                     n);
            return ST_BAD;
        }
        set->tokens++;
    }
    return ST_OK;
}

void auth_format(const struct auth_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->tokens; i++) {
        const struct auth_token *t = &set->token[i];
        struct json_out o = { .b = out };
        char hash[2 * AUTH_HASH + 1];
        struct buf scopes = { 0 };
        for (size_t h = 0; h < AUTH_HASH; h++)
            snprintf(hash + 2 * h, 3, "%02x", t->hash[h]);
        auth_scopes_format(t->scopes, &scopes);
        json_open(&o, '{');
        json_key(&o, "id");
        json_str(&o, t->id);
        json_key(&o, "name");
        json_str(&o, t->name);
        json_key(&o, "hash");
        json_str(&o, slice_str(hash));
        json_key(&o, "scopes");
        json_str(&o, buf_slice(&scopes));
        json_key(&o, "agents");
        json_str(&o, t->agents);
        json_key(&o, "created");
        json_i64(&o, t->created);
        json_key(&o, "revoked");
        json_i64(&o, t->revoked);
        json_close(&o, '}');
        buf_addc(out, '\n');
        buf_release(&scopes);
    }
}

void auth_release(struct auth_set *set)
{
    arena_release(&set->arena);
    *set = (struct auth_set){ 0 };
}

const struct auth_token *auth_find(const struct auth_set *set, struct slice secret)
{
    unsigned char hash[AUTH_HASH];
    const struct auth_token *found = NULL;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, secret.p, secret.n, hash) != 0)
        return NULL;
    for (size_t i = 0; i < set->tokens; i++) {
        const struct auth_token *t = &set->token[i];
        bool same = gnutls_memcmp(hash, t->hash, AUTH_HASH) == 0;
        if (same && t->revoked == 0)
            found = t;
    }
    return found;
}
