/* Fixed parts are compared, what is between them must have the same shape. */
#include "agent/repeat.h"

#include "common/json_text.h"

enum { DIGITS = 12 /* of a number: well below 2^40 */ };

void repeat_note(struct repeat_notes *n, enum repeat_kind kind, struct slice at,
                 const struct raw_key *key)
{
    if (!n)
        return;
    if (n->holes == REPEAT_HOLES)
        n->odd = true;
    else
        n->hole[n->holes++] = (struct repeat_hole){ at, kind, key };
}

/* The inside of a string, up to its quote: SIZE_MAX if that is not here, or if a line
 * ends in it, if need be behind a backslash. */
static size_t string_end(struct slice in)
{
    const char *p = in.p, *end = in.p + in.n;
    while ((p = json_string_stop(p, end)) < end && *p == '\\' && end - p > 2 &&
           (unsigned char)p[1] >= ' ')
        p += 2;
    return p < end && *p == '"' ? (size_t)(p - in.p) : SIZE_MAX;
}

/* An integer as JSON writes it. */
static size_t digits_end(struct slice in, uint64_t *v)
{
    size_t n = 0;
    *v = 0;
    for (; n < in.n && in.p[n] >= '0' && in.p[n] <= '9' && n <= DIGITS; n++)
        *v = *v * 10 + (uint64_t)(in.p[n] - '0');
    return !n || n == in.n || n > DIGITS || (n > 1 && in.p[0] == '0') ? SIZE_MAX : n;
}

static size_t hole_end(struct slice in, enum repeat_kind kind, const struct raw_key *key,
                       struct repeat_said *said)
{
    if (kind == REPEAT_PASSED || kind == REPEAT_MEASURED) {
        size_t n = string_end(in);
        if (kind == REPEAT_MEASURED && n != SIZE_MAX) {
            said->measured += n;
            said->pieces += n > 0;
        }
        return n;
    }
    uint64_t v;
    size_t n = digits_end(in, &v);
    if (kind == REPEAT_COUNT && n != SIZE_MAX) {
        said->count[said->counts].key = key;
        said->count[said->counts++].v = v;
    }
    return n;
}

void repeat_learn(struct repeat *r, struct slice event, const struct repeat_notes *n)
{
    r->parts = 0;
    if (n->odd || n->documents != 1)
        return;
    size_t at = 0, used = 0;
    for (unsigned i = 0; i <= n->holes; i++) {
        struct slice hole = i < n->holes ? n->hole[i].at : slice_of(event.p + event.n, 0);
        size_t from = (size_t)(hole.p - event.p), part = from - at;
        if (from < at || from + hole.n > event.n || part > REPEAT_TEXT - used)
            return;
        memcpy(r->text + used, event.p + at, part);
        used += part;
        at = from + hole.n;
        r->end[i] = (uint16_t)used;
        if (i == n->holes)
            break;
        struct repeat_said said = { .measured = 0 };
        r->kind[i] = (uint8_t)n->hole[i].kind;
        r->key[i] = n->hole[i].key;
        if (hole_end(slice_from(event, from), n->hole[i].kind, r->key[i], &said) !=
            hole.n)
            return;
    }
    r->parts = (uint8_t)(n->holes + 1);
}

size_t repeat_match(const struct repeat *r, struct slice in, struct repeat_said *said)
{
    size_t at = 0, from = 0;
    said->measured = said->pieces = said->counts = 0;
    for (unsigned i = 0; i < r->parts; i++) {
        size_t n = r->end[i] - from;
        if (n > in.n - at || memcmp(in.p + at, r->text + from, n) != 0)
            return 0;
        at += n;
        from = r->end[i];
        if (i + 1 == r->parts)
            return at;
        n = hole_end(slice_from(in, at), r->kind[i], r->key[i], said);
        if (n == SIZE_MAX)
            return 0;
        at += n;
    }
    return 0;
}
