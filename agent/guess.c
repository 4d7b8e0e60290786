/* What follows a key: see guess.h. */
#include "agent/guess.h"

/* A key's own quote is followed by ':', so the last byte tells. */
static enum guess_value value_of(struct slice text, const struct raw_key *key)
{
    if (text.p[text.n - 1] != '"')
        return GUESS_ANY;
    if (key->action == A_NONE && !key->see)
        return GUESS_PASSED;
    return key->action == A_STR || key->action == A_TIME ? GUESS_NAME : GUESS_STRING;
}

struct guess *guess_learn(struct guesses *g, struct guess *set, unsigned state,
                          struct slice text, struct slice name, const struct raw_key *key)
{
    struct raw_words w = raw_words_of(name, name.n);
    uint64_t hash = (w.head + (w.tail << 1 | w.tail >> 63) + name.n + (state >> 1)) *
                    UINT64_C(0x9e3779b97f4a7c15);
    struct guess *next = g->set[(hash >> 56) % GUESS_SETS];
    if (text.n <= BYTES_SAME) {
        memmove(set + 1, set, (GUESS_WAYS - 1) * sizeof *set);
        *set = (struct guess){ .key = key,
                               .next = next,
                               .state = (uint16_t)state,
                               .n = (uint8_t)text.n,
                               .value = (uint8_t)value_of(text, key) };
        memcpy(set->text, text.p, text.n);
    }
    return next;
}
