/* What follows a key: see guess.h. */
#include "agent/guess.h"

struct guess *guess_learn(struct guesses *g, struct guess *set, unsigned state,
                          struct slice text, struct slice name, const struct raw_key *key)
{
    struct raw_words w = raw_words_of(name, name.n);
    uint64_t hash = (w.head + (w.tail << 1 | w.tail >> 63) + name.n + (state >> 1)) *
                    UINT64_C(0x9e3779b97f4a7c15);
    struct guess *next = g->set[(hash >> 56) % GUESS_SETS];
    if (text.n <= BYTES_SAME) {
        memmove(set + 1, set, (GUESS_WAYS - 1) * sizeof *set);
        *set = (struct guess){
            .key = key, .next = next, .state = (uint16_t)state, .n = (uint8_t)text.n
        };
        memcpy(set->text, text.p, text.n);
    }
    return next;
}
