/*
 * What every unit test shares: cmocka with its includes, random numbers whose seed is
 * printed (BREAKEVEN_SEED repeats a run), input flush against a page that must not be
 * read, and where the corpus of captured exchanges stands (BREAKEVEN_CORPUS).
 */
#ifndef BREAKEVEN_TESTING_H
#define BREAKEVEN_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/slice.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Fail with a sentence that names the row of the table. */
#define CHECK(condition, ...)                                                            \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            print_error("%s: ", #condition);                                             \
            print_error(__VA_ARGS__);                                                    \
            print_error("\n");                                                           \
            fail();                                                                      \
        }                                                                                \
    } while (0)

/* --- random numbers (splitmix64) ------------------------------------------------------
 */

struct rng {
    uint64_t state;
};

/* Seeded by BREAKEVEN_SEED or the clock; prints the seed. */
static inline struct rng rng_open(const char *what)
{
    const char *given = getenv("BREAKEVEN_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_nsec;
    printf("%s: BREAKEVEN_SEED=%llu\n", what, (unsigned long long)seed);
    return (struct rng){ seed };
}

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

/* 0 <= x < 1 */
static inline double rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

/* --- guard page -----------------------------------------------------------------------
 */

struct guarded {
    struct slice s; /* the copy: its last byte is the last before the guard page */
    char *map;
    size_t size;
};

/* Maps to be used again, as a fresh one costs more than most tests do with it. */
static struct guarded guard_spare[8];

static inline struct guarded guard_map(size_t room, size_t page)
{
    for (size_t i = 0; i < COUNT_OF(guard_spare); i++) {
        struct guarded g = guard_spare[i];
        if (g.map && g.size == room + page) {
            guard_spare[i].map = NULL;
            ASAN_UNPOISON_MEMORY_REGION(g.map, room);
            return g;
        }
    }
    struct guarded g = { .size = room + page };
    g.map =
        mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + room, page, PROT_NONE) != 0)
        abort();
    return g;
}

static inline struct guarded guard_copy(struct slice s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (s.n + page - 1) / page * page;
    struct guarded g = guard_map(room, page);
    char *p = g.map + room - s.n;
    if (s.n)
        memcpy(p, s.p, s.n);
    g.s = slice_of(p, s.n);
    return g;
}

/* Who still looks at it finds junk, and with AddressSanitizer an error. */
static inline void guard_release(struct guarded *g)
{
    for (size_t i = 0; g->size <= 1 << 16 && i < COUNT_OF(guard_spare); i++) {
        if (guard_spare[i].map)
            continue;
        if (g->s.n)
            memset(g->map + (g->s.p - g->map), 0xdd, g->s.n);
        ASAN_POISON_MEMORY_REGION(g->map, (size_t)(g->s.p + g->s.n - g->map));
        guard_spare[i] = *g;
        return;
    }
    munmap(g->map, g->size);
}

/* --- corpus ---------------------------------------------------------------------------
 */

/* Path of `name` in the corpus, or false (skip the test) when there is none here. */
static inline bool corpus_path(const char *name, char *out, size_t size)
{
    const char *root = getenv("BREAKEVEN_CORPUS");
    int n = snprintf(out, size, "%s/%s", root ? root : "../shared/data", name);
    if (n > 0 && (size_t)n < size && access(out, R_OK) == 0)
        return true;
    printf("no corpus at %s: set BREAKEVEN_CORPUS\n", out);
    return false;
}

#endif
