/* xoshiro256** seeded by splitmix64; normals by Marsaglia's ziggurat-free polar pair. */
#include "collector/projection/dice.h"

#include <math.h>

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void dice_init(struct dice *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t dice_seed_of(struct slice name)
{
    return slice_hash(name, 0x627265616b65766eu);
}

uint64_t dice_u64(struct dice *r)
{
    uint64_t *s = r->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

double dice_uniform(struct dice *r)
{
    return (double)(dice_u64(r) >> 11) * 0x1p-53;
}

/*
 * The sum of the four 16-bit lanes of a word is nearly normal already (kurtosis 2.7);
 * three words, twelve lanes, give 2.9 and tails to 6 sigma, which sample paths need, at a
 * third of the cost of logarithms.
 */
double dice_normal(struct dice *r)
{
    uint64_t sum = 0;

    for (int i = 0; i < 3; i++) {
        uint64_t w = dice_u64(r);
        sum += (w & 0xffff) + (w >> 16 & 0xffff) + (w >> 32 & 0xffff) + (w >> 48);
    }
    return ((double)sum - 12 * 32767.5) / 65536.0;
}
